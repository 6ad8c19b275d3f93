"""Money goes back once, a lien needs a credit, and what is owed can always be paid, released or answered."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import granted
from support.life import PRICE, VIN, accept, initiate, listing, offer
from support.selling import (
    BANK,
    BUYER,
    PROVIDER,
    SELLER,
    about_payment,
    amend,
    begin,
    cancel,
    claims,
    codes_of,
    debts,
    decide,
    euro,
    hand_over,
    handing_over,
    leg,
    order_of,
    ordered,
    pay,
    tell,
    terms,
    told,
    with_credit,
)
from support.stages import at, change
from support.views import view_of

from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER
from node.txtypes.payment.giving_back import PaymentReassign
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

ALL = PRICE.amount
HALF = PRICE.amount // 2


def test_who_releases_what_is_being_refunded_does_not_get_it_twice() -> None:
    """A refund that was instructed becomes a gift because the debt was paid meanwhile in another way."""
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL))
    release = ClaimRelease(life.order, address(SELLER), euro(ALL))  # paid in cash, since the provider was slow
    if codes_of(life, BUYER, release):
        return  # it is told to confirm the payment's refund, which ends what the provider is told
    life.chain.do(BUYER, release)
    tell(life, "refunded", ALL)
    assert [(BUYER, SELLER, ALL, "price")] == claims(life)


def test_what_one_provider_is_told_to_refund_another_one_does_not_refund_too() -> None:
    """Two providers refund what is owed once, and the second refund counts as a gift."""
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


def test_a_claim_is_paid_through_whichever_provider_may_serve_it() -> None:
    """Dead end: a buyer pays its claim through the first fit provider only, also if that one may not serve this
    country."""
    life = at("wholesale")
    granted(life, BANK, "payment_provider")
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER), address(BANK))),)
    life.listing = life.chain.do(SELLER, listing(life.chain, rails=rails))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    pay(life)
    hand_over(life)
    tell(life, "returned", 70)
    assert [(BUYER, SELLER, 70, "price")] == claims(life)
    member = life.chain.state(MEMBER, address(PROVIDER))
    abroad = tuple(replace(grant, country="FR") for grant in member.grants)
    change(life.chain, MEMBER, address(PROVIDER), grants=abroad)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(70), leg=255))


def test_a_seller_releases_what_was_decided_while_the_order_goes_on() -> None:
    """Dead end: what arbiters have decided has to be paid before the handover, and its creditor cannot release it."""
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    assert ["payment_not_final"] == handing_over(life)
    release = ClaimRelease(life.order, address(BUYER), euro(100))  # paid in cash
    assert [] == codes_of(life, SELLER, release)
    life.chain.do(SELLER, release)
    assert [] == handing_over(life)


def test_what_both_have_agreed_on_with_a_payment_stops_no_amendment() -> None:
    """Dead end: an order whose payment got another provider is never amended again."""
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    granted(life, BANK, "payment_provider")
    life.chain.do(BUYER, PaymentReassign(life.payment, address(BANK)), SELLER)
    agreed = replace(order_of(life).terms, cancel_fee=10_000)
    assert [] == codes_of(life, SELLER, amend(life, agreed), BUYER)


def test_final_money_of_an_order_is_never_below_zero_in_answers() -> None:
    """The final money of an order is below zero in an answer, where the buyer owes what was decided."""
    life = ordered(None, listed_ms=89 * DAY_MS)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    assert {"amount": "0", "currency": "EUR"} == view_of(life.chain, ORDER, life.order)["final"]


def test_a_lender_that_has_lent_nothing_gets_no_lien() -> None:
    """A lender that has lent nothing gets a lien on the car that the buyer has paid itself."""
    life = ordered(with_credit(1_000_000, takes_lien=True), listed_ms=89 * DAY_MS)
    tell(life, "failed", payment=begin(life, 1), code="credit_refused")
    unsigned = codes_of(life, SELLER, amend(life, replace(terms(), finance=None)), BUYER)
    assert ["signature_missing"] == unsigned, "and only the lender could end its part in the terms"
    tell(life, "settled", PRICE.amount, payment=begin(life, 0))
    hand_over(life)
    assert (0, [], {}) == (order_of(life).lent, claims(life), debts(life)), "the buyer has paid everything"
    assert [] == [flag.name for flag in life.chain.state(VEHICLE, VIN).flags]
