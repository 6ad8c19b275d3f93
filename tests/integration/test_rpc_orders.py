"""What HTTP answers about one order: what happened to it, its money, what it waits for and what follows otherwise."""

from __future__ import annotations

from typing import Any

from support.backend import SingleNode, serving
from support.chain import DAY_MS, address
from support.http import get, over_http
from support.life import PRICE, Life
from support.selling import (
    BANK,
    BUYER,
    PROVIDER,
    SELLER,
    about_payment,
    after,
    begin,
    cancel,
    ordered,
    pay,
    sold_by_card,
    tell,
    terms,
    with_credit,
)
from support.specimens import specimen
from support.stages import at

from node.crypto.addresses import to_text
from node.ledger.json_form import time_to_text
from node.rules.deals import CURE_MS
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.claims import ORDER_CLAIMS
from node.views.next_steps import OMISSIONS

ARBITERS = ("arbiter-1", "arbiter-3", "arbiter-4")


async def asked(life: Life, path: str, status: int = 200, **headers: str) -> Any:
    async with serving(SingleNode(life.chain)) as (_, _, http):
        return await get(http, f"/v1/orders/{life.order.hex()}{path}", status, **headers)


def text(*names: str) -> list[str]:
    return [to_text(address(name)) for name in names]


# --- the timeline ---------------------------------------------------------------------------------------------
def told_of(entries: list[dict]) -> list[tuple[str, str, str, str]]:
    """(type, role, cause, status), the oldest first."""
    return [(e["type"], e["role"], e["cause"], e["status"]) for e in reversed(entries)]


def disputed() -> Life:
    """A car on a credit and a transfer, brought, disputed, decided, refunded; then the buyer complains."""
    life = ordered(with_credit())
    life.payment = begin(life, 0)
    tell(life, "settled", PRICE.amount - 4_000_000 + 500)
    pay(life, 1)
    life.chain.do(SELLER, specimen("delivery.event", life.chain, {"order": life.order}, stage="arrived"))
    dispute = life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}))
    ids = {"order_dispute": dispute}
    life.chain.do(SELLER, specimen("order.respond", life.chain, ids))
    for arbiter in ARBITERS:
        decision = Decision("unwind", 0, "")
        life.chain.do(arbiter, specimen("order.resolve", life.chain, ids, decision=decision))
    life.chain.do(BANK, about_payment(life, "payment.confirm_refund", 4_000_000))
    life.chain.do(BUYER, specimen("case.open", life.chain, order=life.order))
    return life


@over_http
async def test_a_timeline_tells_every_step_with_its_actor_and_cause() -> None:
    life = disputed()
    shown = await asked(life, "/timeline")
    votes = [("order.resolve", "arbiter", "unwind", "")] * 2 + [("order.resolve", "arbiter", "unwind", "cancelled")]
    assert told_of(shown["timeline"]) == [
        ("order.offer", "buyer", "", "offered"), ("order.accept", "seller", "", "accepted"),
        ("payment.initiate", "buyer", "initiated", "accepted"), ("payment.attest", "provider", "settled", "accepted"),
        ("payment.initiate", "buyer", "initiated", "accepted"), ("payment.attest", "lender", "settled", "accepted"),
        ("delivery.event", "seller", "arrived", "accepted"), ("order.dispute", "buyer", "not_delivered", "accepted"),
        ("order.respond", "seller", "", ""), *votes,
        ("payment.confirm_refund", "lender", "refund_confirmed", "cancelled"),
        ("case.open", "buyer", "COMPLAINT", ""),
    ]  # fmt: skip
    accepted = shown["timeline"][-2]
    assert set(text(SELLER, BUYER)) == set(accepted["signers"]) and "dealer-munich" == accepted["actor_name"]
    settled = shown["timeline"][-4]
    assert {"amount": str(PRICE.amount - 3_999_500), "currency": "EUR"} == settled["amount"]
    assert settled["about"] == f"payment/{shown['timeline'][-3]['txid']}" and settled["actor"] == text(PROVIDER)[0]
    assert {"amount": str(PRICE.amount), "currency": "EUR"} == shown["timeline"][-1]["amount"], "the price of the offer"
    for entry in shown["timeline"]:
        place = life.chain.store.place(bytes.fromhex(entry["txid"]))
        block = life.chain.store.block(place.height)
        assert (place.height, place.index, time_to_text(block.header.time_ms)) == (
            entry["height"], entry["index"], entry["time"]
        )  # fmt: skip


@over_http
async def test_a_timeline_in_pages_is_the_whole_one() -> None:
    life = disputed()
    whole = (await asked(life, "/timeline"))["timeline"]
    pages, query = [], "?limit=4"
    while query:
        page = await asked(life, "/timeline" + query)
        pages += page["timeline"]
        query = f"?limit=4&cursor={page['cursor']}" if page["cursor"] else ""
    assert whole == pages
    assert "bad_cursor" == (await asked(life, "/timeline?cursor=bm9uZQ", 400))["code"]
    life.order = bytes(32)
    assert "order_unknown" == (await asked(life, "/timeline", 404))["code"]


@over_http
async def test_a_refused_step_and_a_bank_that_takes_money_back_are_told_with_their_reasons() -> None:
    life = at("paid")
    tell(life, "returned", 1_000)
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    newest, returned = (await asked(life, "/timeline?limit=2"))["timeline"]
    assert ("order.cancel", "changed_mind", "cancelled") == (newest["type"], newest["cause"], newest["status"])
    assert ("returned", "1000") == (returned["cause"], returned["amount"]["amount"]) and 4 == len(returned["code"])


# --- money ----------------------------------------------------------------------------------------------------
@over_http
async def test_the_money_of_an_order_by_part_and_in_all() -> None:
    life = ordered(with_credit())
    pay(life, 1)
    found = await asked(life, "/payments")
    [payment] = found["payments"]
    assert ("finance", "bank-1", text(BANK)[0], 4_000_000) == tuple(
        payment[name] for name in ("part", "provider_name", "creditor", "net")
    )
    rest = PRICE.amount - 4_000_000
    assert (PRICE.amount, 4_000_000, 4_000_000, rest, []) == tuple(
        found[name] for name in ("in_money", "net", "final", "missing", "debts")
    )
    order = await asked(life, "")
    assert [(0, 0), (4_000_000, 4_000_000)] == [(part["net"], part["final"]) for part in order["legs"]]
    assert (str(4_000_000), False) == (order["settled"]["amount"], order["is_paid"])
    life.chain.do(BUYER, cancel(life, "changed_mind"))
    ended, refund_ms = life.chain.store.head().time_ms, 14 * DAY_MS
    after_it = await asked(life, "/payments")
    debt = {"creditor": text(BANK)[0], "amount": {"amount": "4000000", "currency": "EUR"},
            "due": time_to_text(ended + refund_ms)}  # fmt: skip
    assert [debt] == after_it["debts"] == (await asked(life, ""))["debts"]


@over_http
async def test_a_payment_of_a_claim_is_none_of_the_price() -> None:
    life = charged_back()
    life.payment = life.chain.do(BUYER, specimen("payment.initiate", life.chain, order=life.order, leg=255,
                                                 scheme="visa", amount=CHARGED))  # fmt: skip
    found = await asked(life, "/payments")
    assert ["balance", "claim"] == [payment["part"] for payment in found["payments"]]
    assert PRICE.amount - CHARGED.amount == found["net"]


# --- what it waits for ----------------------------------------------------------------------------------------
CHARGED = type(PRICE)(7_000, "EUR")


def charged_back() -> Life:
    """A car that was paid by card, handed over, and charged back in part."""
    life = sold_by_card()
    tell(life, "charged_back", CHARGED.amount)
    return life


async def waits(life: Life, **headers: str) -> dict[str, dict]:
    """Type to step; of several the last."""
    return {step["type"]: step for step in (await asked(life, "/next", **headers))["steps"]}


@over_http
async def test_every_step_says_what_follows_if_it_is_not_taken() -> None:
    for stage, omitted in (
        ("offered", {"order.accept": "offer_lapses", "order.counter": "offer_lapses", "order.reject": "offer_lapses"}),
        ("accepted", {"payment.initiate": "buyer_in_default"}), ("paying", {"payment.attest": "does_not_count"}),
        ("paid", {"order.handover": "reservation_ends"}), ("handed_over", {}),
    ):  # fmt: skip
        found = await waits(at(stage))
        assert omitted == {name: step["if_omitted"] for name, step in found.items()}, stage
        assert all(step["text"] == OMISSIONS[step["if_omitted"]].en for step in found.values())
    german = await waits(at("offered"), Accept_Language="de")
    assert "Das Angebot verfällt, und niemand schuldet etwas." == german["order.accept"]["text"]


@over_http
async def test_a_dispute_goes_from_the_other_party_to_the_arbiters_to_anybody() -> None:
    life = at("paid")
    dispute = life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}))
    [answer] = (await asked(life, "/next"))["steps"]
    assert ("order.respond", text(SELLER), "vote_begins") == (answer["type"], answer["by"], answer["if_omitted"])
    life.chain.do(SELLER, specimen("order.respond", life.chain, {"order_dispute": dispute}))
    [vote] = (await asked(life, "/next"))["steps"]
    assert ("order.resolve", [], "undecided") == (vote["type"], vote["by"], vote["if_omitted"])
    after(life, 15)
    [count] = (await asked(life, "/next"))["steps"]
    assert ("order.close", None, "dispute_remains") == (count["type"], count["until"], count["if_omitted"])
    life.chain.do("bmw", specimen("order.close", life.chain, {"order_dispute": dispute}))
    assert {"order.handover"} == set(await waits(life))


@over_http
async def test_a_delivery_waits_for_buyer_and_carrier_and_gives_the_buyer_rights() -> None:
    life = at("paid")
    life.chain.do(SELLER, specimen("delivery.schedule", life.chain, {"order": life.order}))
    found = await waits(life)
    assert {"order.handover", "delivery.confirm", "delivery.event"} == set(found)
    assert (text(BUYER), "window_not_binding") == (
        found["delivery.confirm"]["by"],
        found["delivery.confirm"]["if_omitted"],
    )
    assert text("carrier-1", SELLER) == found["delivery.event"]["by"]
    life.chain.do(BUYER, specimen("delivery.confirm", life.chain, {"order": life.order}))
    assert {"order.handover", "delivery.event"} == set(await waits(life))
    life.chain.do(SELLER, specimen("delivery.event", life.chain, {"order": life.order}, stage="arrived"))
    assert {"order.handover"} == set(await waits(life))
    life.chain.do(BUYER, specimen("delivery.refuse", life.chain, {"order": life.order}))
    right = (await waits(life))["order.cancel"]
    assert (text(BUYER), "refused", "order_goes_on") == (right["by"], right["reason"], right["if_omitted"])
    refused = cancel(life, "refused")
    order = life.chain.state(ORDER, life.order)
    assert time_to_text(order.refused_at_ms + CURE_MS + 1) == right["from"]
    life.chain.now = order.refused_at_ms + CURE_MS
    assert ["cancel_reason"] == life.chain.unmet(life.chain.sign(BUYER, refused))
    life.chain.now += 1
    assert [] == life.chain.unmet(life.chain.sign(BUYER, cancel(life, "refused"))), "from that very moment on"


@over_http
async def test_a_late_delivery_is_a_right_from_the_agreed_time_on() -> None:
    deliver_by = at("wholesale").chain.now + 20 * DAY_MS
    life = ordered(terms(deliver_by_ms=deliver_by), "paid")
    right = (await waits(life))["order.cancel"]
    assert ("late_delivery", time_to_text(deliver_by + 1)) == (right["reason"], right["from"])
    for now, codes in ((deliver_by, ["cancel_reason"]), (deliver_by + 1, [])):
        life.chain.now = now
        assert codes == life.chain.unmet(life.chain.sign(BUYER, cancel(life, "late_delivery")))


@over_http
async def test_a_claim_is_waited_for_until_its_creditor_is_satisfied() -> None:
    life = charged_back()
    found = await waits(life)
    assert {"payment.initiate": text(BUYER), "claim.release": text(SELLER)} == {t: s["by"] for t, s in found.items()}
    pays = found["payment.initiate"]
    assert (255, "7000", "debtor_is_barred") == (pays["leg"], pays["amount"]["amount"], pays["if_omitted"])
    life.chain.do(SELLER, ClaimRelease(life.order, address(BUYER), CHARGED))
    assert ({}, None) == (await waits(life), life.chain.state(ORDER_CLAIMS, life.order))


# --- cases ------------------------------------------------------------------------------------------------------
@over_http
async def test_a_case_of_an_order_is_read_by_its_id_with_its_deadlines() -> None:
    life = at("handed_over")
    ident = life.chain.do(BUYER, specimen("case.open", life.chain, order=life.order)).hex()
    opened = life.chain.store.head().time_ms
    async with serving(SingleNode(life.chain)) as (_, _, http):
        case = await get(http, f"/v1/cases/{ident}")
        assert [case["id"]] == [c["id"] for c in (await get(http, f"/v1/cases?order={life.order.hex()}"))["cases"]]
        assert "case_unknown" == (await get(http, f"/v1/cases/{'00' * 32}", 404))["code"]
    assert ("open", "dealer-munich", life.order.hex(), False) == tuple(
        case[name] for name in ("status", "member_name", "order", "is_late")
    )
    assert (time_to_text(opened + 3 * DAY_MS), time_to_text(opened + 30 * DAY_MS)) == (
        case["reply_due"], case["solution_due"]
    )  # fmt: skip
