"""LevelDB, and the only import of plyvel.

Always opened with paranoid checks: without them one flipped bit in the log silently drops half of the synced batches.
And every block that is read is held against its checksum, so that a node tells a flipped bit and does not execute it:
6.5 instead of 6.0 microseconds for a read at random among 150,000 entries of 280 bytes.
One process may hold a store; a second is told which process has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plyvel

from node.errors import Busy, Corrupted, OperatorError
from node.storage.kv import KeyValue

HOLDER_FILE = "HOLDER"
BLOOM_BITS = 10
CACHE_BYTES = 4 * 1024 * 1024
"""Of uncompressed blocks. Files are mapped, so that the system's own cache stands behind this one."""
WRITE_BUFFER_BYTES = 4 * 1024 * 1024
"""Two of them: one is filled while the other is written out. With caches of 64, 16 and 8 MB (and buffers of 16, 4, 4)
replay, block sync and reads were alike in scripts/bench --quick; a cache of 16 MB was still filling after an hour. A
cache of 4 MB was not compared."""


class LevelStore:
    """Implements `KeyValue`."""

    def __init__(self, path: Path, *, create: bool = True, is_small: bool = False) -> None:
        """`is_small`: for a store of little that soon goes again; a quarter of the memory."""
        self._path = path
        share = 4 if is_small else 1
        if not create and not (path / "CURRENT").exists():
            raise OperatorError(f"there is no store in {path}: check the path, or make one with 'bmw-node start'")
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db: Any = plyvel.DB(
                str(path),
                create_if_missing=create,
                paranoid_checks=True,
                bloom_filter_bits=BLOOM_BITS,
                lru_cache_size=CACHE_BYTES // share,
                write_buffer_size=WRITE_BUFFER_BYTES // share,
            )
        except plyvel.CorruptionError as error:
            raise _damage(path, error) from None
        except (plyvel.IOError, plyvel.Error) as error:
            if "lock" in str(error).lower():
                raise Busy(self._held_text()) from None
            raise OperatorError(
                f"the store in {path} can't be opened ({_told(error)}): make room on the disk, or mend it; look at its "
                "owner too"
            ) from None
        except OSError as error:
            raise OperatorError(f"the store in {path} can't be opened: {error.strerror}") from None
        (path / HOLDER_FILE).write_text(str(os.getpid()))

    def _held_text(self) -> str:
        try:
            holder = f"process {int((self._path / HOLDER_FILE).read_text())}"
        except (OSError, ValueError):
            holder = "another process"
        return (
            f"the store in {self._path} is in use by {holder}: stop that node first, or work on a copy made by "
            "'bmw-node checkpoint'"
        )

    def get(self, key: bytes) -> bytes | None:
        with _damage_told(self._path):
            return self._db.get(key, verify_checksums=True)  # type: ignore[no-any-return]

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        return _scan(self._db, self._path, start, stop, reverse)

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes], *, sync: bool = True) -> None:
        """One batch; without `sync` only for a private store whose loss costs nothing."""
        try:
            with self._db.write_batch(transaction=True, sync=sync) as batch:
                for key in deletes:
                    batch.delete(key)
                for key, value in puts.items():
                    batch.put(key, value)
        except plyvel.CorruptionError as error:
            raise _damage(self._path, error) from None
        except (plyvel.IOError, plyvel.Error, OSError) as error:
            raise OperatorError(
                f"the store in {self._path} can't be written ({_told(error)}): make room on the disk, then start again"
            ) from None

    def snapshot(self) -> KeyValue:
        return LevelSnapshot(self._db.snapshot(), self._path)

    def compact(self) -> None:
        """Give space of deleted entries back to the disk."""
        # Without bounds plyvel hands LevelDB two empty keys, and nothing between them is compacted.
        self._db.compact_range(start=b"", stop=b"\xff" * 64)

    def memory_bytes(self) -> int:
        """What LevelDB holds in write buffers and block cache; without the mapped files and their indexes."""
        return int(self._db.get_property(b"leveldb.approximate-memory-usage"))

    def close(self) -> None:
        self._db.close()


class LevelSnapshot:
    """A read-only view of the moment it was taken. Implements `KeyValue` without `write`."""

    def __init__(self, snapshot: Any, path: Path) -> None:
        self._snapshot = snapshot
        self._path = path

    def get(self, key: bytes) -> bytes | None:
        with _damage_told(self._path):
            return self._snapshot.get(key, verify_checksums=True)  # type: ignore[no-any-return]

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Iterator[tuple[bytes, bytes]]:
        return _scan(self._snapshot, self._path, start, stop, reverse)

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        raise AssertionError("a snapshot is read-only")

    def snapshot(self) -> KeyValue:
        return self

    def close(self) -> None:
        self._snapshot.close()


def _told(error: Exception) -> str:
    """LevelDB's own words, without Python's marks of bytes around them."""
    words = error.args[0] if error.args else ""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(error)


def _damage(path: Path, error: Exception) -> Corrupted:
    return Corrupted(
        f"the store in {path} is damaged ({_told(error)}): restore a checkpoint, or wipe it and sync again"
    )


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """What LevelDB finds wrong while reading, as ours."""
    try:
        yield
    except plyvel.CorruptionError as error:
        raise _damage(path, error) from None
    except plyvel.IOError as error:
        raise OperatorError(
            f"the store in {path} can't be read ({_told(error)}): mend the disk, or restore a checkpoint"
        ) from None


def _scan(source: Any, path: Path, start: bytes, stop: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
    """Entries with start <= key < stop, from a database or a snapshot.

    With the raw iterator, which asks LevelDB for its status at every step: the friendly one stops at a damaged block
    as if there were nothing more.
    """
    with _damage_told(path):
        found = source.raw_iterator(verify_checksums=True)
        try:
            found.seek(stop if reverse else start)
            if reverse:
                # now at the first entry that is not below `stop`, or past the last one
                if found.valid():
                    found.prev()
                else:
                    found.seek_to_last()
                while found.valid() and found.key() >= start:
                    yield found.item()
                    found.prev()
            else:
                while found.valid() and found.key() < stop:
                    yield found.item()
                    found.next()
        finally:
            found.close()
