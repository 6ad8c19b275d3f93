"""How an honest author writes a record: late sometimes, wrong sometimes."""

from __future__ import annotations

from random import Random
from typing import Final

from msgspec.structs import replace

from fleet_simulation.cars import KM, Car, Case
from fleet_simulation.correcting import Write, amend
from fleet_simulation.world import Slip, World, happens, metres_of, reading, where
from node.ledger.fields import Odometer
from node.limits import DAY_MS, ODOMETER_MAX

HOUR_MS: Final = 3_600_000
TYPING_ERROR: Final = 0.001
PLAUSIBLE_ERROR: Final = 1 / 3
"""Of the typing errors: those of a size that could be true."""
WRONG_VIN: Final = 0.0002
WRONG_ORDER: Final = 0.02
OTHER_UNIT: Final = 0.001
DIAGNOSED: Final = 0.3
"""Readings of a workshop that also say what the engine computer holds. Our assumption."""


def delay_ms(chance: Random) -> int:
    """15 % of reports come more than a day late, 3 % more than 30 days, 0.3 % more than 400."""
    late = chance.random()
    if late < 0.003:
        return chance.randrange(400 * DAY_MS, 600 * DAY_MS)
    if late < 0.03:
        return chance.randrange(30 * DAY_MS, 400 * DAY_MS)
    if late < 0.15:
        return chance.randrange(DAY_MS, 30 * DAY_MS)
    return chance.randrange(0, 20 * HOUR_MS)


def slip(chance: Random, odometer: Odometer) -> Odometer:
    """One slip of the pen: plausible in size, or one digit replaced, lost, added or swapped."""
    value = odometer.value
    if happens(chance, PLAUSIBLE_ERROR):
        wrong = value + chance.choice((-1, 1)) * chance.randrange(200, 6_000)
    else:
        digits, place = str(value), chance.randrange(len(str(value)))
        forms = (
            digits[:place] + str((int(digits[place]) + chance.randrange(1, 10)) % 10) + digits[place + 1 :],
            digits[:place] + digits[place + 1 :] or "0",
            digits[:place] + str(chance.randrange(10)) + digits[place:],
            digits[:place] + digits[place : place + 2][::-1] + digits[place + 2 :],
        )
        wrong = int(chance.choice(forms))
    return replace(odometer, value=min(max(wrong, 0), ODOMETER_MAX))


def noted(world: World, car: Car, chance: Random, at_ms: int, odometer: Odometer) -> Slip:
    """What the author notes of what it sees."""
    if happens(chance, OTHER_UNIT):
        other = "mi" if odometer.unit == "km" else "km"
        odometer = reading(metres_of(odometer), other)
    if happens(chance, TYPING_ERROR):
        wrong = slip(chance, odometer)
        if abs(metres_of(wrong) - metres_of(odometer)) > 20 * KM:
            case = world.add_case(Case("typing error", car.vin, at_ms, is_fraud=False), car)
            return Slip(at_ms, wrong, odometer, case)
    if happens(chance, WRONG_ORDER):
        case = world.add_case(Case("wrong order", car.vin, at_ms, is_fraud=False), car)
        return Slip(max(car.born_ms, at_ms - chance.randrange(1, 12 * HOUR_MS)), odometer, odometer, case)
    return Slip(at_ms, odometer, odometer)


def mistyped(world: World, car: Car, chance: Random) -> Car:
    """The car whose VIN has another digit at one place; the car itself where there is none."""
    place, digit = chance.randrange(-5, 0), str(chance.randrange(10))
    vin = car.vin[:place] + digit + (car.vin[place + 1 :] if place + 1 else "")
    return world.by_vin.get(vin, car)


def visit(
    world: World, car: Car, chance: Random, author: str, at_ms: int, write: Write, *cosigners: str,
    source: str = "cluster", is_prompt: bool = False,
) -> None:  # fmt: skip
    """An author sees the car now and writes of it, sooner or later; at once where another signs too."""
    if car.is_gone:
        return
    car.advance(at_ms)
    is_remote = source == "telematics"
    other = car.other_shown if not is_remote and happens(chance, DIAGNOSED) else None
    shown = car.other_shown if is_remote else car.shown
    seen = noted(world, car, chance, at_ms, reading(shown, "km", source, other))
    target = mistyped(world, car, chance) if happens(chance, WRONG_VIN) else car
    # a blocker sits before the instrument: what is read from afar is true
    taints = {case for case in car.taints if not (is_remote and case.kind.startswith("blocker"))}
    case = seen.case
    if target is not car:
        case = world.add_case(Case("wrong VIN", target.vin, at_ms, is_fraud=False), target)
    if case is not None:
        taints.add(case)
    late = 0 if is_remote or is_prompt else delay_ms(chance)
    note = world.tell(target, author, seen.event_at_ms, seen.odometer, taints=taints)
    place, side = where(car, author), "honest" if target is car else "wrong VIN"

    def on_record(sequence: int, included_ms: int) -> None:
        note(sequence, included_ms)
        if case is not None and case.kind in ("typing error", "wrong VIN"):
            world.start(amend(world, car, target, author, seen, write, sequence, case), included_ms)

    def file() -> None:
        if not target.is_gone:
            body = write(target.vin, seen.odometer, place, seen.event_at_ms)
            world.send(author, body, *cosigners, side=side, on_record=on_record)

    world.at(at_ms + late, file)
