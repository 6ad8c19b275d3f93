"""Attacks on the fee of a cancellation: who leaves an order free of it, and who pays it for another."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE, Life
from support.selling import (
    BUYER,
    SELLER,
    begin,
    cancel,
    codes_of,
    leg,
    order_of,
    ordered,
    pay,
    tell,
    terms,
    with_credit,
)
from support.specimens import specimen

ALL, FEE = PRICE.amount, PRICE.amount // 10
LISTED = 89 * DAY_MS


def later(life: Life, days: int) -> None:
    life.chain.now += days * DAY_MS
    life.chain.produce()


def delivery(life: Life, stage: str) -> None:
    now = life.chain.now
    if stage == "scheduled":
        window = dict(window_from_ms=now + DAY_MS, window_to_ms=now + 2 * DAY_MS)
        body = specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=None, **window)
        life.chain.do(SELLER, body)
        number = order_of(life).deliveries - 1
        life.chain.do(BUYER, specimen("delivery.confirm", life.chain, order=life.order, number=number))
    else:
        event = specimen("delivery.event", life.chain, order=life.order, stage=stage, site="", event_at_ms=now,
                         odometer=None)  # fmt: skip
        life.chain.do(SELLER, event)


def with_deadline(life: Life):
    return terms(cancel_fee=FEE, deliver_by_ms=life.chain.now + 10 * DAY_MS)


def test_a_buyer_does_not_make_a_delivery_late_by_a_dispute() -> None:
    """The open dispute blocks the handover, and it puts off the other deadlines."""
    life = ordered(terms_of=with_deadline, stage="paid", listed_ms=LISTED)
    later(life, 9)
    life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}, reason="other"))
    later(life, 2)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))


def test_a_buyer_does_not_make_a_delivery_late_by_missing_it() -> None:
    life = ordered(terms_of=with_deadline, stage="paid", listed_ms=LISTED)
    delivery(life, "scheduled")
    later(life, 3)
    delivery(life, "no_show")
    later(life, 8)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))


def test_a_buyer_does_not_make_a_delivery_late_by_not_paying() -> None:
    life = ordered(terms_of=with_deadline, listed_ms=LISTED)
    later(life, 11)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))


def test_a_car_that_was_mended_and_brought_again_is_refused_no_more() -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    delivery(life, "scheduled")
    delivery(life, "arrived")
    life.chain.do(BUYER, specimen("delivery.refuse", life.chain, order=life.order, reason="documents_missing"))
    delivery(life, "scheduled")
    delivery(life, "arrived")
    later(life, 15)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "refused"))


def test_a_credit_that_the_buyer_never_began_has_not_failed() -> None:
    life = ordered(replace(with_credit(), cancel_fee=FEE), listed_ms=LISTED)
    pay(life, 0)
    later(life, 8)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "financing_failed"))


def test_a_buyer_pays_no_fee_for_a_late_lender() -> None:
    life = ordered(replace(with_credit(), cancel_fee=FEE), listed_ms=LISTED)
    pay(life, 0)
    life.payment = begin(life, 1)
    later(life, 11)
    if not codes_of(life, SELLER, cancel(life, "buyer_default")):
        life.chain.do(SELLER, cancel(life, "buyer_default"))
    assert 0 == order_of(life).kept


def test_a_fee_is_not_lost_by_a_refund_of_a_cent() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), stage="paid", listed_ms=LISTED)
    tell(life, "returned", ALL)
    later(life, 11)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))
