"""Building a block's header and judging a block: the whole of what makes one valid after its parent."""

from __future__ import annotations

from collections.abc import Sequence

from node import limits
from node.chain.block import (
    EMPTY_COMMIT,
    HEADER_VERSION,
    Block,
    Commit,
    Header,
    commit_hash,
    evidence_root,
    verify_commit,
)
from node.chain.vote import Evidence
from node.crypto import merkle
from node.crypto.state_tree import StateTree
from node.errors import InvalidBlock, InvalidCertificate
from node.execution.block_run import BlockFull, BlockResult, BlockRun
from node.execution.evidence import check_evidence
from node.execution.head import ChainHead
from node.ledger.guards import GuardsUnmet
from node.ledger.overlay import StateReader
from node.txtypes.envelope import CheckedTx


def seal_block(
    run: BlockRun,
    result: BlockResult,
    head: ChainHead,
    proposer: bytes,
    evidence: tuple[Evidence, ...],
    last_commit: Commit,
) -> Block:
    """The block that `run` has executed: its header holds the roots that came out."""
    raws = tuple(tx.raw for tx in result.transactions)
    header = Header(
        version=HEADER_VERSION,
        height=result.height,
        time_ms=result.time_ms,
        parent_id=head.block_id,
        proposer=proposer,
        tx_root=merkle.root(raws),
        state_root=result.state_root,
        validators_hash=head.validators.hash,
        next_validators_hash=result.validators.hash,
        ruleset_hash=run.rules.hash,
        evidence_root=evidence_root(evidence),
        last_commit_hash=commit_hash(last_commit),
    )
    return Block(header, raws, evidence, last_commit)


def _require(holds: bool, rule: str, text: str) -> None:
    if not holds:
        raise InvalidBlock(rule, text)


def check_frame(block: Block, head: ChainHead, genesis_hash: bytes, *, verify_last_commit: bool = True) -> None:
    """Everything about a block but its transactions' execution. Raises `InvalidBlock`, naming the rule.

    `verify_last_commit=False` is for a replay that verifies every certificate by itself, once.
    """
    header = block.header
    _require(header.version == HEADER_VERSION, "header_version", f"version {header.version}")
    _require(header.height == head.height + 1, "header_height", f"{header.height} after {head.height}")
    _require(header.parent_id == head.block_id, "header_parent", "the parent is not the block before")
    _require(header.time_ms > head.time_ms, "header_time", f"{header.time_ms} is not above {head.time_ms}")
    _require(header.proposer in head.validators, "header_proposer", "the proposer is not in the set")
    _require(header.validators_hash == head.validators.hash, "header_validators", "not the set of this height")
    _require(header.tx_root == merkle.root(block.transactions), "header_tx_root", "not the root of the transactions")
    _require(header.evidence_root == evidence_root(block.evidence), "header_evidence_root", "not the evidence's root")
    _require(
        header.last_commit_hash == commit_hash(block.last_commit), "header_last_commit", "not the last commit's hash"
    )
    size = sum(len(raw) + 5 for raw in block.transactions)
    _require(size <= head.params.block_bytes_max, "block_bytes", f"{size} above {head.params.block_bytes_max}")
    count = len(block.transactions)
    _require(count <= head.params.block_txs_max, "block_txs", f"{count} above {head.params.block_txs_max}")
    if head.block_id == genesis_hash:
        _require(block.last_commit == EMPTY_COMMIT, "last_commit", "the first block has an empty last commit")
        return
    commit = block.last_commit
    _require(commit.height == head.height, "last_commit", f"for height {commit.height}, not {head.height}")
    _require(commit.block_id == head.block_id, "last_commit", "for another block than the parent")
    if verify_last_commit:
        try:
            verify_commit(commit, genesis_hash, head.last_validators)
        except InvalidCertificate as error:
            raise InvalidBlock("last_commit", str(error)) from None


def execute_block(
    block: Block,
    transactions: Sequence[CheckedTx],
    state: StateReader,
    tree: StateTree,
    head: ChainHead,
    genesis_hash: bytes,
) -> BlockResult:
    """Execute a block whose frame is checked. `transactions` are `block.transactions`, decoded and verified.

    Raises `InvalidBlock`: the first transaction that does not hold with its index, or a root that differs.
    """
    execution = Execution(block, state, tree, head, genesis_hash)
    for tx in transactions:
        execution.add(tx)
    return execution.finish()


class Execution:
    """The execution of a block whose frame is checked, a transaction at a time, so that its caller may look at
    something else between two of them. It is over with the first `InvalidBlock`."""

    def __init__(self, block: Block, state: StateReader, tree: StateTree, head: ChainHead, genesis_hash: bytes) -> None:
        """Raises `InvalidBlock`."""
        self._block = block
        self._state = state
        self._head = head
        self._genesis_hash = genesis_hash
        self._run = BlockRun(state, tree, head, genesis_hash, block.header.time_ms)
        self._count = 0
        _require(block.header.ruleset_hash == self._run.rules.hash, "header_ruleset", "judged by another ruleset")

    def add(self, tx: CheckedTx) -> None:
        """Execute the next transaction. Raises `InvalidBlock` with its index where it does not hold."""
        try:
            self._run.add(tx)
        except GuardsUnmet as error:
            raise InvalidBlock(error.unmet[0].code, str(error), self._count, tx.txid) from None
        except BlockFull:
            raise InvalidBlock("block_weight", "the block is too heavy", self._count, tx.txid) from None
        self._count += 1

    def finish(self) -> BlockResult:
        """Check the evidence, and compare what came out with the header. Raises `InvalidBlock`."""
        block, header, head = self._block, self._block.header, self._head
        _require(
            len(block.evidence) <= limits.EVIDENCE_PER_BLOCK_MAX, "evidence_count", f"{len(block.evidence)} pieces"
        )
        for piece in block.evidence:
            check_evidence(piece, self._state, header.height, head.params, self._genesis_hash)
        offenders = {piece.first.validator for piece in block.evidence}
        _require(len(offenders) == len(block.evidence), "evidence_repeated", "two pieces against one validator")
        result = self._run.finish(block.evidence)
        if result.state_root != header.state_root:
            raise InvalidBlock("state_root", f"expected {header.state_root.hex()}, computed {result.state_root.hex()}")
        _require(
            header.next_validators_hash == result.validators.hash,
            "header_next_validators",
            "not the set after this block",
        )
        return result
