"""The bounded working set of odometer readings that the state keeps of a vehicle, with the verdict over it.

The functions are pure: each takes a `Readings` and returns another, judged anew, or an answer about it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, NamedTuple

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.hashing import tagged
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Address, OptionalTime, Time
from node.ledger.ruleset import Ruleset
from node.limits import DAY_MS
from node.rules import odometer, verdict
from node.rules.odometer import BACKFILLED, COUNTED, DECLARED, EXCLUDED, SUPERSEDED, Verdict
from node.rules.verdict import Series, in_order, included_at_ms, is_judged, judged
from node.txtypes.vehicle.activity import Activity, aged, with_record


class Reading(Value, frozen=True):
    """One odometer reading, in the vehicle record `sequence`. `author`: its place in `Readings.authors`. `standing`,
    `source` and `state` are codes of `rules.odometer`. `delay_s`: whole seconds from the event to the block that
    included it."""

    event_at_ms: Time
    metres: int
    sequence: int
    author: int
    standing: int
    source: int
    state: int
    is_acknowledged: bool
    sources_differ: bool
    delay_s: int


class Author(Value, frozen=True):
    """An author of readings. `group`: `group_key` of the group that the author declared when it last added a reading.
    All readings of one group count as one party's; an empty group is none."""

    address: Address
    group: Annotated[bytes, Meta(max_length=8)]


class Segment(Value, frozen=True):
    """An instrument of the car, which counts from an event on; the record `sequence` tells of it, included at
    `told_at_ms`. `proven_by`: on whose word it is proven, the witness's or else the author's. See
    `rules.verdict.JudgedSegment`."""

    sequence: int
    from_event_ms: Time
    offset_metres: int
    is_proven: bool
    is_rollover: bool
    told_at_ms: OptionalTime = 0
    proven_by: Annotated[bytes, Meta(max_length=20)] = b""


class Explanation(Value, frozen=True):
    """See `rules.verdict.Explanation`."""

    sequences: tuple[int, ...]
    contradicts: tuple[int, ...]
    typing_error_likely: bool


class Pair(Value, frozen=True):
    """Two readings on which the verdict rests, by their sequences. The first pair of a list has the largest fall."""

    earlier: int
    later: int


class Readings(Value, tag=1, frozen=True):
    """The bounded working set of one vehicle, `readings` in the order of event time and metres. `left_out`: how many
    judged readings the bound has cost. `corrections`: how many readings were mended by amendments; `lowered`: how many
    of them for a lower reading or none, with a witness. `newest_event_ms`: of the judged readings that are not
    backfilled. `day`: the block day of the newest record, for `activity`."""

    authors: tuple[Author, ...]
    readings: tuple[Reading, ...]
    segments: tuple[Segment, ...]
    pinned: tuple[Pair, ...]
    left_out: int
    verdict: Verdict
    reasons: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    outliers: tuple[int, ...]
    corrections: int
    lowered: int
    newest_event_ms: OptionalTime
    day: int
    activity: tuple[Activity, ...]


ODOMETER = Family("odometer", Readings, ident=VIN_IDENT)
NO_READINGS = Readings((), (), (), (), 0, "NO_VERDICT", ("too_few",), (), (), 0, 0, 0, 0, ())


class NewReading(NamedTuple):
    """A reading as its record states it. `standing` and `source`: codes of `rules.odometer`. `is_acknowledged`: the
    holder signed, or an agent of the holder who is not related to the author."""

    event_at_ms: int
    metres: int
    sequence: int
    standing: int = odometer.INDEPENDENT
    source: int = odometer.SOURCE_CODES["cluster"]
    is_acknowledged: bool = False
    sources_differ: bool = False


# --- judging ------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1_024)
def group_key(group: str) -> bytes:
    """The key of a group in the state: eight bytes of `H("bmw/group", name)`, empty for no group."""
    return tagged("bmw/group", group.encode())[:8] if group else b""


def _parties(authors: tuple[Author, ...]) -> list[int]:
    """For each author, the place of the first author of the same group."""
    first: dict[bytes, int] = {}
    return [first.setdefault(a.group, n) if a.group else n for n, a in enumerate(authors)]


def series_of(leaf: Readings, has_excluded_author: bool = False) -> Series:
    """What is to be judged."""
    return Series(
        leaf.readings, _parties(leaf.authors), leaf.segments, leaf.left_out > 0, has_excluded_author, leaf.lowered > 0
    )  # fmt: skip


def judged_anew(leaf: Readings, rules: Ruleset, has_excluded_author: bool = False) -> Readings:
    """The working set with the verdict over it."""
    found = rules.verdict(series_of(leaf, has_excluded_author))
    newest = newest_counted(leaf)
    return replace(
        leaf, verdict=found.verdict, reasons=found.reasons, outliers=found.outliers,
        explanations=tuple(Explanation(*explanation) for explanation in found.explanations),
        pinned=tuple(Pair(*pair) for pair in found.pinned),
        newest_event_ms=0 if newest is None else newest.event_at_ms,
    )  # fmt: skip


def newest_counted(leaf: Readings) -> Reading | None:
    """The newest judged reading in event time that is not backfilled."""
    for reading in reversed(leaf.readings):
        if reading.state == COUNTED and reading.standing != DECLARED:
            return reading
    return None


# --- one more reading ---------------------------------------------------------------------------------------
def with_reading(
    earlier: Readings, new: NewReading, author: bytes, group: str, now_ms: int, rules: Ruleset
) -> Readings:
    """The working set after one more reading. The reading is judged together with all kept ones, even if the set is
    full; then one reading is dropped to stay within the bound."""
    leaf, place = _with_author(earlier, Author(author, group_key(group)), new.standing)
    if place < 0:
        return leaf
    activity = with_record(leaf.activity, leaf.day, now_ms // DAY_MS, place, new.is_acknowledged)
    delay_s = (now_ms - new.event_at_ms) // 1_000
    reading = Reading(
        new.event_at_ms, new.metres, new.sequence, place, new.standing, new.source, _state_when_counted(delay_s),
        new.is_acknowledged, new.sources_differ, delay_s,
    )  # fmt: skip
    if leaf.authors[: len(earlier.authors)] == earlier.authors and _plainly_rises(earlier, reading):
        return replace(
            leaf, readings=(*leaf.readings, reading), newest_event_ms=reading.event_at_ms, day=now_ms // DAY_MS,
            activity=activity,
        )  # fmt: skip
    at = bisect_right(leaf.readings, in_order(reading), key=in_order)
    readings = (*leaf.readings[:at], reading, *leaf.readings[at:])
    is_beyond = len(readings) > limits.READINGS_MAX
    left_out = leaf.left_out + (is_beyond and all(map(is_judged, readings)))
    leaf = replace(leaf, readings=readings, left_out=left_out, day=now_ms // DAY_MS, activity=activity)
    leaf = judged_anew(leaf, rules)
    return _bounded(leaf) if is_beyond else leaf


def _plainly_rises(earlier: Readings, reading: Reading) -> bool:
    """Whether a reading leaves the verdict and all its details as they are: it is the first of the car; or the verdict
    is `LOGICAL` and it is the last and the highest, not too far from the one before, neither from another party where
    there was one, nor of another sort. Most readings are such."""
    is_plain = reading.state == COUNTED and reading.standing != DECLARED and not reading.sources_differ
    if not is_plain or reading.source == odometer.SOURCE_CODES["history"]:
        return False
    if earlier is NO_READINGS:
        return True
    if earlier.verdict != "LOGICAL" or earlier.segments or len(earlier.readings) >= limits.READINGS_MAX:
        return False
    last = earlier.readings[-1]
    is_of_known_sort = not earlier.reasons or (earlier.reasons == ("one_author",) and reading.author == last.author)
    return (
        is_of_known_sort and not earlier.outliers and last.state == COUNTED and last.standing != DECLARED
        and last.event_at_ms <= reading.event_at_ms
        and reading.metres - last.metres <= odometer.LIMIT_LEAST_METRES
        and reading.metres >= max([r.metres for r in earlier.readings])
    )  # fmt: skip


def is_backfilled(delay_s: int) -> bool:
    """Whether a record was included too late after its event, `delay_s` seconds."""
    return delay_s * 1_000 > odometer.BACKFILLED_MS


def _state_when_counted(delay_s: int) -> int:
    return BACKFILLED if is_backfilled(delay_s) else COUNTED


def _bounded(leaf: Readings) -> Readings:
    """The working set without the reading that carries the least information. That is the declared reading of the
    oldest record; without any, the superseded or excluded one of the oldest record; without any, the one that is
    closest in metres to both its neighbours and that no verdict rests on. So padding displaces padding, and the rest
    still contradicts every later reading that contradicts a displaced one by more than that spread."""
    if others := [r for r in leaf.readings if not is_judged(r)]:
        displaced = min(others, key=lambda r: (r.standing != DECLARED, r.sequence))
    else:
        metres = verdict.distances(leaf.readings, leaf.segments)
        kept = _never_left_out(leaf)

        def spread(place: int) -> tuple[int, int]:
            around = metres[place - 1 : place + 2]
            return max(around) - min(around), leaf.readings[place].sequence

        displaced = leaf.readings[min((n for n, r in enumerate(leaf.readings) if r.sequence not in kept), key=spread)]
    return replace(leaf, readings=tuple(r for r in leaf.readings if r is not displaced))


def _never_left_out(leaf: Readings) -> set[int]:
    """Sequences of the readings that the verdict rests on: the pinned ones, the first and the last, and of those that
    are not backfilled the first and the last of two parties, between which a volley can lie."""
    kept = {sequence for pair in leaf.pinned for sequence in (pair.earlier, pair.later)}
    ordered, parties = judged(leaf.readings), _parties(leaf.authors)
    kept.update(r.sequence for r in (*ordered[:1], *ordered[-1:]))
    for timely in ([r for r in ordered if r.state == COUNTED], [r for r in reversed(ordered) if r.state == COUNTED]):
        other = next((r for r in timely if parties[r.author] != parties[timely[0].author]), None)
        kept.update(r.sequence for r in (*timely[:1], other) if r is not None)
    return kept


def _with_author(leaf: Readings, author: Author, standing: int) -> tuple[Readings, int]:
    """(the working set with the author, the author's place). Beyond the bound, the author with the fewest judged
    readings is dropped with them. An author of a declared reading displaces no judged one; if that leaves nobody to
    drop, the place is -1."""
    for place, known in enumerate(leaf.authors):
        if known.address == author.address:
            if known.group == author.group:
                return leaf, place
            return replace(leaf, authors=_with_entry(leaf.authors, place, author)), place
    if len(leaf.authors) < limits.READING_AUTHORS_MAX:
        return replace(leaf, authors=(*leaf.authors, author)), len(leaf.authors)
    kept = _never_left_out(leaf)
    needed = {r.author for r in leaf.readings if r.sequence in kept}
    judged_of = Counter(r.author for r in leaf.readings if is_judged(r))
    active = {entry.author for entry in leaf.activity}
    free = [n for n in range(len(leaf.authors)) if n not in needed and not (standing == DECLARED and judged_of[n])]
    place = min(free, key=lambda n: (judged_of[n], n in active, n), default=-1)
    if place < 0:
        return leaf, place
    return replace(
        leaf, authors=_with_entry(leaf.authors, place, author), left_out=leaf.left_out + judged_of[place],
        readings=tuple(r for r in leaf.readings if r.author != place),
        activity=tuple(entry for entry in leaf.activity if entry.author != place),
    ), place  # fmt: skip


def _with_entry(authors: tuple[Author, ...], place: int, author: Author) -> tuple[Author, ...]:
    return (*authors[:place], author, *authors[place + 1 :])


# --- counts of an author ------------------------------------------------------------------------------------
def activity_of(leaf: Readings, author: bytes, now_ms: int) -> tuple[int, int]:
    """(an author's readings on the block day, its records without the holder's signature). The latter are counted over
    three periods, the last 30 to 45 days, so no 30 days have more than a quota."""
    for entry in aged(leaf.activity, leaf.day, now_ms // DAY_MS):
        if leaf.authors[entry.author].address == author:
            return entry.today, entry.recent + entry.before + entry.earlier
    return 0, 0


def taken_back(leaf: Readings, author: bytes, since_ms: int) -> int:
    """How many readings that the holder has not signed, included since then, their author has taken back."""
    return leaf.corrections and sum(
        r.state == SUPERSEDED and not r.is_acknowledged and leaf.authors[r.author].address == author
        and included_at_ms(r) >= since_ms for r in leaf.readings
    )  # fmt: skip


def with_silent_record(leaf: Readings, author: bytes, group: str, now_ms: int) -> Readings:
    """The working set with one more record of an author that has no reading and no signature of the holder. It changes
    no verdict: an author who is not known yet takes no place of one with judged readings, and is then not counted."""
    place = next((n for n, known in enumerate(leaf.authors) if known.address == author), -1)
    if place < 0:
        leaf, place = _with_author(leaf, Author(author, group_key(group)), DECLARED)
    if place < 0:
        return leaf
    day = now_ms // DAY_MS
    activity = with_record(leaf.activity, leaf.day, day, place, is_acknowledged=False, has_reading=False)
    return replace(leaf, day=day, activity=activity)


# --- readings that count no more, and other instruments -------------------------------------------------------
def with_state(leaf: Readings, sequence: int, state: int, rules: Ruleset, *, is_lowered: bool = False) -> Readings:
    """With the reading of a record superseded by an amendment, excluded by a decision, or counted again. One that was
    left out changes nothing but the numbers of corrections. `is_lowered`: see `lowers`."""
    readings = tuple(
        replace(r, state=_state_when_counted(r.delay_s) if state == COUNTED else state) if r.sequence == sequence else r
        for r in leaf.readings
    )
    corrections = leaf.corrections + (state == SUPERSEDED)
    lowered = leaf.lowered + is_lowered
    return judged_anew(replace(leaf, readings=readings, corrections=corrections, lowered=lowered), rules)


def without_authors(leaf: Readings, frauds: Mapping[bytes, int], rules: Ruleset) -> Readings:
    """The working set without the readings of authors in `frauds` (address: since when) whose event or inclusion is not
    before that time. If there are any, the verdict has the reason `author_excluded`."""
    kept = with_excluded(leaf, frauds)
    return leaf if kept is leaf else judged_anew(kept, rules, has_excluded_author=True)


def with_excluded(leaf: Readings, frauds: Mapping[bytes, int]) -> Readings:
    """The working set with the readings of the authors in `frauds` excluded, and the instruments that are proven on
    their word unproven, without judging it anew."""
    since = [frauds.get(author.address) for author in leaf.authors]

    def is_excluded(reading: Reading) -> bool:
        from_ms = since[reading.author]
        return from_ms is not None and is_judged(reading) and _is_since(reading, from_ms)

    doubted = [segment for segment in leaf.segments if segment.is_proven and _is_doubted(segment, frauds)]
    is_any = any(from_ms is not None for from_ms in since) and any(map(is_excluded, leaf.readings))
    if not is_any and not doubted:
        return leaf
    return replace(
        leaf, readings=tuple(replace(r, state=EXCLUDED) if is_excluded(r) else r for r in leaf.readings),
        segments=tuple(replace(s, is_proven=False) if s in doubted else s for s in leaf.segments),
    )  # fmt: skip


def _is_doubted(segment: Segment, frauds: Mapping[bytes, int]) -> bool:
    since = frauds.get(segment.proven_by)
    return since is not None and max(segment.from_event_ms, segment.told_at_ms) >= since


def _is_since(reading: Reading, since_ms: int) -> bool:
    return reading.event_at_ms >= since_ms or included_at_ms(reading) + 999 >= since_ms


# --- answers ------------------------------------------------------------------------------------------------
def reading_of(leaf: Readings, sequence: int) -> Reading | None:
    """The reading of a record, None if it was dropped or never existed."""
    return next((r for r in leaf.readings if r.sequence == sequence), None)


def distance_told(leaf: Readings, sequence: int) -> int:
    """The greatest distance that a judged reading of a record shows, apart from an instrument that the record tells of;
    -1 for none. The record of an import has several readings."""
    segments = [segment for segment in leaf.segments if segment.sequence != sequence]
    told = zip(leaf.readings, verdict.distances(leaf.readings, segments), strict=True)
    return max((metres for r, metres in told if r.sequence == sequence and is_judged(r)), default=-1)


def may_amend_alone(
    leaf: Readings, sequence: int, new_metres: int, now_ms: int, *, is_replacement: bool = False
) -> bool:
    """Whether the author may put another value in place of a reading without a witness: within 28 days of its
    inclusion, and unless that lowers it or its record told of another instrument. False where the reading was left
    out."""
    reading = reading_of(leaf, sequence)
    if reading is None or now_ms - included_at_ms(reading) > odometer.AMEND_ALONE_MS:
        return False
    if any(segment.sequence == sequence for segment in leaf.segments):
        return False
    return not lowers(leaf, sequence, new_metres, is_replacement=is_replacement)


def lowers(leaf: Readings, sequence: int, new_metres: int, *, is_replacement: bool = False) -> bool:
    """Whether another distance, -1 for none, takes a judged reading back by more than the tolerance, and the reading is
    not probably a typing error. One that its author has put in the place of another is not called so, and has no
    tolerance: else it would be dated such that it looks like one, or go down in steps. Of one that was left out nobody
    can tell: False."""
    told = distance_told(leaf, sequence)
    if told < 0 or new_metres >= told - (0 if is_replacement else odometer.TOLERANCE_METRES):
        return False
    is_alone = sum(r.sequence == sequence for r in leaf.readings) == 1
    return is_replacement or not is_alone or not verdict.is_overstated(series_of(leaf), sequence)
