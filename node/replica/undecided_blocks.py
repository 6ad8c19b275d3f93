"""Undecided blocks of the next height: their bodies, and their execution results for the commit."""

from __future__ import annotations

from dataclasses import dataclass, field

from node import limits
from node.chain.block import Block
from node.errors import InvalidBlock
from node.execution.block_run import BlockResult
from node.ledger.signed import wire_id_of
from node.txtypes.envelope import CheckedTx


@dataclass
class Candidate:
    """An undecided block. `result` after execution, `fault` if it is invalid; neither while it is being verified."""

    block: Block
    transactions: list[CheckedTx | None] = field(default_factory=list)
    result: BlockResult | None = None
    fault: InvalidBlock | None = None
    is_executing: bool = False
    """Whether its execution has begun."""
    _wire_ids: tuple[bytes, ...] | None = None

    def wire_ids(self, genesis_hash: bytes) -> tuple[bytes, ...]:
        """Wire ids of its transactions, in order."""
        if self._wire_ids is None:
            self._wire_ids = tuple(wire_id_of(genesis_hash, raw) for raw in self.block.transactions)
        return self._wire_ids

    @property
    def is_judged(self) -> bool:
        return self.result is not None or self.fault is not None


class UndecidedBlocks:
    """Candidates by block id, bounded."""

    def __init__(self) -> None:
        self._candidates: dict[bytes, Candidate] = {}

    def get(self, block_id: bytes) -> Candidate | None:
        return self._candidates.get(block_id)

    def add(self, block_id: bytes, candidate: Candidate, keep: set[bytes]) -> list[bytes]:
        """Add a candidate. Above the bound, the oldest ones not in `keep` are dropped; returns their ids."""
        self._candidates[block_id] = candidate
        old = [i for i in self._candidates if i not in keep and i != block_id]
        dropped = old[: max(0, len(self._candidates) - limits.BODIES_PER_HEIGHT_MAX)]
        for other in dropped:
            del self._candidates[other]
        return dropped
