"""What HTTP answers to the question whether a sale can go on: the guards of the real steps, and who can cure them."""

from __future__ import annotations

from support.backend import SingleNode, serving
from support.chain import DAY_MS
from support.http import get, over_http
from support.life import VIN, Life, accident, handover
from support.stages import at

from node.ledger.json_form import time_to_text
from node.txtypes.vehicle.vehicle import VEHICLE


async def asked(life: Life, query: str = "", status: int = 200) -> dict:
    async with serving(SingleNode(life.chain)) as (_, _, http):
        return await get(http, f"/v1/vehicles/{VIN}/sale-readiness{query}", status=status)


def guards(answer: dict) -> dict[str, str]:
    [step] = answer["steps"]
    assert step["ready"] == (not step["guards"])
    return {guard["code"]: guard["who"] for guard in step["guards"]}


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
