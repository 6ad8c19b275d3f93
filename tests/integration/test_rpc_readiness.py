"""What HTTP answers to the question whether a sale can go on: the guards of the real steps, and who can cure them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis.strategies import lists, sampled_from
from support.backend import SingleNode, serving
from support.chain import DAY_MS, address
from support.deals import accepting, acknowledging, handing
from support.http import codes, get, over_http, post
from support.life import VIN, Life, accident, handover, initiate, listing, maintenance
from support.selling import BUYER, SELLER, cancel, claim_refund, counter, tell
from support.specimens import specimen
from support.stages import at

from node.chain.dev_genesis import DEV_PARTIES
from node.errors import Malformed, Rejected
from node.ledger.body import TransactionBody
from node.ledger.json_form import time_to_text
from node.rpc.readiness_checks import CHECKS, HELD
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT
from node.txtypes.service.findings import Defect
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, newest_counted
from node.txtypes.vehicle.vehicle import VEHICLE


async def asked(life: Life, query: str = "", status: int = 200) -> dict:
    async with serving(SingleNode(life.chain)) as (_, _, http):
        return await get(http, f"/v1/vehicles/{VIN}/sale-readiness{query}", status=status)


def guards(answer: dict) -> dict[str, str]:
    [step] = answer["steps"]
    unmet = [guard for guard in step["guards"] if not guard["holds"]]
    assert step["ready"] == (not unmet) and step["guards"][: len(unmet)] == unmet
    return {guard["code"]: guard["who"] for guard in unmet}


@over_http
async def test_a_car_that_can_be_listed_and_one_that_cannot() -> None:
    assert {} == guards(await asked(at("wholesale"), "?step=list"))
    listed = at("listed")
    answer = await asked(listed)
    assert {"market_live": "seller"} == guards(answer)
    until = listed.chain.state(VEHICLE, VIN).market.until_ms
    assert time_to_text(until) == answer["steps"][0]["guards"][0]["until"]


@over_http
async def test_it_says_ready_exactly_where_the_signed_step_is_valid() -> None:
    for stage in ("offered", "accepted", "paying", "paid"):
        life = at(stage)
        found = guards(await asked(life, f"?order={life.order.hex()}"))
        if stage != "offered":
            signed = life.chain.sign("dealer-munich", handover(life.chain, life.order), "buyer-1")
            assert set(found) == set(life.chain.unmet(signed)), stage
        assert ({} == found) == (stage in ("offered", "paid"))


@over_http
async def test_it_says_who_can_cure_what() -> None:
    life = at("accepted")
    life.chain.do("workshop-berlin", accident(life.chain, 155, extent="cosmetic"))
    found = guards(await asked(life, f"?order={life.order.hex()}&step=handover"))
    assert {"payment_not_final": "buyer", "acknowledgement_missing": "buyer"} == found


@over_http
async def test_questions_that_make_no_sense() -> None:
    life = at("accepted")
    life.chain.now += DAY_MS
    for query, status in ((f"?order={life.order.hex()}&step=list", 400), ("?step=accept", 400), ("?order=00", 404),
                          (f"?order={'00' * 32}", 404)):  # fmt: skip
        await asked(life, query, status)


@over_http
async def test_an_unknown_vehicle() -> None:
    async with serving(SingleNode(at("wholesale").chain)) as (_, _, http):
        found = await get(http, "/v1/vehicles/WBA8E9G50GNU99999/sale-readiness", status=404)
        assert "vehicle_unknown" == found["code"]


# --- what is told -------------------------------------------------------------------------------------------
@over_http
async def test_guards_that_hold_are_told_beside_those_that_do_not() -> None:
    life = at("paying")
    [step] = (await asked(life, f"?order={life.order.hex()}"))["steps"]
    names = ["code", "have", "holds", "need", "subject", "text", "until", "who"]
    assert all(names == sorted(guard) for guard in step["guards"])
    assert ["payment_not_final"] == [guard["code"] for guard in step["guards"] if not guard["holds"]]
    assert set(CHECKS["handover"]) == {guard["code"] for guard in step["guards"]}
    held = {guard["code"]: guard["text"] for guard in step["guards"] if guard["holds"]}
    assert held == {code: HELD[code].en for code in CHECKS["handover"] if code != "payment_not_final"}


@over_http
async def test_a_person_reads_amounts_and_no_ids() -> None:
    life = at("accepted")
    life.chain.do("workshop-berlin", accident(life.chain, 155, extent="cosmetic"))
    query = f"/v1/vehicles/{VIN}/sale-readiness?order={life.order.hex()}"
    async with serving(SingleNode(life.chain)) as (_, _, http):
        texts = {
            language: {guard["code"]: guard["text"] for guard in (await get(http, query, Accept_Language=language))[
                "steps"][0]["guards"]} for language in ("en", "de", "zh")
        }  # fmt: skip
    assert (
        "The final payments do not make up the price (have: 0.00 EUR, need: 52900.00 EUR)."
        == (texts["en"]["payment_not_final"])
    )
    assert texts["de"]["payment_not_final"].endswith("(vorhanden: 0.00 EUR, nötig: 52900.00 EUR).")
    assert texts["zh"]["payment_not_final"].endswith("。")
    agreed = texts["en"]["acknowledgement_missing"]
    assert "(have: 150 km, NO_VERDICT, need: 155 km, LOGICAL)" in agreed, "the material root is left out"
    for told in texts.values():
        for text in told.values():
            assert (
                re.search("[0-9a-f]{16}", text) is None and text.endswith((".", "。")) and text[:1] != text[:1].lower()
            ) or "一" <= text[0]


def test_every_guard_that_is_told_to_hold_is_one_of_its_step() -> None:
    """The document's table of guards by type is derived from the code."""
    table = (Path(__file__).resolve().parents[2] / "docs" / "TRANSACTIONS.md").read_text("utf-8")
    types = {"list": "listing.create", "accept": "order.accept", "handover": "order.handover"}
    for step, checked in CHECKS.items():
        for code in checked:
            [row] = [line for line in table.splitlines() if line.startswith(f"| `{code}` |")]
            assert f"`{types[step]}`" in row, (step, code)
    assert set(HELD) == {code for checked in CHECKS.values() for code in checked}


# --- ready <=> the signed step is valid -----------------------------------------------------------------------
NAMES = {address(party.name): party.name for party in DEV_PARTIES}


def _accept(life: Life) -> None:
    order = life.chain.state(ORDER, life.order)
    if order is None:
        raise Malformed("no order")
    sender, other = (BUYER, SELLER) if order.turn == "buyer" else (SELLER, BUYER)
    life.chain.do(sender, accepting(life.chain, life.order), other)


def _pay(life: Life) -> None:
    life.payment = life.chain.do(BUYER, initiate(life.order))


def _told(life: Life, kind: str, amount: int | None = None) -> None:
    if life.chain.state(PAYMENT, life.payment) is None:
        raise Malformed("no payment")
    tell(life, kind, amount)


def _pass(days: int):
    def act(life: Life) -> None:
        life.chain.now += days * DAY_MS
        life.chain.produce()

    return act


def _disputed(life: Life) -> None:
    life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}))


ACTS: dict[str, Callable[[Life], object]] = {
    "accident": lambda life: life.chain.do("workshop-berlin", accident(life.chain, 155, extent="cosmetic")),
    "structural repair": lambda life: life.chain.do("workshop-berlin", specimen("repair.record", life.chain)),
    "failed inspection": lambda life: life.chain.do("inspector-1", specimen(
        "inspection.record", life.chain, defects=(Defect("4.1.1", "major"),), holder_signs=False)),
    "higher reading": lambda life: life.chain.do("workshop-berlin", maintenance(life.chain, 9_000)),
    "lower reading": lambda life: life.chain.do("workshop-hamburg", maintenance(life.chain, 20)),
    "flag": lambda life: life.chain.do("inspector-1", specimen("flag.set", life.chain)),
    "stolen": lambda life: life.chain.do("police-1", specimen("flag.set", life.chain, name="stolen", until_ms=0)),
    "total loss": lambda life: life.chain.do("insurer-1", specimen(
        "vehicle.total_loss", life.chain, holder_signs=False)),
    "recall": lambda life: life.chain.do("bmw", specimen("recall.open", life.chain)),
    "arrival": lambda life: life.chain.do(SELLER, specimen(
        "delivery.event", life.chain, {"order": life.order}, stage="arrived", is_damaged=True)),
    "new listing version": lambda life: life.chain.do(SELLER, specimen(
        "listing.update", life.chain, {"listing": life.listing})),
    "withdrawn listing": lambda life: life.chain.do(SELLER, specimen(
        "listing.withdraw", None, {"listing": life.listing})),
    "counter": lambda life: life.chain.do(SELLER, counter(life)),
    "acceptance": _accept,
    "acknowledgement": lambda life: life.chain.do(BUYER, acknowledging(life.chain, life.order)),
    "payment": _pay,
    "settled": lambda life: _told(life, "settled"), "returned": lambda life: _told(life, "returned", 100),
    "handover": lambda life: life.chain.do(SELLER, handing(life.chain, life.order, shown_km(life)), BUYER),
    "default": lambda life: life.chain.do(SELLER, cancel(life, "seller_default")),
    "change of mind": lambda life: life.chain.do(BUYER, cancel(life)),
    "overdue refund": lambda life: life.chain.do(BUYER, claim_refund(life)),
    "dispute": _disputed,
    "a day": _pass(1), "three weeks": _pass(21), "half a year": _pass(180),
}  # fmt: skip
"""What may happen to a car, its listing and its order. What is not valid at its place does not happen."""


PLACES = {
    "acceptance": ("offered",), "payment": ("accepted",), "settled": ("accepted", "payment"), "returned": ("paid",),
    "acknowledgement": ("accepted", "accident"), "counter": ("offered",), "new listing version": ("offered",),
    "withdrawn listing": ("offered",), "overdue refund": ("paid", "default", "three weeks"), "arrival": ("accepted",),
    "default": ("accepted",), "change of mind": ("accepted",), "dispute": ("accepted",), "handover": ("paid",),
}  # fmt: skip
"""Act to a stage, and acts before it, where it is valid; the others are so for a car that is listed."""


def played(stage: str, *acts: str) -> Life:
    """A life in which the acts have happened that were valid at their place."""
    life = at(stage)
    life.listing, life.order, life.payment = (ident or bytes(32) for ident in (life.listing, life.order, life.payment))
    for name in acts:
        with suppress(Rejected):
            ACTS[name](life)
    return life


@pytest.mark.parametrize("act", sorted(ACTS))
def test_every_act_is_valid_somewhere(act: str) -> None:
    stage, *before = PLACES.get(act, ("listed",))
    life = played(stage, *before)
    height = life.chain.store.height()
    ACTS[act](life)
    assert height < life.chain.store.height()


def shown_km(life: Life) -> int:
    """What the instrument shows at least."""
    newest = newest_counted(life.chain.state(ODOMETER, VIN) or NO_READINGS)
    return -(-newest.metres // 1_000) if newest else 0


def signed_step(life: Life, step: str) -> tuple[str, TransactionBody, tuple[str, ...]]:
    """The transaction as its parties would sign it: (sender, body, cosigners)."""
    if step == "list":
        holder = NAMES[life.chain.state(VEHICLE, VIN).holder]
        private = dict(tax=Tax("private", 0, 0), contracts=("private",))
        return holder, listing(life.chain, **({} if holder == SELLER else private)), ()
    order = life.chain.state(ORDER, life.order)
    if step == "accept":
        sender, other = (BUYER, SELLER) if order.turn == "buyer" else (SELLER, BUYER)
        return sender, accepting(life.chain, life.order), (other,)
    return SELLER, handing(life.chain, life.order, shown_km(life)), (BUYER,)


@settings(max_examples=40)
@given(stage=sampled_from(("wholesale", "listed", "offered", "accepted", "paid")),
       acts=lists(sampled_from(sorted(ACTS)), max_size=6))  # fmt: skip
@example(stage="wholesale", acts=["lower reading"])
@example(stage="paid", acts=["accident", "acknowledgement", "handover"])
@example(stage="offered", acts=["counter", "flag"])
@example(stage="paid", acts=["default", "three weeks", "overdue refund"])
@example(stage="accepted", acts=["payment", "settled", "dispute"])
def test_ready_is_said_exactly_where_the_signed_step_passes_a_dry_run(stage: str, acts: list[str]) -> None:
    life = played(stage, *acts)
    asyncio.run(_agrees(life))


async def _agrees(life: Life) -> None:
    async with serving(SingleNode(life.chain)) as (_, _, http):
        for query in ("", f"?order={life.order.hex()}" if any(life.order) else ""):
            for step in (await get(http, f"/v1/vehicles/{VIN}/sale-readiness{query}"))["steps"]:
                raw = life.chain.sign(*_flat(signed_step(life, step["step"])))
                checked = await post(http, "/v1/transactions/check", raw=raw)
                unmet = {guard["code"] for guard in step["guards"] if not guard["holds"]}
                assert (unmet, step["ready"]) == (codes(checked), checked["ok"]), step["step"]


def _flat(step: tuple[str, TransactionBody, tuple[str, ...]]) -> tuple:
    sender, body, cosigners = step
    return (sender, body, *cosigners)
