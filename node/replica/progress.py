"""How block sync gets on: for log, status and metrics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_MS = 10_000
TELL_MS = 5_000


@dataclass(frozen=True, slots=True)
class SyncPace:
    """`target`: the best height that a peer names; 0 where this node is not behind."""

    target: int = 0
    blocks_per_second: int = 0
    seconds_left: int = 0


class SyncProgress:
    """Blocks taken over the last ten seconds."""

    def __init__(self) -> None:
        self._taken: deque[tuple[int, int]] = deque()
        self._told_ms = -TELL_MS

    def took(self, height: int, now_ms: int) -> None:
        self._taken.append((now_ms, height))
        while self._taken[0][0] < now_ms - WINDOW_MS:
            self._taken.popleft()

    def pace(self, head: int, target: int) -> SyncPace:
        if target <= head or len(self._taken) < 2:
            return SyncPace(target if target > head else 0)
        (first_ms, first), (last_ms, last) = self._taken[0], self._taken[-1]
        per_second = (last - first) * 1000 / max(last_ms - first_ms, 1)
        return SyncPace(target, round(per_second), round((target - head) / max(per_second, 0.1)))

    def is_telling_due(self, now_ms: int) -> bool:
        """Every five seconds at most."""
        if now_ms - self._told_ms < TELL_MS:
            return False
        self._told_ms = now_ms
        return True
