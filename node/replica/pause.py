"""The pause between the commit of a block and the start of the next height."""

from __future__ import annotations

from typing import Final

from node.replica.services import ReplicaConfig

FULL_TXS: Final = 64
"""Pending transactions from which on a block counts as full, and the pause before it is `block_interval_full_ms`."""


class Pause:
    """Begins at the steady time `began_ms`. It is local policy, no rule of consensus."""

    def __init__(self, config: ReplicaConfig, began_ms: int) -> None:
        self._config = config
        self._began_ms = began_ms

    def end_ms(self, pending_txs: int) -> int:
        """With work for a block. It grows with what is pending: few transactions are final soon, and many share the
        cost of a block. There is none once a whole block is pending, and it is never longer than without work."""
        if pending_txs >= self._config.build_txs_max:
            return self._began_ms
        least_ms, full_ms = self._config.block_interval_min_ms, self._config.block_interval_full_ms
        pause_ms = least_ms + max(0, full_ms - least_ms) * min(pending_txs, FULL_TXS) // FULL_TXS
        return min(self._began_ms + pause_ms, self.end_of_empty_ms())

    def end_of_empty_ms(self) -> int:
        """Without work."""
        return self._began_ms + self._config.block_interval_empty_ms
