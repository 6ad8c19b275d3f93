"""The recomputed chain: state, tree, records, window and indexes as in a node's store."""

from __future__ import annotations

from node.execution.block_run import BlockResult
from node.execution.head import ChainHead
from node.storage.chain_store import ChainStore


class ReplayStore(ChainStore):
    """Blocks and certificates stay in the source; receipts are compared with it and not stored."""

    def advance(self, result: BlockResult, block_id: bytes) -> ChainHead:
        """Apply an executed block whose header and certificate are valid."""
        return self._advance(result, block_id, {})

    def _receipt_entries(self, result: BlockResult) -> dict[bytes, bytes]:
        return {}
