"""What strangers may make of the nodes behind the pages: so many requests at once, and so many a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from node.token_bucket import TokenBucket

BURST_S: Final = 2
"""Requests that are saved up while nobody asks: those of so many seconds."""


class Overloaded(Exception):
    """As many requests as strangers may make are under way, or were made lately."""


class Share:
    """The strangers' part of the nodes. `at_once`: requests that wait for an answer; `per_s`: requests on average.

    A page asks several times. If each request competed with those of pages that begin, an overload would let all of
    them begin and none end. So a page begins only while half of everything is left (`check_room`), and what has begun
    may use the other half."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once, self._waiting = at_once, 0
        self._room = max(1.0, BURST_S * per_s)
        self._bucket = TokenBucket(per_s, self._room, monotonic() * 1_000)
        self.refused = 0

    def check_room(self) -> None:
        """Raises `Overloaded` where nothing new can begin now."""
        if self._waiting >= max(1, self._at_once // 2) or self._bucket.left(monotonic() * 1_000) < self._room / 2:
            self.refused += 1
            raise Overloaded

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One request, while it waits for its answer. Raises `Overloaded`."""
        if self._waiting >= self._at_once or not self._bucket.try_take(1, monotonic() * 1_000):
            self.refused += 1
            raise Overloaded
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
