"""What honest people do with a car: drive, service, tyres, inspections, data from afar, accidents, selling.

Each behaviour is one function over one car; `LIFE` is the list of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Final

from fleet_simulation.cars import KM, Car
from fleet_simulation.clones import clone, theft, used_part
from fleet_simulation.genesis import TRADE
from fleet_simulation.inspecting import inspection
from fleet_simulation.instruments import replaced
from fleet_simulation.losses import total_loss
from fleet_simulation.selling import ownership
from fleet_simulation.world import (
    START_MS,
    YEAR_MS,
    Behaviour,
    World,
    after,
    body_of,
    engine_serial,
    happens,
    lognormal,
    workshop_of,
)
from fleet_simulation.writing import Write, visit
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, Where
from node.limits import DAY_MS
from node.txtypes.service.damage import Damage

MODELS: Final = ("330I", "320D", "X3", "I4", "118I", "520D")
BATCH: Final = 20
"""Cars of one model with serial numbers that follow each other. Our assumption."""
ELECTRIC: Final = ("I4",)
ENTRY_MS: Final = 180 * DAY_MS
"""All cars are born within this time."""
YEARLY_METRES: Final = 14_075 * KM
"""Mean of a Belgian car (Car-Pass 2023)."""
TAXIS: Final = 0.02
TELEMATICS: Final = 0.3
TELEMATICS_A_YEAR: Final = 4
SERVICES_A_YEAR: Final = 1.0
TYRES_A_YEAR: Final = 0.7
ACCIDENTS_A_YEAR: Final = 0.4 / 12
"""40 % of cars in a life of twelve years."""
SEVERE: Final = 0.07
SERVICES: Final = ("ENGINE_OIL", "MICROFILTER", "BRAKE_FLUID", "BRAKE_PADS_FRONT", "VEHICLE_CHECK")


def born(world: World, number: int) -> Behaviour:
    """A car leaves the plant, and everything that happens to it begins."""
    chance = world.chance(f"{number}/birth")
    at_ms = START_MS + chance.randrange(DAY_MS, min(ENTRY_MS, world.plan.end_ms - START_MS))
    yield at_ms
    model = MODELS[number // BATCH % len(MODELS)]
    is_taxi = happens(chance, TAXIS)
    yearly = chance.uniform(60_000, 120_000) * KM if is_taxi else lognormal(chance, YEARLY_METRES, 0.5)
    cities = tuple(TRADE.workshops)[:8]
    car = Car(
        number, f"WBA8E9G50GNU{number:05}", model, chance.choice(cities), "bmw", at_ms,
        int(yearly) // 365, happens(chance, TELEMATICS), "bev" if model in ELECTRIC else "petrol", is_taxi,
        at_ms, 10 * KM, 10 * KM, 10 * KM,
    )  # fmt: skip
    made = datetime.fromtimestamp(at_ms // 1_000 - 3 * 86_400, UTC).date().isoformat()
    body = body_of("vehicle.register", vin=car.vin, model=model, produced_on=made, powertrain=car.powertrain,
                   engine_serial=engine_serial(number))  # fmt: skip
    world.send("bmw", body)
    world.cars.append(car)
    world.by_vin[car.vin] = car
    for behaviour in LIFE:
        world.start(behaviour(world, car), at_ms + 1)


def service(world: World, car: Car) -> Behaviour:
    yield from _now_and_then(world, car, "service", SERVICES_A_YEAR, workshop_of, _maintenance)


def tyres(world: World, car: Car) -> Behaviour:
    yield from _now_and_then(world, car, "tyres", TYRES_A_YEAR, workshop_of, _tyres)


def telematics(world: World, car: Car) -> Behaviour:
    """The maker reads the odometer from afar."""
    if car.has_telematics:
        yield from _now_and_then(world, car, "telematics", TELEMATICS_A_YEAR, lambda *_: "bmw", _read("telematics"))


def accident(world: World, car: Car) -> Behaviour:
    chance = world.chance(f"{car.number}/accident")
    at_ms = car.at_ms
    while not car.is_gone:
        at_ms += after(chance, YEAR_MS / ACCIDENTS_A_YEAR)
        yield at_ms
        extent = "structural" if happens(chance, SEVERE) else chance.choice(("cosmetic", "bolt_on", "bolt_on"))
        zone = chance.choice(("front", "rear", "left_side", "right_side", "front_left", "rear_right"))
        author = chance.choice(TRADE.insurers) if happens(chance, 0.6) else workshop_of(chance, car)

        visit(world, car, chance, author, at_ms, _accident(Damage(zone, extent)))
        if extent == "structural":
            world.start(total_loss(world, car, at_ms + 2 * DAY_MS), at_ms + 2 * DAY_MS)


def _now_and_then(
    world: World, car: Car, name: str, a_year: float, author_of: Callable[[Random, Car], str],
    write: Write,
) -> Behaviour:  # fmt: skip
    chance = world.chance(f"{car.number}/{name}")
    at_ms, source = car.at_ms, "telematics" if name == "telematics" else "cluster"
    while not car.is_gone:
        at_ms += int(YEAR_MS / a_year * chance.uniform(0.6, 1.4))
        yield at_ms
        visit(world, car, chance, author_of(chance, car), at_ms, write, source=source)


def _maintenance(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
    return body_of("maintenance.record", vin=vin, odometer=odometer, where=place, event_at_ms=event_at_ms,
                   services=SERVICES[:3], parts=())  # fmt: skip


def _tyres(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
    return body_of("maintenance.record", vin=vin, odometer=odometer, where=place, event_at_ms=event_at_ms,
                   services=("TYRES_SEASONAL",), parts=())  # fmt: skip


def _accident(damage: Damage) -> Write:
    def write(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
        return body_of("accident.report", vin=vin, odometer=odometer, where=place, event_at_ms=event_at_ms,
                       damages=(damage,), case=None)  # fmt: skip

    return write


def _read(context: str) -> Write:
    def write(vin: str, odometer: Odometer, place: Where, event_at_ms: int) -> TransactionBody:
        return body_of(
            "odometer.read", vin=vin, context=context, odometer=odometer, where=place, event_at_ms=event_at_ms
        )

    return write


LIFE: Final[tuple[Callable[[World, Car], Behaviour], ...]] = (
    service, tyres, telematics, inspection, accident, ownership, theft, used_part, clone, replaced,
)  # fmt: skip
"""Everything that goes on around one car, honest and not."""
