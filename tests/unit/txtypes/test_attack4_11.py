"""Attack: a buyer revives an order after its day of delivery, and leaves at once free of its fee."""

from __future__ import annotations

from support.chain import DAY_MS
from support.life import PRICE, Life
from support.selling import BUYER, SELLER, after, cancel, codes_of, ordered, reinstate, terms


def test_a_delivery_that_was_late_before_a_reinstatement_is_no_reason_after_it() -> None:
    def agreed(life: Life):
        return terms(cancel_fee=PRICE.amount // 10, deliver_by_ms=life.chain.now + 10 * DAY_MS)

    life = ordered(terms_of=agreed, stage="paid", listed_ms=89 * DAY_MS)
    after(life, 11)
    life.chain.do(SELLER, cancel(life, "mutual"), BUYER)
    life.chain.do(SELLER, reinstate(life, 60), BUYER)
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "late_delivery"))
