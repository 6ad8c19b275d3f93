"""A write-back cache for a private store, such as that of a replay, where a crash loses nothing."""

from __future__ import annotations

from collections.abc import Iterator

from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore

FLUSH_BYTES = 48 * 1024 * 1024
"""Size of the pending changes that triggers a flush. The flushed changes stay in memory for reads until the next."""
ENTRY_BYTES = 150
"""Memory that a dictionary needs for an entry besides its key and value."""


class WriteBackStore:
    """Implements `KeyValue`. Collects batches, and writes them without sync at `flush_bytes`."""

    def __init__(self, base: LevelStore, flush_bytes: int = FLUSH_BYTES) -> None:
        self._base = base
        self._flush_bytes = flush_bytes
        self._changed: dict[bytes, bytes | None] = {}
        self._written: dict[bytes, bytes | None] = {}
        self._size = 0

    def get(self, key: bytes) -> bytes | None:
        if key in self._changed:
            return self._changed[key]
        if key in self._written:
            return self._written[key]
        return self._base.get(key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        self.flush()
        return self._base.scan(start, stop, reverse=reverse)

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        changed = self._changed
        for key in deletes:
            changed[key] = None
        changed.update(puts)
        self._size += sum(map(len, puts.values())) + (32 + ENTRY_BYTES) * (len(puts) + len(deletes))
        if self._size >= self._flush_bytes:
            self.flush()

    def flush(self) -> None:
        """Write the pending changes."""
        if not self._changed:
            return
        puts = {key: value for key, value in self._changed.items() if value is not None}
        deletes = [key for key, value in self._changed.items() if value is None]
        self._base.write(puts, deletes, sync=False)
        self._written, self._changed, self._size = self._changed, {}, 0

    def snapshot(self) -> KeyValue:
        self.flush()
        return self._base.snapshot()

    def close(self) -> None:
        """Drop the pending changes and close the private store."""
        self._base.close()
