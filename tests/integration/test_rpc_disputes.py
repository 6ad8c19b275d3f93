"""Disputes, conduct, warranties and claims over HTTP: values, lists by each parameter, answers that fit OpenAPI."""

from __future__ import annotations

from support.backend import SingleNode, serving
from support.chain import DAY_MS, address
from support.disputing import amend, answered, decided, disputed, name_of, serviced
from support.http import get, over_http
from support.json_schema import errors
from support.life import VIN
from support.specimens import specimen
from support.stages import at

from node.crypto.addresses import to_text

HOLDER, WORKSHOP = to_text(address("dealer-munich")), to_text(address("workshop-berlin"))
BUYER = to_text(address("buyer-1"))


@over_http
async def test_a_dispute_and_the_conduct_of_those_involved() -> None:
    life = at("wholesale")
    first, second = (disputed(life, serviced(life, 200 + n)) for n in range(2))
    answered(life, second)
    life.chain.now += 15 * DAY_MS
    serviced(life, 300)
    async with serving(SingleNode(life.chain)) as (_, _, http):
        shown = await get(http, f"/v1/disputes/{first.hex()}")
        assert ("voting", True, "holder", HOLDER, "workshop-berlin") == tuple(
            shown[name] for name in ("status", "is_unanswered", "standing", "opener", "author_name")
        )
        other = await get(http, f"/v1/disputes/{second.hex()}")
        assert ("due", "undecided", "stands") == tuple(other[name] for name in ("status", "outcome", "answer"))
        for query, found in (
            ("", 2), (f"?vin={VIN}", 2), (f"?author={WORKSHOP}", 2), (f"?opener={HOLDER}", 2), (f"?opener={BUYER}", 0),
            ("?vin=WBA8E9G50GNU99999", 0),
        ):  # fmt: skip
            assert found == len((await get(http, "/v1/disputes" + query))["disputes"]), query
        assert "record_dispute_unknown" == (await get(http, "/v1/disputes/" + "ab" * 32, 404))["code"]
        assert 1 == (await get(http, f"/v1/vehicles/{VIN}"))["disputes_open"]
        conduct = await get(http, f"/v1/members/{WORKSHOP}/conduct")
        assert ([1], False) == ([quarter["unanswered"] for quarter in conduct["quarters"]], conduct["is_on_hold"])
        assert conduct == await get(http, f"/v1/accounts/{WORKSHOP}/conduct")
        nothing = await get(http, f"/v1/accounts/{BUYER}/conduct")
        assert ([], False, None) == (nothing["quarters"], nothing["is_barred"], nothing["hold_until"])
        assert "member_unknown" == (await get(http, f"/v1/members/{BUYER}/conduct", 404))["code"]
        document = await get(http, "/openapi.json")
        for path, answer in (
            ("/v1/disputes/{dispute}", shown), ("/v1/disputes", await get(http, "/v1/disputes")),
            ("/v1/members/{address}/conduct", conduct), ("/v1/accounts/{address}/conduct", nothing),
        ):  # fmt: skip
            promised = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            assert [] == errors(document, promised, answer), path


@over_http
async def test_a_history_says_what_became_of_its_records() -> None:
    life = at("wholesale")
    amended, contested, other = (serviced(life, 200 + n) for n in range(3))
    life.chain.do("workshop-berlin", amend(life.chain, amended, replaced_by=name_of(life.chain, other)))
    ident = disputed(life, contested)
    answered(life, ident)
    decided(life, ident, "stands")
    async with serving(SingleNode(life.chain)) as (_, _, http):
        page = await get(http, f"/v1/vehicles/{VIN}/history")
        assert [(amended, True, "", 0), (contested, False, "stands", 1), (other, False, "", 0)] == [
            (status["sequence"], status["is_superseded"], status["outcome"], len(status["disputes"]))
            for status in page["statuses"]
        ]
        assert other == page["statuses"][0]["superseded_by"]["sequence"]
        assert len(page["records"]) == page["record_count"], "both records stay"
        second = await get(http, f"/v1/vehicles/{VIN}/history?limit=4")
        assert [amended, contested][: sum(n < 4 for n in (amended, contested))] == [
            status["sequence"] for status in second["statuses"]
        ]
        document = await get(http, "/openapi.json")
        promised = document["paths"]["/v1/vehicles/{vin}/history"]["get"]["responses"]["200"]["content"]
        assert [] == errors(document, promised["application/json"]["schema"], page)


@over_http
async def test_a_warranty_and_a_claim_on_it() -> None:
    life = at("wholesale")
    life.chain.do("bmw", specimen("warranty.start", life.chain))
    claim = life.chain.do("workshop-berlin", specimen("warranty.claim", life.chain), "dealer-munich")
    async with serving(SingleNode(life.chain)) as (_, _, http):
        shown, claimed = await get(http, f"/v1/warranties/{VIN}-1"), await get(http, f"/v1/claims/{claim.hex()}")
        assert ("running", "bmw", 87) == (shown["status"], shown["provider_name"], shown["km_left"] // 1_000)
        assert ("open", "workshop-berlin", 1) == (claimed["outcome"], claimed["workshop_name"], claimed["number"])
        bmw = to_text(address("bmw"))
        for path, query, found in (
            ("warranties", f"?vin={VIN}", 1), ("warranties", f"?provider={bmw}", 1),
            ("warranties", f"?provider={HOLDER}", 0), ("claims", f"?vin={VIN}", 1), ("claims", f"?party={bmw}", 1),
            ("claims", f"?party={WORKSHOP}", 1), ("claims", f"?party={HOLDER}", 0),
        ):  # fmt: skip
            assert found == len((await get(http, f"/v1/{path}{query}"))[path]), query
        assert "malformed" == (await get(http, f"/v1/warranties/{VIN}-17", 400))["code"]
        assert "warranty_unknown" == (await get(http, f"/v1/warranties/{VIN}-2", 404))["code"]
        document = await get(http, "/openapi.json")
        for path, answer in (("/v1/warranties/{warranty}", shown), ("/v1/claims/{claim}", claimed)):
            promised = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            assert [] == errors(document, promised, answer), path
