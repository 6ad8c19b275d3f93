"""Chains that witnesses and watches look at, two decided views of one, and a witness over them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from node.audit.executor import Executor
from node.audit.following import Shower
from node.audit.replay_store import ReplayStore
from node.audit.witness import EVERY, Witness, begin
from node.chain.block import Block, Committed
from node.crypto.dev_keys import dev_key
from node.storage.kv import KeyValue
from support.chain import Chain
from support.life import register
from support.light import ChainSource
from support.memory_store import MemoryStore
from support.stages import fork
from wallet.client import NodeRefused, Unreachable

KEY = dev_key("node", "witness")


@cache
def _long() -> Chain:
    chain = Chain()
    chain.do("bmw", register())
    while chain.store.height() < 2 * EVERY + 20:
        chain.produce()
    return chain


def long_chain() -> Chain:
    """A chain with a car, 20 heights above the second hundredth."""
    return fork(_long())


def two_views(more: int) -> tuple[Chain, Chain]:
    """Two chains that every validator has decided: the same to the head of `long_chain`, then `more` blocks of each."""
    first, second = long_chain(), long_chain()
    second.now += 7
    for chain in (first, second):
        for _ in range(more):
            chain.produce()
    return first, second


class Honest(ChainSource):
    """A node that shows its chain, and refuses what it does not have."""

    pruned_to: int = 0

    def committed(self, height: int) -> Committed:
        if not self.pruned_to < height <= self.chain.store.height():
            raise NodeRefused(404, {"code": "block_unknown"}, 1.0)
        return super().committed(height)


class Silent(ChainSource):
    """A node that does not answer."""

    def committed(self, height: int) -> Committed:
        raise Unreachable("no answer")

    def states(self, keys):
        raise Unreachable("no answer")


class Other(Honest):
    """A node that shows one block in another form than its chain has it."""

    shown: Committed

    def committed(self, height: int) -> Committed:
        return self.shown if height == self.shown.block.header.height else super().committed(height)


def showing(chain: Chain, block: Block) -> Other:
    """A node of the chain with `block` in place of one of its own, and the certificate of that."""
    node = Other(chain)
    node.shown = Committed(block, chain.commit_for(block))
    return node


def witness(nodes: Mapping[str, Shower], kv: KeyValue, *, full: Path | None = None) -> Witness:
    """A witness of the chain of the first node, at its time."""
    chain = next(node.chain for node in nodes.values() if isinstance(node, ChainSource))
    executor = None if full is None else Executor(ReplayStore(MemoryStore(), chain.genesis))
    if not list(kv.scan(b"", b"\xff")):
        begin(kv, chain.genesis, KEY)
    return Witness(chain.genesis, KEY, kv, nodes, executor, now_ms=lambda: chain.now)
