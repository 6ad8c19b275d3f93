"""Attack: a lender that says that it was paid back, and lets the order be revived, owes its credit once more."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.life import PRICE, initiate
from support.selling import (
    BANK,
    BUYER,
    SELLER,
    cancel,
    claims,
    debts,
    euro,
    hand_over,
    ordered,
    reinstate,
    tell,
    with_credit,
)

from node.txtypes.sale.claim_types import ClaimRelease

ALL, CREDIT = PRICE.amount, 4_000_000


def test_what_the_lender_got_back_before_a_reinstatement_it_has_not_lent() -> None:
    life = ordered(with_credit(CREDIT), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    assert {BUYER: ALL - CREDIT, BANK: CREDIT} == debts(life)
    life.chain.do(BANK, ClaimRelease(life.order, address(SELLER), euro(CREDIT)))  # it was paid in another way
    life.chain.do(SELLER, reinstate(life), BUYER, BANK)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(CREDIT), leg=255))  # the buyer pays all itself
    tell(life, "settled", CREDIT)
    hand_over(life)
    assert ([], {}) == (claims(life), debts(life)), "the buyer has paid the price, and the lender has lent nothing"
