"""Events of a deal: why a value has changed, by how much money, whose turn it is; and whom a filter sends them to."""

from __future__ import annotations

import json
from typing import Any

from support.backend import SingleNode, serving
from support.chain import address
from support.http import over_http
from support.life import PRICE, VIN, Life
from support.selling import (
    BUYER,
    PROVIDER,
    SELLER,
    about_payment,
    cancel,
    counter,
    sold_by_card,
    tell,
)
from support.specimens import specimen
from support.stages import at

from node.crypto.addresses import to_text
from node.ledger.fields import Money
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.claim_types import ClaimRelease

ARBITERS = ("arbiter-1", "arbiter-3", "arbiter-4")


async def events(life: Life, query: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of the whole chain that a filter sends, up to its last block, which is empty."""
    node = SingleNode(life.chain)
    node.produce()
    end = f"{life.chain.store.height()}-0"
    found, name = [], ""
    async with (
        serving(node, stream_heartbeat_s=0.02) as (_, _, http),
        http.get(f"/v1/stream?from_height=1&{query}") as answer,
    ):
        async for line in answer.content:
            field, _, value = line.decode().strip().partition(": ")
            if field == "id" and int(value.split("-")[0]) >= int(end.split("-")[0]):
                return found
            if field == "event":
                name = value
            elif field == "data":
                found.append((name, json.loads(value)))
    raise AssertionError("the stream ended before the head")


async def told(life: Life, name: str, *fields: str, query: str = "") -> list[tuple[Any, ...]]:
    """The fields of every event of a name."""
    return [tuple(data[field] for field in fields) for _, data in await events(life, f"types={name}{query}")]


def money(amount: int) -> dict[str, str]:
    return {"amount": str(amount), "currency": "EUR"}


@over_http
async def test_an_order_tells_why_and_whose_turn_it_is() -> None:
    life = at("offered")
    life.chain.do(SELLER, counter(life))
    life.chain.do(BUYER, counter(life, 5_250_000))
    life.chain.do(BUYER, cancel(life))
    assert await told(life, "order", "status", "cause", "turn", "amount") == [
        ("offered", "", "seller", money(PRICE.amount)), ("countered", "", "buyer", money(5_200_000)),
        ("countered", "", "seller", money(5_250_000)), ("cancelled", "changed_mind", "", None),
    ]  # fmt: skip


@over_http
async def test_a_payment_tells_what_happened_to_how_much_money() -> None:
    life = at("paying")
    life.chain.do(BUYER, specimen("payment.declare", life.chain, payment=life.payment))
    tell(life, "settled", PRICE.amount + 500)
    life.chain.do(SELLER, about_payment(life, "payment.refund", 300))
    tell(life, "refunded", 300)
    tell(life, "returned", 200)
    found = await told(life, "payment", "cause", "amount", "code", "orders")
    ident = [life.order.hex()]
    assert found[:5] == [
        ("initiated", money(PRICE.amount), "", ident), ("declared", None, "", ident),
        ("settled", money(PRICE.amount + 500), "", ident), ("refund_instructed", money(300), "", ident),
        ("refunded", money(300), found[4][2], ident),
    ]  # fmt: skip
    cause, amount, code, orders = found[5]
    assert ("returned", money(200), ident) == (cause, amount, orders) and 4 == len(code)


@over_http
async def test_a_claim_tells_its_cause_and_is_sent_to_who_watches_the_order() -> None:
    life = sold_by_card()
    tell(life, "charged_back", 70)
    life.chain.do(SELLER, ClaimRelease(life.order, address(BUYER), Money(70, "EUR")))
    fields = ("change", "cause", "amount", "vins")
    expected = [("created", "charged_back", money(70), [VIN]), ("ended", "", money(70), [VIN])]
    assert expected == await told(life, "claims", *fields)
    for query in (f"order={life.order.hex()}", f"account={to_text(address(BUYER))}", f"vin={VIN}"):
        assert expected == await told(life, "claims", *fields, query="&" + query), query


@over_http
async def test_delivery_dispute_and_case_tell_their_cause() -> None:
    life = at("paid")
    order = {"order": life.order}
    life.chain.do(SELLER, specimen("delivery.event", life.chain, order, stage="arrived"))
    dispute = {"order_dispute": life.chain.do(BUYER, specimen("order.dispute", life.chain, order))}
    life.chain.do(SELLER, specimen("order.respond", life.chain, dispute))
    for arbiter in ARBITERS:
        life.chain.do(arbiter, specimen("order.resolve", life.chain, dispute, decision=Decision("resume", 0, "")))
    case = dict(case=life.chain.do(BUYER, specimen("case.open", life.chain, order=life.order)))
    life.chain.do(SELLER, specimen("case.reply", life.chain, **case))
    life.chain.do(SELLER, specimen("case.close", life.chain, outcome="solved", **case))
    life.chain.do(BUYER, specimen("case.close", life.chain, outcome="solved", **case))
    ident = [life.order.hex()]
    assert [("arrived", "arrived", ident)] == await told(life, "delivery", "status", "cause", "orders")
    assert await told(life, "order-dispute", "status", "cause", "orders") == [
        ("open", "not_delivered", ident), ("open", "", ident), ("open", "resume", ident), ("open", "resume", ident),
        ("closed", "resume", ident),
    ]  # fmt: skip
    assert await told(life, "case", "status", "cause", "turn") == [
        ("open", "COMPLAINT", "member"), ("open", "", "customer"), ("open", "solved", "customer"),
        ("closed", "solved", ""),
    ]  # fmt: skip


@over_http
async def test_whoever_watches_an_order_or_an_account_gets_its_whole_course() -> None:
    life = at("handed_over")
    everything = await events(life, "")
    ours = [event for event in everything if event[0] in ("order", "payment", "delivery")]
    assert {"order", "payment", "delivery"} == {name for name, _ in ours}
    types = "types=order,payment,delivery,claims,order-dispute,case"
    assert ours == await events(life, f"{types}&order={life.order.hex()}")
    assert ours == await events(life, f"{types}&account={to_text(address(BUYER))}")
    provider = await events(life, f"{types}&account={to_text(address(PROVIDER))}")
    assert ["payment.initiate", "payment.attest"] == [data["type"] for name, data in provider if name == "payment"]


@over_http
async def test_a_refund_that_is_due_is_told_once() -> None:
    life = at("paid")
    life.chain.do(BUYER, cancel(life))
    life.chain.do(SELLER, about_payment(life, "payment.refund", 1))
    ident = [life.order.hex()]
    assert [("order.cancel", ident)] == await told(life, "refund.due", "type", "orders", query=f"&order={ident[0]}")
