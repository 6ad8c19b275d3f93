"""Every read of the HTTP interface, over a real socket and a real store."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import msgspec
from support.backend import SingleNode, serving
from support.chain import DAY_MS, Chain, address
from support.disputing import dispute
from support.http import get, over_http
from support.json_schema import errors
from support.life import VIN, Life, accident, attest, km, maintenance, many_cars
from support.specimens import specimen

from node.chain.block import Commit, Committed, decode_commit, decode_committed, decode_header, verify_commit
from node.chain.genesis import genesis_hash, parse_genesis
from node.chain.trust import LightBlock, check_certificate
from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.state_tree import StateProof, verify_state_proof
from node.storage.leveldb import LevelStore
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose
from node.txtypes.members.member import MEMBER
from node.txtypes.parts.battery import battery_key
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.bindings import part_id
from node.txtypes.vehicle.record import next_history_head
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import NodeClient
from wallet.light import LightClient

VIN_2, VIN_3 = "WBA8E9G50GNU12346", "WBA8E9G50GNU12347"
UNKNOWN = "ab" * 32


def a_life(stage: str = "handed_over") -> Life:
    return Life(Chain()).to(stage)


@over_http
async def test_status_names_chain_head_and_node() -> None:
    async with serving(SingleNode(a_life("born").chain)) as (node, _, http):
        shown = await get(http, "/v1/status")
        head = node.chain.store.head()
        assert ("bmw-test", node.genesis_hash.hex()) == (shown["chain_id"], shown["genesis_hash"])
        assert {"height": 1, "id": head.block_id.hex(), "state_root": head.state_root.hex()} == {
            name: shown["head"][name] for name in ("height", "id", "state_root")
        }
        assert "2026-01-02T00:00:00.000Z" == shown["head"]["time"]
        assert (False, True, 3, "0.1.0") == tuple(shown[n] for n in ("syncing", "validator", "peers", "version"))
        assert "bmw" == shown["validator_name"]


@over_http
async def test_readiness_says_why_not() -> None:
    async with serving() as (node, _, http):
        assert {"live": True} == await get(http, "/health/live")
        assert {"ready": True, "reasons": []} == await get(http, "/health/ready")
        ready = node.now_status
        for change, word in (
            ({"is_syncing": True}, "syncing"), ({"halted": "disk full"}, "disk full"), ({"peers": 0}, "no peers"),
            ({"is_clock_off": True}, "clock"),
        ):  # fmt: skip
            node.now_status = replace(ready, **change)
            problem = await get(http, "/health/ready", 503)
            assert "not_ready" == problem["code"]
            assert word in problem["reasons"][0]
            await get(http, "/health/live")


@over_http
async def test_metrics_count_requests_by_route_and_status() -> None:
    async with serving() as (_, _, http):
        await get(http, f"/v1/vehicles/{VIN}", 404)
        await get(http, f"/v1/vehicles/{VIN_2}", 404)
        await get(http, "/no/such/path", 404)
        async with http.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await answer.text()
    assert 'bmw_rpc_requests_total{method="GET",route="/v1/vehicles/{vin}",status="404"} 2' in text
    assert 'bmw_rpc_requests_total{method="any",route="unrouted",status="404"} 1' in text
    assert "\nbmw_height 0\n" in text


@over_http
async def test_the_genesis_answer_is_a_genesis_file() -> None:
    async with serving() as (node, _, http), http.get("/v1/genesis") as answer:
        assert node.genesis_hash == genesis_hash(parse_genesis(await answer.read()))
        assert node.genesis_hash.hex() == answer.headers["X-Genesis-Hash"]


@over_http
async def test_validators_of_the_next_and_of_past_heights() -> None:
    async with serving(SingleNode(a_life("born").chain)) as (node, _, http):
        shown = await get(http, "/v1/validators")
        assert (2, 40) == (shown["height"], shown["total_power"])
        assert {"bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin"} == {
            entry["name"] for entry in shown["validators"]
        }
        assert shown["hash"] == node.chain.store.head().validators.hash.hex()
        assert 1 == (await get(http, "/v1/validators?height=1"))["height"]
        assert "block_unknown" == (await get(http, "/v1/validators?height=3", 404))["code"]


@over_http
async def test_peers() -> None:
    async with serving() as (_, _, http):
        (peer,) = (await get(http, "/v1/peers"))["peers"]
        assert ("dealer-munich", "two", True) == (peer["member_name"], peer["moniker"], peer["is_outbound"])
        assert 0 == peer["score"]


@over_http
async def test_a_block_by_height_id_and_latest_as_json_and_as_canonical_bytes() -> None:
    async with serving(SingleNode(a_life("wholesale").chain)) as (node, _, http):
        store = node.chain.store
        latest = await get(http, "/v1/blocks/latest")
        assert latest == await get(http, "/v1/blocks/2") == await get(http, f"/v1/blocks/{latest['id']}")
        (tx,) = latest["transactions"]
        assert ("title.transfer", VIN) == (tx["type"], tx["body"]["vin"])
        assert store.place(bytes.fromhex(tx["txid"])).height == 2
        async with http.get("/v1/blocks/latest", headers={"Accept": "application/msgpack"}) as answer:
            assert "application/msgpack" == answer.headers["Content-Type"]
            raw = await answer.read()
        assert encode(store.committed(2)) == raw
        verify_commit(decode_committed(raw).commit, node.genesis_hash, store.validators(2))


@over_http
async def test_a_header_is_that_of_its_block_and_is_all_that_a_light_client_needs() -> None:
    async with serving(SingleNode(a_life("wholesale").chain)) as (node, _, http):
        store, block = node.chain.store, await get(http, "/v1/blocks/2")
        shown = await get(http, "/v1/headers/2")
        assert shown == await get(http, "/v1/headers/latest") == await get(http, f"/v1/headers/{block['id']}")
        assert [block[name] for name in ("height", "id", "time")] == [shown[name] for name in ("height", "id", "time")]
        found = store.committed(2)
        assert block["header"] | {"raw": encode(found.block.header).hex()} == shown["header"]
        assert block["commit"] | {"raw": encode(found.commit).hex()} == shown["commit"]
        async with http.get("/v1/headers/2", headers={"Accept": "application/msgpack"}) as answer:
            raw = await answer.read()
        light = msgspec.msgpack.decode(raw, type=LightBlock)
        assert encode(light) == raw
        check_certificate(light, node.genesis_hash, store.validators(2))
        for reference, status, code in (("3", 404, "block_unknown"), ("abc", 400, "malformed")):
            assert code == (await get(http, f"/v1/headers/{reference}", status))["code"]


@over_http
async def test_blocks_that_are_not_there() -> None:
    async with serving() as (_, _, http):
        for reference in ("latest", "0", "1", "99999999", UNKNOWN):
            assert "block_unknown" == (await get(http, f"/v1/blocks/{reference}", 404))["code"]
        for reference in ("-1", "abc", "12345678901234567", "1e3"):
            assert "malformed" == (await get(http, f"/v1/blocks/{reference}", 400))["code"]
        for path, accept, status, code in (
            ("/v1/blocks/7", "application/msgpack", 404, "block_unknown"),
            ("/v1/blocks/abc", "application/msgpack", 400, "malformed"),
            ("/v1/blocks?limit=1001", "application/msgpack", 422, "limit_too_large"),
            ("/v1/blocks?from=1", "image/png", 406, "not_acceptable"),
            ("/v1/blocks/1", "image/png", 406, "not_acceptable"),
        ):
            async with http.get(path, headers={"Accept": accept}) as answer:
                problem = await answer.json(content_type="application/problem+json")
                assert (status, code, "0") == (answer.status, problem["code"], answer.headers["X-Chain-Height"])


@over_http
async def test_pages_of_blocks_meet_without_gap() -> None:
    async with serving(SingleNode(a_life().chain)) as (node, _, http):
        heights, path = [], "/v1/blocks?from=2&limit=3"
        while path:
            page = await get(http, path)
            heights += [block["height"] for block in page["blocks"]]
            path = f"/v1/blocks?limit=3&cursor={page['cursor']}" if page["cursor"] else ""
        assert list(range(2, 10)) == heights
        assert [] == (await get(http, "/v1/blocks?from=500"))["blocks"]
        async with http.get("/v1/blocks?from=8", headers={"Accept": "application/msgpack"}) as answer:
            found = msgspec.msgpack.decode(await answer.read(), type=list[Committed])
        assert [node.chain.store.committed(8), node.chain.store.committed(9)] == found
        async with http.get("/v1/blocks?from=10", headers={"Accept": "application/msgpack"}) as answer:
            assert (b"\x90", "9") == (await answer.read(), answer.headers["X-Chain-Height"])


@over_http
async def test_a_vehicle_with_regions_summary_and_verdict() -> None:
    life = a_life("paid")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        shown = await get(http, f"/v1/vehicles/{VIN}")
        assert ("reserved", "born", "none") == (shown["summary"], shown["existence"], shown["registration"]["status"])
        assert ("dealer-munich", to_text(address("dealer-munich"))) == (shown["holder_name"], shown["holder"])
        assert life.order.hex() == shown["market"]["order"]
        assert ("NO_VERDICT", ["too_few"]) == (shown["verdict"], shown["odometer"]["reasons"])
        assert 150_000 == shown["odometer"]["newest"]["metres"]
        node.produce(
            node.chain.sign("workshop-berlin", maintenance(node.chain, 2_000, event_at_ms=node.chain.now - 1)),
            node.chain.sign("workshop-berlin", accident(node.chain, 170, extent="structural")),
        )
        shown = await get(http, f"/v1/vehicles/{VIN}")
        assert ("CONTESTED", ["decreasing", "one_reading"]) == (shown["verdict"], shown["odometer"]["reasons"])
        brands = [(brand["code"], brand["state"]) for brand in shown["brands"]]
        assert [("collision_structural", "pending")] == brands
        assert node.chain.store.height() == shown["height"]


@over_http
async def test_deadlines_are_evaluated_at_the_heads_time_and_the_cache_never_outlives_a_height() -> None:
    life = a_life("accepted")
    async with serving(SingleNode(life.chain)) as (node, _, http):
        assert "reserved" == (await get(http, f"/v1/vehicles/{VIN}"))["summary"]
        assert "accepted" == (await get(http, f"/v1/orders/{life.order.hex()}"))["status"]
        node.chain.now += 61 * DAY_MS
        node.produce()
        shown = await get(http, f"/v1/vehicles/{VIN}")
        assert ("new", "off") == (shown["summary"], shown["market"]["status"])
        assert "expired" == (await get(http, f"/v1/orders/{life.order.hex()}"))["status"]
        assert "expired" == (await get(http, f"/v1/listings/{life.listing.hex()}"))["status"]


@over_http
async def test_history_has_every_record_once_and_chains_to_the_head() -> None:
    async with serving(SingleNode(a_life().chain)) as (node, _, http):
        records, path = [], f"/v1/vehicles/{VIN}/history?limit=2"
        while path:
            page = await get(http, path)
            assert len(page["records"]) <= 2
            records += page["records"]
            path = f"/v1/vehicles/{VIN}/history?limit=2&cursor={page['cursor']}" if page["cursor"] else ""
        vehicle = node.chain.state(VEHICLE, VIN)
        assert list(range(vehicle.record_count)) == [record["sequence"] for record in records]
        head = bytes(32)
        for record in records:
            head = next_history_head(head, record["sequence"], bytes.fromhex(record["digest"]))
        assert vehicle.history_head.hex() == head.hex() == page["history_head"]
        assert "vehicle.register" == records[0]["kind"] == records[0]["content"]["type"]
        assert ("vehicle.register", "bmw", False) == tuple(records[0][name] for name in ("kind", "author_name", "late"))
        assert ("order.handover", False) == (records[-1]["kind"], records[-1]["late"])
        assert ["verdict:LOGICAL"] == records[-1]["outcome"]
        assert all(len(record["salt"]) == 32 and record["txid"] and record["event_at"] for record in records)


@over_http
async def test_members_by_role_and_in_pages() -> None:
    async with serving() as (node, _, http):
        found, path = [], "/v1/members?limit=4"
        while path:
            page = await get(http, path)
            found += [member["name"] for member in page["members"]]
            path = f"/v1/members?limit=4&cursor={page['cursor']}" if page["cursor"] else ""
        assert sorted(a.name for a in node.genesis.accounts if a.member) == sorted(found)
        dealers = (await get(http, "/v1/members?role=dealer"))["members"]
        assert {"dealer-munich", "dealer-shanghai"} == {member["name"] for member in dealers}
        assert all(to_text(address(member["name"])) == member["address"] for member in dealers)
        first = await get(http, "/v1/members?role=dealer&limit=1")
        second = await get(http, f"/v1/members?role=dealer&limit=1&cursor={first['cursor']}")
        assert dealers == first["members"] + second["members"]
        assert second["cursor"] is None
        assert "did you mean dealer" in (await get(http, "/v1/members?role=dealr", 400))["detail"]


@over_http
async def test_a_proposal_and_its_deadline() -> None:
    chain = Chain()
    ident = chain.do("bmw", GovernancePropose(ParameterSet("keys_per_sponsor_day", 1_000)))
    async with serving(SingleNode(chain)) as (node, _, http):
        shown = await get(http, f"/v1/proposals/{ident.hex()}")
        assert ("open", "parameter.set", [to_text(address("bmw"))]) == (
            shown["status"], shown["action"]["type"], shown["yes"],
        )  # fmt: skip
        node.chain.now = chain.state(PROPOSAL, ident).expires_at_ms
        node.produce()
        assert "expired" == (await get(http, f"/v1/proposals/{ident.hex()}"))["status"]


@over_http
async def test_state_with_its_proof_verifies_from_header_and_certificate_alone() -> None:
    async with serving(SingleNode(a_life().chain)) as (node, _, http):
        for key in (f"vehicle/{VIN}", "chain/params", f"vehicle/{VIN_3}"):
            shown = await get(http, f"/v1/state/{key}?proof=true")
            commit: Commit = decode_commit(bytes.fromhex(shown["commit"]["raw"]))
            verify_commit(commit, node.genesis_hash, node.chain.store.validators(9))
            header = decode_header(bytes.fromhex(shown["header"]["raw"]))
            assert (9, header.state_root.hex()) == (shown["height"], shown["state_root"])
            value = None if shown["value"] is None else bytes.fromhex(shown["value"])
            siblings = tuple(bytes.fromhex(sibling) for sibling in shown["proof"]["siblings"])
            proof = StateProof(bytes.fromhex(shown["proof"]["entries"]), siblings)
            verify_state_proof(key.encode(), value, proof, header.state_root, node.genesis.tree_depth)
            assert (key == f"vehicle/{VIN_3}") == (value is None)
        assert (
            VEHICLE.decode(node.chain.store.state.get(VEHICLE.key(VIN))).model
            == ((await get(http, f"/v1/state/vehicle/{VIN}"))["decoded"]["model"])
        )
        assert "state_unknown" == (await get(http, f"/v1/state/vehicle/{VIN_3}", 404))["code"]
        assert "malformed" == (await get(http, "/v1/state/nonsense", 400))["code"]
        assert "malformed" == (await get(http, "/v1/state/vehicle/%C3%A4", 400))["code"]
        # what can be no key is refused: a proof that it is absent would say nothing and look as if it did
        for wrong in ("vehicle/wba", "account/bmw1qqqq", "cars/1", f"order/{VIN}", "account/" + "AB" * 20):
            assert "malformed" == (await get(http, f"/v1/state/{wrong}?proof=true", 400))["code"], wrong
        by_text = await get(http, f"/v1/state/account/{to_text(address('bmw'))}?proof=true")
        assert by_text == await get(http, f"/v1/state/account/{address('bmw').hex()}?proof=true")
        assert by_text["value"] and by_text["key"] == f"account/{address('bmw').hex()}"


@over_http
async def test_the_wallet_reads_proofs_of_large_buckets() -> None:
    async with serving(SingleNode(many_cars(600, depth=1))) as (node, server, http):
        born, unborn = (f"vehicle/WBA8E9G50GNU{number:05}" for number in (7, 99_999))
        for key in (born, unborn):
            shown = await get(http, f"/v1/state/{key}?proof=true")
            assert shown["proof"]["large"]["count"] > 256 and len(shown["proof"]["entries"]) <= 2 * 128
        client = NodeClient([server.url])
        with tempfile.TemporaryDirectory() as folder:
            light = LightClient(
                node.genesis, Path(folder) / "light.json", client, accept_old_root=True, now_ms=lambda: node.chain.now
            )
            values, _ = await asyncio.to_thread(light.verified_states, (born.encode(), unborn.encode()))
    assert values[unborn.encode()] is None
    assert VEHICLE.decode(values[born.encode()] or b"").model == "330I"


@over_http
async def test_before_the_first_block_a_proof_has_no_header() -> None:
    async with serving() as (node, _, http):
        shown = await get(http, "/v1/state/chain/params?proof=true")
        assert (None, None) == (shown["header"], shown["commit"])
        assert node.chain.store.head().state_root.hex() == shown["state_root"]


_LATER = {"part.bind": {"odometer": km(12_000)}, "software.update": {"odometer": km(12_000)}}


@over_http
async def test_answers_fit_the_schemas_that_openapi_promises() -> None:
    life = a_life()
    life.chain.do("bmw", GovernancePropose(ParameterSet("keys_per_sponsor_day", 1_000)))
    life.chain.do("bmw", specimen("recall.open"))
    ident = life.chain.do("buyer-1", dispute(life.chain, 1)).hex()
    life.chain.do("bmw", specimen("warranty.start", life.chain))
    claim = life.chain.do("workshop-berlin", specimen("warranty.claim", life.chain), "buyer-1").hex()
    mandate = life.chain.do("dealer-munich", specimen("mandate.grant", life.chain)).hex()
    case = life.chain.do("buyer-1", specimen("case.open", life.chain, order=life.order)).hex()
    disputed = life.chain.do("buyer-1", specimen("order.dispute", life.chain, {"order": life.order})).hex()
    for tag in ("part.bind", "software.update", "vehicle.sighting", "vehicle.import", "battery.bind", "battery.health"):
        example = TYPES[tag].EXAMPLE
        life.chain.do(example.sender, specimen(tag, life.chain, **_LATER.get(tag, {})), *example.cosigners)
    life.chain.do("payment-provider-1", attest(life.chain, life.payment, "returned", b"recalled"))
    bound = specimen("part.bind")
    part = part_id(bound.part_class, bound.number, bound.serial).hex()
    battery = battery_key(specimen("battery.bind").battery_id).hex()
    buyer, member = to_text(address("buyer-1")), MEMBER.key(address("bmw")).decode()
    proposal = life.chain.store.block(10).transactions[0]
    txid = life.chain.check(proposal).txid.hex()
    paths = {
        "/v1/status": "", "/health/live": "", "/health/ready": "", "/v1/peers": "", "/v1/genesis": "",
        "/v1/validators": "", "/v1/blocks": "", "/v1/blocks/{block}": "latest",
        "/v1/headers/{block}": "latest", "/v1/state/{key}": member,
        "/v1/proposals/{proposal}": txid, "/v1/transactions/{txid}": txid, "/v1/vehicles/{vin}": VIN,
        "/v1/vehicles/{vin}/history": VIN, "/v1/listings/{listing}": life.listing.hex(),
        "/v1/listings/{listing}/disclosure": life.listing.hex(), "/v1/orders/{order}": life.order.hex(),
        **{f"/v1/orders/{{order}}/{name}": life.order.hex() for name in ("deliveries", "payments", "timeline")},
        "/v1/payments/{payment}": life.payment.hex(), "/v1/accounts/{address}": buyer,
        "/v1/accounts/{address}/vehicles": buyer, "/v1/accounts/{address}/orders": buyer, "/v1/members": "",
        "/v1/listings": "", "/v1/vehicles": "", "/v1/orders": "", "/v1/payments": "", "/v1/accounts": "",
        "/v1/proposals": "", "/v1/members/{address}": to_text(address("bmw")), "/v1/state": "",
        "/v1/vehicles/{vin}/transactions": VIN, "/v1/orders/{order}/transactions": life.order.hex(),
        "/v1/accounts/{address}/transactions": buyer,
        "/v1/codes": "", "/v1/schema": "",
        "/v1/recalls": "", "/v1/recalls/{recall}": f"{address('bmw').hex()}-0016560700",
        "/v1/disputes": "", "/v1/disputes/{dispute}": ident, "/v1/accounts/{address}/conduct": buyer,
        "/v1/members/{address}/conduct": to_text(address("bmw")), "/v1/warranties": "",
        "/v1/warranties/{warranty}": f"{VIN}-1", "/v1/claims": "", "/v1/claims/{claim}": claim,
        "/v1/mandates": "", "/v1/mandates/{mandate}": mandate, "/v1/parts": "", "/v1/parts/{part}": part,
        "/v1/batteries": "", "/v1/batteries/{battery}": battery, "/v1/installed-software": "",
        "/v1/installed-software/{vin}": VIN, "/v1/sightings": "", "/v1/sightings/{vin}": "WBA8E9G50GNU99999",
        "/v1/alerts": "", "/v1/vehicles/{vin}/report": VIN, "/v1/vehicles/{vin}/odometer": VIN,
        "/v1/vehicles/{vin}/parts": VIN, "/v1/vehicles/{vin}/recalls": VIN, "/v1/vehicles/{vin}/sale-readiness": VIN,
        "/v1/cases": "", "/v1/cases/{case}": case, "/v1/sites": "", "/v1/accounts/{address}/obligations": buyer,
        "/v1/order-disputes": "", "/v1/order-disputes/{dispute}": disputed, "/v1/orders/{order}/next": life.order.hex(),
        "/v1/order-claims": "", "/v1/order-claims/{order}": life.order.hex(),
    }  # fmt: skip
    async with serving(SingleNode(life.chain)) as (_, _, http):
        document = await get(http, "/openapi.json")
        untried = {path for path, operations in document["paths"].items() if "get" in operations} - set(paths)
        files = {"/v1/vehicles/{vin}/certificate", "/v1/absence/{vin}", "/v1/orders/{order}/certificate"}
        assert {"/metrics", "/v1/stream", "/openapi.json", "/docs", *files} == untried
        for template, part in paths.items():
            answers = document["paths"][template]["get"]["responses"]["200"]["content"]
            name = template.rpartition("{")[2].split("}")[0]
            keys = "&keys=chain/params,vehicle/WBA8E9G50GNU99999" if template == "/v1/state" else ""
            for query in ("?proof=false" + keys, "?proof=true" + keys) if "state" in template else ("",):
                shown = await get(http, template.replace(f"{{{name}}}", part) + query)
                assert [] == errors(document, answers["application/json"]["schema"], shown), template


@over_http
async def test_the_page_to_try_it_needs_no_other_host() -> None:
    async with serving() as (_, _, http), http.get("/docs") as answer:
        text = await answer.text()
        assert "text/html; charset=utf-8" == answer.headers["Content-Type"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "//" not in text.replace("<!doctype", "")
        assert 'id="guards_unmet"' in text


@over_http
async def test_over_leveldb_the_answers_are_the_same() -> None:
    memory = a_life()
    with tempfile.TemporaryDirectory() as folder:
        store = LevelStore(Path(folder))
        try:
            level = Life(Chain(kv=store)).to("handed_over")
            answers = []
            for chain in (memory.chain, level.chain):
                async with serving(SingleNode(chain)) as (_, _, http):
                    paths = (f"/v1/vehicles/{VIN}", f"/v1/vehicles/{VIN}/history", "/v1/members", "/v1/blocks")
                    answers.append(json.dumps([await get(http, path) for path in paths]))
            assert answers[0] == answers[1]
        finally:
            store.close()
