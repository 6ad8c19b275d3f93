"""The odometer readings of a vehicle that the state keeps: a bounded working set with the verdict over it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node import limits
from node.codec import Value
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Address, Time
from node.ledger.ruleset import Ruleset
from node.limits import DAY_MS
from node.rules.odometer import Verdict, in_event_time


class Reading(Value, frozen=True):
    """One reading. `sequence`: the vehicle record that contains it. `is_declared`: by a party without accreditation:
    shown, never counted against others."""

    event_at_ms: Time
    metres: int
    sequence: int
    is_declared: bool


class ReadingsOfAuthor(Value, frozen=True):
    """How many readings an author has added on the day."""

    author: Address
    count: int


class Readings(Value, tag=1, frozen=True):
    """The working set of one vehicle: bounded; `today` counts readings per author on block day `day`. Beyond the bound
    an `ILLOGICAL` verdict also covers the readings that were left out."""

    readings: tuple[Reading, ...]
    day: int
    today: tuple[ReadingsOfAuthor, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    likely_error: Annotated[int, Meta(ge=-1)]
    """Sequence of the record that is probably a typing error, -1 for none."""
    outliers: tuple[int, ...]
    newest_event_ms: Time

    def added_today(self, author: bytes, now_ms: int) -> int:
        """How many readings the author has added on the block day of `now_ms`."""
        if self.day != now_ms // DAY_MS:
            return 0
        return next((entry.count for entry in self.today if entry.author == author), 0)


ODOMETER = Family("odometer", Readings, ident=VIN_IDENT)
NO_READINGS = Readings((), 0, (), "NO_VERDICT", ("too_few",), -1, (), 0)


def _bounded(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """At most `READINGS_MAX` readings, chosen so that as little as possible is forgotten.

    Declared readings go first, the oldest of them. Else the one that says least: between the first and the last in
    event time, that which is closest to both its neighbours in metres. Padding thus displaces padding, and what is
    left still finds every later reading that contradicts a forgotten one by more than that spread.
    """
    if len(readings) <= limits.READINGS_MAX:
        return readings
    gone = next((r for r in readings if r.is_declared), None)
    if gone is None:
        ordered = in_event_time(readings)

        def spread(place: int) -> tuple[int, int]:
            metres = [r.metres for r in ordered[place - 1 : place + 2]]
            return max(metres) - min(metres), ordered[place].sequence

        gone = ordered[min(range(1, len(ordered) - 1), key=spread)]
    return tuple(r for r in readings if r is not gone)


def with_reading(known: Readings, reading: Reading, author: bytes, now_ms: int, rules: Ruleset) -> Readings:
    """`known` with one more reading, judged anew: the new one together with all that are kept, full or not."""
    day = now_ms // DAY_MS
    counts = {entry.author: entry.count for entry in known.today} if known.day == day else {}
    counts[author] = counts.get(author, 0) + 1
    readings = (*known.readings, reading)
    judged = rules.verdict(readings, known.verdict == "ILLOGICAL")
    return Readings(
        _bounded(readings),
        day,
        tuple(ReadingsOfAuthor(author, count) for author, count in sorted(counts.items())),
        judged.verdict,
        judged.reasons,
        judged.likely_error,
        judged.outliers,
        max(known.newest_event_ms, reading.event_at_ms),
    )
