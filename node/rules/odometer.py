"""Odometers: units, what is known of a reading, how far a car can plausibly be driven, and slips in writing a number.

The verdict over a vehicle's readings is in `verdict`.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, get_args

from node.limits import DAY_MS, ODOMETER_MAX

_HOUR_MS: Final = 3_600_000
_WINDOW_DAYS: Final = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
WINDOWS_MS: Final[dict[str, int]] = {window: days * DAY_MS for window, days in _WINDOW_DAYS.items()}
"""Lengths of the windows of `DISTANCE_LIMITS_METRES`, shortest first."""
DISTANCE_LIMITS_METRES: Final[dict[str, int]] = {
    "day": 2_500_000, "week": 12_000_000, "month": 35_000_000, "quarter": 90_000_000, "year": 300_000_000,
}  # fmt: skip
"""The longest plausible distance within a window: about 105 km/h round the clock for a day, drivers in shifts for a
week, a taxi in three shifts for a year. A longer one marks an outlier, it never refuses a reading."""
UNITS_METRES: Final = 3_220
"""One unit of each of two readings, miles rounded up. It allows for rounding down and for a drive round the yard."""
TOLERANCE_METRES: Final = 10_000 + UNITS_METRES
"""A reading may be this much lower than an earlier one."""
NEAR_TOLERANCE_METRES: Final = 500_000 + UNITS_METRES
"""The tolerance within `NEAR_MS`: visits of one day are noted in the wrong order, or with the time of the note."""
NEAR_MS: Final = 36 * _HOUR_MS
VOLLEY_MS: Final = 90 * DAY_MS
"""The readings of one author that an explanation names were included within this time of one of the largest fall."""
AMEND_ALONE_MS: Final = 28 * DAY_MS
"""An author can amend its reading without a witness for this long after its inclusion."""
BACKFILLED_MS: Final = 400 * DAY_MS
"""A reading included more than this after its event is `BACKFILLED`."""
COVERED_GAP_MS: Final = 400 * DAY_MS
COVERED_GAP_METRES: Final = 40_000_000
"""The greatest distance between two readings for which the car's life between them is covered."""
SOURCES_DIFFER_METRES: Final = 1_000_000
SOURCES_DIFFER_PER_MILLE: Final = 20
"""Two sources of one reading differ if their spread is above both bounds. A control unit's copy may lag by 300 km."""

Source = Literal["cluster", "body_computer", "engine_computer", "telematics", "visual"]
SOURCES: Final[tuple[str, ...]] = get_args(Source)
"""Sources of a reading: where it was read."""
SOURCE_CODES: Final[dict[str, int]] = {
    "cluster": 0, "body_computer": 1, "telematics": 2, "visual": 3, "engine_computer": 4, "history": 5,
}  # fmt: skip
"""Codes of the sources in the state. `history`: stated at an import, from before the car came to this chain."""
Context = Literal["reading", "inspection", "sale", "transfer", "telematics"]
CONTEXTS: Final[tuple[str, ...]] = get_args(Context)
"""Occasions of an `odometer.read`. A reading inside another record needs none: the record tells it."""

INDEPENDENT, INTERESTED, DECLARED = range(3)
"""Standings of a reading. `INDEPENDENT`: accredited and not related to the holder. `INTERESTED`: accredited and
related, or agreed by both parties of a handover. `DECLARED`: by any other account; shown and never judged."""
COUNTED, SUPERSEDED, EXCLUDED, BACKFILLED = range(4)
"""States of a reading. `COUNTED` is judged. `SUPERSEDED` was amended by its author. `EXCLUDED` was annulled by a
decision. `BACKFILLED` is judged, but was included too late to count in the car's favour. A backfilled reading
contradicts others and keeps them from being called typing errors. It does not make two readings out of one, is no
second author, confirms no jump, covers nothing, keeps nothing fresh, and is no witness before or after a volley: else a
backdated reading would turn ILLOGICAL into CONTESTED."""

Verdict = Literal["LOGICAL", "CONTESTED", "ILLOGICAL", "NO_VERDICT"]
"""The verdict over a car's readings. `LOGICAL`: they rise. `CONTESTED`: one mistake explains why they do not.
`ILLOGICAL`: no single mistake explains it. `NO_VERDICT`: they tell too little."""
_CONTRADICTION: Final[dict[Verdict, int]] = {"NO_VERDICT": 0, "LOGICAL": 0, "CONTESTED": 1, "ILLOGICAL": 2}


def is_worse(verdict: Verdict, than: Verdict) -> bool:
    """Whether readings contradict each other more by one verdict than by another."""
    return _CONTRADICTION[verdict] > _CONTRADICTION[than]


Unit = Literal["km", "mi"]
UNITS: Final[tuple[str, ...]] = get_args(Unit)
MILLIMETRES: Final[dict[str, int]] = {"km": 1_000_000, "mi": 1_609_344}
"""Millimetres of a unit, exact: the international mile of 1959 is 1,609.344 m."""


def to_metres(value: int, unit: str) -> int:
    """A reading in whole metres, rounded down. Unknown units raise KeyError."""
    return value * MILLIMETRES[unit] // 1_000


def tolerance_metres(elapsed_ms: int) -> int:
    """The tolerance by which a later reading may be lower than an earlier one, `elapsed_ms` before it."""
    return NEAR_TOLERANCE_METRES if elapsed_ms <= NEAR_MS else TOLERANCE_METRES


_LIMITS: Final = tuple((DISTANCE_LIMITS_METRES[name], length) for name, length in WINDOWS_MS.items())
LIMIT_LEAST_METRES: Final = min(DISTANCE_LIMITS_METRES.values())
"""The smallest limit of any time: no shorter distance is beyond one."""


def limit_metres(elapsed_ms: int) -> int:
    """The longest plausible distance in `elapsed_ms`: the smallest that any window allows, counting windows that have
    begun as whole."""
    return min(metres * max(1, -(-elapsed_ms // length)) for metres, length in _LIMITS)


def sources_differ(metres: Sequence[int]) -> bool:
    """Whether the sources of one reading, such as the cluster and a control unit, contradict each other."""
    spread = max(metres) - min(metres)
    return spread > SOURCES_DIFFER_METRES and spread * 1_000 > max(metres) * SOURCES_DIFFER_PER_MILLE


# --- slips of the pen ---------------------------------------------------------------------------------------
def _slips(digits: str) -> Iterator[tuple[str, str]]:
    """(slip, intended number) for each way in which one slip of the pen makes `digits` of it."""
    for place in range(len(digits)):
        for digit in "0123456789":
            yield "replaced", digits[:place] + digit + digits[place + 1 :]
    for place in range(len(digits)):
        yield "added", digits[:place] + digits[place + 1 :]
    for place in range(len(digits) + 1):
        for digit in "0123456789":
            yield "lost", digits[:place] + digit + digits[place:]
    for place in range(len(digits) - 1):
        yield "swapped", digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]


def digit_slip(metres: int, unit: str, least: int, most: int) -> str:
    """The slip of the pen that would explain `metres`, read in `unit`, where a reading from `least` to `most` metres
    was meant: a digit `replaced`, `added`, `lost`, two `swapped`, or the other `unit`; empty for none. It is a hint and
    decides nothing: a fraud can choose a fall that looks like one digit."""
    value = -(-metres * 1_000 // MILLIMETRES[unit])
    for slip, meant in _slips(str(value)):
        if meant and int(meant) <= ODOMETER_MAX and least <= to_metres(int(meant), unit) <= most:
            return slip
    return next(("unit" for other in UNITS if other != unit and least <= to_metres(value, other) <= most), "")
