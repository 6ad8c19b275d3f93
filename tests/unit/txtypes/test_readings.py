"""The working set of readings: its bounds, its counts, and what changes it besides one more reading."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from support.hostile.checks import BYTES_MAX
from support.odometer.series import BORN_MS, ENGINE, KM, Fact, address

from node import limits
from node.codec import Decoder, encode
from node.limits import DAY_MS, TIME_MAX_MS
from node.rules.odometer import BACKFILLED, COUNTED, DECLARED, EXCLUDED, SUPERSEDED
from node.rules.verdict import NAMED_MAX, OUTLIERS_MAX, PINNED_MAX, REASONS
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle import readings
from node.txtypes.vehicle.activity import PERIOD_DAYS, Activity
from node.txtypes.vehicle.instruments import replacement_offset, rollover_offset, with_segment, without_segment
from node.txtypes.vehicle.readings import (
    NO_READINGS,
    Author,
    Explanation,
    NewReading,
    Pair,
    Reading,
    Readings,
    Segment,
    activity_of,
    group_key,
    may_amend_alone,
    newest_counted,
    reading_of,
    with_reading,
    with_silent_record,
    with_state,
    without_authors,
)
from node.txtypes.vehicle.series import coverage, digit_slip

RULES = RULESETS[1]


def day(number: int) -> int:
    return BORN_MS + number * DAY_MS


def leaf_of(*points: tuple[Any, ...]) -> Readings:
    """From (day, kilometres, author, changes); sequences count from 0, readings are included at once."""
    facts = [
        Fact(day(at), km * KM, n, author, day(at))._replace(**(changes[0] if changes else {}))
        for n, (at, km, author, *changes) in enumerate(points)
    ]
    found: Readings = ENGINE.leaf(facts)
    return found


def added(
    leaf: Readings, sequence: int, author: bytes = b"a" * 20, group: str = "", at: int = 0, **more: Any
) -> Readings:
    new = NewReading(**dict(event_at_ms=day(at), metres=10_000 * KM, sequence=sequence) | more)
    return with_reading(leaf, new, author, group, day(at), RULES)


def kilometres(leaf: Readings) -> list[int]:
    return [reading.metres // KM for reading in leaf.readings]


# --- bounds ---------------------------------------------------------------------------------------------
def test_every_bound_reached_is_twelve_kibibytes() -> None:
    """The widest of every field that readings can have: no case that a car could reach is larger. An author has at most
    eight readings a day in fifteen days of a period."""
    assert limits.READINGS_PER_AUTHOR_AND_DAY_MAX * PERIOD_DAYS <= 127
    sequence, metres = 2**32 - 1, 9_999_999 * 1_609_344 // 1_000
    reading = Reading(TIME_MAX_MS, metres, sequence, 63, 2, 5, 3, True, True, 2**32 - 1)
    names = (sequence,) * NAMED_MAX
    segment = Segment(sequence, TIME_MAX_MS, -metres, True, True, TIME_MAX_MS, b"a" * 20)
    full = Readings(
        (Author(b"a" * 20, b"g" * 8),) * limits.READING_AUTHORS_MAX,
        (reading,) * limits.READINGS_MAX,
        (segment,) * limits.ODOMETER_SEGMENTS_MAX,
        (Pair(sequence, sequence),) * PINNED_MAX,
        sequence, "NO_VERDICT", REASONS, (Explanation(names, names, True),) * 4, (sequence,) * OUTLIERS_MAX,
        sequence, sequence, TIME_MAX_MS, TIME_MAX_MS // DAY_MS,
        (Activity(63, 127, 127, 127, 127),) * limits.READING_AUTHORS_MAX,
    )  # fmt: skip
    assert len(encode(full)) <= BYTES_MAX["odometer"]
    assert full == Decoder(Readings, BYTES_MAX["odometer"], "readings")(encode(full))


def test_random_hostile_readings_stay_within_every_bound() -> None:
    random = Random(1)
    leaf = NO_READINGS
    for sequence in range(1_500):
        event = BORN_MS + random.randrange(900) * DAY_MS
        new = NewReading(
            event, random.randrange(10_000_000) * KM, sequence, random.choice((0, 0, 1, 2)), random.randrange(6),
            random.random() < 0.3, random.random() < 0.3,
        )  # fmt: skip
        author = random.randrange(200).to_bytes(20, "big")
        leaf = with_reading(leaf, new, author, random.choice(("", "g", "h")), event + random.randrange(2**35), RULES)
        assert len(leaf.readings) <= limits.READINGS_MAX and len(leaf.authors) <= limits.READING_AUTHORS_MAX
        assert len(leaf.pinned) <= PINNED_MAX and len(leaf.explanations) <= 4 and len(leaf.outliers) <= OUTLIERS_MAX
        assert {reading.author for reading in leaf.readings} <= set(range(len(leaf.authors)))
        assert {entry.author for entry in leaf.activity} <= set(range(len(leaf.authors)))
        assert list(leaf.readings) == sorted(leaf.readings, key=lambda r: (r.event_at_ms, r.metres, r.sequence))
        assert {s for pair in leaf.pinned for s in (pair.earlier, pair.later)} <= {r.sequence for r in leaf.readings}
    assert len(encode(leaf)) <= BYTES_MAX["odometer"]
    assert limits.READINGS_MAX == len(leaf.readings)


def test_readings_beyond_the_bound_have_no_verdict() -> None:
    leaf = leaf_of(*((n, 10 * n, n % 3) for n in range(limits.READINGS_MAX)))
    assert ("LOGICAL", (), 0) == (leaf.verdict, leaf.reasons, leaf.left_out)
    leaf = added(leaf, 900, at=300)
    assert ("NO_VERDICT", ("limit",), 1) == (leaf.verdict, leaf.reasons, leaf.left_out)
    assert limits.READINGS_MAX == len(leaf.readings)


def test_what_is_not_judged_leaves_first_and_displaces_nothing() -> None:
    leaf = leaf_of(*((n, n, n % 3) for n in range(limits.READINGS_MAX - 3)))
    leaf = added(leaf, 900, at=1, standing=DECLARED)
    leaf = added(leaf, 901, at=2, standing=DECLARED)
    leaf = with_state(leaf, 7, SUPERSEDED, RULES)
    leaf = added(added(leaf, 902, at=300), 903, at=301)
    assert (None, 0) == (reading_of(leaf, 900), leaf.left_out) and reading_of(leaf, 901) is not None
    leaf = added(leaf, 904, at=302)
    assert reading_of(leaf, 901) is None and reading_of(leaf, 7) is not None
    leaf = added(leaf, 905, at=303)
    assert (None, 0, "LOGICAL") == (reading_of(leaf, 7), leaf.left_out, leaf.verdict)
    assert leaf.readings == added(leaf, 906, at=5, standing=DECLARED).readings


def test_padding_displaces_padding() -> None:
    """A car with 200,000 km on it, then 500 readings close to each other: what it drove before is not forgotten."""
    leaf = leaf_of(*((30 * n, 5_000 * n, n % 3) for n in range(41)))
    for n in range(500):
        leaf = added(leaf, 100 + n, at=1_300 + n, metres=(200_001 + n) * KM)
    assert {5_000 * n for n in range(40)} < set(kilometres(leaf))
    assert "NO_VERDICT" == leaf.verdict
    assert "CONTESTED" == added(leaf, 900, at=33, metres=4_900 * KM).verdict


def test_a_fall_outlives_what_it_was_read_from() -> None:
    leaf = leaf_of(*((n, 1_000 * n, n % 3) for n in range(limits.READINGS_MAX)))
    leaf = added(leaf, 900, at=101, metres=99_000 * KM)
    assert ("CONTESTED", ("decreasing", "one_reading", "limit")) == (leaf.verdict, leaf.reasons)
    for n in range(300):
        leaf = added(leaf, 1_000 + n, at=400 + n, metres=(400_000 + n) * KM)
        assert "CONTESTED" == leaf.verdict
    assert {99_000, 100_000} < set(kilometres(leaf))


# --- authors --------------------------------------------------------------------------------------------
def crowd(readings: int = limits.READING_AUTHORS_MAX) -> Readings:
    leaf = NO_READINGS
    for n in range(readings):
        author = min(n, limits.READING_AUTHORS_MAX - 1).to_bytes(20, "big")
        leaf = added(leaf, n, author, at=n, metres=n * KM)
    return leaf


def test_the_author_with_the_fewest_readings_makes_room() -> None:
    leaf = added(added(crowd(), 100, (1).to_bytes(20, "big"), at=100), 101, (2).to_bytes(20, "big"), at=101)
    leaf = added(leaf, 102, at=102)
    assert limits.READING_AUTHORS_MAX == len(leaf.authors)
    # neither the first nor the second in time, nor those with two
    assert (3, b"a" * 20) == (
        next(n for n, a in enumerate(leaf.authors) if a.address == b"a" * 20), leaf.authors[3].address
    )  # fmt: skip
    assert (None, 1) == (reading_of(leaf, 3), leaf.left_out)
    assert ("NO_VERDICT", ("limit",)) == (leaf.verdict, leaf.reasons)


def test_a_declared_reading_displaces_no_author_of_a_judged_one() -> None:
    leaf = crowd()
    assert leaf == added(leaf, 100, at=100, standing=DECLARED)
    free = with_state(leaf, 9, EXCLUDED, RULES)
    found = added(free, 100, at=100, standing=DECLARED)
    assert (b"a" * 20, None, 0) == (found.authors[9].address, reading_of(found, 9), found.left_out)


def test_the_authors_of_one_group_are_one_party() -> None:
    leaf = added(added(NO_READINGS, 0, b"a" * 20, "nord"), 1, b"b" * 20, "nord", at=9)
    assert ("LOGICAL", ("one_author",)) == (leaf.verdict, leaf.reasons)
    assert () == added(leaf, 2, b"c" * 20, "", at=10).reasons
    assert () == added(leaf, 2, b"c" * 20, "süd", at=10).reasons
    assert 8 == len(group_key("nord")) and b"" == group_key("")


def test_an_author_is_of_the_group_that_it_declared_last() -> None:
    leaf = added(added(NO_READINGS, 0, b"a" * 20, "nord"), 1, b"b" * 20, "nord", at=9)
    leaf = added(leaf, 2, b"a" * 20, "west", at=10)
    assert [group_key("west"), group_key("nord")] == [author.group for author in leaf.authors]
    assert () == leaf.reasons


# --- counts ---------------------------------------------------------------------------------------------
def test_readings_are_counted_by_author_and_day() -> None:
    leaf = added(added(added(NO_READINGS, 0), 1), 2, b"b" * 20)
    assert [(2, 2), (1, 1), (0, 0)] == [activity_of(leaf, author * 20, day(0)) for author in (b"a", b"b", b"c")]
    assert (0, 2) == activity_of(leaf, b"a" * 20, day(1))
    leaf = added(leaf, 3, at=1)
    assert (1, 3) == activity_of(leaf, b"a" * 20, day(1))


def test_what_the_holder_signed_counts_on_its_day_alone() -> None:
    leaf = added(added(NO_READINGS, 0), 1, is_acknowledged=True)
    assert (2, 1) == activity_of(leaf, b"a" * 20, day(0))


def test_records_without_the_holder_are_counted_for_thirty_days_and_at_most_forty_five() -> None:
    for first in range(PERIOD_DAYS):
        leaf = added(NO_READINGS, 0, at=first)
        counts = [activity_of(leaf, b"a" * 20, day(first + later))[1] for later in range(60)]
        assert [1] * 31 == counts[:31] and 0 == counts[45]
        assert counts == sorted(counts, reverse=True)


def test_counts_go_on_over_periods_and_end() -> None:
    leaf = NO_READINGS
    for n in range(8):
        leaf = added(leaf, n, at=10 * n, metres=n * KM)
    assert activity_of(leaf, b"a" * 20, day(70))[1] in (4, 5)
    assert () == replace(added(leaf, 9, b"b" * 20, at=200), activity=()).activity
    assert 1 == len(added(leaf, 9, b"b" * 20, at=200).activity)


def test_a_record_without_a_reading_counts_and_changes_no_verdict() -> None:
    leaf = added(NO_READINGS, 0)
    silent = with_silent_record(with_silent_record(leaf, b"s" * 20, "nord", day(0)), b"a" * 20, "nord", day(0))
    assert [(1, 2), (0, 1)] == [activity_of(silent, author * 20, day(0)) for author in (b"a", b"s")]
    assert (leaf.readings, leaf.authors[0], leaf.day) == (silent.readings, silent.authors[0], silent.day)
    assert (0, 2) == activity_of(with_silent_record(leaf, b"a" * 20, "", day(1)), b"a" * 20, day(1))


def test_an_author_without_a_reading_displaces_none_that_has_one() -> None:
    leaf = NO_READINGS
    for n in range(limits.READING_AUTHORS_MAX):
        leaf = added(leaf, n, bytes([n + 1]) * 20, at=n, metres=n * KM)
    assert leaf == with_silent_record(leaf, b"s" * 20, "", day(99))


# --- states ---------------------------------------------------------------------------------------------
def test_a_superseded_reading_counts_no_more_and_is_a_correction() -> None:
    leaf = leaf_of((0, 10_000, 0), (10, 900_000, 1), (20, 11_000, 2))
    assert "CONTESTED" == leaf.verdict
    mended = with_state(leaf, 1, SUPERSEDED, RULES)
    assert ("LOGICAL", (), (), 1, day(20)) == (
        mended.verdict, mended.explanations, mended.pinned, mended.corrections, mended.newest_event_ms
    )  # fmt: skip
    assert (0, "CONTESTED") == (leaf.corrections, with_state(mended, 1, COUNTED, RULES).verdict)
    assert [10_000, 900_000, 11_000] == kilometres(mended)


def test_an_excluded_reading_refreshes_nothing() -> None:
    leaf = with_state(leaf_of((0, 10_000, 0), (10, 11_000, 1), (20, 12_000, 2)), 2, EXCLUDED, RULES)
    assert (day(10), 0) == (leaf.newest_event_ms, leaf.corrections)
    newest = newest_counted(leaf)
    assert newest is not None and 1 == newest.sequence
    assert (0, "NO_VERDICT") == (with_state(leaf_of((0, 1, 0)), 0, EXCLUDED, RULES).newest_event_ms, leaf_of().verdict)


def test_a_backfilled_reading_counted_again_is_backfilled() -> None:
    late = dict(included_at_ms=day(402))
    leaf = leaf_of((0, 10_000, 0), (1, 11_000, 1, late), (410, 12_000, 2))
    assert [COUNTED, BACKFILLED, COUNTED] == [reading.state for reading in leaf.readings]
    again = with_state(with_state(leaf, 1, EXCLUDED, RULES), 1, COUNTED, RULES)
    assert leaf == again
    assert COUNTED == leaf_of((0, 1, 0, dict(included_at_ms=day(400)))).readings[0].state


def test_a_reading_that_was_left_out_is_corrected_all_the_same() -> None:
    leaf = leaf_of((0, 10_000, 0), (10, 11_000, 1))
    found = with_state(leaf, 77, SUPERSEDED, RULES)
    assert replace(leaf, corrections=1) == found


# --- frauds ---------------------------------------------------------------------------------------------
def test_readings_of_a_fraud_count_no_more_since_then() -> None:
    leaf = leaf_of((0, 10_000, 0), (10, 90_000, 1), (20, 11_000, 2), (30, 99_000, 1))
    assert "CONTESTED" == leaf.verdict
    assert leaf is without_authors(leaf, {}, RULES) is without_authors(leaf, {address(9): 0}, RULES)
    assert leaf is without_authors(leaf, {address(1): day(31)}, RULES)
    found = without_authors(leaf, {address(1): day(10)}, RULES)
    assert ("LOGICAL", ("author_excluded",), day(20)) == (found.verdict, found.reasons, found.newest_event_ms)
    assert [COUNTED, EXCLUDED, COUNTED, EXCLUDED] == [reading.state for reading in found.readings]
    assert "author_excluded" in without_authors(leaf, {address(1): day(30)}, RULES).reasons


def test_a_fraud_that_told_later_of_an_earlier_event_is_one_too() -> None:
    leaf = leaf_of((0, 10_000, 0), (10, 90_000, 1, dict(included_at_ms=day(50))), (20, 91_000, 2))
    for since, counts in ((day(50) + 1_000, True), (day(50), False), (day(10), False)):
        assert counts == (leaf is without_authors(leaf, {address(1): since}, RULES))


# --- other instruments ----------------------------------------------------------------------------------
def replaced(leaf: Readings, at: int, old: int | None, new: int, *, is_proven: bool = True) -> Readings:
    offset = replacement_offset(leaf, day(at), None if old is None else old * KM, new * KM)
    return with_segment(leaf, Segment(900 + at, day(at), offset, is_proven, False), RULES)


def test_a_replaced_instrument_counts_on_from_the_highest_of_what_is_known() -> None:
    leaf = leaf_of((0, 10_000, 0), (100, 50_000, 1))
    assert [41_000, 51_000, 41_000] == [
        replacement_offset(leaf, day(101), old, 9_000 * KM) // KM for old in (50_000_000, 60_000_000, None)
    ]
    assert 0 == replacement_offset(NO_READINGS, day(0), None, 9_000 * KM)
    assert 1_000 * KM == replacement_offset(leaf, day(50), None, 9_000 * KM)
    leaf = added(replaced(leaf, 101, 50_100, 0), 3, b"b" * 20, at=101, metres=0)
    assert ("LOGICAL", ("replaced_proven",)) == (leaf.verdict, leaf.reasons)
    assert "CONTESTED" == added(leaf, 4, at=90, metres=70_000 * KM).verdict
    # the next one counts on from both
    assert 50_100 + 7_000 - 3 == replacement_offset(leaf, day(200), 7_000 * KM, 3 * KM) // KM


def test_an_unproven_replacement_leaves_no_verdict() -> None:
    leaf = added(
        replaced(leaf_of((0, 10_000, 0), (100, 50_000, 1)), 101, None, 0, is_proven=False), 3, at=101, metres=0
    )
    assert ("NO_VERDICT", ("replaced",)) == (leaf.verdict, leaf.reasons)


def test_a_late_replacement_explains_what_was_read_since() -> None:
    leaf = leaf_of((0, 10_000, 0), (100, 80_000, 1), (200, 5_000, 2), (300, 9_000, 0), (350, 9_500, 1))
    assert "ILLOGICAL" == added(leaf, 9, at=90, metres=70_000 * KM).verdict
    assert "LOGICAL" == replaced(added(leaf, 9, at=90, metres=70_000 * KM), 150, None, 0).verdict


def test_a_replacement_told_late_moves_those_after_it() -> None:
    leaf = leaf_of((0, 10_000, 0), (100, 80_000, 1), (200, 5_000, 2), (300, 100, 0))
    second = replaced(leaf, 250, 6_000, 0)
    both = replaced(second, 150, 81_000, 0)
    assert [day(150), day(250)] == [segment.from_event_ms for segment in both.segments]
    assert second.segments[0].offset_metres + 81_000 * KM == both.segments[1].offset_metres
    assert "LOGICAL" == both.verdict
    assert second == without_segment(both, 1_050, RULES), "and takes them back when its record is annulled"
    assert leaf == without_segment(second, 1_150, RULES) == without_segment(leaf, 1_150, RULES)


def test_an_instrument_that_went_over_its_last_digit() -> None:
    leaf = leaf_of((0, 999_000, 0), (100, 1_000, 1))
    offset = rollover_offset(leaf, day(50), 1_000_000 * KM)
    for is_proven, reason in ((True, "rollover_proven"), (False, "rollover")):
        found = with_segment(leaf, Segment(9, day(50), offset, is_proven, True), RULES)
        assert (("LOGICAL" if is_proven else "NO_VERDICT"), (reason,)) == (found.verdict, found.reasons)


# --- answers --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kilometre", "days", "allowed"),
    [(11_010, 28, True), (10_990, 28, True), (10_989, 28, False), (900_000, 28, True), (11_000, 29, False)],
)
def test_an_author_mends_a_little_or_upward_within_four_weeks(kilometre: int, days: int, allowed: bool) -> None:
    leaf = leaf_of((0, 10_000, 0), (10, 11_003, 1))
    assert allowed == may_amend_alone(leaf, 1, kilometre * KM, day(10 + days))


def test_an_author_mends_a_typing_error_downward() -> None:
    typed = [(0, 10_000, 0), (10, 900_000, 1)]
    assert may_amend_alone(leaf_of(*typed), 1, 90_000 * KM, day(12))
    assert may_amend_alone(leaf_of(*typed, (11, 10_100, 2)), 1, 90_000 * KM, day(12))
    # another author has read the same since
    assert not may_amend_alone(leaf_of(*typed, (11, 900_050, 2)), 1, 90_000 * KM, day(12))
    assert not may_amend_alone(leaf_of(*typed), 7, 90_000 * KM, day(12))
    assert not may_amend_alone(leaf_of(*typed), 1, 90_000 * KM, day(39))


def test_a_clocked_reading_is_no_typing_error_that_lowers_the_true_one() -> None:
    leaf = leaf_of((0, 100_000, 0), (700, 200_000, 1), (720, 150_000, 2))
    assert not may_amend_alone(leaf, 1, 149_000 * KM, day(721))


def test_a_slip_of_the_pen_is_told_of_a_reading_that_is_not_between_its_neighbours() -> None:
    leaf = leaf_of((0, 10_000, 0), (10, 110_500, 1), (20, 11_000, 2))
    assert ["", "replaced", "lost"] == [digit_slip(leaf, sequence, "km") for sequence in (0, 1, 2)]
    assert "" == digit_slip(leaf, 7, "km")
    assert "replaced" == digit_slip(leaf_of((0, 10_000, 0), (10, 910_000, 1)), 1, "km")
    assert "" == digit_slip(leaf_of((0, 10_000, 0)), 0, "km")


def test_coverage_is_of_independent_readings() -> None:
    assert 500 == coverage(leaf_of((0, 0, 0), (100, 9, 1), (500, 99, 0)), day(0), day(1_000))


def test_a_reading_that_plainly_rises_is_judged_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way is only shorter: over random series it is taken, and ends in the same values."""
    plainly, taken = readings._plainly_rises, 0

    def counted(earlier: Readings, reading: Reading) -> bool:
        nonlocal taken
        found = plainly(earlier, reading)
        taken += found
        return found

    def grown(seed: int) -> Readings:
        rng, leaf, at_ms, metres = Random(seed), NO_READINGS, BORN_MS, 0
        for sequence in range(rng.randrange(2, 12)):
            is_odd = rng.random() < 0.1
            at_ms += -DAY_MS if is_odd else rng.choice((0, 1, DAY_MS, 90 * DAY_MS))
            far = rng.choice((3_000_000 * KM, -300 * KM, -9_000 * KM)) if rng.random() < 0.1 else 400 * KM
            metres = max(0, metres + far)
            new = NewReading(
                at_ms, metres, sequence, rng.choice((*(0,) * 9, 1, DECLARED)), 5 if rng.random() < 0.05 else 0,
                rng.random() < 0.3, rng.random() < 0.02,
            )  # fmt: skip
            author, group = rng.randrange(1 + seed % 3), rng.choice(("", "", "", "north"))
            included = at_ms + (500 * DAY_MS if rng.random() < 0.03 else 0)
            leaf = with_reading(leaf, new, address(author), group, included, RULES)
        return leaf

    for seed in range(600):
        monkeypatch.setattr(readings, "_plainly_rises", counted)
        short = grown(seed)
        monkeypatch.setattr(readings, "_plainly_rises", lambda earlier, reading: False)
        assert short == grown(seed)
    assert taken > 300
