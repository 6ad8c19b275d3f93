"""Comparison of two sources: the height up to which they are the same, and what differs after it.

A block names its parent, so where two sources have different blocks at the last height that both have, the first such
height is found by bisection. Otherwise every block is compared. Certificates may differ between honest nodes (each
keeps the quorum it saw), so they are counted, not reported as a difference. A comparison verifies no chain: that is
what a replay does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from node.audit.divergence import Diverged
from node.audit.executor import decoded, txid_or_empty
from node.audit.finder import StateDifference, find_keys, find_stored_keys
from node.audit.replay import check_covers
from node.audit.sources import BlockSource
from node.chain.block import Block, Committed, Header, block_id_of
from node.chain.genesis import Genesis
from node.codec import encode


@dataclass(frozen=True, slots=True)
class Comparison:
    """`same_to` is the last height up to which both have the same blocks, 0 for none."""

    first: str
    second: str
    heights: tuple[int, int]
    """Last height of each of the two."""
    from_height: int
    same_to: int
    certificates_differing: int | None
    """None where the height was found by bisection: not all certificates were compared."""
    difference: str
    """What differs at the height after `same_to`; empty where all common heights are the same."""
    state: StateDifference | None = None
    """What the states differ in, where that was asked for."""

    def to_json(self) -> dict[str, Any]:
        return {
            "result": "differ" if self.difference else "same",
            "sources": [self.first, self.second],
            "heights": list(self.heights),
            "from_height": self.from_height,
            "same_to": self.same_to,
            "certificates_differing": self.certificates_differing,
            "difference": self.difference or None,
            "state": self.state and self.state.to_json(),
        }


def compare_states(
    comparison: Comparison, genesis: Genesis, sources: tuple[BlockSource, BlockSource], snapshots: Sequence[Path]
) -> Comparison:
    """Go on from the blocks to the keys: those that the first different block of each side has written, or, where all
    blocks are the same, those that the stored states differ in. Raises `OperatorError` and `Corrupted`."""
    for source in sources:
        check_covers(genesis, source)
    fork = comparison.same_to + 1
    try:
        if not comparison.difference:
            state = find_stored_keys(genesis, sources, snapshots)
            text = f"height {state.height}: the stored states differ" if state is not None else ""
            return replace(comparison, state=state, difference=text)
        if fork > min(comparison.heights):
            return comparison
        return replace(comparison, state=find_keys(genesis, sources, snapshots, fork))
    except Diverged as error:
        if not comparison.difference:
            return replace(comparison, difference=f"the blocks of both can't be executed: {error}")
        return replace(comparison, state=StateDifference(fork, note=f"the blocks can't be executed: {error}"))


def compare(
    first: BlockSource, second: BlockSource, on_progress: Callable[[int, int], None] | None = None
) -> Comparison:
    """Compare the heights that both have. Raises `OperatorError` and `Corrupted` as the sources do."""
    heights = (first.last, second.last)
    start, end = max(first.first, second.first), min(heights)
    if first.genesis_hash != second.genesis_hash:
        text = f"genesis hash {first.genesis_hash.hex()} against {second.genesis_hash.hex()}: two different chains"
        return Comparison(first.name, second.name, heights, start, 0, 0, text)
    if start > end:
        text = f"no height in common: {first.first} to {first.last} against {second.first} to {second.last}"
        return Comparison(first.name, second.name, heights, start, 0, 0, text)
    try:
        fork = _first_differing(first, second, start, end)
        if fork is not None:
            one, other = (_block(source, fork) for source in (first, second))
            text = _difference(one, other, first.genesis_hash)
            return Comparison(first.name, second.name, heights, start, fork - 1, None, text)
    except Diverged:
        pass  # a block is missing or damaged: which, the comparison of all blocks finds
    same_to, certificates, difference = start - 1, 0, ""
    ours, theirs = first.blocks(start, end), second.blocks(start, end)
    try:
        for (height, a), (_, b) in zip(ours, theirs, strict=True):
            if a != b:
                one, other = decoded(height, a), decoded(height, b)
                difference = _difference(one, other, first.genesis_hash)
                if difference:
                    break
                certificates += 1
            same_to = height
            if on_progress is not None:
                on_progress(height, 0)
    except Diverged as error:
        difference = str(error)
    return Comparison(first.name, second.name, heights, start, same_to, certificates, difference)


def _block(source: BlockSource, height: int) -> Committed:
    ((_, raw),) = source.blocks(height, height)
    return decoded(height, raw)


def _first_differing(first: BlockSource, second: BlockSource, low: int, high: int) -> int | None:
    """The lowest of the heights at which the block ids differ; None where they are the same at the last one."""

    def differs(height: int) -> bool:
        one, other = (_block(source, height).block.header for source in (first, second))
        return one != other

    if not differs(high):
        return None
    return bisect_left(range(low, high), True, key=differs) + low


def _difference(one: Committed, other: Committed, genesis_hash: bytes) -> str:
    """What differs between two blocks of one height; empty where only the certificate does."""
    a, b = one.block, other.block
    if a == b:
        return ""
    ids = block_id_of(a.header, genesis_hash).hex(), block_id_of(b.header, genesis_hash).hex()
    parts = [f"block id {ids[0]} against {ids[1]}"] if ids[0] != ids[1] else [f"one block id, {ids[0]}"]
    changed = [n for n in Header.__struct_fields__ if getattr(a.header, n) != getattr(b.header, n)]
    if changed:
        parts.append(f"in the header {', '.join(changed)}")
    parts += _transactions(a, b, genesis_hash)
    if a.evidence != b.evidence:
        parts.append(f"evidence: {len(a.evidence)} pieces against {len(b.evidence)}")
    if encode(a.last_commit) != encode(b.last_commit):
        parts.append("the last commit")
    return f"height {a.header.height}: " + "; ".join(parts)


def _transactions(a: Block, b: Block, genesis_hash: bytes) -> list[str]:
    if a.transactions == b.transactions:
        return []
    pairs = zip(a.transactions, b.transactions, strict=False)
    place = next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(a.transactions), len(b.transactions)))
    names = [
        (txid_or_empty(block.transactions[place], genesis_hash).hex() or "undecodable")
        if place < len(block.transactions)
        else "none"
        for block in (a, b)
    ]
    counts = f"{len(a.transactions)} against {len(b.transactions)}"
    return [f"transactions ({counts}), first at index {place}: {names[0]} against {names[1]}"]
