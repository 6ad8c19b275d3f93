"""Every key of a store against the others: what a disk or a program has damaged, found without executing a block.

What is trusted is genesis alone: it gives the first validator set, each certificate proves its header, headers prove
transactions and the state root, the root proves the state, and everything else follows from these. Whether the state
is the right one is for a replay to say; here it is the one that the validators signed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from node.chain.genesis import Genesis, genesis_hash
from node.errors import Corrupted, Rejected
from node.storage.block_check import BlockCheck
from node.storage.kv import KeyValue
from node.storage.receipts_check import ReceiptsCheck
from node.storage.schema import FAMILY_NAMES
from node.storage.state_check import StateCheck
from node.storage.verify_report import OnStep, Reads, StoreDamage


class StoreCheck:
    """One run over one store, which is only read."""

    def __init__(self, kv: KeyValue, genesis: Genesis, on_step: OnStep | None = None) -> None:
        self._reads = Reads(kv, on_step)
        self._genesis = genesis
        self._blocks = BlockCheck(self._reads, genesis)

    @property
    def height(self) -> int:
        """Of the last block; known once the run is over."""
        return self._blocks.head.height

    @property
    def counts(self) -> dict[str, int]:
        """Keys read by family, those that belong to none as `other`."""
        return dict(self._reads.counts)

    def damages(self) -> Iterator[StoreDamage]:
        """All of them, in the order of the walks. A family that can't be read is one damage; the next is tried."""
        blocks = self._blocks
        for walk in (blocks.beginning, blocks.blocks, blocks.meta, blocks.left_over):
            yield from self._readable(walk)
        state = StateCheck(self._reads, self._genesis.tree_depth, blocks.state_head)
        receipts = ReceiptsCheck(self._reads, genesis_hash(self._genesis), blocks.head.height)
        for walk in (state.values, state.tree, state.indexes, state.records, state.window, receipts.rows):
            yield from self._readable(walk)
        self._reads.counts["other"] = self._count_others()

    def _readable(self, walk: Callable[[], Iterator[StoreDamage]]) -> Iterator[StoreDamage]:
        try:
            yield from walk()
        except (Corrupted, Rejected) as error:
            yield self._reads.unreadable(error, self._blocks.state_head.height)

    def _count_others(self) -> int:
        """Keys in the gaps between the families, M's three among them. What can't be read there was named before."""
        count, start = 0, b""
        for stop in (*sorted(FAMILY_NAMES), b"\xff" * 64):
            with contextlib.suppress(Corrupted):
                count += sum(1 for _ in self._reads.kv.scan(start, stop))
            start = bytes([min(stop[0] + 1, 255)])
        return count
