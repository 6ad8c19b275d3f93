"""The account of a lender: its money is neither the buyer's nor the seller's, and no other disposes of its credit."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import address
from support.life import PRICE
from support.life import terms as plain
from support.selling import (
    BANK,
    BUYER,
    LONG,
    SELLER,
    about_payment,
    amend,
    answered,
    back,
    begin,
    by_card,
    cancel,
    claim_refund,
    claims,
    codes_of,
    debts,
    decide,
    due_of,
    euro,
    hand_over,
    leg,
    order_of,
    ordered,
    pay,
    tell,
    terms,
    vote,
    with_credit,
)

from node.limits import DAY_MS
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.claim_types import ClaimRelease

ALL, CREDIT = PRICE.amount, 4_000_000
SETTLED = Decision("settled", 0, "")


def promised():
    """A car that was handed over against the promise of its lender; the buyer's own part is paid."""
    life = ordered(with_credit(CREDIT))
    own = pay(life, 0)
    life.payment = begin(life, 1)
    hand_over(life, BUYER, BANK, promises=True)
    assert [(BANK, SELLER, CREDIT, "credit")] == claims(life)
    return life, own


# --- what a lender owes ---------------------------------------------------------------------------------------------
def test_money_that_the_buyer_paid_too_much_before_is_not_its_lenders() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    tell(life, "settled", 300_000, reference=b"more")
    life.payment = begin(life, 1)
    hand_over(life, BUYER, BANK, promises=True)
    assert ([(BANK, SELLER, CREDIT, "credit")], {BUYER: 300_000}) == (claims(life), debts(life))
    tell(life, "settled", CREDIT)
    assert ([], {BUYER: 300_000}) == (claims(life), debts(life))


def test_money_that_the_buyer_pays_too_much_after_is_not_its_lenders() -> None:
    life, own = promised()
    tell(life, "settled", 300_000, payment=own, reference=b"more")
    assert ([(BANK, SELLER, CREDIT, "credit")], {BUYER: 300_000}) == (claims(life), debts(life))
    tell(life, "settled", CREDIT)
    assert ([], {BUYER: 300_000}) == (claims(life), debts(life))


def test_a_promise_that_was_released_and_is_kept_after_all_is_owed_to_the_lender() -> None:
    life, _ = promised()
    life.chain.do(SELLER, ClaimRelease(life.order, address(BANK), euro(CREDIT)))
    assert ([], {}) == (claims(life), debts(life))
    tell(life, "settled", CREDIT)
    assert ([], {BANK: CREDIT}) == (claims(life), debts(life))


def test_what_is_settled_between_buyer_and_seller_is_no_lenders_promise() -> None:
    life, _ = promised()
    decide(life, Decision("claim", 100, "seller"))
    decide(life, SETTLED, SELLER, BUYER)
    assert ([(BANK, SELLER, CREDIT, "credit")], {}) == (claims(life), debts(life))


def test_a_lender_has_its_own_promise_settled_and_nothing_else() -> None:
    life, _ = promised()
    decide(life, Decision("claim", 100, "seller"))
    vote(life, answered(life, BANK), SETTLED)
    assert ([], {BUYER: 100}) == (claims(life), debts(life))


# --- what a lender is owed ------------------------------------------------------------------------------------------
def test_what_is_settled_between_buyer_and_seller_is_not_owed_to_the_lender() -> None:
    life = ordered(with_credit(CREDIT), listed_ms=LONG)
    pay(life)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    decide(life, SETTLED, SELLER, BUYER)
    assert ([], {BANK: CREDIT}) == (claims(life), debts(life))


def test_the_deduction_of_a_return_does_not_fall_on_the_lender() -> None:
    life = ordered(with_credit(CREDIT))
    own = pay(life, 0)
    pay(life, 1)
    hand_over(life)
    life.chain.do(SELLER, back(life, 5_000, deduction=50_000), BUYER, BANK)
    assert {BANK: CREDIT, BUYER: ALL - CREDIT - 50_000} == debts(life)
    life.payment = own
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL - CREDIT))
    tell(life, "refunded", ALL - CREDIT)
    assert ([], {BANK: CREDIT}) == (claims(life), debts(life)), "the seller has given the deduction away"


def test_the_deduction_does_not_fall_on_the_lender_by_a_charge_back() -> None:
    life = ordered(replace(with_credit(CREDIT), legs=(leg(ALL - CREDIT, "card"), leg(CREDIT, "finance", BANK))))
    card = by_card(life, 0, ALL - CREDIT)
    pay(life, 1)
    hand_over(life)
    life.chain.do(SELLER, back(life, 5_000, deduction=50_000), BUYER, BANK)
    tell(life, "charged_back", ALL - CREDIT, payment=card)
    assert ([(BUYER, SELLER, 50_000, "price")], {BANK: CREDIT}) == (claims(life), debts(life))


def test_cents_of_the_buyer_do_not_put_off_what_its_lender_is_owed() -> None:
    life = ordered(with_credit(CREDIT), listed_ms=LONG)
    pay(life, 1)
    cents = begin(life, 0)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    due = due_of(life, BANK)
    life.chain.now += 13 * DAY_MS
    tell(life, "settled", 1, payment=cents)
    assert (due, True) == (due_of(life, BANK), due < due_of(life, BUYER))
    life.chain.now = due
    assert ["refund_not_due"] == codes_of(life, BUYER, claim_refund(life))
    assert [] == codes_of(life, BANK, claim_refund(life))


# --- whose credit it is ---------------------------------------------------------------------------------------------
def test_a_lower_price_with_the_same_credit_needs_the_lender() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 1)
    parts = (leg(1), leg(CREDIT, "finance", BANK))
    cheap = plain(euro(CREDIT + 1), legs=parts, finance=with_credit(CREDIT).finance)
    assert ["signature_missing"] == codes_of(life, SELLER, amend(life, cheap), BUYER)
    assert [] == codes_of(life, SELLER, amend(life, cheap), BUYER, BANK)
    assert [] == codes_of(life, SELLER, amend(life, replace(with_credit(CREDIT), cancel_fee=1)), BUYER)


def test_a_failed_transfer_is_no_failed_credit() -> None:
    life = ordered(replace(terms(leg(CREDIT), leg(ALL - CREDIT)), cancel_fee=500_000))
    life.payment = begin(life, 0)
    tell(life, "failed")
    parts = (leg(CREDIT, "finance", BANK), leg(ALL - CREDIT))
    agreed = replace(with_credit(CREDIT), legs=parts, cancel_fee=500_000)
    life.chain.do(SELLER, amend(life, agreed), BUYER, BANK)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "financing_failed"))
    life.payment = begin(life, 0)
    tell(life, "failed")
    assert [] == codes_of(life, BUYER, cancel(life, "financing_failed"))


@pytest.mark.parametrize("fee", [0, 500_000])
def test_a_lender_that_got_nothing_back_is_owed_all_whatever_is_kept(fee: int) -> None:
    life = ordered(replace(with_credit(CREDIT), cancel_fee=fee), listed_ms=LONG)
    pay(life, 1)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert ([], {BANK: CREDIT}, fee) == (claims(life), debts(life), order_of(life).kept)
    life.chain.do(BANK, about_payment(life, "payment.confirm_refund", CREDIT))
    assert ([], {}) == (claims(life), debts(life))


def test_a_buyer_that_owes_its_part_keeps_the_lenders_account_even() -> None:
    life = ordered(with_credit(CREDIT))
    own = pay(life, 0)
    pay(life, 1)
    hand_over(life)
    tell(life, "returned", 100, payment=own)
    assert ([(BUYER, SELLER, 100, "price")], {}) == (claims(life), debts(life))
    tell(life, "returned", CREDIT)
    assert ([(BUYER, SELLER, 100, "price"), (BANK, SELLER, CREDIT, "credit")], {}) == (claims(life), debts(life))
    assert [] == codes_of(life, SELLER, ClaimRelease(life.order, address(BANK), euro(CREDIT)))
    assert ["claim_absent"] == codes_of(life, SELLER, ClaimRelease(life.order, address(BUYER), euro(101)))
