"""The key-value store that everything above is written against: LevelDB in the node, memory in the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class KeyValue(Protocol):
    """Ordered by key; one batch is written whole or not at all."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Entries with start <= key < stop."""
        ...

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        """One synced batch."""
        ...

    def snapshot(self) -> KeyValue:
        """A read-only view of now."""
        ...

    def close(self) -> None: ...


def prefix_end(prefix: bytes) -> bytes:
    """The first key after all that start with `prefix`."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix[-1] < 255 else prefix_end(prefix[:-1])
