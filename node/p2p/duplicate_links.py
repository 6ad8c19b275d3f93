"""Two links with one node key: which of them has the place. A key is connected once, whoever dials it how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from node.p2p.connection import Clock, Link
from node.p2p.peer import Peer
from node.p2p.wire import KEY_IN_USE, Ping

TAKEOVER_MS = 1_500
"""How long an old link with the same node key has to show that it lives before a new one replaces it."""
SIMULTANEOUS_MS = 2_000
"""Two links that are no further apart come from both sides' dialling at once."""


class DuplicateLinks:
    """`holder`: the peer that has a key's place; `drop`: takes it from the peer with this number."""

    def __init__(
        self, own: bytes, holder: Callable[[bytes], Peer | None], drop: Callable[[int], None], clock: Clock
    ) -> None:
        self._own = own
        self._holder = holder
        self._drop = drop
        self._clock = clock
        self._contested: set[bytes] = set()

    async def is_won_by(self, link: Link) -> bool:
        """Whether it may have the place of its key; who had it is gone then. One at a time may ask: each is a
        descriptor that waits."""
        key = link.hello.node_key
        old = self._holder(key)
        if old is None:
            return True
        if key in self._contested:
            return False
        self._contested.add(key)
        try:
            return await self._outlives(link, old)
        finally:
            self._contested.discard(key)

    async def _outlives(self, link: Link, old: Peer) -> bool:
        key = link.hello.node_key
        if old.link.is_outbound != link.is_outbound and self._clock() - old.link.opened_ms < SIMULTANEOUS_MS:
            dialler = self._own if link.is_outbound else key
            other = key if link.is_outbound else self._own
            if dialler < other:
                self._drop(old.id)
                return True
            return False
        if link.is_outbound:
            return False
        asked = self._clock()
        old.link.send(Ping())
        while self._clock() - asked < TAKEOVER_MS:
            await asyncio.sleep(0.05)
            if self._holder(key) is not old:
                return self._holder(key) is None
            if old.link.heard_ms >= asked:  # its answer may come within the same millisecond
                return False
        self._drop(old.id)
        return True

    def why_lost(self, link: Link) -> str:
        """What the link that did not get the place is told."""
        old = self._holder(link.hello.node_key)
        if link.is_outbound or (old is not None and self._clock() - old.link.opened_ms < SIMULTANEOUS_MS):
            return "already connected"
        return KEY_IN_USE
