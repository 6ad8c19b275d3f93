"""Distances between the places where a car was seen, and whether one car can have been at all of them.

Only answers use it; no guard depends on it. All numbers are integers, so that every program computes the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isqrt
from typing import Final, NamedTuple

from node.limits import DAY_MS, HOUR_MS

ONE: Final = 1_000_000
"""Millionths: the unit of sines, and of the degrees of a place."""
SINES: Final = (
    0, 17452, 34899, 52336, 69756, 87156, 104528, 121869, 139173, 156434, 173648, 190809, 207912, 224951, 241922,
    258819, 275637, 292372, 309017, 325568, 342020, 358368, 374607, 390731, 406737, 422618, 438371, 453990, 469472,
    484810, 500000, 515038, 529919, 544639, 559193, 573576, 587785, 601815, 615661, 629320, 642788, 656059, 669131,
    681998, 694658, 707107, 719340, 731354, 743145, 754710, 766044, 777146, 788011, 798636, 809017, 819152, 829038,
    838671, 848048, 857167, 866025, 874620, 882948, 891007, 898794, 906308, 913545, 920505, 927184, 933580, 939693,
    945519, 951057, 956305, 961262, 965926, 970296, 974370, 978148, 981627, 984808, 987688, 990268, 992546, 994522,
    996195, 997564, 998630, 999391, 999848, 1000000,
)  # fmt: skip
"""Sines of 0 to 90 degrees, in millionths."""
EARTH_METRES_PER_DEGREE: Final = 111_195
"""Metres per degree of a great circle, with the mean radius of 6,371 km (IUGG)."""
NEAR_METRES: Final = 200_000
METRES_PER_DAY: Final = 1_000_000
SLACK_MS: Final = 36 * HOUR_MS
"""A car may be 200 km away at any time, and further by 1,000 km a day; times of records may be off by 36 hours."""
TRIPS_WITHIN_MS: Final = 30 * DAY_MS


class Seen(NamedTuple):
    """A car at a place, in millionths of a degree, with its odometer where that was read."""

    at_ms: int
    latitude_e6: int
    longitude_e6: int
    metres: int | None


def _sine(angle_e6: int) -> int:
    """Sine in millionths of an angle in millionths of a degree."""
    turned = angle_e6 % (360 * ONE)
    sign = 1 if turned < 180 * ONE else -1
    turned %= 180 * ONE
    degree, part = divmod(min(turned, 180 * ONE - turned), ONE)
    return sign * (SINES[degree] + ((SINES[degree + 1] - SINES[degree]) * part // ONE if part else 0))


def _vector(place: Seen) -> tuple[int, int, int]:
    cosine = _sine(place.latitude_e6 + 90 * ONE)
    return (
        cosine * _sine(place.longitude_e6 + 90 * ONE) // ONE,
        cosine * _sine(place.longitude_e6) // ONE,
        _sine(place.latitude_e6),
    )


def way_metres(a: Seen, b: Seen) -> int:
    """The great-circle distance between two places in metres, exact to about 1 km and one part in a thousand. The chord
    between them on the sphere is twice the sine of half the angle."""
    half_chord = min(isqrt(sum((x - y) ** 2 for x, y in zip(_vector(a), _vector(b), strict=True))) // 2, ONE)
    degree = min(bisect_right(SINES, half_chord) - 1, 89)
    low, high = SINES[degree], SINES[degree + 1]
    return 2 * (degree * ONE + (half_chord - low) * ONE // (high - low)) * EARTH_METRES_PER_DEGREE // ONE


def has_parallel_life(seen: Sequence[Seen]) -> bool:
    """Whether two cars seem to have one VIN: two successive places are further apart than a car can be moved in the
    time, or on two trips of more than 200 km within 30 days the odometer shows less than the distance."""
    ordered = sorted(seen, key=lambda place: place.at_ms)
    short_trips: list[int] = []
    for a, b in zip(ordered, ordered[1:], strict=False):
        way, time_ms = way_metres(a, b), b.at_ms - a.at_ms
        if way > NEAR_METRES + METRES_PER_DAY * (time_ms + SLACK_MS) // DAY_MS:
            return True
        if a.metres is not None and b.metres is not None and b.metres - a.metres < way > NEAR_METRES:
            short_trips.append(b.at_ms)
    return any(b - a <= TRIPS_WITHIN_MS for a, b in zip(short_trips, short_trips[1:], strict=False))
