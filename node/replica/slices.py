"""Long work of a replica in slices, between which it looks at votes: an iterator that gives None after each slice."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Slices:
    """Work that has begun and is not done, in order."""

    def __init__(self) -> None:
        self._unfinished: deque[Iterator[None]] = deque()

    def __len__(self) -> int:
        return len(self._unfinished)

    def begin(self, work: Iterator[None]) -> None:
        """Do the first slice at once; short work is done with it."""
        if not next(work, True):
            self._unfinished.append(work)

    def go_on(self) -> None:
        """Do the next slice of the oldest work. A slice that ends it gives nothing."""
        if not self._unfinished:
            return
        oldest = self._unfinished[0]
        if next(oldest, True):
            self._unfinished.popleft()
