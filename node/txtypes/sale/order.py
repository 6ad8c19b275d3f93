"""Orders: the state of a sale between a seller and a buyer, its deadlines and its view.

Deadlines are lazy: an order past its time counts as expired for every guard and every answer. A reservation with money
under way does not lapse: see `vehicle.market_of`.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from node.codec import Value
from node.ledger.body import TransactionBody, Transitions, type_of
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Address, Contract, Hash32, Id, Money, OptionalHash, Rail, Time, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.rules.odometer import Verdict
from node.txtypes.members.member import name_of
from node.txtypes.sale.listing import LISTING, NOT_A_PARTY, status_now
from node.txtypes.sale.payments import PAYMENT, PaymentView, settled_amount
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, has_lasting_reservation

OrderStatus = Literal["offered", "countered", "accepted", "completed", "rejected", "cancelled"]
Stage = Literal["scheduled", "picked_up", "in_transit", "arrived"]

# fmt: off
ORDER_UNKNOWN = Guard("order_unknown", "there is no such order", "diesen Auftrag gibt es nicht", "订单不存在")
ORDER_STATUS = Guard("order_status", "the order is not in the right state",
                     "der Auftrag ist nicht im richtigen Zustand", "订单状态不符")
ORDER_EXPIRED = Guard("order_expired", "the order's deadline has passed", "die Frist des Auftrags ist vorbei",
                      "订单已过期")
NOT_YOUR_TURN = Guard("not_your_turn", "it is the other party who has to answer", "die andere Partei muss antworten",
                      "应由另一方答复", is_permission=True)
# fmt: on


class Order(Value, tag=1, frozen=True):
    """What a buyer offers for a version of a listing, and how far the sale has come."""

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
    """The odometer's verdict that the buyer has agreed to: when the order was accepted, or by acknowledging since."""
    title_record: OptionalHash


TRANSITIONS: Final[Transitions[OrderStatus]] = Transitions(
    {
        "offered": {
            "order.counter": "countered",
            "order.accept": "accepted",
            "order.reject": "rejected",
            "order.cancel": "cancelled",
        },
        "countered": {"order.accept": "accepted", "order.reject": "rejected", "order.cancel": "cancelled"},
        "accepted": {
            "order.acknowledge": "accepted",
            "order.cancel": "cancelled",
            "order.handover": "completed",
            "payment.initiate": "accepted",
            "delivery.schedule": "accepted",
            "delivery.event": "accepted",
        },
        "completed": {},
        "rejected": {},
        "cancelled": {},
    }
)


def is_live(order: Order | None, now_ms: int, *, is_lasting: bool = False) -> bool:
    """Offered, countered or accepted, and within its deadline, or, once accepted, with a reservation that
    `is_lasting`."""
    if order is None or not TRANSITIONS.steps[order.status]:
        return False
    return now_ms < order.expires_at_ms or (order.status == "accepted" and is_lasting)


def status_of(ident: bytes, order: Order, reader: Reader, now_ms: int) -> str:
    """The status as it counts now: `expired` past its deadline unless a reservation with money under way lasts,
    `fallen` where the listing has moved on without the offer."""
    if not TRANSITIONS.steps[order.status]:
        return order.status
    vehicle = reader.get(VEHICLE, order.vin)
    if not is_live(order, now_ms, is_lasting=has_lasting_reservation(vehicle, ident)):
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
            OrderView,
            order,
            id=bytes.fromhex(ident),
            status=status_of(bytes.fromhex(ident), order, reader, as_of.now_ms),
            seller_name=name_of(reader, order.seller),
            buyer_name=name_of(reader, order.buyer),
            payments=tuple(PaymentView.of(p.hex(), value, reader, as_of) for p, value in payments if value is not None),
            settled=replace(order.price, amount=settled),
            is_paid=settled == order.price.amount,
        )


ORDER = Family(
    "order",
    Order,
    ident=HASH_IDENT,
    indexes=(
        Index("vin", lambda order: (order.vin,), VIN_IDENT, description="VIN of the vehicle"),
        Index(
            "party", lambda order: sorted({order.seller.hex(), order.buyer.hex()}), ADDRESS_IDENT,
            description="seller or buyer",
        ),
    ),
    concerns=lambda ident, order: (
        f"order/{ident}", f"vehicle/{order.vin}", f"account/{order.seller.hex()}", f"account/{order.buyer.hex()}",
    ),
    event="order",
    status=lambda order: order.status,
    path="/v1/orders",
    view=OrderView,
)  # fmt: skip


# --- what every type about an order shares --------------------------------------------------------------------
class OrderBody(TransactionBody, frozen=True):
    """A transaction about an order."""

    order: Id

    def require_order(self, ledger: Ledger) -> Order | None:
        return require_order(ledger, self.order, type_of(self))


def require_order(ledger: Ledger, ident: bytes, tag: str) -> Order | None:
    """The order, None only where there is none; notes unless it is live and in a status in which `tag` may act."""
    order = ledger.get(ORDER, ident)
    if order is None:
        ledger.unmet(ORDER_UNKNOWN, ident.hex())
        return None
    if tag not in TRANSITIONS.steps[order.status]:
        ledger.unmet(ORDER_STATUS, ident.hex(), order.status, " or ".join(TRANSITIONS.before(tag)))
    elif not is_live(order, ledger.now_ms, is_lasting=is_lasting(ledger, ident, order)):
        need = f"after {time_to_text(ledger.now_ms)}"
        ledger.unmet(ORDER_EXPIRED, ident.hex(), time_to_text(order.expires_at_ms), need)
    return order


def is_lasting(ledger: Ledger, ident: bytes, order: Order) -> bool:
    return has_lasting_reservation(ledger.get(VEHICLE, order.vin), ident)


def agreed(order: Order, vehicle: Vehicle) -> Order:
    """The order whose buyer has agreed to what the vehicle is now."""
    return replace(order, agreed_changes=vehicle.material_changes, agreed_verdict=vehicle.verdict)


def check_party(ledger: Ledger, ident: bytes, order: Order) -> None:
    if ledger.sender not in (order.seller, order.buyer):
        ledger.unmet(NOT_A_PARTY, ident.hex())


def check_turn(ledger: Ledger, ident: bytes, order: Order) -> None:
    """Notes unless the sender is the party that has to answer: the buyer to a counter, the seller to an offer."""
    check_party(ledger, ident, order)
    answering = order.buyer if order.status == "countered" else order.seller
    if ledger.sender in (order.seller, order.buyer) and ledger.sender != answering:
        ledger.unmet(NOT_YOUR_TURN, ident.hex())
