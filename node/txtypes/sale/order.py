"""Orders and their payments as state: the sale between a seller and a buyer, its deadlines, its final money.

Deadlines are lazy: an order past its time counts as expired for every guard and every answer. A reservation with money
under way does not lapse: see `vehicle.market_of`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec.structs import replace

from node.codec import Value
from node.crypto.hashing import tagged
from node.ledger.body import TransactionBody, Transitions, type_of
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Address, Amount, Contract, Hash32, Id, Money, OptionalHash, OptionalTime, Rail, Time, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.ruleset import Ruleset
from node.rules.odometer import Verdict, is_worse
from node.rules.rails import Status
from node.txtypes.members.member import name_of
from node.txtypes.sale.listing import LISTING, NOT_A_PARTY, status_now
from node.txtypes.vehicle.odometer import newest_distance
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, verdict_now

NO_MONEY: Final = frozenset({"initiated", "failed", "returned", "charged_back", "refunded"})
"""Statuses in which no money is under way or settled."""
OrderStatus = Literal["offered", "countered", "accepted", "completed", "rejected", "cancelled"]
Stage = Literal["scheduled", "picked_up", "in_transit", "arrived"]

AGREED_DISTANCE_METRES: Final = 1_000_000
"""How far others may read that a sold car was driven, before its handover, without the buyer's agreement: test drives
and transport."""

ORDER_UNKNOWN = Guard("order_unknown", "there is no such order", "diesen Auftrag gibt es nicht", "订单不存在")
ORDER_STATUS = Guard("order_status", "the order is not in the right state",
                     "der Auftrag ist nicht im richtigen Zustand", "订单状态不符")  # fmt: skip
ORDER_EXPIRED = Guard("order_expired", "the order's deadline has passed", "die Frist des Auftrags ist vorbei",
                      "订单已过期")  # fmt: skip
NOT_YOUR_TURN = Guard("not_your_turn", "the other party must answer", "die andere Partei muss antworten",
                      "应由另一方答复", is_permission=True)  # fmt: skip


# --- payments ---------------------------------------------------------------------------------------------
class Step(Value, frozen=True):
    """A status and the block time at which it was attested."""

    status: Status
    at_ms: Time


class Payment(Value, tag=1, frozen=True):
    """One payment of an order."""

    order: Id
    payer: Address
    rail: Rail
    provider: Address
    amount: Money
    status: Status
    reference: OptionalHash
    settled: Amount
    refunded: Amount
    steps: tuple[Step, ...]


class ReferenceUse(Value, tag=1, frozen=True):
    """The payment that has consumed an external payment reference."""

    payment: Id


class PaymentView(Payment, frozen=True):
    """A payment; all its amounts are of one currency."""

    id: Id
    settled: Money  # type: ignore[assignment]
    refunded: Money  # type: ignore[assignment]
    is_final_for_title: bool

    @staticmethod
    def of(ident: str, payment: Payment, reader: Reader, as_of: AsOf) -> PaymentView:
        currency = payment.amount.currency
        return extended(
            PaymentView, payment, id=bytes.fromhex(ident), settled=Money(payment.settled, currency),
            refunded=Money(payment.refunded, currency), is_final_for_title=is_final(payment, as_of.rules),
        )  # fmt: skip


PAYMENT = Family(
    "payment", Payment, ident=HASH_IDENT,
    concerns=lambda ident, payment: (
        f"order/{payment.order.hex()}", f"account/{payment.payer.hex()}", f"account/{payment.provider.hex()}",
    ),
    event="payment", status=lambda payment: payment.status, path="/v1/payments", view=PaymentView,
    internal=("id", "steps"),
)  # fmt: skip
REFERENCE = Family("payment-reference", ReferenceUse, ident=HASH_IDENT)


def reference_id(rail: str, provider: bytes, reference: bytes) -> bytes:
    """`H("bmw/payment-ref", rail || 0x00 || provider || reference)`, see `rules.rails.REFERENCE_HIGH_ENTROPY`."""
    return tagged("bmw/payment-ref", rail.encode("ascii") + b"\x00" + provider + reference)


def payments_of(reader: Reader, idents: Iterable[bytes]) -> list[Payment]:
    return [payment for ident in idents if (payment := reader.get(PAYMENT, ident)) is not None]


def is_final(payment: Payment, rules: Ruleset) -> bool:
    """Whether the payment counts towards the price when title moves."""
    return payment.status in rules.tables.rails_final_for_title[payment.rail]


def settled_amount(reader: Reader, idents: Iterable[bytes], rules: Ruleset) -> int:
    """Minor units that are final for the title."""
    return sum(payment.amount.amount for payment in payments_of(reader, idents) if is_final(payment, rules))


def has_money(reader: Reader, idents: Iterable[bytes]) -> bool:
    """Whether any money is under way or settled."""
    return any(payment.status not in NO_MONEY for payment in payments_of(reader, idents))


# --- orders -----------------------------------------------------------------------------------------------
class Order(Value, tag=1, frozen=True):
    """A buyer's offer for a version of a listing, and the progress of the sale."""

    listing: Id
    listing_version: int
    vin: Vin
    seller: Address
    buyer: Address
    price: Money
    rail: Rail
    provider: Address
    contract: Contract
    disclosure_root: Hash32
    expires_at_ms: Time
    """Of the offer; from acceptance on, of the reservation, which outlives it while money is under way."""
    status: OrderStatus
    payments: tuple[Id, ...]
    deliveries: int
    delivery_stage: Literal[""] | Stage
    agreed_changes: int
    """The vehicle's `material_changes` that the buyer has agreed to."""
    agreed_verdict: Verdict
    """The odometer's verdict that the buyer has agreed to: by the offer, by accepting a counter-offer, or by
    acknowledging since."""
    agreed_metres: int
    """How far the car had gone by the newest counted reading at that time, over all its instruments."""
    accepted_at_ms: OptionalTime
    title_record: OptionalHash

    def is_agreed(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the buyer has agreed to the present state of the vehicle, but for a distance that a test drive or a
        transport explains."""
        now = self.agreed_to(ledger, vehicle)
        is_near = abs(now.agreed_metres - self.agreed_metres) <= AGREED_DISTANCE_METRES
        is_known = not is_worse(now.agreed_verdict, self.agreed_verdict)
        return is_near and is_known and now.agreed_changes == self.agreed_changes

    def agreed_text(self) -> str:
        """What the buyer has agreed to, for a reader."""
        return f"{self.agreed_changes} material changes, {self.agreed_metres // 1_000} km, {self.agreed_verdict}"

    def agreed_to(self, ledger: Ledger, vehicle: Vehicle) -> Order:
        """The order whose buyer has agreed to the present state of the vehicle."""
        return replace(
            self, agreed_changes=vehicle.material_changes,
            agreed_verdict=verdict_now(ledger, self.vin, vehicle, ledger.rules),
            agreed_metres=newest_distance(ledger, self.vin),
        )  # fmt: skip


TRANSITIONS: Final[Transitions[OrderStatus]] = Transitions({
    "offered": {
        "order.counter": "countered", "order.accept": "accepted", "order.reject": "rejected",
        "order.cancel": "cancelled",
    },
    "countered": {"order.accept": "accepted", "order.reject": "rejected", "order.cancel": "cancelled"},
    "accepted": {
        "order.acknowledge": "accepted", "order.cancel": "cancelled", "order.handover": "completed",
        "payment.initiate": "accepted", "delivery.schedule": "accepted", "delivery.event": "accepted",
    },
    "completed": {}, "rejected": {}, "cancelled": {},
})  # fmt: skip


def is_live(ident: bytes, order: Order, vehicle: Vehicle | None, now_ms: int) -> bool:
    """Whether the order is not final and within its deadline, or accepted with money under way or settled."""
    if not TRANSITIONS.steps[order.status]:
        return False
    is_kept = vehicle is not None and vehicle.market.order == ident and vehicle.market.holds_money
    return now_ms < order.expires_at_ms or (order.status == "accepted" and is_kept)


def status_of(ident: bytes, order: Order, reader: Reader, now_ms: int) -> str:
    """The status as it counts now: `expired` past its deadline unless a reservation with money under way lasts,
    `fallen` where the listing has moved on without the offer."""
    if not TRANSITIONS.steps[order.status]:
        return order.status
    vehicle = reader.get(VEHICLE, order.vin)
    if not is_live(ident, order, vehicle, now_ms):
        return "expired"
    if order.status == "accepted":
        return order.status
    listing = reader.get(LISTING, order.listing)
    if listing is None or listing.version != order.listing_version:
        return "fallen"
    return order.status if status_now(order.listing, listing, vehicle, now_ms) == "open" else "fallen"


class OrderView(Order, frozen=True):
    """An order as it counts now, with its payments. `settled`: the sum that is final for the title."""

    id: Id
    status: OrderStatus | Literal["expired", "fallen"]  # type: ignore[assignment]
    seller_name: str
    buyer_name: str
    payments: tuple[PaymentView, ...]  # type: ignore[assignment]
    settled: Money
    is_paid: bool

    @staticmethod
    def of(ident: str, order: Order, reader: Reader, as_of: AsOf) -> OrderView:
        payments = [(payment, reader.get(PAYMENT, payment)) for payment in order.payments]
        settled = settled_amount(reader, order.payments, as_of.rules)
        return extended(
            OrderView, order, id=bytes.fromhex(ident),
            status=status_of(bytes.fromhex(ident), order, reader, as_of.now_ms),
            seller_name=name_of(reader, order.seller), buyer_name=name_of(reader, order.buyer),
            payments=tuple(PaymentView.of(p.hex(), value, reader, as_of) for p, value in payments if value is not None),
            settled=replace(order.price, amount=settled), is_paid=settled == order.price.amount,
        )  # fmt: skip


ORDER = Family(
    "order", Order, ident=HASH_IDENT,
    indexes=(
        Index("vin", lambda order: (order.vin,), VIN_IDENT, description="VIN of the vehicle"),
        Index("party", lambda order: sorted({order.seller.hex(), order.buyer.hex()}), ADDRESS_IDENT,
              description="seller or buyer"),
    ),
    concerns=lambda ident, order: (
        f"order/{ident}", f"vehicle/{order.vin}", f"account/{order.seller.hex()}", f"account/{order.buyer.hex()}",
    ),
    event="order", status=lambda order: order.status, path="/v1/orders", view=OrderView,
    internal=("id", "payments", "deliveries", "disclosure_root", "title_record"),
)  # fmt: skip


# --- the base of the types --------------------------------------------------------------------------------
class OrderBody(TransactionBody, frozen=True):
    """A transaction about an order; `order_guards` are those of the type."""

    order: Id

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is not None:
            self.order_guards(ledger, order)

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")

    def require_order(self, ledger: Ledger) -> Order | None:
        """The order, None only where there is none. Notes unless it is live and its status permits the type."""
        order, subject = ledger.get(ORDER, self.order), self.order.hex()
        if order is None:
            ledger.unmet(ORDER_UNKNOWN, subject)
        elif (tag := type_of(self)) not in TRANSITIONS.steps[order.status]:
            ledger.unmet(ORDER_STATUS, subject, order.status, " or ".join(TRANSITIONS.before(tag)))
        elif not is_live(self.order, order, ledger.get(VEHICLE, order.vin), ledger.now_ms):
            need = f"after {time_to_text(ledger.now_ms)}"
            ledger.unmet(ORDER_EXPIRED, subject, time_to_text(order.expires_at_ms), need)
        return order

    def follow(self, ledger: Ledger, order: Order, **changed: Any) -> None:
        """Write the order, changed, in the status that follows."""
        status = TRANSITIONS.after(order.status, type_of(self))
        ledger.put(ORDER, self.order, replace(order, status=status, **changed))

    def check_party(self, ledger: Ledger, *parties: bytes) -> None:
        if ledger.sender not in parties:
            ledger.unmet(NOT_A_PARTY, self.order.hex())

    def check_turn(self, ledger: Ledger, order: Order) -> None:
        """Notes unless the sender must answer: the buyer to a counter-offer, the seller to an offer."""
        self.check_party(ledger, order.seller, order.buyer)
        waiting = order.seller if order.status == "countered" else order.buyer
        if ledger.sender == waiting:
            ledger.unmet(NOT_YOUR_TURN, self.order.hex())
