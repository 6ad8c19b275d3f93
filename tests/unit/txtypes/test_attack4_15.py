"""Dead end: an order whose payment got another provider is never amended again."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import granted
from support.selling import BANK, BUYER, SELLER, amend, codes_of, order_of, ordered

from node.txtypes.payment.giving_back import PaymentReassign


def test_what_both_have_agreed_on_with_a_payment_stops_no_amendment() -> None:
    life = ordered(None, "paid", listed_ms=89 * DAY_MS)
    granted(life, BANK, "payment_provider")
    life.chain.do(BUYER, PaymentReassign(life.payment, address(BANK)), SELLER)
    agreed = replace(order_of(life).terms, cancel_fee=10_000)
    assert [] == codes_of(life, SELLER, amend(life, agreed), BUYER)
