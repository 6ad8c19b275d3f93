"""How long the event loop was blocked: every turn is measured, at a microsecond each and without a timer."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any, Final

from node.log import log

BLOCKED_S: Final = 0.05
"""A turn that takes longer is a block: a vote that arrives meanwhile waits as long."""
NOTED_MS: Final = 5
"""The least time of an event that the log names as a part of a blocked turn."""
PARTS_MAX: Final = 8
"""Parts of one turn that are named."""
SPAN_S: Final = 60.0
"""The longest turns are those of the present span of this length and of the one before it."""


class LoopTurns:
    """The turns of an event loop: all that it does between two looks at its sockets.

    A turn's wall time is how long everything else waited for it. Its processor time is the part in which the loop's
    thread ran, so what our own code took; in the rest it waited for a disk, another thread or a core.
    """

    def __init__(self) -> None:
        self._is_counting = False
        self._wall_blocks = self._processor_blocks = 0
        self._wall_s, self._wall_before_s = 0.0, 0.0
        self._processor_s, self._processor_before_s = 0.0, 0.0
        self._span_ends = 0.0
        self._parts: list[str] = []

    def begin(self) -> None:
        """Count from the present turn on: nobody could wait for those before."""
        self._is_counting = True

    def loop(self) -> asyncio.AbstractEventLoop:
        """A new event loop whose turns are measured here."""
        return asyncio.SelectorEventLoop(_Selector(self))

    def part(self, what: str, took_ms: int) -> None:
        """Name a part of the present turn, for the log."""
        if len(self._parts) < PARTS_MAX:
            self._parts.append(f"{what} {took_ms} ms")

    def ended(self, now: float, wall_s: float, processor_began: float) -> None:
        """A turn ended at `now`, a time of `time.monotonic`; `processor_began`: `time.thread_time` at its beginning."""
        if not self._is_counting:
            return
        if now >= self._span_ends:
            self._wall_before_s, self._processor_before_s = self._wall_s, self._processor_s
            self._wall_s = self._processor_s = 0.0
            self._span_ends = now + SPAN_S
        if wall_s > self._wall_s:
            self._wall_s = wall_s
        if wall_s > self._processor_s:
            processor_s = time.thread_time() - processor_began
            self._processor_s = max(self._processor_s, processor_s)
        if wall_s > BLOCKED_S:
            self._blocked(wall_s, time.thread_time() - processor_began)
        if self._parts:
            self._parts.clear()

    def _blocked(self, wall_s: float, processor_s: float) -> None:
        self._wall_blocks += 1
        if processor_s > BLOCKED_S:
            self._processor_blocks += 1
            ms = {"processor_ms": round(processor_s * 1_000), "wall_ms": round(wall_s * 1_000)}
            log("event_loop_blocked", "warning", {**ms, "parts": ", ".join(self._parts)})

    def samples(self) -> dict[str, float]:
        """Metrics, by name."""
        return {
            'event_loop_blocks_total{clock="processor"}': self._processor_blocks,
            'event_loop_blocks_total{clock="wall"}': self._wall_blocks,
            'event_loop_blocked_seconds_max{clock="processor"}': max(self._processor_s, self._processor_before_s),
            'event_loop_blocked_seconds_max{clock="wall"}': max(self._wall_s, self._wall_before_s),
        }


class _Selector(selectors.DefaultSelector):
    """The selector of an event loop. A turn lasts from the return of one `select` to the call of the next."""

    def __init__(self, turns: LoopTurns) -> None:
        super().__init__()
        self._turns = turns
        self._began = self._processor_began = 0.0

    def select(self, timeout: float | None = None) -> Any:
        now = time.monotonic()
        if self._began:
            self._turns.ended(now, now - self._began, self._processor_began)
        try:
            return super().select(timeout)
        finally:
            self._processor_began = time.thread_time()
            self._began = time.monotonic()
