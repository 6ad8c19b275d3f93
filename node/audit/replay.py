"""Replay: re-execution of a chain from genesis, without trust in its source."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from node.audit.block_rows import BlockRows, check_receipts
from node.audit.divergence import Diverged
from node.audit.invariants import check_invariants
from node.audit.pipeline import OnProgress, Pipeline
from node.audit.replay_store import ReplayStore
from node.audit.report import ReplayReport
from node.audit.row_sums import KEY_BYTES
from node.audit.sources import BlockSource, StoreSource
from node.audit.store_comparison import compare_families
from node.audit.workers import RangeVerifiers
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.crypto.addresses import to_text
from node.errors import Malformed, OperatorError
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore, WriteBackStore
from node.storage.state_import import import_predecessor
from node.txtypes.members.member import MEMBER
from node.worker_pool import GC_THRESHOLD


class Replay:
    """Replays one source."""

    def __init__(
        self,
        genesis: Genesis,
        source: BlockSource,
        verifiers: RangeVerifiers,
        on_progress: OnProgress | None = None,
        predecessor: Replay | None = None,
    ) -> None:
        """`predecessor`: of the chain that this one continues. Raises `OperatorError` where they don't match."""
        self._genesis = genesis
        self._genesis_hash = genesis_hash(genesis)
        self._first = start_height(genesis) + 1
        self._source = source
        self._verifiers = verifiers
        self._on_progress = on_progress
        self._predecessor = predecessor
        check_covers(genesis, source)
        self._check_predecessor()

    def _check_predecessor(self) -> None:
        continues, given = self._genesis.continues, self._predecessor
        if continues is None and given is not None:
            raise OperatorError("the genesis file continues no other chain: leave --predecessor out")
        if continues is not None and given is None:
            raise OperatorError(
                f"this chain continues the chain {continues.genesis_hash.hex()} from height {continues.height}: name "
                "its store, archive or node with --predecessor, and its genesis file with --predecessor-genesis"
            )
        if continues is not None and given is not None and given._genesis_hash != continues.genesis_hash:
            raise OperatorError(
                f"this chain continues the chain {continues.genesis_hash.hex()}, --predecessor-genesis is of "
                f"{given._genesis_hash.hex()}: give the genesis file of that one; of several, the newest first"
            )

    def run(self, to: int | None = None) -> ReplayReport:
        """Replay up to height `to`, or to the source's end. A divergence is reported, not raised.

        Raises `OperatorError` where the source can't be read and `Corrupted` where it is damaged.
        """
        with tempfile.TemporaryDirectory(prefix="bmw-audit-") as folder, self._run_in(Path(folder), to) as (report, _):
            return report

    @contextmanager
    def _run_in(self, folder: Path, to: int | None) -> Iterator[tuple[ReplayReport, KeyValue]]:
        """The report, and the recomputed chain until the context ends."""
        last = last_height(self._genesis, self._source, to)
        report = ReplayReport(self._genesis.chain_id, self._genesis_hash, self._source.name)
        report.not_continued = self._source.last - last if to is not None else 0
        started = time.monotonic()
        thresholds = gc.get_threshold()
        gc.set_threshold(GC_THRESHOLD)
        kv = WriteBackStore(LevelStore(folder / "state", is_temporary=True))
        try:
            try:
                self._begin(folder / "predecessor", kv, report)
                self._execute_all(kv, last, report)
            except Diverged as error:
                report.divergence = error.divergence
            report.seconds = time.monotonic() - started
            yield report, kv
        finally:
            kv.close()
            gc.set_threshold(*thresholds)

    def _begin(self, folder: Path, kv: KeyValue, report: ReplayReport) -> None:
        """Import the last state of the predecessor, if any. Raises `Diverged`."""
        continues, before = self._genesis.continues, self._predecessor
        if continues is None or before is None:
            return
        with before._run_in(folder, continues.height) as (older, old_kv):
            report.predecessor = older
            if older.divergence is not None:
                raise Diverged.again(older.divergence)
            if (older.block_id, older.state_root) != (continues.block_id, continues.state_root):
                text = (
                    f"the predecessor has block {older.block_id.hex()} with state root {older.state_root.hex()} there, "
                    f"the genesis continues {continues.block_id.hex()} with {continues.state_root.hex()}"
                )
                raise Diverged(continues.height, "genesis_continues", text)
            try:
                import_predecessor(kv, self._genesis, old_kv, before._genesis.tree_depth)
            except Malformed as error:
                raise Diverged(continues.height, "genesis_continues", str(error)) from None

    def _execute_all(self, kv: KeyValue, last: int, report: ReplayReport) -> None:
        store = ReplayStore(kv, self._genesis)
        source = self._source
        row_key = os.urandom(KEY_BYTES)
        rows = BlockRows(source, row_key, has_places=False) if isinstance(source, StoreSource) else None
        on_block = rows.add if rows is not None else None
        pipeline = Pipeline(source, store, self._verifiers, on_block=on_block, on_progress=self._on_progress)
        report.first_validators = frozenset(entry.address for entry in store.head().validators.entries)
        try:
            pipeline.run(last)
            self._at_the_end(store, report)
            if rows is not None and isinstance(source, StoreSource) and report.compared:
                report.compared |= check_receipts(source, rows.taken(), row_key, last)
        finally:
            report.types = dict(sorted(pipeline.types.items()))
            report.transactions = pipeline.types.total()
            head = store.head()
            report.validators = {e.address: _name_of(store, e.address) for e in head.validators.entries}
            report.height, report.block_id = head.height, head.block_id
            report.state_root, report.time_ms = head.state_root, head.time_ms

    # --- the end ------------------------------------------------------------------------------------------
    def _at_the_end(self, store: ReplayStore, report: ReplayReport) -> None:
        source, head = self._source, store.head()
        check_invariants(store)
        if check_claimed(source, head) and isinstance(source, StoreSource):
            report.compared, report.unaudited_keys = compare_families(source, store.kv, self._first, head.height)


def _name_of(store: ReplayStore, address: bytes) -> str:
    raw = store.state.get(MEMBER.key(address))
    return to_text(address) if raw is None else MEMBER.decode(raw).name


def check_covers(genesis: Genesis, source: BlockSource) -> None:
    """The source has the chain's blocks from the first one on. Raises `OperatorError`."""
    ident, first = genesis_hash(genesis), start_height(genesis) + 1
    if source.genesis_hash != ident:
        raise OperatorError(
            f"the {source.name} is of the chain with genesis hash {source.genesis_hash.hex()}, the genesis file "
            f"has {ident.hex()}: give the genesis file of that chain"
        )
    if source.first > first:
        raise OperatorError(
            f"the {source.name} starts at block {source.first}: a replay needs all blocks from {first}; use "
            f"--node of a node that has them, or an --archive exported from {first}"
        )


def last_height(genesis: Genesis, source: BlockSource, to: int | None) -> int:
    """The height at which a replay up to `to`, or to the source's end, ends. Raises `OperatorError`."""
    last, first = source.last if to is None else to, start_height(genesis) + 1
    if last > source.last:
        raise OperatorError(f"the {source.name} ends at block {source.last}: give --to at most that")
    if last < first - 1:
        raise OperatorError(
            f"this chain begins at block {first}, after the one that it continues: to audit that one up to "
            f"{last}, name its own store, archive or node"
        )
    return last


class _State(Protocol):
    @property
    def height(self) -> int: ...
    @property
    def block_id(self) -> bytes: ...
    @property
    def state_root(self) -> bytes: ...


def check_claimed(source: BlockSource, head: _State) -> bool:
    """False where the source claims another height, or none. Raises `Diverged` where it claims another head."""
    claimed = source.claimed
    if claimed is None or claimed.height != head.height:
        return False
    if (claimed.block_id, claimed.state_root) != (head.block_id, head.state_root):
        raise Diverged(
            head.height,
            "claimed_head",
            f"the {source.name} claims block {claimed.block_id.hex()} with state root "
            f"{claimed.state_root.hex()}, computed are {head.block_id.hex()} and {head.state_root.hex()}",
        )
    return True
