"""The registers of several countries as their registrars keep them: a model of registration that runs every deadline at
its time, and random acts over it. It shares nothing with the production code.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from support.chain import DAY_MS

COUNTRIES = ("DE", "CN", "FR")
BRAND = {"private": "", "taxi": "taxi", "rental": "rental"}
EXPORT_DAYS, CLAIM_DAYS, AGAIN_DAYS, TEMPORARY_DAYS = 180, 30, 180, 400


class Act(NamedTuple):
    """What the registrar of `country` sends. `holder`: the holder signs too. `until_ms` 0: permanent."""

    kind: str
    country: str
    to: str = ""
    usage: str = "private"
    until_ms: int = 0
    reason: str = "owner"


class Applied(NamedTuple):
    """A claim that is open."""

    country: str
    usage: str
    until_ms: int


@dataclass
class Registers:
    """`in_use`: the countries that have the car in their register, and whether suspended; a country leaves it by its
    own act, by the end of its term, or by another's claim that it has not objected to. `last`: the country that had the
    car last. `phase`: none, kept (by `last`), ended, leaving, left."""

    now_ms: int
    in_use: dict[str, str] = field(default_factory=dict)
    last: str = ""
    phase: str = "none"
    to: str = ""
    term_ms: int = 0
    usage: str = ""
    claim: Applied | None = None
    barred_ms: dict[str, int] = field(default_factory=dict)
    alerts: dict[str, tuple[str, int, int, int]] = field(default_factory=dict)
    """Code to state, count, first and last time."""
    brands: dict[str, int] = field(default_factory=dict)
    _timers: list[tuple[int, int, int]] = field(default_factory=list)
    _fires: dict[int, Callable[[], None]] = field(default_factory=dict)
    _term: int = 0
    _wait: int = 0
    _count: int = 0

    # --- timers -------------------------------------------------------------------------------------------
    def _at(self, at_ms: int, rank: int, fire: Callable[[], None]) -> int:
        self._count += 1
        heapq.heappush(self._timers, (at_ms, rank, self._count))
        self._fires[self._count] = fire
        return self._count

    def advance(self, now_ms: int) -> None:
        while self._timers and self._timers[0][0] <= now_ms:
            self.now_ms, _, timer = heapq.heappop(self._timers)
            fire = self._fires.pop(timer, None)
            if fire is not None:
                fire()
        self.now_ms = now_ms

    def next_ms(self) -> int:
        """The next time at which something happens by itself, 0 for never."""
        return min((at for at, _, timer in self._timers if timer in self._fires), default=0)

    def _stop(self, timer: int) -> None:
        self._fires.pop(timer, None)

    # --- acts -----------------------------------------------------------------------------------------------
    def may(self, act: Act) -> bool:
        own = self.last == act.country
        is_for_it = self.phase == "left" or (self.phase == "leaving" and self.to == act.country)
        match act.kind:
            case "set":
                is_free = self.phase == "none" or (own and (self.phase == "ended" or self._is("registered", act)))
                return self.claim is None and is_free and self._is_term(act, 0)
            case "suspend":
                return own and self._is("registered", act)
            case "resume":
                return own and self._is("suspended", act)
            case "end":
                return own and self.phase in ("kept", "leaving")
            case "export":
                return own and self.phase in ("kept", "ended") and act.to != act.country
            case "accept":
                is_asked = self.claim is None or self.claim.country == act.country
                return is_for_it and is_asked and self._is_term(act, 0)
            case "claim" if is_for_it:
                return self.may(act._replace(kind="accept"))
            case "claim":
                is_barred = self.now_ms < self.barred_ms.get(act.country, 0)
                is_elsewhere = self.phase != "none" and not own
                return is_elsewhere and self.claim is None and not is_barred and self._is_term(act, CLAIM_DAYS)
        return True  # a flag

    def _is(self, status: str, act: Act) -> bool:
        return self.phase == "kept" and self.in_use.get(act.country) == status

    def _is_term(self, act: Act, days: int) -> bool:
        first, last = self.now_ms + days * DAY_MS, self.now_ms + TEMPORARY_DAYS * DAY_MS
        return act.until_ms == 0 or first < act.until_ms <= last

    def apply(self, act: Act) -> None:
        """What the act does, whether or not it may."""
        is_for_it = self.phase == "left" or (self.phase == "leaving" and self.to == act.country)
        match act.kind:
            case "set":
                self._register(act.country, act.usage, act.until_ms)
            case "accept":
                self._accept(act)
            case "claim" if is_for_it:
                self._accept(act)
            case "claim":
                self.claim = Applied(act.country, act.usage, act.until_ms)
                self._wait = self._at(self.now_ms + CLAIM_DAYS * DAY_MS, 1, self._unanswered)
            case "suspend" | "resume":
                self.in_use[act.country] = "suspended" if act.kind == "suspend" else "registered"
            case "end" if act.reason != "export_confirmed":
                self._leave(act.country, "ended")
                self._object()
            case "end" if self.claim is not None:
                self._take_over()
            case "end":
                self._leave(act.country, "left", self.to)
            case "export":
                self._leave(act.country, "leaving", act.to)
                self._limit(self.now_ms + EXPORT_DAYS * DAY_MS)
            case "flag" if act.country == self.last:
                self._object()
            case "flag":
                self.claim = None
                self._stop(self._wait)

    def _accept(self, act: Act) -> None:
        """A car that has left is here: its export is confirmed."""
        self._register(act.country, act.usage, act.until_ms)
        if told := self.alerts.get("export_unconfirmed"):
            self.alerts["export_unconfirmed"] = ("closed", *told[1:])

    def _register(self, country: str, usage: str, until_ms: int) -> None:
        self.in_use[country] = "registered"
        self.last, self.phase, self.to, self.usage, self.claim = country, "kept", "", usage, None
        self._stop(self._wait)
        self._limit(until_ms)
        if BRAND[usage]:
            self.brands.setdefault(BRAND[usage], self.now_ms)

    def _limit(self, at_ms: int) -> None:
        self._stop(self._term)
        self.term_ms = at_ms
        if at_ms:
            self._term = self._at(at_ms, 0, self._lapse)

    def _leave(self, country: str, phase: str, to: str = "") -> None:
        self.in_use.pop(country, None)
        self.phase, self.to = phase, to
        self._limit(0)

    def _lapse(self) -> None:
        if self.phase == "leaving":
            self._alert("export_unconfirmed", "reported")
            self._leave(self.last, "left", self.to)
        else:
            self._leave(self.last, "ended", self.to)

    def _object(self) -> None:
        if self.claim is not None:
            self.barred_ms[self.claim.country] = self.now_ms + AGAIN_DAYS * DAY_MS
            self.claim = None
            self._stop(self._wait)

    def _unanswered(self) -> None:
        if self.in_use:
            self._alert("double_registration", "confirmed")
        self._take_over()

    def _take_over(self) -> None:
        claim = self.claim
        if claim is None:  # only if the chain has taken what it may not
            return
        self.in_use.pop(self.last, None)
        self._register(claim.country, claim.usage, claim.until_ms)

    def _alert(self, code: str, state: str) -> None:
        _, count, first, _ = self.alerts.get(code, ("", 0, self.now_ms, 0))
        self.alerts[code] = (state, count + 1, first, self.now_ms)

    # --- answers --------------------------------------------------------------------------------------------
    @property
    def status(self) -> str:
        names = {"ended": "deregistered", "leaving": "export_pending", "left": "exported"}
        return self.in_use[self.last] if self.phase == "kept" else names.get(self.phase, self.phase)


def acts(chance: Random, registers: Registers) -> Iterator[Act]:
    """Acts without end, most of them such as may be done at the time."""
    while True:
        barred = [Act("claim", country) for country in registers.barred_ms]
        if barred and chance.random() < 0.1:
            yield chance.choice(barred)
        may = [act for act in _all(chance, registers.now_ms) if registers.may(act)]
        yield chance.choice(may if may and chance.random() < 0.75 else list(_all(chance, registers.now_ms)))


def _all(chance: Random, now_ms: int) -> Iterator[Act]:
    for country in COUNTRIES:
        usage = chance.choice(list(BRAND))
        until = now_ms + chance.choice((0, 0, 0, 3, 30, 31, 200, 400, 401)) * DAY_MS
        until = 0 if until == now_ms else until
        yield from (Act(kind, country, usage=usage, until_ms=until) for kind in ("set", "accept", "claim", "claim"))
        yield from (Act(kind, country) for kind in ("suspend", "resume", "flag"))
        yield from (Act("end", country, reason=reason) for reason in ("owner", "export_confirmed"))
        yield Act("export", country, chance.choice(COUNTRIES))


def waits(chance: Random, registers: Registers) -> int:
    """How long until the next act, in milliseconds: often to just before, at or after a deadline."""
    due = registers.next_ms()
    if due and chance.random() < 0.35:
        return max(0, due - registers.now_ms + chance.choice((-1, 0, 1)))
    return chance.choice((0, 0, 0, 1, 5, 29, 31, 100)) * DAY_MS
