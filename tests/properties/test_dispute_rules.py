"""Rules of disputes that never break: a dispute alone changes no guard's result, what time does is the same whether it
is written at once or later, brands change by their rules only, and no list grows past its places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, address
from support.damage import loss
from support.disputing import ARBITERS, amend, car, copied, crashed, dispute, disputed, name_of, newest, serviced, shown
from support.life import VIN, Life, accident, handover, listing, maintenance, offer, transfer
from support.specimens import specimen
from support.stages import at, force

from node.ledger.body import TransactionBody
from node.ledger.overlay import Ledger
from node.ledger.ruleset import Ruleset
from node.rules.disputes import DISPUTE_OUTCOMES, DISPUTE_STANDINGS
from node.txtypes.disputes.dispute import (
    DISPUTES_PER_RECORD_MAX,
    OPEN_DISPUTES,
    OPEN_PER_VEHICLE_MAX,
    RECORD_DISPUTE,
    OpenDisputes,
)
from node.txtypes.disputes.types import RecordClose, RecordResolve, RecordRespond, RecordWithdraw
from node.txtypes.members import conduct
from node.txtypes.members.conduct import CONDUCT, conduct_at
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.order_types import OrderAccept
from node.txtypes.vehicle import conditions
from node.txtypes.vehicle.brands import brand_at, brand_state
from node.txtypes.vehicle.life import LIFE, disputes_at
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

NONE = bytes(32)
Probe = tuple[str, Callable[[Life], TransactionBody], tuple[str, ...]]
PROBES: tuple[Probe, ...] = (
    ("dealer-munich", lambda life: listing(life.chain), ()),
    ("buyer-1", lambda life: offer(life.chain, life.listing or NONE), ()),
    ("dealer-munich", lambda life: OrderAccept(life.order or NONE), ()),
    ("buyer-1", lambda life: specimen("order.acknowledge", life.chain, {"order": life.order or NONE}), ()),
    ("dealer-munich", lambda life: handover(life.chain, life.order or NONE, 400), ("buyer-1",)),
    ("dealer-munich", lambda life: transfer(life.chain, "dealer-shanghai", 400), ("dealer-shanghai",)),
    ("workshop-berlin", lambda life: maintenance(life.chain, 400), ()),
    ("workshop-berlin", lambda life: accident(life.chain, 400), ()),
    ("buyer-1", lambda life: accident(life.chain, 400), ()),
)
"""What the parties of a car's life would do next."""


def results(life: Life) -> list[list[str]]:
    """What each probe is refused for."""
    return [
        life.chain.unmet(life.chain.sign(sender, body(life), *cosigners)) for sender, body, cosigners in PROBES
    ]  # fmt: skip


# --- 15: a dispute alone changes no guard's result ----------------------------------------------------------------
STAGES = ("wholesale", "listed", "offered", "accepted", "paid", "handed_over")
OPENERS = {"wholesale": "dealer-munich", "handed_over": "buyer-1"}
PAUSES_MS = (0, 13 * DAY_MS, 16 * DAY_MS, 29 * DAY_MS, 31 * DAY_MS, 61 * DAY_MS)


def differences(stage: str, make: Callable[[Life], int]) -> Iterator[str]:
    """Guards that a dispute changes, at any time after it, with a brand on the car."""
    plain = at(stage)
    sequence = make(plain)
    contested = copied(plain)
    disputed(contested, sequence, OPENERS.get(stage, "dealer-munich"), "wrong_damage")
    start = contested.chain.now
    for pause in PAUSES_MS:
        plain.chain.now = contested.chain.now = start + pause
        for (sender, _, _), before, after in zip(PROBES, results(plain), results(contested), strict=True):
            if before != after:
                yield f"{stage}, {pause // DAY_MS} days later, {sender}: {before} became {after}"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("make", [crashed, serviced])
def test_a_dispute_alone_changes_no_guards_result(stage: str, make: Callable[[Life], int]) -> None:
    assert [] == list(differences(stage, make))


@pytest.mark.parametrize("stage", STAGES)
def test_a_dispute_alone_adds_no_refusal(stage: str) -> None:
    """What a lone insurer says is firm after 30 days undisputed: there, and only there, a dispute takes one away."""
    found = list(differences(stage, written_off))
    assert all("total_loss" in text.partition(" became ")[0] for text in found), found
    assert [] == [text for text in found if "total_loss" in text.partition(" became ")[2]]


def written_off(life: Life) -> int:
    life.chain.do("insurer-1", loss(life.chain, holder_signs=False))
    return newest(life.chain)


def test_a_dispute_that_blocked_a_sale_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: an open dispute is a condition of the car."""
    conditions_of = conditions.conditions_of

    def disputed_too(reader: Ledger, vin: str, vehicle: Vehicle, now_ms: int, rules: Ruleset) -> Iterator[str]:
        yield from conditions_of(reader, vin, vehicle, now_ms, rules)
        if disputes_at(reader.get(LIFE, vin), now_ms):
            yield "duty_structural_release"

    monkeypatch.setattr(conditions, "conditions_of", disputed_too)
    assert [] != list(differences("paid", serviced))


# --- a walk -------------------------------------------------------------------------------------------------------
OPENING = ("dealer-munich", "buyer-1", "bmw", "workshop-berlin")
AUTHORS = ("workshop-berlin", "workshop-berlin", "workshop-berlin", "workshop-hamburg")
STEPS_MS = (*(1_000, HOUR_MS, 12 * HOUR_MS, DAY_MS) * 5, 5 * DAY_MS, 14 * DAY_MS, 15 * DAY_MS, 31 * DAY_MS)


class Walk:
    """Random steps of those who write, dispute and judge the records of one car. A walk is its seed."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.life = at("handed_over")
        self.accepted: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    def steps(self, count: int) -> Iterator[tuple[str, TransactionBody, tuple[str, ...]]]:
        """The next step, tried where it holds."""
        for _ in range(count):
            self.life.chain.now += self.chance.choice(STEPS_MS)
            yield self._step()

    def _step(self) -> tuple[str, TransactionBody, tuple[str, ...]]:
        chance, chain = self.chance, self.life.chain
        sequence = chance.randrange(9, newest(chain) + 1) if newest(chain) >= 9 else newest(chain)
        ident = chance.choice(sorted(self._disputes())) if self._disputes() else bytes(32)
        author = chance.choice(AUTHORS)
        witness = chance.choice(("", "inspector-1"))
        kind = chance.choice(("record", *("dispute", "answer") * 2, *("vote",) * 8, "end", "amend"))
        match kind:
            case "record":
                value = 300 + chain.store.height()
                extent = chance.choice(("structural", "bolt_on"))
                body = chance.choice((maintenance(chain, value), accident(chain, value, extent=extent)))
                return "workshop-berlin", body, ()
            case "dispute":
                return chance.choice(OPENING), dispute(chain, sequence, "wrong_damage"), ()
            case "answer":
                answer = chance.choice(("stands", "evidence", "withdraws"))
                return author, RecordRespond(ident, answer, ()), ()
            case "vote":
                likely = DISPUTE_OUTCOMES[ident[0] % len(DISPUTE_OUTCOMES)]
                outcome = likely if chance.random() < 0.8 else chance.choice(DISPUTE_OUTCOMES)
                return chance.choice(ARBITERS), RecordResolve(ident, outcome, "proven"), ()
            case "end":
                body = chance.choice((RecordClose(ident), RecordWithdraw(ident)))
                return chance.choice(OPENING), body, ()
        body = amend(chain, sequence, witness=address(witness) if witness else None)
        return author, body, (witness,) if witness else ()

    def _disputes(self) -> list[bytes]:
        """Those that are not closed, or the last one."""
        found = {
            bytes.fromhex(key.rpartition(b"/")[2].decode()): RECORD_DISPUTE.decode(raw)
            for key, raw in self.life.chain.store.kv.scan(b"Srecord-dispute/", b"Srecord-dispute0")
        }
        return [ident for ident, value in found.items() if not value.outcome] or list(found)[-1:]


def values_of(life: Life, family: str) -> dict[str, object]:
    found = life.chain.store.kv.scan(f"S{family}/".encode(), f"S{family}0".encode())
    return {key.decode().partition("/")[2]: FAMILIES[family].decode(raw) for key, raw in found}


ALLOWED = {
    "pending": {"pending", "confirmed", "undecided", "annulled"}, "undecided": {"undecided", "confirmed", "annulled"},
    "confirmed": {"confirmed", "annulled"}, "annulled": {"annulled"},
}  # fmt: skip


def states(life: Life, vehicle: Vehicle) -> dict[str, tuple[str, int]]:
    return {brand.code: (brand_state(brand, life.chain.now), brand.since_ms) for brand in vehicle.brands}


def check_brands(before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]]) -> None:
    """An entry never vanishes; what is decided changes by a decision only. A new report begins anew."""
    for code, (state, since) in before.items():
        assert code in after
        assert after[code][0] in ALLOWED[state] or after[code][1] > since, (code, before, after)


def check_places(life: Life) -> None:
    now = life.chain.now
    opened = disputes_at(life.chain.state(LIFE, VIN), now)
    for standing, count in Counter(entry.standing for entry in opened).items():
        assert count <= DISPUTE_STANDINGS[standing]
    assert all(count <= OPEN_PER_VEHICLE_MAX for count in Counter(entry.opener for entry in opened).values())
    running = {i for i, d in values_of(life, "record-dispute").items() if not d.outcome and now < d.ends_at_ms}  # type: ignore[attr-defined]
    assert running == {entry.dispute.hex() for entry in opened}
    listed = [entry.dispute.hex() for o in values_of(life, "open-disputes").values() for entry in o.disputes
              if now < entry.ends_at_ms]  # type: ignore[attr-defined] # fmt: skip
    assert running == set(listed) and len(listed) == len(running)
    assert all(len(s.disputes) <= DISPUTES_PER_RECORD_MAX for s in values_of(life, "record-status").values())  # type: ignore[attr-defined]
    assert len(opened) == shown(life, VEHICLE, VIN).disputes_open


SEEDS, LENGTH = range(6), 450


def played(seed: int) -> Walk:
    """A walk, its rules checked after every step."""
    walk = Walk(seed)
    life = walk.life
    for sender, body, cosigners in walk.steps(LENGTH):
        before = states(life, car(life))
        raw = life.chain.sign(sender, body, *cosigners)
        if life.chain.unmet(raw):
            continue
        life.chain.produce(raw)
        walk.accepted[str(type(body).__struct_config__.tag)] += 1
        check_brands(before, states(life, car(life)))
        check_places(life)
    walk.outcomes.update(d.outcome for d in values_of(life, "record-dispute").values())  # type: ignore[attr-defined]
    return walk


@pytest.mark.slow
def test_brands_and_places_on_random_walks() -> None:
    accepted, outcomes = Counter[str](), Counter[str]()
    for seed in SEEDS:
        walk = played(seed)
        accepted += walk.accepted
        outcomes += walk.outcomes
    assert min(accepted[kind] for kind in ("record.dispute", "record.resolve", "record.amend", "record.respond")) >= 5
    assert {*DISPUTE_OUTCOMES, "withdrawn"} <= set(outcomes), outcomes


# --- 14: lazy = eager ---------------------------------------------------------------------------------------------
def run_deadlines(life: Life) -> None:
    """The reference model: what time has done is written at once."""
    now, vehicle = life.chain.now, car(life)
    brands = tuple(brand_at(brand, now) for brand in vehicle.brands)
    if brands != vehicle.brands:
        force(life.chain, VEHICLE, VIN, replace(vehicle, brands=brands))
    leaf = life.chain.state(LIFE, VIN)
    if leaf is not None and disputes_at(leaf, now) != leaf.disputes:
        force(life.chain, LIFE, VIN, replace(leaf, disputes=disputes_at(leaf, now)))
    for account, stored in values_of(life, "conduct").items():
        if conduct_at(stored, now) != stored:  # type: ignore[arg-type]
            force(life.chain, CONDUCT, account, conduct_at(stored, now))  # type: ignore[arg-type]
    for account, stored in values_of(life, "open-disputes").items():
        kept = tuple(entry for entry in stored.disputes if now < entry.ends_at_ms)  # type: ignore[attr-defined]
        if kept != stored.disputes:  # type: ignore[attr-defined]
            force(life.chain, OPEN_DISPUTES, account, OpenDisputes(kept) if kept else None)


def answers(life: Life) -> list[object]:
    """What is told of the car, of its disputes, of everybody's conduct."""
    return [
        shown(life, VEHICLE, VIN),
        *(shown(life, RECORD_DISPUTE, ident) for ident in values_of(life, "record-dispute")),
        *(shown(life, CONDUCT, account) for account in values_of(life, "conduct")),
        values_of(life, "record-status"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_deadlines_that_are_run_at_once_give_the_same_guards_and_answers(seed: int) -> None:
    walk = Walk(seed)
    lazy, eager = walk.life, copied(walk.life)
    accepted = 0
    for sender, body, cosigners in walk.steps(LENGTH):
        eager.chain.now = lazy.chain.now
        run_deadlines(eager)
        raw = lazy.chain.sign(sender, body, *cosigners)
        assert lazy.chain.unmet(raw) == eager.chain.unmet(raw), body
        if lazy.chain.unmet(raw):
            continue
        for life in (lazy, eager):
            life.chain.produce(raw)
        accepted += 1
        eager.chain.now = lazy.chain.now
        run_deadlines(eager)
        assert answers(lazy) == answers(eager), body
    assert accepted > 30


def test_a_hold_that_was_only_counted_when_written_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: an unanswered dispute is counted when somebody touches the conduct."""
    life = at("wholesale")
    full = replace(conduct.NO_CONDUCT, answers_due=tuple(life.chain.now + n * DAY_MS for n in range(1, 21)))
    force(life.chain, CONDUCT, address("workshop-berlin"), full)
    eager = copied(life)
    life.chain.now = eager.chain.now = life.chain.now + 21 * DAY_MS
    run_deadlines(eager)
    body = maintenance(life.chain, 300)
    assert ["author_on_hold"] == life.chain.unmet(life.chain.sign("workshop-berlin", body))
    monkeypatch.setattr(conduct, "conduct_at", lambda stored, now_ms: stored)
    assert [] == life.chain.unmet(life.chain.sign("workshop-berlin", body))
    assert ["author_on_hold"] == eager.chain.unmet(eager.chain.sign("workshop-berlin", body))


def test_names_of_records_are_of_what_was_written() -> None:
    """Two records that race into one block can't swap places: a dispute names the digest."""
    life = at("wholesale")
    first = serviced(life, 200)
    named = name_of(life.chain, first)
    second = serviced(life, 201)
    swapped = replace(dispute(life.chain, first), target=replace(named, sequence=second))
    assert ["record_differs"] == life.chain.unmet(life.chain.sign("dealer-munich", swapped))
