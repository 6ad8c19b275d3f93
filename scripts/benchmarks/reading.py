"""`GET /v1/vehicles/{vin}` of a store of many cars, against an empty aiohttp handler in the same run."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from benchmarks.grown import network_at, store_with, vin_of
from benchmarks.measure import Measure, processor_s

BAR: Final = 0.6
CONNECTIONS: Final = 8
TURNS: Final = 8
ASKED_MAX: Final = 200_000
"""Vehicles that are asked for, chosen at random."""
NO_BLOCK_MS: Final = 3_600_000
"""Pause after a block while nothing is pending: no block is made during the measurement."""


def _empty(port: int) -> None:
    """A server with one handler that does nothing."""

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/v1/vehicles/{vin}", nothing)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


class _Asking(asyncio.Protocol):
    """One kept connection that asks again as soon as it is answered; cheaper than the servers that it measures."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[None], first: int) -> None:
        self._requests = requests
        self._first = first
        self._done = done
        self._buffer = b""
        self.answered = 0
        self.until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a TCP transport"
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._transport.write(self._requests[(self._first + self.answered) % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._buffer.lower().index(b"content-length: ") + 16
        length = int(self._buffer[at : self._buffer.index(b"\r", at)])
        if len(self._buffer) < head + 4 + length:
            return
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(AssertionError(self._buffer[:400].decode(errors="replace")))
            return
        self._buffer = b""
        self.answered += 1
        if time.perf_counter() >= self.until:
            self._transport.close()
            self._done.set_result(None)
        else:
            self._ask()


async def rate(port: int, requests: list[bytes], seconds: float, begin: int = 0) -> float:
    """Requests answered a second, over connections that are kept; each begins at another place of the list, `begin`
    after its first one."""
    loop, asking = asyncio.get_running_loop(), []
    started = time.perf_counter()
    for index in range(CONNECTIONS):
        done: asyncio.Future[None] = loop.create_future()
        one = _Asking(requests, done, begin + index * len(requests) // CONNECTIONS)
        one.until = started + seconds
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
        asking.append((one, done))
    for _, done in asking:
        await done
    return sum(one.answered for one, _ in asking) / (time.perf_counter() - started)


async def reachable(url: str) -> None:
    for _ in range(200):
        try:
            async with aiohttp.ClientSession() as http, http.get(url + "/v1/vehicles/x") as answer:
                if answer.status != 503:  # it only begins
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def requests_of(vehicles: int, seed: int) -> list[bytes]:
    """Requests for vehicles of a grown state, chosen at random."""
    chosen = random.Random(seed).sample(range(vehicles), min(vehicles, ASKED_MAX))
    return [f"GET /v1/vehicles/{vin_of(index)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for index in chosen]


def measure(folder: Path, vehicles: int, seconds: float, seed: int) -> Measure:
    """Both servers are asked in turns, so that a noisy machine is noisy for both."""
    place = store_with(folder, vehicles, seed)
    requests = requests_of(vehicles, seed)
    with network_at(place, consensus__block_interval_empty_ms=NO_BLOCK_MS) as network:
        node = network.nodes[0]
        node.start()
        server = multiprocessing.get_context("spawn").Process(target=_empty, args=(node.rpc_port + 50,))
        server.start()
        try:
            assert node.process is not None and server.pid is not None, "both are started"
            pids = {node.rpc_port: node.process.pid, node.rpc_port + 50: server.pid}
            rates: dict[int, list[float]] = {port: [] for port in pids}
            taken_s = dict.fromkeys(pids, 0.0)
            for port in pids:
                asyncio.run(reachable(f"http://127.0.0.1:{port}"))
            for turn in range(TURNS):
                begin = turn * len(requests) // CONNECTIONS // TURNS  # none is asked for again while it is kept
                for port, pid in pids.items():
                    before = processor_s(pid)
                    rates[port].append(asyncio.run(rate(port, requests, seconds / TURNS / 2, begin)))
                    taken_s[port] += processor_s(pid) - before
        finally:
            server.terminate()
            server.join()
    ours, empty = (sum(each) / TURNS for each in rates.values())
    requests_each = (sum(each) * seconds / TURNS / 2 for each in rates.values())
    ours_us, empty_us = (1e6 * s / count for s, count in zip(taken_s.values(), requests_each, strict=True))
    return Measure(
        f"GET /v1/vehicles/{{vin}} at {vehicles:,} vehicles",
        ours / empty,
        BAR,
        ours,
        empty,
        "requests/s over those of an empty aiohttp handler",
        details={
            "seed": seed,
            "vehicles": vehicles,
            "asked": len(requests),
            "connections": CONNECTIONS,
            "processor_us": round(ours_us, 1),
            "processor_us_of_the_empty": round(empty_us, 1),
        },
    )
