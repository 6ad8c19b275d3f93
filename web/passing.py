"""The nodes' interface below `/v1`, passed through at the same origin, as far as the tier lets strangers read it."""

from __future__ import annotations

import re
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from node.rpc.problems import PROBLEM_TYPE
from web import headers
from web.asking import Site
from web.nodes import Overloaded, Unreachable

SHOWROOM: Final = re.compile(
    r"/v1/(status|genesis|codes|schema|validators|members(/[^/]+(/conduct)?)?|sites|recalls(/[^/]+)?|headers/[0-9]+"
    r"|listings(/[0-9a-f]{64}(/disclosure)?)?"
    r"|vehicles/[A-HJ-NPR-Z0-9]{17}(/(report|odometer|recalls|sale-readiness|certificate))?"
    r"|absence/[A-HJ-NPR-Z0-9]{17}"
    r"|state/(vehicle|listing|member|frauds|validators|params)(/|%2[Ff])[^/]+)"
)
"""What strangers may read in the tier `showroom`: nothing about accounts, orders, payments or the bodies of blocks."""
GIVEN_ON: Final = ("Accept", "Accept-Language", "If-None-Match", "Last-Event-ID")
GIVEN_BACK: Final = ("Content-Type", "X-Chain-Height", "X-Genesis-Hash", "Retry-After", "ETag", "Content-Disposition")
QUERY_LETTERS_MAX: Final = 2_000


class Passing:
    """Passes requests through. What it refuses itself is a problem document, as the nodes' own refusals are."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/stream", self._stream)
        app.router.add_get("/v1/{path:.+}", self._answer)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            async with self._site.nodes.asked(_path(request), dict(request.query), _given_on(request)) as response:
                body = await response.read()
                return web.Response(body=body, status=response.status, headers=_given_back(response))
        except Overloaded:
            return problem(503, "overloaded", "too many requests wait for the nodes", **{"Retry-After": "2"})
        except (Unreachable, aiohttp.ClientError, TimeoutError, OSError):
            return problem(502, "node_unreachable", "no node answers", **{"Retry-After": "5"})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        party = self._site.streams.enter(request.remote or "")
        if party is None:
            return problem(503, "streams_full", "no more event streams are served now", **{"Retry-After": "10"})
        try:
            asked = self._site.nodes.asked(_path(request), dict(request.query), _given_on(request), timeout_s=None)
            async with asked as response:
                stream = web.StreamResponse(status=response.status, headers=_given_back(response) | headers.SECURITY)
                stream.headers["Cache-Control"] = headers.NOT_KEPT
                await stream.prepare(request)
                async for chunk in response.content.iter_any():
                    await stream.write(chunk)
                return stream
        except Overloaded:
            return problem(503, "overloaded", "too many requests wait for the nodes", **{"Retry-After": "2"})
        except (Unreachable, aiohttp.ClientError, TimeoutError, OSError):
            return problem(502, "node_unreachable", "no node answers", **{"Retry-After": "5"})
        finally:
            self._site.streams.leave(party)

    def _refusal(self, request: web.Request) -> web.Response | None:
        if len(request.rel_url.raw_query_string) > QUERY_LETTERS_MAX:
            return problem(400, "malformed", "the query is too long")
        if not self._site.is_open and not SHOWROOM.fullmatch(_path(request)):
            return problem(403, "not_in_tier", f"the tier {self._site.settings.tier} does not have {request.path[:80]}")
        return None


def _path(request: web.Request) -> str:
    return request.rel_url.raw_path


def _given_on(request: web.Request) -> dict[str, str]:
    return {name: request.headers[name] for name in GIVEN_ON if name in request.headers}


def _given_back(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: response.headers[name] for name in GIVEN_BACK if name in response.headers}


def problem(status: int, code: str, detail: str, **told: str) -> web.Response:
    """A problem document (RFC 9457)."""
    body = msgspec.json.encode(
        {"type": f"about:blank#{code}", "status": status, "code": code, "title": detail, "detail": detail}
    )
    return web.Response(
        body=body, status=status, content_type=PROBLEM_TYPE, headers={"Cache-Control": headers.NOT_KEPT} | told
    )
