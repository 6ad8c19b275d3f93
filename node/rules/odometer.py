"""Odometers: units, contexts, and how far a car can plausibly be driven."""

from __future__ import annotations

from typing import Final, Literal, get_args

from node.limits import DAY_MS

WINDOWS_MS: Final[dict[str, int]] = {
    "day": DAY_MS,
    "week": 7 * DAY_MS,
    "month": 30 * DAY_MS,
    "quarter": 91 * DAY_MS,
    "year": 365 * DAY_MS,
}
"""Lengths of the windows of `DISTANCE_LIMITS_METRES`."""

DISTANCE_LIMITS_METRES: Final[dict[str, int]] = {
    "day": 2_500_000,
    "week": 12_000_000,
    "month": 35_000_000,
    "quarter": 90_000_000,
    "year": 300_000_000,
}
"""The most that is plausible within a window: about 105 km/h round the clock for a day, drivers in shifts for a week,
a taxi in three shifts for a year. More marks an outlier, it never refuses a reading."""

TOLERANCE_METRES: Final = 1_000
"""A reading may be this much lower than an earlier one: rounding, and a drive round the yard."""

Source = Literal["cluster", "body_computer", "telematics", "visual"]
SOURCES: Final[tuple[str, ...]] = get_args(Source)
"""Where a reading comes from."""

Context = Literal["reading", "inspection", "sale", "transfer", "telematics"]
CONTEXTS: Final[tuple[str, ...]] = get_args(Context)
"""On what occasion a reading of its own was taken. One inside another record needs none: its record says it."""

Verdict = Literal["LOGICAL", "ILLOGICAL", "NO_VERDICT"]

Unit = Literal["km", "mi"]
UNITS: Final[tuple[str, ...]] = get_args(Unit)

MILLIMETRES: Final[dict[str, int]] = {"km": 1_000_000, "mi": 1_609_344}
"""Exact: the international mile of 1959 is 1,609.344 m."""


def to_metres(value: int, unit: str) -> int:
    """Whole metres, rounded down. Unknown units raise KeyError."""
    return value * MILLIMETRES[unit] // 1_000
