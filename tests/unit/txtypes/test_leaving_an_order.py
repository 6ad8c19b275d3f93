"""Who leaves an order free of its fee, and who pays it: nobody makes the ground himself on which he leaves."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, Life, accept, handover, listing, offer
from support.life import terms as plain
from support.selling import (
    BANK,
    BUYER,
    PROVIDER,
    SELLER,
    about_payment,
    after,
    amend,
    begin,
    cancel,
    claims,
    codes_of,
    debts,
    decide,
    disputed,
    handing_over,
    leg,
    market_of_car,
    order_of,
    ordered,
    pay,
    reinstate,
    second_car,
    tell,
    terms,
    trading,
    with_credit,
)
from support.specimens import specimen
from support.stages import at
from support.views import view_of

from node.audit.invariants import check_invariants
from node.ledger.body import TransactionBody
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.payment.giving_back import PaymentReassign
from node.txtypes.sale.deal import Terms
from node.txtypes.sale.order_family import ORDER

ALL, FEE, CREDIT = PRICE.amount, PRICE.amount // 10, 4_000_000
LISTED = 89 * DAY_MS


def with_deadline(life: Life) -> Terms:
    return terms(cancel_fee=FEE, deliver_by_ms=life.chain.now + 10 * DAY_MS)


# --- the ground of another ----------------------------------------------------------------------------------------
def test_a_buyer_does_not_make_a_delivery_late_by_a_dispute() -> None:
    """The open dispute blocks the handover, and it puts off this deadline as the others."""
    life = ordered(terms_of=with_deadline, stage="paid", listed_ms=LISTED)
    after(life, 9)
    disputed(life, BUYER, "other")
    assert ["order_disputed"] == handing_over(life)
    after(life, 2)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))
    after(life, 60)
    assert [] == codes_of(life, BUYER, cancel(life, "late_delivery"))


def test_a_buyer_pays_no_fee_for_a_late_lender() -> None:
    life = ordered(replace(with_credit(CREDIT), cancel_fee=FEE), listed_ms=LISTED)
    pay(life, 0)
    credit = begin(life, 1)
    after(life, 11)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))
    tell(life, "failed", payment=credit)
    assert [] == codes_of(life, BUYER, cancel(life, "financing_failed"))
    life.chain.do(BUYER, cancel(life, "financing_failed"))
    assert 0 == order_of(life).kept


def paid_in_one_transfer() -> Life:
    """Two parts of the price, both of them paid with one transfer by the first part's payment."""
    half = ALL // 2
    agreed = terms(leg(half), leg(ALL - half, due_days=14), cancel_fee=FEE)
    life = ordered(agreed, listed_ms=LISTED)
    life.payment = begin(life, 0)
    tell(life, "settled", ALL)
    return after(life, 18)


def test_who_has_paid_in_full_with_one_transfer_is_in_no_default() -> None:
    life = paid_in_one_transfer()
    assert view_of(life.chain, ORDER, life.order)["is_paid"]
    assert [] == codes_of(life, SELLER, handover(life.chain, life.order, 200), BUYER)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))


@pytest.mark.parametrize(("amount", "days", "reason"), [(ALL, 11, "buyer_default"), (5, 61, "time_over")])
def test_a_seller_does_not_get_rid_of_a_buyer_by_refunding_it(amount: int, days: int, reason: str) -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), "paid", listed_ms=LISTED)
    life.chain.do(SELLER, about_payment(life, "payment.refund", amount))
    tell(life, "refunded", amount)
    after(life, days)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, reason))


def test_who_got_its_money_back_before_a_reinstatement_has_not_paid() -> None:
    life = ordered(replace(plain(), cancel_fee=FEE), "paid", listed_ms=LISTED)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    tell(life, "refunded", ALL)
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    assert (0, ALL, 0) == (order_of(life).net, order_of(life).given_back, market_of_car(life).lock_ms)
    after(life, 20)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))
    life.chain.do(SELLER, cancel(life, "buyer_default"))
    assert FEE == order_of(life).kept
    assert ([], {}) == (claims(life), debts(life)), "of this fee nothing is due: no money of its own is there"


# --- deliveries -----------------------------------------------------------------------------------------------------
def scheduled(life: Life) -> None:
    """A window that the buyer has confirmed."""
    window = dict(window_from_ms=life.chain.now + DAY_MS, window_to_ms=life.chain.now + 2 * DAY_MS)
    body = specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=None, **window)
    life.chain.do(SELLER, body)
    number = order_of(life).deliveries - 1
    life.chain.do(BUYER, specimen("delivery.confirm", life.chain, order=life.order, number=number))


def event(life: Life, stage: str) -> TransactionBody:
    return specimen("delivery.event", life.chain, order=life.order, stage=stage, site="",
                    event_at_ms=life.chain.now, odometer=None)  # fmt: skip


def test_a_buyer_misses_the_window_that_it_had_confirmed() -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    scheduled(life)
    assert "delivery_window" in codes_of(life, SELLER, event(life, "no_show"))
    after(life, 3)
    assert [] == codes_of(life, SELLER, event(life, "no_show"))


def test_a_buyer_does_not_miss_a_window_in_which_a_dispute_blocked_the_handover() -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    scheduled(life)
    decide(life, Decision("resume", 0, ""), SELLER, BUYER)
    after(life, 3)
    assert ["delivery_window"] == codes_of(life, SELLER, event(life, "no_show"))
    scheduled(life)
    after(life, 3)
    assert [] == codes_of(life, SELLER, event(life, "no_show"))


def test_a_window_of_before_a_reinstatement_is_missed_by_nobody() -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    scheduled(life)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    after(life, 3)
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert "delivery_window" in codes_of(life, SELLER, event(life, "no_show"))


def test_a_car_that_was_mended_and_brought_again_is_refused_no_more() -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    scheduled(life)
    life.chain.do(SELLER, event(life, "arrived"))
    life.chain.do(BUYER, specimen("delivery.refuse", life.chain, order=life.order, reason="documents_missing"))
    refused = order_of(life).refused_at_ms
    assert refused
    scheduled(life)
    assert 0 == order_of(life).refused_at_ms
    life.chain.do(SELLER, event(life, "arrived"))
    after(life, 15)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "refused"))
    refuse = specimen("delivery.refuse", life.chain, order=life.order, reason="documents_missing")
    life.chain.do(BUYER, refuse)
    after(life, 15)
    assert [] == codes_of(life, BUYER, cancel(life, "refused")), "it may refuse the car again"


# --- the lock of a seller that has defaulted ------------------------------------------------------------------------
@pytest.mark.parametrize(("opener", "answers"), [(SELLER, BUYER), (BUYER, SELLER)])
def test_a_decision_does_not_lift_the_lock_of_a_seller_that_has_defaulted(opener: str, answers: str) -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    life.chain.do(SELLER, cancel(life, "seller_default"))
    locked = market_of_car(life).locked_until_ms
    assert locked > life.chain.now
    decide(life, Decision("unwind", 0, ""), opener, answers)
    assert locked == market_of_car(life).locked_until_ms
    assert ["relist_locked"] == codes_of(life, SELLER, listing(life.chain))


# --- parts that are amended away ------------------------------------------------------------------------------------
def test_money_of_a_part_that_was_amended_away_stops_no_amendment() -> None:
    life = ordered(terms(leg(1_000, kind="deposit"), leg(ALL - 1_000)))
    late = begin(life, 1)
    tell(life, "failed", payment=late)
    life.chain.do(SELLER, amend(life, terms()), BUYER)
    tell(life, "settled", 500, payment=late)
    life.chain.do(SELLER, amend(life, terms(cancel_fee=1)), BUYER)
    assert (1, 500) == (order_of(life).terms.cancel_fee, order_of(life).net)


def test_a_payment_of_a_part_that_is_a_car_now_gives_it_no_provider() -> None:
    life = ordered(terms(leg(1_000_000), leg(ALL - 1_000_000)), before=second_car)
    life.payment = begin(life, 0)
    tell(life, "failed")
    life.chain.do(SELLER, amend(life, trading(life)), BUYER)
    life.chain.do(BUYER, PaymentReassign(life.payment, address(BANK)), SELLER)
    assert ("trade_in", None) == (order_of(life).terms.legs[0].rail, order_of(life).terms.legs[0].provider)


def test_a_payment_of_a_part_that_is_a_credit_now_leaves_it_to_its_lender() -> None:
    life = ordered(terms(leg(CREDIT), leg(ALL - CREDIT)))
    life.payment = begin(life, 0)
    tell(life, "failed")
    parts = (leg(CREDIT, "finance", BANK), leg(ALL - CREDIT))
    life.chain.do(SELLER, amend(life, replace(with_credit(CREDIT), legs=parts)), BUYER, BANK)
    life.chain.do(SELLER, PaymentReassign(life.payment, address(PROVIDER)), BUYER)
    assert ("finance", address(BANK)) == (order_of(life).terms.legs[0].rail, order_of(life).terms.legs[0].provider)


# --- the audit ------------------------------------------------------------------------------------------------------
def test_the_audit_takes_a_car_on_its_way_back() -> None:
    life = at("listed")
    agreed = plain(contract="distance", text=bytes(32))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    life.chain.do(SELLER, handover(life.chain, life.order, 200), BUYER)
    life.chain.do(BUYER, specimen("order.withdraw", life.chain, {"order": life.order}))
    assert "returning" == market_of_car(life).status
    check_invariants(life.chain.store)
