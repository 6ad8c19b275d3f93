"""The application: routes, and the one middleware that every request passes."""

from __future__ import annotations

import traceback
from time import monotonic

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from node.errors import Rejected
from node.log import log
from node.rpc.backend import Backend, NotAdmitted, Syncing
from node.rpc.config import RpcConfig
from node.rpc.limiter import TokenBuckets, is_loopback, party_of
from node.rpc.openapi import openapi_document
from node.rpc.problems import Problem, http_problem, language_of, problem_of
from node.rpc.routes import ROUTES, Route, Rpc
from node.rpc.stream import CORS

RPC: web.AppKey[Rpc] = web.AppKey("rpc", Rpc)
_UNROUTED = "unrouted"


def make_app(backend: Backend, config: RpcConfig) -> web.Application:
    """The whole HTTP interface over a backend."""
    rpc = Rpc(backend, config)
    rpc.openapi = openapi_document(ROUTES, backend.genesis.chain_id, config)
    app = web.Application(client_max_size=config.body_bytes_max, middlewares=[_edge(rpc)])
    app[RPC] = rpc
    for route in ROUTES:
        path = route.path.replace("{key}", "{key:.+}")
        app.router.add_route(route.method, path, _bound(rpc, route))
        if route.method == "GET":
            app.router.add_route("HEAD", path, _bound(rpc, route))

    async def start(_: web.Application) -> None:
        await rpc.streams.start()

    async def stop(_: web.Application) -> None:
        await rpc.streams.stop()

    app.on_startup.append(start)
    app.on_shutdown.append(stop)
    return app


def _bound(rpc: Rpc, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await route(rpc, request)

    return handle


def _edge(rpc: Rpc) -> Middleware:
    """Limits before, problem documents, height and counters after."""
    backend, config, counters = rpc.backend, rpc.config, rpc.counters
    buckets = TokenBuckets(config.requests_per_second, config.request_burst)

    def admit(address: str) -> None:
        if is_loopback(address) and not config.is_loopback_limited:
            return
        wait = buckets.take(party_of(address), monotonic())
        if wait:
            raise Problem(
                "rate_limited",
                f"more than {config.requests_per_second:g} requests a second from this address",
                headers={"Retry-After": str(max(1, round(wait)))},
            )

    def refusal(request: web.Request, error: Exception) -> Problem:
        if isinstance(error, web.HTTPException):
            return http_problem(error, request.path, config.body_bytes_max)
        if isinstance(error, Problem | Rejected | NotAdmitted | Syncing):
            return problem_of(error, language_of(request.headers.get("Accept-Language", "")))
        why = "".join(traceback.format_exception(error))
        log("request_failed", "error", {"method": request.method, "path": request.path, "why": why})
        return Problem("internal", "the node failed on this request; its log says why")

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = monotonic()
        origin = _allowed_origin(request, config) if config.cors_origins else ""
        if origin:
            request[CORS] = _cors_headers(origin)
        response: web.StreamResponse
        try:
            admit(request.remote or "")
            if origin and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                response = _preflight()
            else:
                response = await handler(request)
        except Exception as error:
            response = refusal(request, error).response()
        if not response.prepared:
            headers = response.headers
            if "X-Chain-Height" not in headers:
                headers["X-Chain-Height"] = str(backend.reader().height())
            if origin:
                headers.update(_cors_headers(origin))
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else _UNROUTED
        method = request.method if resource is not None else "any"
        counters.add(method, path, response.status, monotonic() - began)
        return response

    return edge


def _allowed_origin(request: web.Request, config: RpcConfig) -> str:
    origin = request.headers.get("Origin", "")
    if origin and ("*" in config.cors_origins or origin in config.cors_origins):
        return origin
    return ""


def _cors_headers(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "X-Chain-Height, X-Genesis-Hash, Retry-After",
        "Vary": "Origin",
    }


def _preflight() -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": "Content-Type, Accept, Accept-Language, Last-Event-ID",
            "Access-Control-Max-Age": "600",
        },
    )
