"""Block sync progress, for log, status and metrics."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_MS = 10_000
NOTICE_MS = 5_000


@dataclass(frozen=True, slots=True)
class SyncPace:
    """`target`: the highest head of a peer; 0 if this node is not behind."""

    target: int = 0
    blocks_per_second: int = 0
    seconds_left: int = 0


class SyncProgress:
    """Committed heights of the last ten seconds."""

    def __init__(self) -> None:
        self._commits: deque[tuple[int, int]] = deque()
        self._noticed_ms = -NOTICE_MS

    def add(self, height: int, now_ms: int) -> None:
        self._commits.append((now_ms, height))
        while self._commits[0][0] < now_ms - WINDOW_MS:
            self._commits.popleft()

    def pace(self, head: int, target: int) -> SyncPace:
        if target <= head or len(self._commits) < 2:
            return SyncPace(target if target > head else 0)
        (first_ms, first), (last_ms, last) = self._commits[0], self._commits[-1]
        per_second = (last - first) * 1000 / max(last_ms - first_ms, 1)
        return SyncPace(target, round(per_second), round((target - head) / max(per_second, 0.1)))

    def is_notice_due(self, now_ms: int) -> bool:
        """Whether to log the progress: at most every five seconds."""
        if now_ms - self._noticed_ms < NOTICE_MS:
            return False
        self._noticed_ms = now_ms
        return True
