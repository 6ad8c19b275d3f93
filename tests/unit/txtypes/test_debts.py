"""Debts: what the seller has to give back, to whom and until when; and the claim of a refund that is overdue."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import conduct
from support.life import PRICE, Life, handover, listing, offer, transfer
from support.selling import (
    BANK,
    BUYER,
    LONG,
    OTHER,
    SELLER,
    about_payment,
    after,
    amend,
    begin,
    cancel,
    claim_refund,
    codes_of,
    debts,
    hand_over,
    leg,
    market_of_car,
    order_of,
    ordered,
    pay,
    payment_of,
    reinstate,
    tell,
    terms,
    told,
    with_credit,
)
from support.stages import Case, at, table
from support.views import view_of

from node.audit.invariants import check_invariants
from node.txtypes.sale.accounts import Debt, debts_of
from node.txtypes.sale.order_family import ORDER

ALL, CREDIT, FEE = PRICE.amount, 4_000_000, 100_000
REFUND_MS = 14 * DAY_MS


def status(life: Life) -> str:
    return view_of(life.chain, ORDER, life.order)["status"]


def cancelled(life: Life) -> None:
    life.chain.do(BUYER, cancel(life))


def overdue(life: Life) -> None:
    cancelled(life)
    life.chain.now += REFUND_MS


# --- who is owed what ------------------------------------------------------------------------------------------
def test_a_running_order_owes_nothing() -> None:
    assert {} == debts(at("paid"))
    assert {} == debts(at("handed_over"))


def test_a_cancelled_order_owes_what_has_come_but_for_the_fee() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), "paid")
    cancelled(life)
    assert {BUYER: ALL - FEE} == debts(life)
    assert "unwinding" == status(life)


def test_a_fee_above_what_has_come_is_no_debt_of_the_buyer() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE))
    pay(life, 0, FEE - 1)
    cancelled(life)
    assert {} == debts(life)
    assert "unwound" == status(after(life, 20))


@pytest.mark.parametrize(
    ("own", "kept", "expected"),
    [
        (ALL - CREDIT, 0, {BUYER: ALL - CREDIT, BANK: CREDIT}),
        (ALL - CREDIT, 100, {BUYER: ALL - CREDIT - 100, BANK: CREDIT}),
        (100, 100, {BANK: CREDIT}),
    ],
)
def test_a_credit_goes_back_to_its_lender_and_the_fee_is_taken_from_the_buyers_money_first(
    own: int, kept: int, expected: dict[str, int]
) -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0, own)
    pay(life, 1)
    life.chain.do(SELLER, cancel(life, "mutual", kept), BUYER)
    assert expected == debts(life)


def test_no_fee_falls_on_the_lender() -> None:
    life = ordered(replace(with_credit(CREDIT), cancel_fee=FEE))
    pay(life, 1)
    cancelled(life)
    assert ({BANK: CREDIT}, "unwinding") == (debts(life), status(life))
    tell(life, "refunded", CREDIT)
    assert {} == debts(life)


def test_what_came_beyond_the_price_is_owed_to_the_buyer_once_the_car_is_handed_over() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 1)
    life.payment = begin(life)
    tell(life, "settled", ALL - CREDIT + 500)
    assert {} == debts(life)
    hand_over(life)
    assert {BUYER: 500} == debts(life)
    assert "completed" == status(after(life))


def test_a_reservation_that_has_ended_owes_everything() -> None:
    life = at("paid")
    end = order_of(life).hold_until_ms
    for now, expected in ((end - 1, {}), (end, {BUYER: ALL})):
        life.chain.now = now
        assert expected == debts(life)
    assert "unwinding" == status(after(life))


def test_a_debt_is_due_two_weeks_after_the_end_or_after_the_money_came() -> None:
    life = at("paying")
    cancelled(life)
    ended = order_of(life).ended_at_ms
    assert () == debts_of(order_of(life), [payment_of(life)], life.chain.now, REFUND_MS)
    life.chain.now += 3 * DAY_MS
    tell(life, "settled")
    came = order_of(life).money_at_ms
    assert came == ended + 3 * DAY_MS + 1000
    (debt,) = debts_of(order_of(life), [payment_of(life)], life.chain.now, REFUND_MS)
    assert Debt(address(BUYER), PRICE, came + REFUND_MS) == debt
    shown = view_of(life.chain, ORDER, life.order)["debts"]
    assert [(str(ALL), "EUR")] == [(entry["amount"]["amount"], entry["amount"]["currency"]) for entry in shown]


def test_a_debt_falls_with_what_goes_back_and_is_gone_with_all_of_it() -> None:
    life = at("paid")
    cancelled(life)
    life.chain.do(BUYER, about_payment(life, "payment.confirm_refund", 100))
    assert {BUYER: ALL - 100} == debts(life)
    tell(life, "returned", 50)
    assert {BUYER: ALL - 150} == debts(life)
    tell(life, "refunded", ALL - 150)
    assert ({}, "unwound") == (debts(life), status(after(life)))
    check_invariants(life.chain.store)


# --- order.claim_refund ------------------------------------------------------------------------------------------
def claiming(life: Life):
    return claim_refund(life)


@table(
    Case("overdue", "paid", BUYER, claiming, before=overdue),
    Case("not yet", "paid", BUYER, claiming, ("refund_not_due",),
         before=lambda life: (cancelled(life), setattr(life.chain, "now", life.chain.now + REFUND_MS - 1001))),
    Case("of a running order", "paid", BUYER, claiming, ("refund_not_due",)),
    Case("by the seller", "paid", SELLER, claiming, ("refund_not_due",), before=overdue),
    Case("by a third", "paid", OTHER, claiming, ("refund_not_due",), before=overdue),
    Case("claimed already", "paid", BUYER, claiming, ("refund_not_due",),
         before=lambda life: (overdue(life), life.chain.do(BUYER, claim_refund(life)))),
    Case("of an order without money", "accepted", BUYER, claiming, ("refund_not_due",), before=overdue),
    Case("of an offer", "offered", BUYER, claiming, ("order_status",)),
    Case("of none", "paid", BUYER, lambda life: claim_refund(life, order=bytes(32)), ("order_unknown",)),
    Case("after the reservation has ended", "paid", BUYER, claiming,
         before=lambda life: setattr(life.chain, "now", order_of(life).hold_until_ms + REFUND_MS)),
    Case("of a sale without excess", "handed_over", BUYER, claiming, ("refund_not_due",)),
)  # fmt: skip
def test_claiming_a_refund(case: Case) -> None:
    assert case.codes == case.run()


def claimed(life: Life) -> Life:
    overdue(life)
    life.chain.do(BUYER, claim_refund(life))
    return life


def test_a_claimed_refund_bars_the_seller_from_every_sale_until_it_is_paid() -> None:
    life = claimed(ordered(listed_ms=LONG, stage="paid"))
    assert 1 == conduct(life, SELLER).refunds_overdue and order_of(life).is_claimed
    assert ["refund_overdue"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    assert "refund_overdue" in codes_of(life, SELLER, listing(life.chain))
    life.chain.do(BUYER, about_payment(life, "payment.confirm_refund", ALL - 1))
    assert 1 == conduct(life, SELLER).refunds_overdue
    life.chain.do(BUYER, about_payment(life, "payment.confirm_refund", 1))
    assert 0 == conduct(life, SELLER).refunds_overdue and not order_of(life).is_claimed
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_the_providers_word_that_the_money_went_back_ends_it_too() -> None:
    life = claimed(at("paid"))
    tell(life, "refunded")
    assert 0 == conduct(life, SELLER).refunds_overdue


def test_a_lender_claims_its_own_money() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 1)
    overdue(life)
    assert ["refund_not_due"] == codes_of(life, BUYER, claim_refund(life))
    assert [] == codes_of(life, BANK, claim_refund(life))
    assert ["not_a_party"] == codes_of(life, BUYER, about_payment(life, "payment.confirm_refund", 1))
    life.chain.do(BANK, about_payment(life, "payment.confirm_refund", CREDIT))
    assert {} == debts(life)


def test_an_excess_that_is_not_given_back_can_be_claimed_after_the_handover() -> None:
    life = at("accepted")
    life.payment = begin(life)
    tell(life, "settled", ALL + 70)
    hand_over(life)
    life.chain.now += REFUND_MS
    life.chain.do(BUYER, claim_refund(life))
    assert 1 == conduct(life, SELLER).refunds_overdue
    tell(life, "refunded", 70)
    assert 0 == conduct(life, SELLER).refunds_overdue


def test_a_reinstated_order_owes_nothing_and_its_claim_is_gone() -> None:
    life = claimed(at("paid"))
    assert ["refund_overdue"] == codes_of(life, SELLER, reinstate(life), BUYER)
    life.chain.do(BUYER, about_payment(life, "payment.confirm_refund", ALL))
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert ({}, 0) == (debts(life), conduct(life, SELLER).refunds_overdue)


def test_the_car_is_free_whatever_is_owed() -> None:
    life = at("paid")
    cancelled(life)
    assert "listed" == market_of_car(life).status
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    assert "order_status" in codes_of(life, SELLER, handover(life.chain, life.order), BUYER)
    assert ["market_live"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    assert ["payment_transition"] == told(life, "charged_back")


def test_an_offer_that_is_taken_back_keeps_no_fee() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), "offered")
    cancelled(life)
    assert 0 == order_of(life).kept


def test_a_part_that_was_taken_out_after_its_payment_failed_stops_nothing() -> None:
    life = ordered(terms(leg(ALL - 1), leg(1)))
    gone = begin(life, 1)
    tell(life, "failed", payment=gone)
    life.chain.do(SELLER, amend(life, terms(leg(ALL))), BUYER)
    pay(life)
    tell(life, "settled", 1, payment=gone, reference=b"late")
    assert {} == debts(life)
    hand_over(life)
    assert {BUYER: 1} == debts(life)
    tell(life, "returned", 1, payment=gone)
    tell(life, "settled", 1, payment=gone, reference=b"again")
    assert {BUYER: 1} == debts(life)
