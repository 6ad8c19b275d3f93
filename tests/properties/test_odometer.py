"""What the odometer's verdict promises, over random lives of cars; and each promise sees what it is there for."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

import pytest
from support.odometer import promises as p
from support.odometer.cli import broken
from support.odometer.promises import LONG_PROMISES, PROMISES, Promise
from support.odometer.series import ENGINE, Engine, changed

from node.rules import verdict
from node.txtypes.vehicle import readings

pytestmark = pytest.mark.slow

LIVES = 400
LONG_LIVES = 3


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_promise_holds(promise: Promise) -> None:
    assert "" == broken(promise, "short", LIVES)


@pytest.mark.parametrize("promise", LONG_PROMISES, ids=lambda promise: promise.__name__)
def test_a_promise_holds_beyond_the_bound(promise: Promise) -> None:
    assert "" == broken(promise, "short", LONG_LIVES)


class Mutant(NamedTuple):
    """A module in which one text stands instead of another, and the promise that it breaks."""

    name: str
    module: ModuleType
    old: str
    new: str
    promise: Promise


MUTANTS = [
    Mutant("order of arrival", verdict, "return sorted(filter(is_judged, readings), key=in_order)",
           "return list(filter(is_judged, readings))", p.arrives_in_any_order),
    Mutant("order of arrival in state", readings, "at = bisect_right(leaf.readings, in_order(reading), key=in_order)",
           "at = len(leaf.readings)", p.arrives_in_any_order),
    Mutant("declared readings count", verdict, "reading.standing != DECLARED and", "", p.forgets_what_counts_no_more),
    Mutant("superseded readings count", verdict,
           "(reading.state == COUNTED or reading.state == BACKFILLED)", "reading.state != 2",
           p.forgets_what_counts_no_more),
    Mutant("excluded readings count", verdict,
           "(reading.state == COUNTED or reading.state == BACKFILLED)", "reading.state != 1", p.frauds_are_absent),
    Mutant("what is counted again is not late", readings, "_state_when_counted(r.delay_s) if state == COUNTED else",
           "", p.forgets_what_counts_no_more),
    Mutant("no wider tolerance on a day", verdict, "> odometer.NEAR_TOLERANCE_METRES", "> odometer.TOLERANCE_METRES",
           p.wrong_order_is_logical),
    Mutant("no tolerance", verdict, "max(odometer.TOLERANCE_METRES, metres - 1)", "max(-1_000_000, metres)",
           p.honest_is_logical),
    Mutant("tolerance of 2,000 km", verdict, "max(odometer.TOLERANCE_METRES, metres - 1)", "max(2_000_000, metres)",
           p.rollback_is_found),
    Mutant("the reading just before instead of the highest", verdict, "course[first_near] > course[highest]", "True",
           p.is_as_defined),
    Mutant("a fall within 36 hours is none", verdict, "near.append(place)", "pass", p.is_as_defined),
    Mutant("the later one is always wrong", verdict, "[[earlier], [later]]", "[[later]]",
           p.one_mistake_never_condemns),
    Mutant("the higher one alone is named", verdict, "return explanations, falling", "return explanations[:1], falling",
           p.nobody_is_named_alone),
    Mutant("an explanation contradicts itself", verdict, "set(falling).difference(gone)", "set(falling)",
           p.nobody_is_named_alone),
    Mutant("every fall is contested", verdict, '"CONTESTED" if explaining else "ILLOGICAL"', '"CONTESTED"',
           p.two_witnesses_decide),
    Mutant("no volley explains", verdict, "candidates += [own] if own else []", "pass", p.rival_never_condemns),
    Mutant("only the higher one's party is tried", verdict, "for one in (earlier, later):",
           "for one in (earlier,):", p.rival_never_condemns),
    Mutant("the holder's signature does not help", verdict, "if signed := [", "if False and [", p.is_as_defined),
    Mutant("a volley takes years", verdict, "<= odometer.VOLLEY_MS for", "<= 2**60 for", p.is_as_defined),
    Mutant("one dated back joins two volleys", verdict, "> odometer.VOLLEY_MS or", "> 2**60 or", p.is_as_defined),
    Mutant("a volley at the end", verdict, "and own[-1] < others[-1]", "", p.is_as_defined),
    Mutant("no volley at the beginning", verdict, "and own[-1] < others[-1]",
           "and others[0] < own[0] and own[-1] < others[-1]", p.is_as_defined),
    Mutant("one dated back is a witness", verdict, "others = [place for place in self.timely if",
           "others = [place for place in range(len(self.readings)) if", p.backfilled_never_mends),
    Mutant("one dated back is a second reading", verdict, "if len(course.timely) < 2:", "if len(course.readings) < 2:",
           p.backfilled_never_mends),
    Mutant("one dated back is a second author", verdict, "for place in course.timely}) == 1",
           "for place in range(len(course.readings))}) == 1", p.backfilled_never_mends),
    Mutant("one dated back halves a jump", verdict, "pairs = list(pairwise(self.timely))",
           "pairs = list(pairwise(range(len(self.readings))))", p.backfilled_never_mends),
    Mutant("one dated back covers", verdict, "r.standing == INDEPENDENT and r.state == COUNTED", "is_judged(r)",
           p.backfilled_never_mends),
    Mutant("one dated back is fresh", readings, "if reading.state == COUNTED and reading.standing",
           "if is_judged(reading) and reading.standing", p.backfilled_never_mends),
    Mutant("a fraud's earlier event counts", readings, "or included_at_ms(reading) + 999 >= since_ms", "",
           p.frauds_are_absent),
    Mutant("no reason for what a fraud read", readings, "has_excluded_author=True", "has_excluded_author=False",
           p.frauds_are_absent),
    Mutant("nothing is pinned", readings, "for pair in leaf.pinned for", "for pair in () for",
           p.long_rollback_is_found),
    Mutant("the most telling one is left out", readings, "return max(around) - min(around)",
           "return min(around) - max(around)", p.what_is_left_out_hides_little),
    Mutant("nobody knows that one was left out", readings,
           "left_out = leaf.left_out + (is_beyond and all(map(is_judged, readings)))", "left_out = leaf.left_out",
           p.long_life_arrives_in_any_order),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_promise_sees_what_breaks_it(mutant: Mutant) -> None:
    copy = changed(mutant.module, mutant.old, mutant.new)
    engine = ENGINE._replace(verdict=copy) if mutant.module is verdict else ENGINE._replace(readings=copy)
    lives = 10 if mutant.promise in LONG_PROMISES else 3_000
    assert "" != broken(mutant.promise, "mutant", lives, engine)


def test_a_copy_without_a_change_keeps_every_promise() -> None:
    line, line_of_state = '"""Above any distance', "NO_READINGS ="
    engine = Engine(changed(verdict, line, line), changed(readings, line_of_state, line_of_state))
    assert [""] * len(PROMISES) == [broken(promise, "copy", 20, engine) for promise in PROMISES]
