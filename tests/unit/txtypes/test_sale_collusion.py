"""Two parties of a sale against the third, an agent against its principal, and several steps that together do harm."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import ARBITERS
from support.life import PRICE, VIN, Life, accept, handover, initiate, listing, offer, register, transfer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    OTHER,
    PROVIDER,
    RIGHTS,
    SECOND,
    SELLER,
    about_payment,
    amend,
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
    trade_fields,
    trading,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, change, force, ledger_of

from node.ledger.fields import Money
from node.limits import MONEY_MAX
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.members.mandate import MANDATE, MandateEnd
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.listing import LISTING, BuildOption
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order_family import ORDER, status_of
from node.txtypes.sale.terms import PRICE_MAX
from node.txtypes.vehicle.claims import DEBTOR, Debtor, debtor_key, is_debtor
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

ALL, CREDIT, LONG = PRICE.amount, 4_000_000, 89 * DAY_MS


def later(life: Life, days: int) -> None:
    life.chain.now += days * DAY_MS


# --- sums --------------------------------------------------------------------------------------------------------
def test_no_price_is_so_high_that_the_sums_of_its_order_overflow() -> None:
    assert PRICE_MAX * 64 < MONEY_MAX
    life = at("wholesale")
    life.listing = life.chain.do(SELLER, listing(life.chain, price=Money(PRICE_MAX, "EUR")))
    for price, codes in ((PRICE_MAX, []), (PRICE_MAX + 1, ["price_high"])):
        bid = offer(life.chain, life.listing, terms=terms(leg(price)))
        assert codes == codes_of(life, BUYER, bid)


def test_nobody_is_decided_to_owe_more_than_the_price() -> None:
    life = at("handed_over")
    dispute = disputed(life)
    life.chain.do(SELLER, specimen("order.respond", life.chain, dispute=dispute))
    for amount, codes in ((ALL, []), (ALL + 1, ["decision_unfit"])):
        vote = specimen("order.resolve", life.chain, dispute=dispute, decision=Decision("claim", amount, "seller"))
        assert codes == codes_of(life, ARBITERS[0], vote)


# --- claims and cars ------------------------------------------------------------------------------------------------
def test_claims_of_an_order_that_gets_another_car_are_counted_on_the_car_that_they_are_about() -> None:
    life = at("")
    life.listing = life.chain.do("bmw", specimen("listing.build", life.chain))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing))
    life.chain.do("bmw", accept(life.chain, life.order, material_root=bytes(32)), BUYER)
    owed = Decision("claim", 1_000, "buyer")
    for vin, amount in ((VIN, 1_000), (SECOND, 2_000)):
        life.chain.do("bmw", register(vin))
        life.chain.do("bmw", specimen("order.assign_vin", life.chain, {"order": life.order}, vin=vin))
        decide(life, owed, answers="bmw")
        assert [(BUYER, OTHER, amount, "price")] == claims(life)
        barred = [car for car in (VIN, SECOND) if is_debtor(ledger_of(life.chain), address(BUYER), car)]
        assert [vin] == barred, "the car of the order alone"
    life.chain.do("bmw", ClaimRelease(life.order, address(BUYER), euro(2_000)))
    assert not any(life.chain.state(DEBTOR, debtor_key(vin, address(BUYER))) for vin in (VIN, SECOND))


def agent_trade() -> Life:
    """The seller's agent has taken the buyer's car in payment, and owes its value to the seller."""
    life = at("wholesale")
    second_car(life)
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("trade_in", ()))
    life.listing = life.chain.do(AGENT, listing(life.chain, mandate=entrust(life, RIGHTS), rails=rails))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=trading(life, taker=address(AGENT))))
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    pay(life)
    life.chain.do(AGENT, handover(life.chain, life.order, 200, **trade_fields(life)), BUYER)
    return life


def test_who_has_taken_a_car_and_not_paid_does_not_sell_that_car() -> None:
    life = agent_trade()
    assert [(AGENT, SELLER, 1_000_000, "trade_in")] == claims(life)
    assert "claims_open" in codes_of(life, AGENT, transfer(life.chain, OTHER, 350, vin=SECOND), OTHER)


def test_after_a_return_without_the_car_in_payment_the_seller_owes_its_value() -> None:
    life = agent_trade()
    life.chain.do(SELLER, back(life), BUYER)
    assert [(AGENT, SELLER, 1_000_000, "trade_in")] == claims(life)
    assert ({BUYER: ALL}, order_of(life).ended_at_ms + 14 * DAY_MS) == (debts(life), due_of(life))
    tell(life, "refunded", ALL - 1_000_000)
    assert {BUYER: 1_000_000} == debts(life), "no payment is left that it could go back by"
    later(life, 14)
    life.chain.do(BUYER, claim_refund(life))
    assert 1 == life.chain.state(CONDUCT, address(SELLER)).refunds_overdue
    life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(1_000_000)))
    assert ({}, 0) == (debts(life), life.chain.state(CONDUCT, address(SELLER)).refunds_overdue)
    assert [(AGENT, SELLER, 1_000_000, "trade_in")] == claims(life)


def test_a_car_in_payment_that_goes_back_is_owed_no_more() -> None:
    life = agent_trade()
    life.chain.do(SELLER, back(life, trade_in_back=True), BUYER, AGENT)
    assert ([], {BUYER: ALL - 1_000_000}) == (claims(life), debts(life))
    assert address(BUYER) == life.chain.state(VEHICLE, SECOND).holder


def test_a_taker_that_has_paid_gets_its_money_with_the_car_gone() -> None:
    life = agent_trade()
    life.chain.do(SELLER, ClaimRelease(life.order, address(AGENT), euro(1_000_000)))
    assert ([], {}) == (claims(life), debts(life))
    life.chain.do(SELLER, back(life, trade_in_back=True), BUYER, AGENT)
    assert ([], {BUYER: ALL - 1_000_000, AGENT: 1_000_000}) == (claims(life), debts(life))


def test_a_debtor_of_a_car_does_not_give_it_in_payment() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    pay(life)
    force(life.chain, DEBTOR, debtor_key(SECOND, address(BUYER)), Debtor(1))
    assert "claims_open" in handing_over(life, **trade_fields(life))


# --- money that is paid twice ------------------------------------------------------------------------------------
def test_a_charge_back_that_is_paid_and_then_won_back_is_owed_to_the_buyer() -> None:
    life = sold_by_card()
    charged = life.payment
    tell(life, "charged_back", 70)
    by_card(life, 255, 70)
    assert ([], {}) == (claims(life), debts(life))
    tell(life, "represented", 70, payment=charged)
    assert ([], {BUYER: 70}) == (claims(life), debts(life))
    later(life, 14)
    life.chain.do(BUYER, claim_refund(life))
    assert 1 == life.chain.state(CONDUCT, address(SELLER)).refunds_overdue
    tell(life, "charged_back", 70)
    assert ({}, 0) == (debts(life), life.chain.state(CONDUCT, address(SELLER)).refunds_overdue)


def test_what_comes_for_a_claim_after_its_release_is_owed_to_the_buyer() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    life.payment = life.chain.do(BUYER, initiate(life.order, euro(70), leg=255))
    life.chain.do(SELLER, ClaimRelease(life.order, address(BUYER), euro(70)))
    assert ([], {}) == (claims(life), debts(life))
    tell(life, "settled", 70)
    assert ([], {BUYER: 70}) == (claims(life), debts(life))


def test_what_the_seller_is_decided_to_owe_bars_it_as_an_overdue_refund_does() -> None:
    life = at("handed_over")
    decide(life, Decision("claim", 100, "seller"))
    decided_ms = life.chain.now - 1000
    assert ([], {BUYER: 100}, decided_ms + 14 * DAY_MS) == (claims(life), debts(life), due_of(life))
    assert ["refund_not_due"] == codes_of(life, BUYER, claim_refund(life))
    later(life, 14)
    life.chain.do(BUYER, claim_refund(life))
    assert 1 == life.chain.state(CONDUCT, address(SELLER)).refunds_overdue
    life.chain.do(BUYER, ClaimRelease(life.order, address(SELLER), euro(100)))
    assert (0, False) == (life.chain.state(CONDUCT, address(SELLER)).refunds_overdue, order_of(life).is_claimed)


def test_arbiters_settle_a_debt_that_was_paid_though_nobody_says_so() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    later(life, 15)
    life.chain.do(BUYER, claim_refund(life))
    decide(life, Decision("settled", 0, ""), opener=SELLER, answers=BUYER)
    assert ({}, False) == (debts(life), order_of(life).is_claimed)
    assert 0 == life.chain.state(CONDUCT, address(SELLER)).refunds_overdue


# --- lenders ------------------------------------------------------------------------------------------------------
def test_buyer_and_seller_do_not_revive_an_order_with_the_lenders_money() -> None:
    life = ordered(with_credit(CREDIT), listed_ms=LONG)
    pay(life, 1)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    assert ["signature_missing"] == codes_of(life, SELLER, reinstate(life), BUYER)
    assert [] == codes_of(life, SELLER, reinstate(life), BUYER, BANK)


def test_cents_do_not_put_off_what_a_lender_is_owed() -> None:
    life = ordered(replace(with_credit(300_000), cancel_fee=700_000), listed_ms=LONG)
    pay(life, 1)
    cents = begin(life, 0)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    for number in range(2):
        later(life, 13)
        tell(life, "settled", 1, payment=cents, reference=b"cent %d" % number)
    assert [] == codes_of(life, BANK, claim_refund(life))


def test_another_credit_needs_its_lender() -> None:
    life = ordered(with_credit(CREDIT))
    assert ["signature_missing"] == codes_of(life, SELLER, amend(life, with_credit(CREDIT - 1)), BUYER)


def test_a_return_that_the_lender_signs_ends_its_promise() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    life.payment = begin(life, 1)
    hand_over(life, BUYER, BANK, promises=True)
    life.chain.do(SELLER, back(life), BUYER, BANK)
    assert [] == claims(life)
    tell(life, "settled", CREDIT)
    assert ([], CREDIT) == (claims(life), debts(life)[BANK])


# --- agents --------------------------------------------------------------------------------------------------------
def test_an_agent_that_is_the_buyer_signs_for_nobody_else() -> None:
    life = through_agent("listed", ("list", "negotiate", "accept", "return", "handover"), allow_self=True)
    life.order = life.chain.do(AGENT, offer(life.chain, life.listing, terms=plain(contract="business")))
    life.chain.do(SELLER, accept(life.chain, life.order))
    life.payment = life.chain.do(AGENT, initiate(life.order))
    tell(life, "settled")
    assert ["signature_missing"] == codes_of(life, AGENT, handover(life.chain, life.order, 200))
    life.chain.do(SELLER, handover(life.chain, life.order, 200), AGENT)
    assert ["signature_missing"] == codes_of(life, AGENT, back(life))
    life.chain.do(AGENT, MandateEnd(life.mandate))  # type: ignore[attr-defined]
    assert ["signature_missing"] == codes_of(life, AGENT, back(life))


def test_an_agent_gives_nothing_of_the_price_back_once_the_title_has_moved() -> None:
    life = through_agent("paid")
    tell(life, "settled", 5, reference=b"too much")
    hand_over(life)
    assert [] == codes_of(life, AGENT, about_payment(life, "payment.refund", 5))
    assert ["refund_exceeds"] == codes_of(life, AGENT, about_payment(life, "payment.refund", 6))
    assert [] == codes_of(life, SELLER, about_payment(life, "payment.refund", ALL))


@pytest.mark.parametrize("taker", [SELLER, AGENT])
def test_an_agent_binds_its_principal_to_no_dearer_car_in_payment(taker: str) -> None:
    life = at("wholesale")
    second_car(life)
    rails = (AcceptedRail("bank_transfer", (address(PROVIDER),)), AcceptedRail("trade_in", ()))
    life.listing = life.chain.do(AGENT, listing(life.chain, mandate=entrust(life), rails=rails))
    dear = trading(life, 5_000_000, taker=address(taker))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=dear))
    assert "trade_in_value" in codes_of(life, AGENT, accept(life.chain, life.order), BUYER)
    assert (taker == AGENT) == ("trade_in_value" in codes_of(life, SELLER, accept(life.chain, life.order), BUYER))


def test_an_agent_does_not_take_a_car_back_in_a_dispute_or_against_what_was_decided() -> None:
    life = through_agent("paid")
    hand_over(life)
    decide(life, Decision("claim", 100_000, "buyer"), opener=SELLER, answers=BUYER)
    assert [(BUYER, SELLER, 100_000, "price")] == claims(life)
    life.chain.do(AGENT, back(life), BUYER)
    assert ([], {BUYER: ALL - 100_000}) == (claims(life), debts(life)), "it is kept of what goes back"
    life = through_agent("paid")
    hand_over(life)
    disputed(life, SELLER)
    assert ["order_disputed"] == codes_of(life, AGENT, back(life), BUYER)
    assert [] == codes_of(life, SELLER, back(life), BUYER)


def test_an_agent_revives_nothing_that_its_principal_has_withdrawn() -> None:
    life = through_agent("accepted", ("list", "negotiate", "accept"))
    life.chain.do(BUYER, cancel(life))
    life.chain.do(SELLER, ListingWithdraw(life.listing))
    assert [] == codes_of(life, AGENT, reinstate(life), BUYER)
    change(life.chain, MANDATE, life.mandate, rights=("accept", "negotiate"))  # type: ignore[attr-defined]
    assert "mandate_missing" in codes_of(life, AGENT, reinstate(life), BUYER)


# --- returns and disputes -------------------------------------------------------------------------------------------
def test_a_car_that_came_back_another_way_is_not_returned_nor_withdrawn_from() -> None:
    life = at("handed_over")
    change(life.chain, VEHICLE, VIN, title_since_ms=life.chain.now)
    assert ["not_the_holder"] == codes_of(life, SELLER, back(life), BUYER)


def test_a_deduction_that_is_charged_back_after_the_return_is_owed_and_can_be_paid() -> None:
    life = sold_by_card()
    life.chain.do(SELLER, back(life, 5_000, deduction=50_000), BUYER)
    tell(life, "refunded", ALL - 50_000)
    tell(life, "charged_back", 50_000)
    assert ([(BUYER, SELLER, 50_000, "price")], {}) == (claims(life), debts(life))
    by_card(life, 255, 50_000)
    assert ([], {}) == (claims(life), debts(life))


def test_only_the_opposite_party_answers_a_dispute() -> None:
    life = ordered(with_credit(CREDIT))
    dispute = disputed(life)
    answer = specimen("order.respond", life.chain, dispute=dispute)
    assert ["not_a_party"] == codes_of(life, BANK, answer)
    assert [] == codes_of(life, SELLER, answer)


def test_a_withdrawal_does_not_lapse_while_it_is_disputed() -> None:
    life = at("listed")
    agreed = plain(contract="distance", text=bytes(32))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    hand_over(life)
    life.chain.do(BUYER, specimen("order.withdraw", life.chain, {"order": life.order}))
    disputed(life, reason="withdrawal")
    later(life, 22)
    life.chain.produce()
    assert "withdrawn" == status_of(order_of(life), ledger_of(life.chain), life.chain.now)


def test_a_car_that_was_built_for_one_buyer_is_not_withdrawn_from() -> None:
    life = at("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(contract="distance", text=bytes(32))))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    hand_over(life)
    change(life.chain, ORDER, life.order, options=("S205A",))
    withdrawn = specimen("order.withdraw", life.chain, {"order": life.order})
    for is_individual, codes in ((False, []), (True, ["withdrawal_excluded"])):
        change(life.chain, LISTING, life.listing, options=(BuildOption("S205A", 1, is_individual),))
        assert codes == codes_of(life, BUYER, withdrawn)


def test_a_buyer_does_not_default_while_a_dispute_is_open() -> None:
    life = ordered(replace(plain(), cancel_fee=500_000), listed_ms=LONG)
    disputed(life, reason="not_as_described")
    later(life, 11)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))


def test_a_reinstated_order_of_a_withdrawn_listing_leaves_its_car_free() -> None:
    life = ordered(None, listed_ms=LONG)
    life.chain.do(BUYER, cancel(life))
    life.chain.do(SELLER, ListingWithdraw(life.listing))
    life.chain.do(SELLER, reinstate(life, 1), BUYER)
    later(life, 2)
    assert "off" == market_of(life.chain.state(VEHICLE, VIN), life.chain.now).status
    assert [] == codes_of(life, SELLER, listing(life.chain))
