"""Cars that come from elsewhere with documents: honest ones, and wrecks of which no document tells."""

from __future__ import annotations

from typing import Final

from fleet_simulation.cars import KM, Car, Case
from fleet_simulation.genesis import HOME_CITIES, TRADE
from fleet_simulation.losses import import_of
from fleet_simulation.world import START_MS, YEAR_MS, Behaviour, World, after, body_of, happens, where
from node.limits import DAY_MS
from node.txtypes.vehicle.vehicle import VEHICLE

IMPORTED_A_YEAR: Final = 0.01
"""Cars imported a year for each of the fleet. Our assumption."""
WRECKS: Final = 0.1
"""Of the imported cars: five times the design's rate of total losses, so that there are some."""
TOLD_LATER: Final = 0.5
"""Of the wrecks: those whose insurer joins the chain and tells of the loss."""
WRECK: Final = "washing: a wreck imported without its brand"


def imports(world: World) -> Behaviour:
    """A dealer and an inspector bring cars onto the chain, on documents or on the inspection alone."""
    chance = world.chance("imports")
    at_ms, number = START_MS + 30 * DAY_MS, 0
    while True:
        at_ms += after(chance, YEAR_MS / (IMPORTED_A_YEAR * world.plan.cars))
        yield at_ms
        number += 1
        city = chance.choice(HOME_CITIES)
        dealer, inspector = chance.choice(TRADE.dealers[city]), chance.choice(TRADE.inspectors[city])
        car = Car(-number, f"ZFA3120000P{number:06}", "PANDA", city, dealer, at_ms, 0, False, at_ms=at_ms)
        car.shown = chance.randrange(40_000, 160_000) * KM
        body = import_of(world, car.vin, car.model, dealer, inspector, grade=chance.choice("CD"), metres=car.shown)
        if world.send(dealer, body, inspector, side="import").is_accepted:
            world.by_vin[car.vin] = car
            if happens(chance, WRECKS):
                _washed(world, car, happens(chance, TOLD_LATER), after(chance, YEAR_MS / 2))


def _washed(world: World, car: Car, is_told: bool, later_ms: int) -> None:
    """Found where the answer says that nothing is known of the time before; the loss itself is told later, or never."""
    case = world.add_case(Case(WRECK, car.vin, world.now), car)
    case.visible_ms = world.now
    vehicle = world.chain.state(VEHICLE, car.vin)
    if vehicle.origin == "imported" and vehicle.grade in "CD" and vehicle.covered_since_ms >= car.born_ms:
        case.found_ms, case.found_by = world.now, "grade C or D: unknown before"

    def tell() -> None:
        insurer = TRADE.insurers[0]
        body = body_of(
            "vehicle.total_loss", vin=car.vin, category="S", cause="collision", where=where(car, insurer),
            event_at_ms=car.born_ms - 100 * DAY_MS, holder_signs=False,
        )  # fmt: skip
        found = world.send(insurer, body, side="late insurer")
        alerts = world.chain.state(VEHICLE, car.vin).alerts
        case.facts["told later"] = int(found.is_accepted)
        case.facts["with the alert late_disclosure"] = sum(alert.code == "late_disclosure" for alert in alerts)

    if is_told:
        world.at(world.now + later_ms, tell)
