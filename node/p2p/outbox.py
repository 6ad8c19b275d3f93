"""Outgoing messages of one link, queued by lane and taken chunk by chunk. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from node.limits import FRAME_BYTES_MAX
from node.p2p.framing import VOTE_LANE_BYTES_MAX, Lane, chunk_at

MEGA: Final = 1024 * 1024
QUEUE_BYTES_MAX: Final = {Lane.VOTES: 2 * MEGA, Lane.BLOCKS: 12 * MEGA, Lane.BULK: 12 * MEGA}
"""Bytes queued for a slow peer. Above: new messages are dropped, as peers ask again for what they need; if even the
votes lane overflows, the peer does not read, and the link is closed."""


class Outbox:
    """One bounded queue per lane; a lower lane is sent first."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._sent: dict[Lane, int] = dict.fromkeys(Lane, 0)
        """Bytes of each lane's first message that have been taken."""
        self.bytes: dict[Lane, int] = dict.fromkeys(Lane, 0)
        """Queued bytes of each lane; a message counts until its last chunk is taken."""

    def put(self, lane: Lane, message: bytes) -> bool:
        """Queue a message. False if the lane is full."""
        most = VOTE_LANE_BYTES_MAX if lane is Lane.VOTES else FRAME_BYTES_MAX
        assert 0 < len(message) <= most, f"a message of {len(message)} bytes cannot be sent"
        if self.bytes[lane] + len(message) > QUEUE_BYTES_MAX[lane]:
            return False
        self._lanes[lane].append(message)
        self.bytes[lane] += len(message)
        return True

    def take(self, size: int) -> list[bytes]:
        """The next chunks to send, lowest lane first, until they have `size` bytes or more."""
        chunks: list[bytes] = []
        for lane in Lane:
            while size > 0 and self._lanes[lane]:
                chunks.append(self._next(lane))
                size -= len(chunks[-1])
        return chunks

    def has(self, lane: Lane) -> bool:
        return bool(self._lanes[lane])

    def __bool__(self) -> bool:
        return any(self._lanes.values())

    def _next(self, lane: Lane) -> bytes:
        message = self._lanes[lane][0]
        chunk, end = chunk_at(message, lane, self._sent[lane])
        if end == len(message):
            self._lanes[lane].popleft()
            self.bytes[lane] -= len(message)
            end = 0
        self._sent[lane] = end
        return chunk
