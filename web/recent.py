"""The newest blocks, as the explorer shows them: kept, because a committed block never changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from web.nodes import NodeRefusal, Nodes

KEPT_MAX: Final = 600
"""Blocks that are kept. Above: those that were looked at longest ago are dropped."""
ASKED_MAX: Final = 10
"""Blocks that one request to a node asks for: ten full blocks stay below the limit of an answer."""
SENT_MAX: Final = 20
"""Transactions that are kept of a block."""
SETS_MAX: Final = 32
"""Validator sets that are kept."""


class Sent(NamedTuple):
    """A transaction of a block, without its body."""

    txid: str
    type: str
    sender: str
    height: int
    time: str


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """A block. `signed`: for each validator of its height, in the order of the set, whether the certificate has its
    signature; `signed_before`: the same for the block before it, as its proposer knew it. `sent`: its first
    transactions."""

    height: int
    ident: str
    time: str
    proposer: str
    round: int
    validators_hash: str
    transactions: int
    signed: tuple[bool, ...]
    signed_before: tuple[bool, ...]
    sent: tuple[Sent, ...]
    evidence: int = 0
    """Proofs in it that a validator has signed two votes for one step."""


def summary(block: Mapping[str, Any]) -> BlockSummary:
    """The summary of a block of the interface."""
    height, time = block["height"], block["time"]
    return BlockSummary(
        height, block["id"], time, block["header"]["proposer"], block["commit"]["round"],
        block["header"]["validators_hash"], len(block["transactions"]), tuple(map(bool, block["commit"]["signatures"])),
        tuple(map(bool, block["last_commit"]["signatures"])),
        tuple(Sent(tx["txid"], tx["type"], tx["sender"], height, time) for tx in block["transactions"][:SENT_MAX]),
        len(block.get("evidence", ())),
    )  # fmt: skip


class RecentBlocks:
    """Summaries by height, and the validator sets that signed them."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._blocks: OrderedDict[int, BlockSummary] = OrderedDict()
        self._sets: OrderedDict[str, tuple[Mapping[str, Any], ...]] = OrderedDict()
        self._filling = asyncio.Lock()

    async def between(self, first: int, last: int, *, is_own: bool = False) -> list[BlockSummary]:
        """The blocks of these heights that a node has, the newest first, at most `KEPT_MAX / 2` of them. `is_own`: as
        in `Nodes.asked`."""
        first = max(first, last - KEPT_MAX // 2 + 1, 1)
        if not all(height in self._blocks for height in range(first, last + 1)):
            async with self._filling:
                await self._fill(first, last, is_own=is_own)
        return [self._blocks[height] for height in range(last, first - 1, -1) if height in self._blocks]

    async def _fill(self, first: int, last: int, *, is_own: bool) -> None:
        height = first
        while height <= last:
            if height in self._blocks:
                self._blocks.move_to_end(height)
                height += 1
            else:
                height = await self._ask(height, min(ASKED_MAX, last - height + 1), is_own=is_own)

    async def _ask(self, height: int, count: int, *, is_own: bool) -> int:
        """Ask for `count` blocks from this height on. Returns the height to go on from: a node ends a page of large
        blocks before."""
        try:
            found = await self._nodes.json("/v1/blocks", {"from": str(height), "limit": str(count)}, is_own=is_own)
        except NodeRefusal:  # below the first block that the node keeps
            return height + count
        blocks = list(map(summary, found["blocks"]))
        self._blocks |= {block.height: block for block in blocks}
        while len(self._blocks) > KEPT_MAX:
            self._blocks.popitem(last=False)
        return max((block.height for block in blocks), default=height + count - 1) + 1

    async def validators(self, block: BlockSummary, *, is_own: bool = False) -> tuple[Mapping[str, Any], ...]:
        """The validators of a block, in the order of its signatures; empty if no node knows them any more."""
        if block.validators_hash not in self._sets:
            try:
                found = await self._nodes.json("/v1/validators", {"height": str(block.height)}, is_own=is_own)
            except NodeRefusal:
                return ()
            self._sets[block.validators_hash] = tuple(found["validators"])
            if len(self._sets) > SETS_MAX:
                self._sets.popitem(last=False)
        return self._sets[block.validators_hash]
