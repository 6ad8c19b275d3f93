"""The key-value store protocol. The node implements it with LevelDB, the simulator in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final, Protocol, TypeVar

from node.errors import Corrupted

T = TypeVar("T")

PORTION: Final = 10_000
"""Entries of one batch, where the whole is too large for one."""


class KeyValue(Protocol):
    """A store that is ordered by key and writes a batch whole or not at all."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Entries with start <= key < stop."""

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        """One synced batch."""

    def snapshot(self) -> KeyValue:
        """A read-only view of the present content."""

    def close(self) -> None: ...


def prefix_end(prefix: bytes) -> bytes:
    """The first key after all keys that start with `prefix`."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix[-1] < 255 else prefix_end(prefix[:-1])


def write_portions(kv: KeyValue, entries: Iterator[tuple[bytes, bytes | None]]) -> None:
    """Write the entries in order, `PORTION` to a batch. None deletes a key."""
    while portion := dict(islice(entries, PORTION)):
        puts = {key: value for key, value in portion.items() if value is not None}
        kv.write(puts, [key for key, value in portion.items() if value is None])


def unless_damaged(read: Callable[[], T], default: T) -> T:
    """The result of `read`; the default where the store is damaged there."""
    with suppress(Corrupted):
        return read()
    return default
