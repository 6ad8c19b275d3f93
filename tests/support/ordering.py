"""Orders from the offer on: what seller and buyer say, and which guards do not hold for it."""

from __future__ import annotations

from node.txtypes.sale.order import ORDER
from support.life import Life, handover, offer
from support.stages import change

SELLER, BUYER, OTHER = "dealer-munich", "buyer-1", "bmw"


def countered(life: Life) -> None:
    raise NotImplementedError


def codes_of(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def handing_over(life: Life) -> list[str]:
    return codes_of(life, SELLER, handover(life.chain, life.order, 200), BUYER)


def refresh(life: Life) -> None:
    """The offer has seen everything up to now."""
    change(life.chain, ORDER, life.order, disclosure_root=offer(life.chain, life.listing).disclosure_root)


def offering(**changes):
    return lambda life: offer(life.chain, life.listing, **changes)
