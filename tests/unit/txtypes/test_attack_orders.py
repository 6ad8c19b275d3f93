"""Attacks on the whole purchase: each test says what should hold."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.disputing import ARBITERS
from support.life import PRICE, VIN, accept, accident, handover, initiate, km, listing, offer, register
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    PROVIDER,
    SECOND,
    SELLER,
    about_payment,
    amend,
    begin,
    cancel,
    claim_refund,
    codes_of,
    euro,
    hand_over,
    leg,
    market_of_car,
    order_of,
    ordered,
    pay,
    reinstate,
    second_car,
    tell,
    terms,
    through_agent,
    trade_fields,
    trading,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, change, ledger_of

from node.ledger.fields import Money
from node.limits import MONEY_MAX
from node.rpc.moments import moment_of
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision, OrderVote
from node.txtypes.payment.giving_back import PaymentReassign
from node.txtypes.sale.listing import BuildOption
from node.txtypes.sale.terms import PRICE_MAX
from node.txtypes.vehicle.claims import claims_of
from node.views.next_steps import next_steps

ALL = PRICE.amount


def test_a_part_that_was_amended_away_and_paid_late_does_not_halt_an_amendment() -> None:
    life = ordered(terms(leg(1_000, kind="deposit"), leg(ALL - 1_000)))
    late = begin(life, 1)
    tell(life, "failed", payment=late)
    life.chain.do(SELLER, amend(life, terms()), BUYER)
    tell(life, "settled", 500, payment=late)
    codes_of(life, SELLER, amend(life, terms()), BUYER)


def test_claims_that_are_paid_double_and_recalled_stay_in_bounds() -> None:
    life = at("wholesale")
    life.listing = life.chain.do(SELLER, listing(life.chain, price=Money(PRICE_MAX, "EUR")))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=terms(leg(PRICE_MAX))))
    life.chain.do(SELLER, accept(life.chain, life.order), BUYER)
    pay(life)
    hand_over(life)
    tell(life, "returned")
    for _ in range(11):
        owed = sum(c.amount.amount for c in claims_of(ledger_of(life.chain), life.order) if c.debtor == address(BUYER))
        assert owed <= MONEY_MAX
        life.payment = life.chain.do(BUYER, initiate(life.order, euro(owed), leg=255))
        for kind in ("settled", "settled", "returned", "returned"):
            tell(life, kind, owed)


def test_a_payment_of_a_part_that_is_another_now_is_not_reassigned_into_it() -> None:
    life = ordered(terms(leg(1_000_000), leg(ALL - 1_000_000)), before=second_car, terms_of=None)
    life.payment = begin(life, 0)
    tell(life, "failed")
    life.chain.do(SELLER, amend(life, trading(life)), BUYER)
    body = PaymentReassign(life.payment, address(BANK))
    if not codes_of(life, BUYER, body, SELLER):
        life.chain.do(BUYER, body, SELLER)
    assert order_of(life).terms.legs[0].provider is None


def test_who_got_its_money_back_before_a_reinstatement_has_not_paid() -> None:
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    tell(life, "refunded")
    life.chain.do(SELLER, reinstate(life), BUYER)
    life.chain.now += 15 * DAY_MS
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))


# --- deliveries -----------------------------------------------------------------------------------------------------
def schedule(life, **changes):
    now = life.chain.now
    return specimen(
        "delivery.schedule",
        life.chain,
        **dict(order=life.order, site="", window_from_ms=now + DAY_MS, window_to_ms=now + 2 * DAY_MS, carrier=None)
        | changes,
    )


def confirm(life):
    return specimen("delivery.confirm", life.chain, order=life.order, number=order_of(life).deliveries - 1)


def no_show(life):
    return specimen(
        "delivery.event",
        life.chain,
        order=life.order,
        stage="no_show",
        site="",
        event_at_ms=life.chain.now,
        odometer=None,
    )


def disputed(life, opener=BUYER, reason="refund"):
    return life.chain.do(opener, specimen("order.dispute", life.chain, {"order": life.order}, reason=reason))


def decide(life, decision, opener=BUYER, answers=SELLER):
    dispute = disputed(life, opener)
    life.chain.do(answers, specimen("order.respond", life.chain, dispute=dispute))
    for arbiter in ARBITERS:
        if not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms:
            life.chain.do(arbiter, specimen("order.resolve", life.chain, dispute=dispute, decision=decision))


def test_a_buyer_does_not_miss_a_window_in_which_a_dispute_blocked_the_handover() -> None:
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, schedule(life))
    life.chain.do(BUYER, confirm(life))
    disputed(life, SELLER, "other")
    assert "order_disputed" in codes_of(life, BUYER, handover(life.chain, life.order, 200), SELLER)
    life.chain.now += 3 * DAY_MS
    assert "delivery_window" in codes_of(life, SELLER, no_show(life))


def test_a_window_of_before_a_reinstatement_is_missed_by_nobody() -> None:
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, schedule(life))
    life.chain.do(BUYER, confirm(life))
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.now += 3 * DAY_MS
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert "delivery_window" in codes_of(life, SELLER, no_show(life))


def test_an_agent_whose_mandate_has_ended_delivers_nothing() -> None:
    life = through_agent("paid")
    life.chain.do(SELLER, specimen("mandate.end", life.chain, mandate=life.mandate))
    assert [] != codes_of(life, AGENT, schedule(life))


def test_the_claim_of_a_third_dispute_can_be_ended_by_who_has_paid_it() -> None:
    life = at("handed_over")
    for _ in range(2):
        decide(life, Decision("dismiss", 0, ""))
    decide(life, Decision("claim", 1_000, "seller"))
    life.chain.now += 15 * DAY_MS
    life.chain.do(BUYER, claim_refund(life))
    again = specimen("order.dispute", life.chain, {"order": life.order}, reason="refund")
    assert [] == codes_of(life, SELLER, again)


def test_a_refund_that_is_claimed_late_can_be_disputed() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    life.chain.now += 181 * DAY_MS
    life.chain.do(BUYER, claim_refund(life))
    again = specimen("order.dispute", life.chain, {"order": life.order}, reason="refund")
    assert [] == codes_of(life, SELLER, again)


def test_one_party_does_not_use_up_the_disputes_of_the_other() -> None:
    life = at("handed_over")
    for _ in range(3):
        decide(life, Decision("dismiss", 0, ""), SELLER, BUYER)
    assert [] == codes_of(life, BUYER, specimen("order.dispute", life.chain, {"order": life.order}, reason="refund"))


def test_a_decision_does_not_lift_the_lock_for_the_buyer() -> None:
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    life.chain.do(SELLER, cancel(life, "seller_default"))
    before = market_of_car(life).locked_until_ms
    decide(life, Decision("unwind", 0, ""), SELLER, BUYER)
    assert before == market_of_car(life).locked_until_ms


# --- answers --------------------------------------------------------------------------------------------------------
def steps_of(life, kind):
    moment = moment_of(life.chain.store)
    found = next_steps(life.order.hex(), order_of(life), moment, moment.as_of)
    return [step for step in found.steps if step.type == kind]


def test_only_who_can_answer_a_dispute_is_told_to() -> None:
    life = ordered(with_credit(4_000_000))
    dispute = disputed(life)
    answer = specimen("order.respond", life.chain, dispute=dispute)
    assert ["not_a_party"] == codes_of(life, BANK, answer)
    told = {who for step in steps_of(life, "order.respond") for who in step.by}
    assert {address(SELLER)} == told


def test_no_withdrawal_is_shown_that_is_excluded() -> None:
    life = at("")
    life.listing = life.chain.do(
        "bmw", specimen("listing.build", life.chain, options=(BuildOption("S205A", 220_000, is_individual=True),))
    )
    agreed = plain(contract="distance")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed, options=("S205A",)))
    life.chain.do("bmw", accept(life.chain, life.order, material_root=bytes(32)))
    life.chain.do("bmw", register(VIN, configuration=("S205A",)))
    life.chain.do("bmw", specimen("order.assign_vin", life.chain, {"order": life.order}, vin=VIN))
    life.chain.do(BUYER, specimen("order.acknowledge", life.chain, {"order": life.order}))
    pay(life)
    life.chain.do("bmw", handover(life.chain, life.order, 200), BUYER)
    withdraw = specimen("order.withdraw", life.chain, {"order": life.order})
    assert ["withdrawal_excluded"] == codes_of(life, BUYER, withdraw)
    assert [] == steps_of(life, "order.withdraw")


def test_a_refund_in_dispute_is_not_shown_as_to_be_claimed() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    disputed(life, SELLER)
    life.chain.now += 15 * DAY_MS
    life.chain.produce()
    assert ["refund_not_due"] == codes_of(life, BUYER, claim_refund(life))
    assert [] == steps_of(life, "order.claim_refund")


def test_a_claim_against_the_seller_is_shown_as_to_be_claimed() -> None:
    life = at("handed_over")
    decide(life, Decision("claim", 1_000, "seller"))
    life.chain.now += 15 * DAY_MS
    life.chain.produce()
    assert [] == codes_of(life, BUYER, claim_refund(life))
    assert [] != steps_of(life, "order.claim_refund")


def test_a_place_of_a_lapsed_build_is_shown_as_to_be_given_back() -> None:
    life = at("")
    life.listing = life.chain.do("bmw", specimen("listing.build", life.chain))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing))
    life.chain.do("bmw", accept(life.chain, life.order, material_root=bytes(32)), BUYER)
    life.chain.now += 61 * DAY_MS
    life.chain.produce()
    assert [] == codes_of(life, "bmw", cancel(life, "time_over"))
    assert [] != steps_of(life, "order.cancel")


def test_a_seller_is_not_told_to_cancel_whom_it_cannot() -> None:
    life = ordered(terms(leg(ALL)), listed_ms=89 * DAY_MS)
    pay(life)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 5))
    tell(life, "refunded", 5)
    life.chain.now += 61 * DAY_MS
    life.chain.produce()
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over"))
    assert not any(address(SELLER) in step.by for step in steps_of(life, "order.cancel"))


# --- what else ------------------------------------------------------------------------------------------------------
def test_a_car_in_payment_that_goes_back_is_named_as_it_is() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    pay(life)
    hand_over(life, **trade_fields(life))
    back = specimen(
        "order.return",
        life.chain,
        {"order": life.order},
        odometer=km(250),
        event_at_ms=life.chain.now,
        trade_in_back=True,
        trade_odometer=km(320),
    )
    life.chain.do("insurer-1", accident(life.chain, 300, SECOND, "structural"))
    assert "disclosure_stale" in codes_of(life, SELLER, back, BUYER)


def test_no_more_is_kept_than_the_price() -> None:
    life = ordered(stage="paid")
    dispute = disputed(life)
    life.chain.do(SELLER, specimen("order.respond", life.chain, dispute=dispute))
    vote = specimen("order.resolve", life.chain, dispute=dispute, decision=Decision("unwind", ALL + 1, ""))
    assert ["decision_unfit"] == codes_of(life, ARBITERS[0], vote)


def test_a_credit_is_not_reassigned_by_a_payment_of_another_rail() -> None:
    life = ordered(terms(leg(ALL - 4_000_000), leg(4_000_000)))
    life.payment = begin(life, 1)
    tell(life, "failed")
    life.chain.do(SELLER, amend(life, with_credit(4_000_000)), BUYER, BANK)
    body = PaymentReassign(life.payment, address(PROVIDER))
    if not codes_of(life, BUYER, body, SELLER):
        life.chain.do(BUYER, body, SELLER)
    assert address(BANK) == order_of(life).terms.legs[1].provider


def paid_in_one_transfer():
    """Two parts of the price, both of them paid with one transfer, by the first part's payment."""
    life = ordered(terms(leg(ALL // 2, kind="deposit"), leg(ALL // 2), cancel_fee=ALL // 10), listed_ms=89 * DAY_MS)
    life.payment = begin(life, 0)
    tell(life, "settled", ALL)
    life.chain.now += 15 * DAY_MS
    life.chain.produce()
    return life


def test_who_has_paid_in_full_with_one_transfer_is_in_no_default() -> None:
    life = paid_in_one_transfer()
    assert [] == codes_of(life, SELLER, handover(life.chain, life.order, 200), BUYER)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))


def test_who_has_paid_in_full_with_one_transfer_is_asked_for_no_more() -> None:
    assert [] == steps_of(paid_in_one_transfer(), "payment.initiate")


def test_an_agent_whose_mandate_has_ended_disputes_nothing() -> None:
    life = through_agent("paid")
    life.chain.do(SELLER, specimen("mandate.end", life.chain, mandate=life.mandate))
    assert [] != codes_of(life, AGENT, specimen("order.dispute", life.chain, {"order": life.order}, reason="other"))


def test_a_vote_of_an_arbiter_who_replaced_one_that_has_voted_does_not_halt_the_chain() -> None:
    """Fifteen have voted, eight to seven; governance has revoked one of them meanwhile and named another, who votes."""
    life = at("handed_over")
    dispute = disputed(life)
    life.chain.do(SELLER, specimen("order.respond", life.chain, dispute=dispute))
    votes = tuple(OrderVote(bytes([n + 1]) * 20, Decision("resume" if n < 8 else "dismiss", 0, "")) for n in range(15))
    change(life.chain, ORDER_DISPUTE, dispute, votes=votes)
    vote = specimen("order.resolve", life.chain, dispute=dispute, decision=Decision("dismiss", 0, ""))
    life.chain.do(ARBITERS[0], vote)
    assert 16 >= len(life.chain.state(ORDER_DISPUTE, dispute).votes)
