"""Attack: a dispute of before a reinstatement keeps the car and puts off the price beyond what both have signed."""

from __future__ import annotations

from support.chain import DAY_MS
from support.selling import BUYER, SELLER, after, cancel, disputed, order_of, ordered, reinstate
from support.specimens import specimen


def test_a_dispute_puts_off_a_revived_order_by_what_it_lasts_since_then() -> None:
    life = ordered(None, listed_ms=89 * DAY_MS)
    dispute = disputed(life, BUYER, "other")
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    after(life, 61)
    life.chain.do(SELLER, reinstate(life, 20), BUYER)
    agreed = life.chain.now + 20 * DAY_MS
    life.chain.do("bmw", specimen("order.close", life.chain, dispute=dispute))
    assert order_of(life).paused_ms < DAY_MS
    assert order_of(life).until_ms < agreed + DAY_MS, "60 days longer than both have signed"
