"""Ends of orders that only look justified: a default without time, a change that is none, a price that was paid."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE, VIN, Life, initiate
from support.selling import (
    BANK,
    BUYER,
    SELLER,
    about_payment,
    after,
    begin,
    cancel,
    codes_of,
    decide,
    euro,
    handing_over,
    order_of,
    ordered,
    pay,
    reinstate,
    tell,
    terms,
    with_credit,
)
from support.specimens import specimen

from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

FEE = PRICE.amount // 10
CREDIT = 4000000


@pytest.mark.parametrize("how", ["failed", "paid and taken back"])
def test_a_buyer_has_three_days_from_when_its_credit_has_failed(how: str) -> None:
    """Seller and lender end an order by a credit that fails when its part is long due, and get the fee."""
    life = ordered(replace(with_credit(CREDIT), cancel_fee=FEE), listed_ms=89 * DAY_MS)
    pay(life, 0)
    credit = begin(life, 1)
    after(life, 11)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default")), "the lender's to pay"
    if how == "failed":
        tell(life, "failed", payment=credit)
    else:
        tell(life, "settled", payment=credit)
        tell(life, "returned", payment=credit)
    assert [] == codes_of(life, BUYER, cancel(life, "financing_failed")), "the buyer could leave, and has no time to"
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))
    after(life, 4)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))


def test_a_buyer_has_time_to_pay_again_what_the_receiving_side_sent_back() -> None:
    """A seller gets rid of a buyer, and takes its fee, by having its bank send a cent of the transfer back."""
    life = ordered(replace(terms(), cancel_fee=PRICE.amount // 10), "paid", listed_ms=89 * DAY_MS)
    after(life, 11)
    tell(life, "returned", 1, code="MS02")  # by order of the customer: the receiver of the transfer
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))


def test_the_car_is_kept_for_a_buyer_that_had_paid_in_full_from_the_end_of_its_order_on() -> None:
    """After the deadline a seller refunds a buyer that has paid in full, and lists the car the same second."""
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


def test_a_seller_does_not_get_rid_of_a_buyer_by_refunding_its_claim() -> None:
    """A seller gets rid of a buyer that has paid everything by refunding what it has paid for a claim."""
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


def test_who_has_refused_the_car_at_the_door_has_not_missed_the_window() -> None:
    """A seller calls a buyer absent that has refused the car at the door, and leaves the order for it."""
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    window = dict(window_from_ms=life.chain.now + DAY_MS, window_to_ms=life.chain.now + 2 * DAY_MS)
    life.chain.do(SELLER, specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=None, **window))
    life.chain.do(BUYER, specimen("delivery.confirm", life.chain, order=life.order, number=0))
    after(life, 1.5)

    def event(stage: str):
        plain = dict(order=life.order, stage=stage, site="", event_at_ms=life.chain.now)
        return specimen("delivery.event", life.chain, **plain)

    life.chain.do(SELLER, event("arrived"))
    life.chain.do(BUYER, specimen("delivery.refuse", life.chain, {"order": life.order}, reason="damage"))
    after(life, 1)
    if not codes_of(life, SELLER, event("no_show")):
        life.chain.do(SELLER, event("no_show"))
    after(life, at_ms=order_of(life).until_ms)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over")), "it has paid in full, and was there"


def test_a_credit_that_failed_before_a_reinstatement_is_no_reason_after_it() -> None:
    """A buyer leaves free of its fee for a credit that failed before the order was revived, or changed lender."""
    life = ordered(replace(with_credit(CREDIT), cancel_fee=FEE), listed_ms=89 * DAY_MS)
    pay(life, 0)
    tell(life, "failed", payment=begin(life, 1))
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, reinstate(life, 60), BUYER, BANK)  # the lender has signed that it goes on
    begin(life, 1)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "financing_failed"))


def test_a_delivery_that_was_late_before_a_reinstatement_is_no_reason_after_it() -> None:
    """A buyer revives an order after its day of delivery, and leaves at once free of its fee."""

    def agreed(life: Life):
        return terms(cancel_fee=PRICE.amount // 10, deliver_by_ms=life.chain.now + 10 * DAY_MS)

    life = ordered(terms_of=agreed, stage="paid", listed_ms=89 * DAY_MS)
    after(life, 11)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))
