"""The verdict over a vehicle's odometer readings.

Two readings that contradict each other remain a contradiction whatever is read later, so `ILLOGICAL` never goes away
by more readings.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol, TypeVar

from node import limits
from node.rules.odometer import DISTANCE_LIMITS_METRES, TOLERANCE_METRES, WINDOWS_MS, Verdict

_HIGHEST: Final = 2**63
_WINDOWS: Final = tuple(sorted(WINDOWS_MS, key=WINDOWS_MS.__getitem__))
"""Shortest first."""
R = TypeVar("R", bound="JudgedReading")


class JudgedReading(Protocol):
    """What the verdict needs of a reading. `sequence`: the vehicle record that contains it. `is_declared`: by a party
    without accreditation: shown, never counted against others."""

    @property
    def event_at_ms(self) -> int: ...

    @property
    def metres(self) -> int: ...

    @property
    def sequence(self) -> int: ...

    @property
    def is_declared(self) -> bool: ...


class Judgement(NamedTuple):
    """`likely_error`: sequence of the record that is probably a typing error, or -1. `outliers`: sequences of records
    whose distance from the reading before is more than a car can cover in the time between."""

    verdict: Verdict
    reasons: tuple[str, ...]
    likely_error: int
    outliers: tuple[int, ...]


def _is_monotone(readings: list[JudgedReading]) -> bool:
    highest = 0
    for reading in readings:
        if reading.metres < highest - TOLERANCE_METRES:
            return False
        highest = max(highest, reading.metres)
    return True


def _likely_error(readings: list[JudgedReading]) -> JudgedReading | None:
    """The first without which the others are monotone, of at least three. In one pass from behind and one from the
    front: a block of full series is judged by every validator, so no series may cost its length squared."""
    count = len(readings)
    lowest_from, is_monotone_from = [_HIGHEST] * (count + 1), [True] * (count + 1)
    for index in reversed(range(count)):
        metres = readings[index].metres
        is_monotone_from[index] = is_monotone_from[index + 1] and metres <= lowest_from[index + 1] + TOLERANCE_METRES
        lowest_from[index] = min(metres, lowest_from[index + 1])
    highest = 0  # of those before, which are monotone
    for index, suspect in enumerate(readings if count > 2 else ()):
        if is_monotone_from[index + 1] and highest <= lowest_from[index + 1] + TOLERANCE_METRES:
            return suspect
        if suspect.metres < highest - TOLERANCE_METRES:
            return None  # what it contradicts is before it: whichever later one goes, the two stay
        highest = max(highest, suspect.metres)
    return None


def _outliers(readings: list[JudgedReading]) -> tuple[int, ...]:
    """Records whose distance from the reading before is more than a car can cover in the time between."""
    found = []
    for before, after in zip(readings, readings[1:], strict=False):
        elapsed, distance = after.event_at_ms - before.event_at_ms, after.metres - before.metres
        window = next((w for w in _WINDOWS if elapsed <= WINDOWS_MS[w]), "year")
        periods = -(-max(elapsed, 1) // WINDOWS_MS[window])
        if distance > DISTANCE_LIMITS_METRES[window] * periods:
            found.append(after.sequence)
    return tuple(found)


def in_event_time(readings: tuple[R, ...]) -> list[R]:
    """The accredited ones: what a seller declares never counts against others, nor for a verdict."""
    return sorted((r for r in readings if not r.is_declared), key=lambda r: (r.event_at_ms, r.metres, r.sequence))


def judge(readings: tuple[JudgedReading, ...], was_illogical: bool = False) -> Judgement:
    """The verdict over the accredited readings in event time, whatever order they came in.

    `was_illogical`: earlier readings contradicted each other, and some of them may have been left out since.
    """
    ordered = in_event_time(readings)
    is_full = len(ordered) >= limits.READINGS_MAX
    outliers = _outliers(ordered)
    # before the limit: whoever pads the series with readings must not be able to lift the block
    if was_illogical or not _is_monotone(ordered):
        if is_full:
            return Judgement("ILLOGICAL", ("decreasing", "limit"), -1, outliers)
        if (suspect := _likely_error(ordered)) is not None:
            return Judgement("ILLOGICAL", ("decreasing", "one_reading"), suspect.sequence, outliers)
        return Judgement("ILLOGICAL", ("decreasing",), -1, outliers)
    if is_full:
        return Judgement("NO_VERDICT", ("limit", "outliers") if outliers else ("limit",), -1, outliers)
    if len(ordered) < 2:
        return Judgement("NO_VERDICT", ("too_few",), -1, ())
    return Judgement("LOGICAL", ("outliers",) if outliers else (), -1, outliers)
