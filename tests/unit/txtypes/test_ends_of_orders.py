"""What becomes of fees, claims and votes when an order ends, lapses or is revived."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.disputing import ARBITERS, closed, of, serviced, voted, wholesale
from support.disputing import answered as answered_record
from support.disputing import disputed as disputed_record
from support.governing import carry_out
from support.life import PRICE, Life, initiate
from support.selling import (
    BUYER,
    SELLER,
    about_payment,
    after,
    answered,
    cancel,
    claims,
    codes_of,
    debts,
    decide,
    disputed,
    euro,
    handing_over,
    leg,
    order_of,
    ordered,
    pay,
    reinstate,
    tell,
    terms,
    vote,
)
from support.specimens import specimen
from support.stages import at, ledger_of

from node.rpc.moments import moment_of
from node.rpc.obligations import _of_order
from node.txtypes.chain.actions import RoleSetStatus
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision
from node.txtypes.sale.accounts import paid_in_all
from node.txtypes.sale.payments import payments_of
from node.views.next_steps import next_steps

ALL, FEE, LISTED = PRICE.amount, 500_000, 89 * DAY_MS
FOR, AGAINST = Decision("dismiss", 0, ""), Decision("resume", 0, "")


def paid_claim(fee: int = 0) -> Life:
    """A running order; arbiters have decided that the buyer owes 100, and it has paid them."""
    life = ordered(terms(leg(ALL), cancel_fee=fee), listed_ms=LISTED)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    tell(life, "settled", 100)
    assert ([], {}) == (claims(life), debts(life))
    return life


def test_a_claim_of_a_cancelled_order_can_be_paid() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), "paid", listed_ms=LISTED)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    tell(life, "returned", ALL)
    assert [(BUYER, SELLER, FEE, "price")] == claims(life)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(FEE), leg=255))


def test_a_claim_of_a_lapsed_order_can_be_paid() -> None:
    life = ordered(None, listed_ms=LISTED)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    after(life, 80)
    assert [(BUYER, SELLER, 100, "price")] == claims(life)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(100), leg=255))


def test_the_fee_does_not_take_what_was_paid_for_a_claim() -> None:
    life = paid_claim(FEE)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert ([], {}) == (claims(life), debts(life))


def test_a_reinstatement_does_not_turn_what_was_paid_for_a_claim_into_price() -> None:
    life = paid_claim()
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, reinstate(life), BUYER)
    payments = payments_of(ledger_of(life.chain), order_of(life).payments)
    assert 0 == paid_in_all(order_of(life), payments)


def test_a_fee_that_was_given_back_is_not_due_again() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), "paid", listed_ms=LISTED)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL))
    tell(life, "refunded", ALL)
    tell(life, "settled", 10, reference=b"stray")
    assert ([], {BUYER: 10}) == (claims(life), debts(life))


def test_a_part_of_a_fee_that_was_given_back_is_not_due_again() -> None:
    life = ordered(terms(leg(ALL), cancel_fee=FEE), "paid", listed_ms=LISTED)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL - FEE + 100))
    tell(life, "refunded", ALL - FEE + 100)
    tell(life, "settled", 100, reference=b"stray")
    assert ([], {BUYER: 100}) == (claims(life), debts(life))


def test_a_vote_of_who_is_no_longer_named_does_not_count_at_the_close() -> None:
    life = at("handed_over")
    dispute = answered(life)
    vote(life, dispute, AGAINST, *ARBITERS[:2])
    vote(life, dispute, FOR, ARBITERS[2])
    carry_out(life.chain, RoleSetStatus(address(ARBITERS[0]), "arbiter", "revoked", "ended"))
    after(life, at_ms=life.chain.state(ORDER_DISPUTE, dispute).ends_at_ms)
    life.chain.do("bmw", specimen("order.close", life.chain, dispute=dispute))
    assert life.chain.state(ORDER_DISPUTE, dispute).decision is None


def test_a_vote_of_who_is_no_longer_named_does_not_count_at_the_close_of_a_record() -> None:
    life = wholesale()
    ident = disputed_record(life, serviced(life))
    answered_record(life, ident)
    voted(life, ident, "annulled", *ARBITERS[:2])
    voted(life, ident, "stands", ARBITERS[2])
    carry_out(life.chain, RoleSetStatus(address(ARBITERS[0]), "arbiter", "revoked", "ended"))
    after(life, at_ms=of(life, ident).ends_at_ms)
    closed(life, ident)
    assert "undecided" == of(life, ident).outcome


def test_no_window_is_confirmed_in_an_open_dispute() -> None:
    life = ordered(stage="paid", listed_ms=LISTED)
    disputed(life, SELLER, "other")
    window = dict(window_from_ms=life.chain.now + DAY_MS, window_to_ms=life.chain.now + 2 * DAY_MS)
    life.chain.do(SELLER, specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=None, **window))
    confirm = specimen("delivery.confirm", life.chain, order=life.order, number=0)
    assert ["order_disputed"] == codes_of(life, BUYER, confirm)


def test_who_has_paid_all_but_what_was_decided_for_it_is_asked_for_no_more() -> None:
    life = ordered(None, listed_ms=LISTED)
    decide(life, Decision("claim", 100, "seller"))
    pay(life, 0, ALL - 100)
    assert [] == handing_over(life)
    life.chain.produce()
    moment = moment_of(life.chain.store)
    found = next_steps(life.order.hex(), order_of(life), moment, moment.as_of)
    assert ["order.handover"] == [step.type for step in found.steps]
    assert [] == _of_order(life.order, order_of(life), moment)
