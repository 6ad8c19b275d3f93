"""Inbound connections before their handshake. When full, evict the oldest of the busiest address; refuse no newcomer.

Before the handshake we can't know whether a newcomer is a member. Handshakes are computed at a bounded rate, the newest
first: older ones are about to be evicted, and serving them in order would serve none in time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.p2p.connection import Unfinished
from node.p2p.eviction import address_of
from node.p2p.framing import goodbye, handshake_frame
from node.token_bucket import TokenBucket

PENDING_MAX: Final = 256
PENDING_PER_ADDRESS_MAX: Final = 96
"""Unfinished handshakes in total and per address. A member that shares its address with a flood is evicted only after
this many newer arrivals."""
HANDSHAKES_PER_S: Final = 1_000
"""Handshakes computed per second, each in about 0.2 ms; as many again for known addresses: those of configured peers
and those that members have published."""


@dataclass(eq=False, slots=True)
class PendingHandshake:
    """An inbound connection whose handshake is not finished. `grant` completes when the handshake may be computed."""

    address: str
    is_known: bool
    writer: asyncio.StreamWriter
    grant: asyncio.Future[None] | None = None


class _Grants:
    """Rate-limited permissions to compute a handshake, newest first; for known or for unknown addresses."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._bucket = TokenBucket(HANDSHAKES_PER_S, HANDSHAKES_PER_S / 2, clock())
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, pending: PendingHandshake) -> None:
        if not self._waiting and self._bucket.try_take(1, self._clock()):
            return
        pending.grant = asyncio.get_running_loop().create_future()
        self._waiting.append(pending.grant)
        self._schedule()
        await pending.grant

    def _schedule(self) -> None:
        if self._timer is None:
            delay = max(1, self._bucket.wait_ms(self._clock(), 1)) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._grant)

    def _grant(self) -> None:
        self._timer = None
        now = self._clock()
        while self._waiting and self._bucket.left(now) >= 1:
            grant = self._waiting.pop()
            if not grant.done():
                grant.set_result(None)
                self._bucket.take(1, now)
        if self._waiting:
            self._schedule()


class HandshakeQueue:
    """All pending handshakes, in order of arrival."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._pending: dict[PendingHandshake, None] = {}
        self._grants = {is_known: _Grants(clock) for is_known in (True, False)}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._pending)

    def enter(self, host: str, writer: asyncio.StreamWriter, *, is_known: bool) -> PendingHandshake:
        """Add a connection. Always succeeds; another one may be evicted."""
        pending = PendingHandshake(address_of(host), is_known, writer)
        same_address = sum(1 for other in self._pending if other.address == pending.address)
        if same_address >= PENDING_PER_ADDRESS_MAX:
            self._drop_oldest(pending.address)
        elif len(self._pending) >= PENDING_MAX:
            self._drop_oldest(Counter(other.address for other in self._pending).most_common(1)[0][0])
        self._pending[pending] = None
        return pending

    def leave(self, pending: PendingHandshake) -> None:
        self._pending.pop(pending, None)

    async def wait_for_grant(self, pending: PendingHandshake) -> None:
        """Wait until this handshake may be computed. Raises `Unfinished` if it was evicted meanwhile."""
        await self._grants[pending.is_known].wait(pending)
        if pending not in self._pending:
            raise Unfinished("dropped for a newer handshake")

    def _drop_oldest(self, address: str) -> None:
        pending = next(other for other in self._pending if other.address == address)
        self.leave(pending)
        self.dropped += 1
        if pending.grant is not None and not pending.grant.done():
            pending.grant.set_exception(Unfinished("dropped for a newer handshake"))
        pending.writer.write(handshake_frame(goodbye("too many unfinished handshakes from this address")))
        pending.writer.close()
