"""Receipts held against the blocks: every block has its row, every row its subject entries, and there are no others.

Whether a row says the right thing only a replay can tell: `bmw-audit replay` compares them, `bmw-node reindex` makes
them anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.chain.block import decode_block
from node.errors import Corrupted, Rejected
from node.ledger.receipts import decode_receipts
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.verify_report import Reads, StoreDamage, damage_at
from node.txtypes.envelope import decode_signed_tx


class ReceiptsCheck:
    """One walk over rows and entries of the blocks up to `height`."""

    def __init__(self, reads: Reads, genesis_hash: bytes, height: int) -> None:
        self._reads = reads
        self._genesis_hash = genesis_hash
        self._height = height

    def rows(self) -> Iterator[StoreDamage]:
        first = ChainReader(self._reads.kv).receipts_from()
        expected, entries = first, 0
        for key, raw in self._reads.family(b"Q"):
            height = schema.height_in(key)
            if not first <= height <= self._height:
                yield damage_at(key, height, "belongs to no block that is here")
                continue
            while expected < height:
                yield damage_at(schema.receipts_key(expected), expected, "is missing")
                expected += 1
            expected = height + 1
            try:
                wanted = self._subject_keys(height, raw)
            except (Corrupted, Rejected, ValueError) as error:
                yield damage_at(key, height, str(error))
                continue
            entries += len(wanted)
            for entry in wanted:
                if self._reads.get(entry) != b"":
                    yield damage_at(entry, height, "is missing or not empty, though the block's receipts ask for it")
        for missing in range(expected, self._height + 1):
            yield damage_at(schema.receipts_key(missing), missing, "is missing")
        yield from self._needless(entries)

    def _subject_keys(self, height: int, raw: bytes) -> list[bytes]:
        block = self._reads.get(schema.block_key(height))
        if block is None:
            raise Corrupted("has no block")
        signed = [decode_signed_tx(tx, self._genesis_hash) for tx in decode_block(block).transactions]
        return schema.subject_keys(height, decode_receipts(raw), (tx.signatures for tx in signed))

    def _needless(self, wanted: int) -> Iterator[StoreDamage]:
        """Every entry that is asked for was looked up; here those that nothing asks for."""
        if sum(1 for _ in self._reads.family(b"Y")) == wanted:
            return
        for key, _ in self._reads.family(b"Y"):
            height, _index = schema.place_in(key)
            row = self._reads.get(schema.receipts_key(height))
            try:
                is_wanted = row is not None and key in self._subject_keys(height, row)
            except (Corrupted, Rejected, ValueError):
                continue
            if not is_wanted:
                yield damage_at(key, height, "follows from no receipt")
