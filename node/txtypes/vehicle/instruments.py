"""The instruments of a car: from which event on each counts, and how far the car has gone over all of them."""

from __future__ import annotations

from bisect import bisect_right

from msgspec.structs import replace

from node.ledger.ruleset import Ruleset
from node.rules.verdict import is_judged
from node.txtypes.vehicle.readings import Reading, Readings, Segment, judged_anew


def offset_at(leaf: Readings, event_at_ms: int) -> int:
    """The offset in metres of the instrument at a time: distance is the reading plus the offset."""
    found = bisect_right(leaf.segments, event_at_ms, key=lambda segment: segment.from_event_ms)
    return leaf.segments[found - 1].offset_metres if found else 0


def replacement_offset(leaf: Readings, event_at_ms: int, old_metres: int | None, new_metres: int) -> int:
    """The offset of an instrument that shows `new_metres` where the old one showed `old_metres`, or nothing. The car
    has gone as far as its newest judged reading before, or as the old instrument, whichever is further."""
    before = [r for r in leaf.readings if is_judged(r) and r.event_at_ms <= event_at_ms]
    known = [r.metres + offset_at(leaf, r.event_at_ms) for r in before[-1:]]
    if old_metres is not None:
        known.append(old_metres + offset_at(leaf, event_at_ms))
    return max(known, default=new_metres) - new_metres


def rollover_offset(leaf: Readings, event_at_ms: int, wrap_metres: int) -> int:
    """The offset after an instrument has run past its last digit. `wrap_metres`: the distance from zero to that
    digit."""
    return offset_at(leaf, event_at_ms) + wrap_metres


def with_segment(leaf: Readings, segment: Segment, rules: Ruleset) -> Readings:
    """The working set with another instrument from an event on, before its reading is added. Later instruments count on
    from it. The caller ensures that there are fewer than `ODOMETER_SEGMENTS_MAX`."""
    at = bisect_right(leaf.segments, segment.from_event_ms, key=lambda known: known.from_event_ms)
    further = segment.offset_metres - offset_at(leaf, segment.from_event_ms)
    after = (replace(known, offset_metres=known.offset_metres + further) for known in leaf.segments[at:])
    return judged_anew(replace(leaf, segments=(*leaf.segments[:at], segment, *after)), rules)


def without_segment(leaf: Readings, sequence: int, rules: Ruleset) -> Readings:
    """As if the record had not told of another instrument. Those that followed count on from the one before it."""
    at = next((n for n, segment in enumerate(leaf.segments) if segment.sequence == sequence), -1)
    if at < 0:
        return leaf
    before = leaf.segments[at - 1].offset_metres if at else 0
    further = leaf.segments[at].offset_metres - before
    after = (replace(known, offset_metres=known.offset_metres - further) for known in leaf.segments[at + 1 :])
    return judged_anew(replace(leaf, segments=(*leaf.segments[:at], *after)), rules)


def distance_of(leaf: Readings, reading: Reading) -> int:
    """Metres that the car has gone by a reading, over all its instruments. If a replacement is not proven (see
    `JudgedSegment.is_proven`), the distance before it is what its record states."""
    return reading.metres + offset_at(leaf, reading.event_at_ms)


def highest_distance(leaf: Readings, until_ms: int) -> int:
    """The greatest distance, in metres, that a judged reading up to a time shows, but for one that others contradict
    and that nobody can have driven to, and for a volley: a false reading would end a warranty."""
    doubted = _implausible(leaf)
    judged_until = (r for r in leaf.readings if is_judged(r) and r.event_at_ms <= until_ms)
    shown = (r.metres + offset_at(leaf, r.event_at_ms) for r in judged_until if r.sequence not in doubted)
    return max(shown, default=0)


def _implausible(leaf: Readings) -> set[int]:
    """Sequences of the readings that are probably a typing error or a volley."""
    named = (e.sequences for e in leaf.explanations if e.typing_error_likely or len(e.sequences) > 1)
    return {sequence for sequences in named for sequence in sequences}
