"""The verdict in the words of its definition: every pair is compared, every reading and every author tried."""

from __future__ import annotations

from collections.abc import Iterable

from node.limits import DAY_MS
from support.odometer.series import Fact, Facts

HOUR_MS = 3_600_000
UNITS_METRES = 3_220
"""One mile of each of two readings, rounded up."""


def falls(facts: Facts) -> list[tuple[Fact, Fact]]:
    """Each reading with each later one that is too much lower."""
    ordered = sorted(facts)
    return [
        (earlier, later)
        for n, earlier in enumerate(ordered)
        for later in ordered[n + 1 :]
        if earlier.metres - later.metres > UNITS_METRES
        + (500_000 if later.event_at_ms - earlier.event_at_ms <= 36 * HOUR_MS else 10_000)
    ]  # fmt: skip


def _is_late(fact: Fact) -> bool:
    return _included_ms(fact) - fact.event_at_ms > 400 * DAY_MS


def _included_ms(fact: Fact) -> int:
    return fact.event_at_ms + (fact.included_at_ms - fact.event_at_ms) // 1_000 * 1_000


def _is_volley(own: Facts, facts: Facts) -> bool:
    """Whether they may be one false volley: two or more, unsigned, others after each. The birth is before them."""
    others = [fact for fact in facts if fact.author != own[0].author and not _is_late(fact)]
    return (
        len(own) > 1
        and not any(fact.is_acknowledged for fact in own)
        and all(any(o > fact for o in others) for fact in own)
    )


def _is_one_volley(rest: Facts, own: Facts, falling: Iterable[Fact]) -> bool:
    """Whether the rest are one volley without the reading that is dated back: near each other, and near no other."""
    near = [
        fact for fact in falling for one in rest
        if fact.author == one.author and abs(_included_ms(fact) - _included_ms(one)) <= 90 * DAY_MS
    ]  # fmt: skip
    is_close = all(abs(_included_ms(a) - _included_ms(b)) <= 90 * DAY_MS for a in rest for b in rest)
    return is_close and all(fact in own for fact in near)


def explanations(facts: Facts) -> set[frozenset[int]]:
    """The sequences of each mistake without which the rest rises, and no part of which is one."""
    pairs = falls(facts)
    if not pairs:
        return set()
    falling = {fact for pair in pairs for fact in pair}
    candidates = [[fact] for fact in falling]
    for one in min(pairs, key=lambda pair: (pair[1].metres - pair[0].metres, pair[1], pair[0])):
        near = [fact for fact in falling if abs(_included_ms(fact) - _included_ms(one)) <= 90 * DAY_MS]
        own = [fact for fact in near if fact.author == one.author]
        is_joining = _is_late(one) and not _is_one_volley([fact for fact in own if fact != one], own, falling)
        candidates += [own] if _is_volley(own, facts) and not is_joining else []
    found = {frozenset(f.sequence for f in own) for own in candidates if not falls([f for f in facts if f not in own])}
    return {own for own in found if not any(other < own for other in found)}


def judged(facts: Iterable[Fact]) -> str:
    """The verdict over accredited readings within the bound."""
    known = list(facts)
    if falls(known):
        return "CONTESTED" if explanations(known) else "ILLOGICAL"
    return "LOGICAL" if sum(not _is_late(fact) for fact in known) > 1 else "NO_VERDICT"
