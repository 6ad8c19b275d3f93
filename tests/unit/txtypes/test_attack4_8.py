"""Attack: a refund that was instructed before a reinstatement and comes after it counts as paid of the new price."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE, terms
from support.selling import (
    BUYER,
    SELLER,
    about_payment,
    after,
    cancel,
    codes_of,
    market_of_car,
    order_of,
    ordered,
    reinstate,
    tell,
)

ALL, FEE = PRICE.amount, PRICE.amount // 10


def test_money_that_was_on_its_way_back_at_a_reinstatement_is_not_paid() -> None:
    life = ordered(replace(terms(), cancel_fee=FEE), "paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL))
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    tell(life, "refunded", ALL)
    lock_ms = market_of_car(life).lock_ms
    after(life, 20)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))
    assert (0, 0) == (order_of(life).net, lock_ms)
