"""What HTTP answers about a sale beside its values: what an order waits for, what an account owes, places nearby."""

from __future__ import annotations

from typing import Any

import pytest
from support.backend import SingleNode, serving
from support.chain import DAY_MS, address
from support.http import get, over_http
from support.life import PRICE, Life
from support.specimens import specimen
from support.stages import at

from node.crypto.addresses import to_text
from node.rpc.sites import WEEKDAYS, distance_metres, is_open

SELLER, BUYER = to_text(address("dealer-munich")), to_text(address("buyer-1"))


async def asked(life: Life, path: str, status: int = 200) -> Any:
    async with serving(SingleNode(life.chain)) as (_, _, http):
        return await get(http, path, status=status)


async def steps(life: Life) -> dict[str, set[str]]:
    answer = await asked(life, f"/v1/orders/{life.order.hex()}/next")
    return {step["type"]: set(step["by"]) for step in answer["steps"]}


@over_http
async def test_an_order_says_whose_turn_it_is() -> None:
    assert {"order.accept", "order.counter", "order.reject"} == set(await steps(at("offered")))
    assert {SELLER} == (await steps(at("offered")))["order.accept"]
    assert {"payment.initiate": {BUYER}} == await steps(at("accepted"))
    assert {"payment.attest": {to_text(address("payment-provider-1"))}} == await steps(at("paying"))
    assert {"order.handover": {SELLER, BUYER}} == await steps(at("paid"))
    assert {} == await steps(at("handed_over"))


@over_http
async def test_an_order_that_unwinds_says_who_gives_back_what() -> None:
    life = at("paid")
    life.chain.do("dealer-munich", specimen("order.cancel", life.chain, {"order": life.order}, reason="seller_default"))
    found = await steps(life)
    assert {"payment.refund": {SELLER}, "payment.confirm_refund": {BUYER}, "order.claim_refund": {BUYER}} == found


@over_http
async def test_an_account_sees_what_it_owes_and_what_it_is_owed() -> None:
    life = at("accepted")
    mine = await asked(life, f"/v1/accounts/{BUYER}/obligations")
    [owed] = mine["owes"]
    assert ("price", SELLER, str(PRICE.amount), False) == (
        owed["kind"], owed["creditor"], owed["amount"]["amount"], owed["is_overdue"]
    )  # fmt: skip
    assert mine["owes"] == (await asked(life, f"/v1/accounts/{SELLER}/obligations"))["is_owed"]
    paid = at("paid")
    paid.chain.do("dealer-munich", specimen("order.cancel", paid.chain, {"order": paid.order}, reason="seller_default"))
    paid.chain.now += 15 * DAY_MS
    paid.chain.produce()
    [debt] = (await asked(paid, f"/v1/accounts/{SELLER}/obligations"))["owes"]
    assert ("refund", True) == (debt["kind"], debt["is_overdue"])
    assert "account_unknown" == (await asked(life, f"/v1/accounts/{to_text(bytes(20))}/obligations", 404))["code"]


@over_http
async def test_a_refund_is_overdue_from_the_very_moment_from_which_it_can_be_claimed() -> None:
    life = at("paid")
    life.chain.do("dealer-munich", specimen("order.cancel", life.chain, {"order": life.order}, reason="seller_default"))
    due = life.chain.store.head().time_ms + 14 * DAY_MS
    claim = specimen("order.claim_refund", life.chain, {"order": life.order})
    for now, is_overdue in ((due - 1, False), (due, True)):
        life.chain.now = now
        life.chain.produce(pass_ms=0)
        assert now == life.chain.store.head().time_ms
        [debt] = (await asked(life, f"/v1/accounts/{SELLER}/obligations"))["owes"]
        assert is_overdue == debt["is_overdue"]
        life.chain.now = now
        assert is_overdue == ([] == life.chain.unmet(life.chain.sign("buyer-1", claim)))


@over_http
async def test_places_near_a_point_are_found_by_distance_role_and_hours() -> None:
    life = at("")
    everywhere = (await asked(life, "/v1/sites"))["sites"]
    near = (await asked(life, "/v1/sites?near=52.52,13.405"))["sites"]
    assert len(everywhere) == len(near) > 3
    distances = [site["distance_metres"] for site in near]
    assert distances == sorted(distances) and distances[0] < 100_000
    close = (await asked(life, "/v1/sites?near=52.52,13.405&radius_km=50"))["sites"]
    assert 0 < len(close) < len(near) and all(site["distance_metres"] <= 50_000 for site in close)
    workshops = (await asked(life, "/v1/sites?role=workshop"))["sites"]
    assert workshops and all("workshop" in site["roles"] for site in workshops)
    first = await asked(life, "/v1/sites?limit=1")
    rest = await asked(life, f"/v1/sites?limit=1000&cursor={first['cursor']}")
    assert everywhere == first["sites"] + rest["sites"]
    assert [] == (await asked(life, "/v1/sites?open_at=Su%2003:00"))["sites"]


@over_http
async def test_questions_about_places_that_make_no_sense() -> None:
    life = at("")
    for query in ("near=munich", "near=91,0", "radius_km=5", "near=48,11&radius_km=far", "open_at=noon"):
        assert "malformed" == (await asked(life, f"/v1/sites?{query}", 400))["code"], query


@pytest.mark.parametrize(("hours", "when", "expected"), [
    ("Mo-Fr 08:00-18:00; Sa 09:00-12:00", ("Mo", 8, 0), True),
    ("Mo-Fr 08:00-18:00; Sa 09:00-12:00", ("Mo", 18, 0), False),
    ("Mo-Fr 08:00-18:00; Sa 09:00-12:00", ("Sa", 9, 30), True),
    ("Mo-Fr 08:00-18:00; Sa 09:00-12:00", ("Su", 9, 30), False),
    ("Mo-Su 08:00-18:00; We off", ("We", 10, 0), False),
    ("08:00-12:00,13:00-17:00", ("Tu", 12, 30), False),
    ("08:00-12:00,13:00-17:00", ("Tu", 13, 30), True),
    ("Fr-Mo 10:00-11:00", ("Su", 10, 30), True),
    ("Fr-Mo 10:00-11:00", ("We", 10, 30), False),
    ("", ("Mo", 10, 0), False),
])  # fmt: skip
def test_opening_hours(hours: str, when: tuple[str, int, int], expected: bool) -> None:
    day, hour, minute = when
    assert expected == is_open(hours, WEEKDAYS.index(day) * 1_440 + hour * 60 + minute)


def test_distances_on_the_globe() -> None:
    assert 0 == distance_metres((48.0, 11.0), (48.0, 11.0))
    assert 500_000 < distance_metres((48.137, 11.575), (52.520, 13.405)) < 510_000, "Munich to Berlin"
    assert 20_000_000 < distance_metres((0.0, 0.0), (0.0, 180.0)) < 20_020_000
