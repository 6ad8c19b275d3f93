"""The servers of a node: with a chain, all routes and their middleware; without one, health and bootstrap progress."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from node.errors import Rejected
from node.log import log
from node.rpc.backend import Backend, NotAdmitted, Syncing
from node.rpc.call import Rpc, json_response
from node.rpc.config import RpcConfig
from node.rpc.cosigning import Cosigning
from node.rpc.limiter import TokenBuckets, is_loopback, party_of
from node.rpc.listener import Listener
from node.rpc.metrics import METRICS_TYPE, RouteCounters, render_metrics
from node.rpc.openapi import openapi_document
from node.rpc.problems import Problem, http_problem, language_of, problem_of
from node.rpc.routes import ROUTES, Route
from node.rpc.stream import CORS, Streams

RPC: web.AppKey[Rpc] = web.AppKey("rpc", Rpc)


class RpcServer(Listener):
    """The HTTP interface over a backend. To make one takes a tenth of a second, most of it for the OpenAPI document."""

    def __init__(self, backend: Backend, config: RpcConfig) -> None:
        super().__init__(config, lambda: backend.reader().height())
        self._made = make_app(backend, config)

    async def start(self) -> None:
        """Raises `OperatorError` if the certificate or the port cannot be used."""
        await self.listen(self._made)
        self.app[RPC].certificate = self.certificate


def make_app(backend: Backend, config: RpcConfig) -> web.Application:
    """All routes over a backend."""
    document = openapi_document(ROUTES, backend.genesis.chain_id, config)
    witnesses = Cosigning(config.witnesses, backend.genesis_hash)
    rpc = Rpc(backend, config, Streams(backend, config), document, witnesses)
    app = web.Application(client_max_size=config.body_bytes_max, middlewares=[_middleware(rpc)])
    app[RPC] = rpc
    for route in ROUTES:
        path, handler = route.path.replace("{key}", "{key:.+}"), partial(Route.serve, route, rpc)
        for method in ("GET", "HEAD") if route.method == "GET" else (route.method,):
            app.router.add_route(method, path, handler)
    app.on_startup.append(rpc.streams.start)
    app.on_shutdown.append(rpc.streams.stop)
    app.on_cleanup.append(witnesses.close)
    return app


def _middleware(rpc: Rpc) -> Middleware:
    """The middleware of all requests: rate limit and CORS before the handler; problems, height and counters after."""
    backend, config = rpc.backend, rpc.config
    buckets = TokenBuckets(config.requests_per_second, config.request_burst)

    def admit(address: str) -> None:
        if is_loopback(address) and not config.is_loopback_limited:
            return
        wait = buckets.take(party_of(address), monotonic())
        if wait:
            text = f"more than {config.requests_per_second:g} requests a second from this address"
            raise Problem("rate_limited", text, headers={"Retry-After": str(max(1, round(wait)))})

    def refusal(request: web.Request, error: Exception) -> Problem:
        if isinstance(error, web.HTTPException):
            return http_problem(error, request, config.body_bytes_max)
        if isinstance(error, Problem | Rejected | NotAdmitted | Syncing):
            return problem_of(error, language_of(request.headers.get("Accept-Language", "")))
        why = "".join(traceback.format_exception(error))
        log("request_failed", "error", {"method": request.method, "path": request.path, "why": why})
        return Problem("internal", "the node failed on this request; its log says why")

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = monotonic()
        cors = _cors_headers(request.headers.get("Origin", ""), config)
        if cors:
            request[CORS] = cors
        response: web.StreamResponse
        try:
            admit(request.remote or "")
            if cors and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                response = web.Response(status=204, headers=_PREFLIGHT)
            else:
                response = await handler(request)
        except Exception as error:
            response = refusal(request, error).response()
        if not response.prepared:
            if "X-Chain-Height" not in response.headers:
                response.headers["X-Chain-Height"] = str(backend.reader().height())
            if cors:
                response.headers.update(cors)
        resource = request.match_info.route.resource
        method, path = ("any", "unrouted") if resource is None else (request.method, resource.canonical)
        rpc.counters.add(method, path, response.status, monotonic() - began)
        return response

    return edge


_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Content-Type, Accept, Accept-Language, If-None-Match, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


def _cors_headers(origin: str, config: RpcConfig) -> dict[str, str]:
    """Empty unless the origin is allowed."""
    if not origin or not {"*", origin} & set(config.cors_origins):
        return {}
    exposed = "X-Chain-Height, X-Genesis-Hash, Retry-After, ETag"
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": exposed, "Vary": "Origin"}


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
