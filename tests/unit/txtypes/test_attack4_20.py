"""Attack: a seller calls a buyer absent that has refused the car at the door, and leaves the order for it."""

from __future__ import annotations

from support.chain import DAY_MS
from support.selling import BUYER, SELLER, after, cancel, codes_of, order_of, ordered
from support.specimens import specimen


def test_who_has_refused_the_car_at_the_door_has_not_missed_the_window() -> None:
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    window = dict(window_from_ms=life.chain.now + DAY_MS, window_to_ms=life.chain.now + 2 * DAY_MS)
    life.chain.do(SELLER, specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=None, **window))
    life.chain.do(BUYER, specimen("delivery.confirm", life.chain, order=life.order, number=0))
    after(life, 1.5)

    def event(stage: str):
        plain = dict(order=life.order, stage=stage, site="", event_at_ms=life.chain.now)
        return specimen("delivery.event", life.chain, **plain)

    life.chain.do(SELLER, event("arrived"))
    life.chain.do(BUYER, specimen("delivery.refuse", life.chain, {"order": life.order}, reason="damage"))
    after(life, 1)
    if not codes_of(life, SELLER, event("no_show")):
        life.chain.do(SELLER, event("no_show"))
    after(life, at_ms=order_of(life).until_ms)
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over")), "it has paid in full, and was there"
