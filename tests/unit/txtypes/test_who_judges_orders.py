"""Nobody chooses who judges a dispute about an order."""

from __future__ import annotations

from support.chain import DAY_MS, address
from support.disputing import ARBITERS
from support.selling import BUYER, SELLER, answered, codes_of, ordered
from support.specimens import specimen
from support.stages import change

from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.members.member import MEMBER


def test_nobody_chooses_in_a_dispute_who_may_judge_it() -> None:
    """In an open dispute a seller names a carrier of the arbiters' group, and so chooses who may not judge it."""
    life = ordered(stage="paid", listed_ms=89 * DAY_MS)
    for name in ("carrier-1", *ARBITERS[:2]):
        change(life.chain, MEMBER, address(name), group="logistics")
    dispute = answered(life, BUYER, SELLER)
    vote = specimen("order.resolve", life.chain, dispute=dispute, decision=Decision("unwind", 0, ""))
    assert [] == codes_of(life, ARBITERS[0], vote)
    window = dict(window_from_ms=life.chain.now + DAY_MS, window_to_ms=life.chain.now + 2 * DAY_MS)
    names = specimen("delivery.schedule", life.chain, order=life.order, site="", carrier=address("carrier-1"), **window)
    if not codes_of(life, SELLER, names):
        life.chain.do(SELLER, names)
    assert [] == codes_of(life, ARBITERS[0], vote)
