"""The HTTP interface of a node without a chain: health, metrics and bootstrap progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from node.rpc.call import json_response
from node.rpc.config import RpcConfig
from node.rpc.listener import Listener
from node.rpc.metrics import METRICS_TYPE, RouteCounters, render_metrics
from node.rpc.problems import Problem


@dataclass(frozen=True, slots=True)
class StartupStatus:
    """Bootstrap progress: `chunk` of `of` chunks of the snapshot at `height`; all 0 while no snapshot is chosen."""

    peers: int
    height: int = 0
    chunk: int = 0
    of: int = 0
    left_s: float = 0.0

    def text(self) -> str:
        if not self.of:
            return f"the node looks for a snapshot, {self.peers} peers are connected"
        done = f"chunk {self.chunk} of {self.of}, {self.left_s:.0f} s left"
        return f"the node downloads the snapshot at height {self.height}: {done}"


class StartupServer(Listener):
    """Serves health and metrics; any other request gets 503 `syncing` with the progress."""

    def __init__(self, config: RpcConfig, status: Callable[[], StartupStatus]) -> None:
        super().__init__(config, lambda: 0)
        self._status = status

    async def start(self) -> None:
        """Raises `OperatorError` if the certificate or the port cannot be used."""
        app = web.Application(client_max_size=self.config.body_bytes_max)
        app.router.add_route("*", "/{path:.*}", self._answer)
        await self.listen(app)

    async def _answer(self, request: web.Request) -> web.Response:
        status = self._status()
        path = request.path if request.method in ("GET", "HEAD") else ""
        if path == "/health/live":
            return json_response({"live": True})
        if path == "/health/ready":
            return Problem("not_ready", status.text(), ready=False, reasons=[status.text()]).response()
        if path == "/metrics":
            chunks = {"snapshot_chunk": status.chunk, "snapshot_chunks": status.of}
            progress = {"snapshot_height": status.height, "snapshot_seconds_left": status.left_s, **chunks}
            text = render_metrics({"is_syncing": 1, "peers": status.peers, **progress}, RouteCounters())
            return web.Response(body=text.encode("utf-8"), headers={"Content-Type": METRICS_TYPE})
        snapshot = {"height": status.height, "chunk": status.chunk, "of": status.of}
        return Problem("syncing", status.text(), headers={"Retry-After": "5"}, snapshot=snapshot).response()
