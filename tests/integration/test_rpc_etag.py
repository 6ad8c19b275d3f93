"""The ETag of an answer is the same while the head is: a client that has the answer is told 304. Over a real socket and
a real store, and of a real node."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from msgspec import structs
from support.backend import SingleNode, serving
from support.chain import Chain, address
from support.http import get, over_http, post
from support.life import VIN, Life, maintenance
from support.processes import running_network, wait_height

from node.crypto.addresses import to_text
from node.rpc.app import RPC
from node.rpc.call import respond
from node.rpc.moments import moment_at, moment_of
from node.rpc.routes import ROUTES

CAR = f"/v1/vehicles/{VIN}"


def a_life() -> Life:
    return Life(Chain(state_history=3)).to("handed_over")


def paths_of(life: Life, *, is_tagged: bool) -> list[str]:
    """The paths of all routes that have an ETag, or of all others, as far as the life has what they are about."""
    known = {
        "vin": VIN, "order": life.order.hex(), "listing": life.listing.hex(), "payment": life.payment.hex(),
        "address": to_text(address("bmw")), "block": "latest", "key": f"vehicle/{VIN}",
    }  # fmt: skip
    paths = []
    for route in ROUTES:
        if route.method == "GET" and route.is_tagged == is_tagged and route.path != "/v1/stream":
            parts = set(re.findall(r"{(\w+)}", route.path))
            if parts <= set(known):
                paths.append(route.path.format_map(known))
    return paths


async def told(http, path: str, **headers: str) -> tuple[int, str | None, bytes]:
    """(status, ETag, body)."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.get(path, headers=sent) as answer:
        assert answer.headers["X-Chain-Height"].isdecimal()
        assert answer.status != 304 or "Content-Type" not in answer.headers
        assert ("ETag" in answer.headers) == (answer.headers.get("Cache-Control") == "no-cache")
        return answer.status, answer.headers.get("ETag"), await answer.read()


@over_http
async def test_an_answer_counts_until_the_next_block() -> None:
    life = a_life()
    async with serving(SingleNode(life.chain)) as (node, _, http):
        paths = paths_of(life, is_tagged=True)
        assert len(paths) > 40
        answers = {path: await told(http, path) for path in paths}
        head = life.chain.store.head()
        expected = f'"{head.height}-{head.block_id[:8].hex()}-{version("bmw-chain")}"'
        found = {path: (status, etag) for path, (status, etag, _) in answers.items() if status != 404}
        assert {(200, expected)} == set(found.values())
        assert len(found) > 30
        for path in found:
            assert (304, expected, b"") == await told(http, path, If_None_Match=expected), path
            async with http.head(path, headers={"If-None-Match": expected}) as answer:
                assert (304, expected) == (answer.status, answer.headers["ETag"])
        node.produce()
        for path in found:
            status, etag, body = await told(http, path, If_None_Match=expected)
            assert (200, True) == (status, etag not in (None, expected)), path
            assert head.height + 1 == json.loads(body)["height"]


@over_http
async def test_at_one_height_an_answer_is_the_same_whatever_else_changes() -> None:
    life = a_life()
    async with serving(SingleNode(life.chain)) as (node, _, http):
        paths = paths_of(life, is_tagged=True)
        before = {path: await told(http, path) for path in paths}
        raw = life.chain.sign("workshop-berlin", maintenance(life.chain, 9_000))
        assert "pending" == (await post(http, "/v1/transactions", raw=raw, status=202))["status"]
        node.now_status = replace(node.now_status, is_syncing=True, peers=0, round=7, is_clock_off=True)
        for path in paths:
            assert before[path] == await told(http, path, Accept_Language="de"), path


@over_http
async def test_what_depends_on_more_than_the_head_has_none() -> None:
    life = a_life()
    async with serving(SingleNode(life.chain)) as (_, _, http):
        tag = moment_of(life.chain.store).etag
        paths = paths_of(life, is_tagged=False)
        assert {"/health/ready", "/metrics", "/v1/status", "/v1/peers", f"{CAR}/sale-readiness"} <= set(paths)
        for path in paths:
            status, etag, _ = await told(http, path, If_None_Match=tag)
            assert (True, None) == (status != 304, etag), path
        for path, status in ((f"{CAR}?hight=1", 400), ("/v1/vehicles/WBA8E9G50GNU99999", 404), ("/v1/nothing", 404)):
            assert (status, None) == (await told(http, path))[:2]
        assert 400 == (await told(http, f"{CAR}?hight=1", If_None_Match=tag))[0], "a wrong request is told so"


@over_http
async def test_tags_are_compared_one_by_one() -> None:
    life = a_life()
    async with serving(SingleNode(life.chain)) as (_, server, http):
        _, tag, body = await told(http, CAR)
        assert tag is not None
        for given in (tag, f"W/{tag}", f'"other", {tag}', f'{tag},"other"'):
            assert 304 == (await told(http, CAR, If_None_Match=given))[0], given
        for given in ("", "*", '"other"', tag[:-1], tag[1:], tag.replace("-", "0-", 1), tag.strip('"')):
            assert (200, tag, body) == await told(http, CAR, If_None_Match=given), given
        server.app[RPC].at_head().rendered.clear()
        assert 304 == (await told(http, CAR, If_None_Match=tag))[0]
        assert not server.app[RPC].at_head().rendered, "nothing is computed for it"


@over_http
async def test_an_answer_as_of_a_height_is_named_after_that() -> None:
    life = a_life()
    head = life.chain.store.height()
    async with serving(SingleNode(life.chain)) as (_, _, http):
        now = await told(http, CAR)
        assert now == await told(http, f"{CAR}?height={head}")
        then = await told(http, f"{CAR}?height={head - 1}")
        assert (200, moment_at(life.chain.store, head - 1).etag) == then[:2]
        assert then == await told(http, f"{CAR}?height={head - 1}", If_None_Match=then[1])


@over_http
async def test_another_chain_has_other_tags_at_the_same_height() -> None:
    one, other = (
        moment_of(Chain().store),
        moment_of(Chain(structs.replace(Chain().genesis, chain_id="bmw-other")).store),
    )
    assert (0, 0) == (one.height, other.height)
    assert one.etag != other.etag


def test_an_answer_has_the_tag_of_the_moment_that_it_was_read_at() -> None:
    """The head may have moved since."""
    life = a_life()
    moment = moment_of(life.chain.store)
    life.chain.produce()
    answer = respond((moment, {"a": 1}), is_tagged=True)
    assert (moment.etag, str(moment.height)) == (answer.headers["ETag"], answer.headers["X-Chain-Height"])
    assert moment.etag != moment_of(life.chain.store).etag


@over_http
async def test_a_page_of_an_allowed_origin_can_use_it() -> None:
    life, origin = a_life(), "https://shop.example"
    async with serving(SingleNode(life.chain), cors_origins=(origin,)) as (_, _, http):
        tag = (await told(http, CAR))[1]
        preflight = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        async with http.options(CAR, headers=preflight) as answer:
            assert "If-None-Match" in answer.headers["Access-Control-Allow-Headers"]
        async with http.get(CAR, headers={"Origin": origin, "If-None-Match": tag}) as answer:
            assert (304, origin) == (answer.status, answer.headers["Access-Control-Allow-Origin"])
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


@over_http
async def test_metrics_count_what_was_not_sent_again() -> None:
    life = a_life()
    async with serving(SingleNode(life.chain)) as (_, _, http):
        tag = (await told(http, CAR))[1]
        await told(http, CAR, If_None_Match=tag)
        async with http.get("/metrics") as answer:
            assert 'route="/v1/vehicles/{vin}",status="304"} 1' in await answer.text()
        assert VIN == (await get(http, CAR))["vin"]


def asked(url: str, tag: str = "") -> tuple[int, str, int]:
    """(status, ETag, length of the body) of a real node's answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"If-None-Match": tag}), timeout=10) as answer:
            return answer.status, answer.headers["ETag"], len(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers["ETag"], len(error.read())


def test_a_real_node_answers_304_until_its_next_block(tmp_path: Path) -> None:
    with running_network(tmp_path, 1, consensus__block_interval_empty_ms=3_000) as network:
        node = network.nodes[0]
        wait_height(network.nodes, 1)
        url = f"http://127.0.0.1:{node.rpc_port}/v1/members"
        for _ in range(3):  # a block may come between two requests
            status, tag, length = asked(url)
            again, same, nothing = asked(url, tag)
            assert (200, True) == (status, length > 0)
            if again == 304:
                break
        assert (304, tag, 0) == (again, same, nothing)
        wait_height(network.nodes, int(tag.strip('"').split("-")[0]) + 1)
        assert (200, True) == ((later := asked(url, tag))[0], later[1] != tag)
