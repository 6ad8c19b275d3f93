"""A linked peer: decodes its messages, applies rate limits and quota, and passes them to the network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from node.p2p.connection import Clock, Link
from node.p2p.fair_share import PeerQuota, Shares
from node.p2p.rate_limits import RateLimits
from node.p2p.wire import WireMessage, decode_wire

OVER_BUDGET_WEIGHT: Final = 2
"""Score for each message over its rate limit."""
OVERDRAWN_POLL_S: Final = 0.1
OVERDRAWN_WEIGHT: Final = 2
"""Score for each second in which nothing was read from a peer because its quota was exceeded."""


@dataclass(frozen=True)
class Service:
    """Callbacks of a peer into the network."""

    handle: Callable[[Peer, WireMessage, int], None]
    misbehaved: Callable[[Peer, str, str, int], None]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    counters: dict[str, int]
    clock: Clock


class Peer:
    """`shares`: the strangers' common quota; None for a member or configured peer, which is never evicted."""

    def __init__(self, ident: int, link: Link, shares: Shares | None, service: Service) -> None:
        self.id = ident
        self.link = link
        self.quota = PeerQuota(shares, service.clock())
        self._is_kept = shares is None
        self.tasks: list[asyncio.Task[None]] = []
        self.pinged_ms = 0
        self.height = -1
        self.oldest = 1
        self.is_leaving = False
        """Being disconnected: its further messages are ignored, so that one flood is one ban."""
        self._rate_limits = RateLimits(service.clock())
        self._service = service
        self._working_off: asyncio.Task[None] | None = None

    @property
    def key(self) -> bytes:
        return self.link.hello.node_key

    @property
    def is_here(self) -> bool:
        return not self.is_leaving and not self.link.is_closed

    def stop(self) -> None:
        for task in (*self.tasks, self._working_off):
            if task is not None and task is not asyncio.current_task():
                task.cancel()

    async def on_raw(self, raw: bytes, begun_ms: int) -> None:
        """Process an encoded message; waits while reading from the peer is paused. Raises `Rejected` if malformed."""
        if not self.is_here:
            return
        service, now = self._service, self._service.clock()
        service.counters["messages_in"] += 1
        started = time.thread_time()
        message = decode_wire(raw)
        kind = type(message)
        self.quota.worked(kind, (time.thread_time() - started) * 1000, 0, now)
        if not self._rate_limits.spend(kind, len(raw), now):
            service.counters["over_budget"] += 1
            if not self._is_kept:  # a member relays messages of others, and its processor time is charged anyway
                service.misbehaved(self, "over_budget", f"too many {kind.__name__} messages", OVER_BUDGET_WEIGHT)
        elif self.quota.is_due(kind, self.link.queued_bytes, now):
            self._handle(message, begun_ms)
        else:
            service.counters["put_off"] += 1
            self.quota.put_off(message, begun_ms, len(raw))
            if self._working_off is None or self._working_off.done():
                self._working_off = service.spawn(self._work_off())
        if self.quota.is_overdrawn(now):
            await self._while_overdrawn()

    def _handle(self, message: WireMessage, begun_ms: int) -> None:
        started = time.thread_time()
        self._service.handle(self, message, begun_ms)
        self.quota.worked(type(message), 0, (time.thread_time() - started) * 1000, self._service.clock())

    async def _work_off(self) -> None:
        """Handle queued messages as the quota allows; ends when the queue is empty."""
        while (first := self.quota.first()) is not None and self.is_here:
            delay = self.quota.wait_ms(type(first.message), self.link.queued_bytes, self._service.clock())
            if not delay:
                self.quota.take()
                self._handle(first.message, first.begun_ms)
            await asyncio.sleep(delay / 1000)

    async def _while_overdrawn(self) -> None:
        waited = 0.0
        while self.is_here and self.quota.is_overdrawn(self._service.clock()):
            await asyncio.sleep(OVERDRAWN_POLL_S)
            waited = waited + OVERDRAWN_POLL_S if self.quota.is_to_blame(self._service.clock()) else 0.0
            if waited >= 1:
                waited -= 1
                text = "its messages take more processor time than its quota"
                self._service.misbehaved(self, "over_share", text, OVERDRAWN_WEIGHT)
