"""Every course that a small deal can take is searched, not a sample of them.

The moves of buyer, seller and provider and the times at which something counts otherwise are few; from an accepted
order on, every order of them is played through the real execution until nothing new comes up. In each state that is
reached, no reservation outlives its hard end whatever anybody did or omitted, each party alone can end an order whose
time is over, and money that came is kept for nobody without a reason.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, attest, initiate
from support.ordering import BUYER, SELLER
from support.specimens import specimen
from support.stages import at, fork

from node.codec import encode
from node.ledger.body import TransactionBody
from node.ledger.guards import GuardsUnmet
from node.txtypes.disputes.order_dispute import PAUSE_MAX_MS
from node.txtypes.sale.order import ORDER, Order, debts_of, is_live
from node.txtypes.sale.payments import PAYMENT, Payment, net_of
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

PROVIDER = "payment-provider-1"
PAYMENTS = 1
Move = tuple[str, TransactionBody, tuple[str, ...]]


@dataclass
class Search:
    """The states seen, by what a guard or an answer can tell apart, and how often each move was taken."""

    seen: set[bytes] = field(default_factory=set)
    taken: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)


def parts(life: Life) -> tuple[Order, list[Payment]]:
    order = life.chain.state(ORDER, life.order)
    return order, [life.chain.state(PAYMENT, ident) for ident in order.payments]


def digest(life: Life) -> bytes:
    """Orders of events that lead to the same values are one state. Times count by their distance to now."""
    order, payments = parts(life)
    now = life.chain.now
    clocks = [t - now if t else 0 for t in (order.until_ms, order.hold_until_ms, order.money_until_ms)]
    days = [t // DAY_MS if t > 0 else -1 for t in clocks]
    counters = [
        [p.settled, p.returned, p.refunded, p.under_way, p.is_closed, bool(p.declared_at_ms), p.instructed]
        for p in payments
    ]
    market = market_of(life.chain.state(VEHICLE, VIN), now)
    told = [order.status, order.cause, order.kept, order.net, days, counters, market.status, bool(order.dispute)]
    return sha256(encode(told)).digest()


def moves(life: Life) -> Iterator[tuple[str, Move]]:
    order, payments = parts(life)
    ids = {"order": life.order}
    for who in (BUYER, SELLER):
        for reason in ("changed_mind", "buyer_default", "time_over", "seller_default", "vehicle_changed"):
            yield f"{who} {reason}", (who, specimen("order.cancel", life.chain, ids, reason=reason), ())
    for amount in (PRICE.amount, 1):
        if len(payments) < PAYMENTS:
            money = type(PRICE)(amount, "EUR")
            yield f"initiate {amount}", (BUYER, initiate(life.order, money), ())
    for ident, payment in zip(order.payments, payments, strict=True):
        paid = {"payment": ident}
        yield "declare", (BUYER, specimen("payment.declare", life.chain, paid), ())
        for kind in ("pending", "settled", "failed", "returned"):
            money = net_of(payment) if kind == "returned" else payment.amount.amount
            if money and payment.sequence < 2:
                told = attest(
                    life.chain, ident, kind, b"%s-%d" % (ident, payment.sequence), amount=type(PRICE)(money, "EUR")
                )
                yield kind, (PROVIDER, told, ())
        if net_of(payment):
            money = type(PRICE)(net_of(payment), "EUR")
            yield "confirm refund", (BUYER, specimen("payment.confirm_refund", life.chain, paid, amount=money), ())
    if not order.disputes:
        yield "dispute", (BUYER, specimen("order.dispute", life.chain, ids), ())
    if order.dispute:
        yield "close dispute", ("bmw", specimen("order.close", life.chain, {"order_dispute": order.dispute}), ())


def times(life: Life) -> list[int]:
    """The next moment at which something counts otherwise."""
    order, _ = parts(life)
    due = order.accepted_at_ms + order.terms.legs[0].due_ms + 3 * DAY_MS + 1
    known = [due, order.until_ms, order.hold_until_ms, order.money_until_ms]
    later = sorted(t for t in known if t > life.chain.now)
    return later[:1] or ([life.chain.now + PAUSE_MAX_MS] if order.dispute else [])


def check(life: Life, search: Search) -> None:
    order, payments = parts(life)
    now, market = life.chain.now, market_of(life.chain.state(VEHICLE, VIN), life.chain.now)
    is_reserving = market.status == "reserved" and market.order == life.order
    assert is_reserving == (order.status == "accepted" and is_live(order, now)), "order and car tell the same"
    assert not (is_reserving and now >= order.hold_until_ms), "no reservation outlives its hard end"
    assert order.hold_until_ms <= order.accepted_at_ms + order.terms.reserve_ms + 30 * DAY_MS + PAUSE_MAX_MS
    net = sum(map(net_of, payments))
    assert order.net == net >= 0
    owed = sum(d.amount.amount for d in debts_of(order, payments, now, 14 * DAY_MS))
    if order.status == "cancelled" or (order.status == "accepted" and not is_live(order, now)):
        assert owed == max(0, net - order.kept), "all that came is owed, but for what may be kept"
        search.ended[f"{order.status} {order.cause}"] += 1
    if is_reserving and now >= order.until_ms and not order.dispute:
        for who in (BUYER, SELLER):
            assert any(
                not life.chain.unmet(
                    life.chain.sign(who, specimen("order.cancel", life.chain, {"order": life.order}, reason=r))
                )
                for r in ("time_over", "seller_default")
            ), f"{who} alone can end an order whose time is over"


def search() -> Search:
    found, waiting = Search(), deque([at("accepted")])
    while waiting:
        life = waiting.popleft()
        key = digest(life)
        if key in found.seen:
            continue
        found.seen.add(key)
        check(life, found)
        for name, (sender, body, cosigners) in moves(life):
            after = Life(fork(life.chain), life.listing, life.order, life.payment)
            try:
                after.chain.do(sender, body, *cosigners)
            except GuardsUnmet:
                continue
            found.taken[name] += 1
            waiting.append(after)
        for now_ms in times(life):
            after = Life(fork(life.chain), life.listing, life.order, life.payment)
            after.chain.now = now_ms
            found.taken["time"] += 1
            waiting.append(after)
    return found


def test_every_course_of_a_small_deal() -> None:
    found = search()
    assert len(found.seen) > 200, len(found.seen)
    assert {"declare", "pending", "settled", "failed", "returned", "confirm refund", "dispute", "close dispute"} <= set(
        found.taken
    )
    assert {"accepted ", "cancelled changed_mind", "cancelled buyer_default", "cancelled time_over",
            "cancelled seller_default"} <= set(found.ended)  # fmt: skip
    assert address(SELLER) == at("accepted").chain.state(VEHICLE, VIN).holder
