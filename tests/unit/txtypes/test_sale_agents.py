"""A seller's agent: what it may give back of its principal's money, and what it may not do without its mandate."""

from __future__ import annotations

from support.chain import DAY_MS
from support.life import PRICE, accept, offer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BUYER,
    SELLER,
    about_payment,
    begin,
    cancel,
    codes_of,
    debts,
    disputing,
    hand_over,
    handing_over,
    order_of,
    pay,
    tell,
    through_agent,
    told,
)
from support.specimens import specimen
from support.stages import change

from node.txtypes.members.mandate import MANDATE

ALL = PRICE.amount


def schedule(life):
    now = life.chain.now
    window = dict(window_from_ms=now + DAY_MS, window_to_ms=now + 2 * DAY_MS)
    return specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=None, **window)


def arrived(life):
    return specimen("delivery.event", life.chain, order=life.order, stage="arrived", site="",
                    event_at_ms=life.chain.now, odometer=None)  # fmt: skip


def test_what_is_to_be_refunded_does_not_count_for_the_title() -> None:
    life = through_agent("paid")
    life.chain.do(SELLER, about_payment(life, "payment.refund", 1))
    assert ["payment_not_final"] == handing_over(life, sender=AGENT)
    tell(life, "refunded", 1)
    assert ["payment_not_final"] == handing_over(life, sender=AGENT), "car and money are not both the buyer's"


def test_an_agent_refunds_what_is_owed_once() -> None:
    life = through_agent("accepted")
    first, second = begin(life, 0, ALL - 1_000_000), begin(life, 0, 1_000_000)
    tell(life, "settled", ALL - 1_000_000, payment=first)
    tell(life, "settled", 1_000_000 + 900_000, payment=second)
    hand_over(life)
    assert {BUYER: 900_000} == debts(life)
    life.chain.do(AGENT, about_payment(life, "payment.refund", 900_000, payment=first))
    for payment in (first, second):
        assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1, payment=payment))
    tell(life, "refunded", 900_000, payment=first)
    assert {} == debts(life)
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1, payment=second))


def test_an_agent_does_not_give_the_fee_back() -> None:
    life = through_agent("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(cancel_fee=500_000)))
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert {BUYER: ALL - 500_000} == debts(life)
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", ALL - 500_000 + 1))
    assert [] == codes_of(life, AGENT, about_payment(life, "payment.refund", ALL - 500_000))
    assert [] == codes_of(life, SELLER, about_payment(life, "payment.refund", ALL))


def test_an_agent_whose_mandate_has_ended_delivers_and_disputes_nothing() -> None:
    life = through_agent("paid")
    for body in (schedule(life), disputing(life)):
        assert [] == codes_of(life, AGENT, body)
    life.chain.do(SELLER, specimen("mandate.end", life.chain, mandate=life.mandate))
    for body in (schedule(life), arrived(life), disputing(life)):
        assert ["mandate_missing"] == codes_of(life, AGENT, body)
        assert [] == codes_of(life, SELLER, body)


def test_an_agent_that_may_not_hand_over_delivers_and_disputes_nothing() -> None:
    life = through_agent("paid")
    change(life.chain, MANDATE, life.mandate, rights=("list", "negotiate", "accept", "return"))
    for body in (schedule(life), arrived(life), disputing(life)):
        assert ["mandate_missing"] == codes_of(life, AGENT, body)


def test_an_agents_refund_of_nothing_that_is_owed_is_attested_by_nobody() -> None:
    life = through_agent("paid")
    hand_over(life)
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 1))
    assert ["refund_not_instructed"] == told(life, "refunded", 1)
    assert ALL == order_of(life).net
