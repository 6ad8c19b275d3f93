"""Transition tables edge by edge, by real transactions: an edge leads where the table says, a non-edge nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import PRICE, VIN, Life, accident, attest, handover, listing, offer
from support.ordering import BUYER, OTHER, SELLER, counter, initiate
from support.specimens import PROVIDER, specimen
from support.stages import at, fork

from node.ledger.body import TransactionBody, Transitions
from node.ledger.guards import GuardsUnmet
from node.rules.rails import RAILS
from node.rules.rails import TRANSITIONS as RAIL_TRANSITIONS
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS
from node.txtypes.sale import listing as listings
from node.txtypes.sale import order as orders
from node.txtypes.sale.delivery import NEXT_STAGES
from node.txtypes.sale.listing import LISTING, AcceptedRail, ListingWithdraw
from node.txtypes.sale.order import ORDER, PAYMENT
from node.txtypes.sale.order_types import OrderAccept, OrderCancel, OrderReject

Signed = tuple[str, TransactionBody, tuple[str, ...]]
"""Sender, body, who signs besides."""


def edges(table: Transitions[Any]) -> list[tuple[str, str, str]]:
    """(status, type, following status)"""
    return [(status, tag, after) for status, step in table.steps.items() for tag, after in step.items()]


def sign(chain: Chain, made: Signed) -> bytes:
    sender, body, cosigners = made
    return chain.sign(sender, body, *cosigners)


def refused(chain: Chain, made: Signed) -> list[str]:
    """The unmet guards; the run that refused goes on as if nothing had been tried."""
    raw = sign(chain, made)
    clean, tried = chain.run(), chain.run()
    with pytest.raises(GuardsUnmet) as caught:
        tried.add(chain.check(raw))
    assert clean.finish() == tried.finish()
    return [guard.code for guard in caught.value.unmet]


# --- the tables themselves ------------------------------------------------------------------------------
TABLES: dict[str, Transitions] = {"order": orders.TRANSITIONS, "listing": listings.TRANSITIONS}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_types_that_there_are_and_reaches_every_status(name: str) -> None:
    table = TABLES[name]
    assert {tag for _, tag, _ in edges(table)} <= set(TYPES)
    first = next(iter(table.steps))
    reached, frontier = {first}, [first]
    while frontier:
        for after in table.steps[frontier.pop()].values():
            if after not in reached:
                reached.add(after)
                frontier.append(after)
    assert set(table.steps) == reached
    assert len(edges(table)) == sum(map(len, table.steps.values()))
    for status, tag, after in edges(table):
        assert status in table.before(tag) and after == table.after(status, tag)


def test_a_status_without_a_row_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="row"):
        Transitions({"a": {"x.y": "b"}})


# --- orders ---------------------------------------------------------------------------------------------
def _countered() -> Life:
    life = at("offered")
    life.chain.do(SELLER, counter(life))
    return life


def _ended_by(stage: str, sender: str, body: Callable[[bytes], TransactionBody]) -> Life:
    life = at(stage)
    life.chain.do(sender, body(life.order))
    return life


ORDERS: dict[str, Callable[[], Life]] = {
    "offered": lambda: at("offered"),
    "countered": _countered,
    "accepted": lambda: at("accepted"),
    "completed": lambda: at("handed_over"),
    "rejected": lambda: _ended_by("offered", SELLER, OrderReject),
    "cancelled": lambda: _ended_by("offered", BUYER, lambda order: OrderCancel(order, "other")),
}


def _answering(status: str) -> str:
    return BUYER if status == "countered" else SELLER


def _about_order(tag: str, status: str, life: Life) -> Signed:
    """What the right party would send; whatever the type needs besides is brought about before."""
    chain, order = life.chain, life.order
    match tag:
        case "order.counter":
            return SELLER, counter(life), ()
        case "order.accept":
            return _answering(status), OrderAccept(order), ()
        case "order.reject":
            return _answering(status), OrderReject(order), ()
        case "order.cancel":
            return BUYER, OrderCancel(order, "changed_mind"), ()
        case "order.acknowledge":
            chain.do("police-1", accident(chain, 170))
            return BUYER, specimen(tag, chain, {"order": order}), ()
        case "order.handover":
            if status == "accepted":
                payment = chain.do(BUYER, initiate(life))
                chain.do(PROVIDER, attest(payment))
            return SELLER, handover(chain, order), (BUYER,)
        case "payment.initiate":
            return BUYER, initiate(life), ()
        case "delivery.schedule" | "delivery.event":
            return SELLER, specimen(tag, chain, {"order": order}), ()
    raise AssertionError(f"no transaction for {tag}")


@pytest.mark.parametrize("tag", sorted({tag for _, tag, _ in edges(orders.TRANSITIONS)}))
@pytest.mark.parametrize("status", orders.TRANSITIONS.steps)
def test_orders(status: str, tag: str) -> None:
    life = ORDERS[status]()
    assert status == life.chain.state(ORDER, life.order).status
    made = _about_order(tag, status, life)
    before = life.chain.state(ORDER, life.order)
    after = orders.TRANSITIONS.steps[status].get(tag)
    if after is None:
        assert "order_status" == refused(life.chain, made)[0]
        assert before == life.chain.state(ORDER, life.order)
    else:
        life.chain.produce(sign(life.chain, made))
        assert after == life.chain.state(ORDER, life.order).status


# --- listings -------------------------------------------------------------------------------------------
def _two_offers() -> tuple[Life, bytes]:
    """A listing that two want; the life's order is the buyer's."""
    life = at("listed")
    other = life.chain.do(OTHER, offer(life.chain, life.listing))
    life.offered()
    return life, other


def _with_listing(status: str) -> tuple[Life, bytes]:
    life, other = _two_offers()
    if status == "withdrawn":
        life.chain.do(SELLER, ListingWithdraw(life.listing))
    elif status in ("reserved", "sold"):
        life.accepted()
        life.paying()
        if status == "sold":
            life.paid()
            life.handed_over()
    return life, other


def _about_listing(tag: str, status: str, life: Life, other: bytes) -> Signed:
    """`order.accept` is of the offer that was not accepted; the others are of the order that may have been."""
    chain = life.chain
    match tag:
        case "listing.update" | "listing.withdraw":
            return SELLER, specimen(tag, chain, {"listing": life.listing}), ()
        case "vehicle.total_loss":
            holder = BUYER if status == "sold" else SELLER
            return "insurer-1", specimen(tag, chain), (holder,)
        case "order.accept":
            return SELLER, OrderAccept(other), ()
        case "order.cancel":
            return BUYER, OrderCancel(life.order if status == "reserved" else other, "other"), ()
        case "order.handover":
            if status == "reserved":
                chain.do(PROVIDER, attest(life.payment))
            return SELLER, handover(chain, life.order), (BUYER,)
    raise AssertionError(f"no transaction for {tag}")


@pytest.mark.parametrize("tag", sorted({tag for _, tag, _ in edges(listings.TRANSITIONS)}))
@pytest.mark.parametrize("status", listings.TRANSITIONS.steps)
def test_listings(status: str, tag: str) -> None:
    life, other = _with_listing(status)
    chain = life.chain
    assert status == chain.state(LISTING, life.listing).status
    made = _about_listing(tag, status, life, other)
    if tag == "order.cancel" and status != "reserved":
        made = (OTHER, *made[1:])
    before = chain.state(LISTING, life.listing)
    after = listings.TRANSITIONS.steps[status].get(tag)
    if after is not None:
        chain.produce(sign(chain, made))
        assert after == chain.state(LISTING, life.listing).status
    elif tag in ("order.cancel", "vehicle.total_loss"):
        chain.produce(sign(chain, made))
        assert before == chain.state(LISTING, life.listing), "what does not concern the listing leaves it alone"
    else:
        status_guard = "order_status" if tag == "order.handover" else "listing_closed"
        assert status_guard in refused(chain, made)
        assert before == chain.state(LISTING, life.listing)


# --- steps of delivery and payment: tables of statuses ----------------------------------------------------
def path_to(wanted: str, first: str, following: dict[str, frozenset[str]]) -> list[str] | None:
    """The shortest way through a table; None where there is none."""
    ways: list[list[str]] = [[]]
    seen = {first}
    while ways:
        way = ways.pop(0)
        here = way[-1] if way else first
        if here == wanted:
            return way
        for after in sorted(following[here] - seen):
            seen.add(after)
            ways.append([*way, after])
    return None


def _delivery(life: Life, stage: str) -> Signed:
    ids = {"order": life.order}
    if stage == "scheduled":
        return SELLER, specimen("delivery.schedule", life.chain, ids), ()
    return SELLER, specimen("delivery.event", life.chain, ids, stage=stage), ()


@pytest.mark.parametrize("stage", NEXT_STAGES)
def test_deliveries(stage: str) -> None:
    way = path_to(stage, "", NEXT_STAGES)
    assert way is not None, "every stage can be reached"
    life = at("accepted")
    for step in way:
        life.chain.produce(sign(life.chain, _delivery(life, step)))
    assert stage == life.chain.state(ORDER, life.order).delivery_stage
    for after in ("scheduled", "picked_up", "in_transit", "arrived"):
        there = Life(fork(life.chain), life.listing, life.order)
        if after in NEXT_STAGES[stage]:
            there.chain.produce(sign(there.chain, _delivery(there, after)))
            assert after == there.chain.state(ORDER, there.order).delivery_stage
        else:
            assert ["delivery_order"] == refused(there.chain, _delivery(there, after))


@cache
def _paying_by(rail: str) -> Life:
    life = at("wholesale")
    chain = life.chain
    rails = (AcceptedRail(rail, (address(PROVIDER),)),)
    life.listing = chain.do(SELLER, listing(chain, VIN, rails=rails))
    life.order = chain.do(BUYER, offer(chain, life.listing, rail=rail))
    life.accepted()
    life.payment = chain.do(BUYER, initiate(life, rail=rail))
    return life


def _told(life: Life, statuses: Iterable[str]) -> Life:
    copy = Life(fork(life.chain), life.listing, life.order, life.payment)
    for status in statuses:
        copy.chain.do(PROVIDER, attest(life.payment, status))
    return copy


STATUSES = ("authorised", "captured", "pending", "settled", "failed", "returned", "charged_back", "refunded")


@pytest.mark.parametrize("rail", RAILS)
def test_payments(rail: str) -> None:
    following = RULESETS[1].tables.rail_transitions[rail]
    assert following == RAIL_TRANSITIONS[rail]
    reached = {status: way for status in following if (way := path_to(status, "initiated", following)) is not None}
    assert {"initiated", "settled"} <= reached.keys()
    for status, way in reached.items():
        life = _told(_paying_by(rail), way)
        before = life.chain.state(PAYMENT, life.payment)
        assert status == before.status
        for after in STATUSES:
            made: Signed = (PROVIDER, attest(life.payment, after), ())
            if after in following[status]:
                told = _told(life, (after,)).chain.state(PAYMENT, life.payment)
                assert (after, [*before.steps]) == (told.status, [*told.steps[:-1]])
            else:
                assert ["payment_transition"] == refused(life.chain, made)
        assert before == life.chain.state(PAYMENT, life.payment)


def test_a_payment_says_nothing_else_of_its_amount() -> None:
    """Of another amount no step is taken, whatever the table says."""
    life = _told(_paying_by("card"), ())
    wrong = attest(life.payment, "authorised", amount=replace(PRICE, amount=1))
    assert ["payment_amount"] == refused(life.chain, (PROVIDER, wrong, ()))
