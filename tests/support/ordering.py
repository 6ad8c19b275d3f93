"""Orders from the offer on: what seller and buyer say, and which guards do not hold for it."""

from __future__ import annotations

from node.ledger.fields import Money
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.sale.ending import OrderCancel
from node.txtypes.sale.negotiation import OrderCounter
from node.txtypes.sale.order_family import ORDER
from support.chain import DAY_MS
from support.life import Life, handover, offer, terms
from support.life import initiate as pay
from support.stages import change

SELLER, BUYER, OTHER = "dealer-munich", "buyer-1", "bmw"
LOWER = Money(5_200_000, "EUR")


def counter(life: Life, **changes) -> OrderCounter:
    """The answer to the newest terms: a lower price."""
    found = life.chain.state(ORDER, life.order)
    fields = dict(order=life.order, round=found.round if found else 0, terms=terms(LOWER))
    return OrderCounter(**fields | dict(expires_at_ms=life.chain.now + DAY_MS) | changes)


def cancel(life: Life, reason: str = "changed_mind", kept: int = 0) -> OrderCancel:
    return OrderCancel(life.order, reason, kept)


def initiate(life: Life, **changes) -> PaymentInitiate:
    return pay(life.order, **changes)


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
