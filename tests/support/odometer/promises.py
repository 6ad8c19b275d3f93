"""What the odometer's verdict promises (docs/PROTOCOL.md, Odometer verdict), each over one random life."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from node import limits
from node.limits import DAY_MS
from node.rules.odometer import BACKFILLED, COUNTED, DECLARED, EXCLUDED, SUPERSEDED
from support.odometer import reference, series
from support.odometer.series import KM, Engine, Facts, address

Promise = Callable[[Engine, Random], None]
"""Raises AssertionError where the engine breaks it."""
_GRAVITY: Final = {"LOGICAL": 0, "NO_VERDICT": 0, "CONTESTED": 1, "ILLOGICAL": 2}


def _life(random: Random, least: int = 2, most: int = 14) -> Facts:
    return series.honest(random, random.randint(least, most))


def _any_life(random: Random) -> Facts:
    """Honest or not: what a verdict may have to judge."""
    facts = _life(random)
    if random.random() < 0.5:
        facts = series.rolled_back(facts, random.randrange(1, len(facts)), random.randint(1, 150_000) * KM)
    for _ in range(random.choice((0, 0, 1, 2))):
        facts = series.mistyped(random, facts, random.randrange(len(facts)))
    if random.random() < 0.3:
        facts = facts + series.volley(random, facts, random.choice((0, 9)))
    if random.random() < 0.2:
        facts = [*facts, series.backfilled(random, facts)]
    return [fact._replace(is_acknowledged=random.random() < 0.2) for fact in facts]


def _verdict_of(leaf: Any) -> tuple[Any, ...]:
    explained = {(e.sequences, e.contradicts, e.typing_error_likely) for e in leaf.explanations}
    return leaf.verdict, leaf.reasons, explained, leaf.outliers, leaf.newest_event_ms


def is_as_defined(engine: Engine, random: Random) -> None:
    """Four linear passes find what comparing all pairs and trying all readings and authors finds."""
    facts = _any_life(random)
    found = engine.judge(facts)
    assert reference.judged(facts) == found.verdict, facts
    assert reference.explanations(facts) == {frozenset(e.sequences) for e in found.explanations}, facts


def arrives_in_any_order(engine: Engine, random: Random) -> None:
    facts = _any_life(random)
    expected = engine.judge(facts)
    assert expected == engine.judge(series.shuffled(random, facts)), facts
    ordered, shuffled = engine.leaf(facts), engine.leaf(series.shuffled(random, facts))
    assert _verdict_of(ordered) == _verdict_of(shuffled), facts
    assert (expected.verdict, expected.reasons) == (ordered.verdict, ordered.reasons), facts


def forgets_what_counts_no_more(engine: Engine, random: Random) -> None:
    """Superseded, excluded and declared readings change nothing, whenever they came; counted again they do."""
    facts = _any_life(random)
    wrong = [f._replace(sequence=5_000 + n) for n, f in enumerate(series.mistyped(random, facts, 0))][:3]
    states = {f.sequence: random.choice((SUPERSEDED, EXCLUDED, DECLARED)) for f in wrong}
    told = [f._replace(standing=DECLARED) if states.get(f.sequence) == DECLARED else f for f in (*facts, *wrong)]
    leaf = engine.leaf(series.shuffled(random, told))
    for sequence, state in states.items():
        if state in (SUPERSEDED, EXCLUDED):
            leaf = engine.readings.with_state(leaf, sequence, state, engine.rules)
    assert _verdict_of(engine.leaf(facts)) == _verdict_of(leaf), told
    assert leaf.corrections == sum(state == SUPERSEDED for state in states.values())
    counted = [f for f in told if f.standing != DECLARED]
    for sequence, state in states.items():
        if state in (SUPERSEDED, EXCLUDED):
            leaf = engine.readings.with_state(leaf, sequence, COUNTED, engine.rules)
    assert _verdict_of(engine.leaf(counted)) == _verdict_of(leaf), told


def honest_is_logical(engine: Engine, random: Random) -> None:
    """Also where each reading is up to ten kilometres behind the road."""
    facts = [fact._replace(metres=max(0, fact.metres - random.randint(0, 10 * KM))) for fact in _life(random)]
    assert "LOGICAL" == engine.judge(facts).verdict, facts


def wrong_order_is_logical(engine: Engine, random: Random) -> None:
    """Two visits within 36 hours and 500 km, each noted with the time of the other."""
    facts = _life(random)
    facts = series.in_wrong_order(random, facts, random.randrange(len(facts)))
    assert "LOGICAL" == engine.judge(facts).verdict, facts


def rollback_is_found(engine: Engine, random: Random) -> None:
    """Turned back by 1,000 km or more, with a reading on each side that shows it."""
    facts = _life(random)
    driven = random.choice((random.randint(1_000, 1_100), random.randint(1_000, 150_000))) * KM
    facts = series.rolled_back(facts, random.randrange(1, len(facts)), driven)
    ordered = sorted(facts)
    if any(a.metres - b.metres >= 1_000 * KM for n, a in enumerate(ordered) for b in ordered[n + 1 :]):
        assert engine.judge(facts).verdict in ("CONTESTED", "ILLOGICAL"), facts


def two_witnesses_decide(engine: Engine, random: Random) -> None:
    """A rollback that two parties show before it, and two others after it, is `ILLOGICAL`."""
    facts = [fact._replace(author=fact.sequence) for fact in _life(random, 4)]
    place = random.randrange(2, len(facts) - 1)
    driven = facts[place + 1].metres - facts[place - 2].metres + random.randint(1_000, 100_000) * KM
    facts = series.rolled_back(facts, place, driven)
    if facts[place - 2].metres - facts[place + 1].metres >= 1_000 * KM:
        assert "ILLOGICAL" == engine.judge(facts).verdict, facts


def one_mistake_never_condemns(engine: Engine, random: Random) -> None:
    """One wrong reading, whatever its value and wherever it stands, is at most contested, and is named."""
    facts = _life(random)
    place = random.randrange(len(facts))
    facts = series.mistyped(random, facts, place)
    found = engine.judge(facts)
    assert "ILLOGICAL" != found.verdict, facts
    if found.verdict == "CONTESTED":
        assert (place,) in {e.sequences for e in found.explanations}, facts


def rival_never_condemns(engine: Engine, random: Random) -> None:
    """Any readings of one unacknowledged third author, among those of two others on both sides of them; also of one who
    has read the truth long before or long after."""
    facts = [f._replace(author=f.sequence % 2, is_acknowledged=random.random() < 0.5) for f in _life(random, 4)]
    false = series.volley(random, facts, 9)
    told = [fact.included_at_ms for fact in false]
    for place in random.sample(range(1, len(facts) - 1), random.randrange(3)):
        late = random.choice((facts[place].event_at_ms, max(told) + 200 * DAY_MS))
        if not min(told) - 90 * DAY_MS <= late <= max(told) + 90 * DAY_MS:
            facts[place] = facts[place]._replace(author=9, is_acknowledged=False, included_at_ms=late)
    facts += false
    assert "ILLOGICAL" != engine.judge(facts).verdict, facts


def nobody_is_named_alone(engine: Engine, random: Random) -> None:
    """The last reading is the first after a rollback: it is named, and so is the honest one that it contradicts where
    either explains the fall; and each explanation says what it contradicts."""
    facts = _life(random, 3)
    lost = facts[-1].metres - facts[-2].metres + random.randint(1_000, 100_000) * KM
    facts = series.rolled_back(facts, len(facts) - 1, lost)
    found = engine.judge(facts)
    named = {sequence for e in found.explanations for sequence in e.sequences}
    assert not named or len(facts) - 1 in named, facts
    told = _any_life(random)
    for explanation in engine.judge(told).explanations:
        assert explanation.contradicts or len(explanation.sequences) > 1, told
        assert not set(explanation.contradicts) & set(explanation.sequences), told


def backfilled_never_mends(engine: Engine, random: Random) -> None:
    """A reading told more than 400 days late contradicts like any other and is good for nothing."""
    facts = _any_life(random)[: random.randint(1, 14)]
    before, late = engine.judge(facts), series.backfilled(random, facts)
    after = engine.judge([*facts, late])
    assert _GRAVITY[before.verdict] <= _GRAVITY[after.verdict], (facts, late)
    assert "NO_VERDICT" != before.verdict or "LOGICAL" != after.verdict, (facts, late)
    assert "one_author" not in before.reasons or "one_author" in after.reasons, (facts, late)
    assert set(before.outliers) <= set(after.outliers) or len(after.outliers) == 8, (facts, late)
    leaf = engine.leaf([*facts, late])
    newest = max((f.event_at_ms for f in facts if f.included_at_ms - f.event_at_ms <= 400 * DAY_MS), default=0)
    assert (newest, BACKFILLED) == (leaf.newest_event_ms, engine.readings.reading_of(leaf, 3_000).state)
    covered = [
        engine.verdict.coverage(engine.readings.series_of(known), series.BORN_MS, series.BORN_MS + 6_000 * DAY_MS)
        for known in (engine.leaf(facts), leaf)
    ]
    assert covered[0] == covered[1], (facts, late)


def frauds_are_absent(engine: Engine, random: Random) -> None:
    """Without the readings of a fraud since a time, as if they had never come."""
    facts = _any_life(random)
    author, since = random.randrange(4), random.choice(facts).event_at_ms + random.choice((0, 1_000, 20 * DAY_MS))

    def counts(fact: series.Fact) -> bool:
        told = fact.event_at_ms + (fact.included_at_ms - fact.event_at_ms) // 1_000 * 1_000
        return fact.author != author or (fact.event_at_ms < since and told + 999 < since)

    found = engine.readings.without_authors(engine.leaf(facts), {address(author): since}, engine.rules)
    expected = _verdict_of(engine.leaf(filter(counts, facts)))
    reasons = tuple(reason for reason in found.reasons if reason != "author_excluded")
    assert expected == (found.verdict, reasons, *_verdict_of(found)[2:]), (facts, author, since)
    assert ("author_excluded" in found.reasons) == (not all(map(counts, facts))), (facts, author, since)


# --- beyond the bound ---------------------------------------------------------------------------------------
def long_rollback_is_found(engine: Engine, random: Random) -> None:
    """1,000 km and more, told in the order of events, beyond 256 readings too; and never lifted by any that follow."""
    facts = series.busy(random, random.randint(limits.READINGS_MAX + 10, 400))
    place = random.randrange(1, len(facts) - 2)
    facts = series.rolled_back(facts, place, facts[place].metres - facts[place - 1].metres + 1_000 * KM)
    if facts[place].metres == 0:
        return
    leaf = engine.leaf(facts)
    assert leaf.verdict in ("CONTESTED", "ILLOGICAL"), (place, len(facts))
    padded = engine.leaf(_copies(random, facts, 300), leaf)
    assert _GRAVITY[leaf.verdict] <= _GRAVITY[padded.verdict], (place, len(facts))


def _copies(random: Random, facts: Facts, copies: int) -> Facts:
    """Padding: readings that contradict nothing but what those that they repeat contradict."""
    return [random.choice(facts)._replace(sequence=9_000 + n) for n in range(copies)]


def long_life_arrives_in_any_order(engine: Engine, random: Random) -> None:
    """Beyond the bound: a life that rises has no verdict, one wrong reading is contested, and a rollback deeper than
    what lies between neighbours that are kept is `ILLOGICAL`; in every order."""
    facts = series.busy(random, random.randint(limits.READINGS_MAX + 10, 400))
    place = random.randrange(40, len(facts) - 40)
    deep = facts[place + 2].metres - facts[place - 2].metres + facts[-1].metres // 50
    wrong = [f._replace(metres=9_999_999 * KM) if n == place else f for n, f in enumerate(facts)]
    lives = (facts, "NO_VERDICT"), (wrong, "CONTESTED"), (series.rolled_back(facts, place, deep), "ILLOGICAL")
    for life, expected in lives:
        leaf = engine.leaf(series.shuffled(random, life))
        assert (limits.READINGS_MAX, expected) == (len(leaf.readings), leaf.verdict), (place, len(facts))
        assert "limit" in leaf.reasons
        if life is wrong:
            assert [(place,)] == [e.sequences for e in leaf.explanations], (place, len(facts))


def what_is_left_out_hides_little(engine: Engine, random: Random) -> None:
    """Any late reading a hundredth of the distance below what the car had driven contradicts what is kept."""
    facts = series.busy(random, random.randint(limits.READINGS_MAX + 10, 400))
    kept = engine.leaf(series.shuffled(random, facts))
    for fact in random.sample(facts[len(facts) // 2 :], 20):
        low = fact.metres - facts[-1].metres // 100 - 20 * KM
        late = fact._replace(event_at_ms=fact.event_at_ms + 1, metres=low, sequence=9_000)
        assert engine.leaf([late], kept).verdict in ("CONTESTED", "ILLOGICAL"), (fact, len(facts))


PROMISES: Final[tuple[Promise, ...]] = (
    is_as_defined, arrives_in_any_order, forgets_what_counts_no_more, honest_is_logical, wrong_order_is_logical,
    rollback_is_found, two_witnesses_decide, one_mistake_never_condemns, rival_never_condemns, nobody_is_named_alone,
    backfilled_never_mends, frauds_are_absent,
)  # fmt: skip
LONG_PROMISES: Final[tuple[Promise, ...]] = (
    long_rollback_is_found, long_life_arrives_in_any_order, what_is_left_out_hides_little,
)  # fmt: skip
