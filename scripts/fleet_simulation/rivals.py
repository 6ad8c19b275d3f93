"""Attacks of rivals on honest sellers, and workshops that write whatever they are paid for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from fleet_simulation.cars import KM, Car, Case
from fleet_simulation.correcting import dispute, name_of
from fleet_simulation.genesis import TRADE
from fleet_simulation.world import Tamper, World, body_of, happens, reading, where
from node.limits import DAY_MS
from node.rules.odometer import BACKFILLED_MS
from node.txtypes.disputes.types import RecordDisputeOpen
from node.txtypes.service.damage import Damage

ATTACKS: Final = 80
"""On as many cars, by 20 attackers. A rival attacks when it sees a car for sale."""
READINGS: Final = "rival: false readings"
DAMAGE: Final = "rival: false damage report"
FLAG: Final = "rival: provisional stop-flag"
DISPUTE: Final = "rival: dispute without standing"
KINDS: Final = (READINGS, DAMAGE, FLAG, DISPUTE)
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
        kinds = (false_readings, false_damage, false_flag, empty_dispute)
        kind = kinds[self.done % len(kinds)]
        world.at(at_ms + chance.randrange(DAY_MS, 12 * DAY_MS), lambda: kind(world, car, rival, chance))


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
        world.send(rival, body, side="rival", on_record=_disputed(world, car, "wrong_reading", case, note))


def false_damage(world: World, car: Car, rival: str, chance: Random) -> None:
    """Structural damage that never was."""
    case = world.add_case(Case(DAMAGE, car.vin, world.now), car)
    body = body_of(
        "accident.report", vin=car.vin, odometer=reading(car.shown), event_at_ms=world.now - 3 * DAY_MS, case=None,
        where=where(car, rival), damages=(Damage("front", "structural"), Damage("underbody", "structural")), airbags=4,
    )  # fmt: skip
    note = world.tell(car, rival, world.now - 3 * DAY_MS, reading(car.shown))
    world.send(rival, body, side="rival", on_record=_disputed(world, car, "wrong_damage", case, note))


def false_flag(world: World, car: Car, rival: str, chance: Random) -> None:
    """An inspector that has not seen the car holds up its sale."""
    case = world.add_case(Case(FLAG, car.vin, world.now), car)
    name = chance.choice(("unroadworthy", "odometer_investigation", "identity_suspect"))
    body = body_of("flag.set", vin=car.vin, name=name, until_ms=0, holder_signs=False)
    found = world.send(rival, body, side="rival", on_record=_disputed(world, car, "flag_unfounded", case, None))
    case.facts["refused"] = int(bool(found.refused))


def empty_dispute(world: World, car: Car, rival: str, chance: Random) -> None:
    """A dispute about a record of a car that the rival has nothing to do with."""
    case = world.add_case(Case(DISPUTE, car.vin, world.now), car)
    target = name_of(world, car.vin, 0)
    found = world.send(rival, RecordDisputeOpen(car.vin, target, "not_done", ()), side="rival")
    case.visible_ms = world.now
    if found.refused:
        case.found_ms, case.found_by = world.now, f"refused: {found.refused[0]}"


Noted = Callable[[int, int], None]


def _disputed(world: World, car: Car, ground: str, case: Case, note: Noted | None) -> Noted:
    """What the owner does when a record of the rival stands on the car."""

    def on_record(sequence: int, included_ms: int) -> None:
        if note is not None:
            note(sequence, included_ms)
        world.start(dispute(world, car, sequence, ground, case), included_ms)

    return on_record


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
