"""Frauds with the odometer: turned back before a sale in several ways, or kept from counting by a mileage blocker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from fleet_simulation.cars import KM, Car, Case
from fleet_simulation.correcting import name_of, with_witness
from fleet_simulation.genesis import TRADE
from fleet_simulation.world import REGIMES, Behaviour, Tamper, World, body_of, happens, reading, where
from node.limits import DAY_MS
from node.rules.odometer import MILLIMETRES
from node.txtypes.disputes.amend import RecordAmend

LEAST_METRES: Final = 1_000 * KM
MEAN_METRES: Final = {"registry": 70_000 * KM, "none": 70_000 * KM, "cross_border": 47_000 * KM}
"""How far back in the mean: Car-Pass; carVertical for imported cars."""
MOST_OF_SHOWN: Final = 0.7
"""A clocker leaves the car a history that can be believed. Our assumption."""
EVERYWHERE: Final = 0.7
"""Clockers that also change what the other control units hold. Our assumption."""
BLOCKERS: Final = 0.1
BLOCKED_PER_MILLE: Final = 700
"""The share of the way that a blocker keeps back."""
GIVES_BACK: Final = 0.5
"""Of the removed blockers: those after which the instrument jumps to the true distance, as a published case did."""

LowerBy = Callable[[Car, Random, float], int]
"""By how many metres to turn a car back (car, chance, mean); below `LEAST_METRES` where its history has no room."""


def plainly(car: Car, chance: Random, mean: float) -> int:
    return int(min(LEAST_METRES + chance.expovariate(1 / mean), car.shown * MOST_OF_SHOWN))


def above_the_reading_before_last(car: Car, chance: Random, mean: float) -> int:
    """So that only the last reading contradicts."""
    known = car.judged_before(car.at_ms)
    return car.shown - (known[-2].metres + chance.randrange(50, 400) * KM) if len(known) > 1 else 0


def by_one_digit(car: Car, chance: Random, mean: float) -> int:
    """So that it looks like a slip of the pen: one digit of what the instrument shows gets lower."""
    digits = str(car.shown // KM)
    ways = [
        (int(digit) - lower) * 10 ** (len(digits) - place - 1) * KM
        for place, digit in enumerate(digits) for lower in range(int(digit))
    ]  # fmt: skip
    fitting = [way for way in ways if LEAST_METRES <= way <= car.shown * MOST_OF_SHOWN]
    return chance.choice(fitting) if fitting else 0


def as_miles(car: Car, chance: Random, mean: float) -> int:
    """The instrument shows miles, which are read as kilometres."""
    return car.shown - car.shown * 1_000_000 // MILLIMETRES["mi"]


ROLLBACKS: Final[dict[str, LowerBy]] = {
    "rollback": plainly, "rollback, just above the reading before last": above_the_reading_before_last,
    "rollback, by one digit": by_one_digit, "rollback, in miles": as_miles,
}  # fmt: skip


def turn_back(kind: str, lower_by: LowerBy, world: World, car: Car, seller: str, at_ms: int) -> None:
    """Done before the listing. Without room for it nothing is done."""
    chance = world.chance(f"{car.number}/{kind}/{at_ms}")
    metres = lower_by(car, chance, MEAN_METRES[world.plan.regime])
    if metres < LEAST_METRES:
        kind, metres = "rollback", plainly(car, chance, MEAN_METRES[world.plan.regime])
    if metres >= LEAST_METRES:
        case = world.add_case(Case(kind, car.vin, at_ms), car)
        car.turn_back(metres, case, everywhere=happens(chance, EVERYWHERE))


def amend_down(world: World, car: Car, seller: str, at_ms: int) -> None:
    """A workshop that can be bought has read the true distance; after the rollback it reads again, and then says that
    its first reading was a slip: alone, and where that is refused with an inspector that can be bought too."""
    chance = world.chance(f"{car.number}/{AMENDED}/{at_ms}")
    known = car.judged_before(at_ms)
    metres = car.shown - known[-1].metres - chance.randrange(50, 400) * KM if known else 0
    if metres < LEAST_METRES:
        turn_back("rollback", plainly, world, car, seller, at_ms)
        return
    author, witness = chance.sample(TRADE.shady, 2)
    written: list[int] = []

    def read(event_at_ms: int) -> None:
        odometer = reading(car.shown)
        note = world.tell(car, author, event_at_ms, odometer)

        def on_record(sequence: int, included_ms: int) -> None:
            note(sequence, included_ms)
            written.append(sequence)

        body = body_of("odometer.read", vin=car.vin, context="reading", odometer=odometer, event_at_ms=event_at_ms,
                       where=where(car, author))  # fmt: skip
        world.send(author, body, side="fraud", on_record=on_record)

    def amend() -> None:
        if len(written) < 2:
            return
        first, second = (name_of(world, car.vin, sequence) for sequence in written)
        body = RecordAmend(car.vin, first, "typing", second, None, None)
        alone = world.send(author, body, side="fraud")
        helped = world.send(author, with_witness(body, world.chain.address(witness)), witness, side="fraud")
        case.facts["amended alone"] = int(alone.is_accepted)
        case.facts["amended with a bought inspector"] = int(helped.is_accepted)

    read(at_ms - 2)
    case = world.add_case(Case(AMENDED, car.vin, at_ms), car)
    car.turn_back(metres, case, everywhere=True)
    read(at_ms - 1)
    world.at(at_ms + 2 * DAY_MS, amend)


AMENDED: Final = "rollback, last reading amended down"
MORE_WAYS: dict[str, Tamper] = {AMENDED: amend_down}
"""Other ways before a sale, by kind, of which each is as frequent as one of `ROLLBACKS`."""


def block(kind: str, world: World, car: Car, from_ms: int, until_ms: int) -> Behaviour:
    """A mileage blocker counts most of the way no more; it is kept, or removed before the inspection or the sale."""
    chance = world.chance(f"{car.number}/{kind}/{until_ms}")
    yield from_ms
    car.advance(from_ms)
    if car.is_gone or car.blocked_per_mille:
        return
    case = world.add_case(Case(kind, car.vin, car.at_ms), car)
    car.taints.add(case)
    car.blocked_per_mille = BLOCKED_PER_MILLE
    if kind == KEPT:
        return
    at_ms = until_ms - chance.randrange(DAY_MS, 20 * DAY_MS)
    yield at_ms
    car.advance(at_ms)
    car.blocked_per_mille = 0
    case.facts["held back km"] = car.held_back // KM
    if happens(chance, GIVES_BACK):
        car.shown += car.held_back
        car.held_back = 0
        case.kind = GIVEN_BACK
        car.taints.discard(case)


REMOVED: Final = "blocker, removed"
GIVEN_BACK: Final = "blocker, removed, distance comes back"
KEPT: Final = "blocker, kept"


def draw(world: World, car: Car, chance: Random, from_ms: int, sale_ms: int) -> Tamper | None:
    """What is done to the odometer before the next resale, if anything."""
    if not happens(chance, REGIMES[world.plan.regime]):
        return None
    if happens(chance, BLOCKERS):
        kind = chance.choice((REMOVED, KEPT))
        begins_ms = max(from_ms + 1, sale_ms - chance.randrange(200, 900) * DAY_MS)
        world.start(block(kind, world, car, begins_ms, sale_ms), begins_ms)
        return None
    kind = chance.choice((*ROLLBACKS, *MORE_WAYS))
    return MORE_WAYS[kind] if kind in MORE_WAYS else partial(turn_back, kind, ROLLBACKS[kind])
