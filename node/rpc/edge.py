"""The edge of the server: rate limit, CORS, errors and counters, the same for every request."""

from __future__ import annotations

import traceback
from time import monotonic

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from node.errors import Rejected
from node.log import log
from node.rpc.backend import NotAdmitted, Syncing
from node.rpc.call import Rpc
from node.rpc.limiter import TokenBuckets, is_loopback, party_of
from node.rpc.problems import Problem, http_problem, language_of, problem_of
from node.rpc.stream import CORS

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Content-Type, Accept, Accept-Language, If-None-Match, Last-Event-ID",
    "Access-Control-Max-Age": "600",
}


class Edge:
    """The rate limit and CORS before a request is answered; problems, height and counters after."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc, self._config = rpc, rpc.config
        self._buckets = TokenBuckets(rpc.config.requests_per_second, rpc.config.request_burst)

    def middleware(self) -> Middleware:
        """The edge of what the router answers."""

        @web.middleware
        async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.passed(request, handler)

        return edge

    async def passed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Call the handler between the checks before it and the headers and counters after it."""
        began = monotonic()
        origin = request.headers.get("Origin")
        cors = self._cors_headers(origin) if origin else None
        if cors:
            request[CORS] = cors
        response: web.StreamResponse
        try:
            self.take(request.remote or "")
            if cors and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                response = web.Response(status=204, headers=_PREFLIGHT)
            else:
                response = await handler(request)
        except Exception as error:
            response = self._refusal(request, error).response()
        if not response.prepared:
            if "X-Chain-Height" not in response.headers:
                response.headers["X-Chain-Height"] = str(self._rpc.backend.reader().height())
            if cors:
                response.headers.update(cors)
        resource = request.match_info.route.resource
        method, path = ("any", "unrouted") if resource is None else (request.method, resource.canonical)
        self._rpc.counters.add(method, path, response.status, monotonic() - began)
        return response

    def _cors_headers(self, origin: str) -> dict[str, str]:
        """Empty unless the origin is allowed."""
        if not {"*", origin} & set(self._config.cors_origins):
            return {}
        exposed = "X-Chain-Height, X-Genesis-Hash, Retry-After, ETag"
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": exposed, "Vary": "Origin"}

    def _is_limited(self, address: str) -> bool:
        return self._config.is_loopback_limited or not is_loopback(address)

    def is_spent(self, address: str) -> bool:
        """Whether one more request of this address now is above the rate limit."""
        return self._is_limited(address) and self._buckets.is_spent(party_of(address), monotonic())

    def take(self, address: str) -> None:
        """Count a request. Raises `Problem` above the rate limit."""
        if not self._is_limited(address):
            return
        wait = self._buckets.take(party_of(address), monotonic())
        if wait:
            text = f"more than {self._config.requests_per_second:g} requests a second from this address"
            raise Problem("rate_limited", text, headers={"Retry-After": str(max(1, round(wait)))})

    def _refusal(self, request: web.Request, error: Exception) -> Problem:
        if isinstance(error, web.HTTPException):
            return http_problem(error, request, self._config.body_bytes_max)
        if isinstance(error, Problem | Rejected | NotAdmitted | Syncing):
            return problem_of(error, language_of(request.headers.get("Accept-Language", "")))
        why = "".join(traceback.format_exception(error))
        log("request_failed", "error", {"method": request.method, "path": request.path, "why": why})
        return Problem("internal", "the node failed on this request; its log says why")
