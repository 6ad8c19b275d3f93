"""Server-Sent Events of committed blocks, resumable by `Last-Event-ID` without gap or duplicate.

A stream reads blocks from the store and waits only for its own client. A client that reads nothing is disconnected.
"""

from __future__ import annotations

import asyncio
import re
import socket
import traceback
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Annotated

from aiohttp import web
from aiohttp.http import StreamWriter
from msgspec import Meta

from node.ledger.family import nearest
from node.log import log
from node.rpc.backend import Backend
from node.rpc.call import Query
from node.rpc.config import SERVER, RpcConfig
from node.rpc.events import EVENTS, BlockEvents, Event, event_text
from node.rpc.limiter import Counted
from node.rpc.moments import WorkShare
from node.rpc.problems import Problem
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

EVENT_STREAM = "text/event-stream"
CORS: web.RequestKey[dict[str, str]] = web.RequestKey("cors", dict)
"""CORS headers of the response. A stream sends its headers itself, before the middleware can add them."""
Filter = Callable[[Event], bool]
_EVENT_ID = re.compile(r"([0-9]{1,16})-([0-9]{1,9})")


class StreamQuery(Query, frozen=True):
    types: Annotated[str, Meta(description=f"comma-separated, of {', '.join(EVENTS)}; left out: all")] = ""
    vin: Annotated[str, Meta(description="only events about this vehicle")] = ""
    account: Annotated[str, Meta(description="only events that this account is a party to")] = ""
    order: Annotated[str, Meta(description="only events about this order")] = ""
    listing: Annotated[str, Meta(description="only events about this listing")] = ""
    from_height: Annotated[int, Meta(ge=0, description="first height; left out: from the next block on")] | None = None


def read_filter(query: StreamQuery) -> Filter:
    """Selects events of the given names that concern all given subjects. A block event concerns none."""
    names = frozenset(query.types.split(",")) if query.types else frozenset(EVENTS)
    for name in sorted(names - set(EVENTS)):
        raise Problem("malformed", f"types: {name[:80]!r} is unknown; {nearest(name, EVENTS)[1]}")
    given = ((VEHICLE, query.vin), (ACCOUNT, query.account), (ORDER, query.order), (LISTING, query.listing))
    subjects = frozenset(family.subject(family.ident.canonical(text)) for family, text in given if text)
    return lambda event: event.name in names and subjects <= event.subjects


def read_start(query: StreamQuery, last_event_id: str, head: int) -> tuple[int, int]:
    """(height, sequence) of the first event. `Last-Event-ID` takes precedence: browsers reconnect to the same URL."""
    if last_event_id:
        match = _EVENT_ID.fullmatch(last_event_id)
        if match is None:
            raise Problem("malformed", f"Last-Event-ID: {last_event_id[:40]!r} is not an id of this stream")
        return int(match[1]), int(match[2]) + 1
    return (head + 1 if query.from_height is None else max(1, query.from_height)), 0


class Streams:
    """All open streams and the task that wakes them after each commit."""

    def __init__(self, backend: Backend, config: RpcConfig) -> None:
        self._backend, self._config = backend, config
        self._events = BlockEvents(backend.genesis_hash)
        most, per_address = config.streams_max, config.streams_per_address_max
        self._count = Counted(most, per_address, is_loopback_limited=config.is_loopback_limited)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    @property
    def open(self) -> int:
        return self._count.open

    async def start(self, _: web.Application) -> None:
        self._task = asyncio.create_task(self._follow())

    async def stop(self, _: web.Application) -> None:
        self.stopping.set()
        self._wake()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _wake(self) -> None:
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()

    async def _follow(self) -> None:
        """If the backend's notices end or fail, streams still read the head at each heartbeat."""
        while True:
            try:
                async with aclosing(self._backend.commits()) as commits:
                    async for _ in commits:
                        self._wake()
            except Exception:
                log("streams_failed", "error", {"why": traceback.format_exc()})
            await asyncio.sleep(1)

    async def serve(self, request: web.Request, query: StreamQuery) -> web.StreamResponse:
        event_filter = read_filter(query)
        head = self._backend.reader().height()
        place = read_start(query, request.headers.get("Last-Event-ID", ""), head)
        party = self._count.enter(request.remote or "")
        if party is None:
            raise Problem("streams_full", "no more event streams are served now", headers={"Retry-After": "10"})
        try:
            headers = {"Content-Type": EVENT_STREAM, "Cache-Control": "no-store", "X-Accel-Buffering": "no", **SERVER}
            response = web.StreamResponse(headers=headers | {"X-Chain-Height": str(head)} | request.get(CORS, {}))
            self._bound_buffer(request)
            with suppress(ConnectionError):
                await response.prepare(request)
            if request.method == "HEAD" or not response.prepared or request.transport is None:
                return response  # not prepared or without transport: the client has disconnected
            sse = SseWriter(request, response, self._config.stream_stall_s)
            try:
                await self._run(sse, event_filter, *place)
            except Stalled:
                await sse.close("slow_reader", f"nothing was read for {self._config.stream_stall_s:g} s; connect again")
            except Problem as problem:
                await sse.close(problem.code, problem.detail)
            except ConnectionError:
                pass
            return response
        finally:
            self._count.leave(party)

    def _bound_buffer(self, request: web.Request) -> None:
        transport = request.transport
        if transport is not None and (sock := transport.get_extra_info("socket")) is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._config.stream_buffer_bytes)
            transport.set_write_buffer_limits(high=self._config.stream_buffer_bytes)

    async def _run(self, sse: SseWriter, event_filter: Filter, height: int, sequence: int) -> None:
        """Write the events from (height, sequence) on until the node stops."""
        await sse.write(b"retry: 1000\n\n")
        while not self.stopping.is_set():
            woken, reader = self._woken, self._backend.reader()
            while height <= reader.height() and not self.stopping.is_set():
                events = await self._events.of(reader, height, WorkShare())
                chosen = [e.text for e in events if e.sequence >= sequence and event_filter(e)]
                if chosen:
                    await sse.write(b"".join(chosen))
                sse.passed = f"{height}-{len(events) - 1}"
                height, sequence = height + 1, 0
            try:
                async with asyncio.timeout(self._config.stream_heartbeat_s):
                    await woken.wait()
            except TimeoutError:
                await sse.heartbeat()
        await sse.close("shutting_down", "the node is stopping; connect again with Last-Event-ID")


class Stalled(Exception):
    """The client has read nothing for `stream_stall_s`."""


def _seen(put: asyncio.Task[None]) -> None:
    """Whoever waited for a write may have gone when it fails: the handler of a client that has disconnected is
    cancelled at the moment in which its connection breaks."""
    if not put.cancelled():
        put.exception()


class SseWriter:
    """Writes one stream."""

    def __init__(self, request: web.Request, response: web.StreamResponse, stall_s: float) -> None:
        self._request, self._response, self._stall_s = request, response, stall_s
        self.passed = ""
        """Id of the last event that was sent or filtered out."""

    async def write(self, data: bytes) -> None:
        """Write in pieces, so that a stalled client is detected whatever the size. Raises `Stalled`."""
        for at in range(0, len(data), 16_384):
            # a separate task: a timeout here must not cancel the transport's own waiter midway
            put = asyncio.ensure_future(self._put(data[at : at + 16_384]))
            put.add_done_callback(_seen)
            try:
                done, _ = await asyncio.wait({put}, timeout=self._stall_s)
            finally:
                if not put.done():
                    put.cancel()
            if not done:
                raise Stalled
            put.result()

    async def _put(self, piece: bytes) -> None:
        await self._response.write(piece)
        await self._request.writer.drain()

    async def heartbeat(self) -> None:
        """A comment, with the id of the last event that was filtered out, so that a reconnect does not scan again."""
        ident = f"id: {self.passed}\n".encode("ascii") if self.passed else b""
        await self.write(b": heartbeat\n" + ident + b"\n")

    async def close(self, code: str, text: str) -> None:
        """End the stream: queue the reason as its last event, and close the connection if the reader is slow."""
        writer, transport = self._request.writer, self._request.transport
        assert isinstance(writer, StreamWriter), "aiohttp's own writer"
        with suppress(ConnectionError):
            await writer.write(event_text("closed", "", {"code": code, "detail": text}), drain=False)
            writer.set_eof()
        if transport is not None and code == "slow_reader":
            transport.close()
            asyncio.get_running_loop().call_later(3 * self._stall_s, self._abort, transport)

    @staticmethod
    def _abort(transport: asyncio.Transport) -> None:
        """A transport that closed meanwhile has no event loop any more: `AttributeError`."""
        with suppress(AttributeError):
            transport.abort()
