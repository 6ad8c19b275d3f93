"""Sources of the blocks under audit: a store, an archive or a node. None of them is trusted."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from node.audit.divergence import Diverged
from node.errors import Busy, Corrupted, OperatorError
from node.storage import schema
from node.storage.archive import ArchiveReader
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.leveldb import HOLDER_FILE, LevelStore
from node.storage.lost_blocks import SIGNING_STATE, lost_blocks, lost_text
from node.storage.store_dirs import LEFT_OUT, link_or_copy, sync

COMMITTED_PREFIX = b"\x92"
"""`Committed` is an array of two: block and certificate, stored apart."""


@dataclass(frozen=True, slots=True)
class ClaimedHead:
    """The source's newest block as it claims; compared with the recomputed one."""

    height: int
    block_id: bytes
    state_root: bytes


class BlockSource(Protocol):
    """Blocks with certificates, as canonical bytes of `Committed`, in order of height.

    Raises `OperatorError` where it can't be reached or read, `Corrupted` where it is damaged, `Diverged` where a block
    between others is missing, or the last ones of a store are known to be lost.
    """

    name: str
    genesis_hash: bytes
    first: int
    last: int
    claimed: ClaimedHead | None

    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]: ...

    def close(self) -> None: ...


Kind = Literal["store", "archive", "node"]


def open_source(kind: Kind, place: str) -> BlockSource:
    """`place`: path or URL. Raises `OperatorError` and `Corrupted`."""
    match kind:
        case "store":
            return StoreSource(Path(place))
        case "archive":
            return ArchiveSource(Path(place))
        case "node":
            from node.audit.node_source import NodeSource  # who reads a file needs no HTTP client

            return NodeSource(place)


class ArchiveSource:
    """Implements `BlockSource`."""

    claimed: ClaimedHead | None = None

    def __init__(self, path: Path) -> None:
        self.name = f"archive {path}"
        self._archive = ArchiveReader(path)
        self.genesis_hash = self._archive.genesis_hash
        self.first, self.last = self._archive.first, self._archive.last

    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for height, raw in self._archive.raw(first):
            if height > last < self.last:
                return
            if first <= height <= last:
                yield height, raw

    def close(self) -> None:
        pass


def store_folder(path: Path) -> Path:
    """The LevelDB folder of a home, a store folder or a checkpoint. Raises `OperatorError`."""
    for folder in (path, path / "data" / "store", path / "store"):
        if (folder / "CURRENT").is_file():
            return folder
    raise OperatorError(f"there is no store in {path}: give a home, its data/store, or a checkpoint")


def _hold_lock(folder: Path) -> int:
    """A descriptor that keeps a node from opening the store while it is copied; -1 where there is no LOCK file.

    A read lock on a read-only descriptor: nothing is changed, and write permission is not needed.
    """
    try:
        descriptor = os.open(folder / "LOCK", os.O_RDONLY)
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise OperatorError(f"{folder / 'LOCK'} can't be read ({error.strerror}): check its owner and mode") from None
    try:
        flock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        fcntl.fcntl(descriptor, getattr(fcntl, "F_OFD_SETLK", fcntl.F_SETLK), flock)
    except OSError:
        os.close(descriptor)
        try:
            holder = f"process {int((folder / HOLDER_FILE).read_text())}"
        except (OSError, ValueError):
            holder = "another process"
        raise Busy(
            f"the store in {folder} is in use by {holder}: stop that node, or audit it with --node or --archive, "
            "or a copy made by 'bmw-node checkpoint'"
        ) from None
    return descriptor


def copy_store(folder: Path, target: Path) -> None:
    """Copy a stopped node's store; the original is not changed."""
    descriptor = _hold_lock(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for entry in sorted(folder.iterdir()):
            if entry.is_file() and entry.name not in ("LOCK", HOLDER_FILE):
                shutil.copyfile(entry, target / entry.name)
    except OSError as error:
        raise OperatorError(
            f"the store in {folder} can't be copied to {target} ({error.strerror}): make room, or name another place "
            "with TMPDIR"
        ) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def keep_copy(store: Path, kept: Path) -> None:
    """Copy a stopped node's store, and the signing state beside it, for readers in several processes. An interrupted
    copy is made again, a whole one stays as it is. `store`: as `store_folder` gives it. Raises `Corrupted`."""
    if kept.exists():
        return
    partial = kept.with_name(kept.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    copy_store(store, partial)
    try:
        LevelStore(partial, create=False).close()  # takes its log into tables once, instead of in every reader
    except Corrupted as error:
        raise Corrupted(str(error).replace(str(partial), str(store))) from None
    if (signing_state := store.with_name(SIGNING_STATE)).is_file():
        shutil.copyfile(signing_state, kept.with_name(SIGNING_STATE))
    for entry in partial.iterdir():
        sync(entry)
    partial.rename(kept)
    sync(kept.parent)


class StoreSource:
    """A copy of a store, read with checksums. Implements `BlockSource`; all key families are in `kv`."""

    def __init__(self, path: Path, kept: Path | None = None, scratch: Path | None = None) -> None:
        """`kept`: a copy of `path` that `keep_copy` has made. It is not opened: this source has links to its files, in
        a folder of its own in `scratch`."""
        folder = path if kept is not None else store_folder(path)
        self.name = f"store {folder}"
        self._folder = folder
        self._signing_state = (kept or folder).with_name(SIGNING_STATE)
        self._temporary = tempfile.TemporaryDirectory(prefix="bmw-audit-copy-", dir=scratch)
        self._copy = Path(self._temporary.name)
        self._store: LevelStore | None = None
        try:
            if kept is None:
                copy_store(folder, self._copy)
            else:
                for entry in kept.iterdir():
                    if entry.name not in LEFT_OUT:
                        link_or_copy(entry, self._copy / entry.name)
            self._store = LevelStore(self._copy, create=False)
            self.kv: KeyValue = self._store
            self._read_head()
        except Corrupted as error:
            self.close()
            raise Corrupted(self.named(error)) from None
        except BaseException:
            self.close()
            raise

    def _read_head(self) -> None:
        version = schema.read_version(self.kv.get(schema.META_SCHEMA))
        if 0 < version < schema.SCHEMA_VERSION:
            raise OperatorError(
                f"the store has schema version {version}, this software compares {schema.SCHEMA_VERSION}: start the "
                "node with this software once, or audit with the older one"
            )
        stored = self.kv.get(schema.META_GENESIS)
        head = ChainReader(self.kv).stored_head()
        if stored is None or head is None:
            raise OperatorError(f"the store in {self._folder} has no chain: its node was never started")
        self.genesis_hash = stored
        self.claimed: ClaimedHead | None = ClaimedHead(head.height, head.block_id, head.state_root)
        self.last = head.height
        oldest = next(iter(self.kv.scan(schema.block_key(0), schema.block_key(2**63))), None)
        self.first = int.from_bytes(oldest[0][1:], "big") if oldest and self.last else 1

    def named(self, error: Exception) -> str:
        """The error's text with the path of the original instead of the copy's."""
        return str(error).replace(str(self._copy), str(self._folder))

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Damage is reported with the path of the original."""
        try:
            yield
        except Corrupted as error:
            raise Corrupted(self.named(error)) from None

    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for height in range(first, last + 1):
            with self.named_errors():
                block = self.kv.get(schema.block_key(height))
                commit = self.kv.get(schema.commit_key(height))
            if block is None:
                raise Diverged(height, "block_missing", f"the {self.name} has no block {height}")
            if commit is None:
                raise Diverged(height, "commit_missing", f"the {self.name} has no certificate of block {height}")
            yield height, COMMITTED_PREFIX + block + commit
        lost = lost_blocks(self.kv, self._signing_state) if last == self.last else None
        if lost:
            raise Diverged(lost.start, "blocks_lost", f"block {lost.start} of the {self.name} {lost_text(lost)}")

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._temporary.cleanup()
