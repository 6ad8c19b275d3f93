"""The odometer verdict: from the readings in event time, whatever order they came in."""

from __future__ import annotations

from functools import partial
from random import Random
from time import process_time
from timeit import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.chain import address
from support.life import VIN, Life, accident, km, read, register
from support.stages import at, ledger_of

from node import limits
from node.rules.odometer import DAY_MS, DISTANCE_LIMITS_METRES, judge
from node.txtypes.vehicle.readings import ODOMETER, Reading, add_reading
from node.txtypes.vehicle.vehicle import VEHICLE

KM = 1_000


def series(*points: tuple[int, int], declared: tuple[int, ...] = ()) -> tuple[Reading, ...]:
    """Readings from (day, metres); sequences count from 0."""
    return tuple(Reading(day * DAY_MS, metres, n, n in declared) for n, (day, metres) in enumerate(points))


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ((), ("NO_VERDICT", ("too_few",), -1, ())),
        (((0, 0),), ("NO_VERDICT", ("too_few",), -1, ())),
        (((0, 0), (10, 100 * KM)), ("LOGICAL", (), -1, ())),
        (((0, 100 * KM), (10, 100 * KM)), ("LOGICAL", (), -1, ())),
        # the tolerance of one kilometre, below the highest before
        (((0, 100 * KM), (10, 99 * KM)), ("LOGICAL", (), -1, ())),
        (((0, 100 * KM), (10, 99 * KM - 1)), ("ILLOGICAL", ("decreasing",), -1, ())),
        (((0, 100 * KM), (1, 99 * KM), (2, 98 * KM)), ("ILLOGICAL", ("decreasing", "one_reading"), 0, ())),
        # one typing error: the reading without which the others rise
        (
            ((0, 10 * KM), (1, 900 * KM), (2, 20 * KM), (3, 30 * KM)),
            ("ILLOGICAL", ("decreasing", "one_reading"), 1, ()),
        ),
        (((0, 10 * KM), (1, 20 * KM), (2, 2 * KM), (3, 30 * KM)), ("ILLOGICAL", ("decreasing", "one_reading"), 2, ())),
        # two that contradict
        (((0, 90 * KM), (1, 50 * KM), (2, 80 * KM), (3, 40 * KM)), ("ILLOGICAL", ("decreasing",), -1, ())),
        # a million kilometres in a day is an outlier, and refuses nothing
        (((0, 0), (1, 1_000_000 * KM)), ("LOGICAL", ("outliers",), -1, (1,))),
        # the same moment, told by two: the lower counts first
        (((5, 20 * KM), (5, 10 * KM)), ("LOGICAL", (), -1, ())),
    ],
)
def test_verdicts(points, expected) -> None:
    assert expected == judge(series(*points))


@pytest.mark.parametrize(
    ("elapsed_ms", "limit"),
    [
        (DAY_MS, DISTANCE_LIMITS_METRES["day"]),
        (DAY_MS + 1, DISTANCE_LIMITS_METRES["week"]),
        (7 * DAY_MS, DISTANCE_LIMITS_METRES["week"]),
        (7 * DAY_MS + 1, DISTANCE_LIMITS_METRES["month"]),
        (30 * DAY_MS + 1, DISTANCE_LIMITS_METRES["quarter"]),
        (91 * DAY_MS + 1, DISTANCE_LIMITS_METRES["year"]),
        (365 * DAY_MS, DISTANCE_LIMITS_METRES["year"]),
        (365 * DAY_MS + 1, 2 * DISTANCE_LIMITS_METRES["year"]),
        (730 * DAY_MS, 2 * DISTANCE_LIMITS_METRES["year"]),
        (730 * DAY_MS + 1, 3 * DISTANCE_LIMITS_METRES["year"]),
        (0, DISTANCE_LIMITS_METRES["day"]),
    ],
)
def test_more_than_a_car_can_cover_is_an_outlier(elapsed_ms: int, limit: int) -> None:
    for distance, outliers in ((limit, ()), (limit + 1, (1,))):
        readings = (Reading(5, 7, 0, False), Reading(5 + elapsed_ms, 7 + distance, 1, False))
        assert outliers == judge(readings)[3]


def test_declared_readings_never_count_against_others() -> None:
    assert ("LOGICAL", (), -1, ()) == judge(series((0, 10 * KM), (1, 5_000 * KM), (2, 20 * KM), declared=(1,)))
    assert ("NO_VERDICT", ("too_few",), -1, ()) == judge(series((0, 10 * KM), (1, 5 * KM), declared=(1,)))


@pytest.mark.parametrize(("count", "verdict"), [(255, "LOGICAL"), (256, "NO_VERDICT")])
def test_a_working_set_that_is_full_gives_no_verdict(count: int, verdict: str) -> None:
    found = judge(series(*((day, day * KM) for day in range(count))))
    assert verdict == found[0]
    assert (("limit",) if verdict == "NO_VERDICT" else ()) == found[1]


@pytest.mark.parametrize("count", [255, 256, 257, 1_000])
def test_padding_never_lifts_a_contradiction(count: int) -> None:
    rolled_back = series((0, 90 * KM), (1, 50 * KM), *((day, (50 + day) * KM) for day in range(2, count)))
    verdict, reasons, _, _ = judge(rolled_back)
    assert "ILLOGICAL" == verdict
    assert ("limit" in reasons) == (count >= limits.READINGS_MAX)


def test_at_the_limit_no_reading_is_called_a_typing_error() -> None:
    """What would contradict the others as well may have been left out."""
    points = [(day, day * KM) for day in range(limits.READINGS_MAX - 1)]
    assert ("ILLOGICAL", ("decreasing", "one_reading"), 100, ()) == judge(
        series(*points[:100], (100, 0), *points[101:])
    )
    assert ("ILLOGICAL", ("decreasing", "limit"), -1, ()) == judge(series(*points, (300, 0)))


def test_what_was_illogical_stays_so() -> None:
    rising = series(*((day, day * KM) for day in range(limits.READINGS_MAX)))
    assert ("NO_VERDICT", ("limit",), -1, ()) == judge(rising)
    assert ("ILLOGICAL", ("decreasing", "limit"), -1, ()) == judge(rising, was_illogical=True)


def test_outliers_are_told_at_the_limit_too() -> None:
    points = [(day, day * KM) for day in range(limits.READINGS_MAX - 1)]
    last = (limits.READINGS_MAX, 5_000_000 * KM)
    assert ("NO_VERDICT", ("limit", "outliers"), -1, (limits.READINGS_MAX - 1,)) == judge(series(*points, last))


def test_declared_readings_do_not_fill_the_working_set() -> None:
    points = [(day, day * KM) for day in range(300)]
    declared = tuple(range(2, 300))
    assert ("LOGICAL", (), -1, ()) == judge(series(*points, declared=declared))


NEAR = st.lists(st.sampled_from((-5_000, -1_001, -1_000, -1, 0, 0, 0, 999, 1_000, 1_001, 9_000)), max_size=9)


@given(NEAR, st.booleans())
def test_a_likely_error_is_the_first_without_which_the_others_rise(offs: list[int], was_illogical: bool) -> None:
    readings = series(*((day, max(0, 2_000 * day + off)) for day, off in enumerate(offs)))
    verdict, _, likely_error, _ = judge(readings, was_illogical=was_illogical)
    if verdict != "ILLOGICAL":
        return
    without = [judge(readings[:i] + readings[i + 1 :])[0] != "ILLOGICAL" for i in range(len(readings))]
    expected = without.index(True) if len(readings) > 2 and True in without else -1
    assert expected == likely_error


def test_a_long_series_with_two_errors_is_judged_in_the_time_of_one_without() -> None:
    """A block may hold two thousand of such readings."""
    rising = series(*((day, day * KM) for day in range(limits.READINGS_MAX - 1)))
    wrong = series(*((day, day * KM) for day in range(limits.READINGS_MAX - 3)), (300, 0), (301, 0))
    times = {}
    for readings in (rising, wrong):
        times[readings] = min(repeat(partial(judge, readings), number=5, repeat=9, timer=process_time))
    assert ("ILLOGICAL", ("decreasing",)) == judge(wrong)[:2]
    assert times[wrong] < 5 * times[rising]  # each reading left out for itself: 20 times


POINTS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50_000)), max_size=12)


@given(POINTS, st.randoms(use_true_random=False), st.sets(st.integers(0, 11)))
def test_the_order_of_arrival_never_matters(points, random, declared) -> None:
    readings = [Reading(day * DAY_MS, metres, n, n in declared) for n, (day, metres) in enumerate(points)]
    shuffled = list(readings)
    random.shuffle(shuffled)
    assert judge(tuple(readings)) == judge(tuple(shuffled))


@given(POINTS)
def test_a_verdict_is_what_its_words_say(points) -> None:
    verdict, reasons, likely_error, outliers = judge(series(*points))
    ordered = sorted((day, metres) for day, metres in points)
    drops = any(b[1] < a[1] - KM for i, a in enumerate(ordered) for b in ordered[i + 1 :])
    expected = "NO_VERDICT" if len(points) < 2 else "ILLOGICAL" if drops else "LOGICAL"
    assert expected == verdict
    assert ("one_reading" in reasons) == (likely_error >= 0)
    assert all(0 <= outlier < len(points) for outlier in outliers)
    if likely_error >= 0:
        rest = tuple(r for r in series(*points) if r.sequence != likely_error)
        assert judge(rest)[0] in ("LOGICAL", "NO_VERDICT")


@given(POINTS.filter(lambda points: len(points) > 2))
def test_only_a_single_wrong_reading_is_called_a_typing_error(points) -> None:
    readings = series(*points)
    verdict, _, likely_error, _ = judge(readings)
    mends = [r.sequence for r in readings if judge(tuple(x for x in readings if x is not r))[0] == "LOGICAL"]
    if verdict == "ILLOGICAL":
        assert (likely_error in mends) if mends else likely_error == -1


# --- on the chain -------------------------------------------------------------------------------------
def read(life: Life, value: int, by: str = "workshop-berlin", at_ms: int | None = None) -> None:
    life.chain.do(by, read(VIN, km(value), life.chain.now if at_ms is None else at_ms, "reading"))


def test_the_vehicle_carries_the_verdict_and_counts_its_changes() -> None:
    life = at("born")
    chain = life.chain
    seen = []
    for value in (100, 200, 50, 60):
        read(life, value)
        found = chain.state(VEHICLE, VIN)
        seen.append((found.verdict, found.material_changes))
    # growing from nothing into LOGICAL is no change that a buyer must acknowledge
    assert [("NO_VERDICT", 0), ("LOGICAL", 0), ("ILLOGICAL", 1), ("ILLOGICAL", 1)] == seen


def test_a_contradiction_is_a_change_even_where_there_was_no_verdict_before() -> None:
    life = at("born")
    seen = []
    for value in (100, 50):
        read(life, value)
        found = life.chain.state(VEHICLE, VIN)
        seen.append((found.verdict, found.material_changes))
    assert [("NO_VERDICT", 0), ("ILLOGICAL", 1)] == seen


def test_a_late_reading_takes_its_place_in_event_time() -> None:
    life = at("born")
    born = life.chain.state(VEHICLE, VIN).born_at_ms
    read(life, 100, at_ms=born + DAY_MS)
    read(life, 300, at_ms=born + 3 * DAY_MS)
    read(life, 200, at_ms=born + 2 * DAY_MS)
    found = life.chain.state(ODOMETER, VIN)
    assert "LOGICAL" == found.verdict
    assert born + 3 * DAY_MS == found.newest_event_ms
    assert [1, 2, 3] == [r.sequence for r in found.readings]
    read(life, 50, at_ms=born + 2 * DAY_MS + 1)
    found = life.chain.state(ODOMETER, VIN)
    assert ("ILLOGICAL", 4) == (found.verdict, found.likely_error)


def test_a_mile_is_1609_metres() -> None:
    life = at("born")
    life.chain.do("bmw", register("WBA8E9G50GNU12346", odometer_unit="mi"))
    life.chain.do("bmw", read("WBA8E9G50GNU12346", km(1_000, "mi"), life.chain.now, "reading"))
    assert [1_609_344] == [r.metres for r in life.chain.state(ODOMETER, "WBA8E9G50GNU12346").readings]


def test_a_self_reported_reading_changes_no_verdict() -> None:
    life = at("handed_over")
    read(life, 400)
    verdict = life.chain.state(VEHICLE, VIN).verdict
    life.chain.do("buyer-1", accident(life.chain, 1))
    assert "LOGICAL" == verdict == life.chain.state(VEHICLE, VIN).verdict


class Readings:
    """Readings added one after the other to the working set of one car, without blocks between."""

    def __init__(self) -> None:
        life = at("born")
        self.ledger = ledger_of(life.chain, address("workshop-berlin"))
        self.vehicle = life.chain.state(VEHICLE, VIN)
        self.born = self.vehicle.born_at_ms

    def add(self, kilometres: int, at: int, is_declared: bool = False) -> str:
        """`at` in minutes after birth; the verdict."""
        event = self.born + at * 60_000
        vehicle = add_reading(self.ledger, VIN, self.vehicle, km(kilometres), event, is_declared=is_declared)
        self.vehicle = replace(vehicle, record_count=vehicle.record_count + 1)
        assert len(self.known.readings) <= limits.READINGS_MAX
        assert self.known.verdict == self.vehicle.verdict
        return self.vehicle.verdict

    @property
    def known(self):
        return self.ledger.get(ODOMETER, VIN)

    def kilometres(self) -> set[int]:
        return {reading.metres // 1_000 for reading in self.known.readings}


def test_a_reading_beyond_the_limit_counts_and_its_contradiction_outlives_it() -> None:
    car = Readings()
    for n in range(limits.READINGS_MAX):
        car.add(10 * n, 10 * n)
    assert "NO_VERDICT" == car.known.verdict
    # two kilometres less than the reading just before it, of which one is left out at once
    assert "ILLOGICAL" == car.add(998, 1_001)
    assert {1_000, 998} & car.kilometres() == {998}
    assert "NO_VERDICT" == judge(car.known.readings)[0]
    assert 2 == car.vehicle.material_changes
    for n in range(300):
        assert "ILLOGICAL" == car.add(3_000 + n, 3_000 + n)
    assert ("decreasing", "limit") == car.known.reasons
    assert 2 == car.vehicle.material_changes


def test_padding_displaces_padding() -> None:
    """A car with 200,000 km on it, then 500 readings close to each other: what it drove before is not forgotten."""
    car = Readings()
    for n in range(41):
        car.add(5_000 * n, 5_000 * n)
    for n in range(500):
        car.add(200_001 + n, 200_001 + n)
    assert {5_000 * n for n in range(40)} < car.kilometres()
    assert "NO_VERDICT" == car.known.verdict
    assert "ILLOGICAL" == car.add(4_990, 5_001)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_out_hides_no_more_than_a_hundredth_of_the_distance(seed: int) -> None:
    random = Random(seed)
    driven = sorted(random.sample(range(200_000), 700))
    car = Readings()
    for value in random.sample(driven, len(driven)):
        assert "ILLOGICAL" != car.add(value, value)
    kept, ledger = car.known, car.ledger
    for value in random.sample(driven[350:], 40):
        ledger.put(ODOMETER, VIN, kept)
        car.vehicle = replace(car.vehicle, verdict=kept.verdict)
        assert "ILLOGICAL" == car.add(value - 2_002, value + 1), value


def test_declared_readings_leave_first_and_never_displace_others() -> None:
    car = Readings()
    for n in range(limits.READINGS_MAX):
        car.add(n, n, is_declared=True)
    for n in range(100):
        car.add(1_000 + n, 1_000 + n)
    assert ("LOGICAL", ()) == (car.known.verdict, car.known.reasons)
    assert limits.READINGS_MAX == len(car.known.readings)
    assert set(range(100, limits.READINGS_MAX)) | set(range(1_000, 1_100)) == car.kilometres()
    for n in range(300):
        car.add(2_000, 2_000 + n)
    assert not any(reading.is_declared for reading in car.known.readings)
    kept = car.known.readings
    car.add(5, 5, is_declared=True)
    assert kept == car.known.readings


def test_the_working_set_stops_growing_at_its_limit() -> None:
    life = at("born")
    count = 0
    while count < limits.READINGS_MAX + 1:
        life.chain.now += DAY_MS
        bodies = [read(VIN, km(100 + count + n), life.chain.now, "reading") for n in range(4)]
        life.chain.produce(
            *(
                life.chain.sign(by, body)
                for by in ("bmw", "workshop-berlin", "police-1", "insurer-1")
                for body in bodies
            )
        )
        count += 16
    known = life.chain.state(ODOMETER, VIN)
    assert (limits.READINGS_MAX, "NO_VERDICT", ("limit",)) == (len(known.readings), known.verdict, known.reasons)
    assert count + 1 == life.chain.state(VEHICLE, VIN).record_count
