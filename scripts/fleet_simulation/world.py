"""The world: its clock, its cars, and the behaviours that live in it, one generator each.

A behaviour yields the time at which it goes on and is resumed with it; times of all behaviours are taken in order. All
that falls into one day goes into the blocks of that day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import log
from random import Random
from typing import Any, Final

from msgspec.structs import replace
from support.specimens import specimen

from fleet_simulation.cars import Car, Case, Told
from fleet_simulation.genesis import HOME_CITIES, SITES, SPONSOR, TRADE
from fleet_simulation.producing import FleetChain, Outcome
from node.execution.block_run import BlockResult
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Odometer, OtherSource, Where
from node.limits import DAY_MS
from node.rules.odometer import MILLIMETRES, sources_differ, to_metres
from node.txtypes.identity.account import AccountOpen

Tamper = Callable[["World", Car, str, int], None]
"""Something that is done just before a sale, for a seller at a time."""
Behaviour = Iterator[int]
"""Yields the time (ms) at which it wants to go on."""
START_MS: Final = 1_767_225_600_000
YEAR_MS: Final = 365 * DAY_MS
REGIMES: Final = {"registry": 0.002, "none": 0.085, "cross_border": 0.40}
"""Share of the resales before which the odometer is turned back: with a registry of readings (Belgium), without one in
one country (5 to 12 %), across a border (30 to 50 %), after the European Parliament's study."""


@dataclass(frozen=True)
class Plan:
    """What a run is told."""

    seed: int = 1
    cars: int = 5_000
    years: float = 5.0
    regime: str = "registry"
    tree_depth: int = 16
    verifies: bool = True

    @property
    def end_ms(self) -> int:
        return START_MS + int(self.years * YEAR_MS)


@dataclass(eq=False)
class World:
    plan: Plan
    chain: FleetChain = field(init=False)
    cars: list[Car] = field(default_factory=list)
    by_vin: dict[str, Car] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(who sends it, type, code) to how often a guard refused it."""
    sent: Counter[str] = field(default_factory=Counter)
    """Accepted transactions by type."""
    scrapped: list[Car] = field(default_factory=list)
    stolen: list[Car] = field(default_factory=list)
    cleared: list[tuple[str, str, int]] = field(default_factory=list)
    """Inspector, holder and time of every total loss that returned to the road."""
    draw_tampering: list[Callable[[World, Car, Random, int, int], Tamper | None]] = field(default_factory=list)
    """What may be done to a car before its next resale, drawn once its owner has it: (world, car, chance, from, when
    it is sold)."""
    before_listing: list[Tamper] = field(default_factory=list)
    """What others do when a car is about to be sold."""
    once_reserved: list[Callable[[World, Any, int], None]] = field(default_factory=list)
    """What is tried with a `selling.Deal` once its car is reserved."""
    _wakes: list[tuple[int, int, Behaviour]] = field(default_factory=list)
    _number: int = 0
    _pending: list[Callable[[int, int], None] | None] = field(default_factory=list)
    _owners: int = 0

    def __post_init__(self) -> None:
        self.chain = FleetChain(START_MS, self.plan.tree_depth, verifies=self.plan.verifies)
        self.chain.committed.append(self._note_records)

    # --- time -------------------------------------------------------------------------------------------
    def start(self, behaviour: Behaviour, at_ms: int) -> None:
        """Let a behaviour begin at a time."""
        self._number += 1
        heappush(self._wakes, (at_ms, self._number, behaviour))

    def at(self, at_ms: int, act: Callable[[], None]) -> None:
        """Do something once at a time."""
        self.start(_once(act), at_ms)

    def run(self, progress: Callable[[int], None] = lambda day: None) -> None:
        """Every day until the end of the plan. `progress`: called with the number of each day."""
        for day in range((self.plan.end_ms - START_MS) // DAY_MS):
            until = START_MS + (day + 1) * DAY_MS
            self.chain.now = until
            while self._wakes and self._wakes[0][0] < until:
                at_ms, _, behaviour = heappop(self._wakes)
                following = next(behaviour, None)
                if following is not None:
                    self.start(behaviour, max(following, at_ms))
            self.chain.close()
            progress(day)

    @property
    def now(self) -> int:
        """The time of the open block: the end of the day."""
        return self.chain.now

    def chance(self, name: str) -> Random:
        """A source of chance of its own, so that one behaviour more changes no other."""
        return Random(f"{self.plan.seed}/{name}")

    # --- transactions -------------------------------------------------------------------------------------
    def send(
        self, sender: str, body: TransactionBody, *cosigners: str, side: str = "honest",
        on_record: Callable[[int, int], None] | None = None,
    ) -> Outcome:  # fmt: skip
        """Into the open block. `side`: who sends it, for the count of refusals. `on_record`: called with sequence and
        block time of the first record that it makes."""
        found, kind = self.chain.send(sender, body, *cosigners), type_of(body)
        if found.is_accepted:
            self.sent[kind] += 1
            self._pending.append(on_record)
        else:
            self.refused.update((side, kind, code) for code in found.refused)
        return found

    def _note_records(self, result: BlockResult) -> None:
        pending, self._pending = self._pending[: len(result.transactions)], self._pending[len(result.transactions) :]
        for note, receipt in zip(pending, result.receipts.transactions, strict=True):
            if note is not None and receipt.records:
                note(receipt.records[0].sequence, result.time_ms)

    def new_owner(self) -> str:
        """A private person, whose account is opened now."""
        self._owners += 1
        name = f"owner-{self._owners:05}"
        self.send(SPONSOR, AccountOpen((self.chain.key(name)[1].public,), 1, b""), name)
        return name

    # --- readings ---------------------------------------------------------------------------------------------
    def tell(
        self, car: Car, author: str, event_at_ms: int, odometer: Odometer, *, is_judged: bool = True,
        taints: Iterable[Case] | None = None,
    ) -> Callable[[int, int], None]:  # fmt: skip
        """What to call once the record of a reading has its sequence. `taints`: by default those of the instrument."""
        offset, tainted = car.offset, frozenset(car.taints if taints is None else taints)
        shown = [to_metres(v, odometer.unit) for v in (odometer.value, *(other.value for other in odometer.others))]

        def note(sequence: int, included_ms: int) -> None:
            car.told[sequence] = Told(
                sequence,
                event_at_ms,
                included_ms,
                shown[0],
                shown[0] + offset,
                author,
                is_judged,
                tainted,
                sources_differ(shown),
            )

        return note

    def add_case(self, case: Case, car: Car | None = None) -> Case:
        self.cases.append(case)
        if car is not None and case not in car.cases:
            car.cases.append(case)
        return case


@dataclass(frozen=True)
class Slip:
    """A reading as it is written down, and as it was seen. `case`: the error, if one was made."""

    event_at_ms: int
    odometer: Odometer
    truth: Odometer
    case: Case | None = None


@dataclass(eq=False)
class Sale:
    """A sale from its listing on, as its parties met it."""

    vin: str
    is_resale: bool
    listed_ms: int
    handed_over_ms: int = 0
    acknowledged: int = 0
    read_again: int = 0
    """How often a reading was needed that the buyer could acknowledge."""
    is_given_up: bool = False
    refused: Counter[str] = field(default_factory=Counter)
    """Guards that refused one of its steps."""


def _once(act: Callable[[], None]) -> Behaviour:
    act()
    yield from ()


# --- bodies -----------------------------------------------------------------------------------------------------
_TEMPLATES: Final[dict[str, TransactionBody]] = {}


class _NoChain:
    """Where a template is made: at the start, without a state. Implements `support.specimens.Readable`."""

    now = START_MS

    def state(self, family: Any, ident: Any) -> None:
        return None


def body_of(tag: str, **changes: object) -> TransactionBody:
    """A body from the type's specimen, with other fields."""
    template = _TEMPLATES.get(tag)
    if template is None:
        template = _TEMPLATES[tag] = specimen(tag, _NoChain())
    return replace(template, **changes)


def reading(metres: int, unit: str = "km", source: str = "cluster", other: int | None = None) -> Odometer:
    """What the author notes of an instrument that shows `metres`; `other`: what the engine computer holds."""
    value = max(0, metres) * 1_000 // MILLIMETRES[unit]
    others = () if other is None else (OtherSource("engine_computer", max(0, other) * 1_000 // MILLIMETRES[unit]),)
    return Odometer(value, unit, source, others)  # type: ignore[arg-type]


def metres_of(odometer: Odometer) -> int:
    return to_metres(odometer.value, odometer.unit)


def engine_serial(number: int) -> str:
    """Of the engine with which a car was born."""
    return f"B48B20-{number:06}"


def where(car: Car, author: str) -> Where:
    return Where(SITES.get(author, ""), "obd", car.model)


# --- chances ------------------------------------------------------------------------------------------------------
def after(chance: Random, mean_ms: float) -> int:
    """A random wait: what comes independently and, in the mean, once in `mean_ms`."""
    return max(1, int(chance.expovariate(1.0 / mean_ms)))


def happens(chance: Random, probability: float) -> bool:
    return chance.random() < probability


def lognormal(chance: Random, mean: float, sigma: float) -> float:
    """A log-normal value with a mean."""
    return chance.lognormvariate(log(mean) - sigma * sigma / 2, sigma)


def near_city(chance: Random, home: str) -> str:
    """Where a car is seen: nine times of ten at home."""
    return home if happens(chance, 0.9) else chance.choice(HOME_CITIES)


def workshop_of(chance: Random, car: Car) -> str:
    """Mostly the one that the owner goes to."""
    own = TRADE.workshops[car.city]
    return (
        own[car.number % len(own)]
        if happens(chance, 0.7)
        else chance.choice(TRADE.workshops[near_city(chance, car.city)])
    )


def inspector_of(chance: Random, car: Car) -> str:
    return chance.choice(TRADE.inspectors[car.city])
