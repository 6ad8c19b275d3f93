"""Answers that several requests share: kept for a while, at most so many, and made once where several wait."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")


class Kept:
    """At most `most` values by key; beyond, the oldest one is dropped. A value that could not be made is not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, tuple[float, asyncio.Future[Any]]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]], seconds: float) -> T:
        """The value of `key`, at most `seconds` old. Raises what `make` raises."""
        until, future = self._found.get(key, (0.0, None))
        if future is None or until < monotonic() or (future.done() and future.exception() is not None):
            future = asyncio.ensure_future(make())
            future.add_done_callback(_seen)
            self._found[key] = (monotonic() + seconds, future)
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        value: T = await asyncio.shield(future)
        return value


def _seen(future: asyncio.Future[Any]) -> None:
    """Whoever waited may have gone before the value could not be made."""
    if not future.cancelled():
        future.exception()


class Turn:
    """Work that is done one at a time. `waiting`: how many wait for it, the one that is done included."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.waiting = 0

    async def __aenter__(self) -> None:
        self.waiting += 1
        try:
            await self._lock.acquire()
        except BaseException:
            self.waiting -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
        self.waiting -= 1
