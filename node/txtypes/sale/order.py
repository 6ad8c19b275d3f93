"""Orders as state: the deal between a seller and a buyer, its deadlines, its money.

Deadlines are lazy. An accepted order reserves the car until its time is over, and with money under way a limited time
longer. Money that is there afterwards is a debt to give back; it locks no car.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.body import Transitions
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, View, extended
from node.ledger.fields import Address, Amount, Code, Hash32, Id, Money, OptionalHash, OptionalTime, OptionalVin, Time
from node.ledger.overlay import Ledger
from node.ledger.params import CHAIN, PARAMS_ID
from node.limits import TIME_MAX_MS
from node.rules.deals import CancelReason
from node.rules.odometer import Verdict, is_worse
from node.txtypes.members.member import name_of
from node.txtypes.sale.deal import CLAIM_LEG, Terms, in_money, vins_of_deal
from node.txtypes.sale.listing import LISTING, status_now
from node.txtypes.sale.payments import (
    PAYMENT,
    Payment,
    PaymentView,
    final_of,
    money_until_ms,
    net_of,
    paid_of,
    payments_of,
)
from node.txtypes.vehicle.odometer import newest_distance
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, material_root, verdict_now

OrderStatus = Literal[
    "offered", "countered", "accepted", "completed", "withdrawn", "returned", "rejected", "cancelled"
]  # fmt: skip
Stage = Literal["scheduled", "picked_up", "in_transit", "arrived", "no_show"]

OPTIONS_MAX: Final = 16
AGREED_DISTANCE_METRES: Final = 1_000_000
"""How far others may read that a sold car was driven, before its handover, without the buyer's agreement: test drives
and transport."""


class Order(Value, tag=1, frozen=True):
    """A buyer's offer for a version of a listing, and the progress of the deal; at most 4 KiB. `turn`: who has to
    answer the newest terms, empty once they are agreed on. `agent` acts for the seller under `mandate`. `vin` is empty
    while a car that is built to order has none; `options`: what it is built with."""

    listing: Id
    listing_version: int
    vin: OptionalVin
    options: Annotated[tuple[Code, ...], Meta(max_length=OPTIONS_MAX)]
    seller: Address
    agent: Address | None
    mandate: Id | None
    buyer: Address
    terms: Terms
    round: int
    turn: Literal["seller", "buyer", ""]
    disclosure_root: Hash32
    agreed_root: Hash32
    """The car's material root that the buyer has agreed to: by the offer, by signing the acceptance, or by
    acknowledging since."""
    agreed_verdict: Verdict
    agreed_metres: int
    """How far the car had gone by the newest counted reading at that time, over all its instruments."""
    expires_at_ms: Time
    """The end of the offer."""
    status: OrderStatus
    cause: Literal[""] | CancelReason = ""
    accepted_at_ms: OptionalTime = 0
    due_from_ms: OptionalTime = 0
    """From when the due times of the price's parts count: from the acceptance on, for a car that is built to order from
    the buyer's agreement to the built one."""
    until_ms: OptionalTime = 0
    """The end of the reservation."""
    hold_until_ms: OptionalTime = 0
    """The hard end of the reservation, however much money is there."""
    ended_at_ms: OptionalTime = 0
    """When the order was completed or cancelled."""
    kept: Amount = 0
    """What the seller keeps of an order that was cancelled."""
    net: Amount = 0
    """What has come and not gone back."""
    money_until_ms: OptionalTime = 0
    """Until when money of the order counts as under way."""
    money_at_ms: OptionalTime = 0
    """When money last came; of an order that owes money already, when that came."""
    is_claimed: bool = False
    """Whether a creditor has claimed a refund that is overdue."""
    payments: Annotated[tuple[Id, ...], Meta(max_length=limits.PAYMENTS_PER_ORDER_MAX)] = ()
    carrier: Address | None = None
    """Who takes the car to the buyer, besides seller and agent."""
    deliveries: int = 0
    delivery_stage: Literal[""] | Stage = ""
    delivery_at_ms: OptionalTime = 0
    """The event time of the newest leg on the way; a schedule is none."""
    window_to_ms: OptionalTime = 0
    is_window_confirmed: bool = False
    missed_at_ms: OptionalTime = 0
    """When the buyer missed a window that it had confirmed."""
    refused_at_ms: OptionalTime = 0
    """When the buyer refused the car at the door."""
    dispute: OptionalHash = b""
    """The dispute that is open."""
    disputes: int = 0
    paused_ms: Annotated[int, Meta(ge=0)] = 0
    """By how much disputes that are closed have put off the deadlines since the order was accepted or reinstated."""
    pausing_ms: Annotated[int, Meta(ge=0)] = 0
    """By how much the open dispute puts them off; what it does not use up is taken back when it is closed."""
    withdraw_until_ms: OptionalTime = 0
    """Until when the buyer can withdraw from a completed distance contract, 0 for not at all."""
    return_by_ms: OptionalTime = 0
    """Until when a buyer who has withdrawn has to bring the car back."""
    handed_over_metres: Annotated[int, Meta(ge=0)] = 0
    """How far the car had gone at the handover."""
    title_record: OptionalHash = b""

    @property
    def price(self) -> Money:
        return self.terms.price

    def is_agreed(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the buyer has agreed to the present state of the vehicle, but for a distance that a test drive or a
        transport explains."""
        now = self.agreed_to(ledger, vehicle)
        is_near = abs(now.agreed_metres - self.agreed_metres) <= AGREED_DISTANCE_METRES
        is_known = not is_worse(now.agreed_verdict, self.agreed_verdict)
        return is_near and is_known and now.agreed_root == self.agreed_root

    def agreed_text(self) -> str:
        """What the buyer has agreed to, for a reader."""
        return f"{self.agreed_root.hex()}, {self.agreed_metres // 1_000} km, {self.agreed_verdict}"

    def agreed_to(self, ledger: Ledger, vehicle: Vehicle) -> Order:
        """The order whose buyer has agreed to the present state of the vehicle."""
        return replace(
            self, agreed_root=material_root(self.vin, vehicle),
            agreed_verdict=verdict_now(ledger, self.vin, vehicle, ledger.rules),
            agreed_metres=newest_distance(ledger, self.vin),
        )  # fmt: skip


TRANSITIONS: Final[Transitions[OrderStatus]] = Transitions({
    "offered": {
        "order.counter": "countered", "order.accept": "accepted", "order.reject": "rejected",
        "order.cancel": "cancelled",
    },
    "countered": {
        "order.counter": "countered", "order.accept": "accepted", "order.reject": "rejected",
        "order.cancel": "cancelled",
    },
    "accepted": {
        "order.acknowledge": "accepted", "order.amend": "accepted", "order.assign_vin": "accepted",
        "order.cancel": "cancelled", "order.handover": "completed", "order.reinstate": "accepted",
        "order.claim_refund": "accepted", "payment.initiate": "accepted", "delivery.schedule": "accepted",
        "delivery.confirm": "accepted", "delivery.event": "accepted", "delivery.refuse": "accepted",
    },
    "completed": {
        "order.claim_refund": "completed", "payment.initiate": "completed", "order.withdraw": "withdrawn",
        "order.return": "returned",
    },
    "withdrawn": {
        "order.claim_refund": "withdrawn", "order.return": "returned", "payment.initiate": "withdrawn",
    },
    "returned": {"order.claim_refund": "returned", "payment.initiate": "returned"},
    "rejected": {},
    "cancelled": {"order.reinstate": "accepted", "order.claim_refund": "cancelled"},
})  # fmt: skip


HANDED_OVER: Final = ("completed", "withdrawn")
"""Statuses in which the buyer has the car, and the seller the price."""


# --- deadlines ------------------------------------------------------------------------------------------------
def reserved_until_ms(order: Order) -> int:
    """When an accepted order stops reserving its cars: at its deadline, with money at the latest at its hard end."""
    money = order.hold_until_ms if order.net else min(order.money_until_ms, order.hold_until_ms)
    return max(order.until_ms, money)


def is_live(order: Order, now_ms: int) -> bool:
    """Whether the order is an offer within its deadline, or reserves its cars."""
    match order.status:
        case "offered" | "countered":
            return now_ms < order.expires_at_ms
        case "accepted":
            return now_ms < reserved_until_ms(order)
    return False


def ended_ms(order: Order) -> int:
    """When an order ended that is completed, cancelled or past its reservation."""
    return order.ended_at_ms or reserved_until_ms(order)


def status_of(order: Order, reader: Reader, now_ms: int) -> str:
    """The status as it counts now. `expired`: past its deadline; `fallen`: the listing has moved on without the offer;
    `unwinding`: it ended without title, and there is money to give back; `unwound`: all of it went back."""
    if order.status in ("offered", "countered"):
        if not is_live(order, now_ms):
            return "expired"
        listing = reader.get(LISTING, order.listing)
        if listing is None or listing.version != order.listing_version:
            return "fallen"
        vehicle = reader.get(VEHICLE, order.vin) if order.vin else None
        return order.status if status_now(order.listing, listing, vehicle, now_ms) == "open" else "fallen"
    is_lapsed = order.status == "accepted" and not is_live(order, now_ms)
    if order.status == "cancelled" or is_lapsed:
        if now_ms < order.money_until_ms or debts_of(order, payments_of(reader, order.payments), now_ms, 0):
            return "unwinding"
        return "unwound" if order.money_at_ms else "expired" if is_lapsed else "cancelled"
    if order.status == "withdrawn" and now_ms >= order.return_by_ms and not order.dispute:
        return "completed"
    return order.status


def due_at_ms(order: Order, place: int) -> int:
    """When a part of the price is due; a deposit counts from the acceptance on, and disputes put it off. Far off where
    that is not fixed yet."""
    leg = order.terms.legs[place]
    base = order.accepted_at_ms if leg.kind == "deposit" else order.due_from_ms
    return base + leg.due_ms + order.paused_ms if base else TIME_MAX_MS


# --- money ----------------------------------------------------------------------------------------------------
def final_amount(order: Order, payments: Iterable[Payment], now_ms: int) -> int:
    """Minor units that count for the title now."""
    return sum(final_of(payment, now_ms) for payment in payments if payment.leg != CLAIM_LEG)


def is_paid_in_full(order: Order, payments: Iterable[Payment]) -> bool:
    """Whether the buyer has paid the price. The seller gets rid of no buyer by refunding it, all or a cent."""
    return sum(paid_of(payment) for payment in payments if payment.leg != CLAIM_LEG) >= in_money(order.terms)


def creditor_of(order: Order, payment: Payment) -> bytes:
    """Who gets the money of a payment back: the lender of a credit, else the buyer."""
    finance = order.terms.finance
    is_credit = payment.leg != CLAIM_LEG and payment.rail == "finance"
    return finance.lender if is_credit and finance is not None else order.buyer


def own_money(order: Order, payments: Iterable[Payment]) -> int:
    """Minor units that have come from the buyer itself, not from its lender."""
    return sum(net_of(p) for p in payments if p.leg != CLAIM_LEG and creditor_of(order, p) == order.buyer)


class Debt(View, frozen=True):
    """What the seller has to give back to one creditor, and by when."""

    creditor: Address
    amount: Money
    due_ms: Time


def debts_of(order: Order, payments: Iterable[Payment], now_ms: int, refund_ms: int) -> tuple[Debt, ...]:
    """What the seller has to give back: of an order that ended without title, or whose car came back, all but what it
    may keep; of a completed one what came beyond the price. What it keeps of an order without title is taken from the
    buyer's money alone; after a return, which the lender has signed, from the buyer's first."""
    nets: dict[bytes, int] = {}
    for payment in payments:
        if payment.leg != CLAIM_LEG:
            creditor = creditor_of(order, payment)
            nets[creditor] = nets.get(creditor, 0) + net_of(payment)
    if order.status in HANDED_OVER:
        kept = in_money(order.terms)
    elif order.status in ("cancelled", "returned") or (
        order.status == "accepted" and now_ms >= reserved_until_ms(order)
    ):
        kept = order.kept
    else:
        return ()
    due = max(ended_ms(order), order.money_at_ms) + refund_ms
    debts = []
    is_completed = order.status in HANDED_OVER
    # an excess is the buyer's, so a completed order keeps the lender's money first; a fee is the buyer's, too
    for creditor in sorted(nets, key=lambda account: (account == order.buyer) == is_completed):
        is_spared = order.status in ("cancelled", "accepted") and creditor != order.buyer
        taken = 0 if is_spared else min(kept, nets[creditor])
        kept -= taken
        if nets[creditor] > taken:
            debts.append(Debt(creditor, Money(nets[creditor] - taken, order.price.currency), due))
    return tuple(debts)


def with_money(order: Order, payments: Iterable[Payment], now_ms: int, *, has_come: bool = False) -> Order:
    """The order with what follows from its payments. `has_come`: money came just now."""
    paid = [payment for payment in payments if payment.leg != CLAIM_LEG]
    return replace(
        order, net=sum(map(net_of, paid)), money_until_ms=max(map(money_until_ms, paid), default=0),
        money_at_ms=now_ms if has_come else order.money_at_ms,
    )  # fmt: skip


# --- the view ---------------------------------------------------------------------------------------------------
class LegView(View, frozen=True):
    """A part of the price: when it is due, what has come and what is final."""

    due_ms: OptionalTime
    net: Amount
    final: Amount


class OrderView(Order, frozen=True):
    """An order as it counts now, with its payments. `settled`: what has come in money; `final`: what counts for the
    title; `debts`: what the seller has to give back."""

    id: Id = b""
    status: OrderStatus | Literal["expired", "fallen", "unwinding", "unwound"] = "offered"  # type: ignore[assignment]
    seller_name: str = ""
    buyer_name: str = ""
    payments: tuple[PaymentView, ...] = ()  # type: ignore[assignment]
    legs: tuple[LegView, ...] = ()
    settled: Money = Money(0, "EUR")
    final: Money = Money(0, "EUR")
    is_paid: bool = False
    debts: tuple[Debt, ...] = ()

    @staticmethod
    def of(ident: str, order: Order, reader: Reader, as_of: AsOf) -> OrderView:
        params = reader.get(CHAIN, PARAMS_ID)
        assert params is not None, "a state has chain parameters"
        found = [(payment, reader.get(PAYMENT, payment)) for payment in order.payments]
        given = [(ident, payment) for ident, payment in found if payment is not None]
        payments = [payment for _, payment in given]
        now, currency = as_of.now_ms, order.price.currency
        final = final_amount(order, payments, now)
        return extended(
            OrderView, order, id=bytes.fromhex(ident), status=status_of(order, reader, now),
            seller_name=name_of(reader, order.seller), buyer_name=name_of(reader, order.buyer),
            payments=tuple(PaymentView.of(p.hex(), value, reader, as_of) for p, value in given),
            legs=tuple(_leg_view(order, place, payments, now) for place in range(len(order.terms.legs))),
            settled=Money(max(0, order.net), currency), final=Money(final, currency),
            is_paid=final >= in_money(order.terms), debts=debts_of(order, payments, now, params.refund_ms),
        )  # fmt: skip


def _leg_view(order: Order, place: int, payments: list[Payment], now_ms: int) -> LegView:
    own, due = [payment for payment in payments if payment.leg == place], due_at_ms(order, place)
    final = sum(final_of(payment, now_ms) for payment in own)
    return LegView(due if due < TIME_MAX_MS else 0, sum(map(net_of, own)), final)


ORDER = Family(
    "order", Order, ident=HASH_IDENT,
    indexes=(
        Index("vin", lambda order: vins_of_deal(order.vin, order.terms), VIN_IDENT,
              description="VIN of a car of the deal"),
        Index("party", lambda order: sorted({a.hex() for a in parties_of(order)}), ADDRESS_IDENT,
              description="seller, agent, buyer or lender"),
    ),
    concerns=lambda ident, order: (
        f"order/{ident}", *(f"vehicle/{vin}" for vin in vins_of_deal(order.vin, order.terms)),
        *(f"account/{account.hex()}" for account in parties_of(order)),
    ),
    event="order", status=lambda order: order.status, path="/v1/orders", view=OrderView,
    internal=("id", "payments", "deliveries", "disclosure_root", "title_record"),
)  # fmt: skip


def parties_of(order: Order) -> tuple[bytes, ...]:
    """Seller, buyer, and where there are any the agent and the lender, each once."""
    finance = order.terms.finance
    found = (order.seller, order.buyer, order.agent, finance.lender if finance is not None else None)
    return tuple(dict.fromkeys(account for account in found if account is not None))
