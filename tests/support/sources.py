"""A chain in memory as the source of an audit."""

from __future__ import annotations

from collections.abc import Iterator

from node.audit.sources import ClaimedHead
from node.chain.block import Committed
from node.codec import encode
from support.chain import Chain


class ChainSource:
    """`chain`, with other blocks in place of some of its own. Implements `BlockSource`."""

    name = "chain"
    claimed: ClaimedHead | None = None

    def __init__(self, chain: Chain, *changed: Committed) -> None:
        self._chain = chain
        self._changed = {committed.block.header.height: committed for committed in changed}
        self.genesis_hash = chain.genesis_hash
        self.first, self.last = 1, max(chain.store.height(), *self._changed, 0)

    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        for height in range(first, last + 1):
            yield height, encode(self._changed.get(height) or self._chain.store.committed(height))

    def close(self) -> None:
        """There is nothing to close."""
