"""Check of every key of a store against the others: finds damage without executing a block.

Only genesis is trusted: it gives the first validator set, each certificate proves its header, headers prove
transactions and the state root, the root proves the state, and everything else follows from these. The check finds out
whether the state is the one that the validators signed; only a replay can tell whether it is the right one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from node.chain.block import decode_block
from node.chain.genesis import Genesis, genesis_hash
from node.errors import Corrupted, Rejected
from node.ledger.receipts import decode_receipts
from node.storage import schema
from node.storage.block_check import BlockCheck
from node.storage.chain_store import ChainReader
from node.storage.kv import KeyValue
from node.storage.state_check import StateCheck
from node.storage.verify_report import OnStep, Reads, StoreDamage, damage_at
from node.txtypes.envelope import decode_signed_tx


class StoreCheck:
    """One run over one store, which is only read."""

    def __init__(self, kv: KeyValue, genesis: Genesis, on_step: OnStep = lambda *_: None) -> None:
        self._reads = Reads(kv, on_step)
        self.counts: dict[str, int] = self._reads.counts
        """Number of keys read by family; keys of no family are counted as `other`."""
        self._genesis = genesis
        self._blocks = BlockCheck(self._reads, genesis)

    @property
    def height(self) -> int:
        """Height of the last block; known once the run is over."""
        return self._blocks.head.height

    def damages(self) -> Iterator[StoreDamage]:
        """All damages. A family that can't be read is one damage, and the check continues with the next family."""
        blocks = self._blocks
        for walk in (blocks.genesis_validators, blocks.blocks, blocks.meta, blocks.superfluous):
            yield from self._readable(walk)
        state = StateCheck(self._reads, self._genesis.tree_depth, blocks.state_head)
        for walk in (state.values, state.tree, state.indexes, state.records, state.window, self._receipts):
            yield from self._readable(walk)
        self.counts["other"] = self._count_others()

    def _readable(self, walk: Callable[[], Iterator[StoreDamage]]) -> Iterator[StoreDamage]:
        try:
            yield from walk()
        except (Corrupted, Rejected) as error:
            yield self._reads.unreadable(error, self._blocks.state_head.height)

    def _count_others(self) -> int:
        """Number of keys between the families. Unreadable ones were reported before."""
        count, start = 0, b""
        for stop in (*sorted(schema.FAMILY_NAMES), b"\xff" * 64):
            with contextlib.suppress(Corrupted):
                count += sum(1 for _ in self._reads.kv.scan(start, stop))
            start = bytes([min(stop[0] + 1, 255)])
        return count

    # --- receipts -----------------------------------------------------------------------------------------
    def _receipts(self) -> Iterator[StoreDamage]:
        """Every block has a row, every row its subject entries, and there are no others. Only a replay can tell whether
        a row is right: 'bmw-audit replay' compares the rows, 'bmw-node reindex' recomputes them."""
        first, count = ChainReader(self._reads.kv).receipts_from(), 0
        expected = first
        for key, raw in self._reads.family(b"Q"):
            height = schema.height_in(key)
            if not first <= height <= self.height:
                yield damage_at(key, height, "belongs to no stored block")
                continue
            yield from self._missing_receipts(expected, height)
            expected = height + 1
            try:
                entries = self._subject_keys(height, raw)
            except (Corrupted, Rejected, ValueError) as error:
                yield damage_at(key, height, str(error))
                continue
            count += len(entries)
            for entry in entries:
                if self._reads.get(entry) != b"":
                    yield damage_at(entry, height, "is missing or not empty, though the block's receipts require it")
        yield from self._missing_receipts(expected, self.height + 1)
        if sum(1 for _ in self._reads.family(b"Y")) != count:
            yield from self._superfluous_entries()

    def _missing_receipts(self, first: int, end: int) -> Iterator[StoreDamage]:
        for height in range(first, end):
            yield damage_at(schema.receipts_key(height), height, "is missing")

    def _superfluous_entries(self) -> Iterator[StoreDamage]:
        for key, _ in self._reads.family(b"Y"):
            height, _index = schema.place_in(key)
            row = self._reads.get(schema.receipts_key(height))
            try:
                is_required = row is not None and key in self._subject_keys(height, row)
            except (Corrupted, Rejected, ValueError):
                continue
            if not is_required:
                yield damage_at(key, height, "follows from no receipt")

    def _subject_keys(self, height: int, raw: bytes) -> list[bytes]:
        block = self._reads.get(schema.block_key(height))
        if block is None:
            raise Corrupted("has no block")
        txs = [decode_signed_tx(tx, genesis_hash(self._genesis)) for tx in decode_block(block).transactions]
        return schema.subject_keys(height, decode_receipts(raw), (tx.signatures for tx in txs))
