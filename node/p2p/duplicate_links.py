"""Duplicate links: a node key has one link at a time. Decides which of two is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from node.p2p.connection import Clock, Link
from node.p2p.peer import Peer
from node.p2p.wire import KEY_IN_USE, Ping

TAKEOVER_MS = 1_500
"""How long the old link has to answer a ping before a new link with the same node key replaces it."""
SIMULTANEOUS_MS = 2_000
"""Two links opened within this time come from both sides dialling at once."""


class DuplicateLinks:
    """`holder`: the peer linked with a node key, if any. `drop`: closes the link of the peer with this id."""

    def __init__(
        self, own: bytes, holder: Callable[[bytes], Peer | None], drop: Callable[[int], None], clock: Clock
    ) -> None:
        self._own = own
        self._holder = holder
        self._drop = drop
        self._clock = clock
        self._contested: set[bytes] = set()

    async def is_won_by(self, link: Link) -> bool:
        """Whether `link` is kept; if so, the old link of its key has been dropped. One contest per key at a time, since
        each waiting link is an open file descriptor."""
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
            if old.link.heard_ms >= asked:  # the pong may arrive within the same millisecond
                return False
        self._drop(old.id)
        return True

    def why_lost(self, link: Link) -> str:
        """Reason of the `Bye` to the link that is not kept."""
        old = self._holder(link.hello.node_key)
        if link.is_outbound or (old is not None and self._clock() - old.link.opened_ms < SIMULTANEOUS_MS):
            return "already connected"
        return KEY_IN_USE
