"""A chain that is followed block by block: each is verified and executed as a replay does it, and handed on.

A replay judges a whole source. A follower hands every executed block on before its own state advances, so that what is
derived from the block can be kept first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from node.audit.divergence import Diverged
from node.audit.executor import Executed, Executor, decoded
from node.audit.replay_store import ReplayStore
from node.audit.sources import BlockSource
from node.chain.genesis import Genesis, genesis_hash
from node.errors import Malformed, OperatorError
from node.storage import schema
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore, WriteBackStore
from node.storage.state_import import import_predecessor


class Follower:
    """Verifies and executes one block after another on `kv`, which holds the state of the last one, or nothing."""

    def __init__(self, genesis: Genesis, kv: KeyValue) -> None:
        """Raises `OperatorError` for a chain that continues another unless `kv` holds its first state."""
        self.store = ReplayStore(kv, genesis)
        self._executor = Executor(self.store)

    @property
    def height(self) -> int:
        return self.store.height()

    def follow(self, source: BlockSource, to: int) -> Iterator[Executed]:
        """The blocks up to height `to`. The state advances past a block when the next one is asked for.

        Raises `Diverged` at the first block that is not valid, `OperatorError` and `Corrupted` as the source does."""
        check_source(self.store, source)
        if to < self.height:
            raise OperatorError(f"this chain's state begins after block {self.height}: give a height above it")
        if to == self.height:
            return
        for height, raw in source.blocks(self.height + 1, to):
            executed = self._executor.executed(decoded(height, raw))
            yield executed
            self._executor.advance(executed)
        if self.height < to:
            raise Diverged(self.height + 1, "block_missing", f"the {source.name} ends before block {self.height + 1}")


def opened(genesis: Genesis, kv: KeyValue, folder: Path, older: Sequence[tuple[Genesis, BlockSource]] = ()) -> Follower:
    """A follower on `kv`. A new one of a chain that continues another begins with the other's last state, which is
    computed from the blocks of `older`, the newest chain first, in stores below `folder`.

    Raises `Diverged`, and `OperatorError` where `older` is not the chain that this one continues."""
    continues = genesis.continues
    if (continues is None) != (not older):
        raise OperatorError(
            "the genesis file continues no other chain: leave --predecessor out"
            if continues is None
            else f"this chain continues the chain {continues.genesis_hash.hex()} from height {continues.height}: name "
            "its store, archive or node with --predecessor, and its genesis file with --predecessor-genesis"
        )
    if continues is None or kv.get(schema.META_GENESIS) is not None:
        return Follower(genesis, kv)
    (before, source), *more = older
    if genesis_hash(before) != continues.genesis_hash:
        raise OperatorError(
            f"this chain continues the chain {continues.genesis_hash.hex()}, --predecessor-genesis is of "
            f"{genesis_hash(before).hex()}: give the genesis file of that one; of several, the newest first"
        )
    old_kv = WriteBackStore(LevelStore(folder / "state", is_temporary=True))
    try:
        old = opened(before, old_kv, folder / "predecessor", more)
        for _ in old.follow(source, continues.height):
            pass  # only the last state counts
        head = old.store.head()
        if (head.block_id, head.state_root) != (continues.block_id, continues.state_root):
            raise Diverged(continues.height, "genesis_continues", "the predecessor has another block or state there")
        import_predecessor(kv, genesis, old_kv, before.tree_depth)
    except Malformed as error:
        raise Diverged(continues.height, "genesis_continues", str(error)) from None
    finally:
        old_kv.close()
    return Follower(genesis, kv)


def check_source(store: ReplayStore, source: BlockSource) -> None:
    """Raises `OperatorError` where the source is of another chain, or begins above the next block."""
    if source.genesis_hash != store.genesis_hash:
        raise OperatorError(
            f"the {source.name} is of the chain with genesis hash {source.genesis_hash.hex()}, the genesis file has "
            f"{store.genesis_hash.hex()}: give the genesis file of that chain"
        )
    if source.first > store.height() + 1:
        raise OperatorError(
            f"the {source.name} starts at block {source.first}, and the next one needed is {store.height() + 1}: give "
            "a node or an archive that has all blocks"
        )
