"""Attack: two providers refund what is owed once, and the second refund counts as a gift."""

from __future__ import annotations

from support.chain import DAY_MS
from support.life import PRICE
from support.selling import (
    BUYER,
    SELLER,
    about_payment,
    claims,
    debts,
    hand_over,
    leg,
    ordered,
    pay,
    tell,
    terms,
    told,
)

HALF = PRICE.amount // 2


def test_what_one_provider_is_told_to_refund_another_one_does_not_refund_too() -> None:
    life = ordered(terms(leg(HALF), leg(PRICE.amount - HALF)), listed_ms=89 * DAY_MS)
    first, second = pay(life, 0), pay(life, 1)
    hand_over(life)
    tell(life, "settled", 100, payment=second, reference=b"too much")
    assert {BUYER: 100} == debts(life)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 100, payment=second))
    if told(life, "refunded", 100, first):
        return  # nobody has told it to
    tell(life, "refunded", 100, first)
    tell(life, "refunded", 100, second)
    assert [(BUYER, SELLER, 100, "price")] == claims(life), "the buyer has 100 too much"
