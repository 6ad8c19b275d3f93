"""The servers of a node: with a chain, all routes and their middleware; without one, health and bootstrap progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from node.rpc.backend import Backend
from node.rpc.call import Rpc, json_response
from node.rpc.config import RpcConfig
from node.rpc.cosigning import Cosigning
from node.rpc.edge import Edge
from node.rpc.listener import Listener
from node.rpc.metrics import METRICS_TYPE, RouteCounters, render_metrics
from node.rpc.openapi import openapi_document
from node.rpc.plain_reads import plain_read
from node.rpc.problems import Problem
from node.rpc.routes import ROUTES, Route
from node.rpc.stream import Streams

RPC: web.AppKey[Rpc] = web.AppKey("rpc", Rpc)
EDGE: web.AppKey[Edge] = web.AppKey("edge", Edge)


class RpcServer(Listener):
    """The HTTP interface over a backend. To make one takes a tenth of a second, most of it for the OpenAPI document."""

    def __init__(self, backend: Backend, config: RpcConfig) -> None:
        super().__init__(config, lambda: backend.reader().height())
        self._made = make_app(backend, config)

    async def start(self) -> None:
        """Raises `OperatorError` if the certificate or the port cannot be used."""
        await self.listen(self._made)
        self.app[RPC].certificate = self.certificate

    def answer_at_once(self, message: RawRequestMessage, address: str) -> bytes | None:
        return plain_read(self._made[RPC], self._made[EDGE], message, address)


def make_app(backend: Backend, config: RpcConfig) -> web.Application:
    """All routes over a backend."""
    document = openapi_document(ROUTES, backend.genesis.chain_id, config)
    witnesses = Cosigning(config.witnesses, backend.genesis_hash)
    rpc = Rpc(backend, config, Streams(backend, config), document, witnesses)
    edge = Edge(rpc)
    app = web.Application(client_max_size=config.body_bytes_max, middlewares=[edge.middleware()])
    app[RPC], app[EDGE] = rpc, edge
    for route in ROUTES:
        path, handler = route.path.replace("{key}", "{key:.+}"), partial(Route.serve, route, rpc)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            app.router.add_route(method, path, handler)
    app.on_startup.append(rpc.streams.start)
    app.on_shutdown.append(rpc.streams.stop)
    app.on_cleanup.append(witnesses.close)
    return app


# --- a node without a chain -----------------------------------------------------------------------------
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
    """HTTP server of a node that loads a snapshot: answers health and metrics, and 503 `syncing` to everything else."""

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
