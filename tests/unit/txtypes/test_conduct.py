"""Conduct: what is counted of authors and openers, and what follows from it."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import (
    HOLDER,
    INSPECTOR,
    WITNESS,
    WORKSHOP,
    amend,
    answered,
    conduct,
    dispute,
    disputed,
    newest,
    serviced,
    shown,
    through,
    total,
    wholesale,
)
from support.governing import carry_out, codes_of
from support.life import maintenance
from support.stages import at, force, ledger_of

from node.txtypes.chain.actions import HoldLift
from node.txtypes.members import conduct as conducts
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT, QUARTER_MS, Quarter, count_refund, counted


# --- conduct ------------------------------------------------------------------------------------------------
def test_five_annulled_records_put_an_author_on_hold() -> None:
    life = wholesale()
    force(life.chain, CONDUCT, address(WORKSHOP), replace(
        NO_CONDUCT, quarters=(Quarter(life.chain.now // QUARTER_MS, 4, 0, 0, 0),)
    ))  # fmt: skip
    through(life, serviced(life), "annulled")
    since = life.chain.now
    raw = life.chain.sign(WORKSHOP, maintenance(life.chain, 300))
    assert ["author_on_hold"] == life.chain.unmet(raw)
    assert shown(life, CONDUCT, address(WORKSHOP)).is_on_hold
    until = conduct(life, WORKSHOP).hold_until_ms
    assert since - DAY_MS < until - 90 * DAY_MS < since
    life.chain.now = until
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))


def test_on_hold_an_author_still_amends_and_answers() -> None:
    life = wholesale()
    sequence = serviced(life)
    ident = disputed(life, sequence)
    held = replace(life.chain.state(CONDUCT, address(WORKSHOP)), hold_until_ms=life.chain.now + 90 * DAY_MS)
    force(life.chain, CONDUCT, address(WORKSHOP), held)
    answered(life, ident)
    life.chain.do(WORKSHOP, amend(life.chain, sequence, witness=WITNESS), INSPECTOR)
    assert held.hold_until_ms == conduct(life, WORKSHOP).hold_until_ms


def test_twenty_unanswered_disputes_put_an_author_on_hold_without_a_transaction() -> None:
    life = wholesale()
    start = life.chain.now
    due = tuple(start + n * DAY_MS for n in range(1, 21))
    force(life.chain, CONDUCT, address(WORKSHOP), replace(NO_CONDUCT, answers_due=due))
    life.chain.now = due[-1] - 1
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))
    life.chain.now = due[-1]
    assert ["author_on_hold"] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))
    assert due[-1] + 90 * DAY_MS == conduct(life, WORKSHOP).hold_until_ms


def test_counters_look_back_four_quarters_and_are_kept_for_eight() -> None:
    conduct = NO_CONDUCT
    for number in range(12):
        conduct = counted(conduct, "annulled", number * QUARTER_MS)
        assert 0 == conduct.hold_until_ms, "four in four quarters"
    assert list(range(4, 12)) == [entry.quarter for entry in conduct.quarters]
    held = counted(conduct, "annulled", 11 * QUARTER_MS + 5)
    assert 11 * QUARTER_MS + 5 + conducts.HOLD_MS == held.hold_until_ms
    assert replace(conduct, quarters=held.quarters, hold_until_ms=held.hold_until_ms) == held


def test_three_dismissed_disputes_bar_their_opener_for_a_year() -> None:
    life = wholesale()
    for n in range(3):
        assert not conduct(life, HOLDER).barred_until_ms
        through(life, serviced(life, 200 + n), "stands")
    assert 3 == total(life, HOLDER, "dismissed")
    raw = life.chain.sign(HOLDER, dispute(life.chain, serviced(life, 300)))
    assert ["dispute_barred"] == life.chain.unmet(raw)
    life.chain.now = conduct(life, HOLDER).barred_until_ms
    assert [] == life.chain.unmet(life.chain.sign(HOLDER, dispute(life.chain, newest(life.chain))))


def test_governance_lifts_a_hold() -> None:
    life = wholesale()
    assert ["not_on_hold"] == codes_of(life.chain, HoldLift(address(WORKSHOP)))
    force(life.chain, CONDUCT, address(WORKSHOP), replace(NO_CONDUCT, hold_until_ms=life.chain.now + 90 * DAY_MS))
    assert ["author_on_hold"] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))
    assert "carried_out" == carry_out(life.chain, HoldLift(address(WORKSHOP)))
    assert [] == life.chain.unmet(life.chain.sign(WORKSHOP, maintenance(life.chain, 300)))


# --- sellers ------------------------------------------------------------------------------------------------
def test_defaults_of_a_seller_are_counted_and_put_nobody_on_hold() -> None:
    conduct = NO_CONDUCT
    for _ in range(30):
        conduct = counted(conduct, "defaulted", 0)
    assert ((Quarter(0, 0, 0, 0, 30),), 0, 0) == (
        conduct.quarters, conduct.hold_until_ms, conduct.barred_until_ms,
    )  # fmt: skip


def test_counters_are_apart() -> None:
    conduct = NO_CONDUCT
    for counter in ("annulled", "unanswered", "dismissed", "defaulted", "defaulted"):
        conduct = counted(conduct, counter, 0)
    assert (Quarter(0, 1, 1, 1, 2),) == conduct.quarters


def test_overdue_refunds_go_up_and_down_by_order() -> None:
    ledger = ledger_of(at("").chain)
    for change, expected in ((1, 1), (1, 2), (-1, 1), (-1, 0)):
        count_refund(ledger, address(HOLDER), change)
        assert expected == conducts.conduct_of(ledger, address(HOLDER)).refunds_overdue
