"""Plain reads are answered before the router: what they are told is what the router's answer would be."""

from __future__ import annotations

import asyncio

from support.backend import SingleNode, serving
from support.chain import Chain
from support.http import get, over_http
from support.life import VIN, Life

from node.rpc.app import RPC
from node.rpc.moments import moment_of
from node.txtypes.registry import FAMILIES

CAR = f"/v1/vehicles/{VIN}"


def values_of(chain: Chain) -> list[str]:
    """The paths of one value of each family that has any."""
    paths = []
    for family in FAMILIES.values():
        first = next(iter(chain.store.values(family)), None)
        if family.view is not None and first is not None:
            paths.append(f"{family.path}/{first[0]}")
    return paths


async def told(port: int, path: str, *lines: str, start: str = "GET {} HTTP/1.1") -> tuple[str, dict[str, str], bytes]:
    """(status line, headers, body) of an answer to a raw request, whose connection may stay open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join((start.format(path), "Host: a", *lines, "", "")).encode())
    status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers = dict(field.split(": ", 1) for field in fields)
    length = 0 if start.startswith("HEAD") else int(headers["Content-Length"])
    body = await reader.readexactly(length)
    writer.close()
    assert headers.pop("Date").endswith(" GMT")
    return status, headers, body


@over_http
async def test_the_router_gives_the_same_answer_with_the_same_headers() -> None:
    life = Life(Chain()).to("paid")
    async with serving(SingleNode(life.chain)) as (_, server, _), asyncio.timeout(20):
        paths = values_of(life.chain)
        assert len(paths) >= 6
        for path in paths:
            status, headers, body = plain = await told(server.port, path)
            assert ("HTTP/1.1 200 OK", str(len(body))) == (status, headers["Content-Length"]), path
            assert plain == await told(server.port, path, "Accept: application/*"), path
            assert plain == await told(server.port, path, "Origin: https://other.example"), path
            assert plain == await told(server.port, path + "?height=0"), path
            assert (status, headers, b"") == await told(server.port, path, start="HEAD {} HTTP/1.1"), path
            closed = (status, headers | {"Connection": "close"}, body)
            assert closed == await told(server.port, path, "Connection: close"), path
            old = await told(server.port, path, "Connection: keep-alive", start="GET {} HTTP/1.0")
            assert ("HTTP/1.0 200 OK", headers | {"Connection": "keep-alive"}, body) == old, path


@over_http
async def test_one_connection_gets_many_answers_in_order() -> None:
    life = Life(Chain()).to("listed")
    async with serving(SingleNode(life.chain)) as (_, server, _), asyncio.timeout(20):
        single = [(await told(server.port, path))[2] for path in values_of(life.chain)]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write("".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n" for path in values_of(life.chain)).encode())
        for body in single:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert f"Content-Length: {len(body)}\r\n" in head
            assert body == await reader.readexactly(len(body))
        writer.close()


@over_http
async def test_a_read_that_is_not_plain_is_answered_by_the_router() -> None:
    life = Life(Chain()).to("born")
    tag = moment_of(life.chain.store).etag
    async with serving(SingleNode(life.chain)) as (_, server, http), asyncio.timeout(20):
        assert "304" in (await told(server.port, CAR, f"If-None-Match: {tag}", start="HEAD {} HTTP/1.1"))[0]
        assert "417" in (await told(server.port, CAR, "Expect: 200-ok"))[0]
        assert "not_acceptable" == (await get(http, CAR, 406, Accept="text/html"))["code"]
        assert "malformed" == (await get(http, "/v1/vehicles/x", 400))["code"]
        assert "unknown_parameter" == (await get(http, CAR + "?hight=1", 400))["code"]
        assert "not_found" == (await get(http, CAR + "/", 404))["code"]
        assert VIN == (await get(http, f"/v1/vehicles/%57{VIN[1:]}"))["vin"]


@over_http
async def test_a_plain_read_passes_the_edge() -> None:
    settings = {"requests_per_second": 0.001, "request_burst": 3, "is_loopback_limited": True}
    life = Life(Chain()).to("born")
    async with serving(SingleNode(life.chain), **settings) as (_, server, http), asyncio.timeout(20):
        await get(http, CAR)
        assert "vehicle_unknown" == (await get(http, "/v1/vehicles/WBA8E9G50GNU99999", 404))["code"]
        await get(http, CAR, Accept="application/*")
        assert "rate_limited" == (await get(http, CAR, 429))["code"]
        counted = {key: count for key, (count, _) in server.app[RPC].counters.totals.items()}
        route = "/v1/vehicles/{vin}"
        assert {("GET", route, 200): 2, ("GET", route, 404): 1, ("GET", route, 429): 1} == counted


@over_http
async def test_a_page_of_an_allowed_origin_can_read_it() -> None:
    origin = "https://shop.example"
    async with serving(SingleNode(Life(Chain()).to("born").chain), cors_origins=(origin,)) as (_, server, _):
        _, headers, _ = await told(server.port, CAR, f"Origin: {origin}")
        assert origin == headers["Access-Control-Allow-Origin"]


@over_http
async def test_a_block_ends_what_is_rendered() -> None:
    life = Life(Chain()).to("born")
    async with serving(SingleNode(life.chain)) as (node, server, _), asyncio.timeout(20):
        _, before, body = await told(server.port, CAR)
        assert (before, body) == (await told(server.port, CAR))[1:]
        node.produce()
        _, after, later = await told(server.port, CAR)
        assert int(before["X-Chain-Height"]) + 1 == int(after["X-Chain-Height"])
        assert before["ETag"] != after["ETag"] and body != later
