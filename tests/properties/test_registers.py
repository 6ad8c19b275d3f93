"""Registrars of three countries at random: at most one has the car at every height; deadlines are as if run at once.

The reference (`support.registers`) keeps a register for each country and runs every deadline at its time; the chain
computes deadlines when it is asked. Each promise sees a change that breaks it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from random import Random
from typing import NamedTuple

import pytest
from support.chain import START_MS, Chain, address
from support.life import VIN, register
from support.registering import REGISTRARS, accept, claim, end, export, put, registration_at, suspend
from support.registers import Act, Registers, acts, waits
from support.stages import fork, ledger_of

from node.chain.dev_genesis import DEV_PARTIES, Party, build_genesis
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody, Transitions
from node.ledger.family import AsOf
from node.txtypes.registration import registration as types
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle import guards, record, regions, stop_flags, vehicle
from node.txtypes.vehicle.stop_flags import FlagClear, FlagSet
from node.txtypes.vehicle.vehicle import VEHICLE, VehicleView

SEEDS = range(10)
ACTS = 45


@cache
def _born() -> Chain:
    third = Party("registrar-3", "FR", (("registrar", ()),))
    chain = Chain(build_genesis("bmw-test", START_MS, (*DEV_PARTIES, third), dev_key, tree_depth=6))
    chain.do("bmw", register())
    return chain


def body_of(chain: Chain, act: Act) -> TransactionBody:
    kind = "temporary" if act.until_ms else "permanent"
    terms = dict(kind=kind, usage=act.usage, until_ms=act.until_ms)
    match act.kind:
        case "set":
            return put(chain, act.country, **terms)
        case "accept":
            return accept(chain, act.country, **terms)
        case "claim":
            return claim(chain, act.country, **terms)
        case "suspend" | "resume":
            return suspend(chain, act.country, resume=act.kind == "resume")
        case "end":
            return end(chain, act.country, act.reason)
        case "export":
            return export(chain, act.country, act.to)
    return FlagSet(VIN, "court_hold", None, 0, False)


def shown(chain: Chain) -> VehicleView:
    return VehicleView.of(VIN, chain.state(VEHICLE, VIN), ledger_of(chain), AsOf(chain.now, RULESETS[1]))


class Tried(NamedTuple):
    """One act on both sides: whether the model allows it, what the chain says, the chain after it."""

    act: Act
    may: bool
    unmet: list[str]
    view: VehicleView
    registers: Registers


def walk(seed: int) -> Iterator[Tried]:
    """Every act that the chain takes is noted in the registers, whatever they say to it."""
    chance, chain = Random(seed), fork(_born())
    registers = Registers(chain.now)
    for act in islice(acts(chance, registers), ACTS):
        chain.now += waits(chance, registers)
        registers.advance(chain.now)
        yield Tried(act, True, [], shown(chain), registers)
        signers = ("bmw",) if act.kind == "claim" else ()
        raw = chain.sign(REGISTRARS[act.country], body_of(chain, act), *signers)
        may, unmet = registers.may(act), chain.unmet(raw)
        if not unmet:
            chain.produce(raw)
            registers.apply(act)
            if act.kind == "flag":
                registers.advance(chain.now)
                flagger = REGISTRARS[act.country]
                chain.do(flagger, FlagClear(VIN, "court_hold", address(flagger), None, None))
            registers.advance(chain.now)
        yield Tried(act, may, unmet, shown(chain), registers)


def every_walk(check: Callable[[Tried], None]) -> None:
    for seed in SEEDS:
        for tried in walk(seed):
            check(tried)


# --- at most one country ------------------------------------------------------------------------------------
def check_one_country(tried: Tried) -> None:
    has = sorted(tried.registers.in_use)
    assert len(has) <= 1, f"{tried.act} leaves the car registered in {has}"


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_one_country_has_the_car_at_every_height(seed: int) -> None:
    for tried in walk(seed):
        check_one_country(tried)


def _anyone_accepts(patch: pytest.MonkeyPatch) -> None:
    """A country that accepts a car asks nobody."""
    steps = {status: {**step, "accept": "registered"} for status, step in types.TRANSITIONS.steps.items()}
    patch.setattr(types, "TRANSITIONS", Transitions(steps))
    patch.setattr(types.RegistrationAccept, "step", lambda self, registration: "accept")
    patch.setattr(types.RegistrationAccept, "signers", types.Report.signers)


def _anyone_registers(patch: pytest.MonkeyPatch) -> None:
    """A country registers a car that another one has."""
    check_step = types.RegistrationRecord.check_step

    def as_if_its_own(self, ledger, found, step):  # type: ignore[no-untyped-def]
        check_step(self, ledger, regions.replace(found, country=self.country), step)

    patch.setattr(types.RegistrationRecord, "check_step", as_if_its_own)


@pytest.mark.parametrize("mutant", [_anyone_accepts, _anyone_registers])
def test_a_second_country_is_noticed(mutant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)  # type: ignore[operator]
    with pytest.raises(AssertionError, match="leaves the car registered in"):
        every_walk(check_one_country)


# --- deadlines --------------------------------------------------------------------------------------------------
class Differs(Exception):
    """The chain and the registers say two things."""


def check_lazy_as_eager(tried: Tried) -> None:
    registers, found = tried.registers, tried.view.registration
    claimed = registers.claim.country if registers.claim is not None else ""
    expected = (
        tried.may, registers.status, registers.last, registers.usage, registers.term_ms, registers.to, claimed,
        registers.alerts, registers.brands,
    )  # fmt: skip
    alerts = {alert.code: (alert.state, alert.count, alert.first_ms, alert.last_ms) for alert in tried.view.alerts}
    brands = {brand.code: brand.since_ms for brand in tried.view.brands if brand.state == "confirmed"}
    answered = (
        not tried.unmet, found.status, found.country, found.usage, found.until_ms, found.to_country,
        found.claim.country if found.claim is not None else "", alerts, brands,
    )  # fmt: skip
    if expected != answered:
        raise Differs(f"{tried.act}: {answered} instead of {expected}; unmet {tried.unmet}")


@pytest.mark.parametrize("seed", SEEDS)
def test_lazy_deadlines_are_as_if_each_ran_at_its_time(seed: int) -> None:
    for tried in walk(seed):
        check_lazy_as_eager(tried)


def only_the_region(found: vehicle.Vehicle, now_ms: int) -> vehicle.Vehicle:
    """Without the alerts and brands that follow from what time has done."""
    return regions.replace(found, registration=registration_at(found.registration, now_ms))


MUTANTS = {
    "a claim takes effect a second late": lambda patch: patch.setattr(regions, "CLAIM_MS", regions.CLAIM_MS + 1_000),
    "an export lapses a day early": lambda patch: patch.setattr(
        types, "EXPORT_MS", types.EXPORT_MS - 24 * 3_600_000
    ),
    "guards see what is stored": lambda patch: patch.setattr(guards, "vehicle_at", lambda found, now_ms: found),
    "a record forgets what time has done": lambda patch: patch.setattr(
        record, "vehicle_at", only_the_region
    ),
    "a flag forgets what time has done": lambda patch: patch.setattr(
        stop_flags, "vehicle_at", lambda found, now_ms: found
    ),
    "answers show what is stored": lambda patch: patch.setattr(vehicle, "vehicle_at", lambda found, now_ms: found),
    "nobody waits after an objection": lambda patch: patch.setattr(regions, "CLAIM_AGAIN_MS", 1),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_deadline_that_does_not_count_is_noticed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[mutant](monkeypatch)
    with pytest.raises(Differs):
        every_walk(check_lazy_as_eager)


def test_the_walks_go_where_the_promises_could_break() -> None:
    taken, alerts = Counter[str](), Counter[str]()
    refused = Counter[str]()
    for seed in SEEDS:
        for tried in walk(seed):
            last = tried
            refused.update(set(tried.unmet))
            taken[tried.act.kind] += not tried.unmet
        alerts.update(alert.code for alert in last.view.alerts)
    assert min(taken[kind] for kind in ("set", "accept", "claim", "suspend", "resume", "end", "export", "flag")) >= 5
    assert {"double_registration", "export_unconfirmed"} <= alerts.keys()
    assert min(refused[code] for code in ("registered_elsewhere", "registration_status", "claim_open")) >= 5
    assert {"claim_cooldown", "registration_term", "same_country"} <= refused.keys()
