"""What an order waits for and what its parties owe, as they are told: nothing that cannot be, and all that can."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, accept, handover, initiate, offer, register
from support.life import terms as plain
from support.selling import (
    BANK,
    BUYER,
    LONG,
    SELLER,
    about_payment,
    after,
    answered,
    begin,
    by_card,
    cancel,
    claim_refund,
    codes_of,
    decide,
    disputed,
    due_of,
    euro,
    hand_over,
    leg,
    order_of,
    ordered,
    pay,
    tell,
    terms,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, change

from node.ledger.body import TransactionBody
from node.rpc.moments import moment_of
from node.rpc.obligations import _of_order
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.deal import CLAIM_LEG
from node.txtypes.sale.listing import BuildOption
from node.txtypes.vehicle.vehicle import VEHICLE
from node.views.next_steps import OrderNextStep, next_steps

ALL, CREDIT = PRICE.amount, 4_000_000


def steps_of(life: Life, kind: str) -> list[OrderNextStep]:
    """The steps of a type that the order waits for, at the time of the next block."""
    life.chain.produce()
    moment = moment_of(life.chain.store)
    found = next_steps(life.order.hex(), order_of(life), moment, moment.as_of)
    return [step for step in found.steps if step.type == kind]


def obligations(life: Life) -> list[tuple[str, bytes, int, bool]]:
    """(kind, debtor, minor units, whether it is overdue) of what the order leaves its parties to do."""
    life.chain.produce()
    found = _of_order(life.order, order_of(life), moment_of(life.chain.store))
    return [(each.kind, each.debtor, each.amount.amount, each.is_overdue) for each in found]


# --- disputes -------------------------------------------------------------------------------------------------------
def test_only_who_can_answer_a_dispute_is_told_to() -> None:
    life = ordered(with_credit(CREDIT))
    answer = specimen("order.respond", life.chain, dispute=disputed(life))
    assert ["not_a_party"] == codes_of(life, BANK, answer)
    assert [] == codes_of(life, SELLER, answer)
    assert [(address(SELLER),)] == [step.by for step in steps_of(life, "order.respond")]


def test_a_refund_in_dispute_is_not_shown_as_to_be_claimed() -> None:
    life = at("handed_over")
    tell(life, "settled", 1)
    after(life, 15)
    assert [address(BUYER)] == [who for step in steps_of(life, "order.claim_refund") for who in step.by]
    answered(life, SELLER, BUYER)
    assert ["refund_not_due"] == codes_of(life, BUYER, claim_refund(life))
    assert [] == steps_of(life, "order.claim_refund")


# --- what is owed ---------------------------------------------------------------------------------------------------
def test_what_the_seller_is_decided_to_owe_is_shown_as_to_be_claimed_and_released() -> None:
    life = at("handed_over")
    decide(life, Decision("claim", 1_000, "seller"))
    due = due_of(life)
    (claiming,) = steps_of(life, "order.claim_refund")
    assert ((address(BUYER),), due, euro(1_000)) == (claiming.by, claiming.from_ms, claiming.amount)
    assert ["refund_not_due"] == codes_of(life, BUYER, claim_refund(life))
    assert [("refund", address(SELLER), 1_000, False)] == obligations(life)
    life.chain.now = due
    assert [] == codes_of(life, BUYER, claim_refund(life))
    assert [("refund", address(SELLER), 1_000, True)] == obligations(life)
    (refund,) = steps_of(life, "payment.refund")
    assert (address(SELLER),) == refund.by
    assert [] == codes_of(life, SELLER, about_payment(life, "payment.refund", 1_000))


def test_a_claim_on_the_buyer_is_shown_as_to_be_paid_or_released() -> None:
    life = at("handed_over")
    tell(life, "returned", 70)
    (paying,) = steps_of(life, "payment.initiate")
    assert ((address(BUYER),), CLAIM_LEG, euro(70)) == (paying.by, paying.leg, paying.amount)
    assert [] == codes_of(life, BUYER, initiate(life.order, paying.amount, leg=paying.leg))
    (release,) = steps_of(life, "claim.release")
    assert ((address(SELLER),), euro(70)) == (release.by, release.amount)
    assert [("claim", address(BUYER), 70, True)] == obligations(life)
    by_card(life, 255, 70)
    assert ([], [], []) == (steps_of(life, "payment.initiate"), steps_of(life, "claim.release"), obligations(life))


def test_a_promise_is_the_lenders_to_keep_and_overdue_after_its_days() -> None:
    life = ordered(with_credit(CREDIT))
    pay(life, 0)
    life.payment = begin(life, 1)
    assert address(BANK) not in [debtor for _, debtor, _, _ in obligations(life)], "it has signed nothing yet"
    hand_over(life, BUYER, BANK, promises=True)
    assert [("claim", address(BANK), CREDIT, False)] == obligations(life)
    assert [] == steps_of(life, "payment.initiate"), "nobody asks the buyer for it"
    after(life, 5)
    assert [("claim", address(BANK), CREDIT, True)] == obligations(life)


def paid_in_one_transfer(days: int = 0) -> Life:
    half = ALL // 2
    life = ordered(terms(leg(half), leg(ALL - half, due_days=14)), listed_ms=LONG)
    life.payment = begin(life, 0)
    tell(life, "settled", ALL)
    return after(life, days)


def test_who_has_paid_in_full_with_one_transfer_owes_no_part_and_is_asked_for_none() -> None:
    for days in (0, 18):
        life = paid_in_one_transfer(days)
        assert ([], []) == (steps_of(life, "payment.initiate"), obligations(life))


def test_who_has_paid_more_of_one_part_owes_the_rest_of_the_other() -> None:
    half = ALL // 2
    life = ordered(terms(leg(half), leg(ALL - half, due_days=14)), listed_ms=LONG)
    life.payment = begin(life, 0)
    tell(life, "settled", half + 100)
    assert [("price", address(BUYER), ALL - half - 100, False)] == obligations(life)
    (paying,) = steps_of(life, "payment.initiate")
    assert (1, euro(ALL - half - 100)) == (paying.leg, paying.amount)


# --- withdrawals ----------------------------------------------------------------------------------------------------
def withdraw(life: Life) -> TransactionBody:
    return specimen("order.withdraw", life.chain, {"order": life.order})


def test_a_withdrawal_is_shown_while_it_can_be() -> None:
    life = at("listed")
    agreed = plain(contract="distance", text=bytes(32))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(SELLER, accept(life.chain, life.order))
    pay(life)
    hand_over(life)
    assert [] == codes_of(life, BUYER, withdraw(life))
    assert 1 == len(steps_of(life, "order.withdraw"))
    change(life.chain, VEHICLE, VIN, title_since_ms=life.chain.now)
    assert ["not_the_holder"] == codes_of(life, BUYER, withdraw(life))
    assert [] == steps_of(life, "order.withdraw"), "the car was sold on"


def built(chosen: tuple[str, ...] = (), **listed: object) -> Life:
    """An order of a car that is still to be built."""
    life = at("")
    life.listing = life.chain.do("bmw", specimen("listing.build", life.chain, **listed))
    agreed = plain(contract="distance")
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed, options=chosen))
    life.chain.do("bmw", accept(life.chain, life.order, material_root=bytes(32)))
    return life


def test_no_withdrawal_is_shown_that_is_excluded() -> None:
    life = built(("S205A",), options=(BuildOption("S205A", 220_000, is_individual=True),))
    life.chain.do("bmw", register(VIN, configuration=("S205A",)))
    life.chain.do("bmw", specimen("order.assign_vin", life.chain, {"order": life.order}, vin=VIN))
    life.chain.do(BUYER, specimen("order.acknowledge", life.chain, {"order": life.order}))
    pay(life)
    life.chain.do("bmw", handover(life.chain, life.order, 200), BUYER)
    assert ["withdrawal_excluded"] == codes_of(life, BUYER, withdraw(life))
    assert [] == steps_of(life, "order.withdraw")


# --- the end of a reservation ---------------------------------------------------------------------------------------
def test_a_place_of_a_lapsed_build_is_shown_as_to_be_given_back() -> None:
    life = built()
    after(life, 61)
    assert [] == codes_of(life, "bmw", cancel(life, "time_over"))
    (step,) = steps_of(life, "order.cancel")
    assert {address("bmw"), address(BUYER)} == set(step.by)


def test_a_seller_is_not_told_to_cancel_whom_it_cannot() -> None:
    life = ordered(replace(terms(leg(ALL)), reserve_ms=60 * DAY_MS), listed_ms=89 * DAY_MS)
    pay(life)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 5))
    tell(life, "refunded", 5)
    after(life, 61)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over"))
    assert [] == codes_of(life, BUYER, cancel(life, "time_over"))
    assert [(address(BUYER),)] == [step.by for step in steps_of(life, "order.cancel")]
