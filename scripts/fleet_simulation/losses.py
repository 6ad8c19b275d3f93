"""Total losses: how honest ones end, and the ways to wash their title."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from fleet_simulation.cars import Car, Case
from fleet_simulation.correcting import name_of
from fleet_simulation.genesis import SHADY_DEALER, TRADE, WASH_DEALER, WASH_INSPECTOR
from fleet_simulation.producing import Outcome
from fleet_simulation.selling import sold
from fleet_simulation.world import (
    Behaviour,
    World,
    body_of,
    engine_serial,
    happens,
    inspector_of,
    reading,
    where,
    workshop_of,
)
from node.ledger.body import TransactionBody
from node.limits import DAY_MS
from node.txtypes.disputes.types import RecordDisputeOpen
from node.txtypes.service.damage import Damage
from node.txtypes.service.records import Part
from node.txtypes.service.repair import Operation
from node.txtypes.vehicle.bindings import part_id
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.vehicle import VEHICLE

CATEGORIES: Final = ("N", "N", "N", "N", "S", "S", "S", "S", "B", "B", "A")
"""Of the total losses, as drawn. Our assumption."""
FINAL: Final = ("A", "B")
WASHED: Final = 0.1
"""Of the total losses that may return, each way: five times the rate that is likely, so that there are some."""
REBUILT: Final = 0.4
"""Of the others that may return; the rest is taken apart."""
EXPORTED: Final = "washing: exported and back"
DELAYED: Final = "washing: pending brand and a dispute"
RELATED: Final = "washing: rebuilt by an inspector of the group"
SHELL: Final = "washing: rebuilt by an undeclared shell"
REGISTRARS: Final = "registrar-1"


def total_loss(world: World, car: Car, at_ms: int) -> Behaviour:
    """An insurer and the holder write the car off; what becomes of it is drawn."""
    chance = world.chance(f"{car.number}/total loss")
    if car.is_gone:
        return
    if happens(chance, WASHED):
        yield from delayed(world, car, chance, at_ms)
        return
    category = chance.choice(CATEGORIES)
    insurer = chance.choice(TRADE.insurers)
    car.advance(at_ms)
    body = body_of(
        "vehicle.total_loss", vin=car.vin, category=category, cause="collision", where=where(car, insurer),
        odometer=reading(car.shown), event_at_ms=at_ms, holder_signs=True,
    )  # fmt: skip
    note = world.tell(car, insurer, at_ms, reading(car.shown))
    if not world.send(insurer, body, car.owner, side="total loss", on_record=note).is_accepted:
        return
    car.is_gone, car.is_wreck, car.metres_a_day = True, True, 0
    at_ms += chance.randrange(5 * DAY_MS, 25 * DAY_MS)
    yield at_ms
    if category in FINAL or not happens(chance, REBUILT + 3 * WASHED):
        _scrapped(world, car, at_ms)
        return
    way = chance.choices((EXPORTED, RELATED, SHELL, ""), (WASHED, WASHED, WASHED, REBUILT))[0]
    dealer = {RELATED: WASH_DEALER, SHELL: SHADY_DEALER}.get(way) or chance.choice(TRADE.dealers[car.city])
    if car.owner != dealer:
        at_ms = yield from sold(world, car, chance, at_ms, dealer)
    if car.owner == dealer:
        at_ms = yield from _returned(world, car, chance, at_ms, way)
    if car.is_wreck:
        yield at_ms + DAY_MS
        _scrapped(world, car, at_ms)
        return
    at_ms += chance.randrange(5 * DAY_MS, 30 * DAY_MS)
    yield at_ms
    yield from sold(world, car, chance, at_ms, world.new_owner())
    car.is_gone = True


def _scrapped(world: World, car: Car, at_ms: int) -> None:
    engine = part_id("engine", "", engine_serial(car.number))
    body = body_of("vehicle.scrap", vin=car.vin, odometer=reading(car.shown), event_at_ms=world.now,
                   where=where(car, "dismantler-1"), parts_kept=(engine,))  # fmt: skip
    note = world.tell(car, "dismantler-1", world.now, reading(car.shown))
    found = world.send("dismantler-1", body, car.owner, side="scrap", on_record=note)
    car.is_wreck = not found.is_accepted
    car.is_gone = True
    if found.is_accepted:
        world.scrapped.append(car)


def _returned(world: World, car: Car, chance: Random, at_ms: int, way: str) -> Iterator[int]:
    """Repair, inspection by the checklist REBUILD, rebuild; or an attempt to get around them. Returns when."""
    dealer = car.owner
    case = world.add_case(Case(way, car.vin, world.now), car) if way else None
    if case is not None:
        case.visible_ms = world.now
    if way == EXPORTED:
        found = _imported_again(world, car, dealer, inspector_of(chance, car))
        _found_if_refused(world, case, found)
        return at_ms
    yield from _repaired(world, car, chance, at_ms)
    at_ms += 12 * DAY_MS
    yield at_ms
    inspector = {RELATED: WASH_INSPECTOR, SHELL: chance.choice(TRADE.shady[:1])}.get(way) or inspector_of(chance, car)
    inspected: list[int] = []
    body = body_of(
        "inspection.record", vin=car.vin, checklist="REBUILD", kind="rebuild", defects=(), items=(),
        valid_until_day=None, odometer=reading(car.shown), where=where(car, inspector), event_at_ms=world.now,
        holder_signs=True,
    )  # fmt: skip
    note = world.tell(car, inspector, world.now, reading(car.shown))

    def on_record(sequence: int, included_ms: int) -> None:
        note(sequence, included_ms)
        inspected.append(sequence)

    found = world.send(inspector, body, dealer, side="rebuild", on_record=on_record)
    if case is not None and way == RELATED:
        _found_if_refused(world, case, found)
    if not found.is_accepted:
        return at_ms
    at_ms += 2 * DAY_MS
    yield at_ms
    rebuild = body_of(
        "vehicle.rebuild", vin=car.vin, inspection=name_of(world, car.vin, inspected[0]),
        registrar=world.chain.address(REGISTRARS), odometer=reading(car.shown), event_at_ms=world.now,
        where=where(car, inspector),
    )  # fmt: skip
    note = world.tell(car, inspector, world.now, reading(car.shown))
    if world.send(inspector, rebuild, REGISTRARS, dealer, side="rebuild", on_record=note).is_accepted:
        car.is_wreck = False
        world.cleared.append((inspector, dealer, world.now))
    return at_ms


def _repaired(world: World, car: Car, chance: Random, at_ms: int) -> Iterator[int]:
    workshop = workshop_of(chance, car)
    yield at_ms + 10 * DAY_MS
    body = body_of(
        "repair.record", vin=car.vin, incident=None, operations=(Operation("front", "replace_structure"),),
        parts=(Part("41007369", 1, True, None),), odometer=reading(car.shown), where=where(car, workshop),
        event_at_ms=world.now, holder_signs=True,
    )  # fmt: skip
    note = world.tell(car, workshop, world.now, reading(car.shown))
    world.send(workshop, body, car.owner, side="rebuild", on_record=note)


def _imported_again(world: World, car: Car, dealer: str, inspector: str) -> Outcome:
    """The wreck goes abroad and comes back as an import with a clean title."""
    body = import_of(world, car.vin, car.model, dealer, inspector, grade="C", metres=car.shown)
    return world.send(dealer, body, inspector, side="fraud")


def import_of(
    world: World, vin: str, model: str, dealer: str, inspector: str, *, grade: str, metres: int
) -> TransactionBody:  # fmt: skip
    """An import by a dealer, without any brand of its earlier life."""
    template = where(Car(0, vin, model, "", "", 0, 0, False), dealer)
    return body_of(
        "vehicle.import", vin=vin, model=model, grade=grade, origin_country="FR", origin_brands=(), history=(),
        holder=world.chain.address(dealer), inspector=world.chain.address(inspector), where=template,
        odometer=reading(metres), event_at_ms=world.now, confirmed_by=None,
    )  # fmt: skip


def _found_if_refused(world: World, case: Case | None, found: Outcome) -> None:
    if case is not None and found.refused:
        case.found_ms, case.found_by = world.now, f"refused: {found.refused[0]}"


def delayed(world: World, car: Car, chance: Random, at_ms: int) -> Behaviour:
    """An insurer alone reports structural damage, the holder disputes it so that its brand stays pending, and sells."""
    insurer = chance.choice(TRADE.insurers)
    car.advance(at_ms)
    case = world.add_case(Case(DELAYED, car.vin, at_ms), car)
    written: list[int] = []
    body = body_of(
        "accident.report", vin=car.vin, odometer=reading(car.shown), where=where(car, insurer), event_at_ms=at_ms,
        damages=(Damage("front", "structural"), Damage("underbody", "structural")), airbags=4, case=None,
    )  # fmt: skip
    note = world.tell(car, insurer, at_ms, reading(car.shown))

    def on_record(sequence: int, included_ms: int) -> None:
        note(sequence, included_ms)
        written.append(sequence)

    world.send(insurer, body, side="honest", on_record=on_record)
    yield at_ms + 2 * DAY_MS
    case.visible_ms = world.now
    dispute = RecordDisputeOpen(car.vin, name_of(world, car.vin, written[0]), "wrong_damage", ())
    world.send(car.owner, dispute, side="fraud")
    end_ms = yield from sold(world, car, chance, at_ms + 4 * DAY_MS, world.new_owner())
    vehicle = world.chain.state(VEHICLE, car.vin)
    states = [brand_state(brand, world.now) for brand in vehicle.brands if brand.code == "collision_structural"]
    if states and states != ["annulled"]:
        case.found_ms, case.found_by = world.now, f"brand {states[0]} at the sale"
    yield end_ms + 100 * DAY_MS
    vehicle = world.chain.state(VEHICLE, car.vin)
    for brand in vehicle.brands:
        if brand.code == "collision_structural":
            case.facts[f"{brand_state(brand, world.now)} after 100 days"] = 1
