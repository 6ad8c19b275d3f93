"""Attack: a refund that was instructed becomes a gift because the debt was paid meanwhile in another way."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.life import PRICE
from support.selling import (
    BUYER,
    SELLER,
    about_payment,
    cancel,
    claims,
    codes_of,
    euro,
    ordered,
    tell,
)

from node.txtypes.sale.claim_types import ClaimRelease

ALL = PRICE.amount


def test_who_releases_what_is_being_refunded_does_not_get_it_twice() -> None:
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    life.chain.do(SELLER, about_payment(life, "payment.refund", ALL))
    release = ClaimRelease(life.order, address(SELLER), euro(ALL))  # paid in cash, since the provider was slow
    if codes_of(life, BUYER, release):
        return  # it is told to confirm the payment's refund, which ends what the provider is told
    life.chain.do(BUYER, release)
    tell(life, "refunded", ALL)
    assert [(BUYER, SELLER, ALL, "price")] == claims(life)
