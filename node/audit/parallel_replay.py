"""Replay over ranges of blocks: each starts from a snapshot, all are replayed at the same time and then joined.

The result of a range says that its last state follows from its first one. The ranges are joined where the state that
one ends with is the state that the next one starts from, by height, block id and state root; so by induction every
state follows from the genesis state. Whatever the order of work, the divergence that is reported is the one of the
first range that has one, after all ranges before it have been found valid.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Protocol

import msgspec

from node.audit.block_rows import RowTotals, check_receipts, compare_places
from node.audit.divergence import Diverged
from node.audit.executor import decoded
from node.audit.pipeline import OnProgress
from node.audit.range_replay import replay_range, replay_work, software
from node.audit.replay import check_claimed, check_covers, last_height
from node.audit.report import ReplayReport
from node.audit.row_sums import KEY_BYTES
from node.audit.sources import BlockSource, Kind, StoreSource, keep_copy, store_folder
from node.audit.store_comparison import FAMILIES
from node.audit.work_folder import VERSION, Job, RangeOutcome, RangeResult, RangeWork, WorkFolder
from node.audit.workers import start_verifiers
from node.chain.block import block_id_of
from node.chain.genesis import Genesis, genesis_hash, genesis_to_json, start_height
from node.codec import encode
from node.errors import Corrupted, OperatorError, Rejected
from node.storage.archive import ArchiveReader
from node.storage.schema import FAMILY_NAMES
from node.storage.snapshot import check_offer
from node.storage.snapshot_files import read_offer, snapshots_in
from node.worker_pool import WorkerLost, WorkerPool

RANGES_PER_WORKER = 2
"""More ranges share the work more evenly, and each costs the restoration of a state."""
SILENCE_S = 7 * 86_400.0
"""No range takes this long: a process that has not answered by then is replaced."""
ATTEMPTS = 3
"""Processes that one range may cost before the replay fails."""
_decode = msgspec.msgpack.Decoder(RangeOutcome).decode


class RangePool(Protocol):
    """Processes that replay ranges: bytes of a `RangeWork` to bytes of its `RangeOutcome`."""

    size: int
    """How many ranges are replayed at the same time."""

    def submit(self, work: bytes) -> Future[bytes]: ...

    def close(self) -> None: ...


class LocalPool(WorkerPool):
    """Processes of this machine. Implements `RangePool`."""

    def __init__(self, size: int) -> None:
        super().__init__(size, replay_range, silence_s=SILENCE_S, attempts=ATTEMPTS)
        self.size = size


class ParallelReplay:
    """Replays one source, in a work folder that keeps what is finished."""

    def __init__(
        self,
        genesis: Genesis,
        kind: Kind,
        place: str,
        folder: WorkFolder,
        *,
        snapshots: Sequence[Path] = (),
        snapshot_every: int = 0,
        workers: int = 0,
        cluster: RangePool | None = None,
        progress_to: Callable[[int], OnProgress] | None = None,
    ) -> None:
        """`snapshots`: folders of snapshots beside the work folder's own. `workers`: processes of this machine; with a
        `cluster` the ranges are replayed there instead. `progress_to` gets the last height."""
        self._genesis = genesis
        self._kind = kind
        path = store_folder(Path(place)) if kind == "store" else Path(place)
        self._place = place if kind == "node" else str(path.absolute())
        self._folder = folder
        self._given = [folder.snapshots, *snapshots]
        self._snapshot_every = snapshot_every
        self._workers = workers
        self._cluster = cluster
        self._progress_to = progress_to
        self._on_progress: OnProgress = lambda *_: None
        self._start = start_height(genesis)
        self._results: dict[int, RangeResult] = {}
        self._errors: dict[int, OperatorError | Corrupted] = {}
        """By the height up to which that range is valid."""
        self._refused: dict[int, str] = {}
        """Snapshots that can't be used, by height."""

    def run(self, to: int | None = None) -> ReplayReport:
        """Replay up to height `to`, or to the source's end; what the work folder has already is not done again. Raises
        `OperatorError` and `Corrupted` as `Replay.run` does."""
        started = time.monotonic()
        with self._folder.reserved():
            self._job, source = self._begin(to)
            if self._progress_to is not None:
                self._on_progress = self._progress_to(self._job.last)
            try:
                found = self._folder.results()
                self._results = dict(found)
                self._replay_all(source)
                resumed = sum(1 for result in self._valid() if found.get(result.start.height) is result)
                report = ReplayReport(self._genesis.chain_id, genesis_hash(self._genesis), source.name)
                report.not_continued = source.last - self._job.last if to is not None else 0
                self._join(source, report)
            finally:
                source.close()
        report.ranges_resumed, report.snapshots_refused = resumed, dict(sorted(self._refused.items()))
        report.seconds = time.monotonic() - started
        return report

    def _begin(self, to: int | None) -> tuple[Job, BlockSource]:
        """The work folder's job, new or continued, and its source."""
        job = self._folder.job()
        text = genesis_to_json(self._genesis)
        seal = ArchiveReader(Path(self._place)).trailer if self._kind == "archive" else b""
        wanted = Job(VERSION, text, self._kind, self._place, seal, to or 0, os.urandom(KEY_BYTES))
        if job is not None and (job.genesis, job.kind, job.place) != (text, self._kind, self._place):
            raise OperatorError(f"{self._folder.path} is for the {job.kind} {job.place}: name another folder")
        if job is not None and job.seal != seal:
            raise OperatorError(
                f"the archive {self._place} has changed since {self._folder.path} was made: name another"
            )
        if job is not None and to not in (None, job.last):
            raise OperatorError(f"{self._folder.path} is for a replay to {job.last}: name another folder")
        if self._kind == "store":
            keep_copy(Path(self._place), self._folder.store)
        source = self._folder.open_source(job or wanted)
        try:
            check_covers(self._genesis, source)
            if job is None:
                job = msgspec.structs.replace(wanted, last=last_height(self._genesis, source, to))
                if job.last == self._start:
                    raise OperatorError(f"the {source.name} has no block: replay it without ranges")
                self._folder.begin(job)
        except BaseException:
            source.close()
            raise
        return job, source

    # --- planning -----------------------------------------------------------------------------------------
    def _snapshots(self, source: BlockSource) -> dict[int, Path]:
        """The snapshots whose header is the source's, by height. Content is checked by the process that uses it."""
        found: dict[int, Path] = {}
        for folder in self._given:
            for height, path in snapshots_in(folder).items():
                if self._start < height < self._job.last and height not in found and height not in self._refused:
                    try:
                        self._check_snapshot(source, height, path)
                        found[height] = path
                    except (OSError, Rejected) as error:
                        self._refused[height] = f"the snapshot {path} can't be used: {error}"
                    except (Corrupted, Diverged):
                        pass  # the block is damaged: the range with it reports that
        return dict(sorted(found.items()))

    def _check_snapshot(self, source: BlockSource, height: int, path: Path) -> None:
        offer = read_offer(path)
        check_offer(offer, source.genesis_hash)
        ((_, raw),) = source.blocks(height, height)
        ident = block_id_of(decoded(height, raw).block.header, source.genesis_hash)
        if block_id_of(offer.manifest.header, source.genesis_hash) != ident:
            raise Rejected(f"it is of another block than the source's {ident.hex()}")

    def _valid(self) -> Iterator[RangeResult]:
        """The results from the chain's start on, up to a range that is missing; one with a divergence is the last."""
        height = self._start
        while height < self._job.last and (result := self._results.get(height)) is not None:
            yield result
            if result.divergence is not None:
                return
            height = result.end.height

    def _missing(self, snapshots: dict[int, Path]) -> list[list[int]]:
        """The heights between which blocks are to be replayed: for each piece of work its start and its stops. Nothing
        after the first known fault is replayed."""
        bound = min([self._job.last, *self._errors, *(r.start.height for r in self._results.values() if r.divergence)])
        cuts = [self._start, *snapshots, self._job.last]
        segments, height = [], self._start
        while height < bound:
            reached = height if (result := self._results.get(height)) is None else result.end.height
            if reached == height or (reached not in cuts and reached not in self._results):
                # Where there is no snapshot to go on from (any more), the range before is replayed once more.
                start, reached = max(cut for cut in cuts if cut <= height), next(cut for cut in cuts if cut > reached)
                segments.append((start, reached))
            height = reached
        return self._grouped(segments)

    def _grouped(self, segments: list[tuple[int, int]]) -> list[list[int]]:
        size = self._cluster.size if self._cluster is not None else self._workers
        pieces = size * RANGES_PER_WORKER if size > 1 else 1
        target = -(-sum(end - start for start, end in segments) // pieces)
        groups: list[list[int]] = []
        for start, end in segments:
            if groups and groups[-1][-1] == start and end - groups[-1][0] <= target:
                groups[-1].append(end)
            else:
                groups.append([start, end])
        return groups

    def _work(self, group: list[int], snapshots: dict[int, Path], parent: int) -> RangeWork:
        start, every = group[0], self._snapshot_every
        stops = set(group[1:])
        if every:
            stops.update(range(start - start % every + every, group[-1], every))
        path = str(snapshots[start].absolute()) if start in snapshots else ""
        return RangeWork(str(self._folder.path), start, path, sorted(stops), every, software(), parent)

    # --- the work -----------------------------------------------------------------------------------------
    def _replay_all(self, source: BlockSource) -> None:
        while True:
            snapshots = self._snapshots(source)
            groups = self._missing(snapshots)
            if not groups:
                return
            if self._cluster is not None:
                self._replay_in(self._cluster, [self._work(group, snapshots, 0) for group in groups])
            elif self._workers > 1 and len(groups) > 1:
                pool = LocalPool(min(self._workers, len(groups)))
                try:
                    self._replay_in(pool, [self._work(group, snapshots, os.getpid()) for group in groups])
                finally:
                    pool.close()
            else:
                self._replay_here(self._work(groups[0], snapshots, 0))

    def _replay_here(self, work: RangeWork) -> None:
        verifiers = start_verifiers(self._workers)
        try:
            self._take(work, replay_work(work, verifiers, self._on_progress))
        finally:
            verifiers.close()

    def _replay_in(self, pool: RangePool, works: list[RangeWork]) -> None:
        """Ranges after one that has ended early are not waited for."""
        places = {pool.submit(encode(work)): place for place, work in enumerate(works)}
        waiting, bound = set(places), len(works)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                place = places[future]
                try:
                    outcome = _decode(future.result())
                except WorkerLost as error:
                    raise OperatorError(
                        f"a range can't be replayed ({error}): free memory, or use fewer workers"
                    ) from None
                if not self._take(works[place], outcome):
                    bound = min(bound, place)
            for future in [future for future in waiting if places[future] > bound]:
                future.cancel()
                waiting.remove(future)

    def _take(self, work: RangeWork, outcome: RangeOutcome) -> bool:
        """False where the range has ended early, for a fault."""
        for result in outcome.results:
            self._results[result.start.height] = result
        height = outcome.results[-1].end.height if outcome.results else work.start
        if outcome.refused:
            self._refused[work.start] = outcome.refused
        elif outcome.corrupted or outcome.failed:
            self._errors[height] = Corrupted(outcome.corrupted) if outcome.corrupted else OperatorError(outcome.failed)
            return False
        self._on_progress(sum(r.end.height - r.start.height for r in self._results.values()), 0)
        return not outcome.results or outcome.results[-1].divergence is None

    # --- the join -----------------------------------------------------------------------------------------
    def _join(self, source: BlockSource, report: ReplayReport) -> None:
        rows = RowTotals()
        types: dict[str, int] = {}
        before: RangeResult | None = None
        try:
            for result in self._valid():
                if before is not None and result.start != before.end:
                    raise Diverged(before.end.height, "range_join", _text_of_join(before, result))
                before, rows = result, rows + result.rows
                report.height, report.block_id, report.state_root = msgspec.structs.astuple(result.end)
                report.time_ms = result.time_ms
                report.ranges += 1
                for name, count in result.types.items():
                    types[name] = types.get(name, 0) + count
                if result.divergence is not None:
                    raise Diverged.again(result.divergence)
            if report.height != self._job.last:
                raise self._errors[report.height]
            if before is not None and check_claimed(source, before.end) and before.at_the_end.is_compared:
                self._compare(source, before, rows, report)
        except Diverged as error:
            report.divergence = error.divergence
        report.types = dict(sorted(types.items()))
        report.transactions = sum(types.values())

    def _compare(self, source: BlockSource, last: RangeResult, rows: RowTotals, report: ReplayReport) -> None:
        """Every key family of a store. Raises `Diverged` with the difference that a sequential replay finds first."""
        assert isinstance(source, StoreSource), "only a store has key families"
        key, height, at_the_end = self._job.row_key, last.end.height, last.at_the_end
        compared, faults = dict(at_the_end.compared), dict(at_the_end.faults)
        for family, found in compare_places(source, rows, key, self._start + 1, height, self._folder.path):
            if isinstance(found, Diverged):
                faults[family] = found.divergence
            else:
                compared[FAMILY_NAMES[family]] = found
        for family in FAMILIES:
            if family in faults:
                raise Diverged.again(faults[family])
        names = [FAMILY_NAMES[family] for family in FAMILIES if family in FAMILY_NAMES]
        report.compared, report.unaudited_keys = {n: compared[n] for n in names}, at_the_end.unaudited_keys
        report.compared |= check_receipts(source, rows, key, height)


def _text_of_join(before: RangeResult, after: RangeResult) -> str:
    one, other = (f"block {p.block_id.hex()} with state root {p.state_root.hex()}" for p in (before.end, after.start))
    return f"the range up to this height ends with {one}, the next one starts from {other}"
