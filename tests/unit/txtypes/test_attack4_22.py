"""Attack: who owes of an order opens one dispute after the other, until it is too late for the buyer."""

from __future__ import annotations

from support.chain import DAY_MS
from support.selling import AGENT, BUYER, codes_of, disputed, disputing, order_of
from support.specimens import specimen
from test_accounts_over_steps import agent_trade

from node.txtypes.disputes.order_dispute import OPENED_WITHIN_MS, ORDER_DISPUTE


def test_disputes_of_one_debtor_do_not_use_up_the_time_in_which_another_may_dispute() -> None:
    life = agent_trade()  # the taker has not paid for the car that it has taken
    last = order_of(life).ended_at_ms + OPENED_WITHIN_MS
    while life.chain.now <= last:
        dispute = disputed(life, AGENT, "other")
        assert ["order_dispute_past"] == codes_of(life, BUYER, disputing(life, "not_as_described"))
        life.chain.now = life.chain.state(ORDER_DISPUTE, dispute).ends_at_ms
        life.chain.do(AGENT, specimen("order.close", life.chain, dispute=dispute))
    assert life.chain.now < last + 28 * DAY_MS
    assert [] == codes_of(life, AGENT, disputing(life, "other")), "it goes on for as long as it does not pay"
    assert [] == codes_of(life, BUYER, disputing(life, "not_as_described"))
