"""A store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sortedcontainers import SortedDict

from node.storage.kv import KeyValue


class MemoryStore:
    """Implements `KeyValue`."""

    def __init__(self, entries: dict[bytes, bytes] | None = None) -> None:
        self._entries: Any = SortedDict(entries or {})

    def get(self, key: bytes) -> bytes | None:
        return self._entries.get(key)  # type: ignore[no-any-return]

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        for key in list(self._entries.irange(start, stop, inclusive=(True, False), reverse=reverse)):
            yield key, self._entries[key]

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        for key in deletes:
            self._entries.pop(key, None)
        self._entries.update(puts)

    def snapshot(self) -> KeyValue:
        return MemoryStore(dict(self._entries))

    def close(self) -> None:
        pass
