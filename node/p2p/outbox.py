"""What waits to be sent over one link, lane by lane and chunk by chunk. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from node.limits import FRAME_BYTES_MAX
from node.p2p.framing import VOTE_LANE_BYTES_MAX, Lane, chunk_at

MEGA: Final = 1024 * 1024
QUEUE_BYTES_MAX: Final = {Lane.VOTES: 2 * MEGA, Lane.BLOCKS: 12 * MEGA, Lane.BULK: 12 * MEGA}
"""What waits for a slow peer. Above: new messages are dropped, what matters is asked for again; where even the short
ones of the first lane pile up, the peer does not read, and the link is closed."""


class Outbox:
    def __init__(self) -> None:
        self._lanes: dict[Lane, deque[bytes]] = {lane: deque() for lane in Lane}
        self._sent: dict[Lane, int] = dict.fromkeys(Lane, 0)
        """How much of each lane's first message has been taken."""
        self.bytes: dict[Lane, int] = dict.fromkeys(Lane, 0)
        """Of messages that wait or are half-way."""

    def put(self, lane: Lane, message: bytes) -> bool:
        """False where there is no room."""
        most = VOTE_LANE_BYTES_MAX if lane is Lane.VOTES else FRAME_BYTES_MAX
        assert 0 < len(message) <= most, f"a message of {len(message)} bytes cannot be sent"
        if self.bytes[lane] + len(message) > QUEUE_BYTES_MAX[lane]:
            return False
        self._lanes[lane].append(message)
        self.bytes[lane] += len(message)
        return True

    def take(self, size: int) -> list[bytes]:
        """Chunks to send now, of the foremost lanes that have any, until they are `size` bytes or more."""
        found: list[bytes] = []
        for lane in Lane:
            while size > 0 and self._lanes[lane]:
                found.append(self._next(lane))
                size -= len(found[-1])
        return found

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
