"""Random lives of a car as its odometer tells them, with what can go wrong planted in them, and the engine that judges.

A `Fact` is one reading with all that the verdict may depend on, so a life is a set of facts, whatever order they arrive
in.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, Final, NamedTuple

from node.ledger.ruleset import Ruleset
from node.limits import DAY_MS, READING_AUTHORS_MAX
from node.rules import odometer, verdict
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle import readings

KM: Final = 1_000
HOUR_MS: Final = 3_600_000
BORN_MS: Final = 1_700_000_000_000


class Fact(NamedTuple):
    """`author`: a number below 64; see `rules.verdict` for the rest."""

    event_at_ms: int
    metres: int
    sequence: int
    author: int
    included_at_ms: int
    is_acknowledged: bool = False
    standing: int = odometer.INDEPENDENT


Facts = list[Fact]


# --- the engine ---------------------------------------------------------------------------------------------
class Engine(NamedTuple):
    """The modules that judge, or changed copies of them."""

    verdict: ModuleType = verdict
    readings: ModuleType = readings

    @property
    def rules(self) -> Ruleset:
        return dataclasses.replace(RULESETS[1], verdict=self.verdict.judge)

    def judge(self, facts: Iterable[Fact], **more: Any) -> Any:
        """The verdict over the facts, in the order given."""
        series = self.verdict.Series([_reading(fact) for fact in facts], range(READING_AUTHORS_MAX), **more)
        return self.verdict.judge(series)

    def leaf(self, facts: Iterable[Fact], known: Any = None) -> Any:
        """The working set after the facts have arrived in the order given."""
        leaf, rules = self.readings.NO_READINGS if known is None else known, self.rules
        for fact in facts:
            new = self.readings.NewReading(
                fact.event_at_ms, fact.metres, fact.sequence, fact.standing, is_acknowledged=fact.is_acknowledged
            )
            leaf = self.readings.with_reading(leaf, new, address(fact.author), "", fact.included_at_ms, rules)
        return leaf


ENGINE: Final = Engine()
_numbers = count()


def changed(original: ModuleType, old: str, new: str) -> ModuleType:
    """A copy of a module with one place of its text changed."""
    text = Path(str(original.__file__)).read_text()
    assert text.count(old) == 1, f"{text.count(old)} times in {original.__name__}: {old}"
    copy = ModuleType(f"{original.__name__}_changed_{next(_numbers)}")
    sys.modules[copy.__name__] = copy
    exec(compile(text.replace(old, new), copy.__name__, "exec"), copy.__dict__)
    return copy


def address(author: int) -> bytes:
    return bytes([author]) * 20


def _reading(fact: Fact) -> readings.Reading:
    delay_s = (fact.included_at_ms - fact.event_at_ms) // 1_000
    state = odometer.BACKFILLED if delay_s * 1_000 > odometer.BACKFILLED_MS else odometer.COUNTED
    return readings.Reading(
        fact.event_at_ms, fact.metres, fact.sequence, fact.author, fact.standing, 0, state, fact.is_acknowledged,
        False, delay_s,
    )  # fmt: skip


# --- lives --------------------------------------------------------------------------------------------------
def honest(random: Random, readings: int, authors: int = 4) -> Facts:
    """Visits of the same day, of the same month and of other years; up to three tenths of what can be driven, or hardly
    anything. Some are told weeks later."""
    at, metres, facts = BORN_MS, random.randint(0, 50) * KM, []
    for sequence in range(readings):
        hours = random.choice(((1, 30), (48, 1_440), (1_440, 9_600)))
        elapsed = random.randint(hours[0] * HOUR_MS, hours[1] * HOUR_MS)
        at += elapsed
        most = min(odometer.limit_metres(elapsed) * 3 // 10, 60_000 * KM)
        metres += random.randint(0, random.choice((5 * KM, most, most, most)))
        late = random.choice((0, 0, 5 * DAY_MS, 40 * DAY_MS))
        facts.append(Fact(at, metres, sequence, random.randrange(authors), at + random.randint(0, late)))
    return facts


def busy(random: Random, readings: int, authors: int = 8) -> Facts:
    """A life of very many readings: every one to ten days, up to 1,500 km each."""
    at, metres, facts = BORN_MS, 0, []
    for sequence in range(readings):
        at += random.randint(DAY_MS, 10 * DAY_MS)
        metres += random.randint(0, 1_500 * KM)
        facts.append(Fact(at, metres, sequence, random.randrange(authors), at + random.randint(0, 2 * DAY_MS)))
    return facts


def rolled_back(facts: Facts, place: int, metres: int) -> Facts:
    """The odometer was turned back before the reading at `place`."""
    return [fact if n < place else fact._replace(metres=max(0, fact.metres - metres)) for n, fact in enumerate(facts)]


def mistyped(random: Random, facts: Facts, place: int) -> Facts:
    """One digit replaced, lost, added, two swapped, miles for kilometres, or any number at all."""
    value = str(facts[place].metres // KM)
    at, digit = random.randrange(len(value)), random.choice("0123456789")
    wrong = random.choice((
        value[:at] + digit + value[at + 1 :], value[:at] + value[at + 1 :], value[:at] + digit + value[at:],
        value[:at] + value[at + 1 : at + 2] + value[at] + value[at + 2 :], str(int(value) * 1_609 // 1_000),
        str(random.randrange(10_000_000)),
    ))  # fmt: skip
    metres = min(int(wrong or 0), 9_999_999) * KM
    return [fact._replace(metres=metres) if n == place else fact for n, fact in enumerate(facts)]


def in_wrong_order(random: Random, facts: Facts, place: int) -> Facts:
    """A further visit up to 36 hours and 500 km after the one at `place`, and each noted with the time of the other."""
    first = facts[place]
    following = facts[place + 1] if place + 1 < len(facts) else first._replace(event_at_ms=2**50, metres=2**50)
    later = random.randint(first.event_at_ms, min(first.event_at_ms + 36 * HOUR_MS, following.event_at_ms))
    further = random.randint(first.metres, min(first.metres + 500 * KM, following.metres))
    second = Fact(later, first.metres, 1_000, random.randrange(4), later + DAY_MS)
    return sorted([*facts[:place], first._replace(metres=further), second, *facts[place + 1 :]])


def volley(random: Random, facts: Facts, author: int) -> Facts:
    """Up to four false readings of a rival, of any value or all low, all between the first and the last of the life."""
    first, last = facts[0].event_at_ms, facts[-1].event_at_ms
    highest = random.choice((10_000_000, facts[-1].metres // KM // 2 + 1))
    at, told = random.randint(first + 1, last - 1), last + random.randint(0, 100 * DAY_MS)
    return [
        Fact(
            min(at + random.randint(0, 29 * DAY_MS), last - 1), random.randrange(highest) * KM, 2_000 + n, author,
            told + random.randint(0, 89 * DAY_MS),
        )
        for n in range(random.randint(1, 4))
    ]  # fmt: skip


def backfilled(random: Random, facts: Facts) -> Fact:
    """A reading of any value from the time of the life or the year after, told more than 400 days later."""
    at = random.randint(BORN_MS, facts[-1].event_at_ms + 300 * DAY_MS)
    told = at + 401 * DAY_MS + random.randint(0, 300 * DAY_MS)
    value = random.choice((random.randrange(10_000_000) * KM, random.choice(facts).metres))
    return Fact(at, value, 3_000, random.randrange(6), told)


def shuffled(random: Random, facts: Sequence[Fact]) -> Facts:
    return random.sample(facts, len(facts))
