"""The verdict over a vehicle's odometer readings: a function of their set, whatever order they came in.

Where readings contradict each other the verdict names each mistake that would explain it, and what that mistake
contradicts; never who lied. One wrong reading, wherever it stands, never makes a car `ILLOGICAL`; a rollback with one
witness on a side is `CONTESTED`, with two on both sides `ILLOGICAL`.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from itertools import islice, pairwise
from operator import attrgetter, le
from typing import Final, NamedTuple, Protocol, TypeVar

from node.rules import odometer
from node.rules.odometer import BACKFILLED, COUNTED, DECLARED, INDEPENDENT, SOURCE_CODES, Verdict, limit_metres

PINNED_MAX: Final = 8
"""The number of pairs of readings that are never dropped."""
NAMED_MAX: Final = 8
"""The number of readings that an explanation names on each side: the newest in event time."""
OUTLIERS_MAX: Final = 8
"""The number of outliers that a verdict names: the newest in event time."""
REASONS: Final = (
    "decreasing", "one_reading", "volley", "too_few", "limit", "replaced", "rollover", "one_author", "outliers",
    "jump_confirmed", "pre_chain", "replaced_proven", "rollover_proven", "sources_differ", "author_excluded",
    "lowered",
)  # fmt: skip
"""Every reason, in the order in which a verdict gives them."""


# --- what is judged ---------------------------------------------------------------------------------------
class JudgedReading(Protocol):
    """A reading, in the vehicle record `sequence`. `author`: its place in `Series.parties`. `standing`, `state` and
    `source`: see the constants. `delay_s`: whole seconds from the event to the block that included it."""

    @property
    def event_at_ms(self) -> int: ...

    @property
    def metres(self) -> int: ...

    @property
    def sequence(self) -> int: ...

    @property
    def author(self) -> int: ...

    @property
    def standing(self) -> int: ...

    @property
    def source(self) -> int: ...

    @property
    def state(self) -> int: ...

    @property
    def is_acknowledged(self) -> bool: ...

    @property
    def sources_differ(self) -> bool: ...

    @property
    def delay_s(self) -> int: ...


class JudgedSegment(Protocol):
    """An instrument of the car from an event on: distance is `offset_metres` plus the reading. A segment that is not
    proven cannot be compared with those before it."""

    @property
    def from_event_ms(self) -> int: ...

    @property
    def offset_metres(self) -> int: ...

    @property
    def is_proven(self) -> bool: ...

    @property
    def is_rollover(self) -> bool: ...


class Series(NamedTuple):
    """The readings of one car, in any order. `parties`: by author, a number that authors of one group share.
    `segments`: in event time. `is_beyond_bound`: judged readings were left out. `has_excluded_author`: readings were
    left uncounted since their author was found a fraud. `is_lowered`: an author has taken a reading back for a lower
    one, or for none, which it could not do alone."""

    readings: Sequence[JudgedReading]
    parties: Sequence[int]
    segments: Sequence[JudgedSegment] = ()
    is_beyond_bound: bool = False
    has_excluded_author: bool = False
    is_lowered: bool = False


class Explanation(NamedTuple):
    """A mistake that would explain why readings fall: those of `sequences` are wrong, else those of `contradicts` are
    or the odometer was turned back. Sequences of records, at most `NAMED_MAX` each. Several readings of one author may
    contradict nothing but each other."""

    sequences: tuple[int, ...]
    contradicts: tuple[int, ...]
    typing_error_likely: bool


class Judgement(NamedTuple):
    """The verdict over a series, with what it rests on. `outliers`: sequences of records whose distance from the
    reading before is more than a car can cover in the time between. `pinned`: sequences of at most `PINNED_MAX` pairs
    of readings on which a verdict of a fall rests."""

    verdict: Verdict
    reasons: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    outliers: tuple[int, ...]
    pinned: tuple[tuple[int, int], ...]


R = TypeVar("R", bound=JudgedReading)
in_order: Final = attrgetter("event_at_ms", "metres", "sequence")
"""The key by which readings are ordered: event time, then distance."""


def is_judged(reading: JudgedReading) -> bool:
    return reading.standing != DECLARED and (reading.state == COUNTED or reading.state == BACKFILLED)


def judged(readings: Iterable[R]) -> list[R]:
    """The readings that a verdict is about, in event time."""
    return sorted(filter(is_judged, readings), key=in_order)


# --- falls ------------------------------------------------------------------------------------------------
_HISTORY: Final = SOURCE_CODES["history"]
_APART: Final = 2**48
"""Above any distance: what a segment that is not proven lies above those before it, so nothing falls below them."""


def distances(readings: Sequence[JudgedReading], segments: Sequence[JudgedSegment]) -> list[int]:
    """The distance of the car at each reading, in metres. An unproven segment is placed `_APART` above the one
    before."""
    if not segments:
        return [r.metres for r in readings]
    starts, offsets, unproven = [s.from_event_ms for s in segments], [0], 0
    for segment in segments:
        unproven += not segment.is_proven
        offsets.append(segment.offset_metres + unproven * _APART)
    return [r.metres + offsets[bisect_right(starts, r.event_at_ms)] for r in readings]


Fall = tuple[int, int, int]
"""(metres, place of the earlier reading, place of the later one, which is more than the tolerance lower)."""


def _falls(events: Sequence[int], course: Sequence[int]) -> list[Fall]:
    """Each reading that falls, with the one that it falls furthest below. Linear: every validator judges a block of
    full series. The highest reading of more than `NEAR_MS` ago stands for all of them, and `near` has the later ones
    that no later one is above, highest first; of equals the first counts."""
    if all(map(le, course, islice(course, 1, None))):
        return []
    falls: list[Fall] = []
    near: deque[int] = deque()
    highest, first_near = -1, 0
    for place, event in enumerate(events):
        while event - events[first_near] > odometer.NEAR_MS:
            if highest < 0 or course[first_near] > course[highest]:
                highest = first_near
            first_near += 1
        while near and near[0] < first_near:
            near.popleft()
        metres, earlier = 0, -1
        if near and (fall := course[near[0]] - course[place]) > odometer.NEAR_TOLERANCE_METRES:
            metres, earlier = fall, near[0]
        if highest >= 0 and (fall := course[highest] - course[place]) > max(odometer.TOLERANCE_METRES, metres - 1):
            metres, earlier = fall, highest
        if earlier >= 0:
            falls.append((metres, earlier, place))
        while near and course[near[-1]] < course[place]:
            near.pop()
        near.append(place)
    return falls


def _contradicted(events: Sequence[int], course: Sequence[int]) -> set[int]:
    """The places of the readings that a later one falls below: those that fall, seen from behind and below."""
    last = len(events) - 1
    return {last - place for _, _, place in _falls([-e for e in reversed(events)], [-c for c in reversed(course)])}


class _Course:
    """The judged readings of a series in event time, with their distances."""

    def __init__(self, series: Series) -> None:
        self.readings = judged(series.readings)
        self.parties = series.parties
        self.events = [r.event_at_ms for r in self.readings]
        self.metres = distances(self.readings, series.segments)
        self.timely = [place for place, r in enumerate(self.readings) if r.state == COUNTED]

    def party(self, place: int) -> int:
        return self.parties[self.readings[place].author]

    def is_backfilled(self, place: int) -> bool:
        return self.readings[place].state == BACKFILLED

    def is_beyond(self, earlier: int, later: int) -> bool:
        """Whether nobody drives that far in the time. Nothing is known of the way into an unproven segment."""
        metres = self.metres[later] - self.metres[earlier]
        return limit_metres(self.events[later] - self.events[earlier]) < metres < _APART // 2

    def agree(self, earlier: int, later: int) -> bool:
        """Whether a car can have shown both."""
        elapsed, metres = self.events[later] - self.events[earlier], self.metres[later] - self.metres[earlier]
        return -odometer.tolerance_metres(elapsed) <= metres <= limit_metres(elapsed)

    def outliers(self) -> list[int]:
        """The places that nobody drives to from the last place before that is not backfilled: one dated back between
        two readings must not halve a jump."""
        pairs = list(pairwise(self.timely))
        if len(self.timely) < len(self.readings):
            late = (place for place in range(len(self.readings)) if self.is_backfilled(place))
            pairs += [(self.timely[n - 1], place) for place in late if (n := bisect_right(self.timely, place))]
        metres, least = self.metres, odometer.LIMIT_LEAST_METRES
        far = [(earlier, later) for earlier, later in pairs if metres[later] - metres[earlier] > least]
        return sorted(later for earlier, later in far if self.is_beyond(earlier, later))

    def are_confirmed(self, outliers: Sequence[int]) -> bool:
        """Whether the next reading in time of another party agrees with each."""
        following: dict[int, int] = {}  # place: the next one of another party
        run: list[int] = []  # places of one party, without one of another after them
        for place in self.timely:
            if run and self.party(run[0]) != self.party(place):
                following.update(dict.fromkeys(run, place))
                run = []
            run.append(place)
        return all(place in following and self.agree(place, following[place]) for place in outliers)

    def is_typing_error(self, place: int) -> bool:
        """Whether nobody drives to it and no other party's later reading agrees, or from it and no earlier one does."""
        before = [p for p in self.timely if p < place][-1:]
        after = [p for p in self.timely if p > place][:1]
        if before and self.is_beyond(before[0], place):
            return not self.agrees_with(place, range(place + 1, len(self.readings)))
        return bool(after) and self.is_beyond(place, after[0]) and not self.agrees_with(place, range(place))

    def agrees_with(self, place: int, others: Iterable[int]) -> bool:
        """Whether it agrees with one of the others that is of another party."""
        return any(self.agree(*sorted((place, p))) for p in others if self.party(p) != self.party(place))

    # --- what explains falls --------------------------------------------------------------------------------
    def volley(self, falling: list[int], one: int) -> tuple[list[int], list[tuple[int, int]]]:
        """The falling readings of the party of one that were included within 90 days of it, if one mistake may have
        made them all: the holder signed none, and others' readings lie around them. The car's birth stands for one
        before, so that one dated before the car's first reading takes no explanation away. Else none, with the one that
        the holder signed."""
        told = {p: included_at_ms(self.readings[p]) for p in falling if self.party(p) == self.party(one)}
        own = _around(told, [one])
        if self.is_backfilled(one) and (rest := [place for place in own if place != one]):
            times = [told[place] for place in rest]  # it makes one mistake of no others that were not one without it
            if max(times) - min(times) > odometer.VOLLEY_MS or not set(_around(told, rest)).issubset(own):
                return [], []
        if signed := [place for place in own if self.readings[place].is_acknowledged]:
            return [], [(signed[0], signed[0])]
        others = [place for place in self.timely if self.party(place) != self.party(one)]
        is_before_others = len(own) > 1 and bool(others) and own[-1] < others[-1]
        return (own if is_before_others else []), []

    def largest_fall_without(self, gone: Collection[int]) -> tuple[int, int] | None:
        """Of the other readings; None where they rise."""
        kept = [place for place in range(len(self.readings)) if place not in gone]
        falls = _falls([self.events[p] for p in kept], [self.metres[p] for p in kept])
        largest = max(falls, key=lambda fall: fall[0], default=None)
        return None if largest is None else (kept[largest[1]], kept[largest[2]])

    def explained(self, falls: list[Fall]) -> tuple[list[list[int]], list[int], list[tuple[int, int]]]:
        """(each explanation's places, the places of all falling readings, the pairs that the verdict rests on). An
        explanation breaks the largest fall too, so its two readings and what is around them are all to be tried.
        Several readings explain nothing that one of them explains."""
        _, earlier, later = max(falls, key=lambda fall: fall[0])
        falling = sorted({place for _, _, place in falls} | _contradicted(self.events, self.metres))
        pinned = [(earlier, later)]
        candidates = [[earlier], [later]]
        for one in (earlier, later):
            own, signed = self.volley(falling, one)
            candidates += [own] if own else []
            pinned += signed
        explanations: list[list[int]] = []
        for gone in sorted(candidates, key=len):
            if any(set(gone).issuperset(explanation) for explanation in explanations):
                continue
            if (witness := self.largest_fall_without(frozenset(gone))) is None:
                explanations.append(gone)
            else:
                pinned.append(witness)
        pinned += [fall[1:] for fall in sorted(falls, key=lambda fall: (-fall[0], fall[1:]))]
        return explanations, falling, list(dict.fromkeys(pinned))[:PINNED_MAX]

    def sequences(self, places: Iterable[int], most: int) -> tuple[int, ...]:
        return tuple(self.readings[place].sequence for place in sorted(places)[-most:])


def _around(told: dict[int, int], places: Sequence[int]) -> list[int]:
    """The places that were told within 90 days of one of some places. `told`: place to time, in order of the places."""
    return [p for p, at_ms in told.items() if any(abs(at_ms - told[q]) <= odometer.VOLLEY_MS for q in places)]


def included_at_ms(reading: JudgedReading) -> int:
    """The time of the block that included a reading, to the second below."""
    return reading.event_at_ms + reading.delay_s * 1_000


# --- the verdict ------------------------------------------------------------------------------------------
def judge(series: Series) -> Judgement:
    """The verdict over the judged readings of a car, a function of their set."""
    course = _Course(series)
    outliers = course.outliers()
    named = course.sequences(outliers, OUTLIERS_MAX)
    if falls := _falls(course.events, course.metres):
        explaining, falling, pairs = course.explained(falls)
        explanations = tuple(
            Explanation(
                course.sequences(gone, NAMED_MAX), course.sequences(set(falling).difference(gone), NAMED_MAX),
                len(gone) == 1 and course.is_typing_error(gone[0]),
            ) for gone in explaining
        )  # fmt: skip
        found = {"decreasing"} | {"one_reading" if len(gone) == 1 else "volley" for gone in explaining}
        verdict: Verdict = "CONTESTED" if explaining else "ILLOGICAL"
        pinned = tuple((course.readings[a].sequence, course.readings[b].sequence) for a, b in pairs)
    else:
        explanations, pinned, found = (), (), _unknown(series, course)
        verdict = "NO_VERDICT" if found else "LOGICAL"
    found |= _shown(series, course, outliers)
    reasons = tuple(reason for reason in REASONS if reason in found) if found else ()
    return Judgement(verdict, reasons, explanations, named, pinned)


def _unknown(series: Series, course: _Course) -> set[str]:
    """Why readings that rise say too little."""
    found = set()
    if len(course.timely) < 2:
        found.add("too_few")
    if series.is_beyond_bound:
        found.add("limit")
    for segment in series.segments:
        if not segment.is_proven:
            found.add("rollover" if segment.is_rollover else "replaced")
    return found


def _shown(series: Series, course: _Course, outliers: Sequence[int]) -> set[str]:
    """What is shown with any verdict."""
    found = set()
    if len(course.timely) > 1 and len({course.party(place) for place in course.timely}) == 1:
        found.add("one_author")
    if outliers:
        found.add("outliers")
        if course.are_confirmed(outliers):
            found.add("jump_confirmed")
    for reading in course.readings:
        if reading.source == _HISTORY:
            found.add("pre_chain")
        if reading.sources_differ:
            found.add("sources_differ")
    for segment in series.segments:
        if segment.is_proven:
            found.add("rollover_proven" if segment.is_rollover else "replaced_proven")
    if series.is_beyond_bound:
        found.add("limit")
    if series.has_excluded_author:
        found.add("author_excluded")
    if series.is_lowered:
        found.add("lowered")
    return found


def coverage(series: Series, since_ms: int, now_ms: int) -> int:
    """The covered share, per mille, of the time from `since_ms` to now: the time in gaps of at most 400 days and 40,000
    km between independent readings, none of them backfilled, of at least two parties; else 0."""
    independent = [r for r in series.readings if r.standing == INDEPENDENT and r.state == COUNTED]
    course = _Course(series._replace(readings=[r for r in independent if since_ms <= r.event_at_ms <= now_ms]))
    if len({series.parties[r.author] for r in course.readings}) < 2:
        return 0
    covered = 0
    for place in range(1, len(course.readings)):
        gap, metres = course.events[place] - course.events[place - 1], course.metres[place] - course.metres[place - 1]
        if gap <= odometer.COVERED_GAP_MS and metres <= odometer.COVERED_GAP_METRES:
            covered += gap
    return covered * 1_000 // (now_ms - since_ms) if now_ms > since_ms else 0


def is_overstated(series: Series, sequence: int) -> bool:
    """Whether the reading of a record is probably too high by a typing error: nobody drives to it from the last reading
    before that was told before, and no later one of another party agrees with it."""
    course = _Course(series)
    place = next((p for p, reading in enumerate(course.readings) if reading.sequence == sequence), -1)
    before = [p for p in course.timely if p < place and course.readings[p].sequence < sequence]
    is_beyond = bool(before) and course.is_beyond(before[-1], place)
    return is_beyond and not course.agrees_with(place, range(place + 1, len(course.readings)))
