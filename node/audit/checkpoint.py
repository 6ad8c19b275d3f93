"""A trust root for light clients and certificates, taken from a chain that was executed from genesis."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from node.audit.follow import opened
from node.audit.invariants import check_invariants
from node.audit.sources import BlockSource
from node.certificates.verifier import Root
from node.chain.genesis import Genesis, genesis_hash
from node.codec import encode
from node.storage.leveldb import LevelStore, WriteBackStore


def root_at(
    genesis: Genesis,
    source: BlockSource,
    to: int,
    older: Sequence[tuple[Genesis, BlockSource]] = (),
    on_progress: Callable[[int, int], None] | None = None,
) -> Root:
    """The root at height `to`, after every block up to it was verified and executed. Raises `Diverged` where one is not
    valid, `OperatorError` and `Corrupted` as the source does."""
    with tempfile.TemporaryDirectory(prefix="bmw-audit-") as scratch:
        kv = WriteBackStore(LevelStore(Path(scratch) / "state", is_temporary=True))
        try:
            follower, transactions = opened(genesis, kv, Path(scratch) / "predecessor", older), 0
            for executed in follower.follow(source, to):
                transactions += len(executed.result.transactions)
                if on_progress is not None:
                    on_progress(executed.result.height, transactions)
            check_invariants(follower.store)
            head = follower.store.head()
            return Root(
                genesis_hash(genesis), genesis.tree_depth, head.height, head.block_id, head.time_ms,
                encode(head.validators.entries),
            )  # fmt: skip
        finally:
            kv.close()
