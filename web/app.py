"""The application: every page in every language, files, the nodes' interface, health; the edge around all of them."""

from __future__ import annotations

import asyncio
import gzip
import traceback
from collections.abc import Awaitable, Callable
from hashlib import sha256
from time import monotonic
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from jinja2 import TemplateError

from node.log import log
from node.rpc.limiter import TokenBuckets, is_loopback, party_of
from node.rpc.metrics import RouteCounters
from web import headers
from web.asking import Ask, Drawn, Page, PageProblem, Site, client_of
from web.metrics import metrics_page, route_of
from web.nodes import Misread, NodeRefusal, Unreachable
from web.pages.table import PAGES
from web.passing import Passing
from web.picture_codes import Pictures
from web.rendering import page_html
from web.share import Overloaded
from web.words import TAGS, preferred, words_of

REPORT_BYTES_MAX: Final = 4_096
GZIP_FROM: Final = 600
"""Bytes of a page from which it is compressed where the browser takes that."""
METHODS: Final = ("GET", "HEAD", "POST")
"""Methods that have metrics of their own."""
_SHAPE: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, TemplateError)
"""What drawing raises of an answer that is JSON, but not of the shape that the interface promises."""
Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(site: Site, pictures: Pictures) -> web.Application:
    """All routes over a site."""
    counters = RouteCounters()
    app = web.Application(client_max_size=64 * 1024, middlewares=[_edge(site, counters)])
    languages = "{lang:" + "|".join(TAGS) + "}"
    for page in PAGES:
        app.router.add_get(f"/{languages}{page.path}", _page(site, page))
    app.router.add_get("/", _home)
    app.router.add_get(f"/{languages}", _home)
    app.router.add_get("/static/{release}/{path:.+}", _static(site))
    app.router.add_get("/manifest.json", _manifest(site))
    app.router.add_get("/health/live", _live)
    app.router.add_get("/health/ready", _ready(site))
    app.router.add_get("/metrics", _metrics(site, counters))
    app.router.add_post("/report", _report)
    pictures.add_to(app)
    Passing(site).add_to(app)
    return app


# --- pages -------------------------------------------------------------------------------------------------------
def _page(site: Site, page: Page) -> Answers:
    async def answer(request: web.Request) -> web.StreamResponse:
        ask = _ask(site, request)
        if page.only_open and not site.is_open:
            raise PageProblem(403, "not_in_tier")
        if page.asks:
            site.nodes.strangers.check_room()
        async with asyncio.timeout(site.settings.node_seconds_max if page.asks else None):
            drawn = await page.draw(ask)
        return drawn if isinstance(drawn, web.StreamResponse) else respond(ask, drawn, page.room)

    return answer


def _ask(site: Site, request: web.Request) -> Ask:
    first = request.path.removeprefix("/").partition("/")[0]  # of `CONNECT` and `OPTIONS *` the path is none
    tag = next((tag for tag in TAGS if tag == first), None)
    path = request.path.removeprefix(f"/{tag}") if tag else "/cars"
    return Ask(request, site, words_of(tag or preferred(request.headers.get("Accept-Language", ""))), path or "/cars")


def respond(ask: Ask, drawn: Drawn, room: str) -> web.Response:
    """A page as an answer: compressed, and 304 where the browser has it."""
    body = page_html(ask, drawn, room)
    tag = f'"{sha256(body).hexdigest()[:24]}"'
    is_kept = drawn.is_kept and drawn.status == 200
    told = {"Cache-Control": headers.KEPT if is_kept else headers.NOT_KEPT, "Content-Language": ask.words.lang,
            "Vary": "Accept-Encoding", "ETag": tag}  # fmt: skip
    if is_kept and ask.request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=told)
    if len(body) >= GZIP_FROM and "gzip" in ask.request.headers.get("Accept-Encoding", ""):
        body, told["Content-Encoding"] = gzip.compress(body, 4, mtime=0), "gzip"
    return web.Response(body=body, status=drawn.status, content_type="text/html", charset="utf-8", headers=told)


async def _home(request: web.Request) -> web.StreamResponse:
    tag = request.match_info.get("lang") or preferred(request.headers.get("Accept-Language", ""))
    raise web.HTTPFound(f"/{tag}/cars", headers={"Vary": "Accept-Language"})


def _problem_page(site: Site, request: web.Request, error: Exception) -> web.Response:
    ask = _ask(site, request)
    match error:
        case PageProblem(status=status, key=key, values=values):
            pass
        case NodeRefusal(status=404):
            status, key, values = 404, "not_found", {}
        case NodeRefusal(status=429) | Overloaded():
            status, key, values = 503, "overloaded", {}
        case NodeRefusal(code=code, status=given):
            status, key, values = (400 if given < 500 else 502), "refused", {"code": code}
        case Misread():
            status, key, values = 502, "unreadable", {}
        case Unreachable():
            status, key, values = 502, "unreachable", {}
        case TimeoutError():
            status, key, values = 504, "slow", {}
        case web.HTTPException(status_code=given):
            status, key, values = given, {404: "not_found", 405: "not_here"}.get(given, "refused"), {"code": given}
        case _:
            why = "".join(traceback.format_exception(error))
            log("page_failed", "error", {"path": request.path, "why": why})
            status, key, values = (502, "unreadable", {}) if isinstance(error, _SHAPE) else (500, "failed", {})
    answer = respond(ask, Drawn("error.html", {"key": key, "values": values, "status": status}, status), "")
    if status in (502, 503, 504):
        answer.headers["Retry-After"] = "5"
    return answer


# --- files and health -------------------------------------------------------------------------------------------
def _static(site: Site) -> Answers:
    async def answer(request: web.Request) -> web.StreamResponse:
        found = site.assets.by_path.get(request.match_info["path"])
        if found is None or request.match_info["release"] != site.assets.release:
            raise web.HTTPNotFound
        told = {"Cache-Control": headers.IMMUTABLE, "Content-Type": found.media_type, "Vary": "Accept-Encoding"}
        if found.gzipped and "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=found.gzipped, headers=told | {"Content-Encoding": "gzip"})
        return web.Response(body=found.body, headers=told)

    return answer


def _manifest(site: Site) -> Answers:
    body = msgspec.json.encode(site.assets.manifest())

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": headers.KEPT})

    return answer


async def _live(_: web.Request) -> web.StreamResponse:
    return web.json_response({"live": True}, headers={"Cache-Control": headers.NOT_KEPT})


def _ready(site: Site) -> Answers:
    async def answer(_: web.Request) -> web.StreamResponse:
        reasons = ([] if site.nodes.is_reachable else ["no node answers"]) + site.model.faults()
        told = {"Cache-Control": headers.NOT_KEPT}
        return web.json_response(
            {"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200, headers=told
        )

    return answer


def _metrics(site: Site, counters: RouteCounters) -> Answers:
    async def answer(_: web.Request) -> web.StreamResponse:
        return metrics_page(site, counters)

    return answer


async def _report(request: web.Request) -> web.StreamResponse:
    """What a browser says that the policy has refused: counted, the first of each directive logged, no body kept."""
    raw = await request.content.read(REPORT_BYTES_MAX)
    try:
        report = msgspec.json.decode(raw)["csp-report"]
        directive, blocked = str(report["violated-directive"])[:60], str(report["blocked-uri"])[:200]
    except (msgspec.DecodeError, KeyError, TypeError):
        raise web.HTTPBadRequest from None
    _tell_once(directive, blocked)
    return web.Response(status=204)


_told: set[str] = set()


def _tell_once(directive: str, blocked: str) -> None:
    if directive not in _told and len(_told) < 100:
        _told.add(directive)
        log("policy_report", "warning", {"directive": directive, "blocked": blocked})


# --- the edge ---------------------------------------------------------------------------------------------------
def _edge(site: Site, counters: RouteCounters) -> Middleware:
    """Limits before the handler; error pages and security headers after it."""
    settings = site.settings
    buckets = TokenBuckets(settings.requests_per_second, settings.request_burst)

    def wait_of(request: web.Request) -> float:
        address = client_of(request, is_forwarded=settings.forwarded)
        if request.path.startswith("/static/") or (is_loopback(address) and not settings.limit_loopback):
            return 0.0
        return buckets.take(party_of(address), monotonic())

    @web.middleware
    async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
        response: web.StreamResponse
        began = monotonic()
        try:
            if wait := wait_of(request):
                raise PageProblem(429, "too_many", seconds=max(1, round(wait)))
            response = await handler(request)
        except web.HTTPRedirection as error:  # the listener answers an exception as a problem, also a returned one
            kept = {name: error.headers[name] for name in ("Location", "Vary") if name in error.headers}
            response = web.Response(status=error.status, headers=kept)
        except Exception as error:
            response = _problem_page(site, request, error)
            if isinstance(error, PageProblem) and error.status == 429:
                response.headers["Retry-After"] = str(error.values["seconds"])
        method = request.method if request.method in METHODS else "other"
        counters.add(method, route_of(request), response.status, monotonic() - began)
        if not response.prepared:
            for name, value in headers.SECURITY.items():
                response.headers.setdefault(name, value)
            if settings.tls_certificate:
                response.headers.update(headers.STRICT_TRANSPORT)
        return response

    return edge
