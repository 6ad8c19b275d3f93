"""Reservations: they end by time alone, with money later, at the latest at their hard end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, accept, accident, acknowledge, listing, offer, transfer
from support.life import terms as plain
from support.selling import (
    BUYER,
    LONG,
    OTHER,
    SELLER,
    about_payment,
    after,
    begin,
    cancel,
    codes_of,
    hand_over,
    handing_over,
    leg,
    market_answers,
    market_of_car,
    order_of,
    ordered,
    pay,
    payment_of,
    reinstate,
    tell,
    terms,
)
from support.specimens import specimen
from support.stages import at
from support.views import view_of

from node.audit.invariants import check_invariants
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order import is_live, reserved_until_ms
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import money_until_ms
from node.txtypes.vehicle import regions
from node.txtypes.vehicle.regions import OFF_MARKET, Market, market_at
from node.txtypes.vehicle.vehicle import VEHICLE

SHORT = 30 * DAY_MS
"""A listing that has expired when the reservation of 60 days ends."""
ALL = PRICE.amount
BUSINESS = dict(terms=plain(contract="business"))


def declare(life: Life) -> None:
    life.chain.do(BUYER, specimen("payment.declare", life.chain, {"payment": life.payment}))


def steps(*kinds: str) -> Callable[[Life], None]:
    def tell_all(life: Life) -> None:
        for kind in kinds:
            more = dict(until_ms=life.chain.now + 20 * DAY_MS) if kind == "authorised" else {}
            tell(life, kind, **more)

    return tell_all


PATHS: dict[str, tuple[str, Callable[[Life], None], float]] = {
    "initiated": ("bank_transfer", lambda life: None, 0),
    "declared": ("bank_transfer", declare, 7),
    "pending": ("bank_transfer", steps("pending"), 10),
    "authorised": ("card", steps("authorised"), 20),
    "captured": ("card", steps("authorised", "captured"), 10),
    "settled": ("bank_transfer", steps("settled"), 30),
    "failed": ("bank_transfer", steps("pending", "failed"), 0),
    "voided": ("card", steps("authorised", "voided"), 0),
    "returned": ("bank_transfer", steps("settled", "returned"), 0),
    "charged back": ("card", steps("authorised", "captured", "settled", "charged_back"), 0),
}
"""A payment on a rail and its steps; how many days money of it keeps a reservation that has reached its deadline. What
has settled keeps it until its hard end."""


def paying(name: str, listed_ms: int = SHORT, days: float = 59.9) -> Life:
    """An order whose payment takes its steps so many days after the acceptance."""
    rail, told, _ = PATHS[name]
    life = ordered(terms(leg(ALL, rail)), listed_ms=listed_ms)
    life.payment = begin(life)
    life.chain.now = order_of(life).accepted_at_ms + int(days * DAY_MS)
    told(life)
    return life


RESERVED = ("reserved", "reserved", "accepted", False)


def update(life: Life, **changes):
    return specimen("listing.update", life.chain, {"listing": life.listing}, **changes)


# --- money prolongs it, for a time ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", PATHS)
def test_a_reservation_ends_at_its_deadline_or_with_the_money_under_way(name: str) -> None:
    life = paying(name)
    order, told_at = order_of(life), life.chain.now - 1000
    end, days = reserved_until_ms(order), PATHS[name][2]
    if name == "settled":
        assert order.hold_until_ms == end == order.until_ms + 30 * DAY_MS
    else:
        assert bool(days) == bool(money_until_ms(payment_of(life)))
        assert abs(end - max(order.until_ms, told_at + days * DAY_MS)) <= 2000
    after(life, at_ms=end - 2)
    assert RESERVED == market_answers(life)
    assert ["listing_closed", "order_reserved"] == codes_of(life, OTHER, offer(life.chain, life.listing, **BUSINESS))
    assert ["listing_closed"] == codes_of(life, SELLER, ListingWithdraw(life.listing))
    assert ["market_live"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    check_invariants(life.chain.store)
    after(life, at_ms=end)
    vehicle, found, status, _ = market_answers(life)
    assert ("off", "expired") == (vehicle, found)
    came = name in ("settled", "returned", "charged back")
    assert ("unwinding" if name == "settled" else "unwound" if came else "expired") == status
    check_invariants(life.chain.store)
    assert "order_expired" in codes_of(life, BUYER, cancel(life))


def test_money_never_locks_a_car_beyond_the_hard_end() -> None:
    """Neither a cent nor a transfer that never arrives."""
    life = ordered(listed_ms=LONG)
    pay(life, 0, 1)
    life.payment = begin(life, 0, 1)
    end = order_of(life).hold_until_ms
    after(life, at_ms=end - DAY_MS)
    tell(life, "pending", 1)
    assert end == reserved_until_ms(order_of(life)) < money_until_ms(payment_of(life))
    after(life, at_ms=end)
    assert ("listed", "open", "unwinding", True) == market_answers(life)
    second = life.chain.do(OTHER, offer(life.chain, life.listing, **BUSINESS))
    life.chain.do(SELLER, accept(life.chain, second))
    assert second == market_of_car(life).order
    check_invariants(life.chain.store)


def test_a_car_that_is_paid_is_handed_over_after_the_deadline() -> None:
    life = paying("settled")
    life.chain.do("workshop-berlin", accident(life.chain, 155))
    after(life, at_ms=order_of(life).until_ms)
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    hand_over(life)
    vehicle, order = life.chain.state(VEHICLE, VIN), order_of(life)
    assert (address(BUYER), OFF_MARKET, "completed") == (vehicle.holder, vehicle.market, order.status)


def test_the_rest_can_be_paid_after_the_deadline() -> None:
    life = ordered(terms(leg(10), leg(ALL - 10)))
    pay(life, 0)
    after(life, at_ms=order_of(life).until_ms)
    pay(life, 1)
    assert [] == handing_over(life)


def test_money_that_goes_back_after_the_deadline_ends_the_reservation() -> None:
    life = paying("settled", LONG)
    after(life, at_ms=order_of(life).until_ms)
    assert RESERVED == market_answers(life)
    tell(life, "returned")
    assert ("listed", "open", "unwound", True) == market_answers(after(life))
    assert ["order_expired", "payment_not_final", "order_not_reserving"] == handing_over(life)
    second = life.chain.do(OTHER, offer(life.chain, life.listing, **BUSINESS))
    life.chain.do(SELLER, accept(life.chain, second))
    assert second == market_of_car(life).order


def test_money_that_goes_back_before_the_deadline_leaves_it_running() -> None:
    life = paying("returned")
    assert (0, 0) == (order_of(life).net, market_of_car(life).money_until_ms)
    assert RESERVED == market_answers(life)
    assert [] == codes_of(life, BUYER, cancel(life))


def test_all_the_money_has_to_be_back() -> None:
    half = ALL // 2
    life = ordered(terms(leg(half), leg(ALL - half)))
    pay(life, 0)
    second = begin(life, 1)
    after(life, at_ms=order_of(life).until_ms - DAY_MS)
    tell(life, "pending", payment=second)
    after(life, at_ms=order_of(life).until_ms)
    tell(life, "returned")
    assert RESERVED == market_answers(after(life))
    tell(life, "failed", payment=second)
    assert ("off", "expired", "unwound", False) == market_answers(after(life))


# --- the lock after a full payment ------------------------------------------------------------------------------
def test_a_car_that_was_paid_in_full_is_kept_for_its_buyer_for_two_weeks_after_the_end() -> None:
    """A seller who stalls gains no better offer by it."""
    life = ordered(listed_ms=LONG, stage="paid")
    order = order_of(life)
    assert order.hold_until_ms == reserved_until_ms(order)
    after(life, at_ms=order.hold_until_ms)
    unlocked = order.hold_until_ms + 14 * DAY_MS
    assert unlocked == market_at(market_of_car(life), life.chain.now).locked_until_ms
    for now in (order.hold_until_ms, unlocked - 1):
        life.chain.now = now
        assert ["listing_closed"] == codes_of(life, OTHER, offer(life.chain, life.listing, **BUSINESS))
        assert ["relist_locked"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
        assert ["relist_locked"] == [c for c in codes_of(life, SELLER, listing(life.chain)) if c != "odometer_stale"]
        assert [] == codes_of(life, SELLER, reinstate(life), BUYER)
    life.chain.now = unlocked
    assert [] == codes_of(life, OTHER, offer(life.chain, life.listing, **BUSINESS))
    check_invariants(after(life).chain.store)


def test_a_part_payment_locks_nothing() -> None:
    life = ordered(listed_ms=LONG)
    pay(life, 0, ALL - 1)
    assert 0 == market_of_car(life).lock_ms
    after(life, at_ms=order_of(life).hold_until_ms)
    assert ("listed", "open", "unwinding", True) == market_answers(life)


def test_the_lock_follows_the_money() -> None:
    life = at("paid")
    assert 14 * DAY_MS == market_of_car(life).lock_ms
    tell(life, "returned", 1)
    assert 0 == market_of_car(life).lock_ms


def test_the_region_counts_as_a_function_of_time_alone() -> None:
    base = Market("reserved", b"l" * 32, b"o" * 32, 10, 50, 30, 0, 0)
    for changes, now, expected in (
        ({}, 9, base),
        ({}, 10, regions.listed_market(base.listing, 50)),
        ({}, 50, OFF_MARKET),
        ({"money_until_ms": 20}, 19, replace(base, money_until_ms=20)),
        ({"money_until_ms": 20}, 20, regions.listed_market(base.listing, 50)),
        ({"money_until_ms": 99}, 30, regions.listed_market(base.listing, 50)),
        ({"money_until_ms": 30, "lock_ms": 5}, 34, Market("off", b"", base.order, 0, locked_until_ms=35)),
        ({"money_until_ms": 30, "lock_ms": 5}, 35, regions.listed_market(base.listing, 50)),
        ({"listed_until_ms": 0, "listing": b""}, 10, OFF_MARKET),
    ):
        assert expected == market_at(replace(base, **changes), now), (changes, now)


# --- money that comes late --------------------------------------------------------------------------------------
def another_order(life: Life) -> None:
    life.chain.do(SELLER, accept(life.chain, life.chain.do(OTHER, offer(life.chain, life.listing, **BUSINESS))))


MOVED_ON = {
    "nothing": lambda life: None,
    "a new version": lambda life: life.chain.do(SELLER, update(life)),
    "withdrawn": lambda life: life.chain.do(SELLER, ListingWithdraw(life.listing)),
    "another order": another_order,
}


@pytest.mark.parametrize("name", MOVED_ON)
def test_money_that_comes_late_takes_no_car_back_and_is_a_debt(name: str) -> None:
    life = paying("initiated", LONG)
    after(life, at_ms=order_of(life).until_ms)
    MOVED_ON[name](life)
    before = life.chain.state(VEHICLE, VIN)
    tell(life, "settled")
    assert before == life.chain.state(VEHICLE, VIN)
    assert "unwinding" == market_answers(after(life))[2]
    assert not is_live(order_of(life), life.chain.now)
    assert [ALL] == [int(debt["amount"]["amount"]) for debt in view_of(life.chain, ORDER, life.order)["debts"]]
    assert {"order_expired", "order_not_reserving"} <= set(handing_over(life))
    life.chain.do(BUYER, about_payment(life, "payment.confirm_refund", ALL))
    assert before == life.chain.state(VEHICLE, VIN)
    assert "unwound" == market_answers(after(life))[2]
    check_invariants(life.chain.store)


@pytest.mark.parametrize("name", ["declared", "pending", "settled"])
def test_nothing_that_happens_late_makes_the_order_live_again(name: str) -> None:
    life = paying("initiated", LONG)
    end = order_of(life).until_ms
    after(life, at_ms=end)
    PATHS[name][1](life)
    assert end == reserved_until_ms(order_of(life))
    assert ("listed", "open") == market_answers(after(life))[:2]


def test_money_that_comes_late_reserves_no_car_of_another_holder() -> None:
    life = paying("initiated")
    after(life, at_ms=order_of(life).until_ms)
    life.chain.do(SELLER, transfer(life.chain, "dealer-shanghai"), "dealer-shanghai")
    tell(life, "settled")
    assert ("off", "expired", "unwinding", False) == market_answers(after(life))
    assert [] == codes_of(life, "dealer-shanghai", listing(life.chain))
