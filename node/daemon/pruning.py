"""Housekeeping after every commit: cut snapshots, prune old blocks, compact the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from node.daemon.snapshots import SnapshotServer
from node.errors import Corrupted, OperatorError
from node.log import log
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore

DAY_MS = 24 * 3_600_000
PRUNE_AT_ONCE: Final = 20
"""Blocks pruned after one commit: several times what a commit adds."""
PRUNE_TXS: Final = 1_000
"""Transactions of the blocks that are pruned in one turn of the event loop: about 20 ms."""
COMPACT_AFTER = 5_000
"""Blocks pruned before LevelDB is asked to return their space."""


class Pruner:
    """A block is pruned once it is below the newest `keep_blocks`, older than `keep_days`, and below every snapshot
    that peers may start from. With `keep_blocks` 0 nothing is pruned (an archive)."""

    def __init__(
        self,
        store: ChainStore,
        kv: LevelStore,
        snapshots: SnapshotServer,
        keep_blocks: int,
        keep_days: int,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._kv = kv
        self.snapshots = snapshots
        self._keep_blocks = keep_blocks
        self._keep_ms = keep_days * DAY_MS
        self._on_failure = on_failure
        self._pruned = 0
        self._pruning: asyncio.Task[None] | None = None
        self._compacting: asyncio.Task[None] | None = None

    def committed(self, height: int) -> None:
        """Raises nothing: a failing disk stops the node through `on_failure`."""
        self.snapshots.committed(height)
        if self._keep_blocks and (self._pruning is None or self._pruning.done()):
            self._pruning = asyncio.create_task(self._prune())

    async def _prune(self) -> None:
        """A portion in each turn of the event loop."""
        left = PRUNE_AT_ONCE
        try:
            while left and (pruned := self._prune_portion(left)):
                left -= pruned
                await asyncio.sleep(0)
        except (OperatorError, Corrupted) as error:
            self._on_failure(error)

    def _prune_portion(self, count: int) -> int:
        """Prune at most `count` blocks, those of one portion; their number."""
        store = self._store
        first = min(store.height() - self._keep_blocks + 1, self.snapshots.needed_from(store.height()))
        base = store.first_height()
        if first <= base:
            return 0
        newest_pruned = store.block(min(first, base + count) - 1)
        if newest_pruned is not None and newest_pruned.header.time_ms > store.head().time_ms - self._keep_ms:
            return 0
        pruned = store.prune(first, count, PRUNE_TXS)
        self._pruned += pruned
        if self._pruned >= COMPACT_AFTER and (self._compacting is None or self._compacting.done()):
            log("compacting", "info", {"pruned": self._pruned, "oldest": store.first_height()})
            self._pruned = 0
            self._compacting = asyncio.create_task(asyncio.to_thread(self._kv.compact))
        return pruned

    async def stop(self) -> None:
        await self.snapshots.stop()
        if self._pruning is not None:
            await asyncio.gather(self._pruning, return_exceptions=True)
        if self._compacting is not None:
            await asyncio.gather(self._compacting, return_exceptions=True)
