"""Orders from the offer on: what seller and buyer say, and which guards do not hold for it."""

from __future__ import annotations

from node.ledger.fields import Money
from node.txtypes.payment.payment import PaymentInitiate
from node.txtypes.sale.order import ORDER
from node.txtypes.sale.order_types import OrderAcknowledge, OrderCancel, OrderCounter
from node.txtypes.vehicle.vehicle import VEHICLE, material_root
from support.chain import DAY_MS
from support.life import PRICE, VIN, Life, handover, offer
from support.stages import change

SELLER, BUYER, OTHER = "dealer-munich", "buyer-1", "bmw"


def counter(life: Life, **changes) -> OrderCounter:
    fields = dict(order=life.order, price=Money(5_200_000, "EUR"), expires_at_ms=life.chain.now + DAY_MS)
    return OrderCounter(**fields | changes)


def cancel(life: Life) -> OrderCancel:
    return OrderCancel(life.order, "changed_mind")


def initiate(life: Life, **changes) -> PaymentInitiate:
    return PaymentInitiate(**dict(order=life.order, rail="bank_transfer", amount=PRICE) | changes)


def acknowledge(life: Life) -> OrderAcknowledge:
    """The buyer has seen the car as it is now."""
    return OrderAcknowledge(life.order, material_root(VIN, life.chain.state(VEHICLE, VIN)))


def countered(life: Life) -> None:
    life.chain.do(SELLER, counter(life))


def codes_of(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def handing_over(life: Life) -> list[str]:
    return codes_of(life, SELLER, handover(life.chain, life.order, 200), BUYER)


def refresh(life: Life) -> None:
    """The offer has seen everything up to now."""
    change(life.chain, ORDER, life.order, disclosure_root=offer(life.chain, life.listing).disclosure_root)


def offering(**changes):
    return lambda life: offer(life.chain, life.listing, **changes)
