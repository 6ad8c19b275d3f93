"""Great circles in integers, and when one car can't have been at two places."""

from __future__ import annotations

import math
from random import Random

import pytest

from node.limits import DAY_MS
from node.txtypes.vehicle.places import NEAR_METRES, SINES, Seen, has_parallel_life, way_metres

BERLIN = Seen(0, 52_520_000, 13_405_000, None)
MUNICH = Seen(0, 48_137_000, 11_575_000, None)
SHANGHAI = Seen(0, 31_230_000, 121_474_000, None)


def test_the_table() -> None:
    assert [round(math.sin(math.radians(degree)) * 10**6) for degree in range(91)] == list(SINES)


def great_circle(a: Seen, b: Seen) -> float:
    """Haversine, in floating point."""
    p, q = math.radians(a.latitude_e6 / 1e6), math.radians(b.latitude_e6 / 1e6)
    across = math.radians((b.longitude_e6 - a.longitude_e6) / 1e6)
    half = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(across / 2) ** 2
    return 2 * 6_371_000 * math.asin(min(1.0, math.sqrt(half)))


def test_ways_of_any_two_places() -> None:
    chance = Random(7)
    for _ in range(2_000):
        a, b = (Seen(0, chance.randint(-90 * 10**6, 90 * 10**6), chance.randint(-180 * 10**6, 180 * 10**6), None)
                for _ in range(2))  # fmt: skip
        exact = great_circle(a, b)
        error = abs(way_metres(a, b) - exact)
        near_antipodes = exact > 19_000_000
        assert error <= (100_000 if near_antipodes else 1_000 + exact / 1_000), (a, b, exact)


@pytest.mark.parametrize("place", [BERLIN, Seen(0, 90_000_000, 0, None), Seen(0, -90_000_000, 180_000_000, None)])
def test_no_way(place: Seen) -> None:
    assert 0 == way_metres(place, place)


def test_berlin_to_munich() -> None:
    assert abs(way_metres(BERLIN, MUNICH) - 504_000) < 2_000


def life(*steps: tuple[Seen, float, int | None]) -> bool:
    return has_parallel_life([place._replace(at_ms=int(days * DAY_MS), metres=metres) for place, days, metres in steps])


def test_the_way_must_fit_into_the_time() -> None:
    assert life((BERLIN, 1, None), (SHANGHAI, 1, None))
    assert life((SHANGHAI, 1, None), (BERLIN, 7, None)), "8,405 km, and 200 + 7,500"
    assert not life((SHANGHAI, 1, None), (BERLIN, 8, None))
    assert not life((BERLIN, 1, None), (MUNICH, 1, None)), "504 km, and 200 + 1,500"
    assert not life((BERLIN, 1, None))
    assert not life()


def test_only_neighbours_in_time_are_compared() -> None:
    assert not life((BERLIN, 1, None), (SHANGHAI, 30, None), (BERLIN, 60, None))
    assert life((BERLIN, 1, None), (BERLIN, 60, None), (SHANGHAI, 1.5, None))


def test_two_trips_that_were_longer_than_what_the_odometer_says() -> None:
    assert life((BERLIN, 1, 10_000_000), (MUNICH, 3, 10_100_000), (BERLIN, 5, 10_200_000))
    assert not life((BERLIN, 1, 10_000_000), (MUNICH, 3, 10_100_000)), "once, it was on a truck"
    assert not life((BERLIN, 1, 10_000_000), (MUNICH, 3, 10_600_000), (BERLIN, 5, 10_700_000))
    assert not life((BERLIN, 1, 10_000_000), (MUNICH, 3, 10_100_000), (BERLIN, 40, 10_200_000)), "not within 30 days"
    near = BERLIN._replace(latitude_e6=BERLIN.latitude_e6 + 100_000)
    assert way_metres(BERLIN, near) < NEAR_METRES
    assert not life((BERLIN, 1, 5_000), (near, 2, 5_000), (BERLIN, 3, 5_000)), "short ways say nothing"
