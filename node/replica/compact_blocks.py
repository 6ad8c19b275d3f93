"""Compact blocks: reconstructs proposed blocks from the wire ids of their transactions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from node import limits
from node.chain.block import Block, check_contents
from node.errors import Rejected
from node.ledger.signed import wire_id_of
from node.replica.events import PeerId
from node.replica.messages import CompactProposal, GetParts, Parts
from node.replica.step_context import StepContext
from node.replica.tx_gossip import TxGossip

PARTS_TIMEOUT_MS = 300
"""If a peer sends no missing transaction for this long, the whole body is requested from all peers."""
WHOLE_TIMEOUT_MS = 600
"""The same for a peer that sends some but never the last one: well below the first round's timeout."""
ATTEMPTS_MAX = 4
"""Different transaction lists tried for one block at a time: the proposer signs the block id, not the list."""


@dataclass
class _Partial:
    """A block with missing transactions, and the peer that is asked for them."""

    message: CompactProposal
    peer: PeerId
    until_ms: int
    end_ms: int
    is_new: bool
    missing: dict[bytes, None] = field(default_factory=dict)
    fetched: dict[bytes, bytes] = field(default_factory=dict)
    fetched_bytes: int = 0


class Whole(NamedTuple):
    """A reconstructed block, its proposal, and the peer that sent it."""

    block: Block
    message: CompactProposal
    peer: PeerId
    is_new: bool
    """Whether the proposal was new when the first peer sent it."""


class CompactBlocks:
    """Partial blocks of one height; bounded. Those that can't be completed are returned by `overdue`."""

    def __init__(self, height: int, tx_gossip: TxGossip, genesis_hash: bytes, context: StepContext) -> None:
        self._height = height
        self._tx_gossip = tx_gossip
        self._genesis_hash = genesis_hash
        self._context = context
        self._partials: dict[tuple[bytes, PeerId], _Partial] = {}

    def begin(self, peer: PeerId, message: CompactProposal, *, is_new: bool) -> Whole | None:
        """The block if we have every transaction; otherwise the missing ones are requested from the peer.

        Raises `Rejected` if the transactions do not match the header, or one is named twice.
        """
        block_id = message.proposal.block_id
        if len(set(message.wire_ids)) != len(message.wire_ids):
            raise Rejected("a proposal names a transaction twice")
        missing = {wire_id: None for wire_id in message.wire_ids if self._tx_gossip.raw_of(wire_id) is None}
        now_ms = self._context.now_ms
        partial = _Partial(message, peer, now_ms + PARTS_TIMEOUT_MS, now_ms + WHOLE_TIMEOUT_MS, is_new, missing)
        if missing and not self._has_room_for(partial):
            return None
        self._partials[block_id, peer] = partial
        if missing:
            self._context.send(peer, GetParts(self._height, block_id, tuple(missing)))
            return None
        return self._finished(block_id, partial)

    def _has_room_for(self, partial: _Partial) -> bool:
        """Whether to start another attempt: from a new peer, with a new transaction list, within the bounds."""
        others = self._of_block(partial.message.proposal.block_id)
        return (
            len(others) < ATTEMPTS_MAX
            and len(self._partials) < limits.BODIES_PER_HEIGHT_MAX * ATTEMPTS_MAX
            and all(partial.peer != o.peer and partial.message.wire_ids != o.message.wire_ids for o in others)
        )

    def _of_block(self, block_id: bytes) -> list[_Partial]:
        return [partial for (named, _), partial in self._partials.items() if named == block_id]

    def take(self, peer: PeerId, parts: Parts) -> Whole | None:
        """The block if no transaction is missing any more. Raises `Rejected` if parts are too large or do not match."""
        partial = self._partials.get((parts.block_id, peer))
        if partial is None:
            return None
        before = len(partial.missing)
        for raw in parts.raws:
            wire_id = wire_id_of(self._genesis_hash, raw)
            if partial.missing.pop(wire_id, b"") is None:
                partial.fetched[wire_id] = raw
                partial.fetched_bytes += len(raw)
                if len(raw) > limits.TX_BYTES_MAX or partial.fetched_bytes > limits.BLOCK_BYTES_CAP:
                    del self._partials[parts.block_id, peer]
                    raise Rejected("the parts of a block exceed the largest block or transaction")
        if partial.missing:
            if len(partial.missing) < before:
                partial.until_ms = min(self._context.now_ms + PARTS_TIMEOUT_MS, partial.end_ms)
                self._context.send(peer, GetParts(self._height, parts.block_id, tuple(partial.missing)))
            return None
        return self._finished(parts.block_id, partial)

    def _finished(self, block_id: bytes, partial: _Partial) -> Whole:
        is_new = any(each.is_new for each in self._of_block(block_id))
        del self._partials[block_id, partial.peer]
        message = partial.message
        raws = []
        for wire_id in message.wire_ids:
            raw = partial.fetched.get(wire_id) or self._tx_gossip.raw_of(wire_id)
            if raw is None:  # evicted from the pool meanwhile
                raise Rejected("a transaction of the proposal is no longer in the pool")
            raws.append(raw)
        block = Block(message.header, tuple(raws), message.evidence, message.last_commit)
        check_contents(block)
        for other in self._of_block(block_id):
            del self._partials[block_id, other.peer]
        return Whole(block, message, partial.peer, is_new)

    def deadline_ms(self) -> int | None:
        return min((partial.until_ms for partial in self._partials.values()), default=None)

    def overdue(self) -> list[bytes]:
        """Remove partial blocks whose parts did not arrive in time; returns their ids."""
        late = [key for key, partial in self._partials.items() if partial.until_ms <= self._context.now_ms]
        for key in late:
            del self._partials[key]
        return list(dict.fromkeys(block_id for block_id, _ in late))
