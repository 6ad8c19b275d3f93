"""Replay of a range of blocks, from the genesis state or from a snapshot, in whatever process it is given to.

A snapshot is not trusted: its content must hash to the state root of its header, and its validator sets to those that
the header names. That the header is the chain's is proven when the ranges are joined (`parallel_replay`).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from node.audit.block_rows import BlockRows, RowTotals
from node.audit.divergence import Diverged, Divergence
from node.audit.invariants import check_invariants
from node.audit.pipeline import OnProgress, Pipeline
from node.audit.replay_store import ReplayStore
from node.audit.sources import BlockSource, StoreSource
from node.audit.store_comparison import META_FAMILY, count_others, each_family
from node.audit.work_folder import AtTheEnd, Job, Point, RangeOutcome, RangeResult, RangeWork, WorkFolder
from node.audit.workers import InProcess, RangeVerifiers
from node.chain.genesis import Genesis, genesis_hash, parse_genesis
from node.codec import encode
from node.errors import Corrupted, Malformed, OperatorError, Rejected
from node.storage import schema
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore, WriteBackStore
from node.storage.schema import FAMILY_NAMES
from node.storage.snapshot import check_offer
from node.storage.snapshot_files import read_offer, restore_snapshot, write_snapshot
from node.txtypes.rulesets import RULESETS
from node.usage import software_version
from node.worker_pool import GC_THRESHOLD

STATE_FAMILIES = (b"K", b"R", b"S", b"W", b"X", b"B", b"C", META_FAMILY)
"""What the last range of a store compares; the other families follow from one block each, see `block_rows`."""
_decode = msgspec.msgpack.Decoder(RangeWork).decode


class SnapshotRefused(Exception):
    """The snapshot to start from can't be used."""


def software() -> str:
    """What all processes of one replay must have in common."""
    newest = RULESETS[max(RULESETS)]
    return f"{software_version()}, ruleset {newest.hash.hex()}"


def replay_range(raw: bytes) -> bytes:
    """The job of a process: bytes of a `RangeWork` to bytes of its `RangeOutcome`."""
    work = _decode(raw)

    def check_parent(*_: int) -> None:
        if work.parent and os.getppid() != work.parent:
            raise SystemExit("the audit that this process works for has ended")

    return encode(replay_work(work, InProcess(), check_parent))


def replay_work(work: RangeWork, verifiers: RangeVerifiers, on_progress: OnProgress) -> RangeOutcome:
    """Replay in this process. Each result is also recorded in the work folder as soon as it is there."""
    results: list[RangeResult] = []
    thresholds = gc.get_threshold()
    gc.set_threshold(GC_THRESHOLD)
    try:
        folder = WorkFolder(Path(work.folder))
        for result in _results(work, folder, verifiers, on_progress):
            results.append(result)
            if result.divergence is None:
                folder.record(result)
    except SnapshotRefused as error:
        return RangeOutcome(results, refused=str(error))
    except Corrupted as error:
        return RangeOutcome(results, corrupted=str(error))
    except (OperatorError, OSError) as error:
        return RangeOutcome(results, failed=str(error))
    finally:
        gc.set_threshold(*thresholds)
    return RangeOutcome(results)


def _results(
    work: RangeWork, folder: WorkFolder, verifiers: RangeVerifiers, on_progress: OnProgress
) -> Iterator[RangeResult]:
    if work.software != software():
        raise OperatorError(f"a process has version {software()}, another {work.software}: install the same everywhere")
    job = folder.job()
    if job is None:
        raise OperatorError(
            f"a process on {os.uname().nodename} does not see the work folder {folder.path}: name a folder that all "
            "machines share, by an absolute path"
        )
    with ExitStack() as open_things:
        source = folder.open_source(job)
        open_things.callback(source.close)
        scratch = open_things.enter_context(folder.scratch())
        kv = WriteBackStore(LevelStore(Path(scratch), is_temporary=True))
        open_things.callback(kv.close)
        yield from _RangeReplay(work, folder, job, source, kv, verifiers, on_progress).results()


class _RangeReplay:
    """The replay of one range, with everything that it needs open."""

    def __init__(
        self,
        work: RangeWork,
        folder: WorkFolder,
        job: Job,
        source: BlockSource,
        kv: KeyValue,
        verifiers: RangeVerifiers,
        on_progress: OnProgress,
    ) -> None:
        self._work = work
        self._folder = folder
        self._job = job
        self._source = source
        genesis = parse_genesis(job.genesis.encode())
        parent_commit = self._restore(kv, genesis) if work.snapshot else b""
        self._store = ReplayStore(kv, genesis)
        self._rows = BlockRows(source, job.row_key) if isinstance(source, StoreSource) else None
        on_block = None if self._rows is None else self._rows.add
        self._pipeline = Pipeline(
            source, self._store, verifiers, parent_commit=parent_commit, on_block=on_block, on_progress=on_progress
        )

    def _restore(self, kv: KeyValue, genesis: Genesis) -> bytes:
        """Fill the empty `kv`; returns the certificate of the snapshot's height. Raises `SnapshotRefused`."""
        path = Path(self._work.snapshot)
        try:
            offer = read_offer(path)
            if offer.manifest.header.height != self._work.start:
                raise Malformed(f"it is of height {offer.manifest.header.height}")
            check_offer(offer, genesis_hash(genesis))
            restore_snapshot(path, offer, kv, genesis)
        except (OSError, Rejected) as error:
            raise SnapshotRefused(f"the snapshot {path} can't be used: {error}") from None
        return encode(offer.commit)

    def results(self) -> Iterator[RangeResult]:
        """One for each stop; the last one has the divergence, if there is one."""
        start = self._point()
        # A restored store has the sets of its height and of the next one; the first range has the first set too.
        next_set = start.height + 2 if self._work.snapshot else 0
        for stop in self._work.stops:
            self._pipeline.types.clear()
            divergence, at_the_end = None, AtTheEnd()
            try:
                self._pipeline.run(stop)
                if stop == self._job.last:
                    at_the_end = self._at_the_end()
            except Diverged as error:
                divergence = error.divergence
            end = self._point()
            rows = RowTotals() if self._rows is None else self._rows.taken()
            sets = tuple(self._store.kv.scan(schema.validators_key(next_set), schema.validators_key(end.height + 2)))
            self._leave_snapshot(stop)
            yield RangeResult(
                start,
                end,
                self._store.head().time_ms,
                dict(self._pipeline.types),
                msgspec.structs.replace(rows, validator_sets=sets),
                at_the_end,
                divergence,
            )
            if divergence is not None:
                return
            start, next_set = end, end.height + 2

    def _point(self) -> Point:
        head = self._store.head()
        return Point(head.height, head.block_id, head.state_root)

    def _at_the_end(self) -> AtTheEnd:
        """Raises `Diverged` for a broken invariant."""
        store, source = self._store, self._source
        check_invariants(store)
        if not isinstance(source, StoreSource) or source.last != store.height():
            return AtTheEnd()
        compared: dict[str, int] = {}
        faults: dict[bytes, Divergence] = {}
        with source.named_errors():
            for family, found in each_family(
                source.kv, store.kv, STATE_FAMILIES, store.start_height + 1, store.height()
            ):
                if isinstance(found, Diverged):
                    faults[family] = found.divergence
                elif family != META_FAMILY:
                    compared[FAMILY_NAMES[family]] = found
            return AtTheEnd(True, compared, faults, count_others(source.kv))

    def _leave_snapshot(self, height: int) -> None:
        """Where one is due. A snapshot is cut from a store that has the block and the certificate of its head."""
        every, last, kv = self._work.snapshot_every, self._pipeline.last, self._store.kv
        is_due = every and height % every == 0 and height < self._job.last and last is not None
        if not is_due or height != self._store.height() or (self._folder.snapshots / str(height)).exists():
            return
        assert last is not None, "a range has at least one block"
        keys = schema.block_key(height), schema.commit_key(height)
        kv.write({keys[0]: encode(last.block), keys[1]: encode(last.commit)}, [])
        write_snapshot(self._folder.snapshots, height, kv, self._store.genesis_hash)
        kv.write({}, list(keys))
