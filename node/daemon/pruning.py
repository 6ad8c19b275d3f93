"""Housekeeping after every commit: cut snapshots, prune old blocks, compact the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from node.daemon.snapshots import SnapshotServer
from node.errors import Corrupted, OperatorError
from node.log import log
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore

DAY_MS = 24 * 3_600_000
PRUNE_AT_ONCE = 20
"""Blocks pruned after one commit: several times what a commit adds, in a few milliseconds."""
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
        self._compacting: asyncio.Task[None] | None = None

    def committed(self, height: int) -> None:
        """Raises nothing: a failing disk stops the node through `on_failure`."""
        self.snapshots.committed(height)
        if not self._keep_blocks:
            return
        try:
            self._prune()
        except (OperatorError, Corrupted) as error:
            self._on_failure(error)

    def _prune(self) -> None:
        store = self._store
        first = min(store.height() - self._keep_blocks + 1, self.snapshots.needed_from(store.height()))
        base = store.first_height()
        if first <= base:
            return
        newest_pruned = store.block(min(first, base + PRUNE_AT_ONCE) - 1)
        if newest_pruned is not None and newest_pruned.header.time_ms > store.head().time_ms - self._keep_ms:
            return
        self._pruned += store.prune(first, PRUNE_AT_ONCE)
        if self._pruned >= COMPACT_AFTER and (self._compacting is None or self._compacting.done()):
            log("compacting", "info", {"pruned": self._pruned, "oldest": store.first_height()})
            self._pruned = 0
            self._compacting = asyncio.create_task(asyncio.to_thread(self._kv.compact))

    async def stop(self) -> None:
        await self.snapshots.stop()
        if self._compacting is not None:
            await asyncio.gather(self._compacting, return_exceptions=True)
