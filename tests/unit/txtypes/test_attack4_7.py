"""Attack: a fee becomes due of money that the buyer has got back long before, in another way."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, terms
from support.selling import BUYER, SELLER, cancel, claims, debts, euro, ordered, reinstate

from node.txtypes.sale.claim_types import ClaimRelease

ALL, FEE = PRICE.amount, PRICE.amount // 10


def test_no_fee_is_due_of_money_that_went_back_before_a_reinstatement() -> None:
    life = ordered(replace(terms(), cancel_fee=FEE), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(ALL)))
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert ([], {}) == (claims(life), debts(life)), "no money of its own is there"
