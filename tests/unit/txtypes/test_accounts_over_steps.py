"""Accounts across several steps: what a revived order, another lender, a taker or a dispute makes of them."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import granted
from support.life import PRICE, VIN, Life, accept, handover, initiate, listing, offer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    LONG,
    PROVIDER,
    SELLER,
    about_payment,
    after,
    amend,
    answered,
    back,
    begin,
    by_card,
    cancel,
    claim_refund,
    claims,
    codes_of,
    debts,
    decide,
    disputed,
    disputing,
    due_of,
    entrust,
    euro,
    hand_over,
    handing_over,
    leg,
    order_of,
    ordered,
    pay,
    reinstate,
    second_car,
    sold_by_card,
    tell,
    terms,
    through_agent,
    told,
    trade_fields,
    trading,
    vote,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, fork, ledger_of

from node.ledger.family import AsOf
from node.rpc.moments import moment_of
from node.rpc.obligations import _of_order
from node.txtypes.disputes.order_dispute import OPENED_WITHIN_MS, ORDER_DISPUTE, Decision
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.deal import Finance
from node.txtypes.vehicle.claims import is_debtor
from node.views.next_steps import next_steps

ALL, CREDIT, CAR = PRICE.amount, 4_000_000, 1_000_000
SETTLED, OWES = Decision("settled", 0, ""), Decision("claim", 100, "buyer")


def agent_trade() -> Life:
    """The seller's agent has taken the buyer's car in payment, and owes its value to the seller."""
    life = at("wholesale")
    second_car(life)
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("trade_in", ()))
    life.mandate = entrust(life)  # type: ignore[attr-defined]
    body = listing(life.chain, mandate=life.mandate, rails=rails)  # type: ignore[attr-defined]
    life.listing = life.chain.do(AGENT, body)
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=trading(life, taker=address(AGENT))))
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    life.chain.do(AGENT, handover(life.chain, life.order, 200, **trade_fields(life)), BUYER)
    assert [(AGENT, SELLER, CAR, "trade_in")] == claims(life)
    return life


def overdue(life: Life) -> int:
    found = life.chain.state(CONDUCT, address(SELLER))
    return found.refunds_overdue if found is not None else 0


def steps(life: Life, kind: str) -> list[tuple[int | None, int]]:
    """The part and the minor units of each step of a kind that is answered now."""
    moment, now = moment_of(life.chain.store), life.chain.now
    found = next_steps(life.order.hex(), order_of(life), moment, AsOf(now, moment.as_of.rules))
    return [(step.leg, step.amount.amount if step.amount else 0) for step in found.steps if step.type == kind]


# --- who can pay, and to whom ---------------------------------------------------------------------------------------
def test_a_buyer_is_not_the_provider_that_attests_the_payment_of_its_claim() -> None:
    life = at("wholesale")
    granted(life, BANK, "payment_provider")
    rails = (AcceptedRail("bank_transfer", (address(BANK),)), AcceptedRail("card", (address(PROVIDER),)))
    life.listing = life.chain.do(SELLER, listing(life.chain, rails=rails))
    agreed = plain(legs=(leg(ALL, provider=BANK),), contract="business")
    life.order = life.chain.do(PROVIDER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(SELLER, accept(life.chain, life.order))
    life.payment = life.chain.do(PROVIDER, initiate(life.order))
    tell(life, "settled")
    hand_over(life, PROVIDER)
    tell(life, "returned", ALL)
    pays = initiate(life.order, leg=255, scheme="visa")
    assert [] != codes_of(life, PROVIDER, pays), "its own word would end its debt"


@pytest.mark.parametrize("how", ["cancelled", "lapsed"])
def test_who_owes_of_an_order_that_ended_without_title_can_pay(how: str) -> None:
    life = ordered(None, listed_ms=LONG)
    decide(life, OWES, SELLER, BUYER)
    if how == "cancelled":
        life.chain.do(BUYER, cancel(life, "changed_mind"))
    else:
        after(life, at_ms=order_of(life).hold_until_ms)
    assert [(BUYER, SELLER, 100, "price")] == claims(life)
    assert [(255, 100)] == steps(life, "payment.initiate")
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(100), leg=255))


def test_paying_what_was_decided_makes_no_fee_due() -> None:
    life = ordered(replace(terms(), cancel_fee=50), listed_ms=LONG)
    decide(life, OWES, SELLER, BUYER)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert [(BUYER, SELLER, 100, "price")] == claims(life), "no money of the price had come, so no fee"
    tell(life, "settled", 100)
    assert ([], {}) == (claims(life), debts(life))


def test_a_fee_that_was_given_back_is_not_taken_from_money_that_comes_later() -> None:
    life = ordered(replace(terms(), cancel_fee=500_000), "paid", listed_ms=LONG)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL))
    tell(life, "refunded", ALL)
    assert ([], {}) == (claims(life), debts(life))
    tell(life, "settled", 500_000, reference=b"a standing order")
    assert {BUYER: 500_000} == debts(life)


# --- reinstating ----------------------------------------------------------------------------------------------------
def test_what_was_paid_for_a_claim_is_not_the_price_of_a_reinstated_order() -> None:
    life = ordered(None, listed_ms=LONG)
    decide(life, OWES, SELLER, BUYER)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    tell(life, "settled", 100)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    life.chain.do(SELLER, reinstate(life), BUYER)
    pay(life, 0, ALL - 100)
    assert ["payment_not_final"] == handing_over(life)


@pytest.mark.parametrize("how", ["released", "settled"])
def test_money_that_went_back_in_another_way_does_not_pay_a_reinstated_order(how: str) -> None:
    life = ordered(None, "paid", listed_ms=LONG)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    if how == "released":
        life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(ALL)))
    else:
        decide(life, SETTLED, SELLER, BUYER)
    assert {} == debts(life)
    life.chain.do(SELLER, reinstate(life), BUYER)
    is_secured = claims(life) == [(BUYER, SELLER, ALL, "price")]
    assert is_secured or "payment_not_final" in handing_over(life)


# --- refunds that are under way when an order ends --------------------------------------------------------------------
def test_an_agent_does_not_give_the_fee_back_by_telling_the_provider_before_the_end() -> None:
    life = through_agent("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(cancel_fee=500_000)))
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    gives = about_payment(life, "payment.refund", ALL)
    if not codes_of(life, AGENT, gives):
        life.chain.do(AGENT, gives)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert {BUYER: ALL - 500_000} == debts(life)
    assert ["refund_not_instructed"] == told(life, "refunded", ALL)


def test_an_agent_does_not_give_back_what_was_decided_by_telling_the_provider_before_the_handover() -> None:
    life = through_agent("paid")
    decide(life, OWES, SELLER, BUYER)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    tell(life, "settled", 100)
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 100))


def test_what_the_seller_has_told_its_lender_to_take_back_was_not_lent() -> None:
    life = ordered(with_credit(CREDIT))
    own = begin(life, 0)
    tell(life, "settled", ALL - CREDIT + CAR, payment=own)  # the buyer pays 1,000,000 itself
    lenders = pay(life, 1)
    life.chain.do(SELLER, about_payment(life, "payment.refund", CAR, payment=lenders))
    hand_over(life)
    tell(life, "refunded", CAR, payment=lenders)
    assert ([], {}) == (claims(life), debts(life)), "the price has been paid, and no more"


# --- disputes -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("life_of", "first", "since", "left"),
    [
        (sold_by_card, "charged_back", "pay", ([(BUYER, SELLER, 70, "price")], {})),
        (lambda: at("handed_over"), "settled", "refunded", ([], {BUYER: 70})),
    ],
)
def test_settled_does_not_cover_what_came_after_all_was_paid(life_of, first: str, since: str, left: object) -> None:
    life = life_of()
    tell(life, first, 70)
    opener, answers = (BUYER, SELLER) if since == "pay" else (SELLER, BUYER)
    dispute = answered(life, opener, answers)
    if since == "pay":
        by_card(life, 255, 70)
    else:
        tell(life, "refunded", 70)
    assert ([], {}) == (claims(life), debts(life))
    tell(life, first, 70, reference=b"again")
    vote(life, dispute, SETTLED)
    assert left == (claims(life), debts(life))


def test_arbiters_can_help_a_seller_whose_lender_does_not_say_that_it_was_paid() -> None:
    life = ordered(with_credit(CREDIT), listed_ms=LONG)
    pay(life, 1)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    after(life, 15)
    life.chain.do(BANK, claim_refund(life))  # the seller has sent the money: the lender, its own provider, is silent
    freed = set()
    unwound = [Decision("unwind", amount, "") for amount in (0, CREDIT, ALL)]
    owed = [Decision("claim", CREDIT, debtor) for debtor in ("buyer", "seller")]
    for decision in (SETTLED, *unwound, *owed, Decision("resume", 0, ""), Decision("dismiss", 0, "")):
        other = changed(life, chain=fork(life.chain))
        decide(other, decision, SELLER, BANK, party=address(BANK))
        if not overdue(other):
            freed.add(decision.action)
    assert freed, "it sells nothing any more"


def test_a_taker_that_is_barred_may_dispute_when_its_mandate_has_ended() -> None:
    life = agent_trade()
    assert [] == codes_of(life, AGENT, disputing(life))
    life.chain.do(SELLER, specimen("mandate.end", life.chain, mandate=life.mandate))  # type: ignore[attr-defined]
    assert [] == codes_of(life, AGENT, disputing(life)), "it has paid in cash, and can neither pay nor be heard"


def test_the_seller_answers_a_taker_that_disputes_what_it_owes() -> None:
    life = agent_trade()
    dispute = disputed(life, AGENT)
    assert [] == codes_of(life, SELLER, specimen("order.respond", life.chain, dispute=dispute))


def test_disputes_of_one_debtor_do_not_keep_another_from_claiming_for_ever() -> None:
    life = agent_trade()
    tell(life, "settled", 1)
    after(life, 15)
    assert [] == codes_of(life, BUYER, claim_refund(life))
    for _ in range(3):
        dispute = disputed(life, AGENT)
        after(life, 14)
        vote(life, dispute, Decision("dismiss", 0, ""))
    if not codes_of(life, AGENT, disputing(life)):
        disputed(life, AGENT)
    assert [] == codes_of(life, BUYER, claim_refund(life))


def test_a_dispute_of_a_lender_that_has_left_settles_nothing_of_the_buyer() -> None:
    life = ordered(with_credit(CREDIT), listed_ms=LONG)
    pay(life, 0)
    lenders = pay(life, 1)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    dispute = answered(life, BANK)
    life.chain.do(SELLER, reinstate(life), BUYER, BANK)
    life.chain.do(SELLER, about_payment(life, "payment.refund", CREDIT, payment=lenders))
    tell(life, "refunded", CREDIT, payment=lenders)
    life.chain.do(SELLER, amend(life, terms(leg(ALL - CREDIT), leg(CREDIT))), BUYER, BANK)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert {BUYER: ALL - CREDIT} == debts(life)
    vote(life, dispute, SETTLED)
    assert {BUYER: ALL - CREDIT} == debts(life)


def test_a_dispute_is_written_however_many_lenders_have_opened_some() -> None:
    life, lenders = at("wholesale"), (BANK, "workshop-berlin", "workshop-hamburg", "inspector-1")
    for lender in lenders[1:]:
        granted(life, lender, "bank")
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("finance", tuple(map(address, lenders))))
    life.listing = life.chain.do(SELLER, listing(life.chain, rails=rails, expires_at_ms=life.chain.now + LONG))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=with_credit(CREDIT)))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    nothing = Decision("dismiss", 0, "")
    for number, lender in enumerate(lenders):
        if number:
            parts, finance = (
                (leg(ALL - CREDIT), leg(CREDIT, "finance", lender)),
                Finance(address(lender), "buyer", False),
            )
            agreed = plain(legs=parts, finance=finance)
            life.chain.do(SELLER, amend(life, agreed), BUYER, lenders[number - 1], lender)
        for _ in range(3):
            decide(life, nothing, lender)
    for _ in range(3):
        decide(life, nothing, SELLER, BUYER)
    decide(life, nothing)
    assert [] == codes_of(life, BUYER, disputing(life))


def test_a_decision_to_unwind_does_not_put_off_what_is_due() -> None:
    life = ordered(None, "paid", listed_ms=LONG)
    after(life, at_ms=order_of(life).hold_until_ms)
    due = due_of(life)
    after(life, 10)
    decide(life, Decision("unwind", 0, ""), SELLER, BUYER)
    assert due == due_of(life)


# --- what time alone brings about -----------------------------------------------------------------------------------
def test_a_claim_that_ends_with_the_reservation_bars_nobody() -> None:
    life = ordered(None, "paid", listed_ms=LONG)
    decide(life, OWES, SELLER, BUYER)
    after(life, at_ms=order_of(life).hold_until_ms)
    assert {BUYER: ALL - 100} == debts(life)
    assert ([], False) == (claims(life), is_debtor(ledger_of(life.chain), address(BUYER), VIN))


def test_a_seller_that_owes_nothing_overdue_any_more_is_barred_no_more() -> None:
    life = at("handed_over")
    tell(life, "settled", 100)
    after(life, 15)
    life.chain.do(BUYER, claim_refund(life))
    tell(life, "settled", 1, reference=b"a cent")
    tell(life, "refunded", 100)
    assert due_of(life) > life.chain.now + 13 * DAY_MS, "the cent alone is owed"
    assert 0 == overdue(life)


# --- answers --------------------------------------------------------------------------------------------------------
def test_what_was_decided_for_the_buyer_is_asked_for_by_no_answer() -> None:
    life = ordered(None, listed_ms=LONG)
    pay(life, 0, ALL - 100)
    decide(life, Decision("claim", 100, "seller"))
    assert [] == handing_over(life), "it counts as paid"
    moment = moment_of(life.chain.store)
    asked = [(o.kind, o.amount.amount) for o in _of_order(life.order, order_of(life), moment)]
    assert ([], []) == (steps(life, "payment.initiate"), asked)


def test_a_handover_is_a_step_where_money_for_a_claim_makes_up_the_price() -> None:
    life = ordered(None, listed_ms=LONG)
    decide(life, OWES, SELLER, BUYER)
    pay(life, 0, ALL - 100)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(100), leg=255))
    tell(life, "settled", 200)
    assert [] == handing_over(life)
    assert [] != steps(life, "order.handover")


def test_no_more_is_to_be_refunded_than_the_payments_have() -> None:
    life = agent_trade()
    life.chain.do(SELLER, back(life), BUYER)
    assert {BUYER: ALL} == debts(life)
    (refund,) = steps(life, "payment.refund")
    assert [] == codes_of(life, SELLER, about_payment(life, "payment.refund", refund[1]))


def test_disputes_of_one_debtor_do_not_use_up_the_time_in_which_another_may_dispute() -> None:
    """Who owes of an order opens one dispute after the other, until it is too late for the buyer."""
    life = agent_trade()  # the taker has not paid for the car that it has taken
    last = order_of(life).ended_at_ms + OPENED_WITHIN_MS
    while life.chain.now <= last:
        dispute = disputed(life, AGENT, "other")
        assert ["order_dispute_past"] == codes_of(life, BUYER, disputing(life, "not_as_described"))
        life.chain.now = life.chain.state(ORDER_DISPUTE, dispute).ends_at_ms
        life.chain.do(AGENT, specimen("order.close", life.chain, dispute=dispute))
    assert life.chain.now < last + 28 * DAY_MS
    assert [] == codes_of(life, AGENT, disputing(life, "other")), "it goes on for as long as it does not pay"
    assert [] == codes_of(life, BUYER, disputing(life, "not_as_described"))
