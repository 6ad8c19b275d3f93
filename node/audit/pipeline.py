"""Execution of a source's blocks over a replay's store, with signatures verified in advance by other processes.

Verifier processes check every signature of ranges of blocks; this process executes the blocks. A block passes only when
both agree, so the divergence that is raised is the first of these blocks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from node.audit.divergence import Diverged
from node.audit.executor import Executor, decoded
from node.audit.replay_store import ReplayStore
from node.audit.signatures import Range, decode_findings
from node.audit.sources import BlockSource
from node.audit.workers import RangeVerifiers
from node.chain.block import Committed
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.errors import Corrupted, OperatorError
from node.execution.block_run import BlockResult
from node.ledger.body import type_of
from node.worker_pool import WorkerLost

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


class Pipeline:
    """Verifies and executes the blocks of `source` after the head of `store`, in order."""

    def __init__(
        self,
        source: BlockSource,
        store: ReplayStore,
        verifiers: RangeVerifiers,
        *,
        parent_commit: bytes = b"",
        on_block: Callable[[BlockResult, bytes], None] | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """`parent_commit`: canonical bytes of a verified certificate of the head, empty at the chain's start.
        `on_block` gets what each block has done, and the block's id."""
        self._source = source
        self._executor = Executor(store, parent_commit)
        self._store = store
        self._verifiers = verifiers
        self._on_block = on_block
        self._on_progress = on_progress
        self.types: Counter[str] = Counter()
        """Number of executed transactions by type."""
        self.last: Committed | None = None
        """The block that was executed last."""

    def run(self, last: int) -> None:
        """Execute up to height `last`. Raises `Diverged`, and `OperatorError` and `Corrupted` as the source does."""
        pending: deque[_Pending] = deque()
        ranges, has_more = self._ranges(last), True
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
                self._execute_range(pending.popleft())
        if fault is not None:
            raise fault

    def _ranges(self, last: int) -> Iterator[_Pending]:
        """Ranges as they are handed out; an error of the source is raised after everything before it."""
        raws: list[bytes] = []
        blocks: list[Committed] = []
        parent_commit, txs, size, height = self._executor.parent_commit, 0, 0, self._store.height()
        first = height + 1
        fault: Diverged | Corrupted | None = None

        def handed_out() -> _Pending:
            assumed = self._store.head().validators
            work = encode(Range(self._store.genesis_hash, assumed.entries, parent_commit, raws))
            return _Pending(blocks, assumed, self._verifiers.submit(work))

        try:
            for height, raw in self._source.blocks(first, last):
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

    def _execute_range(self, pending: _Pending) -> None:
        try:
            all_findings = decode_findings(pending.findings.result())
        except WorkerLost as error:
            raise OperatorError(f"blocks can't be verified ({error}): free memory, or use --workers 0") from None
        assert len(all_findings) == len(pending.blocks), "findings of each block"
        for committed, findings in zip(pending.blocks, all_findings, strict=True):
            executed = self._executor.judged(committed, findings, pending.assumed)
            if self._on_block is not None:
                self._on_block(executed.result, executed.block_id)
            self._executor.advance(executed)
            self.last = committed
            self.types.update(type_of(tx.payload.body) for tx in executed.result.transactions)
        if self._on_progress is not None:
            self._on_progress(self._store.height(), self.types.total())
