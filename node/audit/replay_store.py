"""The recomputed chain: state, tree, records, window and indexes as a node keeps them, but no blocks."""

from __future__ import annotations

from node.execution.block_run import BlockResult
from node.execution.head import ChainHead
from node.storage.chain_store import ChainStore


class ReplayStore(ChainStore):
    """Blocks and certificates stay where they are, in the source."""

    def advance(self, result: BlockResult, block_id: bytes) -> ChainHead:
        """Follow an executed block whose header and certificate hold."""
        puts, deletes = self._batch(result, block_id)
        return self._advance(result, block_id, puts, deletes)
