"""HTTPS by certificate files: whoever has not shaken hands yet is counted, and takes nothing more."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import aiohttp
import pytest
from support.backend import SingleNode, serving
from support.certificates import a_certificate
from support.chain import Chain
from support.life import VIN, Life

from node.rpc import listener


async def ended(writer: asyncio.StreamWriter) -> None:
    """Whatever the other end says to it."""
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_tls_by_certificate_files(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path)

    async def ask() -> None:
        async with serving(tls_certificate=certificate, tls_key=key) as (_, server, _):
            assert server.url.startswith("https://")
            context = ssl.create_default_context(cafile=certificate)
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"https://localhost:{server.port}/v1/status", ssl=context) as answer,
            ):
                assert "bmw-test" == (await answer.json())["chain_id"]

    asyncio.run(ask())


def test_plain_reads_are_answered_over_one_tls_connection_up_to_the_rate_limit(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path)
    limits = {"is_loopback_limited": True, "requests_per_second": 0.001, "request_burst": 3}

    async def ask() -> None:
        node = SingleNode(Life(Chain()).to("born").chain)
        async with serving(node, tls_certificate=certificate, tls_key=key, **limits) as (_, server, _):
            context = ssl.create_default_context(cafile=certificate)
            async with asyncio.timeout(20), aiohttp.ClientSession() as http:
                statuses = []
                for _ in range(5):
                    url = f"https://localhost:{server.port}/v1/vehicles/{VIN}"
                    async with http.get(url, ssl=context) as answer:
                        statuses.append(answer.status)
                        assert (VIN if answer.status == 200 else None) == (await answer.json()).get("vin")
                assert [200, 200, 200, 429, 429] == statuses
                assert 1 == server.connections.open

    asyncio.run(ask())


def test_silent_connections_are_counted_before_their_handshake_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one address takes all descriptors of a validator, with connections that say nothing."""
    monkeypatch.setattr(listener, "HANDSHAKE_S", 2.0)
    certificate, key = a_certificate(tmp_path)
    limits = {"is_loopback_limited": True, "connections_per_address_max": 4}

    async def play() -> None:
        async with serving(tls_certificate=certificate, tls_key=key, **limits) as (_, server, _), asyncio.timeout(30):
            ends = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(12)]
            closed = [asyncio.create_task(reader.read()) for reader, _ in ends]
            while sum(task.done() for task in closed) < 8:
                await asyncio.sleep(0.01)
            assert 4 == server.connections.open == len(server.handshakes)
            await asyncio.wait(closed)
            while server.connections.open:
                await asyncio.sleep(0.01)
            assert not server.handshakes
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"https://localhost:{server.port}/health/live", ssl=False) as answer,
            ):
                assert 200 == answer.status
            for _, writer in ends:
                await ended(writer)

    asyncio.run(play())


def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path)

    async def play() -> None:
        async with serving(tls_certificate=certificate, tls_key=key) as (_, server, _), asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            arriving, leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context(cafile=certificate)
            end = context.wrap_bio(arriving, leaving, server_hostname="localhost")
            while True:
                try:
                    end.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(leaving.read())
                    arriving.write(await reader.read(65_536))
            end.write(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            writer.write(leaving.read())  # the client's last word of the handshake, and its request
            said = b""
            while not said.endswith(b'{"live":true}'):
                arriving.write(await reader.read(65_536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    while True:
                        said += end.read()
            await ended(writer)

    asyncio.run(play())


@pytest.mark.parametrize("turns", range(12))
def test_a_server_stops_while_hands_are_shaken(turns: int, tmp_path: Path) -> None:
    """However far the connection has come: so many turns of the loop after it was made."""
    certificate, key = a_certificate(tmp_path)
    trusted = ssl.create_default_context(cafile=certificate)
    complaints: list[dict] = []

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with serving(tls_certificate=certificate, tls_key=key) as (_, server, _), asyncio.timeout(20):
            dialling = asyncio.create_task(
                asyncio.open_connection("127.0.0.1", server.port, ssl=trusted, server_hostname="localhost")
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            await server.stop()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                _, writer = await dialling
                await ended(writer)
            while server.connections.open or server.handshakes:
                await asyncio.sleep(0.01)

    asyncio.run(play())
    assert [] == complaints
