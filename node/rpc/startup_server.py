"""What is answered while a node has no chain to answer from: it lives, is not ready, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from node.rpc.config import RpcConfig
from node.rpc.listener import Listener
from node.rpc.metrics import METRICS_TYPE, RouteCounters, render_metrics
from node.rpc.problems import Problem
from node.rpc.request_parsing import JSON


@dataclass(frozen=True, slots=True)
class StartupStatus:
    """`chunk` of `of` of the snapshot at `height` are here; all 0 while it looks for one."""

    peers: int
    height: int = 0
    chunk: int = 0
    of: int = 0
    left_s: float = 0.0

    def text(self) -> str:
        if not self.of:
            return f"the node looks where the chain stands, {self.peers} peers are linked"
        done = f"chunk {self.chunk} of {self.of}, {self.left_s:.0f} s left"
        return f"the node fetches the snapshot at height {self.height}: {done}"


class StartupServer(Listener):
    """Health and metrics; every other call is answered 503 `syncing` with where the node stands."""

    def __init__(self, config: RpcConfig, status: Callable[[], StartupStatus]) -> None:
        super().__init__(config, lambda: 0)
        self._standing = status
        self._counters = RouteCounters()

    async def start(self) -> None:
        """Raises `OperatorError` naming the mend where the certificate or the port can't be used."""
        app = web.Application(client_max_size=self._config.body_bytes_max)
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_route("*", "/{path:.*}", self._other)
        await self.listen(app)

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode({"live": True}), content_type=JSON)

    async def _ready(self, _: web.Request) -> web.Response:
        reasons = [self._standing().text()]
        return Problem("not_ready", reasons[0], ready=False, reasons=reasons).response()

    async def _metrics(self, _: web.Request) -> web.Response:
        status = self._standing()
        numbers = {
            "is_syncing": 1,
            "peers": status.peers,
            "snapshot_height": status.height,
            "snapshot_chunk": status.chunk,
            "snapshot_chunks": status.of,
            "snapshot_seconds_left": status.left_s,
        }
        text = render_metrics(numbers, self._counters)
        return web.Response(body=text.encode("utf-8"), headers={"Content-Type": METRICS_TYPE})

    async def _other(self, _: web.Request) -> web.Response:
        status = self._standing()
        snapshot = {"height": status.height, "chunk": status.chunk, "of": status.of}
        return Problem("syncing", status.text(), headers={"Retry-After": "5"}, snapshot=snapshot).response()
