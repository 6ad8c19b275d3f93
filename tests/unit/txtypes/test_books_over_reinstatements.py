"""What was paid, released, instructed or disputed before a reinstatement does not count for the revived order."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, initiate, terms
from support.selling import (
    BANK,
    BUYER,
    SELLER,
    about_payment,
    after,
    cancel,
    claims,
    codes_of,
    debts,
    disputed,
    euro,
    hand_over,
    market_of_car,
    order_of,
    ordered,
    reinstate,
    tell,
    with_credit,
)
from support.specimens import specimen

from node.txtypes.sale.claim_types import ClaimRelease

ALL = PRICE.amount
CREDIT = 4000000
FEE = PRICE.amount // 10


def test_what_the_lender_got_back_before_a_reinstatement_it_has_not_lent() -> None:
    """A lender that says that it was paid back, and lets the order be revived, owes its credit once more."""
    life = ordered(with_credit(CREDIT), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    assert {BUYER: ALL - CREDIT, BANK: CREDIT} == debts(life)
    life.chain.do(BANK, ClaimRelease(life.order, address(SELLER), euro(CREDIT)))  # it was paid in another way
    life.chain.do(SELLER, reinstate(life), BUYER, BANK)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(CREDIT), leg=255))  # the buyer pays all itself
    tell(life, "settled", CREDIT)
    hand_over(life)
    assert ([], {}) == (claims(life), debts(life)), "the buyer has paid the price, and the lender has lent nothing"


def test_who_said_that_it_was_paid_back_before_a_reinstatement_has_not_paid() -> None:
    """A buyer that said that it was paid back revives the order, and counts for ever as one that has paid."""
    life = ordered(replace(terms(), cancel_fee=FEE), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(ALL)))
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    after(life, 20)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default")), "as after a refund that a provider attests"


def test_no_fee_is_due_of_money_that_went_back_before_a_reinstatement() -> None:
    """A fee becomes due of money that the buyer has got back long before, in another way."""
    life = ordered(replace(terms(), cancel_fee=FEE), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(ALL)))
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert ([], {}) == (claims(life), debts(life)), "no money of its own is there"


def test_money_that_was_on_its_way_back_at_a_reinstatement_is_not_paid() -> None:
    """A refund that was instructed before a reinstatement and comes after it counts as paid of the new price."""
    life = ordered(replace(terms(), cancel_fee=FEE), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL))
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    tell(life, "refunded", ALL)
    lock_ms = market_of_car(life).lock_ms
    after(life, 20)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))
    assert (0, 0) == (order_of(life).net, lock_ms)


def test_a_dispute_puts_off_a_revived_order_by_what_it_lasts_since_then() -> None:
    """A dispute of before a reinstatement keeps the car and puts off the price beyond what both have signed."""
    life = ordered(None, listed_ms=89 * DAY_MS)
    dispute = disputed(life, BUYER, "other")
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    after(life, 61)
    life.chain.do(SELLER, reinstate(life, 20), BUYER)
    agreed = life.chain.now + 20 * DAY_MS
    life.chain.do("bmw", specimen("order.close", life.chain, dispute=dispute))
    assert order_of(life).paused_ms < DAY_MS
    assert order_of(life).until_ms < agreed + DAY_MS, "60 days longer than both have signed"
