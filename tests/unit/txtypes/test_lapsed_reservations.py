"""Reservations that have lapsed: what is answered then, what writes it down, and what the audit compares."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS
from support.life import PRICE, Life, accept, accident, handover, listing, offer, transfer
from support.life import terms as plain
from support.selling import (
    BUYER,
    LONG,
    OTHER,
    SECOND,
    SELLER,
    after,
    cancel,
    codes_of,
    listing_of,
    market_answers,
    market_of_car,
    order_of,
    ordered,
    second_car,
    trading,
)
from support.specimens import specimen
from support.stages import at, change
from support.views import view_of

from node.audit.divergence import Diverged
from node.audit.invariants import check_invariants
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order import is_live, reserved_until_ms
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle import regions
from node.txtypes.vehicle.vehicle import VEHICLE

SHORT, ALL = 30 * DAY_MS, PRICE.amount
BUSINESS = dict(terms=plain(contract="business"))
RESERVED = ("reserved", "reserved", "accepted", False)


def update(life: Life, **changes):
    return specimen("listing.update", life.chain, {"listing": life.listing}, **changes)


# --- a reservation that has lapsed ------------------------------------------------------------------------------
def lapsed(listed_ms: int = LONG) -> Life:
    life = ordered(listed_ms=listed_ms)
    return after(life, at_ms=order_of(life).until_ms)


def test_a_lapsed_reservation_leaves_its_listing_open_while_that_runs() -> None:
    life = lapsed()
    expires = listing_of(life).expires_at_ms
    assert "reserved" == listing_of(life).status, "nothing scans"
    assert ("listed", "open", "expired", True) == market_answers(life)
    assert ["market_live"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    assert ["market_live"] == codes_of(life, SELLER, listing(life.chain))
    assert [] == codes_of(life, OTHER, offer(life.chain, life.listing, **BUSINESS))
    assert [] == codes_of(life, SELLER, update(life))
    assert [] == codes_of(life, SELLER, ListingWithdraw(life.listing))
    after(life, at_ms=expires)
    assert ("off", "expired", "expired", False) == market_answers(life)
    assert ["listing_closed"] == codes_of(life, SELLER, ListingWithdraw(life.listing))
    assert [] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)


def test_what_touches_a_lapsed_reservation_writes_it_down() -> None:
    life = lapsed()
    body = update(life)
    life.chain.do(SELLER, body)
    assert "open" == listing_of(life).status
    assert regions.listed_market(life.listing, body.expires_at_ms) == market_of_car(life)


def test_a_new_listing_ends_the_one_whose_reservation_lapsed() -> None:
    life = lapsed(SHORT)
    life.chain.do("workshop-berlin", accident(life.chain, 155))
    life.chain.do(SELLER, listing(life.chain))
    assert ("listed", "expired", "expired", False) == market_answers(life)
    assert ["listing_closed"] == codes_of(life, SELLER, update(life))


def test_offers_on_a_listing_that_is_open_again_have_not_fallen() -> None:
    life = lapsed()
    life.order = life.chain.do(OTHER, offer(life.chain, life.listing, **BUSINESS))
    assert ("listed", "open", "offered", True) == market_answers(life)
    life.chain.do(SELLER, accept(life.chain, life.order))
    assert RESERVED == market_answers(life)


def test_the_car_in_payment_is_free_when_the_reservation_lapses() -> None:
    life = ordered(None, before=second_car, terms_of=trading)
    life.chain.now = order_of(life).until_ms - 1
    assert ["market_live"] == codes_of(life, BUYER, listing(life.chain, SECOND))
    after(life, at_ms=order_of(life).until_ms)
    assert "off" == view_of(life.chain, VEHICLE, SECOND)["market"]["status"]
    check_invariants(life.chain.store)


# --- deadlines --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "until", "live"),
    [
        ("offered", 11, True),
        ("countered", 11, True),
        ("accepted", 11, True),
        ("accepted", 10, False),
        ("offered", 10, False),
        ("countered", 10, False),
        ("completed", 11, False),
        ("rejected", 11, False),
        ("cancelled", 11, False),
    ],
)
def test_is_live(status: str, until: int, live: bool) -> None:
    order = replace(order_of(at("offered")), status=status, expires_at_ms=until, until_ms=until, hold_until_ms=20)
    assert live == is_live(order, 10)
    # money keeps a reservation, never an offer
    assert (live or status == "accepted") == is_live(replace(order, net=1), 10)
    assert not is_live(replace(order, net=1), 20)


@pytest.mark.parametrize(
    ("stage", "sender", "body", "cosigners"),
    [
        ("accepted", BUYER, cancel, ()),
        ("accepted", SELLER, lambda life: specimen("delivery.event", life.chain, order=life.order), ()),
        ("accepted", SELLER, lambda life: specimen("delivery.schedule", life.chain, order=life.order), ()),
        ("paid", SELLER, lambda life: handover(life.chain, life.order), (BUYER,)),
    ],
)
def test_an_order_past_its_reservation_is_expired(stage: str, sender: str, body, cosigners) -> None:
    life = at(stage)
    end = reserved_until_ms(order_of(life))
    life.chain.now = end - 1
    assert [] == codes_of(life, sender, body(life), *cosigners)
    life.chain.now = end
    assert "order_expired" == codes_of(life, sender, body(life), *cosigners)[0]
    assert "accepted" == order_of(life).status


# --- the audit --------------------------------------------------------------------------------------------------
def test_the_audit_compares_the_order_with_its_payments_and_the_market_with_the_order() -> None:
    life = at("paid")
    check_invariants(life.chain.store)
    change(life.chain, ORDER, life.order, net=ALL - 1)
    with pytest.raises(Diverged, match="differ on what has come"):
        check_invariants(life.chain.store)
    life = at("paid")
    change(life.chain, ORDER, life.order, status="cancelled")
    with pytest.raises(Diverged, match="reserved by no live order"):
        check_invariants(life.chain.store)
