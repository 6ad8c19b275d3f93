"""Attack: a seller gets rid of a buyer that has paid everything by refunding what it has paid for a claim."""

from __future__ import annotations

from support.chain import DAY_MS
from support.life import PRICE, initiate
from support.selling import (
    BUYER,
    SELLER,
    about_payment,
    after,
    cancel,
    codes_of,
    decide,
    euro,
    handing_over,
    order_of,
    ordered,
    tell,
)

from node.txtypes.disputes.order_dispute import Decision


def test_a_seller_does_not_get_rid_of_a_buyer_by_refunding_its_claim() -> None:
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    tell(life, "settled", 100)
    assert [] == handing_over(life)
    after(life, at_ms=order_of(life).until_ms)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over")), "all has been paid"
    life.chain.do(SELLER, about_payment(life, "payment.refund", 1))
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over"))
    assert PRICE.amount == order_of(life).net
