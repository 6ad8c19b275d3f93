"""Dead end: what arbiters have decided has to be paid before the handover, and its creditor cannot release it."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.selling import BUYER, SELLER, codes_of, decide, euro, handing_over, ordered

from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.claim_types import ClaimRelease


def test_a_seller_releases_what_was_decided_while_the_order_goes_on() -> None:
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    assert ["payment_not_final"] == handing_over(life)
    release = ClaimRelease(life.order, address(BUYER), euro(100))  # paid in cash
    assert [] == codes_of(life, SELLER, release)
    life.chain.do(SELLER, release)
    assert [] == handing_over(life)
