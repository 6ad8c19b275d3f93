"""What a sale leaves between buyer and seller: claims that are paid, released or won back, refunds, and disputes."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.disputing import ARBITERS
from support.life import PRICE, accept, initiate, listing, offer, transfer
from support.selling import (
    BANK,
    BUYER,
    LONG,
    OTHER,
    PROVIDER,
    SELLER,
    about_payment,
    after,
    answered,
    back,
    by_card,
    cancel,
    claim_refund,
    claims,
    codes_of,
    debts,
    decide,
    disputing,
    due_of,
    euro,
    hand_over,
    handing_over,
    leg,
    order_of,
    ordered,
    pay,
    sold_by_card,
    tell,
    terms,
    told,
    vote,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, change

from node.ledger.fields import Money
from node.limits import DAY_MS, MONEY_MAX
from node.txtypes.disputes.order_dispute import DISPUTES_PER_OPENER_MAX, ORDER_DISPUTE, Decision
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.terms import PRICE_MAX

ALL, CREDIT = PRICE.amount, 4_000_000
SETTLED = Decision("settled", 0, "")


def release(life, amount: int, debtor: str = BUYER) -> ClaimRelease:
    return ClaimRelease(life.order, address(debtor), euro(amount))


# --- claims that are paid -----------------------------------------------------------------------------------------
def test_a_second_claim_can_be_paid_and_bars_until_then() -> None:
    life = sold_by_card()
    first = life.payment
    tell(life, "charged_back", 70)
    by_card(life, 255, 70)
    tell(life, "charged_back", 50, payment=first)
    assert [(BUYER, SELLER, 50, "price")] == claims(life)
    assert "claims_open" in codes_of(life, BUYER, transfer(life.chain, OTHER, 350), OTHER)
    by_card(life, 255, 50)
    assert ([], {}) == (claims(life), debts(life))
    assert "claims_open" not in codes_of(life, BUYER, transfer(life.chain, OTHER, 350), OTHER)


def test_a_claim_that_was_paid_comes_back_with_the_car() -> None:
    life = sold_by_card()
    tell(life, "charged_back", ALL)
    by_card(life, 255, ALL)
    life.chain.do(SELLER, back(life), BUYER)
    assert ([], {BUYER: ALL}) == (claims(life), debts(life))


def test_a_claim_is_paid_with_the_buyers_own_money() -> None:
    life = ordered(replace(with_credit(CREDIT), legs=(leg(CREDIT, "finance", BANK), leg(ALL - CREDIT))))
    pay(life)
    hand_over(life)
    tell(life, "returned", 70)
    assert ["leg_unknown"] == codes_of(life, BUYER, initiate(life.order, euro(70), leg=255, scheme="credit"))
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(70), leg=255))
    tell(life, "settled", 70)
    assert ([], {}) == (claims(life), debts(life))


def test_a_buyer_whose_provider_is_gone_pays_its_claim_through_another() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    change(life.chain, MEMBER, address(PROVIDER), grants=())
    assert ["leg_unknown"] == codes_of(life, BUYER, initiate(life.order, euro(70), leg=255))
    by_card(life, 255, 70)
    assert ([], {}) == (claims(life), debts(life))


def test_what_was_decided_can_be_paid_while_the_order_goes_on() -> None:
    life = ordered(None, listed_ms=LONG)
    assert ["payment_exceeds_price"] == codes_of(life, BUYER, initiate(life.order, euro(1), leg=255))
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    assert [(BUYER, SELLER, 100, "price")] == claims(life)
    assert ["payment_exceeds_price"] == codes_of(life, BUYER, initiate(life.order, euro(101), leg=255))
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    tell(life, "settled", 100)
    assert ([], {}, 0) == (claims(life), debts(life), order_of(life).net), "a claim is not the price"
    assert ["payment_not_final"] == handing_over(life)


def test_what_was_decided_is_owed_after_the_order_has_ended() -> None:
    life = ordered(None, listed_ms=LONG)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert ([(BUYER, SELLER, 100, "price")], {}) == (claims(life), debts(life))
    life.chain.do(SELLER, release(life, 100))
    assert ([], {}) == (claims(life), debts(life))


def test_arbiters_settle_what_the_buyer_has_paid() -> None:
    life = ordered(None, listed_ms=LONG)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    decide(life, SETTLED)
    assert ([], {}) == (claims(life), debts(life))


def test_claims_that_are_paid_double_and_recalled_stay_in_bounds() -> None:
    life = at("wholesale")
    life.listing = life.chain.do(SELLER, listing(life.chain, price=Money(PRICE_MAX, "EUR")))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=terms(leg(PRICE_MAX))))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    pay(life)
    hand_over(life)
    tell(life, "returned")
    for _ in range(11):
        ((_, _, owed, _),) = claims(life)
        assert PRICE_MAX <= owed <= MONEY_MAX
        life.payment = life.chain.do(BUYER, initiate(life.order, euro(owed), leg=255))
        for kind in ("settled", "settled", "returned", "returned"):
            tell(life, kind, owed)


# --- what was released --------------------------------------------------------------------------------------------
def test_a_released_claim_that_is_paid_again_is_owed() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    life.chain.do(SELLER, release(life, 70))
    assert ([], {}) == (claims(life), debts(life))
    tell(life, "settled", 70, reference=b"again")
    assert ([], {BUYER: 70}) == (claims(life), debts(life))


def test_a_released_claim_that_is_won_back_is_owed() -> None:
    life = sold_by_card()
    tell(life, "charged_back", 70)
    life.chain.do(SELLER, release(life, 70))
    tell(life, "represented", 70)
    assert ([], {BUYER: 70}) == (claims(life), debts(life))


def test_a_creditor_releases_what_the_seller_owes_it_and_no_more() -> None:
    life = at("handed_over")
    tell(life, "settled", 70)
    assert ["claim_absent"] == codes_of(life, BUYER, release(life, 71, SELLER))
    assert ["claim_absent"] == codes_of(life, SELLER, release(life, 70, SELLER))
    assert ["claim_absent"] == codes_of(life, SELLER, release(life, 70, BUYER))
    assert ["claim_absent"] == codes_of(life, OTHER, release(life, 70, SELLER))
    life.chain.do(BUYER, release(life, 30, SELLER))
    assert ([], {BUYER: 40}) == (claims(life), debts(life))
    life.chain.do(BUYER, release(life, 40, SELLER))
    assert ([], {}) == (claims(life), debts(life))
    assert ["refund_not_instructed"] == told(life, "refunded", 70), "what is released is not owed"


# --- refunds --------------------------------------------------------------------------------------------------------
def paid_twice():
    """The card's charge-back was paid by the buyer, and then won by the seller; both payments."""
    life = sold_by_card()
    charged = life.payment
    tell(life, "charged_back", 70)
    again = by_card(life, 255, 70)
    tell(life, "represented", 70, payment=charged)
    assert ([], {BUYER: 70}) == (claims(life), debts(life))
    return life, charged, again


def test_a_refund_of_either_payment_ends_what_was_paid_twice() -> None:
    for place in (0, 1):
        life, *payments = paid_twice()
        life.payment = payments[place]
        life.chain.do(SELLER, about_payment(life, "payment.refund", 70))
        tell(life, "refunded", 70)
        assert ([], {}) == (claims(life), debts(life))


def test_money_after_a_reduction_is_owed() -> None:
    life = at("handed_over")
    life.chain.do(SELLER, about_payment(life, "payment.refund", 500))
    tell(life, "refunded", 500)
    assert ([], {}) == (claims(life), debts(life))
    tell(life, "settled", 500, reference=b"stray")
    assert ([], {BUYER: 500}) == (claims(life), debts(life))


def test_a_refund_beyond_what_is_owed_is_a_gift_and_not_due_again() -> None:
    life = at("handed_over")
    tell(life, "settled", 100)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 500))
    tell(life, "refunded", 500)
    assert ([], {}, 400) == (claims(life), debts(life), order_of(life).accounts[0].posted)
    tell(life, "returned", 30)
    assert ([(BUYER, SELLER, 30, "price")], {}) == (claims(life), debts(life))
    life.chain.do(SELLER, back(life), BUYER)
    assert ([], {BUYER: ALL - 30}) == (claims(life), debts(life)), "what was given is given"


def test_cents_that_go_back_in_time_bar_nobody_and_one_that_does_not_bars() -> None:
    life = at("handed_over")
    for day in range(15):
        tell(life, "settled", 1, reference=b"cent %d" % day)
        if day:
            tell(life, "refunded", 1)
        after(life, 1)
    due = due_of(life)
    for now, codes in ((life.chain.now, ["refund_not_due"]), (due - 1, ["refund_not_due"]), (due, [])):
        life.chain.now = now
        assert codes == codes_of(life, BUYER, claim_refund(life))


# --- disputes -------------------------------------------------------------------------------------------------------
def test_who_is_barred_may_always_dispute() -> None:
    life = at("handed_over")
    for _ in range(DISPUTES_PER_OPENER_MAX):
        decide(life, Decision("dismiss", 0, ""), SELLER, BUYER)
    tell(life, "settled", 1)
    assert ["order_dispute_past"] == codes_of(life, SELLER, disputing(life))
    after(life, 14)
    life.chain.do(BUYER, claim_refund(life))
    decide(life, SETTLED, SELLER, BUYER)
    assert ({}, False) == (debts(life), order_of(life).is_claimed)
    assert ["order_dispute_past"] == codes_of(life, SELLER, disputing(life))


def test_who_is_barred_late_may_dispute() -> None:
    life = at("handed_over")
    after(life, 181)
    assert ["order_dispute_past"] == codes_of(life, BUYER, disputing(life))
    tell(life, "settled", 1)
    assert ["order_dispute_past"] == codes_of(life, SELLER, disputing(life)), "owing alone bars nobody"
    after(life, 15)
    life.chain.do(BUYER, claim_refund(life))
    assert [] == codes_of(life, SELLER, disputing(life))
    tell(life, "returned", 2)
    assert [] == codes_of(life, BUYER, disputing(life))
    assert ["order_dispute_past"] == codes_of(life, SELLER, disputing(life))


def test_one_party_does_not_use_up_the_disputes_of_the_other() -> None:
    life = at("handed_over")
    for _ in range(DISPUTES_PER_OPENER_MAX):
        decide(life, Decision("dismiss", 0, ""), SELLER, BUYER)
    assert [] == codes_of(life, BUYER, disputing(life))


def test_votes_for_settled_do_not_cover_what_is_owed_since() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    dispute = answered(life, SELLER, BUYER)
    vote(life, dispute, SETTLED, *ARBITERS[:2])
    tell(life, "settled", ALL - 1, reference=b"a second order of the bank")
    life.chain.do(SELLER, back(life), BUYER)
    vote(life, dispute, SETTLED, *ARBITERS[2:])
    assert ([], {BUYER: 2 * ALL - 1}) == (claims(life), debts(life))


def test_money_of_an_order_that_lapsed_in_its_dispute_is_not_settled() -> None:
    life = ordered(replace(terms(), reserve_ms=8 * DAY_MS), "paid", listed_ms=LONG)
    dispute = answered(life, SELLER, BUYER)
    vote(life, dispute, SETTLED, *ARBITERS[:2])
    vote(life, dispute, Decision("resume", 0, ""), ARBITERS[2])
    after(life, 100)
    assert not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms
    life.chain.do("bmw", specimen("order.close", life.chain, dispute=dispute))
    assert SETTLED == life.chain.state(ORDER_DISPUTE, dispute).decision
    assert ([], {BUYER: ALL}) == (claims(life), debts(life))


def test_no_more_is_kept_than_the_price() -> None:
    life = ordered(stage="paid")
    dispute = answered(life)
    for amount, codes in ((ALL, []), (ALL + 1, ["decision_unfit"])):
        body = specimen("order.resolve", life.chain, dispute=dispute, decision=Decision("unwind", amount, ""))
        assert codes == codes_of(life, ARBITERS[0], body)
