"""Orders as state: the deal between a seller and a buyer, its deadlines, its money.

Deadlines are lazy. An accepted order reserves the car until its time is over, and with money under way a limited time
longer. Money that is there afterwards is a debt to give back; it locks no car.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.body import Transitions
from node.ledger.fields import Address, Amount, Code, Hash32, Id, Money, OptionalHash, OptionalTime, OptionalVin, Time
from node.ledger.overlay import Ledger
from node.limits import TIME_MAX_MS
from node.rules.deals import CancelReason
from node.rules.odometer import Verdict, is_worse
from node.txtypes.sale.deal import Account, Terms
from node.txtypes.vehicle.odometer import newest_distance
from node.txtypes.vehicle.vehicle import Vehicle, material_root, verdict_now

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
    """What the seller keeps of an order that was cancelled, or whose car came back."""
    net: Amount = 0
    """What has come and not gone back."""
    money_until_ms: OptionalTime = 0
    """Until when money of the order counts as under way."""
    money_at_ms: OptionalTime = 0
    """When money last came."""
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
    taken: Amount = 0
    """How much of `kept` of a cancelled order the buyer's own money has covered: that stays due if it goes back."""
    lent: Amount = 0
    """What of the price the lender had paid at the handover, or promised."""
    given_back: Amount = 0
    """What had been refunded when the order was reinstated."""
    accounts: Annotated[tuple[Account, ...], Meta(max_length=3)] = ()
    """Of the buyer, of the lender, of the taker of a car in payment that is not the seller."""
    at_issue: Annotated[int, Meta(ge=-limits.MONEY_MAX, le=limits.MONEY_MAX)] = 0
    """What the seller has owed the party of the open dispute all the time since it was opened; below 0, the reverse."""
    issue_with: Address | None = None
    """The party whose account with the seller the open dispute is about."""
    openers: Annotated[tuple[Address, ...], Meta(max_length=16)] = ()
    """Who has opened disputes about the order, as often as that is counted."""

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
    "cancelled": {
        "order.reinstate": "accepted", "order.claim_refund": "cancelled", "payment.initiate": "cancelled",
    },
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


def due_at_ms(order: Order, place: int) -> int:
    """When a part of the price is due; a deposit counts from the acceptance on, and disputes put it off. Far off where
    that is not fixed yet."""
    leg = order.terms.legs[place]
    base = order.accepted_at_ms if leg.kind == "deposit" else order.due_from_ms
    return base + leg.due_ms + order.paused_ms if base else TIME_MAX_MS


def is_open(order: Order, now_ms: int) -> bool:
    """Whether the order goes on: its price is still to be paid, and money may still go back without being owed."""
    return order.status in ("offered", "countered", "rejected") or (
        order.status == "accepted" and now_ms < reserved_until_ms(order)
    )


def parties_of(order: Order) -> tuple[bytes, ...]:
    """Seller, buyer, and where there are any the agent and the lender, each once."""
    finance = order.terms.finance
    found = (order.seller, order.buyer, order.agent, finance.lender if finance is not None else None)
    return tuple(dict.fromkeys(account for account in found if account is not None))
