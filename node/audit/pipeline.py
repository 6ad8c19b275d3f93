"""Execution of a source's blocks over a replay's store.

Verifier processes check every signature of ranges of blocks in advance; this process executes the blocks. A block
passes only when both agree, so the divergence that is raised is the first of these blocks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import msgspec

from node.audit.divergence import Diverged
from node.audit.replay_store import ReplayStore
from node.audit.signatures import Findings, Range, certificate_fault, commit_fault, decode_findings
from node.audit.sources import BlockSource
from node.audit.workers import RangeVerifiers
from node.chain.block import Block, Commit, Committed, block_id_of, decode_committed
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.errors import Corrupted, InvalidBlock, OperatorError, Rejected
from node.execution.block_run import BlockResult
from node.execution.block_validation import check_frame, execute_block
from node.execution.head import ChainHead
from node.ledger.body import type_of
from node.ledger.signed import Signed, txid_of
from node.txtypes.envelope import CheckedTx, decode_signed_tx
from node.txtypes.rulesets import unknown_rules, unknown_ruleset
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
        self._store = store
        self._verifiers = verifiers
        self._genesis_hash = store.genesis_hash
        self._first = store.start_height + 1
        self._parent_commit = parent_commit
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
        parent_commit, txs, size, height = self._parent_commit, 0, 0, self._store.height()
        first = height + 1
        fault: Diverged | Corrupted | None = None

        def handed_out() -> _Pending:
            assumed = self._store.head().validators
            work = encode(Range(self._genesis_hash, assumed.entries, parent_commit, raws))
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
            self._execute(committed, findings, pending.assumed)
        if self._on_progress is not None:
            self._on_progress(self._store.height(), self.types.total())

    # --- one block --------------------------------------------------------------------------------------
    def _execute(self, committed: Committed, findings: Findings, assumed: ValidatorSet) -> None:
        store = self._store
        block, head = committed.block, store.head()
        height = head.height + 1
        self._check_rules(committed, head)
        try:
            check_frame(block, head, self._genesis_hash, verify_last_commit=False)
        except InvalidBlock as error:
            if error.rule == "header_tx_root" and findings.index >= 0:
                raise self._transaction_fault(block, findings) from None
            raise Diverged(height, error.rule, str(error)) from None
        self._check_certificates(committed, findings, assumed)
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
        block_id = block_id_of(block.header, self._genesis_hash)
        if self._on_block is not None:
            self._on_block(result, block_id)
        store.advance(result, block_id)
        self._parent_commit, self.last = encode(committed.commit), committed
        self.types.update(type_of(tx.payload.body) for tx in transactions)

    def _check_rules(self, committed: Committed, head: ChainHead) -> None:
        """Before anything else is judged: another version may see it otherwise. Raises `OperatorError` where this
        software does not know the ruleset, as the state names it, or a header that the validators have decided."""
        height, header = head.height + 1, committed.block.header
        if unknown := unknown_rules(head.params, height):
            raise OperatorError(unknown)
        unknown = unknown_ruleset(height, header.ruleset_hash)
        if unknown and not certificate_fault(committed, self._genesis_hash, head.validators):
            raise OperatorError(unknown)

    def _check_certificates(self, committed: Committed, findings: Findings, assumed: ValidatorSet) -> None:
        """Findings count where the verifiers had the right set; else the certificates are verified again."""
        head, header = self._store.head(), committed.block.header
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
