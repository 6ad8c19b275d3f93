"""The schedule of a load, and the percentiles of what it measures."""

from __future__ import annotations

import pytest

from node.load.pace import LATE_MAX_S, Pace
from node.load.percentiles import Percentiles, percentile


def taken(pace: Pace) -> list[tuple[float, int]]:
    """(due, places) of all requests that are left, each taken when it is due."""
    found = []
    while pace.size:
        found.append((pace.due_s, pace.take()))
    return found


def test_requests_are_due_at_even_distances() -> None:
    pace = Pace(4, 5)
    assert taken(pace) == [(0, 1), (0.25, 1), (0.5, 1), (0.75, 1), (1, 1)]
    assert (pace.passed, pace.missed) == (5, 0)


def test_a_batch_is_due_with_its_last_transaction() -> None:
    assert taken(Pace(10, 25, at_once=10)) == [(0.9, 10), (1.9, 10), (2.4, 5)]


def test_a_late_answer_moves_no_later_request() -> None:
    """The loop is open: when a request is due depends on the rate alone."""
    pace = Pace(2, 4)
    pace.take()
    pace.skip_late(0.5 + LATE_MAX_S)
    assert (pace.due_s, pace.missed) == (0.5, 0), "late, and not too late"
    assert taken(pace) == [(0.5, 1), (1, 1), (1.5, 1)]


def test_what_is_too_late_is_missed_and_not_made_up_for() -> None:
    pace = Pace(2, 6)
    pace.skip_late(1.1 + LATE_MAX_S)
    assert (pace.missed, pace.due_s) == (3, 1.5)
    assert sum(size for _, size in taken(pace)) == 3


def test_a_late_batch_is_missed_as_a_whole() -> None:
    pace = Pace(10, 25, at_once=10)
    pace.skip_late(1.0 + LATE_MAX_S)
    assert (pace.missed, pace.size) == (10, 10)
    pace.skip_late(100)
    assert (pace.missed, pace.size) == (25, 0)


# --- percentiles --------------------------------------------------------------------------------------------
def test_a_percentile_is_a_measured_value() -> None:
    values = list(range(1, 101))
    assert Percentiles.of(values[::-1]) == Percentiles(50, 90, 99, 100)
    assert Percentiles.of([7]) == Percentiles(7, 7, 7, 7)
    assert Percentiles.of([1, 2]) == Percentiles(1, 2, 2, 2)


def test_of_nothing_there_are_none() -> None:
    assert Percentiles.of([]) is None
    with pytest.raises(AssertionError):
        percentile([], 0.5)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 100, 101])
def test_enough_values_do_not_exceed_it_and_it_is_the_smallest_such(share: float, count: int) -> None:
    values = [float(n * n) for n in range(count)]
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * count - 1e-9
    assert found in values and all(sum(v <= lower for v in values) < share * count for lower in values if lower < found)


def test_json_is_rounded() -> None:
    found = Percentiles.of([0.123, 9.99])
    assert found is not None
    assert found.to_json() == {"p50": 0.1, "p90": 10.0, "p99": 10.0, "max": 10.0}
