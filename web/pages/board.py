"""The operator board: the nodes, their alarms and votes; its events; and what to do about each alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import msgspec
from aiohttp import web

from node.rpc.config import SERVER
from node.rpc.stream import EVENT_STREAM, SseWriter, Stalled
from web import headers
from web.asking import Ask, Drawn, Page, PageProblem, Query
from web.board.access import may_see_board
from web.board.alarms import RULES
from web.board.figures import Value, values_of
from web.board.gathering import Seen
from web.passing import problem

BEAT_S: Final = 15.0
STALL_S: Final = 10.0
"""A reader of the events who takes nothing for this long is disconnected."""


class Blank(dict[str, Any]):
    """The values of an entry that the browser fills: every one is empty, at any depth."""

    def __missing__(self, _: str) -> Blank:
        return Blank()

    def __str__(self) -> str:
        return ""


async def board(ask: Ask) -> Drawn:
    """All nodes, and what is wrong."""
    _check(ask)
    ask.query(Query)
    seen = await ask.site.board.look()
    values = None if seen is None else _values(seen, ask)
    context = {"live": values, "nodes": [] if seen is None else seen.nodes, "blank": Blank()}
    return Drawn("board.html", context, is_kept=False)


async def runbook(ask: Ask) -> Drawn:
    """What each alarm means and what to look at first."""
    _check(ask)
    ask.query(Query)
    return Drawn("board_runbook.html", {"rules": RULES}, is_kept=False)


async def events(ask: Ask) -> web.StreamResponse:
    """The values of the board that have changed, as Server-Sent Events: all of them first, then each time something was
    gathered, and a heartbeat where nothing has changed."""
    _check(ask)
    ask.query(Query)
    site, request = ask.site, ask.request
    party = None if site.board.stopping.is_set() else site.streams.enter(ask.client)
    if party is None:
        return problem(503, "streams_full", "no more event streams are served now", **{"Retry-After": "10"})
    site.board.readers += 1
    try:
        told = {"Content-Type": EVENT_STREAM, "Cache-Control": headers.NOT_KEPT, "X-Accel-Buffering": "no", **SERVER}
        response = web.StreamResponse(headers=told | headers.SECURITY)
        if site.settings.tls_certificate:
            response.headers.update(headers.STRICT_TRANSPORT)
        with suppress(ConnectionError):
            await response.prepare(request)
        if request.method == "HEAD" or not response.prepared or request.transport is None:
            return response
        sse = SseWriter(request, response, STALL_S)
        try:
            await _tell(ask, sse)
        except Stalled:
            await sse.close("slow_reader", f"nothing was read for {STALL_S:g} s; connect again")
        except ConnectionError:
            pass
        return response
    finally:
        site.board.readers -= 1
        site.streams.leave(party)


async def _tell(ask: Ask, sse: SseWriter) -> None:
    """Write events until the board stops."""
    board = ask.site.board
    shown: Mapping[str, Value] = {}
    await sse.write(b"retry: 2000\n\n")
    await board.look()
    wrote = monotonic()
    while not board.stopping.is_set():
        told, values = board.told, {} if board.seen is None else _values(board.seen, ask)
        changed = {name: value for name, value in values.items() if shown.get(name) != value}
        if changed:
            await sse.write(b"event: figures\ndata: " + msgspec.json.encode(changed) + b"\n\n")
            shown, wrote = values, monotonic()
        elif monotonic() - wrote >= BEAT_S:
            await sse.write(b"event: beat\ndata: {}\n\n")
            wrote = monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await told.wait()
    await sse.close("shutting_down", "the pages are stopping; connect again")


def _values(seen: Seen, ask: Ask) -> Mapping[str, Value]:
    """The board in the reader's language, made once for all readers of it."""
    tag = ask.words.tag
    found: Mapping[str, Value] | None = seen.drawn.get(tag)
    if found is None:
        found = seen.drawn[tag] = values_of(seen, ask.words, ask.link)
    return found


def _check(ask: Ask) -> None:
    if not may_see_board(ask.request, ask.site.settings):
        raise PageProblem(403, "not_for_strangers")


PAGES: Final = (
    Page("/board", board, "board", asks=False),
    Page("/board/runbook", runbook, "board", asks=False),
    Page("/board/events", events, "board", asks=False),
)
