"""Further attacks on the money of a sale. Each test states what should hold."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import address
from support.disputing import ARBITERS
from support.life import VIN, accept, initiate, listing, offer, transfer
from support.life import terms as plain
from support.selling import (
    BANK,
    BUYER,
    LONG,
    OTHER,
    PROVIDER,
    SELLER,
    after,
    amend,
    begin,
    cancel,
    claim_refund,
    codes_of,
    euro,
    hand_over,
    leg,
    order_of,
    ordered,
    pay,
    reinstate,
    sold_by_card,
    tell,
    terms,
    with_credit,
)  # fmt: skip
from support.specimens import specimen
from support.stages import at, change, ledger_of
from support.views import view_of
from test_money_attacks import ALL, CREDIT, answered, by_card, claims, debts, vote

from node.audit.invariants import check_invariants
from node.ledger.family import AsOf
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision, OrderVote
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.listing import LISTING, BuildOption
from node.txtypes.sale.next_step import OrderNext
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE


def steps(life) -> list[tuple[str, tuple[str, ...]]]:
    chain = life.chain
    reader = ledger_of(chain)
    found = OrderNext.of(life.order.hex(), order_of(life), reader, AsOf(chain.now, reader.rules))
    return [(step.type, step.from_ms) for step in found.steps]


# 18 the audit of a withdrawn car
def test_the_audit_takes_a_car_on_its_way_back() -> None:
    life = at("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(contract="distance", text=bytes(32))))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    hand_over(life)
    life.chain.do(BUYER, specimen("order.withdraw", life.chain, {"order": life.order}))
    check_invariants(life.chain.store)


# 19 paid in full and still in default
def test_who_has_paid_the_price_is_not_in_default() -> None:
    half = ALL // 2
    life = ordered(replace(terms(leg(half, due_days=7), leg(ALL - half, due_days=14)), cancel_fee=500_000), listed_ms=LONG)
    life.payment = begin(life, 0)
    tell(life, "settled", ALL)
    after(life, 18)
    assert view_of(life.chain, ORDER, life.order)["is_paid"]
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "buyer_default"))


# 20 reinstated order counts what was refunded before as paid
def test_what_was_refunded_before_a_reinstatement_is_not_paid() -> None:
    life = ordered(replace(plain(), cancel_fee=500_000), "paid", listed_ms=LONG)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    tell(life, "refunded", ALL)
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    assert not order_of(life).net
    after(life, 20)
    assert [] == codes_of(life, SELLER, cancel(life, "buyer_default"))


def test_time_over_of_a_reinstated_order() -> None:
    life = ordered(replace(plain(), cancel_fee=500_000), "paid", listed_ms=LONG)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    tell(life, "refunded", ALL)
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    assert not life.chain.state(VEHICLE, VIN).market.lock_ms


# 21 what was released
def test_a_lenders_promise_that_was_released_as_paid_and_is_paid_again() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    life.payment = begin(life, 1)
    hand_over(life, BUYER, BANK, promises=True)
    life.chain.do(SELLER, ClaimRelease(life.order, address(BANK), euro(CREDIT)))
    tell(life, "settled", CREDIT)
    assert CREDIT == debts(life).get(BANK, 0) + sum(a for _, c, a, _ in claims(life) if c == BANK)


def test_a_released_claim_is_paid_again_on_the_part_itself() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    life.chain.do(SELLER, ClaimRelease(life.order, address(BUYER), euro(70)))
    tell(life, "settled", 70, reference=b"again")
    assert 70 == debts(life).get(BUYER, 0) + sum(a for _, c, a, _ in claims(life) if c == BUYER)


def test_a_released_claim_is_won_back() -> None:
    life = sold_by_card()
    tell(life, "charged_back", 70)
    life.chain.do(SELLER, ClaimRelease(life.order, address(BUYER), euro(70)))
    tell(life, "represented", 70)
    assert 70 == debts(life).get(BUYER, 0) + sum(a for _, c, a, _ in claims(life) if c == BUYER)


# 22 a debtor's car
def test_a_debtor_that_cannot_pay_sells_its_car() -> None:
    life = sold_by_card()
    first = life.payment
    tell(life, "charged_back", 70)
    by_card(life, 255, 70)
    tell(life, "charged_back", 50, payment=first)
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(50), leg=255, scheme="visa")) or "claims_open" not in codes_of(
        life, BUYER, transfer(life.chain, OTHER, 350), OTHER)


# 23 next says what cannot be
def test_next_offers_no_withdrawal_that_is_excluded() -> None:
    life = at("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(contract="distance", text=bytes(32))))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    change(life.chain, ORDER, life.order, options=("S205A",))
    change(life.chain, LISTING, life.listing, options=(BuildOption("S205A", 1, True),))
    hand_over(life)
    assert ["withdrawal_excluded"] == codes_of(life, BUYER, specimen("order.withdraw", life.chain, {"order": life.order}))
    assert "order.withdraw" not in [tag for tag, _ in steps(life)]


def test_next_offers_no_withdrawal_of_a_car_that_was_sold_on() -> None:
    life = at("listed")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=plain(contract="distance", text=bytes(32))))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    hand_over(life)
    change(life.chain, VEHICLE, VIN, title_since_ms=life.chain.now)
    assert ["not_the_holder"] == codes_of(life, BUYER, specimen("order.withdraw", life.chain, {"order": life.order}))
    assert "order.withdraw" not in [tag for tag, _ in steps(life)]


def test_next_names_the_claims() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    assert {"payment.initiate", "claim.release"} & {tag for tag, _ in steps(life)}


def test_next_offers_no_claim_while_disputed() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    after(life, 15)
    answered(life, SELLER, BUYER)
    assert "refund_not_due" in codes_of(life, BUYER, claim_refund(life))
    assert "order.claim_refund" not in [tag for tag, _ in steps(life)]


# 24 more votes than a dispute holds
def test_a_dispute_takes_no_more_votes_than_it_holds() -> None:
    life = at("handed_over")
    dispute = answered(life)
    a, b = Decision("dismiss", 0, ""), Decision("resume", 0, "")
    votes = tuple(OrderVote(bytes([n]) * 20, a if n % 2 else b) for n in range(15))
    change(life.chain, ORDER_DISPUTE, dispute, votes=votes)
    life.chain.do(ARBITERS[0], specimen("order.resolve", life.chain, dispute=dispute, decision=b))
    life.chain.state(ORDER_DISPUTE, dispute)


# 25 money that comes while the votes are open
def test_money_that_came_after_a_vote_is_not_settled() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    dispute = answered(life, SELLER, BUYER)
    vote(life, dispute, Decision("settled", 0, ""), *ARBITERS[:2])
    tell(life, "settled", ALL - 1, reference=b"a second order of the bank")
    vote(life, dispute, Decision("settled", 0, ""), *ARBITERS[2:])
    assert ALL - 1 <= debts(life).get(BUYER, 0)


# 28 unwinding by arbiters lifts the lock of a seller that defaulted
def test_arbiters_do_not_lift_the_lock_of_a_seller_that_defaulted() -> None:
    life = ordered(None, "paid", listed_ms=LONG)
    life.chain.do(SELLER, cancel(life, "seller_default"))
    assert life.chain.state(VEHICLE, VIN).market.locked_until_ms
    assert [] != codes_of(life, SELLER, listing(life.chain))
    vote(life, answered(life), Decision("unwind", 0, ""))
    assert life.chain.state(VEHICLE, VIN).market.locked_until_ms
    assert [] != codes_of(life, SELLER, listing(life.chain))


# 29 obligations
def obligations(life):
    from node.rpc.moments import moment_of
    from node.rpc.obligations import _of_order
    return [(o.kind, o.debtor, o.amount.amount, o.is_overdue) for o in _of_order(life.order, order_of(life), moment_of(life.chain.store))]


def test_who_has_paid_the_price_owes_none_of_it() -> None:
    half = ALL // 2
    life = ordered(terms(leg(half, due_days=7), leg(ALL - half, due_days=14)), listed_ms=LONG)
    life.payment = begin(life, 0)
    tell(life, "settled", ALL)
    after(life, 18)
    assert [] == obligations(life)


def test_next_asks_nobody_for_the_price_twice() -> None:
    half = ALL // 2
    life = ordered(terms(leg(half, due_days=7), leg(ALL - half, due_days=14)), listed_ms=LONG)
    life.payment = begin(life, 0)
    tell(life, "settled", ALL)
    assert "payment.initiate" not in [tag for tag, _ in steps(life)]


def test_a_bank_that_signed_nothing_owes_nothing() -> None:
    life = ordered(with_credit(CREDIT))
    assert address(BANK) not in [debtor for _, debtor, _, _ in obligations(life)]


def test_a_claim_is_overdue_when_it_can_be_claimed() -> None:
    life = at("handed_over")
    vote(life, answered(life), Decision("claim", 100, "seller"))
    assert "refund_not_due" in codes_of(life, BUYER, claim_refund(life))
    assert [False] == [overdue for kind, _, _, overdue in obligations(life) if kind == "claim"]


# 30 the price of a credit falls without its lender
def test_a_lower_price_with_the_same_credit_needs_the_lender() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 1)
    cheap = plain(euro(CREDIT + 1), legs=(leg(1), leg(CREDIT, "finance", BANK)), finance=with_credit(CREDIT).finance)
    assert ["signature_missing"] == codes_of(life, SELLER, amend(life, cheap), BUYER)


# 31 settled covers only the two who disputed
def test_what_is_settled_between_buyer_and_seller_is_not_the_lenders() -> None:
    life = ordered(with_credit(CREDIT), listed_ms=LONG)
    pay(life)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    vote(life, answered(life, SELLER, BUYER), Decision("settled", 0, ""))
    assert {BANK: CREDIT} == debts(life)


def test_what_is_settled_between_buyer_and_seller_is_no_lenders_promise() -> None:
    life = ordered(with_credit(CREDIT))
    first = pay(life, 0)
    life.payment = begin(life, 1)
    hand_over(life, BUYER, BANK, promises=True)
    vote(life, answered(life), Decision("claim", 100, "seller"))
    vote(life, answered(life, SELLER, BUYER), Decision("settled", 0, ""))
    assert [(BANK, SELLER, CREDIT, "promise")] == claims(life)


# 32 a dispute that makes the delivery late
def test_a_buyer_makes_no_delivery_late_by_a_dispute() -> None:
    life = ordered(None, "offered", listed_ms=LONG, terms_of=lambda life: replace(
        plain(), cancel_fee=500_000, deliver_by_ms=life.chain.now + 20 * 86_400_000))
    from support.selling import take
    take(life)
    pay(life)
    life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}, reason="other"))
    from support.selling import handing_over
    assert "order_disputed" in handing_over(life)
    after(life, 21)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))


# 33 the end of what a buyer owes whose provider is gone
def test_a_buyer_whose_provider_is_gone_can_pay_its_claim() -> None:
    from node.txtypes.members.member import MEMBER
    life = at("handed_over")
    tell(life, "returned", 70)
    member = life.chain.state(MEMBER, address(PROVIDER))
    change(life.chain, MEMBER, address(PROVIDER), grants=())
    assert [] == codes_of(life, BUYER, initiate(life.order, euro(70), leg=255))


def test_arbiters_settle_what_a_buyer_has_paid() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    vote(life, answered(life), Decision("settled", 0, ""))
    assert [] == claims(life)


# 34 a lapse while the votes stand
def test_money_of_an_order_that_lapsed_in_its_dispute_is_not_settled() -> None:
    life = ordered(replace(plain(), reserve_ms=8 * 86_400_000), "paid", listed_ms=LONG)
    vote(life, answered(life), Decision("claim", 100, "seller"))
    dispute = answered(life, SELLER, BUYER)
    vote(life, dispute, Decision("settled", 0, ""), *ARBITERS[:2])
    vote(life, dispute, Decision("resume", 0, ""), ARBITERS[2])
    after(life, 100)
    if not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms:
        life.chain.do("bmw", specimen("order.close", life.chain, dispute=dispute))
    assert ALL == debts(life).get(BUYER, 0)
