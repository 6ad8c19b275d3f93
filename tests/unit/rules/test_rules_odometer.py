"""Units and distance limits."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.limits import ODOMETER_MAX
from node.rules.odometer import DISTANCE_LIMITS_METRES, MILLIMETRES, UNITS, WINDOWS_MS, to_metres


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
