"""Plain reads are answered where they are received: what they are told is what the router's answer would be."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest
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
    length = 0 if start.startswith("HEAD") else int(headers.get("Content-Length", 0))
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
async def test_who_has_the_value_is_told_so_with_the_same_headers() -> None:
    life = Life(Chain()).to("paid")
    tag = f"If-None-Match: {moment_of(life.chain.store).etag}"
    async with serving(SingleNode(life.chain)) as (_, server, _), asyncio.timeout(20):
        for path in values_of(life.chain):
            status, _, body = plain = await told(server.port, path, tag)
            assert ("HTTP/1.1 304 Not Modified", b"") == (status, body), path
            assert plain == await told(server.port, path, tag, "Accept: application/*"), path
            assert "200" in (await told(server.port, path, 'If-None-Match: "other"'))[0], path


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


class Written(asyncio.Transport):
    """Takes what a connection writes; nobody reads it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.taken = b""

    def write(self, data: bytes) -> None:
        self.taken += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return len(self.taken)


def asking(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@over_http
async def test_a_plain_read_is_answered_before_anything_else_runs() -> None:
    async with serving(SingleNode(Life(Chain()).to("born").chain)) as (_, server, _), asyncio.timeout(20):
        connection, written = server.connection(), Written()
        connection.connection_made(written)
        await asyncio.sleep(0)  # the task of the connection begins to wait
        for part in (asking(CAR)[:20], asking(CAR)[20:]):
            assert b"" == written.taken
            connection.data_received(part)
        assert written.taken.startswith(b"HTTP/1.1 200 OK") and VIN.encode() in written.taken
        connection.connection_lost(None)


@over_http
async def test_a_plain_read_waits_for_the_request_before_it() -> None:
    async with serving(SingleNode(Life(Chain()).to("born").chain)) as (_, server, _), asyncio.timeout(20):
        connection, written = server.connection(), Written()
        connection.connection_made(written)
        await asyncio.sleep(0)
        connection.data_received(asking("/health/live"))
        connection.data_received(asking(CAR))
        assert b"" == written.taken
        while VIN.encode() not in written.taken:
            await asyncio.sleep(0)
        assert written.taken.index(b'"live"') < written.taken.index(VIN.encode())
        connection.connection_lost(None)


@over_http
async def test_whoever_does_not_read_its_answers_is_given_up() -> None:
    settings = {"stream_stall_s": 0.05}
    async with serving(SingleNode(Life(Chain()).to("born").chain), **settings) as (_, server, _), asyncio.timeout(20):
        end, loop = socket.socket(), asyncio.get_running_loop()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        end.setblocking(False)
        await loop.sock_connect(end, ("127.0.0.1", server.port))
        with contextlib.closing(end), contextlib.suppress(ConnectionError):
            while True:
                await loop.sock_sendall(end, asking(CAR))
                await asyncio.sleep(0)
        while server.connections.open:
            await asyncio.sleep(0.01)


@over_http
async def test_a_connection_of_plain_reads_is_kept_while_they_come_and_closed_when_none_comes() -> None:
    life, loop = Life(Chain()).to("born"), asyncio.get_running_loop()
    async with serving(SingleNode(life.chain), keepalive_s=0.3) as (_, server, _), asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = loop.time()
        while loop.time() < began + 0.9:
            writer.write(asking(CAR))
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await reader.readexactly(int(head.partition("Content-Length: ")[2].partition("\r")[0]))
        assert b"" == await reader.read()
        writer.close()


def test_a_value_that_cannot_be_shown_is_a_failure_told_by_the_application(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @over_http
    async def ask() -> None:
        async with serving(SingleNode(Life(Chain()).to("born").chain)) as (_, _, http), asyncio.timeout(20):
            monkeypatch.setattr(FAMILIES["vehicle"].view, "of", lambda *_: 1 // 0)
            assert "internal" == (await get(http, CAR, 500))["code"]

    ask()
    assert "request_failed" in caplog.text


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
