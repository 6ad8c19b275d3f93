"""Attacks of rivals on honest sellers, and workshops that write whatever they are paid for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from fleet_simulation.cars import KM, Car, Case
from fleet_simulation.genesis import TRADE
from fleet_simulation.world import Tamper, World, body_of, happens, reading, where
from node.limits import BACKFILLED_MS, DAY_MS
from node.txtypes.service.damage import Damage

ATTACKS: Final = 40
"""On as many cars, by 20 attackers. A rival attacks when it sees a car for sale."""
READINGS: Final = "rival: false readings"
DAMAGE: Final = "rival: false damage report"
STAMPED: Final = "service book stamped backwards"
STAMPED_SHARE: Final = 0.005
"""Of the resales."""


@dataclass(eq=False)
class Rivals:
    """Who attacks which sales: a number of them, spread over the resales that are expected."""

    world: World
    done: int = 0

    @property
    def share(self) -> float:
        plan = self.world.plan
        return min(0.5, ATTACKS / max(1.0, plan.cars * plan.years * 0.15))

    def attack(self, world: World, car: Car, seller: str, at_ms: int) -> None:
        chance = world.chance(f"{car.number}/rival/{at_ms}")
        if self.done >= ATTACKS or not happens(chance, self.share) or car.cases:
            return
        self.done += 1
        rival = TRADE.rivals[self.done % len(TRADE.rivals)]
        if self.done % 2:
            world.at(at_ms + chance.randrange(DAY_MS), lambda: false_readings(world, car, rival, chance))
        else:
            world.at(at_ms + chance.randrange(12 * DAY_MS), lambda: false_damage(world, car, rival, chance))


def false_readings(world: World, car: Car, rival: str, chance: Random) -> None:
    """One to four readings on one day, lower or higher than the truth, dated over the car's life."""
    case = world.add_case(Case(READINGS, car.vin, world.now), car)
    known = car.judged_before(world.now)
    for _ in range(chance.randrange(1, 5)):
        near = chance.choice(known) if known else None
        event_at_ms = max(
            car.born_ms + DAY_MS, (near.event_at_ms if near else world.now) - chance.randrange(5 * DAY_MS)
        )
        metres = int((near.metres if near else car.shown) * chance.choice((0.3, 0.6, 1.8, 3.0))) + 2_000 * KM
        odometer = reading(metres)
        body = body_of("odometer.read", vin=car.vin, context="reading", odometer=odometer, event_at_ms=event_at_ms,
                       where=where(car, rival))  # fmt: skip
        note = world.tell(car, rival, event_at_ms, odometer, taints={*car.taints, case})
        world.send(rival, body, side="rival", on_record=note)


def false_damage(world: World, car: Car, rival: str, chance: Random) -> None:
    """Structural damage that never was."""
    world.add_case(Case(DAMAGE, car.vin, world.now), car)
    body = body_of(
        "accident.report", vin=car.vin, odometer=reading(car.shown), event_at_ms=world.now - 3 * DAY_MS, case=None,
        where=where(car, rival), damages=(Damage("front", "structural"), Damage("underbody", "structural")), airbags=4,
    )  # fmt: skip
    world.send(rival, body, side="rival", on_record=world.tell(car, rival, world.now - 3 * DAY_MS, reading(car.shown)))


def stamp_backwards(world: World, car: Car, seller: str, at_ms: int) -> None:
    """A workshop fills the service book with services that never were, dated over the car's past."""
    chance = world.chance(f"{car.number}/{STAMPED}/{at_ms}")
    author = chance.choice(TRADE.shady)
    case = world.add_case(Case(STAMPED, car.vin, at_ms), car)
    known = [told for told in car.judged_before(at_ms) if told.metres <= car.shown]
    for _ in range(3):
        event_at_ms = chance.randrange(car.born_ms + DAY_MS, max(car.born_ms + 2 * DAY_MS, at_ms - DAY_MS))
        below = max((told.metres for told in known if told.event_at_ms <= event_at_ms), default=100 * KM)
        body = body_of(
            "maintenance.record", vin=car.vin, odometer=reading(below + KM), event_at_ms=event_at_ms, parts=(),
            where=where(car, author), services=("ENGINE_OIL",),
        )  # fmt: skip
        note = world.tell(car, author, event_at_ms, reading(below + KM), taints={*car.taints, case})
        found = world.send(author, body, side="fraud", on_record=note)
        is_old = at_ms - event_at_ms > BACKFILLED_MS
        case.facts["stamps"] = case.facts.get("stamps", 0) + 1
        case.facts["old"] = case.facts.get("old", 0) + is_old
        if is_old:
            case.visible_ms = case.visible_ms or world.now
        if found.refused:
            case.facts["refused"] = case.facts.get("refused", 0) + 1
            case.found_ms, case.found_by = case.found_ms or world.now, "refused"


def draw(world: World, car: Car, chance: Random, from_ms: int, sale_ms: int) -> Tamper | None:
    return stamp_backwards if happens(chance, STAMPED_SHARE) else None
