"""Disputes: their way from opening to closing, their bounds."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import (
    HOLDER,
    WORKSHOP,
    answered,
    car,
    closed,
    conduct,
    disputed,
    granted,
    newest,
    of,
    outcomes_of,
    passed,
    serviced,
    shown,
    status,
    total,
    voted,
    wholesale,
)
from support.governing import carry_out
from support.life import VIN, handover, transfer
from support.stages import at, force, ledger_of

from node import limits
from node.codec import encode
from node.ledger.fields import RecordName
from node.rules.disputes import DISPUTE_STANDINGS
from node.txtypes.chain.actions import RoleSetStatus
from node.txtypes.disputes.arbiters import ARBITERS_MAX, Arbiters
from node.txtypes.disputes.dispute import (
    OPEN_DISPUTES,
    OPEN_PER_MEMBER_MAX,
    RECORD_DISPUTE,
    OpenDisputes,
    OpenOfAccount,
    RecordDispute,
    RecordStatus,
    Vote,
    open_of_account,
)
from node.txtypes.disputes.types import RecordWithdraw
from node.txtypes.members import conduct as conducts
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT, Conduct, Quarter
from node.txtypes.vehicle.life import DISPUTES_MAX, LIFE, NO_LIFE, OpenDispute
from node.txtypes.vehicle.vehicle import VEHICLE


# --- the way of a dispute -----------------------------------------------------------------------------------
def test_a_dispute_is_shown_and_changes_nothing_that_a_buyer_agreed_to() -> None:
    life = wholesale()
    sequence = serviced(life)
    before = car(life)
    ident = disputed(life, sequence)
    after = car(life)
    assert (before.material_head, before.material_changes) == (after.material_head, after.material_changes)
    assert before.record_count + 1 == after.record_count
    assert (1, "awaiting_answer") == (
        shown(life, VEHICLE, VIN).disputes_open, shown(life, RECORD_DISPUTE, ident).status
    )  # fmt: skip
    found = of(life, ident)
    assert ("maintenance.record", address(WORKSHOP), address(HOLDER), "holder") == (
        found.kind, found.author, found.opener, found.standing
    )  # fmt: skip
    assert (found.opened_at_ms + 14 * DAY_MS, found.opened_at_ms + 28 * DAY_MS) == (
        found.answer_by_ms, found.ends_at_ms
    )  # fmt: skip
    assert (ident,) == status(life, sequence).disputes


def test_an_answer_begins_the_vote() -> None:
    life = wholesale()
    ident = disputed(life, serviced(life))
    passed(life, 3)
    at_ms = life.chain.now
    answered(life, ident, answer="evidence")
    found = of(life, ident)
    assert ("evidence", at_ms, at_ms + 14 * DAY_MS) == (found.answer, found.answer_by_ms, found.ends_at_ms)
    assert "voting" == shown(life, RECORD_DISPUTE, ident).status
    assert (at_ms + 14 * DAY_MS,) == tuple(e.ends_at_ms for e in life.chain.state(LIFE, VIN).disputes)
    assert (at_ms + 14 * DAY_MS,) == tuple(
        e.ends_at_ms for e in life.chain.state(OPEN_DISPUTES, address(HOLDER)).disputes
    )


def test_silence_counts_against_the_author_and_decides_nothing() -> None:
    life = wholesale()
    ident = disputed(life, serviced(life))
    passed(life, 13)
    assert (0, False) == (
        total(life, WORKSHOP, "unanswered"), shown(life, RECORD_DISPUTE, ident).is_unanswered
    )  # fmt: skip
    passed(life, 15)
    found = shown(life, RECORD_DISPUTE, ident)
    assert (1, True, "due", "undecided") == (
        total(life, WORKSHOP, "unanswered"), found.is_unanswered, found.status, found.outcome
    )  # fmt: skip
    assert 0 == shown(life, VEHICLE, VIN).disputes_open
    closed(life, ident)
    assert ("undecided", 1, 1) == (
        of(life, ident).outcome, total(life, WORKSHOP, "unanswered"), car(life).maintenance_count
    )  # fmt: skip
    assert ("decided:undecided",) == outcomes_of(life, newest(life.chain))


def test_of_a_member_without_a_role_no_answer_is_waited_for() -> None:
    life = wholesale()
    sequence = serviced(life)
    carry_out(life.chain, RoleSetStatus(address(WORKSHOP), "workshop", "revoked", "ended"))
    ident = disputed(life, sequence)
    assert ("voting", 0) == (
        shown(life, RECORD_DISPUTE, ident).status, len(conduct(life, WORKSHOP).answers_due)
    )  # fmt: skip
    passed(life, 20)
    assert (0, False) == (
        total(life, WORKSHOP, "unanswered"), shown(life, RECORD_DISPUTE, ident).is_unanswered
    )  # fmt: skip


def test_who_withdraws_in_time_loses_nothing() -> None:
    life = wholesale()
    first, second = serviced(life, 200), serviced(life, 210)
    early, late = disputed(life, first), disputed(life, second)
    answered(life, late)
    voted(life, late, "stands", "arbiter-1")
    for ident in (early, late):
        life.chain.do(HOLDER, RecordWithdraw(ident))
        assert "withdrawn" == of(life, ident).outcome
    assert 1 == total(life, HOLDER, "dismissed")
    assert () == conduct(life, WORKSHOP).answers_due
    assert () == life.chain.state(LIFE, VIN).disputes
    assert life.chain.state(OPEN_DISPUTES, address(HOLDER)) is None
    passed(life, 30)
    assert 0 == total(life, WORKSHOP, "unanswered")


# --- bounds -------------------------------------------------------------------------------------------------
def test_values_are_within_their_bounds_with_every_list_full() -> None:
    who, longest = bytes(20), 2**53
    votes = tuple(Vote(who, "undecided", "not_competent") for _ in range(ARBITERS_MAX))
    full = RecordDispute(
        VIN, RecordName(2**32, bytes(32)), "registration.suspend", who, who, "holder", "not_this_vehicle",
        limits.TIME_MAX_MS, limits.TIME_MAX_MS, "withdraws", limits.TIME_MAX_MS, votes, "undecided", limits.TIME_MAX_MS,
    )  # fmt: skip
    assert len(encode(full)) <= 1_024
    assert (
        len(encode(RecordStatus(RecordName(2**32, bytes(32)), VIN, True, "undecided", (bytes(32),) * 3, True))) <= 200
    )
    opened = OpenDisputes(tuple(OpenOfAccount(bytes(32), longest) for _ in range(OPEN_PER_MEMBER_MAX)))
    assert len(encode(opened)) <= 2_560
    quarters = tuple(
        Quarter(limits.TIME_MAX_MS // conducts.QUARTER_MS, 10**6, 10**6, 10**6, 10**6)
        for _ in range(conducts.QUARTERS_MAX)
    )
    conduct = Conduct(
        quarters,
        longest,
        (longest,) * 5,
        longest,
        (longest,) * conducts.ANSWERS_DUE_MAX,
        (longest,) * conducts.LOSSES_MAX,
        10**6,
    )
    assert len(encode(conduct)) <= 1_024
    assert len(encode(Arbiters((who,) * ARBITERS_MAX))) <= 400
    disputes = tuple(OpenDispute(bytes(32), who, "holder", longest) for _ in range(DISPUTES_MAX))
    assert len(encode(replace(NO_LIFE, disputes=disputes))) <= 1_280
    assert DISPUTES_MAX == sum(DISPUTE_STANDINGS.values())


def test_the_65th_answer_is_not_counted() -> None:
    life = wholesale()
    sequence = serviced(life)
    start = life.chain.now
    full = tuple(start + 30 * DAY_MS + n for n in range(conducts.ANSWERS_DUE_MAX))
    force(life.chain, CONDUCT, address(WORKSHOP), replace(NO_CONDUCT, answers_due=full))
    ident = disputed(life, sequence)
    assert full == life.chain.state(CONDUCT, address(WORKSHOP)).answers_due
    answered(life, ident)
    assert full == life.chain.state(CONDUCT, address(WORKSHOP)).answers_due


def test_the_places_that_are_shown_are_those_that_count() -> None:
    life = wholesale()
    ident = disputed(life, serviced(life))
    ledger = ledger_of(life.chain)
    assert (ident,) == tuple(e.dispute for e in open_of_account(ledger, address(HOLDER), life.chain.now))
    assert () == open_of_account(ledger, address(HOLDER), life.chain.now + 28 * DAY_MS)


def test_a_sale_goes_on_while_a_dispute_is_open() -> None:
    life = at("paid")
    disputed(life, serviced(life, 158), "buyer-1")
    assert [] == life.chain.unmet(life.chain.sign(HOLDER, handover(life.chain, life.order), "buyer-1"))


def test_straw_men_who_give_up_before_a_vote_shut_nobody_out() -> None:
    """However many: those that count keep their places among the three, the others make room."""
    life = wholesale()
    sequence = serviced(life)
    for sender, receiver, value in (
        (HOLDER, "dealer-shanghai", 210), ("dealer-shanghai", "bmw", 220), ("bmw", HOLDER, 230)
    ):  # fmt: skip
        ident = disputed(life, sequence, sender)
        life.chain.do(sender, RecordWithdraw(ident))
        life.chain.do(sender, transfer(life.chain, receiver, value), receiver)
    assert ident == status(life, sequence).disputes[-1] and 3 == len(status(life, sequence).disputes)
    granted(life, "carrier-1", "dealer")
    life.chain.do(HOLDER, transfer(life.chain, "carrier-1", 240), "carrier-1")
    honest = disputed(life, sequence, "carrier-1")
    assert (ident, honest) == status(life, sequence).disputes[-2:] and 3 == len(status(life, sequence).disputes)
