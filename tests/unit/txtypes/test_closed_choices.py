"""Fixed choices and codes: every choice that a type's field leaves open is a table of the ruleset."""

from __future__ import annotations

import re

import pytest
from support.life import VIN, accident, read
from support.stages import at

from node.errors import Malformed
from node.ledger import kinds
from node.ledger.fields import Money, Odometer
from node.ledger.json_form import from_json, to_json
from node.ledger.kinds import fields_of
from node.rules.damage import COST_BANDS, DAMAGE_CLASSES
from node.rules.deals import CANCEL_REASONS, LEG_KINDS
from node.rules.odometer import CONTEXTS, SOURCES, UNITS
from node.rules.rails import ATTESTATIONS, CARD_CHECKS
from node.txtypes.chain.actions import RoleGrant
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale.deal import Fee, Leg, Tax, Terms
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.order import Order
from node.txtypes.sale.payments import Payment, Step
from node.txtypes.service.damage import AccidentReport, Damage
from node.txtypes.service.records import OdometerRead
from node.txtypes.vehicle.regions import Flag
from node.txtypes.vehicle.title import VehicleRegister
from node.txtypes.vehicle.vehicle import Vehicle

FIELDS = [
    (Damage, "extent", DAMAGE_CLASSES),
    (OdometerRead, "context", CONTEXTS),
    (Odometer, "source", SOURCES),
    (Odometer, "unit", UNITS),
    (Vehicle, "odometer_unit", UNITS),
    (VehicleRegister, "odometer_unit", UNITS),
    (Step, "kind", ATTESTATIONS),
    (PaymentAttest, "kind", ATTESTATIONS),
    (Payment, "card_check", ("", *CARD_CHECKS)),
    (PaymentAttest, "card_check", ("", *CARD_CHECKS)),
    (Order, "cause", ("", *CANCEL_REASONS)),
    (Leg, "kind", LEG_KINDS),
]
CODES = [
    (AccidentReport, "cost_band", "cost_bands"),
    (Damage, "zone", "zones"),
    (Flag, "name", "stop_flags"),
    (AcceptedRail, "rail", "rails"),
    (Leg, "rail", "rails"),
    (Payment, "rail", "rails"),
    (Payment, "scheme", "rail_schemes"),
    (PaymentInitiate, "scheme", "rail_schemes"),
    (PaymentAttest, "code", "payment_reasons"),
    (OrderCancel, "reason", "cancel_reasons"),
    (Tax, "scheme", "tax_schemes"),
    (Fee, "code", "fee_codes"),
    (Terms, "contract", "contracts"),
    (RoleGrant, "role", "roles"),
    (RoleGrant, "country", "registration_countries"),
    (Money, "currency", "currencies"),
]


def kind_of_field(struct: type, name: str) -> kinds.Kind:
    (kind,) = (field.kind for field in fields_of(struct) if field.name == name)
    return kind


@pytest.mark.parametrize(("struct", "name", "values"), FIELDS)
def test_a_fixed_choice_takes_what_its_table_says(struct: type, name: str, values: tuple[str, ...]) -> None:
    kind = kind_of_field(struct, name)
    assert isinstance(kind, kinds.Choice) and set(values) == set(kind.values)


@pytest.mark.parametrize(("struct", "name", "table"), CODES)
def test_what_may_grow_is_a_code_of_a_table(struct: type, name: str, table: str) -> None:
    """Decoding takes any code of the form, so that a later ruleset can extend the table."""
    kind = kind_of_field(struct, name)
    assert isinstance(kind, kinds.CodeOf) and table == kind.table
    assert all(re.match(kind.pattern, code) for code in RULESETS[1].codes[table])


@pytest.mark.parametrize("band", COST_BANDS)
def test_every_cost_band_can_be_reported(band: str) -> None:
    life = at("born")
    assert [] == life.chain.unmet(life.chain.sign("police-1", accident(life.chain, cost_band=band)))


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_context_can_be_told(context: str) -> None:
    life = at("born")
    body = read(VIN, Odometer(100, "km", "cluster"), life.chain.now, context)
    assert [] == life.chain.unmet(life.chain.sign("police-1", body))


def test_a_code_of_no_table_is_decoded_and_is_an_unmet_guard() -> None:
    life = at("born")
    shown = to_json(accident(life.chain))
    del shown["type"]
    body = from_json(AccidentReport, shown | {"cost_band": "1000_5000"})
    assert ["code_unknown"] == life.chain.unmet(life.chain.sign("police-1", body))


def test_a_choice_outside_its_values_does_not_decode() -> None:
    life = at("born")
    shown = to_json(accident(life.chain))
    del shown["type"]
    damage = {"zone": "front", "extent": "total"}
    with pytest.raises(Malformed, match="damages"):
        from_json(AccidentReport, shown | {"damages": [damage]})
