"""What is true of a car: how far it has gone, what its instrument shows, what was written of it and done to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from node.limits import DAY_MS
from node.rules.odometer import limit_metres, tolerance_metres

KM: Final = 1_000
"""Metres."""


@dataclass(eq=False)
class Case:
    """One fraud, attack or mistake. `kind`: its name in the tables; `at_ms`: when it was done."""

    kind: str
    vin: str
    at_ms: int
    metres: int = 0
    """By how much an odometer was turned back."""
    is_fraud: bool = True
    visible_ms: int = 0
    """When a record first could have shown it, 0 for never."""
    found_ms: int = 0
    """When an answer of the chain first did show it, 0 for never."""
    found_by: str = ""
    stands: bool = False
    """Whether it is still shown at the end."""
    sold_ms: int = 0
    """When the car was first handed over after it, 0 for never."""
    facts: dict[str, int] = field(default_factory=dict)
    """What else is counted of a case."""


@dataclass(frozen=True)
class Told:
    """A reading that a record of the chain has. `metres`: of the instrument; `distance`: with what earlier instruments
    have counted. `taints`: the cases without which it would have been another."""

    sequence: int
    event_at_ms: int
    included_ms: int
    metres: int
    distance: int
    author: str
    is_judged: bool
    taints: frozenset[Case]
    sources_differ: bool = False
    is_superseded: bool = False
    """Its author amended it, or arbiters struck it."""

    def falls_below(self, earlier: Told) -> bool:
        """Whether this one, of a later event, is lower by more than the rules tolerate."""
        return earlier.distance - self.distance > tolerance_metres(self.event_at_ms - earlier.event_at_ms)


@dataclass(eq=False)
class Car:
    """A car and its truth; times only go on."""

    number: int
    vin: str
    model: str
    city: str
    owner: str
    born_ms: int
    metres_a_day: int
    has_telematics: bool
    powertrain: str = "petrol"
    is_taxi: bool = False
    at_ms: int = 0
    driven: int = 0
    """Metres that the car has gone."""
    shown: int = 0
    """Metres that its instrument shows."""
    other_shown: int = 0
    """Metres that another control unit holds."""
    offset: int = 0
    """What earlier instruments have counted, as the chain has it."""
    blocked_per_mille: int = 0
    """The share of the way that a mileage blocker keeps from the instrument."""
    held_back: int = 0
    """Metres that the blocker has kept back so far."""
    is_gone: bool = False
    """Scrapped, stolen, or out of the simulation."""
    is_wreck: bool = False
    """Gone, but for what is sold and rebuilt of it."""
    taints: set[Case] = field(default_factory=set)
    """What made the instrument show something else than the truth."""
    cases: list[Case] = field(default_factory=list)
    told: dict[int, Told] = field(default_factory=dict)
    """By sequence of the record."""

    def advance(self, at_ms: int) -> None:
        """Drive until a time."""
        if at_ms <= self.at_ms:
            return
        way = self.metres_a_day * (at_ms - self.at_ms) // DAY_MS
        kept = way * self.blocked_per_mille // 1_000
        self.driven += way
        self.shown += way - kept
        self.other_shown += way
        self.held_back += kept
        self.at_ms = at_ms

    def turn_back(self, metres: int, case: Case, *, everywhere: bool) -> None:
        """Lower what the instrument shows; `everywhere`: what another control unit holds too."""
        self.shown -= metres
        if everywhere:
            self.other_shown = self.shown
        case.metres = metres
        self.taints.add(case)
        self.cases.append(case)

    def told_taints(self, event_at_ms: int) -> frozenset[Case]:
        """What of the instrument's taints is of a time before an event."""
        return frozenset(case for case in self.taints if case.at_ms <= event_at_ms)

    def judged_before(self, at_ms: int) -> list[Told]:
        """The judged readings of events before a time, in their order."""
        return sorted(
            (
                told
                for told in self.told.values()
                if told.is_judged and not told.is_superseded and told.event_at_ms < at_ms
            ),
            key=lambda told: (told.event_at_ms, told.distance),
        )


def sets_apart(case: Case, one: frozenset[Case], other: frozenset[Case]) -> bool:
    """Whether two readings with these taints contradict each other by reason of a case: it is the only fraud that sets
    them apart, or, if it is an error, the only reason at all."""
    apart = one ^ other
    reasons = {reason for reason in apart if reason.is_fraud} if case.is_fraud else apart
    return reasons == {case}


def visible_since(car: Car, case: Case) -> int:
    """The block time since which judged readings contradict each other by reason of a case; 0 for never. Either the
    later of two is lower, or the way between two neighbours is longer than a car can drive, or the sources of one
    differ."""
    judged = sorted((told for told in car.told.values() if told.is_judged), key=lambda t: (t.event_at_ms, t.distance))
    since = [told.included_ms for told in judged if told.sources_differ and sets_apart(case, told.taints, frozenset())]
    for place, later in enumerate(judged):
        for other, earlier in enumerate(judged[:place]):
            if sets_apart(case, earlier.taints, later.taints):
                way, elapsed = later.distance - earlier.distance, later.event_at_ms - earlier.event_at_ms
                if later.falls_below(earlier) or (other == place - 1 and way > limit_metres(elapsed)):
                    since.append(max(earlier.included_ms, later.included_ms))
    return min(since, default=0)
