"""Attacks on the money of a sale after its mends. Each test states what should hold."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.disputing import ARBITERS
from support.life import PRICE, Life, handover, initiate, km
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    LONG,
    OTHER,
    PROVIDER,
    SELLER,
    about_payment,
    after,
    amend,
    begin,
    cancel,
    claim_refund,
    codes_of,
    euro,
    hand_over,
    handing_over,
    leg,
    order_of,
    ordered,
    pay,
    sold_by_card,
    tell,
    terms,
    through_agent,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, ledger_of

from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.order_body import debts_now
from node.txtypes.vehicle.claims import claims_of

ALL, CREDIT = PRICE.amount, 4_000_000
NAMES = {address(name): name for name in (BUYER, SELLER, BANK, OTHER, AGENT, PROVIDER)}


def claims(life: Life) -> list[tuple[str, str, int, str]]:
    found = claims_of(ledger_of(life.chain), life.order)
    return [(NAMES[c.debtor], NAMES[c.creditor], c.amount.amount, c.cause) for c in found]


def debts(life: Life) -> dict[str, int]:
    return {NAMES[debt.creditor]: debt.amount.amount for debt in debts_now(ledger_of(life.chain), order_of(life))}


def back(life: Life, value: int = 250, **changes):
    plain_back = dict(odometer=km(value), event_at_ms=life.chain.now)
    return specimen("order.return", life.chain, {"order": life.order}, **plain_back | changes)


def disputed(life: Life, opener: str = BUYER, reason: str = "refund") -> bytes:
    return life.chain.do(opener, specimen("order.dispute", life.chain, {"order": life.order}, reason=reason))


def answered(life: Life, opener: str = BUYER, answers: str = SELLER) -> bytes:
    dispute = disputed(life, opener)
    life.chain.do(answers, specimen("order.respond", life.chain, dispute=dispute))
    return dispute


def vote(life: Life, dispute: bytes, decision: Decision, *arbiters: str) -> None:
    for arbiter in arbiters or ARBITERS:
        if not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms:
            life.chain.do(arbiter, specimen("order.resolve", life.chain, dispute=dispute, decision=decision))


def by_card(life: Life, place: int, amount: int) -> bytes:
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(amount), leg=place, scheme="visa"))
    for kind in ("authorised", "captured", "settled"):
        tell(life, kind)
    return life.payment


# 1 halt
def test_amending_after_late_money_of_a_part_that_is_gone() -> None:
    life = ordered(terms(leg(ALL - 10), leg(10)))
    life.payment = begin(life, 1)
    tell(life, "failed")
    life.chain.do(SELLER, amend(life, terms(leg(ALL))), BUYER)
    tell(life, "settled", 10)
    codes_of(life, SELLER, amend(life, terms(leg(ALL))), BUYER)


# 2 agent instructs before the handover
def test_what_is_to_be_refunded_does_not_count_for_the_title() -> None:
    life = through_agent("paid")
    life.chain.do(AGENT, about_payment(life, "payment.refund", ALL))
    assert "payment_not_final" in handing_over(life)


def test_an_agent_gives_no_price_back_by_an_instruction_before_the_handover() -> None:
    life = through_agent("paid")
    life.chain.do(AGENT, about_payment(life, "payment.refund", ALL))
    life.chain.do(AGENT, handover(life.chain, life.order, 200), BUYER)
    tell(life, "refunded", ALL)
    assert order_of(life).net == ALL or claims(life), "car and money are with the buyer"


# 3 claim payment lost at return
def test_a_claim_that_was_paid_comes_back_with_the_car() -> None:
    life = sold_by_card()
    tell(life, "charged_back", ALL)
    by_card(life, 255, ALL)
    assert [] == claims(life)
    life.chain.do(SELLER, back(life), BUYER)
    assert ALL == debts(life).get(BUYER, 0) + sum(a for _, c, a, _ in claims(life) if c == BUYER)


# 4 second claim
def test_a_second_claim_can_be_paid() -> None:
    life = sold_by_card()
    first = life.payment
    tell(life, "charged_back", 70)
    by_card(life, 255, 70)
    tell(life, "charged_back", 50, payment=first)
    assert [(BUYER, SELLER, 50, "charged_back")] == claims(life)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(50), leg=255, scheme="visa"))


# 5 settled after return
def test_votes_for_settled_do_not_cover_what_is_owed_since() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    dispute = answered(life, SELLER, BUYER)
    vote(life, dispute, Decision("settled", 0, ""), *ARBITERS[:2])
    life.chain.do(SELLER, back(life), BUYER)
    vote(life, dispute, Decision("settled", 0, ""), *ARBITERS[2:])
    assert ALL <= debts(life).get(BUYER, 0)


# 6 refund of overpaid claim
def test_a_refund_ends_what_was_overpaid() -> None:
    life = sold_by_card()
    charged = life.payment
    tell(life, "charged_back", 70)
    again = by_card(life, 255, 70)
    tell(life, "represented", 70, payment=charged)
    assert [(SELLER, BUYER, 70, "overpaid")] == claims(life)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 70))
    tell(life, "refunded", 70, payment=again)
    assert [] == claims(life)


def test_a_refund_of_the_price_ends_what_was_overpaid() -> None:
    life = sold_by_card()
    charged = life.payment
    tell(life, "charged_back", 70)
    by_card(life, 255, 70)
    tell(life, "represented", 70, payment=charged)
    life.payment = charged
    life.chain.do(SELLER, about_payment(life, "payment.refund", 70))
    tell(life, "refunded", 70)
    assert [] == claims(life)


# 7 lender paid in full
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lender_that_has_paid_its_promise_owes_nothing(when: str) -> None:
    life = ordered(with_credit(CREDIT))
    first = pay(life, 0)
    if when == "before":
        tell(life, "settled", 300_000, reference=b"more")
    life.payment = begin(life, 1)
    credit = life.payment
    hand_over(life, BUYER, BANK, promises=True)
    if when == "after":
        tell(life, "settled", 300_000, payment=first, reference=b"more")
    tell(life, "settled", CREDIT, payment=credit)
    assert [] == claims(life)
    assert {BUYER: 300_000} == debts(life)


# 8 agent refunds once per payment
def test_an_agent_refunds_what_is_owed_once() -> None:
    life = through_agent("accepted")
    first = begin(life, 0, ALL - 1_000_000)
    second = begin(life, 0, 1_000_000)
    life.payment = first
    tell(life, "settled", ALL - 1_000_000)
    tell(life, "settled", 1_000_000 + 900_000, payment=second)
    hand_over(life)
    assert {BUYER: 900_000} == debts(life)
    life.chain.do(AGENT, about_payment(life, "payment.refund", 900_000))
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 900_000, payment=second))


def test_an_agent_does_not_give_the_fee_back() -> None:
    life = through_agent("listed")
    from support.life import accept, offer
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(cancel_fee=500_000)))
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert {BUYER: ALL - 500_000} == debts(life)
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", ALL))


# 9 deduction falls on the lender
def test_the_deduction_does_not_fall_on_the_lender() -> None:
    life = ordered(with_credit(CREDIT))
    own = pay(life, 0)
    pay(life, 1)
    hand_over(life)
    life.chain.do(SELLER, back(life, 5_000, deduction=50_000), BUYER, BANK)
    assert {BANK: CREDIT, BUYER: ALL - CREDIT - 50_000} == debts(life)
    life.payment = own
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL - CREDIT))
    tell(life, "refunded", ALL - CREDIT)
    assert CREDIT == debts(life)[BANK]


def test_the_deduction_does_not_fall_on_the_lender_by_a_charge_back() -> None:
    life = ordered(replace(with_credit(CREDIT), legs=(leg(ALL - CREDIT, "card"), leg(CREDIT, "finance", BANK))))
    card = by_card(life, 0, ALL - CREDIT)
    pay(life, 1)
    hand_over(life)
    life.chain.do(SELLER, back(life, 5_000, deduction=50_000), BUYER, BANK)
    tell(life, "charged_back", ALL - CREDIT, payment=card)
    assert ({BANK: CREDIT}, [(BUYER, SELLER, 50_000, "charged_back")]) == (debts(life), claims(life))


# 10 cents
def test_a_seller_that_gives_every_cent_back_in_time_is_not_barred() -> None:
    life = at("handed_over")
    for day in range(15):
        tell(life, "settled", 1, reference=b"cent %d" % day)
        if day:
            tell(life, "refunded", 1)
        after(life, 1)
    assert "refund_not_due" in codes_of(life, BUYER, claim_refund(life))


# 11 disputes burnt
def test_a_claim_that_was_decided_last_can_be_settled() -> None:
    life = at("handed_over")
    for _ in range(3):
        vote(life, answered(life), Decision("claim", 100, "seller"))
    after(life, 14)
    life.chain.do(BUYER, claim_refund(life))
    assert [] == codes_of(life, SELLER, specimen("order.dispute", life.chain, {"order": life.order}, reason="refund"))


def test_a_late_claim_can_be_settled() -> None:
    life = at("handed_over")
    after(life, 181)
    tell(life, "settled", 1)
    after(life, 15)
    life.chain.do(BUYER, claim_refund(life))
    assert [] == codes_of(life, SELLER, specimen("order.dispute", life.chain, {"order": life.order}, reason="refund"))


# 12 decided claim of cancelled order
def test_a_buyer_pays_what_was_decided_of_an_order_that_ended() -> None:
    life = ordered(None, listed_ms=LONG)
    vote(life, answered(life, SELLER, BUYER), Decision("claim", 100, "buyer"))
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(100), leg=255))


def test_arbiters_settle_what_the_buyer_paid() -> None:
    life = ordered(None, listed_ms=LONG)
    vote(life, answered(life, SELLER, BUYER), Decision("claim", 100, "buyer"))
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    vote(life, answered(life), Decision("settled", 0, ""))
    assert [] == claims(life)


# 13 financing_failed by another rail's payment
def test_a_failed_transfer_is_no_failed_credit() -> None:
    life = ordered(replace(terms(leg(CREDIT), leg(ALL - CREDIT)), cancel_fee=500_000))
    life.payment = begin(life, 0)
    tell(life, "failed")
    parts = (leg(CREDIT, "finance", BANK), leg(ALL - CREDIT))
    agreed = replace(with_credit(CREDIT), legs=parts, cancel_fee=500_000)
    life.chain.do(SELLER, amend(life, agreed), BUYER, BANK)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "financing_failed"))


# 14 claim paid by the lender's rail
def test_a_claim_is_paid_with_the_buyers_own_money() -> None:
    life = ordered(replace(with_credit(CREDIT), legs=(leg(CREDIT, "finance", BANK), leg(ALL - CREDIT))))
    pay(life)
    hand_over(life)
    tell(life, "returned", 70)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(70), leg=255))


# 15 reassign rewrites a finance leg
def test_reassigning_an_old_payment_leaves_the_credit_alone() -> None:
    life = ordered(terms(leg(CREDIT), leg(ALL - CREDIT)))
    old = begin(life, 0)
    life.payment = old
    tell(life, "failed")
    parts = (leg(CREDIT, "finance", BANK), leg(ALL - CREDIT))
    life.chain.do(SELLER, amend(life, replace(with_credit(CREDIT), legs=parts)), BUYER, BANK)
    body = specimen("payment.reassign", life.chain, payment=old, provider=address(PROVIDER))
    life.chain.do(SELLER, body, BUYER)
    assert order_of(life).terms.legs[0].provider == address(BANK)


# 16 trade-in given back after the agent has paid
def test_a_taker_that_has_paid_gets_its_money_with_the_car_gone() -> None:
    from test_sale_collusion import agent_trade
    life = agent_trade()
    life.chain.do(SELLER, ClaimRelease(life.order, address(AGENT), euro(1_000_000)))
    life.chain.do(SELLER, back(life, trade_in_back=True, trade_odometer=km(320)), BUYER, AGENT)
    assert [(SELLER, AGENT, 1_000_000, "trade_in")] == claims(life)


# 17 a price reduction and stray money
def test_money_after_a_reduction_is_owed() -> None:
    life = at("handed_over")
    life.chain.do(SELLER, about_payment(life, "payment.refund", 500))
    tell(life, "refunded", 500)
    tell(life, "settled", 500, reference=b"stray")
    assert 500 == debts(life).get(BUYER, 0)
