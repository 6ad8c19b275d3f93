"""Units, tolerances, distance limits, and slips of the pen."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.limits import DAY_MS, ODOMETER_MAX
from node.rules.odometer import (
    DISTANCE_LIMITS_METRES,
    MILLIMETRES,
    SOURCE_CODES,
    SOURCES,
    UNITS,
    WINDOWS_MS,
    digit_slip,
    limit_metres,
    sources_differ,
    to_metres,
    tolerance_metres,
)

KM = 1_000
HOUR_MS = 3_600_000


def test_kilometres_and_miles() -> None:
    assert to_metres(12_000, "km") == 12_000_000
    assert to_metres(1, "mi") == 1_609
    assert to_metres(1_000, "mi") == 1_609_344
    assert to_metres(0, "mi") == 0


@given(st.integers(0, ODOMETER_MAX))
def test_miles_are_floored_exactly(value: int) -> None:
    assert value * Fraction("1609.344") // 1 == to_metres(value, "mi")


def test_an_unknown_unit_is_no_unit() -> None:
    assert set(UNITS) == set(MILLIMETRES)
    with pytest.raises(KeyError):
        to_metres(1, "KM")


def test_limits_grow_with_their_windows_and_allow_ever_less_a_day() -> None:
    assert list(WINDOWS_MS) == list(DISTANCE_LIMITS_METRES)
    lengths, limits = list(WINDOWS_MS.values()), list(DISTANCE_LIMITS_METRES.values())
    assert lengths == sorted(lengths)
    assert limits == sorted(limits)
    speeds = [Fraction(limit, length) for limit, length in zip(limits, lengths, strict=True)]
    assert speeds == sorted(speeds, reverse=True)


def test_the_tolerance_is_wide_within_a_day_and_a_half() -> None:
    assert [503_220, 503_220, 13_220, 13_220] == [
        tolerance_metres(elapsed) for elapsed in (0, 36 * HOUR_MS, 36 * HOUR_MS + 1, 900 * DAY_MS)
    ]


@pytest.mark.parametrize(
    ("elapsed_ms", "kilometres"),
    [
        (0, 2_500), (1, 2_500), (DAY_MS, 2_500), (DAY_MS + 1, 5_000), (4 * DAY_MS, 10_000), (5 * DAY_MS, 12_000),
        (7 * DAY_MS, 12_000), (8 * DAY_MS, 20_000), (14 * DAY_MS, 24_000), (30 * DAY_MS, 35_000),
        (31 * DAY_MS, 60_000), (61 * DAY_MS, 90_000), (91 * DAY_MS, 90_000), (365 * DAY_MS, 300_000),
        (365 * DAY_MS + 1, 450_000), (730 * DAY_MS, 600_000),
    ],
)  # fmt: skip
def test_the_limit_is_the_least_that_any_window_allows(elapsed_ms: int, kilometres: int) -> None:
    assert kilometres * KM == limit_metres(elapsed_ms)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_more_time_never_allows_less(elapsed_ms: int, more_ms: int) -> None:
    assert limit_metres(elapsed_ms) <= limit_metres(elapsed_ms + more_ms)


def test_small_spreads_between_sources_say_nothing() -> None:
    assert [False, False, False, True, True] == [
        sources_differ(metres)
        for metres in (
            [100_000 * KM],
            [10_000 * KM, 9_000 * KM],  # 1,000 km
            [60_000 * KM, 58_900 * KM, 60_000 * KM],  # 1,100 km, below two per cent
            [50_000 * KM, 48_999 * KM],
            [200_000 * KM, 150_000 * KM, 200_000 * KM, 200_000 * KM],
        )
    ]


@pytest.mark.parametrize(
    ("value", "unit", "least", "most", "slip"),
    [
        (920_000, "km", 119_000, 121_000, "replaced"), (1_200_000, "km", 119_000, 121_000, "added"),
        (12_000, "km", 119_500, 120_500, "lost"), (1_200_002, "km", 120_001, 120_003, "added"),
        (210_000, "km", 119_500, 120_500, "swapped"), (74_565, "km", 119_990, 120_010, "unit"),
        (193_121, "mi", 193_000, 193_200, "unit"), (120_000, "mi", 35_000, 36_000, ""),
        (555_555, "km", 119_500, 120_500, ""), (0, "km", 119_500, 120_500, ""),
        (9_999_999, "km", 10_000_000, 99_999_999, "unit"), (9_999_999, "km", 17_000_000, 99_999_999, ""),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen(value: int, unit: str, least: int, most: int, slip: str) -> None:
    assert slip == digit_slip(to_metres(value, unit), unit, least * KM, most * KM)


@given(st.integers(0, ODOMETER_MAX), st.integers(0, 6), st.sampled_from("123456789"), st.sampled_from(UNITS))
def test_one_wrong_digit_is_always_found(value: int, place: int, digit: str, unit: str) -> None:
    digits = str(value)
    place = min(place, len(digits) - 1)
    wrong = int(digits[:place] + digit + digits[place + 1 :])
    right = to_metres(value, unit)
    assert "replaced" == digit_slip(to_metres(wrong, unit), unit, right, right)


def test_codes_of_sources_are_the_states() -> None:
    assert set(SOURCES) < set(SOURCE_CODES)
    assert list(range(len(SOURCE_CODES))) == list(SOURCE_CODES.values())
