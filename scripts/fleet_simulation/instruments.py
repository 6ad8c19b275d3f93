"""Replaced instruments: honest ones, and those that are made up to explain a rollback."""

from __future__ import annotations

from typing import Final

from fleet_simulation.cars import Car, Case
from fleet_simulation.genesis import TRADE
from fleet_simulation.odometer_frauds import LEAST_METRES, MEAN_METRES, MORE_WAYS, plainly
from fleet_simulation.producing import Outcome
from fleet_simulation.world import YEAR_MS, Behaviour, World, after, body_of, happens, reading, where, workshop_of
from node.ledger.fields import Odometer
from node.limits import DAY_MS, HOUR_MS
from node.txtypes.vehicle.readings import ODOMETER

REPLACED_A_YEAR: Final = 0.002
CODED: Final = 0.7
"""Of the new instruments: those that are set to what the old one showed. Our assumption."""
FAKE: Final = "rollback, before a fake odometer.replace"
LATE: Final = "rollback, explained by a late odometer.replace"


def replaced(world: World, car: Car) -> Behaviour:
    """A broken instrument is replaced by one that shows the same, or nothing."""
    chance = world.chance(f"{car.number}/instrument")
    at_ms = car.at_ms
    while not car.is_gone:
        at_ms += after(chance, YEAR_MS / REPLACED_A_YEAR)
        yield at_ms
        if car.is_gone:
            return
        car.advance(at_ms)
        old = reading(car.shown, other=car.other_shown)
        if not happens(chance, CODED):
            car.offset += car.shown
            car.shown = car.other_shown = 0
        _send(world, car, workshop_of(chance, car), at_ms, old, side="honest")


def _send(
    world: World, car: Car, author: str, at_ms: int, old: Odometer | None, *, side: str, witness: str = ""
) -> Outcome:
    new = reading(car.shown)
    body = body_of(
        "odometer.replace", vin=car.vin, old=old, odometer=new, event_at_ms=at_ms, where=where(car, author),
        witness=world.chain.address(witness) if witness else None,
    )  # fmt: skip
    cosigners = (car.owner, witness) if witness else (car.owner,)
    return world.send(author, body, *cosigners, side=side, on_record=world.tell(car, author, at_ms, new))


def _turned_back(world: World, car: Car, kind: str, at_ms: int) -> Case | None:
    metres = plainly(car, world.chance(f"{car.number}/{kind}/{at_ms}"), MEAN_METRES[world.plan.regime])
    if metres < LEAST_METRES:
        return None
    case = world.add_case(Case(kind, car.vin, at_ms), car)
    car.turn_back(metres, case, everywhere=True)
    return case


def _explain(world: World, car: Car, case: Case, at_ms: int) -> None:
    """A bought workshop says that the instrument was replaced, and that the old one showed as little; alone, and where
    that is refused with a bought inspector."""
    author, witness = world.chance(f"{car.number}/{case.kind}/helpers").sample(TRADE.shady, 2)
    old = reading(car.shown)
    alone = _send(world, car, author, at_ms, old, side="fraud")
    helped = alone if alone.is_accepted else _send(world, car, author, at_ms, old, side="fraud", witness=witness)
    case.facts["replaced alone"] = int(alone.is_accepted)
    case.facts["replaced with a bought inspector"] = int(helped.is_accepted and not alone.is_accepted)
    if helped.is_accepted:
        case.visible_ms = case.visible_ms or world.now
        car.offset = world.chain.state(ODOMETER, car.vin).segments[-1].offset_metres


def fake(world: World, car: Car, seller: str, at_ms: int) -> None:
    """First the made-up replacement, then the readings of the sale."""
    case = _turned_back(world, car, FAKE, at_ms)
    if case is not None:
        _explain(world, car, case, at_ms)


def late(world: World, car: Car, seller: str, at_ms: int) -> None:
    """First the readings of the sale, then the replacement that is to explain them."""
    case = _turned_back(world, car, LATE, at_ms)
    if case is not None:
        world.at(at_ms + 2 * DAY_MS, lambda: _explain(world, car, case, at_ms - HOUR_MS))


MORE_WAYS.update({FAKE: fake, LATE: late})
