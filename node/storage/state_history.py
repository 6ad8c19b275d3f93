"""State history: the state, and proofs of it, at the heights below the head for which a store keeps it.

The batch of a block also writes, for every row that the block changes, an undo entry with the row's value before it. So
the value of a row at a height is that of its first undo entry above the height, or its present one where there is none.
The rows are the state values, the tree's buckets, the head, and those nodes of the tree that `is_kept`, from which the
siblings of a proof follow. The entries of a height that is no longer kept are deleted by a later block's batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from node.crypto.state_tree import StateTree, is_kept
from node.execution.block_run import BlockResult
from node.storage import schema
from node.storage.kv import KeyValue

HEIGHTS_AT_ONCE: Final = 4
"""Heights whose entries one block's batch deletes at most. A block adds one height, so the rest of a history that was
made shorter or switched off goes bit by bit."""

_decode_rows = msgspec.msgpack.Decoder(list[bytes]).decode


def kept_heights(kv: KeyValue, head: int) -> range:
    """The heights whose state a store has, its head at least."""
    raw = kv.get(schema.META_HISTORY) or b""
    first, last = int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big")
    return range(first if raw and last == head else head, head + 1)


class StateAt:
    """The rows of a store as they were after a height that it keeps. Implements `KeyValue` without `write`, and without
    scans of what the history has."""

    def __init__(self, kv: KeyValue, height: int) -> None:
        self._kv = kv
        self._height = height

    def _undone(self, row: bytes) -> bytes | None:
        """The value of the first undo entry above the height: empty where the row was absent, None without an entry."""
        entries = self._kv.scan(schema.undo_key(row, self._height + 1), schema.undo_end(row))
        return next((value for _, value in entries), None)

    def get(self, key: bytes) -> bytes | None:
        undone = self._undone(key)
        return self._kv.get(key) if undone is None else undone or None

    def node(self, index: int, tree: StateTree) -> bytes:
        """A node that `is_kept`; `tree` is that of the store's head."""
        return self._undone(schema.node_row(index)) or tree.node(index)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        assert start[:1] not in (b"S", b"K", b"X"), "state values, buckets and indexes of a past height are not scanned"
        return self._kv.scan(start, stop, reverse=reverse)

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        raise AssertionError("the past is read-only")

    def snapshot(self) -> KeyValue:
        return StateAt(self._kv.snapshot(), self._height)

    def close(self) -> None:
        self._kv.close()


class StateHistory:
    """The part of every block's batch that keeps the state of the `heights` heights below the head; 0: none."""

    def __init__(self, kv: KeyValue, heights: int) -> None:
        self._kv = kv
        self._heights = heights
        oldest = next(kv.scan(schema.undone_key(0), b"V"), None)
        self._oldest = None if oldest is None else schema.height_in(oldest[0])
        """Lower bound of the heights that have undo entries; None without any."""

    def entries(self, result: BlockResult, tree: StateTree) -> tuple[dict[bytes, bytes], list[bytes]]:
        """(puts, deletes) of a block; `tree` is that before it."""
        height = result.height
        if not self._heights:
            return {}, self._expired(height)
        first = max(kept_heights(self._kv, height - 1).start, height - self._heights)
        before = self._before(result, tree)
        puts = {schema.undo_key(row, height): value for row, value in before.items()}
        puts[schema.undone_key(height)] = msgspec.msgpack.encode(list(before))
        puts[schema.META_HISTORY] = schema.u64(first) + schema.u64(height)
        deletes = self._expired(first)
        if self._oldest is None:
            self._oldest = height
        return puts, deletes

    def _before(self, result: BlockResult, tree: StateTree) -> dict[bytes, bytes]:
        """Every row that the block changes, with its value before it."""
        rows = [schema.META_HEAD, *map(schema.state_key, result.changes), *map(schema.bucket_key, result.tree.buckets)]
        before = {row: self._kv.get(row) or b"" for row in rows}
        nodes = (index for index in result.tree.nodes if is_kept(index, tree.depth))
        return before | {schema.node_row(index): tree.node(index) for index in nodes}

    def _expired(self, last: int) -> list[bytes]:
        """Keys of the oldest entries up to those of height `last`, at most `HEIGHTS_AT_ONCE` heights."""
        if self._oldest is None or self._oldest > last:
            return []
        start, stop = schema.undone_key(self._oldest), schema.undone_key(last + 1)
        rows_by_key = list(islice(self._kv.scan(start, stop), HEIGHTS_AT_ONCE))
        deletes = []
        for key, raw in rows_by_key:
            height = schema.height_in(key)
            deletes += [key, *(schema.undo_key(row, height) for row in _decode_rows(raw))]
        if rows_by_key:
            self._oldest = schema.height_in(rows_by_key[0][0])  # deleted only with the batch: found again if that fails
        elif not self._heights:
            self._oldest = None
        return deletes
