"""Odometers: units, contexts, how far a car can plausibly be driven, and the verdict over a vehicle's readings.

Two readings that contradict each other remain a contradiction whatever is read later, so no reading ends `ILLOGICAL`.
"""

from itertools import accumulate, pairwise
from typing import Final, Literal, NamedTuple, Protocol, TypeVar, get_args

from node import limits
from node.limits import DAY_MS

_WINDOW_DAYS: Final = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
WINDOWS_MS: Final[dict[str, int]] = {window: days * DAY_MS for window, days in _WINDOW_DAYS.items()}
"""Lengths of the windows of `DISTANCE_LIMITS_METRES`, shortest first."""
DISTANCE_LIMITS_METRES: Final[dict[str, int]] = {
    "day": 2_500_000, "week": 12_000_000, "month": 35_000_000, "quarter": 90_000_000, "year": 300_000_000,
}  # fmt: skip
"""The longest plausible distance within a window: about 105 km/h round the clock for a day, drivers in shifts for a
week, a taxi in three shifts for a year. A longer one marks an outlier, it never refuses a reading."""
TOLERANCE_METRES: Final = 1_000
"""A reading may be this much lower than an earlier one: rounding, and a drive round the yard."""

Source = Literal["cluster", "body_computer", "engine_computer", "telematics", "visual"]
SOURCES: Final[tuple[str, ...]] = get_args(Source)
"""The origin of a reading."""
Context = Literal["reading", "inspection", "sale", "transfer", "telematics"]
CONTEXTS: Final[tuple[str, ...]] = get_args(Context)
"""The occasion of an `odometer.read`. A reading inside another record needs none: the record names it."""

INDEPENDENT, INTERESTED, DECLARED = range(3)
COUNTED, SUPERSEDED, EXCLUDED, BACKFILLED = range(4)
"""State of a reading: judged; mended by its author; struck by a decision; included late."""

Verdict = Literal["LOGICAL", "CONTESTED", "ILLOGICAL", "NO_VERDICT"]
Unit = Literal["km", "mi"]
UNITS: Final[tuple[str, ...]] = get_args(Unit)
MILLIMETRES: Final[dict[str, int]] = {"km": 1_000_000, "mi": 1_609_344}
"""Exact: the international mile of 1959 is 1,609.344 m."""


def to_metres(value: int, unit: str) -> int:
    """Whole metres, rounded down. Unknown units raise KeyError."""
    return value * MILLIMETRES[unit] // 1_000


def tolerance_metres(elapsed_ms: int) -> int:
    return 500_000 if elapsed_ms <= 36 * 3_600_000 else 10_000


R = TypeVar("R", bound="JudgedReading")


class JudgedReading(Protocol):
    """A reading, in the vehicle record `sequence`. `is_declared`: by a party without accreditation: it is shown, and
    never counts against others."""

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
    metres = [reading.metres for reading in readings]
    return all(m >= highest - TOLERANCE_METRES for m, highest in zip(metres, accumulate(metres, max), strict=True))


def _likely_error(readings: list[JudgedReading]) -> JudgedReading | None:
    """The first reading without which the others are monotone, of at least three. One pass from behind and one from
    the front: every validator judges a block of full series, so no series may cost its length squared."""
    count = len(readings)
    lowest_from, is_monotone_from = [2**63] * (count + 1), [True] * (count + 1)
    for index in reversed(range(count)):
        metres = readings[index].metres
        is_monotone_from[index] = is_monotone_from[index + 1] and metres <= lowest_from[index + 1] + TOLERANCE_METRES
        lowest_from[index] = min(metres, lowest_from[index + 1])
    highest = 0  # of those before, which are monotone
    for index, suspect in enumerate(readings if count > 2 else ()):
        if is_monotone_from[index + 1] and highest <= lowest_from[index + 1] + TOLERANCE_METRES:
            return suspect
        if suspect.metres < highest - TOLERANCE_METRES:
            return None  # it contradicts an earlier one: without any later one, the two remain
        highest = max(highest, suspect.metres)
    return None


def _outliers(readings: list[JudgedReading]) -> tuple[int, ...]:
    outliers = []
    for before, after in pairwise(readings):
        elapsed, distance = after.event_at_ms - before.event_at_ms, after.metres - before.metres
        window = next((w for w in WINDOWS_MS if elapsed <= WINDOWS_MS[w]), "year")
        periods = -(-max(elapsed, 1) // WINDOWS_MS[window])
        if distance > DISTANCE_LIMITS_METRES[window] * periods:
            outliers.append(after.sequence)
    return tuple(outliers)


def in_event_time(readings: tuple[R, ...]) -> list[R]:
    """The accredited readings in event time: a declared one counts neither against others nor for a verdict."""
    return sorted((r for r in readings if not r.is_declared), key=lambda r: (r.event_at_ms, r.metres, r.sequence))


def judge(readings: tuple[JudgedReading, ...], was_illogical: bool = False) -> Judgement:
    """The verdict over the accredited readings in event time, in whatever order they were recorded. `was_illogical`:
    earlier readings contradicted each other, and some of them may have been left out since."""
    ordered = in_event_time(readings)
    is_full = len(ordered) >= limits.READINGS_MAX
    outliers = _outliers(ordered)
    # before the limit: padding the series with readings must not lift the block
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
