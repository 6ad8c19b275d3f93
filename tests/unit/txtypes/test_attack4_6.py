"""Attack: a buyer that said that it was paid back revives the order, and counts for ever as one that has paid."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, terms
from support.selling import BUYER, SELLER, after, cancel, codes_of, euro, ordered, reinstate

from node.txtypes.sale.claim_types import ClaimRelease

ALL, FEE = PRICE.amount, PRICE.amount // 10


def test_who_said_that_it_was_paid_back_before_a_reinstatement_has_not_paid() -> None:
    life = ordered(replace(terms(), cancel_fee=FEE), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(ALL)))
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    after(life, 20)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default")), "as after a refund that a provider attests"
