"""The nodes' interface below `/v1`, passed through at the same origin, as far as the tier lets strangers read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from node.rpc.problems import PROBLEM_TYPE
from web import headers
from web.asking import Site, client_of
from web.nodes import Misread, NodeRefusal, Unreachable, body_of
from web.share import Overloaded
from web.strangers import may_read

GIVEN_ON: Final = ("Accept", "Accept-Language", "If-None-Match", "Last-Event-ID")
GIVEN_BACK: Final = ("Content-Type", "X-Chain-Height", "X-Genesis-Hash", "Retry-After", "ETag", "Content-Disposition")
QUERY_LETTERS_MAX: Final = 2_000
PATH_LETTERS_MAX: Final = 500
Passed = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Passing:
    """Passes requests through. What it refuses itself is a problem document, as the nodes' own refusals are."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/v1/stream", self._answered(self._stream))
        app.router.add_get("/v1/{path:.+}", self._answered(self._answer))

    def _answered(self, pass_on: Passed) -> Passed:
        """`pass_on` where the tier has the path, and problem documents for what goes wrong."""

        async def answer(request: web.Request) -> web.StreamResponse:
            path, query = request.rel_url.raw_path, request.rel_url.raw_query_string
            if len(query) > QUERY_LETTERS_MAX or len(path) > PATH_LETTERS_MAX:
                return problem(400, "malformed", "the path or the query is too long")
            try:
                self._site.nodes.strangers.check_room()
                if not self._site.is_open and not await may_read(self._site, path, set(request.query)):
                    tier = self._site.settings.tier
                    return problem(403, "not_in_tier", f"strangers cannot read this in the tier {tier}")
                return await pass_on(request)
            except Overloaded:
                return problem(503, "overloaded", "too many requests wait for the nodes", **{"Retry-After": "2"})
            except NodeRefusal as refusal:
                status = refusal.status if 400 <= refusal.status < 500 else 502
                return problem(status, refusal.code, refusal.detail[:200])
            except Misread:
                return problem(502, "node_unreadable", "a node's answer cannot be read", **{"Retry-After": "5"})
            except (Unreachable, aiohttp.ClientError, TimeoutError, OSError):
                return problem(502, "node_unreachable", "no node answers", **{"Retry-After": "5"})

        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        async with self._site.nodes.asked(path, request.query, _given_on(request)) as response:
            return web.Response(
                body=await body_of(response), status=response.status, headers=_given_back(response)
            )  # fmt: skip

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Once it has begun, it ends where either side ends, without another word: readers connect again."""
        party = self._site.streams.enter(client_of(request, is_forwarded=self._site.settings.forwarded))
        if party is None:
            return problem(503, "streams_full", "no more event streams are served now", **{"Retry-After": "10"})
        stream: web.StreamResponse | None = None
        try:
            asked = self._site.nodes.asked(
                request.rel_url.raw_path, request.query, _given_on(request), is_stream=True
            )  # fmt: skip
            async with asked as response:
                stream = web.StreamResponse(status=response.status, headers=_given_back(response) | headers.SECURITY)
                stream.headers["Cache-Control"] = headers.NOT_KEPT
                await stream.prepare(request)
                async for chunk in response.content.iter_any():
                    await stream.write(chunk)
        except (aiohttp.ClientError, TimeoutError, OSError):
            if stream is None or not stream.prepared:
                raise
            stream.force_close()
        finally:
            self._site.streams.leave(party)
        return stream


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
