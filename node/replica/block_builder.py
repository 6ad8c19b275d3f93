"""Building and validating blocks over the head. Everything works on overlays; nothing is committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from node import limits
from node.chain.block import EMPTY_COMMIT, Block, block_id_of
from node.chain.vote import Evidence, Proposal
from node.errors import Corrupted, InvalidBlock, OperatorError, Rejected
from node.execution.block_run import BlockFull, BlockResult, BlockRun
from node.execution.block_validation import Execution, check_frame, seal_block
from node.execution.evidence import check_evidence
from node.ledger.guards import GuardsUnmet, Unmet
from node.mempool.pool import Entry
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx


@dataclass(frozen=True, slots=True)
class Built:
    """A new block, its execution result, and the pool transactions that did not get into it."""

    block: Block
    block_id: bytes
    result: BlockResult
    failed: tuple[tuple[CheckedTx, tuple[Unmet, ...]], ...]
    """Pool transactions with their unmet guards."""
    poison: tuple[tuple[CheckedTx, str], ...]
    """Transactions that raised an unexpected exception, with its text: to be quarantined."""


class BlockBuilder:
    """Builds a proposer's blocks and executes those of others.

    A built block has at most `build_txs_max` transactions, and building stops after `BUILD_MS_MAX`: all others have to
    execute it within their timeouts. Both are done in slices of `slice_txs` transactions: the iterators give None after
    each slice, and the result last. Until then the head must stay what it was.
    """

    def __init__(self, store: ChainStore, build_txs_max: int, slice_txs: int, stopwatch: Callable[[], float]) -> None:
        self._store = store
        self._build_txs_max = build_txs_max
        self._slice_txs = slice_txs
        self._stopwatch = stopwatch
        self.executed = 0
        """Transactions executed in blocks, in those of others and in those that are built here."""

    @property
    def txs_max(self) -> int:
        """The largest number of transactions in a block that is built on the head."""
        return min(self._build_txs_max, self._store.head().params.block_txs_max)

    def run(self, time_ms: int, *, records_reads: bool = False) -> BlockRun:
        """A fresh run over the head."""
        store = self._store
        return BlockRun(store.state, store.tree, store.head(), store.genesis_hash, time_ms, records_reads=records_reads)

    def building(
        self, candidates: Callable[[], Iterable[Entry]], evidence: list[Evidence], proposer: bytes, now_ms: int
    ) -> Iterator[Built | None]:
        """The next block from the pool's transactions, in the order of `candidates`."""
        head = self._store.head()
        run = self.run(max(now_ms, head.time_ms + 1))
        failed: list[tuple[CheckedTx, tuple[Unmet, ...]]] = []
        poison: list[tuple[CheckedTx, str]] = []
        taken, failures = 0, Counter[bytes]()
        txs_max = self.txs_max
        until = self._stopwatch() + limits.BUILD_MS_MAX / 1000
        for tried, entry in enumerate(candidates()):
            if tried and tried % self._slice_txs == 0:
                yield None
            tx = entry.tx
            if taken >= txs_max or ((taken or failed) and self._stopwatch() > until):
                break
            if failures[entry.sponsor] >= limits.BUILD_FAILURES_MAX:
                continue
            if run.bytes + len(tx.raw) + 5 > head.params.block_bytes_max:
                break
            self.executed += 1
            try:
                run.add(tx)
                taken += 1
            except GuardsUnmet as error:
                failed.append((tx, error.unmet))
                failures[entry.sponsor] += 1
            except BlockFull:
                break
            except (Corrupted, OperatorError):
                raise  # the disk's fault, not the transaction's
            except Exception as error:
                poison.append((tx, repr(error)))
        if taken > self._slice_txs:
            yield None
        pieces = self.usable_evidence(evidence)[: limits.EVIDENCE_PER_BLOCK_MAX]
        result = run.finish(tuple(pieces))
        if taken > self._slice_txs:
            yield None
        last = EMPTY_COMMIT if self._store.is_at_start else self._store.commit(head.height)
        assert last is not None, "a committed height has its certificate"
        block = seal_block(run, result, head, proposer, tuple(pieces), last)
        block_id = block_id_of(block.header, self._store.genesis_hash)
        yield Built(block, block_id, result, tuple(failed), tuple(poison))

    def usable_evidence(self, evidence: list[Evidence]) -> list[Evidence]:
        """Evidence that the next block may carry, one piece per validator, since one takes all of its power."""
        head = self._store.head()
        by_validator: dict[bytes, Evidence] = {}
        for piece in evidence:
            try:
                check_evidence(piece, self._store.state, head.height + 1, head.params, self._store.genesis_hash)
            except InvalidBlock:
                continue
            by_validator.setdefault(piece.first.validator, piece)
        return list(by_validator.values())

    def check_frame(self, block: Block) -> None:
        """Raises `InvalidBlock`."""
        check_frame(block, self._store.head(), self._store.genesis_hash)

    def is_long(self, block: Block) -> bool:
        """Whether it is executed in several slices."""
        return len(block.transactions) > self._slice_txs

    def executing(self, block: Block, transactions: list[CheckedTx]) -> Iterator[BlockResult | None]:
        """Execute an undecided block. Any exception makes the *block* invalid. Raises `InvalidBlock`."""
        store = self._store
        self.executed += len(transactions)
        try:
            execution = Execution(block, store.state, store.tree, store.head(), store.genesis_hash)
            is_long = self.is_long(block)
            for count, tx in enumerate(transactions):
                if is_long and count % self._slice_txs == 0:
                    yield None
                execution.add(tx)
            if is_long:
                yield None
            yield execution.finish()
        except InvalidBlock:
            raise
        except Rejected as error:
            raise InvalidBlock(error.code, str(error)) from None
        except (Corrupted, OperatorError):
            raise  # the disk's fault, not the block's
        except Exception as error:
            raise InvalidBlock("poison", f"judging raised {error!r}") from error


def message_delay_ms(round_: int) -> int:
    """PBTS message delay: `2 s * 1.1^round` in integers, capped at an hour."""
    delay = limits.MESSAGE_DELAY_MS
    for _ in range(min(round_, 200)):
        delay = delay * 11 // 10
        if delay >= limits.MESSAGE_DELAY_CAP_MS:
            return limits.MESSAGE_DELAY_CAP_MS
    return delay


def is_timely(proposal: Proposal, time_ms: int, received_ms: int) -> bool:
    """PBTS timeliness: whether a correct proposer could have chosen this block time."""
    earliest = received_ms - message_delay_ms(proposal.round) - limits.PRECISION_MS
    return earliest <= time_ms <= received_ms + limits.PRECISION_MS
