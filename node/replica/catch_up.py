"""Catching up: who is ahead, who is asked, and the blocks that wait to be executed. Decides; sends nothing itself."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from node.chain.block import Committed
from node.replica.events import PeerId

REQUEST_TIMEOUT_MS = 4_000
"""A peer that has not answered by then is slow: the next one is asked."""
NEAR_DELAY_MS = 400
"""One height behind is normal for a moment: consensus will mostly bring the block itself."""
DELIVERED_WINDOW_MS = 5_000


@dataclass
class PeerView:
    """What a peer has told us of itself."""

    node_key: bytes
    height: int = 0
    oldest: int = 1
    slow_until_ms: int = 0


class CatchUp:
    """Block sync from one peer at a time, changing when it is slow or lies."""

    def __init__(self) -> None:
        self.peers: dict[PeerId, PeerView] = {}
        self.queue: deque[tuple[PeerId, Committed]] = deque()
        self._asked: PeerId | None = None
        self._asked_until_ms = 0
        self._behind_since_ms: int | None = None
        self._delivered_height = 0
        self._delivered_ms = -DELIVERED_WINDOW_MS

    def best_height(self) -> int:
        return max((peer.height for peer in self.peers.values()), default=0)

    def is_catching_up(self, head: int, now_ms: int) -> bool:
        """A peer *delivered* a verified commit at or above the height in flight within the last 5 s."""
        return bool(self.queue) or (self._delivered_height > head and now_ms - self._delivered_ms < DELIVERED_WINDOW_MS)

    def whom_to_ask(self, head: int, now_ms: int) -> PeerId | None:
        """The peer to ask for blocks from `head + 1` now; notes that it is asked."""
        if self.queue:
            return None
        if self._asked is not None:
            if now_ms < self._asked_until_ms and self._asked in self.peers:
                return None
            if self._asked in self.peers:
                self.peers[self._asked].slow_until_ms = now_ms + 4 * REQUEST_TIMEOUT_MS
            self._asked = None
        if self.best_height() <= head:
            self._behind_since_ms = None
            return None
        if self._behind_since_ms is None:
            self._behind_since_ms = now_ms
        if self.best_height() == head + 1 and now_ms - self._behind_since_ms < NEAR_DELAY_MS:
            return None
        able = [
            (view.slow_until_ms > now_ms, -view.height, peer)
            for peer, view in self.peers.items()
            if view.height > head and view.oldest <= head + 1
        ]
        if not able:
            return None
        self._asked = min(able)[2]
        self._asked_until_ms = now_ms + REQUEST_TIMEOUT_MS
        return self._asked

    def delivered(self, peer: PeerId, blocks: tuple[Committed, ...], head: int, now_ms: int) -> bool:
        """Queue blocks that continue the chain; False where they do not, or are not wanted now."""
        if peer == self._asked:
            self._asked = None
        if self.queue or not blocks:
            if not blocks and peer in self.peers:
                self.peers[peer].slow_until_ms = now_ms + REQUEST_TIMEOUT_MS
            return False
        wanted = [committed for committed in blocks if committed.block.header.height > head]
        if not wanted or wanted[0].block.header.height != head + 1:
            return False
        self.queue.extend((peer, committed) for committed in wanted)
        return True

    def verified(self, height: int, now_ms: int) -> None:
        """A delivered commit of `height` was verified."""
        self._delivered_height, self._delivered_ms = height, now_ms

    def lied(self, peer: PeerId, now_ms: int) -> None:
        """Drop all that the peer delivered; ask others first for a long while."""
        self.queue.clear()
        if peer in self.peers:
            self.peers[peer].slow_until_ms = now_ms + 60_000

    def committed(self) -> None:
        self._behind_since_ms = None

    def next_deadline_ms(self, head: int, now_ms: int) -> int | None:
        if self.queue:
            return now_ms
        if self._asked is not None:
            return self._asked_until_ms
        if self.best_height() > head:
            return (self._behind_since_ms or now_ms) + NEAR_DELAY_MS
        return None

    def lost(self, peer: PeerId) -> None:
        self.peers.pop(peer, None)
        if self._asked == peer:
            self._asked = None
