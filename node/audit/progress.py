"""Progress of a long run over blocks: a bar, blocks and transactions per second, time left."""

from __future__ import annotations

import time
from typing import TextIO

from node.console import Bar


class ReplayProgress:
    """Called with (height, transactions so far). Draws only where `stream` is a terminal."""

    def __init__(self, last: int, stream: TextIO) -> None:
        self._last = last
        self._bar = Bar(last, stream)
        self._started = time.monotonic()

    def __call__(self, height: int, transactions: int) -> None:
        if not self._bar.is_due(is_last=height >= self._last):
            return
        elapsed = max(time.monotonic() - self._started, 1e-6)
        left = (self._last - height) * elapsed / max(height, 1)
        text = f"block {height} of {self._last}, {height / elapsed:,.0f} blocks/s"
        if transactions:
            text += f", {transactions / elapsed:,.0f} transactions/s"
        self._bar.update(height, f"{text}, {_duration(left)} left")

    def close(self) -> None:
        """Clear the line."""
        self._bar.close()


def _duration(seconds: float) -> str:
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
