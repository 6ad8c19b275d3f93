"""What HTTP answers about how an account has behaved: its orders, their disputes, its cases, marks and debts."""

from __future__ import annotations

from typing import Any

from support.backend import SingleNode, serving
from support.chain import address
from support.http import get, over_http
from support.life import Life, offer
from support.selling import (
    BANK,
    BUYER,
    OTHER,
    SELLER,
    after,
    cancel,
    claim_refund,
    hand_over,
    ordered,
    pay,
    reject,
    sold_by_card,
    take,
    tell,
    through_agent,
    with_credit,
)
from support.specimens import specimen
from support.stages import at, force

from node.crypto.addresses import to_text
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.members.member import FRAUDS, Fraud, Frauds

ARBITERS = ("arbiter-1", "arbiter-3", "arbiter-4")


async def conduct(life: Life, name: str, kind: str = "accounts") -> Any:
    async with serving(SingleNode(life.chain)) as (_, _, http):
        return await get(http, f"/v1/{kind}/{to_text(address(name))}/conduct")


def orders(found: dict, side: str) -> dict[str, Any]:
    """What is not 0 of the counts of one side."""
    [counts] = [entry for entry in found["orders"] if entry["side"] == side]
    return {name: value for name, value in counts.items() if value and name != "side"}


@over_http
async def test_an_account_without_deals() -> None:
    found = await conduct(at(""), BUYER)
    assert ([], [], [], 0, True) == tuple(
        found[name] for name in ("orders", "roles", "frauds", "claims_against", "is_whole")
    )
    assert {0} == set(found["disputes"].values()) | set(found["cases"].values())


@over_http
async def test_orders_are_counted_by_side_and_by_what_they_came_to() -> None:
    """One car, offered for again and again: rejected, taken back, lapsed, cancelled twice, sold."""
    life = at("listed")

    def offered() -> None:
        life.order = life.chain.do(BUYER, offer(life.chain, life.listing))

    offered()
    life.chain.do(SELLER, reject(life))
    offered()
    life.chain.do(BUYER, cancel(life))
    offered()
    after(life, 8)
    for reason in ("changed_mind", "changed_mind"):
        offered()
        take(life)
        life.chain.do(BUYER, cancel(life, reason))
    offered()
    assert {"made": 6, "accepted": 2, "cancelled": [{"reason": "changed_mind", "count": 2}], "lapsed": 1, "refused": 2,
            "live": 1} == orders(await conduct(life, BUYER), "buyer")  # fmt: skip
    take(life)
    pay(life)
    hand_over(life)
    found = await conduct(life, SELLER, "members")
    assert {"made": 6, "accepted": 3, "completed": 1, "cancelled": [{"reason": "changed_mind", "count": 2}],
            "lapsed": 1, "refused": 2} == orders(found, "seller")  # fmt: skip
    assert found == await conduct(life, SELLER), "a member is an account"
    assert "dealer" in found["roles"]


@over_http
async def test_agents_and_lenders_have_sides_of_their_own() -> None:
    assert {"made": 1, "accepted": 1, "live": 1} == orders(
        await conduct(through_agent("paid"), "dealer-shanghai"), "agent"
    )
    assert {"made": 1, "accepted": 1, "live": 1} == orders(await conduct(ordered(with_credit()), BANK), "lender")


@over_http
async def test_a_default_an_overdue_refund_and_a_mark_for_fraud() -> None:
    life = at("paid")
    life.chain.do(SELLER, cancel(life, "seller_default"))
    after(life, 15)
    life.chain.do(BUYER, claim_refund(life))
    force(life.chain, FRAUDS, "all", Frauds((Fraud(address(SELLER), "dealer", life.chain.now),)))
    found = await conduct(life, SELLER)
    assert {"made": 1, "accepted": 1, "cancelled": [{"reason": "seller_default", "count": 1}]} == orders(
        found, "seller"
    )
    assert (1, [1]) == (found["refunds_overdue"], [quarter["defaulted"] for quarter in found["quarters"]])
    assert ["dealer"] == [mark["role"] for mark in found["frauds"]]
    assert [] == (await conduct(life, BUYER))["frauds"]


@over_http
async def test_a_reservation_that_nobody_used_has_lapsed() -> None:
    life = after(at("accepted"), 100)
    assert {"made": 1, "accepted": 1, "lapsed": 1} == orders(await conduct(life, BUYER), "buyer")


def decided(life: Life, by: str, decision: Decision) -> Life:
    """A dispute that `by` opens, and what three arbiters decide."""
    ids = {"order_dispute": life.chain.do(by, specimen("order.dispute", life.chain, {"order": life.order}))}
    life.chain.do(SELLER if by == BUYER else BUYER, specimen("order.respond", life.chain, ids))
    for arbiter in ARBITERS:
        life.chain.do(arbiter, specimen("order.resolve", life.chain, ids, decision=decision))
    return life


def disputes(found: dict) -> dict[str, int]:
    return {name: count for name, count in found["disputes"].items() if count}


@over_http
async def test_disputes_are_counted_for_who_opened_them_and_who_lost() -> None:
    won = decided(at("paid"), BUYER, Decision("unwind", 0, ""))
    assert {"opened": 1} == disputes(await conduct(won, BUYER))
    assert {"against": 1, "lost": 1} == disputes(await conduct(won, SELLER))
    groundless = decided(at("paid"), BUYER, Decision("dismiss", 0, ""))
    assert {"opened": 1, "dismissed": 1} == disputes(await conduct(groundless, BUYER))
    assert {"against": 1} == disputes(await conduct(groundless, SELLER))
    owing = decided(at("handed_over"), SELLER, Decision("claim", 5_000, "buyer"))
    assert {"against": 1, "lost": 1} == disputes(await conduct(owing, BUYER))
    assert (1, 0) == ((await conduct(owing, BUYER))["claims_against"], (await conduct(owing, SELLER))["claims_against"])
    open_one = at("paid")
    dispute = open_one.chain.do(BUYER, specimen("order.dispute", open_one.chain, {"order": open_one.order}))
    assert {"opened": 1, "open": 1} == disputes(await conduct(open_one, BUYER))
    after(open_one, 40)
    open_one.chain.do(OTHER, specimen("order.close", open_one.chain, {"order_dispute": dispute}))
    assert {"opened": 1, "undecided": 1} == disputes(await conduct(open_one, BUYER))


@over_http
async def test_cases_that_were_answered_late_or_ended_by_silence() -> None:
    life = at("handed_over")
    opened = [life.chain.do(BUYER, specimen("case.open", life.chain, order=life.order)) for _ in range(3)]
    for case in opened[:2]:
        life.chain.do(SELLER, specimen("case.reply", life.chain, case=case))
    life.chain.do(SELLER, specimen("case.close", life.chain, case=opened[0], outcome="solved"))
    after(life, 20)
    found = await conduct(life, SELLER)
    assert dict(received=3, late=1, by_silence=1, solved=1, live=2, opened=0) == found["cases"]
    assert dict(received=0, late=0, by_silence=0, solved=0, live=0, opened=3) == (await conduct(life, BUYER))["cases"]


@over_http
async def test_a_claim_counts_against_its_debtor_alone() -> None:
    life = sold_by_card()
    tell(life, "charged_back", 70)
    assert [1, 0] == [(await conduct(life, name))["claims_against"] for name in (BUYER, SELLER)]
