"""Virtual time: a queue of timed events; events of the same time run in the order of scheduling."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from support.simulation.errors import Violation

EVENTS_MAX = 400_000


class Clock:
    def __init__(self, now_ms: int) -> None:
        self.now = now_ms
        self._queue: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self.events = 0

    def at(self, when: int, action: Callable[..., None], *args: Any) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (when, self._sequence, action, args))

    def later(self, delay: int, action: Callable[..., None], *args: Any) -> None:
        self.at(self.now + delay, action, *args)

    def run_until(self, when: int, is_done: Callable[[], bool] = lambda: False) -> bool:
        """Run events up to `when`; True as soon as `is_done` is true."""
        while self._queue and self._queue[0][0] <= when:
            at, _, action, args = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            self.events += 1
            if self.events > EVENTS_MAX:
                raise Violation(f"more than {EVENTS_MAX} events: something feeds itself")
            action(*args)
            if is_done():
                return True
        self.now = max(self.now, when)
        return is_done()
