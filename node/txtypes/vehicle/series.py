"""Odometer series: every kept reading of a car with its state, and the verdict in sentences, for readers."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, Literal, get_args

from node.ledger.family import AsOf, Reader, View, extended
from node.ledger.fields import Address, OptionalTime, Time, Vin
from node.rules import odometer, verdict
from node.rules.odometer import SOURCE_CODES, Unit, Verdict
from node.rules.verdict import distances, judged
from node.txtypes.members.member import name_of
from node.txtypes.vehicle.instruments import distance_of, offset_at
from node.txtypes.vehicle.odometer import Standing
from node.txtypes.vehicle.readings import Explanation, Reading, Readings, Segment, series_of
from node.txtypes.vehicle.vehicle import Vehicle, readings_now

ReadingState = Literal["counted", "superseded", "excluded", "backfilled"]
_STATES: Final[tuple[ReadingState, ...]] = get_args(ReadingState)
_STANDINGS: Final[tuple[Standing, ...]] = get_args(Standing)
_SOURCES: Final = {code: source for source, code in SOURCE_CODES.items()}
_METRES: Final = {"km": 1_000, "mi": 1_609}
"""Of one unit, for a sentence that says about how many."""
VERDICTS: Final[dict[str, str]] = {
    "LOGICAL": "the readings agree with each other",
    "CONTESTED": "the readings contradict each other, and one mistake would explain it",
    "ILLOGICAL": "the readings contradict each other, and no single mistake explains it",
    "NO_VERDICT": "the readings tell too little for a verdict",
}


class ReadingView(View, frozen=True):
    """One odometer reading. `metres`: what the instrument showed; `distance_metres`: how far the car has gone by it,
    over all instruments. `segment`: the place of its instrument in `segments`, from 1; 0 for the car's first one.
    `digit_slip`: a slip of the pen that would explain a reading that contradicts others, as a hint; else empty."""

    sequence: int
    event_at_ms: Time
    metres: int
    distance_metres: int
    author: Address
    author_name: str
    standing: Standing
    state: ReadingState
    source: str
    segment: int
    is_acknowledged: bool
    sources_differ: bool
    delay_s: int
    digit_slip: str


class ExplanationView(Explanation, frozen=True):
    """A mistake that would explain why readings contradict each other. It never says who made it."""

    sentence: str


class OdometerSeries(View, frozen=True):
    """The odometer of a car as its readings count now. `coverage_per_mille`: the share of the time since the car is on
    this chain that lies between independent readings of two parties. `corrections`: readings that their authors
    mended. `parallel_life`: as in the buyer's report."""

    vin: Vin
    unit: Unit
    verdict: Verdict
    sentence: str
    reasons: tuple[str, ...]
    explanations: tuple[ExplanationView, ...]
    outliers: tuple[int, ...]
    coverage_per_mille: int
    corrections: int
    left_out: int
    newest_event_ms: OptionalTime
    parallel_life: bool
    segments: tuple[Segment, ...]
    readings: tuple[ReadingView, ...]

    @staticmethod
    def of(ident: str, vehicle: Vehicle, reader: Reader, as_of: AsOf, *, parallel_life: bool) -> OdometerSeries:
        leaf = readings_now(reader, ident, as_of.rules)
        doubted = {sequence for pair in leaf.pinned for sequence in (pair.earlier, pair.later)}
        doubted.update(sequence for explanation in leaf.explanations for sequence in explanation.sequences)
        return OdometerSeries(
            vin=ident, unit=vehicle.odometer_unit, verdict=leaf.verdict, sentence=VERDICTS[leaf.verdict],
            reasons=leaf.reasons, explanations=explained(leaf, vehicle.odometer_unit), outliers=leaf.outliers,
            coverage_per_mille=coverage(leaf, vehicle.covered_since_ms, as_of.now_ms), corrections=leaf.corrections,
            left_out=leaf.left_out, newest_event_ms=leaf.newest_event_ms,
            parallel_life=parallel_life, segments=leaf.segments,
            readings=tuple(
                _reading_view(leaf, reading, reader, digit_slip(leaf, reading.sequence, vehicle.odometer_unit)
                              if reading.sequence in doubted else "")
                for reading in leaf.readings
            ),
        )  # fmt: skip


def _reading_view(leaf: Readings, reading: Reading, reader: Reader, slip: str) -> ReadingView:
    author = leaf.authors[reading.author].address
    return ReadingView(
        reading.sequence, reading.event_at_ms, reading.metres, distance_of(leaf, reading), author,
        name_of(reader, author),
        _STANDINGS[reading.standing], _STATES[reading.state], _SOURCES[reading.source],
        bisect_right(leaf.segments, reading.event_at_ms, key=lambda segment: segment.from_event_ms),
        reading.is_acknowledged, reading.sources_differ, reading.delay_s, slip,
    )  # fmt: skip


def explained(leaf: Readings, unit: str) -> tuple[ExplanationView, ...]:
    """The explanations with a sentence for each."""
    return tuple(
        extended(ExplanationView, explanation, sentence=sentence_of(leaf, explanation, unit))
        for explanation in leaf.explanations
    )


def sentence_of(leaf: Readings, explanation: Explanation, unit: str) -> str:
    """An explanation as a sentence: the readings that it names are wrong, or the odometer was turned back by their
    largest fall."""
    by_sequence: dict[int, list[tuple[int, int]]] = {}
    for reading, distance in zip(leaf.readings, distances(leaf.readings, leaf.segments), strict=True):
        by_sequence.setdefault(reading.sequence, []).append((reading.event_at_ms, distance))
    named = [place for sequence in explanation.sequences for place in by_sequence.get(sequence, ())]
    others = [place for sequence in explanation.contradicts for place in by_sequence.get(sequence, ())]
    places = sorted([*named, *others])
    falls = [earlier[1] - later[1] for n, earlier in enumerate(places) for later in places[n + 1 :]]
    amount = max([0, *falls]) // _METRES[unit]
    subject = "this reading is" if len(explanation.sequences) == 1 else "these readings are"
    return f"either {subject} wrong or the odometer was turned back by about {amount:,} {unit}"


def coverage(leaf: Readings, covered_since_ms: int, now_ms: int) -> int:
    """The covered share of the car's life, per mille. See `rules.verdict.coverage`."""
    return verdict.coverage(series_of(leaf), covered_since_ms, now_ms)


def digit_slip(leaf: Readings, sequence: int, unit: str) -> str:
    """The slip of the pen that would bring a reading between its neighbours in event time; empty for none. See
    `rules.odometer.digit_slip`."""
    ordered = judged(leaf.readings)
    place = next((n for n, reading in enumerate(ordered) if reading.sequence == sequence), None)
    if place is None or len(ordered) < 2:
        return ""
    reading, offset = ordered[place], offset_at(leaf, ordered[place].event_at_ms)
    metres = [r.metres + offset_at(leaf, r.event_at_ms) - offset for r in ordered]
    least = metres[place - 1] if place else 0
    if place + 1 < len(ordered):
        most = metres[place + 1]
    else:
        most = least + odometer.limit_metres(reading.event_at_ms - ordered[place - 1].event_at_ms)
    return "" if least <= reading.metres <= most else odometer.digit_slip(reading.metres, unit, least, most)
