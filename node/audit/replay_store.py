"""The recomputed chain: state, tree, records, window and indexes as in a node's store, without blocks."""

from __future__ import annotations

from node.execution.block_run import BlockResult
from node.execution.head import ChainHead
from node.storage.chain_store import ChainStore


class ReplayStore(ChainStore):
    """Blocks and certificates stay in the source."""

    def advance(self, result: BlockResult, block_id: bytes) -> ChainHead:
        """Apply an executed block whose header and certificate are valid."""
        return self._advance(result, block_id, {})
