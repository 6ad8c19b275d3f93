"""Transition tables edge by edge, by real transactions: an edge leads where the table says, a non-edge nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.chain import Chain
from support.example_stages import built_to_order, sold_at_a_distance
from support.life import PRICE, Life, accept, accident, attest, handover, initiate, offer
from support.life import terms as plain
from support.selling import (
    BUYER,
    OTHER,
    PROVIDER,
    SELLER,
    amend,
    cancel,
    claim_refund,
    counter,
    decide,
    order_of,
    pay,
    reinstate,
    reject,
)
from support.specimens import specimen
from support.stages import at, change, fork

from node.ledger.body import TransactionBody, Transitions
from node.ledger.guards import GuardsUnmet
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.registry import TYPES
from node.txtypes.sale import listing as listings
from node.txtypes.sale import order as orders
from node.txtypes.sale.delivery import NEXT_STAGES
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingWithdraw
from node.txtypes.sale.order_family import ORDER

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


def _cancelled() -> Life:
    """An order that was accepted and paid, so that there is something to give back."""
    life = at("paid")
    life.chain.do(BUYER, cancel(life))
    return life


def _rejected() -> Life:
    life = at("offered")
    life.chain.do(SELLER, reject(life))
    return life


def _completed() -> Life:
    """By a distance contract, so that the buyer can withdraw."""
    life = at("listed")
    sold_at_a_distance(life)
    return life


def _withdrawn() -> Life:
    life = _completed()
    life.chain.do(BUYER, specimen("order.withdraw", life.chain, {"order": life.order}))
    return life


def _returned() -> Life:
    life = _completed()
    back = specimen("order.return", life.chain, {"order": life.order}, event_at_ms=life.chain.now)
    life.chain.do(BUYER, back, SELLER)
    return life


ORDERS: dict[str, Callable[[], Life]] = {
    "offered": lambda: at("offered"),
    "countered": _countered,
    "accepted": lambda: at("accepted"),
    "completed": _completed,
    "withdrawn": _withdrawn,
    "returned": _returned,
    "rejected": _rejected,
    "cancelled": _cancelled,
}


def _answering(status: str) -> tuple[str, tuple[str, ...]]:
    """Whose turn it is, and the other one."""
    return (BUYER, (SELLER,)) if status == "countered" else (SELLER, (BUYER,))


def _scheduled(life: Life, status: str) -> None:
    """The delivery that a confirmation or a refusal is about."""
    if status == "accepted":
        life.chain.do(SELLER, specimen("delivery.schedule", life.chain, {"order": life.order}))


def _arrived(life: Life, status: str) -> None:
    if status == "accepted":
        life.chain.do(SELLER, specimen("delivery.event", life.chain, {"order": life.order}, stage="arrived"))


def _assigning(life: Life, status: str) -> Signed:
    """Only an order of a car that is built to order is given one."""
    if status == "accepted":
        other = at("")
        built_to_order(other)
        life.chain, life.listing, life.order = other.chain, other.listing, other.order
    return "bmw", specimen("order.assign_vin", life.chain, {"order": life.order}), ()


def _owed(life: Life, status: str) -> None:
    """A debt that is overdue, if the status can have one."""
    if status == "accepted":
        pay(life)
        life.chain.now = order_of(life).hold_until_ms
    if status in ("completed", "withdrawn"):
        life.chain.do(PROVIDER, attest(life.chain, life.payment, reference=b"again"))
    life.chain.now += 15 * 24 * 3_600_000


def _about_order(tag: str, status: str, life: Life) -> Signed:
    """What the right party would send; whatever the type needs besides is brought about before."""
    chain, order = life.chain, life.order
    sender, cosigners = _answering(status)
    ids = {"order": order}
    match tag:
        case "order.counter":
            return sender, counter(life), ()
        case "order.accept":
            return sender, accept(chain, order), cosigners
        case "order.reject":
            return sender, reject(life), ()
        case "order.cancel":
            return BUYER, cancel(life), ()
        case "order.acknowledge":
            chain.do("police-1", accident(chain, 170))
            return BUYER, specimen(tag, chain, ids), ()
        case "order.amend":
            return SELLER, amend(life, plain(cancel_fee=1)), (BUYER,)
        case "order.reinstate":
            if status == "accepted":
                chain.now = order_of(life).until_ms
            return SELLER, reinstate(life), (BUYER,)
        case "order.claim_refund":
            _owed(life, status)
            return BUYER, claim_refund(life), ()
        case "order.handover":
            if status == "accepted":
                pay(life)
            return SELLER, handover(chain, order), (BUYER,)
        case "payment.initiate":
            if status == "cancelled":  # once for the money that is there, once more for what is then owed
                for _ in range(2):
                    decide(life, Decision("claim", PRICE.amount, "buyer"), SELLER, BUYER)
                return BUYER, initiate(order, leg=255), ()
            if status == "returned":
                chain.do(PROVIDER, attest(chain, order_of(life).payments[0], "refunded", b"back"))
                decide(life, Decision("claim", PRICE.amount, "buyer"), SELLER, BUYER)
                return BUYER, initiate(order, leg=255), ()
            if status in ("completed", "withdrawn"):
                life.payment = life.payment or order_of(life).payments[0]
                chain.do(PROVIDER, attest(chain, life.payment, "returned", b"back"))
                return BUYER, initiate(order, leg=255), ()
            return BUYER, initiate(order), ()
        case "order.assign_vin":
            return _assigning(life, status)
        case "order.withdraw":
            return BUYER, specimen(tag, chain, ids), ()
        case "order.return":
            return BUYER, specimen(tag, chain, ids, event_at_ms=chain.now), (SELLER,)
        case "delivery.schedule" | "delivery.event":
            return SELLER, specimen(tag, chain, ids), ()
        case "delivery.confirm":
            _scheduled(life, status)
            return BUYER, specimen(tag, chain, ids), ()
        case "delivery.refuse":
            _arrived(life, status)
            return BUYER, specimen(tag, chain, ids), ()
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
        assert "order_status" in refused(life.chain, made)
        assert before == life.chain.state(ORDER, life.order)
    else:
        life.chain.produce(sign(life.chain, made))
        assert after == life.chain.state(ORDER, life.order).status


# --- listings -------------------------------------------------------------------------------------------
def _two_offers() -> tuple[Life, bytes]:
    """A listing that two want; the life's order is the buyer's."""
    life = at("listed")
    other = life.chain.do(OTHER, offer(life.chain, life.listing, terms=plain(contract="business")))
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
            return SELLER, accept(chain, other), ()
        case "order.cancel":
            if status == "reserved":
                return BUYER, cancel(life), ()
            return OTHER, cancel(life, order=other), ()
        case "order.handover":
            if status == "reserved":
                chain.do(PROVIDER, attest(chain, life.payment))
            return SELLER, handover(chain, life.order), (BUYER,)
        case "order.reinstate":
            if status == "open":
                life.accepted()
                chain.do(BUYER, cancel(life))
            return SELLER, reinstate(life), (BUYER,)
    raise AssertionError(f"no transaction for {tag}")


@pytest.mark.parametrize("tag", sorted({tag for _, tag, _ in edges(listings.TRANSITIONS)}))
@pytest.mark.parametrize("status", listings.TRANSITIONS.steps)
def test_listings(status: str, tag: str) -> None:
    life, other = _with_listing(status)
    chain = life.chain
    assert status == chain.state(LISTING, life.listing).status
    made = _about_listing(tag, status, life, other)
    before = chain.state(LISTING, life.listing)
    assert status == before.status
    after = listings.TRANSITIONS.steps[status].get(tag)
    if after is not None:
        chain.produce(sign(chain, made))
        assert after == chain.state(LISTING, life.listing).status
    elif tag in ("order.cancel", "vehicle.total_loss"):
        chain.produce(sign(chain, made))
        assert before == chain.state(LISTING, life.listing), "what does not concern the listing leaves it alone"
    else:
        status_guard = "order_status" if tag in ("order.handover", "order.reinstate") else "listing_closed"
        assert status_guard in refused(chain, made)
        assert before == chain.state(LISTING, life.listing)


# --- steps of delivery: a table of stages ----------------------------------------------------------------
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
    if stage == "no_show":
        missed = dict(is_window_confirmed=True, window_to_ms=life.chain.now - 1)
        change(life.chain, ORDER, life.order, **missed)
    return SELLER, specimen("delivery.event", life.chain, ids, stage=stage), ()


@pytest.mark.parametrize("stage", NEXT_STAGES)
def test_deliveries(stage: str) -> None:
    way = path_to(stage, "", NEXT_STAGES)
    assert way is not None, "every stage can be reached"
    life = at("accepted")
    for step in way:
        life.chain.produce(sign(life.chain, _delivery(life, step)))
    assert stage == life.chain.state(ORDER, life.order).delivery_stage
    for after in ("scheduled", "picked_up", "in_transit", "arrived", "no_show"):
        there = Life(fork(life.chain), life.listing, life.order)
        made = _delivery(there, after)
        if after in NEXT_STAGES[stage]:
            there.chain.produce(sign(there.chain, made))
            assert after == there.chain.state(ORDER, there.order).delivery_stage
        else:
            assert ["delivery_order"] == refused(there.chain, made)
