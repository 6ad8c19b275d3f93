"""Attack: after the deadline a seller refunds a buyer that has paid in full, and lists the car the same second."""

from __future__ import annotations

from support.chain import DAY_MS
from support.life import PRICE, VIN
from support.selling import (
    BUYER,
    SELLER,
    about_payment,
    after,
    cancel,
    codes_of,
    order_of,
    ordered,
    tell,
)

from node.txtypes.vehicle.vehicle import VEHICLE, market_of


def test_the_car_is_kept_for_a_buyer_that_had_paid_in_full_from_the_end_of_its_order_on() -> None:
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    after(life, at_ms=order_of(life).until_ms + 15 * DAY_MS)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over"))
    assert [] == codes_of(life, BUYER, cancel(life, "time_over")), "the order goes on"
    life.chain.do(SELLER, about_payment(life, "payment.refund", PRICE.amount))
    tell(life, "refunded")
    after(life, at_ms=life.chain.now + 1)
    market = market_of(life.chain.state(VEHICLE, VIN), life.chain.now)
    assert ("off", life.order) == (market.status, market.order), "for as long as after every other end"
    assert life.chain.now < market.locked_until_ms
