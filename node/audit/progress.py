"""Progress of a long run over blocks: blocks and transactions per second, time left; one line that is rewritten."""

from __future__ import annotations

import time
from typing import TextIO

INTERVAL_S = 0.2


class ReplayProgress:
    """Called with (height, transactions so far). Writes only where `stream` is a terminal."""

    def __init__(self, last: int, stream: TextIO) -> None:
        self._last = last
        self._stream = stream if stream.isatty() else None
        self._started = time.monotonic()
        self._shown = 0.0
        self._width = 0

    def __call__(self, height: int, transactions: int) -> None:
        now = time.monotonic()
        if self._stream is None or (now - self._shown < INTERVAL_S and height < self._last):
            return
        self._shown = now
        elapsed = max(now - self._started, 1e-6)
        left = (self._last - height) * elapsed / max(height, 1)
        line = f"block {height} of {self._last}, {height / elapsed:,.0f} blocks/s"
        if transactions:
            line += f", {transactions / elapsed:,.0f} transactions/s"
        line += f", {_duration(left)} left"
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)

    def close(self) -> None:
        """Clear the line."""
        if self._stream is not None and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
