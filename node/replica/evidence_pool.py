"""Evidence pool: equivocations that no block has punished yet."""

from __future__ import annotations

from node.chain.vote import Evidence, evidence_id, sign_bytes_of
from node.crypto.signing import is_signature
from node.errors import InvalidBlock
from node.execution.evidence import check_evidence, check_pair
from node.replica.block_builder import BlockBuilder
from node.replica.messages import EvidenceMessage
from node.replica.step_context import StepContext
from node.storage.chain_store import ChainStore

EVIDENCE_POOL_MAX = 256
EVIDENCE_PER_VALIDATOR_MAX = 4
"""One piece takes all power. An offender can equivocate in every round, and must not crowd out others' evidence."""


class EvidencePool:
    """Bounded; new evidence is broadcast, and removed when a block carries it or it becomes too old."""

    def __init__(self, store: ChainStore, builder: BlockBuilder, context: StepContext) -> None:
        self._store = store
        self._builder = builder
        self._context = context
        self._pieces: dict[bytes, Evidence] = {}

    def has_usable(self) -> bool:
        """Whether the next block may carry a piece."""
        height = self._store.height()
        return any(piece.first.height <= height for piece in self._pieces.values())

    def pieces(self) -> list[Evidence]:
        return list(self._pieces.values())

    def take(self, evidence: Evidence) -> None:
        """Keep and broadcast evidence that the next block or the one after it may carry.

        Raises `Rejected` for a pair that proves no equivocation, whatever its signatures.
        """
        check_pair(evidence)
        ident, offender = evidence_id(evidence), evidence.first.validator
        of_offender = sum(1 for piece in self._pieces.values() if piece.first.validator == offender)
        if ident in self._pieces or of_offender >= EVIDENCE_PER_VALIDATOR_MAX or len(self._pieces) >= EVIDENCE_POOL_MAX:
            return
        if not self._is_usable(evidence):
            return
        self._pieces[ident] = evidence
        self._context.broadcast(EvidenceMessage(evidence))

    def _is_usable(self, evidence: Evidence) -> bool:
        store, head = self._store, self._store.head()
        if evidence.first.height == head.height + 1:  # a block may carry it one height later
            entry = head.validators.get(evidence.first.validator)
            return entry is not None and all(
                is_signature(entry.consensus_key, sign_bytes_of(vote, store.genesis_hash), vote.signature)
                for vote in (evidence.first, evidence.second)
            )
        try:
            check_evidence(evidence, store.state, head.height + 1, head.params, store.genesis_hash)
        except InvalidBlock:
            return False
        return True

    def committed(self) -> None:
        """A block was committed: drop what the next one may not carry any more."""
        self._pieces = {evidence_id(piece): piece for piece in self.pieces() if self._is_usable(piece)}
