"""Small deals whose every course is searched: how each begins, what everybody could do next, and what must hold.

The moves are those of buyer, seller, provider, lender, arbiters and anybody at all; the times are those at which
something counts otherwise. Each deal has few parts, so that its positions are a few thousand at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from node.ledger.fields import Money
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, PAUSE_MAX_MS, Decision
from node.txtypes.disputes.order_dispute_types import OrderResolve, OrderRespond
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.sale.accounts import debts_of
from node.txtypes.sale.order import Order, due_at_ms, is_live
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, Payment, net_of
from node.txtypes.vehicle.vehicle import VEHICLE, market_of
from support.chain import DAY_MS, address
from support.dealing import tax_of
from support.deals import accepting, acknowledging, handing, leg, parts, reinstating, with_car, with_credit
from support.life import PRICE, VIN, Life, attest, offer, register, terms, transfer
from support.paying import NAMES
from support.positions import At, Game, Move, Position, explore
from support.specimens import specimen
from support.stages import at

BUYER, SELLER, PROVIDER, BANK = "buyer-1", "dealer-munich", "payment-provider-1", "bank-1"
ARBITERS = ("arbiter-1", "arbiter-3", "arbiter-4")
GIVEN = "WBA8E9G50GNU12346"
HOLD_MS, GRACE_MS = 30 * DAY_MS, 3 * DAY_MS
HANDOVERS = ("completed", "withdrawn", "returned")


@dataclass(frozen=True)
class Deal:
    """`told`: what the provider attests; `others`: moves besides those of every deal."""

    name: str
    begin: Callable[[], Life]
    told: tuple[str, ...] = ("pending", "settled", "failed", "returned")
    reasons: tuple[str, ...] = ("changed_mind", "buyer_default", "time_over", "seller_default", "vehicle_changed")
    attestations: int = 2
    disputes: int = 0
    reinstatements: int = 0
    others: tuple[str, ...] = ()
    is_paid: bool = True
    """Whether anybody pays: money and disputes of one deal together have many thousand courses."""


# --- how they begin ---------------------------------------------------------------------------------------------
def accepted() -> Life:
    return at("accepted")


def with_trade_in() -> Life:
    """The buyer is a dealer and gives a car of its own."""
    life = at("listed")
    chain = life.chain
    chain.do("bmw", register(GIVEN))
    chain.do("bmw", transfer(chain, "dealer-shanghai", vin=GIVEN), "dealer-shanghai")
    agreed = with_car(terms(contract="business"), chain, GIVEN, 1_000_000, address(SELLER))
    return _agreed(life, "dealer-shanghai", agreed)


def financed() -> Life:
    life = at("listed")
    return _agreed(life, BUYER, with_credit(terms(contract="distance"), 1_000_000, takes_lien=True))


def to_be_built() -> Life:
    life = at("")
    chain = life.chain
    life.listing = chain.do("bmw", specimen("listing.build", chain))
    chain.do("bmw", register(VIN))
    price = PRICE.amount
    agreed = parts(leg(price // 10, kind="deposit", days=1), leg(price - price // 10, days=10), contract="distance",
                   tax=tax_of(PRICE, "bmw"))  # fmt: skip
    return _agreed(life, BUYER, agreed, "bmw")


def _agreed(life: Life, buyer: str, agreed: Any, seller: str = SELLER) -> Life:
    life.order = life.chain.do(buyer, offer(life.chain, life.listing, terms=agreed))
    life.chain.do(seller, accepting(life.chain, life.order))
    return life


# --- what everybody could do --------------------------------------------------------------------------------------
@dataclass
class Search:
    """`reached`: statuses and causes of the positions; `taken`: how often each move was possible."""

    deal: Deal
    positions: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        life = self.deal.begin()
        self.order, self.chain = life.order, life.chain
        self.first = life.chain.state(ORDER, self.order)
        self.buyer, self.seller = NAMES[self.first.buyer], NAMES[self.first.seller]

    def run(self) -> Search:
        game = Game(self.chain)
        for name in explore(game, self.moves, self.times, self.key, self.visit):
            self.taken[name] += 1
        return self

    def _parts(self, here: At) -> tuple[Order, list[tuple[bytes, Payment]]]:
        order = here.state(ORDER, self.order)
        return order, [(ident, here.state(PAYMENT, ident)) for ident in order.payments]

    def moves(self, here: At) -> Iterator[Move]:
        order, payments = self._parts(here)
        if order.status in HANDOVERS:
            return
        deal, ids = self.deal, {"order": self.order}
        for who, name in ((self.buyer, "buyer"), (self.seller, "seller")):
            for reason in deal.reasons:
                yield f"{name} {reason}", who, specimen("order.cancel", here, ids, reason=reason), ()
        for place, part in enumerate(order.terms.legs):
            if deal.is_paid and part.provider is not None and all(payment.leg != place for _, payment in payments):
                scheme = "credit" if part.rail == "finance" else "sct"
                body = PaymentInitiate(self.order, place, scheme, Money(part.amount, "EUR"))  # type: ignore[arg-type]
                yield "initiate", self.buyer, body, ()
        for ident, payment in payments:
            yield from self._paying(here, ident, payment)
        yield "handover", self.seller, handing(here, self.order, 200, 200), (self.buyer,)
        if order.disputes < deal.disputes and order.status == "accepted":
            for who in (self.buyer, self.seller):
                yield "dispute", who, specimen("order.dispute", here, ids), ()
        if order.dispute:
            yield from self._disputing(here, order.dispute)
        if deal.reinstatements and order.accepted_at_ms == self.first.accepted_at_ms:
            yield "reinstate", self.seller, reinstating(here, self.order), (self.buyer,)
        yield from self._others(here, order)

    def _paying(self, here: At, ident: bytes, payment: Payment) -> Iterator[Move]:
        yield "declare", self.buyer, specimen("payment.declare", here, {"payment": ident}), ()
        told = ("authorised", "settled", "failed") if payment.rail == "finance" else self.deal.told
        for kind in told if payment.sequence < self.deal.attestations else ():
            money = net_of(payment) if kind == "returned" else payment.amount.amount
            if money:
                entry = bytes([payment.sequence, payment.leg]) + here.position.number.to_bytes(4, "big")
                body = attest(here, ident, kind, entry, amount=Money(money, "EUR"))
                yield kind, NAMES[payment.provider], body, ()
        if net_of(payment):
            whose = BANK if payment.rail == "finance" else self.buyer
            body = specimen("payment.confirm_refund", here, {"payment": ident}, amount=Money(net_of(payment), "EUR"))
            yield "confirm refund", whose, body, ()

    def _disputing(self, here: At, ident: bytes) -> Iterator[Move]:
        dispute = here.state(ORDER_DISPUTE, ident)
        other = self.seller if dispute.opener == address(self.buyer) else self.buyer
        yield "respond", other, OrderRespond(ident, ()), ()
        voters = [who for who in ARBITERS if all(vote.arbiter != address(who) for vote in dispute.votes)]
        for decision in (Decision("resume", 0, ""), Decision("unwind", 0, "")):
            for who in voters[:1]:  # one after the other: they count alike
                yield f"vote {decision.action}", who, OrderResolve(ident, decision), ()
        yield "close dispute", "carrier-1", specimen("order.close", here, {"order_dispute": ident}), ()

    def _others(self, here: At, order: Order) -> Iterator[Move]:
        ids = {"order": self.order}
        for name in self.deal.others:
            match name:
                case "assign":
                    yield name, self.seller, specimen("order.assign_vin", here, ids, vin=VIN), ()
                case "acknowledge":
                    yield name, self.buyer, acknowledging(here, self.order), ()
                case "amend":
                    shorter = replace(order.terms, reserve_ms=20 * DAY_MS)
                    body = specimen("order.amend", here, ids, terms=shorter)
                    yield name, self.seller, body, (self.buyer,)
                case "schedule" if order.deliveries < 1:
                    window = dict(window_from_ms=here.now + DAY_MS, window_to_ms=here.now + 2 * DAY_MS, carrier=None)
                    yield name, self.seller, specimen("delivery.schedule", here, ids, site="", **window), ()
                case "confirm":
                    yield name, self.buyer, specimen("delivery.confirm", here, ids), ()
                case "arrive" | "no_show" if order.deliveries < 3:
                    stage = "arrived" if name == "arrive" else name
                    body = specimen("delivery.event", here, ids, stage=stage, site="", odometer=None)
                    yield name, self.seller, body, ()
                case "refuse":
                    yield name, self.buyer, specimen("delivery.refuse", here, ids), ()

    # --- times, and what tells positions apart ------------------------------------------------------------------------
    def _ends(self, here: At) -> list[int]:
        """Every time from which on something about the deal counts otherwise."""
        order, _ = self._parts(here)
        due = [due_at_ms(order, n) + GRACE_MS + 1 for n, part in enumerate(order.terms.legs) if part.provider]
        ends = [order.money_until_ms]
        if order.status == "accepted":
            ends += [*due, order.until_ms, order.hold_until_ms, order.window_to_ms + 1]
        if order.status == "accepted" and order.refused_at_ms:
            ends.append(order.refused_at_ms + 14 * DAY_MS + 1)
        if order.dispute:
            dispute = here.state(ORDER_DISPUTE, order.dispute)
            ends += [dispute.answer_by_ms, dispute.ends_at_ms]
        return [end for end in ends if end < here.now + 400 * DAY_MS]

    def times(self, here: At) -> list[int]:
        """The next of them."""
        is_over = here.state(ORDER, self.order).status in HANDOVERS
        return [] if is_over else sorted(end for end in self._ends(here) if end > here.now)[:1]

    def key(self, here: At) -> Any:
        """What a guard or an answer can tell apart. Times count by their distance, once they are past not at all."""
        order, payments = self._parts(here)
        money = [
            (p.leg, p.settled, p.returned, p.refunded, p.under_way, p.authorised, p.is_closed, bool(p.declared_at_ms),
             p.sequence, p.instructed)
            for _, p in payments
        ]  # fmt: skip
        dispute = here.state(ORDER_DISPUTE, order.dispute) if order.dispute else None
        votes = (
            (dispute.is_answered, dispute.opener, tuple(v.decision.action for v in dispute.votes)) if dispute else ()
        )
        cars = [market_of(here.state(VEHICLE, vin), here.now) for vin in self._cars(order)]
        markets = [(car.status, car.order == self.order, max(0, car.locked_until_ms - here.now)) for car in cars]
        ends = sorted({end - here.now for end in self._ends(here) if end > here.now})
        return (
            order.status, order.cause, order.kept, order.net, order.vin, is_live(order, here.now), order.disputes,
            bool(order.dispute), order.paused_ms, order.pausing_ms, order.delivery_stage, order.deliveries,
            order.is_window_confirmed, bool(order.missed_at_ms), bool(order.refused_at_ms), order.agreed_root,
            order.accepted_at_ms == self.first.accepted_at_ms, here.now >= order.until_ms, order.terms.reserve_ms,
            tuple(money), votes, tuple(markets), tuple(ends),
        )  # fmt: skip

    def _cars(self, order: Order) -> list[str]:
        traded = order.terms.trade_in
        return [vin for vin in (order.vin, traded.vin if traded is not None else "") if vin]

    # --- what must hold -----------------------------------------------------------------------------------------------
    def visit(self, here: At) -> None:
        self.positions += 1
        order, payments = self._parts(here)
        now, net = here.now, sum(net_of(payment) for _, payment in payments)
        self.reached[f"{order.status} {order.cause}".strip()] += 1
        assert order.net == net >= 0
        is_reserving = order.status == "accepted" and is_live(order, now)
        for vin in self._cars(order):
            market = market_of(here.state(VEHICLE, vin), now)
            assert is_reserving == (market.status == "reserved" and market.order == self.order), "both tell the same"
            self._check_end(here, order, vin, now)
        paid = sum(leg.amount for leg in order.terms.legs if leg.provider is not None)
        if order.status == "completed":
            assert net >= paid, "title moved for less than the price"
            return
        owed = sum(debt.amount.amount for debt in debts_of(order, [p for _, p in payments], now, 14 * DAY_MS))
        is_over = order.status == "cancelled" or (order.status == "accepted" and not is_reserving)
        lent = sum(net_of(payment) for _, payment in payments if payment.rail == "finance")
        kept = lent + max(0, net - lent - order.kept)
        assert owed == (kept if is_over else 0), "all that came is owed, but for what may be kept of the buyer's money"
        if is_reserving and now >= order.until_ms:
            self._check_way_out(here)

    def _check_end(self, here: At, order: Order, vin: str, now: int) -> None:
        """No reservation outlives its hard end, and none is for longer than both have agreed on."""
        market = here.state(VEHICLE, vin).market
        if market.order == self.order and market.status == "reserved":
            end = order.accepted_at_ms + order.terms.reserve_ms
            if order.accepted_at_ms != self.first.accepted_at_ms:
                end = order.accepted_at_ms + 20 * DAY_MS
            assert market.hold_until_ms <= max(end, order.until_ms) + HOLD_MS
            assert market_of(here.state(VEHICLE, vin), market.hold_until_ms).status != "reserved", "beyond its hard end"
            assert market.hold_until_ms <= end + PAUSE_MAX_MS + HOLD_MS, "longer than agreed and disputed"

    def _check_way_out(self, here: At) -> None:
        """Each party alone ends an order whose time is over, while it is disputed too."""
        for who, reasons in ((self.buyer, ("time_over",)), (self.seller, ("time_over", "seller_default"))):
            ways = [here.after(who, specimen("order.cancel", here, {"order": self.order}, reason=r)) for r in reasons]
            assert any(isinstance(way, Position) for way in ways), f"{who} cannot end it alone: {ways}"
            self.taken[f"{who} has a way out"] += 1


_OWN = ("changed_mind", "time_over", "seller_default")
DEALS = (
    Deal("a transfer that may come twice", accepted, attestations=3),
    Deal("disputed", accepted, told=("settled",), attestations=1, disputes=1, reasons=("time_over",)),
    Deal("reinstated", accepted, told=("settled", "returned"), reinstatements=1, reasons=_OWN),
    Deal("delivered", accepted, told=("settled",), attestations=1, reasons=("refused", *_OWN),
         others=("schedule", "confirm", "arrive", "no_show", "refuse")),
    Deal("with a car in payment", with_trade_in, told=("pending", "settled"), reinstatements=1, reasons=_OWN),
    Deal("with a car in payment, disputed", with_trade_in, disputes=1, reasons=_OWN, is_paid=False),
    Deal("with a car in payment, amended", with_trade_in, told=("settled",), attestations=1,
         reasons=("time_over",), others=("amend",)),
    Deal("financed", financed, told=("settled",), attestations=1,
         reasons=("time_over", "financing_failed")),
    Deal("to be built", to_be_built, told=("settled",), attestations=1, reasons=("time_over",),
         others=("assign", "acknowledge")),
    Deal("to be built, disputed", to_be_built, disputes=1, reasons=_OWN, is_paid=False,
         others=("assign", "acknowledge")),
)  # fmt: skip
