"""The verdict over readings: what explains a fall, what a verdict shows, and what it cannot know."""

from __future__ import annotations

from functools import partial
from time import process_time
from timeit import repeat
from types import SimpleNamespace
from typing import Any

import pytest

from node.limits import DAY_MS
from node.rules.odometer import BACKFILLED, COUNTED, DECLARED, EXCLUDED, INTERESTED, SOURCE_CODES, SUPERSEDED
from node.rules.verdict import NAMED_MAX, OUTLIERS_MAX, PINNED_MAX, REASONS, Judgement, Series, coverage, judge

KM = 1_000
A, B, C, D = range(4)


def series(*points: tuple[Any, ...], parties: Any = range(300), segments: Any = (), **more: Any) -> Series:
    """From (day, kilometres, author, changes); sequences count from 0, readings are included at once."""
    plain = dict(standing=0, source=0, state=COUNTED, is_acknowledged=False, sources_differ=False, delay_s=0)
    readings = [
        SimpleNamespace(
            **plain | dict(event_at_ms=int(day * DAY_MS), metres=km * KM, sequence=n, author=author)
            | (changes[0] if changes else {})
        )
        for n, (day, km, author, *changes) in enumerate(points)
    ]  # fmt: skip
    return Series(readings, parties, segments, **more)  # type: ignore[arg-type]


def found(*points: tuple[Any, ...], **more: Any) -> tuple[str, tuple[str, ...], list[tuple[Any, ...]]]:
    judgement = judge(series(*points, **more))
    return judgement.verdict, judgement.reasons, [(e.sequences, e.contradicts) for e in judgement.explanations]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ((), ("NO_VERDICT", ("too_few",), [])),
        (((0, 0, A),), ("NO_VERDICT", ("too_few",), [])),
        (((0, 0, A), (10, 100, B)), ("LOGICAL", (), [])),
        (((0, 0, A), (10, 100, A)), ("LOGICAL", ("one_author",), [])),
        (((0, 100, A), (10, 87, B)), ("LOGICAL", (), [])),
        (((0, 100, A), (10, 86, B)), ("CONTESTED", ("decreasing", "one_reading"), [((0,), (1,)), ((1,), (0,))])),
        # two visits of one day, noted in the wrong order
        (((0, 700, A), (1.5, 200, B)), ("LOGICAL", (), [])),
        (((0, 700, A), (1.6, 200, B)), ("CONTESTED", ("decreasing", "one_reading"), [((0,), (1,)), ((1,), (0,))])),
        # the same moment, told by two: the lower counts first
        (((5, 20_000, A), (5, 10_000, B)), ("LOGICAL", ("outliers",), [])),
        # the honest workshop B: never named without the clocked reading
        (((0, 100_000, A), (700, 200_000, B), (1_000, 150_000, C)),
         ("CONTESTED", ("decreasing", "one_reading"), [((1,), (2,)), ((2,), (1,))])),
        # one witness after, several before: the one, or a mistake
        (((0, 80_000, A), (300, 120_000, B), (700, 180_000, C), (720, 110_000, D)),
         ("CONTESTED", ("decreasing", "one_reading"), [((3,), (1, 2))])),
        # one witness before, two after
        (((0, 60_000, A), (300, 110_000, A), (700, 180_000, B), (720, 118_000, C), (800, 119_000, D)),
         ("CONTESTED", ("decreasing", "one_reading"), [((2,), (3, 4))])),
        # two on both sides
        (((0, 60_000, A), (300, 150_000, A), (700, 180_000, B), (720, 118_000, C), (800, 119_000, D)),
         ("ILLOGICAL", ("decreasing",), [])),
    ],
)  # fmt: skip
def test_verdicts(points: Any, expected: Any) -> None:
    assert expected == found(*points)


def rival(**changes: Any) -> list[tuple[Any, ...]]:
    """Two false readings of D between honest ones of others; `changes` of the first false one."""
    return [(0, 10_000, A), (100, 20_000, B), (110, 3_000, D, changes), (120, 2_000, D), (200, 30_000, A)]


def test_a_volley_of_one_author_is_one_explanation() -> None:
    assert ("CONTESTED", ("decreasing", "volley"), [((2, 3), (0, 1))]) == found(*rival())


@pytest.mark.parametrize(
    "changes",
    [dict(is_acknowledged=True), dict(delay_s=90 * 86_400 + 10 * 86_400 + 1), dict(author=C)],
    ids=["one is signed by the holder", "told more than ninety days apart", "of two authors"],
)
def test_what_is_no_volley(changes: dict[str, Any]) -> None:
    assert "ILLOGICAL" == found(*rival(**changes))[0]


def test_a_volley_is_told_within_ninety_days() -> None:
    assert "CONTESTED" == found(*rival(delay_s=100 * 86_400))[0]


def test_a_volley_lies_between_the_birth_and_a_reading_of_others() -> None:
    honest, false = [(0, 10_000, A), (10, 20_000, B)], [(110, 3_000, D), (120, 2_000, D)]
    assert "ILLOGICAL" == found(*honest, *false)[0]
    assert "CONTESTED" == found(*honest, *false, (130, 20_000, A))[0]
    early = [(1, 30_000, D), (12, 31_000, D), *((day + 15, km, author) for day, km, author in honest)]
    assert ("CONTESTED", ("decreasing", "volley"), [((0, 1), (2, 3))]) == found(*early)


def test_authors_of_one_group_are_one() -> None:
    changes = dict(author=C)
    assert "CONTESTED" == found(*rival(**changes), parties=[A, B, C, C])[0]
    assert ("LOGICAL", ("one_author",), []) == found((0, 0, A), (9, 9, B), parties=[A, A])


def test_an_explanation_names_at_most_eight_on_each_side() -> None:
    many = [(0, 1_000, A), *((10 + n, 500 - n, D) for n in range(20)), (100, 2_000, B)]
    (explanation,) = judge(series(*((day, km * 10, *rest) for day, km, *rest in many))).explanations
    assert (tuple(range(13, 21)), (0,)) == (explanation.sequences, explanation.contradicts)
    assert NAMED_MAX == len(explanation.sequences)
    high = [*((n, 10_000 + n, A) for n in range(20)), (30, 10, B)]
    assert [((20,), tuple(range(12, 20))), (tuple(range(12, 20)), (20,))] == found(*high)[2]


# --- what is judged -------------------------------------------------------------------------------------
@pytest.mark.parametrize("changes", [dict(standing=DECLARED), dict(state=SUPERSEDED), dict(state=EXCLUDED)])
def test_what_does_not_count_contradicts_nothing(changes: dict[str, Any]) -> None:
    assert ("LOGICAL", (), []) == found((0, 10_000, A), (1, 900_000, C, changes), (2, 10_100, B))
    assert ("NO_VERDICT", ("too_few",), []) == found((0, 10_000, A), (1, 20_000, B, changes))


def test_interested_readings_count() -> None:
    assert ("LOGICAL", (), []) == found((0, 10_000, A), (1, 10_100, B, dict(standing=INTERESTED)))


def test_a_backfilled_reading_contradicts_and_is_good_for_nothing_else() -> None:
    late = dict(state=BACKFILLED, delay_s=401 * 86_400)
    assert ("NO_VERDICT", ("too_few",), []) == found((0, 10_000, A), (50, 20_000, B, late))
    assert ("LOGICAL", ("one_author",), []) == found((0, 10_000, A), (50, 20_000, B, late), (90, 20_000, A))
    assert "CONTESTED" == found((0, 10_000, A, late), (50, 2_000, B))[0]
    # as a reading after the volley it would turn ILLOGICAL into CONTESTED
    ends = [(10, 50_000, A), (20, 60_000, B), (110, 3_000, D), (120, 4_000, D)]
    assert "ILLOGICAL" == found(*ends)[0] == found(*ends, (130, 61_000, C, late))[0]
    assert "CONTESTED" == found(*ends, (130, 61_000, C))[0]
    # between two readings it would halve a jump
    jump = (0, 0, A), (1, 4_000, B)
    assert (1,) == judge(series(*jump)).outliers
    assert (1,) == judge(series(*jump, (0.5, 2_000, C, late))).outliers


# --- reasons --------------------------------------------------------------------------------------------
def test_an_outlier_refuses_nothing_and_another_author_confirms_it() -> None:
    jump = (0, 100_000, A), (1, 140_000, B)
    assert ("LOGICAL", ("outliers",), []) == found(*jump)
    assert ("LOGICAL", ("outliers",), []) == found(*jump, (2, 140_100, B))
    assert ("LOGICAL", ("outliers", "jump_confirmed"), []) == found(*jump, (2, 140_050, B), (3, 140_100, A))
    # the second author is as far away again
    assert ("LOGICAL", ("outliers",), []) == found(*jump, (2, 180_000, A))


def test_outliers_are_the_newest_eight() -> None:
    points = [(n, 10_000 * n, n % 2) for n in range(12)]
    assert tuple(range(4, 12)) == judge(series(*points)).outliers
    assert OUTLIERS_MAX == 8


def test_what_a_verdict_shows() -> None:
    history = dict(source=SOURCE_CODES["history"])
    assert ("pre_chain",) == found((0, 0, A, history), (9, 9, B))[1]
    assert ("sources_differ",) == found((0, 0, A), (9, 9, B, dict(sources_differ=True)))[1]
    assert ("author_excluded",) == found((0, 0, A), (9, 9, B), has_excluded_author=True)[1]
    assert ("NO_VERDICT", ("limit",)) == found((0, 0, A), (9, 9, B), is_beyond_bound=True)[:2]
    assert ("decreasing", "one_reading", "limit") == found((0, 900, A), (9, 9, B), is_beyond_bound=True)[1]


def test_reasons_are_told_in_one_order() -> None:
    changes = dict(source=SOURCE_CODES["history"], sources_differ=True)
    shown = found((0, 0, A, changes), (1, 5_000, A), is_beyond_bound=True, has_excluded_author=True)[1]
    assert ("limit", "one_author", "outliers", "pre_chain", "sources_differ", "author_excluded") == shown
    assert shown == tuple(reason for reason in REASONS if reason in shown)


# --- other instruments ----------------------------------------------------------------------------------
def segment(day: int, kilometres: int, *, is_proven: bool, is_rollover: bool = False) -> SimpleNamespace:
    return SimpleNamespace(
        from_event_ms=day * DAY_MS, offset_metres=kilometres * KM, is_proven=is_proven, is_rollover=is_rollover
    )


REPLACED = [(0, 100_000, A), (50, 150_000, B), (100, 0, A), (150, 10_000, B)]


def test_a_proven_replacement_counts_on() -> None:
    assert "ILLOGICAL" == found(*REPLACED)[0]
    proven = (segment(100, 150_000, is_proven=True),)
    assert ("LOGICAL", ("replaced_proven",), []) == found(*REPLACED, segments=proven)
    # a higher reading of the old instrument is told late: it contradicts the new one
    late = (*REPLACED, (90, 200_000, C))
    assert ("CONTESTED", [((4,), (2, 3))]) == found(*late, segments=proven)[::2]
    rolled = (segment(100, 1_000_000, is_proven=True, is_rollover=True),)
    assert ("LOGICAL", ("outliers", "jump_confirmed", "rollover_proven")) == found(*REPLACED, segments=rolled)[:2]


def test_an_unproven_replacement_cannot_be_compared_with_what_was_before() -> None:
    unproven = (segment(100, 0, is_proven=False),)
    assert ("NO_VERDICT", ("replaced",), []) == found(*REPLACED, segments=unproven)
    assert ("NO_VERDICT", ("rollover",), []) == found(
        *REPLACED, segments=(segment(100, 0, is_proven=False, is_rollover=True),)
    )
    assert ("NO_VERDICT", ("replaced", "replaced_proven"), []) == found(
        *REPLACED, segments=(*unproven, segment(120, -5_000, is_proven=True))
    )
    # within each instrument readings contradict each other all the same
    assert "CONTESTED" == found(*REPLACED, (60, 90_000, C), segments=unproven)[0]
    assert "CONTESTED" == found(*REPLACED, (160, 1_000, C), segments=unproven)[0]


# --- typing errors --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("points", "likely"),
    [
        # nobody drives 890,000 km in ten days
        ([(0, 10_000, A), (10, 900_000, B), (20, 11_000, C), (30, 12_000, A)], True),
        # another reads the same later: a removed mileage blocker
        ([(0, 10_000, A), (10, 900_000, B), (20, 11_000, C), (30, 900_500, A)], False),
        # its author reads otherwise on the next day
        ([(0, 10_000, A), (10, 900_000, B), (11, 11_000, B), (12, 12_000, A)], True),
        # a car can go there
        ([(0, 10_000, A), (100, 80_000, B), (120, 11_000, C), (130, 12_000, A)], False),
        # too low: nobody drives away from it
        ([(0, 500_000, A), (10, 10_000, B), (20, 501_000, C), (30, 502_000, A)], True),
        ([(0, 10_000, A), (10, 10_100, B), (20, 501_000, C), (30, 502_000, A), (40, 400_000, B)], False),
    ],
)
def test_a_typing_error_is_likely_where_nobody_drives(points: Any, likely: bool) -> None:
    judgement = judge(series(*points))
    assert "CONTESTED" == judgement.verdict
    assert likely == any(e.typing_error_likely for e in judgement.explanations)


def test_no_volley_is_a_typing_error() -> None:
    assert [False] == [e.typing_error_likely for e in judge(series(*rival())).explanations]


# --- pins -----------------------------------------------------------------------------------------------
def test_pins_are_what_the_verdict_rests_on() -> None:
    points = [(0, 60_000, A), (300, 150_000, A), (700, 180_000, B), (720, 118_000, C), (800, 119_000, D)]
    pinned = judge(series(*points)).pinned
    # the largest fall; the largest without its higher, and without its lower reading
    assert ((2, 3), (1, 3), (2, 4)) == pinned[:3]
    many = [*((n, 10_000 + n, n % 4) for n in range(20)), *((30 + n, n, n % 4) for n in range(20))]
    assert PINNED_MAX == len(judge(series(*many)).pinned)
    assert () == judge(series((0, 0, A), (1, 1, B))).pinned


# --- coverage -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("points", "per_mille"),
    [
        ((), 0),
        (((0, 0, A), (100, 9, A)), 0),
        (((0, 0, A), (100, 9, B)), 100),
        (((0, 0, A), (400, 9, B), (801, 99, A)), 400),
        (((0, 0, A), (100, 40_000, B), (200, 80_001, A)), 100),
        (((0, 0, A), (500, 9, B, dict(standing=INTERESTED)), (900, 9, B)), 0),
        (((0, 0, A), (300, 9, B, dict(state=BACKFILLED)), (600, 9, B)), 0),
        (((0, 0, A), (300, 9, B), (600, 9, A), (900, 9, B)), 900),
    ],
)
def test_coverage(points: Any, per_mille: int) -> None:
    assert per_mille == coverage(series(*points), 0, 1_000 * DAY_MS)


def test_coverage_of_no_time_is_nothing() -> None:
    assert 0 == coverage(series((0, 0, A), (0, 0, B)), 0, 0)
    assert 500 == coverage(series((0, 0, A), (100, 9, B), (200, 9, A)), 100 * DAY_MS, 300 * DAY_MS)


# --- work -----------------------------------------------------------------------------------------------
def test_a_series_that_nothing_explains_is_judged_in_linear_time() -> None:
    """A block may hold two thousand of such readings."""

    def zigzag(count: int) -> Series:
        return series(*((n, (9_000 if n % 2 else 100) + n, n % 4, dict(is_acknowledged=n < 4)) for n in range(count)))

    times = [min(repeat(partial(judge, zigzag(n)), number=3, repeat=9, timer=process_time)) for n in (64, 256)]
    assert "ILLOGICAL" == judge(zigzag(256)).verdict
    assert times[1] < 8 * times[0]  # sixteen times, were it the square


def test_a_judgement_is_a_value() -> None:
    assert Judgement("NO_VERDICT", ("too_few",), (), (), ()) == judge(series())


def test_of_two_volleys_that_explain_the_smaller_is_named() -> None:
    """The higher reading of the largest fall was told within 90 days of a further one of its author, the lower not."""
    points = [(0, 10_000, A), (10, 50_000, D), (95, 60_200, D), (96, 60_100, B), (130, 3_000, D), (140, 2_000, D)]
    assert ("CONTESTED", [((2, 4, 5), (0, 1, 3))]) == found(*points, (200, 60_200, A))[::2]
