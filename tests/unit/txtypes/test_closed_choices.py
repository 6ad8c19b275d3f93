"""Every choice that a type's field leaves open is a table of the ruleset: a value in one is a value in the other."""

from __future__ import annotations

import pytest
from support.life import VIN, accident
from support.stages import at

from node.errors import Malformed
from node.ledger.fields import Odometer
from node.ledger.json_form import from_json, to_json
from node.ledger.kinds import fields_of
from node.rules.damage import COST_BANDS, DAMAGE_CLASSES
from node.rules.flags import FLAGS
from node.rules.odometer import CONTEXTS, SOURCES, UNITS
from node.rules.rails import RAILS, STATUSES
from node.txtypes.payment.payment import PaymentAttest, PaymentInitiate
from node.txtypes.sale.listing import AcceptedRail
from node.txtypes.sale.order import Order
from node.txtypes.sale.payments import Payment
from node.txtypes.service.accident import AccidentReport, Damage
from node.txtypes.vehicle.reading import OdometerRead
from node.txtypes.vehicle.register import VehicleRegister
from node.txtypes.vehicle.vehicle import Flag, Vehicle

FIELDS = [
    (AccidentReport, "cost_band", COST_BANDS),
    (Damage, "extent", DAMAGE_CLASSES),
    (OdometerRead, "context", CONTEXTS),
    (Odometer, "source", SOURCES),
    (Odometer, "unit", UNITS),
    (Vehicle, "odometer_unit", UNITS),
    (VehicleRegister, "odometer_unit", UNITS),
    (Flag, "name", tuple(FLAGS)),
    (AcceptedRail, "rail", RAILS),
    (Order, "rail", RAILS),
    (Payment, "rail", RAILS),
    (PaymentInitiate, "rail", RAILS),
    (Payment, "status", STATUSES),
    (PaymentAttest, "status", STATUSES[1:]),
]


@pytest.mark.parametrize(("struct", "name", "values"), FIELDS)
def test_a_field_takes_what_its_table_says(struct: type, name: str, values: tuple[str, ...]) -> None:
    (kind,) = (field.kind for field in fields_of(struct) if field.name == name)
    assert ("enum", set(values)) == (kind.name, set(kind.choices))


@pytest.mark.parametrize("band", COST_BANDS)
def test_every_cost_band_can_be_reported(band: str) -> None:
    life = at("born")
    assert [] == life.chain.unmet(life.chain.sign("police-1", accident(life.chain, cost_band=band)))


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_context_can_be_told(context: str) -> None:
    life = at("born")
    body = OdometerRead(VIN, Odometer(100, "km", "cluster"), life.chain.now, context)
    assert [] == life.chain.unmet(life.chain.sign("police-1", body))


def test_what_stands_in_no_table_is_refused() -> None:
    life = at("born")
    shown = to_json(accident(life.chain))
    del shown["type"]
    with pytest.raises(Malformed, match="cost_band"):
        from_json(AccidentReport, shown | {"cost_band": "1000_5000"})
