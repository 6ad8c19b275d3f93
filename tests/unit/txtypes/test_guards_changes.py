"""Changes of an accepted order: other terms by both, and the revival of an order that has ended."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.life import PRICE, Life, accept, attest, listing, offer, transfer
from support.life import terms as plain
from support.selling import (
    AGENT,
    BANK,
    BUYER,
    LONG,
    OTHER,
    PROVIDER,
    SECOND,
    SELLER,
    amend,
    cancel,
    codes_of,
    handing_over,
    leg,
    market_of_car,
    order_of,
    ordered,
    pay,
    reinstate,
    second_car,
    terms,
    through_agent,
    trading,
    with_credit,
)
from support.stages import Case, at, change, table

from node.audit.invariants import check_invariants
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE

ALL = PRICE.amount


# --- order.amend ------------------------------------------------------------------------------------------------
def amending(agreed):
    return lambda life: amend(life, agreed(life) if callable(agreed) else agreed)


@table(
    Case("by both", "accepted", SELLER, amending(plain(cancel_fee=1)), (), (BUYER,)),
    Case("sent by the buyer", "accepted", BUYER, amending(plain(cancel_fee=1)), (), (SELLER,)),
    Case("by the seller alone", "accepted", SELLER, amending(plain(cancel_fee=1)), ("signature_missing",)),
    Case("by a third", "accepted", OTHER, amending(plain()), ("not_a_party",), (BUYER,)),
    Case("of an offer", "offered", SELLER, amending(plain()), ("order_status",), (BUYER,)),
    Case("once completed", "handed_over", SELLER, amending(plain()), ("order_status",), (BUYER,)),
    Case("a credit, with its lender", "accepted", SELLER, amending(with_credit()), (), (BUYER, BANK)),
    Case("a credit, without it", "accepted", SELLER, amending(with_credit()), ("signature_missing",), (BUYER,)),
    Case("of what is paid, another fee", "paid", SELLER, amending(plain(cancel_fee=1)), (), (BUYER,)),
    Case("of what is paid, a lower price", "paid", SELLER, amending(terms(leg(ALL - 1))), ("amend_below_paid",),
         (BUYER,)),
    Case("of what is paid, a higher price", "paid", SELLER, amending(terms(leg(ALL + 1))), (), (BUYER,)),
    Case("of what is paid, a further part", "paid", SELLER, amending(terms(leg(ALL), leg(1, due_days=9))), (),
         (BUYER,)),
    Case("of what is paid, another rail", "paid", SELLER, amending(terms(leg(ALL, "card"))), ("amend_below_paid",),
         (BUYER,)),
    Case("of what is paid, another provider", "paid", SELLER, amending(terms(leg(ALL, "card", BANK))),
         ("amend_below_paid",), (BUYER,)),
    Case("of what was only begun, another rail", "paying", SELLER, amending(terms(leg(ALL, "card"))),
         ("amend_below_paid",), (BUYER,)),
    Case("a car in payment", "accepted", SELLER, amending(trading), (), (BUYER,), second_car),
    Case("another's car in payment", "accepted", SELLER, amending(trading), ("not_the_holder",), (BUYER,),
         lambda life: (second_car(life), change(life.chain, VEHICLE, SECOND, holder=address(OTHER)))),
)  # fmt: skip
def test_amend(case: Case) -> None:
    codes = case.run()
    assert case.codes == (codes if "another's car" not in case.name else tuple(c for c in codes if c in case.codes))


def test_a_payment_that_failed_binds_nothing() -> None:
    life = at("paying")
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "failed"))
    assert [] == codes_of(life, SELLER, amend(life, terms(leg(ALL, "card"))), BUYER)


def test_an_amendment_moves_the_deadlines_and_keeps_the_time_of_the_acceptance() -> None:
    life = at("accepted")
    before = order_of(life)
    life.chain.do(SELLER, amend(life, plain(reserve_ms=20 * DAY_MS)), BUYER)
    order = order_of(life)
    assert before.accepted_at_ms == order.accepted_at_ms
    assert before.accepted_at_ms + 20 * DAY_MS == order.until_ms == market_of_car(life).until_ms
    assert order.until_ms + 30 * DAY_MS == order.hold_until_ms == market_of_car(life).hold_until_ms


def test_a_car_in_payment_comes_and_goes_with_the_terms() -> None:
    life = at("accepted")
    second_car(life)
    life.chain.do(SELLER, amend(life, trading(life)), BUYER)
    assert ("reserved", life.order) == (market_of_car(life, SECOND).status, market_of_car(life, SECOND).order)
    check_invariants(life.chain.store)
    life.chain.do(SELLER, amend(life, plain()), BUYER)
    assert OFF_MARKET == market_of_car(life, SECOND)
    assert "reserved" == market_of_car(life).status
    check_invariants(life.chain.store)


def test_another_taker_or_value_of_the_same_car_is_judged_anew() -> None:
    life = through_agent("listed")
    second_car(life)
    agreed = trading(life, 900_000, taker=address(AGENT))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(AGENT, accept(life.chain, life.order), BUYER)
    root = agreed.trade_in.material_root
    for changed, codes in (
        (trading(life, 1_000_000, taker=address(AGENT), material_root=root), []),
        (trading(life, 1_000_001, taker=address(AGENT), material_root=root), ["trade_in_value"]),
        (trading(life, 900_000, taker=address(OTHER), material_root=root), ["trade_in_unready"]),
    ):
        assert codes == codes_of(life, AGENT, amend(life, changed), BUYER)


def test_a_lower_price_that_is_paid_locks_the_car_as_paid_in_full() -> None:
    life = at("accepted")
    pay(life, 0, 100)
    assert 0 == market_of_car(life).lock_ms
    life.chain.do(SELLER, amend(life, terms(leg(100), tax=Tax("standard", 190, 16))), BUYER)
    assert 14 * DAY_MS == market_of_car(life).lock_ms
    assert [] == handing_over(life)


# --- order.reinstate --------------------------------------------------------------------------------------------
def cancelled(life: Life) -> None:
    life.chain.do(BUYER, cancel(life))


def lapsed(life: Life) -> None:
    life.chain.now = order_of(life).until_ms


def elsewhere(life: Life) -> None:
    """The car is in another order by now."""
    cancelled(life)
    other = life.chain.do(OTHER, offer(life.chain, life.listing, terms=plain(contract="business")))
    life.chain.do(SELLER, accept(life.chain, other))


def listed_anew(life: Life) -> None:
    lapsed(life)
    life.chain.do(SELLER, listing(life.chain))


def sold(life: Life) -> None:
    lapsed(life)
    life.chain.do(SELLER, transfer(life.chain, OTHER), OTHER)


def lasting(days: float):
    return lambda life: reinstate(life, until_ms=life.chain.now + int(days * DAY_MS))


@table(
    Case("cancelled", "accepted", SELLER, reinstate, (), (BUYER,), cancelled),
    Case("lapsed", "accepted", SELLER, reinstate, (), (BUYER,), lapsed),
    Case("sent by the buyer", "accepted", BUYER, reinstate, (), (SELLER,), cancelled),
    Case("by the seller alone", "accepted", SELLER, reinstate, ("signature_missing",), (), cancelled),
    Case("by the buyer alone", "accepted", BUYER, reinstate, ("signature_missing",), (), cancelled),
    Case("by a third", "accepted", OTHER, reinstate, ("not_a_party",), (BUYER,), cancelled),
    Case("while it runs", "accepted", SELLER, reinstate, ("order_status", "order_reserved"), (BUYER,)),
    Case("an offer that was taken back", "offered", SELLER, reinstate, ("order_status",), (BUYER,), cancelled),
    Case("an offer", "offered", SELLER, reinstate, ("order_status",), (BUYER,)),
    Case("once completed", "handed_over", SELLER, reinstate, ("order_status",), (BUYER,)),
    Case("until now", "accepted", SELLER, lasting(0), ("expiry_passed",), (BUYER,), cancelled),
    Case("for the longest time", "accepted", SELLER, lasting(60), (), (BUYER,), cancelled),
    Case("for longer", "accepted", SELLER, lasting(60.1), ("expiry_passed",), (BUYER,), cancelled),
    Case("another state of the car", "accepted", SELLER, lambda life: reinstate(life, material_root=bytes(32)),
         ("disclosure_stale",), (BUYER,), cancelled),
    Case("while another order has the car", "accepted", SELLER, reinstate, ("order_reserved",), (BUYER,), elsewhere),
    Case("while another listing has the car", "accepted", SELLER, reinstate, ("order_reserved",), (BUYER,),
         listed_anew),
    Case("once another holds the car", "accepted", SELLER, reinstate, ("not_the_holder",), (BUYER,), sold),
    Case("of none", "accepted", SELLER, lambda life: reinstate(life, order=bytes(32)), ("order_unknown",)),
)  # fmt: skip
def test_reinstate(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize("end", [cancelled, lapsed])
def test_a_reinstated_order_runs_as_if_accepted_now(end) -> None:
    life = ordered(listed_ms=LONG)
    change(life.chain, ORDER, life.order, refused_at_ms=1, missed_at_ms=1)
    end(life)
    now = life.chain.now
    life.chain.do(BUYER, reinstate(life, 20), SELLER)
    order, market = order_of(life), market_of_car(life)
    assert ("accepted", "", 0, 0, now) == (
        order.status, order.cause, order.kept, order.ended_at_ms, order.accepted_at_ms,
    )  # fmt: skip
    assert (0, 0) == (order.refused_at_ms, order.missed_at_ms)
    assert (now + 20 * DAY_MS, now + 50 * DAY_MS) == (order.until_ms, order.hold_until_ms)
    assert ("reserved", life.order, life.listing) == (market.status, market.order, market.listing)
    assert "reserved" == life.chain.state(LISTING, life.listing).status
    check_invariants(life.chain.store)
    pay(life)
    assert [] == handing_over(life)


def test_a_listing_that_was_withdrawn_stays_so_when_its_order_is_reinstated() -> None:
    life = ordered()
    cancelled(life)
    life.chain.do(SELLER, ListingWithdraw(life.listing))
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert ("reserved", "withdrawn") == (market_of_car(life).status, life.chain.state(LISTING, life.listing).status)
    cancelled(life)
    assert "off" == market_of_car(life).status
    assert "withdrawn" == life.chain.state(LISTING, life.listing).status


def test_the_buyer_whose_seller_defaulted_gets_the_car_before_the_lock_ends() -> None:
    life = at("paid")
    life.chain.do(SELLER, cancel(life, "seller_default"))
    assert ["relist_locked"] == codes_of(life, SELLER, listing(life.chain))
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert ("reserved", 0) == (market_of_car(life).status, market_of_car(life).locked_until_ms)
    assert [] == handing_over(life)


def test_money_that_came_late_counts_again_once_both_revive_the_order() -> None:
    life = at("paying")
    lapsed(life)
    life.chain.do(PROVIDER, attest(life.chain, life.payment))
    assert ["order_expired", "order_not_reserving"] == handing_over(life)
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert [] == handing_over(life)


def test_a_reinstated_order_reserves_the_car_in_payment_again() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    cancelled(life)
    change(life.chain, VEHICLE, SECOND, holder=address(OTHER))
    assert "not_the_holder" in codes_of(life, SELLER, reinstate(life), BUYER)
    change(life.chain, VEHICLE, SECOND, holder=address(BUYER))
    life.chain.do(SELLER, reinstate(life), BUYER)
    assert ("reserved", life.order) == (market_of_car(life, SECOND).status, market_of_car(life, SECOND).order)
