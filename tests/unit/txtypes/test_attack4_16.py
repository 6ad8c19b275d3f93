"""An answer outside of its declared bounds: the final money of an order of which the buyer owes what was decided."""

from __future__ import annotations

from support.chain import DAY_MS
from support.selling import BUYER, SELLER, decide, ordered
from support.views import view_of

from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.order_family import ORDER


def test_final_money_of_an_order_is_never_below_zero_in_answers() -> None:
    life = ordered(None, listed_ms=89 * DAY_MS)
    decide(life, Decision("claim", 100, "buyer"), SELLER, BUYER)
    assert {"amount": "0", "currency": "EUR"} == view_of(life.chain, ORDER, life.order)["final"]
