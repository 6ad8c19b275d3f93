"""Disputes about orders: they pause deadlines and block the handover; arbiters decide on money, never on the title."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, address
from support.disputing import ARBITERS
from support.life import PRICE, VIN, Life, attest, handover, terms
from support.ordering import BUYER, SELLER, codes_of
from support.selling import claims, debts
from support.specimens import specimen
from support.stages import at

from node.rpc.moments import moment_of
from node.txtypes.disputes.order_dispute import ANSWER_MS, ORDER_DISPUTE, PAUSE_MAX_MS, Decision
from node.txtypes.members.conduct import CONDUCT
from node.txtypes.sale.order import is_live
from node.txtypes.sale.order_family import ORDER, status_of
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

RESUME, DISMISS = Decision("resume", 0, ""), Decision("dismiss", 0, "")


def order_of(life: Life):
    return life.chain.state(ORDER, life.order)


def opening(life: Life, **changes):
    return specimen("order.dispute", life.chain, {"order": life.order}, **changes)


def disputed(stage: str = "paid", by: str = BUYER) -> tuple[Life, bytes]:
    life = at(stage)
    return life, life.chain.do(by, opening(life))


def answer(life: Life, dispute: bytes):
    return specimen("order.respond", life.chain, {"order_dispute": dispute})


def vote(life: Life, dispute: bytes, decision: Decision):
    return specimen("order.resolve", life.chain, {"order_dispute": dispute}, decision=decision)


def closing(life: Life, dispute: bytes):
    return specimen("order.close", life.chain, {"order_dispute": dispute})


def decided(life: Life, dispute: bytes, *decisions: Decision) -> None:
    """The other party answers, arbiters vote, and what is not settled before is counted at the end."""
    opener = life.chain.state(ORDER_DISPUTE, dispute).opener
    life.chain.do(SELLER if opener == address(BUYER) else BUYER, answer(life, dispute))
    for arbiter, decision in zip(ARBITERS, decisions, strict=False):
        life.chain.do(arbiter, vote(life, dispute, decision))
    if not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms:
        life.chain.now = life.chain.state(ORDER_DISPUTE, dispute).ends_at_ms
        life.chain.do("bmw", closing(life, dispute))


def shown_status(life: Life) -> str:
    return status_of(order_of(life), moment_of(life.chain.store), life.chain.now)


def test_a_dispute_blocks_the_handover_until_it_is_closed() -> None:
    life, dispute = disputed()
    assert ["order_disputed"] == codes_of(life, SELLER, handover(life.chain, life.order), BUYER)
    decided(life, dispute, RESUME, RESUME, RESUME)
    assert [] == codes_of(life, SELLER, handover(life.chain, life.order), BUYER)


def test_the_deadlines_wait_for_as_long_as_it_lasts() -> None:
    life = at("paid")
    before = order_of(life)
    opened = life.chain.now
    dispute = life.chain.do(BUYER, opening(life))
    assert PAUSE_MAX_MS == order_of(life).until_ms - before.until_ms
    life.chain.now += 5 * DAY_MS
    decided(life, dispute, RESUME, RESUME, RESUME)
    after = order_of(life)
    lasted = (
        life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms - life.chain.state(ORDER_DISPUTE, dispute).opened_at_ms
    )
    assert opened <= life.chain.state(ORDER_DISPUTE, dispute).opened_at_ms
    assert (lasted, lasted) == (after.until_ms - before.until_ms, after.hold_until_ms - before.hold_until_ms)
    market = life.chain.state(VEHICLE, VIN).market
    assert (after.until_ms, after.hold_until_ms) == (market.until_ms, market.hold_until_ms)


def test_no_dispute_holds_a_car_longer_than_sixty_days_more() -> None:
    life = at("paid")
    hard_end = order_of(life).hold_until_ms
    life.chain.do(BUYER, opening(life))
    life.chain.now = hard_end + PAUSE_MAX_MS
    assert not is_live(order_of(life), life.chain.now)
    assert "reserved" != market_of(life.chain.state(VEHICLE, VIN), life.chain.now).status
    assert "unwinding" == shown_status(life)


def test_arbiters_unwind_and_leave_the_title() -> None:
    life, dispute = disputed()
    holder = life.chain.state(VEHICLE, VIN).holder
    kept = Decision("unwind", 50_000, "")
    decided(life, dispute, kept, kept, kept)
    order = order_of(life)
    assert ("cancelled", "decided", 50_000, "unwinding") == (order.status, order.cause, order.kept, shown_status(life))
    assert holder == life.chain.state(VEHICLE, VIN).holder
    assert "listed" == market_of(life.chain.state(VEHICLE, VIN), life.chain.now).status


def test_after_the_handover_arbiters_leave_a_debt_of_the_seller() -> None:
    life, dispute = disputed("handed_over")
    owed = Decision("claim", 1_000, "seller")
    decided(life, dispute, owed, owed, owed)
    assert ([], {BUYER: 1_000}) == (claims(life), debts(life))
    assert address(BUYER) == life.chain.state(VEHICLE, VIN).holder


def test_after_the_handover_arbiters_leave_a_claim_on_the_buyer() -> None:
    life, dispute = disputed("handed_over", SELLER)
    owed = Decision("claim", 1_000, "buyer")
    decided(life, dispute, owed, owed, owed)
    assert ([(BUYER, SELLER, 1_000, "price")], {}) == (claims(life), debts(life))
    assert address(BUYER) == life.chain.state(VEHICLE, VIN).holder


def test_votes_agree_in_all_their_fields_or_not_at_all() -> None:
    life, dispute = disputed()
    decided(life, dispute, Decision("unwind", 1, ""), Decision("unwind", 2, ""), Decision("unwind", 3, ""))
    assert (None, "accepted") == (life.chain.state(ORDER_DISPUTE, dispute).decision, order_of(life).status)


def test_an_unfounded_dispute_counts_against_its_opener() -> None:
    life, dispute = disputed()
    decided(life, dispute, DISMISS, DISMISS, DISMISS)
    assert 1 == sum(quarter.dismissed for quarter in life.chain.state(CONDUCT, address(BUYER)).quarters)


@pytest.mark.parametrize(("stage", "decision"), [
    ("paid", Decision("claim", 0, "seller")),
    ("paid", Decision("resume", 1, "")),
    ("paid", Decision("unwind", 1, "buyer")),
    ("handed_over", Decision("unwind", 0, "")),
])  # fmt: skip
def test_what_cannot_be_decided(stage: str, decision: Decision) -> None:
    life, dispute = disputed(stage)
    life.chain.do(SELLER, answer(life, dispute))
    assert ["decision_unfit"] == codes_of(life, ARBITERS[0], vote(life, dispute, decision))


def test_who_may_open_answer_and_vote() -> None:
    life = at("paid")
    assert ["not_a_party"] == codes_of(life, "workshop-berlin", opening(life))
    dispute = life.chain.do(BUYER, opening(life))
    assert ["order_dispute_past"] == codes_of(life, SELLER, opening(life))
    assert ["not_a_party"] == codes_of(life, BUYER, answer(life, dispute))
    assert ["votes_not_open"] == codes_of(life, ARBITERS[0], vote(life, dispute, RESUME))
    assert ["role_missing"] == codes_of(life, SELLER, vote(life, dispute, RESUME))[:1]
    life.chain.now += ANSWER_MS
    assert ["answer_past"] == codes_of(life, SELLER, answer(life, dispute))
    life.chain.do(ARBITERS[0], vote(life, dispute, RESUME))
    assert ["voted_before"] == codes_of(life, ARBITERS[0], vote(life, dispute, RESUME))
    assert ["votes_open"] == codes_of(life, "bmw", closing(life, dispute))


def test_an_order_is_disputed_three_times_and_in_time() -> None:
    life = at("handed_over")
    ended = order_of(life).ended_at_ms
    for _ in range(3):
        dispute = life.chain.do(BUYER, opening(life))
        decided(life, dispute, RESUME, RESUME, RESUME)
        assert ["order_dispute_closed"] == codes_of(life, "bmw", closing(life, dispute))
    assert ["order_dispute_past"] == codes_of(life, BUYER, opening(life))
    late = at("handed_over")
    late.chain.now = ended + 181 * DAY_MS
    assert ["order_dispute_past"] == codes_of(late, BUYER, opening(late))
    assert ["order_dispute_past"] == codes_of(at("offered"), BUYER, opening(at("offered")))


def test_a_dispute_that_is_unknown() -> None:
    life = at("paid")
    assert ["order_dispute_unknown"] == codes_of(life, "bmw", closing(life, bytes(32)))


def test_a_disputed_refund_is_not_overdue() -> None:
    life = at("paid")
    life.chain.do(SELLER, specimen("order.cancel", life.chain, {"order": life.order}, reason="seller_default"))
    life.chain.now += 15 * DAY_MS
    claim = specimen("order.claim_refund", life.chain, {"order": life.order})
    assert [] == codes_of(life, BUYER, claim)
    life.chain.do(SELLER, opening(life, reason="refund", ask=PRICE.amount))
    assert ["refund_not_due"] == codes_of(life, BUYER, claim)


def test_a_reservation_that_the_pause_alone_has_kept_ends_with_it() -> None:
    """The time was over, and the money that was under way has failed meanwhile."""
    life = at("paying")
    life.chain.now = order_of(life).until_ms - 1_000
    life.chain.do("payment-provider-1", attest(life.chain, life.payment, "pending"))
    life.chain.now += DAY_MS
    dispute = life.chain.do(BUYER, opening(life))
    life.chain.do("payment-provider-1", attest(life.chain, life.payment, "failed"))
    assert is_live(order_of(life), life.chain.now)
    decided(life, dispute, RESUME, RESUME, RESUME)
    assert not is_live(order_of(life), life.chain.now)
    assert "reserved" != market_of(life.chain.state(VEHICLE, VIN), life.chain.now).status


def test_an_amendment_leaves_the_pause_as_it_is() -> None:
    life = at("paid")
    until, opened = order_of(life).until_ms, life.chain.now
    dispute = life.chain.do(BUYER, opening(life))
    amended = specimen("order.amend", life.chain, {"order": life.order}, terms=order_of(life).terms)
    life.chain.do(SELLER, amended, BUYER)
    assert until + PAUSE_MAX_MS == order_of(life).until_ms
    life.chain.now = opened + 5 * DAY_MS
    decided(life, dispute, RESUME, RESUME, RESUME)
    lasted = order_of(life).paused_ms
    assert 5 * DAY_MS <= lasted and until + lasted == order_of(life).until_ms
    life.chain.do(SELLER, amended, BUYER)
    assert until + lasted == order_of(life).until_ms


def test_both_parties_revive_a_disputed_order_for_as_long_as_they_agree() -> None:
    life, dispute = disputed()
    life.chain.do(SELLER, specimen("order.cancel", life.chain, {"order": life.order}, reason="mutual"), BUYER)
    until = life.chain.now + 20 * DAY_MS
    life.chain.do(SELLER, specimen("order.reinstate", life.chain, {"order": life.order}, until_ms=until), BUYER)
    decided(life, dispute, RESUME, RESUME, RESUME)
    assert until + order_of(life).paused_ms == order_of(life).until_ms


def test_an_order_that_is_reinstated_forgets_the_pauses_of_before() -> None:
    life = at("accepted")
    dispute = life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}))
    life.chain.now += 50 * DAY_MS
    life.chain.do("bmw", specimen("order.close", life.chain, {"order_dispute": dispute}))
    life.chain.do(BUYER, specimen("order.cancel", life.chain, {"order": life.order}))
    again = specimen("order.reinstate", life.chain, {"order": life.order}, until_ms=life.chain.now + 20 * DAY_MS)
    life.chain.do(SELLER, again, BUYER)
    shorter = terms(reserve_ms=10 * DAY_MS)
    life.chain.do(SELLER, specimen("order.amend", life.chain, {"order": life.order}, terms=shorter), BUYER)
    order = life.chain.state(ORDER, life.order)
    assert 10 * DAY_MS == order.until_ms - order.accepted_at_ms
