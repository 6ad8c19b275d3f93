"""Odometer readings: the bounded working set that the state keeps of a vehicle, with the verdict over it.

A reading is stored and judged, never refused for its value: refusing destroys the evidence and lets one typing error
lock out honest readings.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Address, OptionalTime, Time
from node.ledger.ruleset import Ruleset
from node.limits import DAY_MS
from node.rules.odometer import COUNTED, DECLARED, INDEPENDENT, TOLERANCE_METRES, Verdict, in_event_time


class Reading(Value, frozen=True):
    """One reading, in the vehicle record `sequence`. `is_declared`: see `rules.odometer.JudgedReading`."""

    event_at_ms: Time
    metres: int
    sequence: int
    is_declared: bool
    state: int = COUNTED

    @property
    def standing(self) -> int:
        return DECLARED if self.is_declared else INDEPENDENT


class ReadingsOfAuthor(Value, frozen=True):
    """The number of readings that an author has added on the day."""

    author: Address
    count: int


class NewReading(NamedTuple):
    event_at_ms: int
    metres: int
    sequence: int
    author: bytes
    group: str
    standing: str
    source: str
    is_acknowledged: bool


class Readings(Value, tag=1, frozen=True):
    """The bounded working set of one vehicle; `today` counts readings per author on block day `day`. Beyond the bound
    an `ILLOGICAL` verdict also covers the readings that were left out."""

    readings: tuple[Reading, ...]
    day: int
    today: tuple[ReadingsOfAuthor, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    likely_error: Annotated[int, Meta(ge=-1)]
    """Sequence of the record that is probably a typing error, -1 for none."""
    outliers: tuple[int, ...]
    newest_event_ms: OptionalTime

    @property
    def authors(self) -> tuple[Any, ...]:
        return ()

    def unacknowledged_within_month(self, author: bytes, now_ms: int) -> int:
        return 0

    def added_on(self, day: int) -> dict[bytes, int]:
        """The number of readings by author on a block day."""
        return {entry.author: entry.count for entry in self.today} if self.day == day else {}


ODOMETER = Family("odometer", Readings, ident=VIN_IDENT)
NO_READINGS = Readings((), 0, (), "NO_VERDICT", ("too_few",), -1, (), 0)


def _bounded(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """At most `READINGS_MAX` readings: one more displaces the one with the least information. That is the oldest
    declared reading; without any, the reading between the first and the last in event time that is closest to both its
    neighbours in metres. Padding thus displaces padding, and the rest still contradicts every later reading that
    contradicts a displaced one by more than that spread."""
    if len(readings) <= limits.READINGS_MAX:
        return readings
    displaced = next((r for r in readings if r.is_declared), None)
    if displaced is None:
        ordered = in_event_time(readings)

        def spread(place: int) -> tuple[int, int]:
            metres = [r.metres for r in ordered[place - 1 : place + 2]]
            return max(metres) - min(metres), ordered[place].sequence

        displaced = ordered[min(range(1, len(ordered) - 1), key=spread)]
    return tuple(r for r in readings if r is not displaced)


def with_reading(earlier: Readings, new: NewReading, now_ms: int, rules: Ruleset) -> Readings:
    """The working set with one more reading, judged anew: the new one together with all kept ones, full or not."""
    day = now_ms // DAY_MS
    author = new.author
    reading = Reading(new.event_at_ms, new.metres, new.sequence, new.standing == "declared")
    counts = earlier.added_on(day)
    counts[author] = counts.get(author, 0) + 1
    readings = (*earlier.readings, reading)
    judgement = rules.verdict(_counted(readings), earlier.verdict == "ILLOGICAL")
    today = tuple(ReadingsOfAuthor(author, count) for author, count in sorted(counts.items()))
    newest = max(earlier.newest_event_ms, reading.event_at_ms)
    return Readings(_bounded(readings), day, today, *judgement, newest)


def without_authors(leaf: Readings, frauds: Any) -> Readings:
    return leaf


def newest_counted(leaf: Readings) -> Reading | None:
    counted = (r for r in _counted(leaf.readings) if not r.is_declared)
    return max(counted, key=lambda r: (r.event_at_ms, r.metres), default=None)


def _counted(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    return tuple(reading for reading in readings if reading.state == COUNTED)


def with_state(leaf: Readings, sequence: int, state: int, rules: Ruleset) -> Readings:
    readings = tuple(replace(r, state=state) if r.sequence == sequence else r for r in leaf.readings)
    if readings == leaf.readings:
        return leaf
    return Readings(
        readings, leaf.day, leaf.today, *rules.verdict(_counted(readings), False), leaf.newest_event_ms
    )  # fmt: skip


def reading_of(leaf: Readings, sequence: int) -> Reading | None:
    return next((r for r in leaf.readings if r.sequence == sequence), None)


def may_amend_alone(leaf: Readings, sequence: int, new_metres: int, now_ms: int) -> bool:
    reading = reading_of(leaf, sequence)
    return reading is not None and (new_metres >= reading.metres - TOLERANCE_METRES or leaf.likely_error == sequence)
