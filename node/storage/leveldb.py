"""LevelDB, and the only import of plyvel, or of plyvel-next where plyvel has no wheels (0023-two-leveldb-bindings.md).

A store is always opened with paranoid checks: without them one flipped bit in the log silently drops half of the synced
batches. `log_tail` finds what these checks leave out before LevelDB opens the store.
Every block is checked against its checksum when it is read, so that a node never executes a flipped bit; this costs 6.5
instead of 6.0 microseconds for a random read among 150,000 entries of 280 bytes.
One process may have a store open; the error of a second names the first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from node.errors import Busy, Corrupted, OperatorError
from node.storage.kv import KeyValue
from node.storage.log_tail import damage_in_logs

if sys.version_info >= (3, 13):
    import plyvel_next as plyvel
else:
    import plyvel

HOLDER_FILE = "HOLDER"
CACHE_BYTES = 4 * 1024 * 1024
"""Cache of uncompressed blocks. Files are mapped, so the system's own cache backs it."""
WRITE_BUFFER_BYTES = 32 * 1024 * 1024
"""Size of each of the two write buffers: one fills while the other is written out. The rows of a block are spread over
all keys, so LevelDB rewrites a large part of the store for each full buffer. At 10^5 vehicles its thread takes 270
microseconds for a transaction with buffers of 4 MiB, 105 with 16 MiB and 70 with 32 MiB."""
BLOCK_BYTES = 8 * 1024
"""What is compressed and read as one. Blocks of 4 KiB, the default, take 7 % more disk; execution at 10^5 vehicles
is as fast with either."""
FLUSH_BYTES = 48 * 1024 * 1024
"""Pending changes at which a `WriteBackStore` is flushed; the last flushed ones stay in memory for reads."""
ENTRY_BYTES = 150
"""Memory that a dictionary needs for an entry besides its key and value."""


END = b"\xff" * 64
"""Above every key."""


class Damaged(Corrupted):
    """A store is damaged. `detail`: the damage without the store's name and the fix."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"the store in {path} is damaged ({detail}): restore a checkpoint, or wipe it and sync again")
        self.detail = detail


class LevelReader:
    """A read-only view of a database or of a snapshot. Implements `KeyValue` without `write`."""

    def __init__(self, db: Any, path: Path) -> None:
        self._db = db
        self._path = path

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._db.get(key, verify_checksums=True, fill_cache=False)  # type: ignore[no-any-return]
        except plyvel.Error as error:
            raise _failure(self._path, error) from None

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        # The raw iterator checks LevelDB's status at every step. The other one ends silently at a damaged block.
        iterator = self._db.raw_iterator(verify_checksums=True)
        step = iterator.prev if reverse else iterator.next
        try:
            iterator.seek(stop if reverse else start)
            if reverse and iterator.valid():  # at the first entry that is not below `stop`
                iterator.prev()
            elif reverse:
                iterator.seek_to_last()
            while iterator.valid():
                entry = iterator.item()
                if entry[0] < start if reverse else entry[0] >= stop:
                    break
                yield entry
                step()
        except plyvel.Error as error:
            raise _failure(self._path, error) from None
        finally:
            iterator.close()

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        raise AssertionError("a snapshot is read-only")

    def snapshot(self) -> KeyValue:
        return self

    def close(self) -> None:
        self._db.close()


class LevelStore(LevelReader):
    """Implements `KeyValue`."""

    def __init__(self, path: Path, *, create: bool = True, is_small: bool = False, is_temporary: bool = False) -> None:
        """`is_small`: a quarter of the cache and a 32nd of the write buffers, for a store with little content.
        `is_temporary`: uncompressed, for a store that is deleted at the end: a fifth less CPU time for a replay.

        Raises `Damaged`, `Busy`, or `OperatorError`."""
        if not create and not (path / "CURRENT").exists():
            raise OperatorError(f"there is no store in {path}: check the path, or make one with 'bmw-node start'")
        try:
            if damage := damage_in_logs(path):
                raise Damaged(path, damage)
            path.mkdir(parents=True, exist_ok=True)
            options = {
                "lru_cache_size": CACHE_BYTES // (4 if is_small else 1),
                "write_buffer_size": WRITE_BUFFER_BYTES // (32 if is_small else 1),
                "block_size": BLOCK_BYTES,
                "compression": None if is_temporary else "snappy",
            }
            db = plyvel.DB(str(path), create_if_missing=create, paranoid_checks=True, bloom_filter_bits=10, **options)
        except plyvel.Error as error:
            if "lock" in str(error).lower() and not isinstance(error, plyvel.CorruptionError):
                raise in_use(path) from None
            fix = "make room on the disk or repair it, and check the owner of the files"
            raise _failure(path, error, "opened", fix) from None
        except OSError as error:
            raise OperatorError(f"the store in {path} can't be opened: {error.strerror}") from None
        super().__init__(db, path)
        self._is_temporary = is_temporary
        (path / HOLDER_FILE).write_text(str(os.getpid()))

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes], *, sync: bool = True) -> None:
        """Write one batch. Without `sync` only for a private store whose loss costs nothing."""
        try:
            with self._db.write_batch(transaction=True, sync=sync) as batch:
                for key in deletes:
                    batch.delete(key)
                for key, value in puts.items():
                    batch.put(key, value)
        except (plyvel.Error, OSError) as error:
            raise _failure(self._path, error, "written", "make room on the disk, then start again") from None

    def snapshot(self) -> KeyValue:
        return LevelReader(self._db.snapshot(), self._path)

    def compact(self) -> None:
        """Return the space of deleted entries to the disk."""
        # Without bounds plyvel passes two empty keys to LevelDB, and nothing between them is compacted.
        self._db.compact_range(start=b"", stop=END)

    def close(self) -> None:
        """Close the store. The buffer is written out before, so that the next start has no log to read."""
        if not self._is_temporary and not self._db.closed:
            with suppress(plyvel.Error):  # what can't be written out now is in the log
                self._db.compact_range(start=END, stop=END + b"\xff")
        super().close()

    def memory_bytes(self) -> int:
        """Memory of LevelDB's write buffers and block cache, without the mapped files and their indexes."""
        return int(self._db.get_property(b"leveldb.approximate-memory-usage"))


class WriteBackStore:
    """A write-back cache for a private store, such as that of a replay, where a crash loses nothing: collects batches,
    and writes them without sync at `flush_bytes`. Implements `KeyValue`."""

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


def in_use(path: Path) -> Busy:
    """The error that names the process that has the store open."""
    try:
        holder = f"process {int((path / HOLDER_FILE).read_text())}"
    except (OSError, ValueError):
        holder = "another process"
    return Busy(
        f"the store in {path} is in use by {holder}: stop that node first, or work on a copy made by "
        "'bmw-node checkpoint'"
    )


def _failure(
    path: Path, error: Exception, action: str = "read", fix: str = "repair the disk, or restore a checkpoint"
) -> Corrupted | OperatorError:
    """Our error for an error of LevelDB while the store was opened, read or written."""
    words = error.args[0] if error.args else ""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(error)
    if isinstance(error, plyvel.CorruptionError):
        return Damaged(path, text)
    return OperatorError(f"the store in {path} can't be {action} ({text}): {fix}")
