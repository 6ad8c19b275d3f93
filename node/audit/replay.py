"""Replay: re-execution of a chain from genesis, without trust in its source.

Verifier processes check every signature of ranges of blocks in advance; this process executes the blocks. A block
passes only when both agree, so the divergence that is reported is the chain's first.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from node.audit.divergence import Diverged
from node.audit.invariants import check_invariants
from node.audit.replay_store import ReplayStore
from node.audit.report import ReplayReport
from node.audit.signatures import Findings, Range, certificate_fault, commit_fault, decode_findings
from node.audit.sources import BlockSource, StoreSource
from node.audit.store_comparison import ReceiptsComparison, compare_families
from node.audit.workers import RangeVerifiers
from node.chain.block import Block, Commit, Committed, block_id_of, decode_committed
from node.chain.genesis import Genesis, genesis_hash, start_height
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.crypto.addresses import to_text
from node.errors import Corrupted, InvalidBlock, Malformed, OperatorError, Rejected
from node.execution.block_validation import check_frame, execute_block
from node.execution.head import ChainHead
from node.ledger.body import type_of
from node.ledger.signed import Signed, txid_of
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore, WriteBackStore
from node.storage.state_import import import_predecessor
from node.txtypes.envelope import CheckedTx, decode_signed_tx
from node.txtypes.members.member import MEMBER
from node.txtypes.rulesets import unknown_rules, unknown_ruleset
from node.worker_pool import GC_THRESHOLD, WorkerLost

RANGE_TXS = 1_000
RANGE_BLOCKS = 200
RANGE_BYTES = 4 * 1024 * 1024
"""A range for one verifier process is closed when it reaches any of these."""

OnProgress = Callable[[int, int], None]
"""(height reached, transactions so far)"""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A range under verification."""

    blocks: list[Committed]
    assumed: ValidatorSet
    findings: Future[bytes]


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
        self._types: Counter[str] = Counter()
        self._parent_commit = b""
        self._receipts: ReceiptsComparison | None = None
        if source.genesis_hash != self._genesis_hash:
            raise OperatorError(
                f"the {source.name} is of the chain with genesis hash {source.genesis_hash.hex()}, the genesis file "
                f"has {self._genesis_hash.hex()}: give the genesis file of that chain"
            )
        if source.first > self._first:
            raise OperatorError(
                f"the {source.name} starts at block {source.first}: a replay needs all blocks from {self._first}; use "
                f"--node of a node that has them, or an --archive exported from {self._first}"
            )
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
        last = self._source.last if to is None else to
        if last > self._source.last:
            raise OperatorError(f"the {self._source.name} ends at block {self._source.last}: give --to at most that")
        if last < self._first - 1:
            raise OperatorError(
                f"this chain begins at block {self._first}, after the one that it continues: to audit that one up to "
                f"{last}, name its own store, archive or node"
            )
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
            report.types = dict(sorted(self._types.items()))
            report.transactions = self._types.total()
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
        self._receipts = ReceiptsComparison(self._source) if isinstance(self._source, StoreSource) else None
        report.first_validators = frozenset(entry.address for entry in store.head().validators.entries)
        try:
            self._all(store, last)
            self._at_the_end(store, report)
        finally:
            head = store.head()
            report.validators = {e.address: _name_of(store, e.address) for e in head.validators.entries}
            report.height, report.block_id = head.height, head.block_id
            report.state_root, report.time_ms = head.state_root, head.time_ms

    # --- the pipeline -----------------------------------------------------------------------------------
    def _all(self, store: ReplayStore, last: int) -> None:
        pending: deque[_Pending] = deque()
        ranges, has_more = self._ranges(store, last), True
        fault: Diverged | Corrupted | None = None
        while has_more or pending:
            while has_more and len(pending) < self._verifiers.ahead:
                try:
                    pending.append(next(ranges))
                except StopIteration:
                    has_more = False
                except (Diverged, Corrupted) as error:
                    # Counts only after everything before it has been executed.
                    fault, has_more = error, False
            if pending:
                self._execute_range(store, pending.popleft())
        if fault is not None:
            raise fault

    def _ranges(self, store: ReplayStore, last: int) -> Iterator[_Pending]:
        """Ranges as they are handed out; an error of the source is raised after everything before it."""
        raws: list[bytes] = []
        blocks: list[Committed] = []
        parent_commit, txs, size, height = b"", 0, 0, self._first - 1
        fault: Diverged | Corrupted | None = None

        def handed_out() -> _Pending:
            assumed = store.head().validators
            work = encode(Range(self._genesis_hash, assumed.entries, parent_commit, raws))
            return _Pending(blocks, assumed, self._verifiers.submit(work))

        try:
            for height, raw in self._source.blocks(self._first, last):
                blocks.append(decoded(height, raw))
                raws.append(raw)
                txs += len(blocks[-1].block.transactions)
                size += len(raw)
                if txs >= RANGE_TXS or len(raws) >= RANGE_BLOCKS or size >= RANGE_BYTES:
                    yield handed_out()
                    parent_commit = encode(blocks[-1].commit)
                    raws, blocks, txs, size = [], [], 0, 0
        except (Diverged, Corrupted) as error:
            fault = error
        if raws:
            yield handed_out()
        if fault is not None:
            raise fault
        if height != last:
            raise Diverged(height + 1, "block_missing", f"the {self._source.name} ends before block {height + 1}")

    def _execute_range(self, store: ReplayStore, pending: _Pending) -> None:
        try:
            all_findings = decode_findings(pending.findings.result())
        except WorkerLost as error:
            raise OperatorError(f"blocks can't be verified ({error}): free memory, or use --workers 0") from None
        assert len(all_findings) == len(pending.blocks), "findings of each block"
        for committed, findings in zip(pending.blocks, all_findings, strict=True):
            self._execute(store, committed, findings, pending.assumed)
        if self._on_progress is not None:
            self._on_progress(store.height(), self._types.total())

    # --- one block --------------------------------------------------------------------------------------
    def _execute(self, store: ReplayStore, committed: Committed, findings: Findings, assumed: ValidatorSet) -> None:
        block, head = committed.block, store.head()
        height = head.height + 1
        self._check_rules(committed, head)
        try:
            check_frame(block, head, self._genesis_hash, verify_last_commit=False)
        except InvalidBlock as error:
            if error.rule == "header_tx_root" and findings.index >= 0:
                raise self._transaction_fault(block, findings) from None
            raise Diverged(height, error.rule, str(error)) from None
        self._check_certificates(committed, findings, assumed, store)
        if findings.index >= 0:
            raise self._transaction_fault(block, findings)
        transactions = [self._decoded_tx(height, index, raw) for index, raw in enumerate(block.transactions)]
        try:
            result = execute_block(block, transactions, store.state, store.tree, head, self._genesis_hash)
        except InvalidBlock as error:
            raise Diverged(height, error.rule, str(error), error.index, error.txid) from None
        except (OperatorError, Corrupted):
            raise
        except Exception as error:  # any failure to execute a certified block is a divergence
            raise Diverged(height, "execution_error", f"{type(error).__name__}: {error}") from error
        if self._receipts is not None:
            self._receipts.add(result)
        store.advance(result, block_id_of(block.header, self._genesis_hash))
        self._parent_commit = encode(committed.commit)
        self._types.update(type_of(tx.payload.body) for tx in transactions)

    def _check_rules(self, committed: Committed, head: ChainHead) -> None:
        """Before anything else is judged: another version may see it otherwise. Raises `OperatorError` where this
        software does not know the ruleset, as the state names it, or a header that the validators have decided."""
        height, header = head.height + 1, committed.block.header
        if unknown := unknown_rules(head.params, height):
            raise OperatorError(unknown)
        unknown = unknown_ruleset(height, header.ruleset_hash)
        if unknown and not certificate_fault(committed, self._genesis_hash, head.validators):
            raise OperatorError(unknown)

    def _check_certificates(
        self, committed: Committed, findings: Findings, assumed: ValidatorSet, store: ReplayStore
    ) -> None:
        """Findings count where the verifiers had the right set; else the certificates are verified again."""
        head, header = store.head(), committed.block.header
        last, own = findings.last_commit, findings.commit
        if head.last_validators != assumed and header.height > self._first:
            is_parents = encode(committed.block.last_commit) == self._parent_commit
            last = "" if is_parents else self._fault(committed.block.last_commit, head.last_validators)
        if last:
            raise Diverged(header.height, "last_commit", last)
        if head.validators != assumed:
            own = certificate_fault(committed, self._genesis_hash, head.validators)
        if own:
            raise Diverged(header.height, "commit_certificate", f"the certificate does not decide the block: {own}")

    def _fault(self, commit: Commit, validators: ValidatorSet) -> str:
        return commit_fault(commit, self._genesis_hash, validators)

    def _transaction_fault(self, block: Block, findings: Findings) -> Diverged:
        raw = block.transactions[findings.index]
        return Diverged(
            block.header.height, findings.rule, findings.text, findings.index, txid_or_empty(raw, self._genesis_hash)
        )

    def _decoded_tx(self, height: int, index: int, raw: bytes) -> CheckedTx:
        try:
            return CheckedTx(decode_signed_tx(raw, self._genesis_hash))
        except Rejected as error:
            txid = txid_or_empty(raw, self._genesis_hash)
            raise Diverged(height, f"transaction_{error.code}", str(error), index, txid) from None

    # --- the end ------------------------------------------------------------------------------------------
    def _at_the_end(self, store: ReplayStore, report: ReplayReport) -> None:
        head = store.head()
        check_invariants(store)
        claimed = self._source.claimed
        if claimed is None or claimed.height != head.height:
            return
        if (claimed.block_id, claimed.state_root) != (head.block_id, head.state_root):
            raise Diverged(
                head.height,
                "claimed_head",
                f"the {self._source.name} claims block {claimed.block_id.hex()} with state root "
                f"{claimed.state_root.hex()}, computed are {head.block_id.hex()} and {head.state_root.hex()}",
            )
        if isinstance(self._source, StoreSource) and self._receipts is not None:
            report.compared, report.unaudited_keys = compare_families(self._source, store.kv, self._first, head.height)
            report.compared |= self._receipts.finish(head.height)


def _name_of(store: ReplayStore, address: bytes) -> str:
    raw = store.state.get(MEMBER.key(address))
    return to_text(address) if raw is None else MEMBER.decode(raw).name


def decoded(height: int, raw: bytes) -> Committed:
    """Decode strictly. Raises `Diverged`, also for the block of another height."""
    try:
        committed = decode_committed(raw)
    except Rejected as error:
        raise Diverged(height, "block_encoding", str(error)) from None
    if committed.block.header.height != height:
        raise Diverged(height, "header_height", f"in its place is block {committed.block.header.height}")
    return committed


def txid_or_empty(raw: bytes, genesis: bytes) -> bytes:
    """The txid of an invalid transaction; empty where not even its envelope decodes."""
    try:
        return txid_of(genesis, msgspec.msgpack.decode(raw, type=Signed).payload)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return b""
