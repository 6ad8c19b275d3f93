"""Cars that wear another's VIN, and parts that come from where they should not."""

from __future__ import annotations

from random import Random
from typing import Final

from fleet_simulation.cars import Car, Case
from fleet_simulation.genesis import TRADE
from fleet_simulation.world import (
    YEAR_MS,
    Behaviour,
    World,
    after,
    body_of,
    engine_serial,
    happens,
    reading,
    where,
    workshop_of,
)
from fleet_simulation.writing import visit
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, Where
from node.limits import DAY_MS
from node.txtypes.vehicle.sighting import SIGHTINGS, has_parallel_life

CLONED: Final = 0.004
"""Of the cars: forty times the rate that is likely, so that there are some."""
CLONE: Final = "clone: the VIN lives twice"
SIGHTED_A_YEAR: Final = 0.5
"""How often police or a port sees a given car and says so. Our assumption."""
STOLEN_A_YEAR: Final = 0.0004
USED_PARTS_A_YEAR: Final = 0.02
"""Used parts with a serial that are fitted to a car. Our assumption."""
CROOKED: Final = 0.1
"""Of the used parts: ten times the rate that is likely, so that there are some."""
FROM_STOLEN: Final = "part from a stolen car"
FROM_ALIVE: Final = "part of a living donor"
UNKNOWN_SERIAL: Final = "part without an origin"
FAR: Final = {"berlin": "cologne", "hamburg": "munich", "munich": "hamburg", "cologne": "leipzig",
              "frankfurt": "berlin", "stuttgart": "hamburg", "leipzig": "stuttgart", "nuremberg": "hamburg",
              "warsaw": "leipzig"}  # fmt: skip
"""A city 300 to 1,500 km away, where a clone lives."""


def clone(world: World, car: Car) -> Behaviour:
    """A second car of the same model with this VIN is serviced, read and seen elsewhere."""
    chance = world.chance(f"{car.number}/clone")
    if not happens(chance, CLONED):
        return
    at_ms = car.born_ms + chance.randrange(200, 900) * DAY_MS
    yield at_ms
    case = world.add_case(Case(CLONE, car.vin, at_ms), car)
    twin = Car(car.number, car.vin, car.model, FAR[car.city], "", at_ms, 0, False, car.powertrain, at_ms=at_ms)
    twin.metres_a_day = int(car.metres_a_day * chance.uniform(0.5, 2.0))
    car.advance(at_ms)
    twin.shown = twin.other_shown = int(car.shown * chance.uniform(0.3, 1.7))
    for driver, city in ((car, car.city), (twin, twin.city)):
        world.start(_sighted(world, driver, case, city), at_ms + 1)
    while not car.is_gone:
        at_ms += after(chance, YEAR_MS / 1.7)
        yield at_ms
        twin.advance(at_ms)
        author, odometer = chance.choice(TRADE.workshops[twin.city]), reading(twin.shown)
        body = body_of("maintenance.record", vin=car.vin, odometer=odometer, event_at_ms=at_ms, parts=(),
                       where=where(twin, author), services=("ENGINE_OIL",))  # fmt: skip
        note = world.tell(car, author, at_ms, odometer, taints={*car.taints, case})
        world.send(author, body, side="clone", on_record=note)


def _sighted(world: World, driver: Car, case: Case, city: str) -> Behaviour:
    """Somebody who knows nothing of another car reports where this one was."""
    chance = world.chance(f"{driver.number}/{city}/sighted")
    at_ms = driver.at_ms
    while not driver.is_gone:
        at_ms += after(chance, YEAR_MS / SIGHTED_A_YEAR)
        yield at_ms
        driver.advance(at_ms)
        author = chance.choice(TRADE.inspectors[city])
        body = body_of("vehicle.sighting", vin=driver.vin, reason="roadside", plate=None, event_at_ms=at_ms,
                       where=where(driver, author), odometer=reading(driver.shown))  # fmt: skip
        world.send(author, body, side="sighting")
        seen = world.chain.state(SIGHTINGS, driver.vin)
        if seen is not None and has_parallel_life(seen):
            case.visible_ms = case.visible_ms or world.now
            if not case.found_ms:
                case.found_ms, case.found_by = world.now, "parallel_life"


def theft(world: World, car: Car) -> Behaviour:
    """Police flags a stolen car; it is seen no more."""
    chance = world.chance(f"{car.number}/theft")
    at_ms = car.at_ms + after(chance, YEAR_MS / STOLEN_A_YEAR)
    yield at_ms
    if car.is_gone:
        return
    car.is_gone = True
    yield at_ms + chance.randrange(DAY_MS, 5 * DAY_MS)
    body = body_of("flag.set", vin=car.vin, name="stolen", until_ms=0, holder_signs=False)
    if world.send("police-1", body, side="police").is_accepted:
        world.stolen.append(car)


def used_part(world: World, car: Car) -> Behaviour:
    """A used engine is fitted: of a scrapped car mostly, else of a stolen or a living one, or of nobody knows where."""
    chance = world.chance(f"{car.number}/used part")
    at_ms = car.at_ms
    while not car.is_gone:
        at_ms += after(chance, YEAR_MS / USED_PARTS_A_YEAR)
        yield at_ms
        donor, case = _donor(world, car, chance, at_ms)
        if donor is None:
            continue
        serial = engine_serial(donor.number) if case is None or case.kind != UNKNOWN_SERIAL else f"XX-{at_ms}"
        named = None if case is not None else donor.vin

        def write(
            vin: str,
            odometer: Odometer,
            place: Where,
            event_at_ms: int,
            serial: str = serial,
            named: str | None = named,
        ) -> TransactionBody:
            return body_of(
                "part.bind", vin=vin, part_class="engine", number="11000442118", serial=serial, action="fit",
                source="used", donor=named, odometer=odometer, where=place, event_at_ms=event_at_ms,
            )  # fmt: skip

        visit(world, car, chance, workshop_of(chance, car), at_ms, write, is_prompt=True)


def _donor(world: World, car: Car, chance: Random, at_ms: int) -> tuple[Car | None, Case | None]:
    """A car that the engine is from, and the fraud if it is one."""
    if not happens(chance, CROOKED):
        return (world.scrapped.pop() if world.scrapped else None), None
    living = [other for other in world.cars if other is not car and not other.is_gone]
    ways = {FROM_STOLEN: world.stolen, FROM_ALIVE: living, UNKNOWN_SERIAL: living}
    kind = chance.choice(list(ways))
    if not ways[kind]:
        return None, None
    case = world.add_case(Case(kind, car.vin, at_ms), car)
    if kind != UNKNOWN_SERIAL:
        case.visible_ms = world.now  # the serial is known to the chain
    donor = chance.choice(ways[kind])
    donor.cases.append(case)
    return donor, case
