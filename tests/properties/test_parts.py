"""Random fittings, sightings and updates by anybody on a few cars: what must hold after every block.

Property 19 (at most one uncontested binding of a part or battery), property 12 (leaves within their bounds), and that
an alert never vanishes nor loses its confirmation.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support.chain import DAY_MS, Chain
from support.foreign import FOREIGN, FOUR, THREE, TWO, battery, health, imported, part, seen, updated
from support.life import km, register, where
from support.stages import change

from node.ledger.body import TransactionBody
from node.rules.parts import SOFTWARE_SYSTEMS
from node.txtypes.parts.battery import BATTERY, BatteryBind, battery_key
from node.txtypes.parts.parts import PartBind
from node.txtypes.parts.software import SOFTWARE
from node.txtypes.vehicle.bindings import PART, claimants, part_id, state_of
from node.txtypes.vehicle.sighting import SIGHTINGS
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

CARS = (TWO, THREE, FOUR, FOREIGN)
SENDERS = ("bmw", "workshop-berlin", "workshop-hamburg", "dealer-munich", "inspector-1", "police-1", "buyer-1")
LEAF_MAX, VEHICLE_MAX = 1_024, 10 * 1_024
Claims = dict[bytes, set[str]]


def model_of(vin: str) -> str:
    return "PRIUS" if vin == FOREIGN else "330I"


def step(chain: Chain, chance: Random, driven: int) -> TransactionBody:
    vin, action = chance.choice(CARS), chance.choice(("fit", "fit", "remove"))
    told = dict(where=where(model=model_of(vin)), odometer=km(driven))
    match chance.randrange(6):
        case 0 | 1:
            kind, serial = chance.choice(("gearbox", "engine", "airbag")), f"S{chance.randrange(3)}"
            return part(chain, vin, action, part_class=kind, serial=serial, source=chance.choice(("new", "used")),
                        donor=chance.choice((None, *CARS)), **told)  # fmt: skip
        case 2:
            return battery(chain, vin, action, battery_id=f"BATT{chance.randrange(3)}", **told)
        case 3:
            return health(chain, chance.randrange(1_001), vin, battery_id=f"BATT{chance.randrange(3)}", **told)
        case 4:
            names = chance.sample(SOFTWARE_SYSTEMS, 3)
            changes = [(name, "", f"{chance.randrange(10)}-{chance.randrange(10)}") for name in names]
            return updated(chain, *changes, vin=vin, rxswins=(f"R{chance.randrange(20)}SWIN01",), **told)
    plate = chance.choice((None, b"\x01" * 32, b"\x02" * 32))
    return seen(chain, chance.choice((*CARS, "WBA8E9G50GNU99999")), plate=plate)


def noted(claims: Claims, body: TransactionBody, ident: bytes) -> None:
    cars = claims.setdefault(ident, set())
    if body.action == "fit":  # type: ignore[attr-defined]
        cars.add(body.vin)  # type: ignore[attr-defined]
    else:
        cars.discard(body.vin)  # type: ignore[attr-defined]


def leaves(chain: Chain) -> dict[bytes, bytes]:
    return {key[1:]: value for key, value in chain.store.kv.scan(b"S", b"T")}


def check_bindings(chain: Chain, claims: Claims) -> None:
    for key, cars in claims.items():
        family = PART if key.startswith(b"part/") else BATTERY
        binding = chain.state(family, key.decode().partition("/")[2]).binding
        assert cars == set(claimants(binding)), "four cars are as many as the list has room for"
        assert ("free", "bound", "contested")[min(len(cars), 2)] == state_of(binding)


def check_bounds(chain: Chain) -> None:
    names = {family.name for family in (PART, BATTERY, SOFTWARE, SIGHTINGS)}
    for key, value in leaves(chain).items():
        name = key.partition(b"/")[0].decode()
        if name in names:
            assert len(value) <= LEAF_MAX, key
        elif name == "vehicle":
            assert len(value) <= VEHICLE_MAX, key


def check_alerts(before: Vehicle, after: Vehicle) -> None:
    now = {alert.code: alert for alert in after.alerts}
    confirmed = 0
    for was in before.alerts:
        assert now[was.code].count >= was.count
        assert was.state == "reported" or now[was.code].state == "confirmed"
    known = {alert.code: alert.state for alert in before.alerts}
    for alert in after.alerts:
        confirmed += alert.state == "confirmed" != known.get(alert.code)
        assert alert.sequence < after.record_count, "an alert names a record that is there"
    assert not confirmed or after.material_changes > before.material_changes


@pytest.mark.parametrize("seed", range(3))
def test_whatever_anybody_records(seed: int) -> None:
    chance, claims = Random(seed), Claims()
    chain = Chain()
    for vin in CARS[:3]:
        chain.do("bmw", register(vin, powertrain="bev"))
    chain.do("dealer-munich", imported(chain, history=(), odometer=km(1)), "inspector-1")
    if seed == 2:
        change(chain, VEHICLE, TWO, existence="scrapped")
    tried: dict[str, int] = {}
    for count in range(150):
        body: Any = step(chain, chance, 10 + count)
        sender = chance.choice(SENDERS)
        raw = chain.sign(sender, body)
        if chain.unmet(raw):
            continue
        before = {vin: chain.state(VEHICLE, vin) for vin in CARS}
        chain.produce(raw, pass_ms=chance.choice((1_000, DAY_MS // 4)))
        tried[type(body).__name__] = tried.get(type(body).__name__, 0) + 1
        if isinstance(body, PartBind | BatteryBind):
            noted(claims, body, _ident(body))
        check_bindings(chain, claims)
        for vin in CARS:
            check_alerts(before[vin], chain.state(VEHICLE, vin))
    check_bounds(chain)
    assert len(tried) == 5, tried
    assert any(alert.state == "confirmed" for vin in CARS for alert in chain.state(VEHICLE, vin).alerts)


def _ident(body: Any) -> bytes:
    if isinstance(body, BatteryBind):
        return BATTERY.key(battery_key(body.battery_id))
    return PART.key(part_id(body.part_class, body.number, body.serial))
