"""What HTTP answers about cars of whose lives there is something to tell: report, odometer, parts, recalls, alerts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.backend import SingleNode, serving
from support.chain import Chain, address
from support.foreign import THREE, TWO, part
from support.http import get, over_http
from support.life import VIN, Life, accident, maintenance, register, where
from support.specimens import specimen
from support.stages import change

from node.crypto.addresses import to_text
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.vehicle import VEHICLE


def with_parts() -> Chain:
    """Three cars, of which two have the same gearbox and the alert `part_elsewhere`."""
    chain = Life(Chain()).to("born").chain
    for number, vin in enumerate((TWO, THREE)):
        chain.do("bmw", register(vin, engine_serial=f"B48B20-{number}"))
    chain.do("workshop-berlin", part(chain))
    chain.do("workshop-berlin", part(chain, TWO))
    return chain


@over_http
async def test_cars_with_an_alert_are_listed_by_code_with_who_raised_it() -> None:
    async with serving(SingleNode(with_parts())) as (_, _, http):
        shown = await get(http, "/v1/alerts?code=part_elsewhere")
        assert [VIN, TWO] == [entry["vin"] for entry in shown["alerts"]] and shown["cursor"] is None
        assert {("part_elsewhere", "reported", 1, "workshop-berlin")} == {
            (e["code"], e["state"], e["count"], e["author_name"]) for e in shown["alerts"]
        }
        assert shown["alerts"] == (await get(http, "/v1/alerts"))["alerts"]
        assert [] == (await get(http, "/v1/alerts?code=clone_vin"))["alerts"]
        first = await get(http, "/v1/alerts?limit=1")
        second = await get(http, f"/v1/alerts?limit=1&cursor={first['cursor']}")
        assert shown["alerts"] == first["alerts"] + second["alerts"] and second["cursor"] is None
        of_code = await get(http, "/v1/alerts?code=part_elsewhere&limit=1")
        rest = await get(http, f"/v1/alerts?code=part_elsewhere&limit=1&cursor={of_code['cursor']}")
        assert [TWO] == [entry["vin"] for entry in rest["alerts"]]
        for query, code in (
            ("code=toaster", "malformed"), ("code=", "malformed"), (f"cursor={of_code['cursor']}", "bad_cursor"),
            ("codes=clone_vin", "unknown_parameter"),
        ):  # fmt: skip
            assert code == (await get(http, f"/v1/alerts?{query}", status=400))["code"], query


@over_http
async def test_the_parts_of_a_car_are_those_that_are_bound_to_it() -> None:
    async with serving(SingleNode(with_parts())) as (_, _, http):
        listed = (await get(http, f"/v1/vehicles/{VIN}/parts"))["parts"]
        assert [("gearbox", "contested")] == [(entry["part_class"], entry["state"]) for entry in listed]
        assert listed == (await get(http, f"/v1/parts?vehicle={VIN}"))["parts"]
        assert ["engine"] == [e["part_class"] for e in (await get(http, f"/v1/vehicles/{THREE}/parts"))["parts"]]
        unknown = await get(http, "/v1/vehicles/WBA8E9G50GNU99999/parts", status=404)
        assert "vehicle_unknown" == unknown["code"]


@over_http
async def test_recalls_are_found_by_their_number_and_by_their_car() -> None:
    chain = Life(Chain()).to("born").chain
    chain.do("bmw", specimen("recall.open"))
    chain.do("bmw", specimen("recall.extend"))
    async with serving(SingleNode(chain)) as (_, _, http):
        (recall,) = (await get(http, "/v1/recalls?reference=KBA-14567R"))["recalls"]
        assert (to_text(address("bmw")), "0016560700", 1) == tuple(
            recall[name] for name in ("manufacturer", "campaign", "cars")
        )
        assert [] == (await get(http, "/v1/recalls?reference=KBA-1"))["recalls"]
        assert "malformed" == (await get(http, "/v1/recalls?reference=14567R", status=400))["code"]
        shown = await get(http, f"/v1/vehicles/{VIN}/recalls")
        (entry,) = shown["recalls"]
        assert (recall["campaign"], "safety", recall["references"]) == tuple(
            entry[name] for name in ("campaign", "recall_class", "references")
        )
        ident = f"{address('bmw').hex()}-0016560700"
        assert [VIN] == [car["vin"] for car in (await get(http, f"/v1/vehicles?recall={ident}"))["vehicles"]]


@over_http
async def test_a_report_follows_the_car() -> None:
    async with serving(SingleNode(Life(Chain()).to("handed_over").chain)) as (node, _, http):
        before = await get(http, f"/v1/vehicles/{VIN}/report")
        assert (3, "in_service", []) == (before["holders"], before["existence"], before["incidents"])
        assert before["records_read"] == before["record_count"] == node.chain.state(VEHICLE, VIN).record_count
        crash = accident(node.chain, odometer=None)
        node.produce(node.chain.sign("insurer-1", crash))
        after = await get(http, f"/v1/vehicles/{VIN}/report")
        assert 1 == len(after["incidents"]) and after["height"] == before["height"] + 1
        odometer = await get(http, f"/v1/vehicles/{VIN}/odometer")
        assert after["odometer"]["verdict"] == odometer["verdict"]
        assert after["odometer"]["newest"]["sequence"] == odometer["readings"][-1]["sequence"]


@over_http
async def test_the_odometer_and_the_report_tell_the_same_of_a_second_car() -> None:
    chain = Life(Chain()).to("wholesale").chain
    [site] = chain.state(MEMBER, address("workshop-berlin")).sites
    change(
        chain, MEMBER, address("workshop-berlin"), sites=(site, replace(site, code="SHA-1", longitude_e6=121_000_000))
    )
    for code in (site.code, "SHA-1"):
        chain.do("workshop-berlin", maintenance(chain, 200, where=where(code)))
    async with serving(SingleNode(chain)) as (_, _, http):
        for name in ("report", "odometer"):
            assert (await get(http, f"/v1/vehicles/{VIN}/{name}"))["parallel_life"] is True, name


@pytest.mark.parametrize("name", ["report", "odometer", "recalls", "parts"])
def test_a_car_that_is_unknown_is_said_to_be(name: str) -> None:
    @over_http
    async def asked() -> None:
        async with serving() as (_, _, http):
            assert "vehicle_unknown" == (await get(http, f"/v1/vehicles/{VIN}/{name}", status=404))["code"]
            assert "malformed" == (await get(http, f"/v1/vehicles/short/{name}", status=400))["code"]

    asked()
