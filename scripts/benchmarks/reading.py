"""`GET /v1/vehicles/{vin}` of a store of many cars, against an empty aiohttp handler in the same run."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import shutil
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web
from support.life import register
from support.load import LoadChain
from support.processes import running_network

from benchmarks.measure import Measure
from node.cli.local_network import genesis_of
from node.storage.leveldb import LevelStore

BAR = 0.4
CONNECTIONS = 8


def _empty(port: int) -> None:
    """A server with one handler that does nothing."""

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/v1/vehicles/{vin}", nothing)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


class _Asking(asyncio.Protocol):
    """One kept connection that asks again as soon as it is answered; cheaper than the servers that it measures."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._buffer = b""
        self.answered = 0
        self.until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a TCP transport"
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._transport.write(self._requests[self.answered % len(self._requests)])

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


async def _rate(port: int, vins: list[str], seconds: float) -> float:
    """Requests answered a second, over connections that are kept."""
    loop, asking = asyncio.get_running_loop(), []
    started = time.perf_counter()
    for index in range(CONNECTIONS):
        chosen = random.Random(index).sample(vins, len(vins))
        requests = [f"GET /v1/vehicles/{vin} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for vin in chosen]
        done: asyncio.Future[None] = loop.create_future()
        one = _Asking(requests, done)
        one.until = started + seconds
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
        asking.append((one, done))
    for _, done in asking:
        await done
    return sum(one.answered for one, _ in asking) / (time.perf_counter() - started)


async def _reachable(url: str) -> None:
    for _ in range(200):
        try:
            async with aiohttp.ClientSession() as http, http.get(url + "/v1/vehicles/x") as answer:
                if answer.status != 503:  # it only begins
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def measure(vehicles: int, seconds: float, seed: int) -> Measure:
    """Both servers are asked in turns, so that a noisy machine is noisy for both."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        kv = LevelStore(made)
        chain = LoadChain(kv, seed=seed, genesis=genesis_of(4))
        vins = [f"WBA8E9G5{index:09d}" for index in range(vehicles)]
        for start in range(0, vehicles, 500):
            chain.produce(*(chain.sign("bmw", register(vin)) for vin in vins[start : start + 500]))
        kv.close()
        with running_network(Path(folder) / "net", start=False) as network:
            node = network.nodes[0]
            shutil.rmtree(node.home.store, ignore_errors=True)
            shutil.copytree(made, node.home.store)
            node.start()
            server = multiprocessing.get_context("spawn").Process(target=_empty, args=(node.rpc_port + 50,))
            server.start()
            try:
                ports = (node.rpc_port, node.rpc_port + 50)
                rates: dict[int, list[float]] = {port: [] for port in ports}
                for port in ports:
                    asyncio.run(_reachable(f"http://127.0.0.1:{port}"))
                for _ in range(4):
                    for port in ports:
                        rates[port].append(asyncio.run(_rate(port, vins, seconds / 8)))
            finally:
                server.terminate()
                server.join()
    ours, empty = (sum(rates[port]) / len(rates[port]) for port in ports)
    return Measure(
        f"GET /v1/vehicles/{{vin}} at {vehicles:,} vehicles",
        ours / empty,
        BAR,
        ours,
        empty,
        "requests/s over those of an empty aiohttp handler",
        details={"seed": seed, "vehicles": vehicles, "connections": CONNECTIONS},
    )
