"""The work folder of a replay over ranges: its job, its snapshots, and the result of every range that is finished.

    job            what is replayed; written once, synced
    store/         of a store: the copy that is audited
    snapshots/     those that the replay itself has left, see `storage.snapshot_files`
    ranges/        one file for each finished range, synced and then renamed
    scratch/       databases of the processes at work; worthless after an interruption

Every process that takes part reads and writes it, so on several machines it is on a file system that all of them share.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec

from node.audit.block_rows import RowTotals
from node.audit.divergence import Divergence
from node.audit.sources import BlockSource, Kind, StoreSource, open_source
from node.errors import OperatorError
from node.storage.store_dirs import folder_locked, sync

T = TypeVar("T", bound=msgspec.Struct)
VERSION = 1


class Job(msgspec.Struct, frozen=True):
    """What a work folder is for."""

    version: int
    genesis: str
    """The genesis file."""
    kind: Kind
    place: str
    """Path or URL of the source. A path is absolute, and valid for every process."""
    seal: bytes
    """The trailer of an archive, with the hash of all that is in it; else empty."""
    last: int
    """Height at which the replay ends."""
    row_key: bytes
    """Secret of this audit, see `row_sums`."""


class Point(msgspec.Struct, frozen=True):
    """A state of the chain: that after the block of a height, and at the chain's start the genesis state."""

    height: int
    block_id: bytes
    state_root: bytes


class AtTheEnd(msgspec.Struct, frozen=True):
    """What the last range finds, beside its blocks, in a store that is replayed to its head."""

    is_compared: bool = False
    compared: dict[str, int] = {}
    """Keys of the final state that are equal to the recomputed ones, by family."""
    faults: dict[bytes, Divergence] = {}
    """The first difference of each key family of the final state, by the family's first byte."""
    unaudited_keys: int = 0


class RangeResult(msgspec.Struct, frozen=True):
    """What the replay of a range of blocks proves: that `end` follows from `start`. With a divergence `end` is the last
    valid state before it."""

    start: Point
    end: Point
    time_ms: int
    """Time of the block of `end`."""
    types: dict[str, int]
    """Number of transactions by type."""
    rows: RowTotals
    """Of a store: entries that follow from these blocks."""
    at_the_end: AtTheEnd
    divergence: Divergence | None


class RangeWork(msgspec.Struct, frozen=True):
    """Work for one process: the blocks after the state of height `start`."""

    folder: str
    start: int
    snapshot: str
    """Folder of the snapshot to start from; empty: the genesis state."""
    stops: list[int]
    """Heights, ascending, after each of which a result is recorded; the work ends at the last."""
    snapshot_every: int
    """A snapshot is left after each height that this divides; 0: none."""
    software: str
    """See `range_replay.software`."""
    parent: int = 0
    """The process without which this work is for nothing; 0: none."""


class RangeOutcome(msgspec.Struct, frozen=True):
    """What a process has made of its work. At most one of the texts is not empty; then the results are those before."""

    results: list[RangeResult]
    refused: str = ""
    """Why the snapshot to start from can't be used."""
    corrupted: str = ""
    """The source is damaged."""
    failed: str = ""
    """Something can't be read, or this software does not know the ruleset."""


class WorkFolder:
    """Every process opens its own."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.snapshots = self.path / "snapshots"
        self.store = self.path / "store"
        self._results = self.path / "ranges"
        self._scratch = self.path / "scratch"

    # --- the job ------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """The folder exists, and no other command works in it. Raises `Busy` and `OperatorError`."""
        try:
            for folder in (self.path, self.snapshots, self._results):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OperatorError(f"{self.path} can't be made ({error.strerror}): name another folder") from None
        with folder_locked(self.path, f"another audit works in {self.path}: wait until it ends"):
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir()
            try:
                yield
            finally:
                shutil.rmtree(self._scratch, ignore_errors=True)

    def job(self) -> Job | None:
        """None where the folder is new. Raises `OperatorError`."""
        path = self.path / "job"
        if not path.exists():
            return None
        job = _read(path, Job)
        if job.version != VERSION:
            raise OperatorError(f"{path} has version {job.version}, this software reads {VERSION}: use a new folder")
        return job

    def begin(self, job: Job) -> None:
        _write(self.path / "job", job)

    def open_source(self, job: Job) -> BlockSource:
        """A source for this process alone."""
        if job.kind == "store":
            return StoreSource(Path(job.place), self.store, self._scratch)
        return open_source(job.kind, job.place)

    # --- results ------------------------------------------------------------------------------------------
    def record(self, result: RangeResult) -> None:
        """Keep the result of a valid range; one with a divergence is not kept, and replayed again."""
        _write(self._results / f"{result.start.height}-{result.end.height}", result)

    def results(self) -> dict[int, RangeResult]:
        """The results by the height that they start from; of several the longest. Raises `OperatorError`."""
        found: dict[int, RangeResult] = {}
        for path in self._results.iterdir():
            if path.suffix:
                continue
            result = _read(path, RangeResult)
            start = result.start.height
            if start not in found or found[start].end.height < result.end.height:
                found[start] = result
        return found

    def scratch(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="range-", dir=self._scratch)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise OperatorError(f"{path} can't be read ({error.strerror}): check its owner and the disk") from None
    except msgspec.MsgspecError as error:
        raise OperatorError(f"{path} is damaged ({error}): remove it, and that range is replayed again") from None


def _write(path: Path, value: msgspec.Struct) -> None:
    """The file appears whole or not at all. Raises `OperatorError`."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(msgspec.json.encode(value))
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        raise OperatorError(f"{path} can't be written ({error.strerror}): make room, then start again") from None
