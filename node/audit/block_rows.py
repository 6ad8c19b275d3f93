"""The entries of a store that follow from one block each, compared while the blocks are executed.

A replay need not store them: rows of receipts are compared one by one, of the others it keeps the sum.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from node.audit.divergence import Diverged
from node.audit.executor import decoded
from node.audit.row_sums import RowSum, sum_of
from node.audit.sources import StoreSource
from node.audit.store_comparison import Found, check_heights, compare_entries, difference, differs, each_family
from node.chain.block import block_id_of
from node.execution.block_run import BlockResult
from node.ledger.receipts import encode_receipts
from node.storage import schema
from node.storage.chain_store import ChainReader
from node.storage.kv import write_portions
from node.storage.leveldb import LevelStore
from node.storage.schema import FAMILY_NAMES
from node.txtypes.envelope import decode_signed_tx


class BadRow(msgspec.Struct, frozen=True):
    """A row of receipts that differs."""

    key: bytes
    stored: bytes | None
    expected: bytes


class RowTotals(msgspec.Struct, frozen=True):
    """Of consecutive blocks: their entries in a store."""

    receipts: int = 0
    """Rows of receipts that were compared; `bad_row`: the first that differs."""
    bad_row: BadRow | None = None
    subjects: RowSum = RowSum()
    block_ids: RowSum = RowSum()
    places: RowSum = RowSum()
    """Of transactions."""
    validator_sets: tuple[tuple[bytes, bytes], ...] = ()
    """Key and value of each entry."""

    def __add__(self, other: RowTotals) -> RowTotals:
        return RowTotals(
            self.receipts + other.receipts,
            self.bad_row or other.bad_row,
            self.subjects + other.subjects,
            self.block_ids + other.block_ids,
            self.places + other.places,
            self.validator_sets + other.validator_sets,
        )


class BlockRows:
    """Collects the `RowTotals` of blocks as they are executed."""

    def __init__(self, source: StoreSource, row_key: bytes, *, has_places: bool = True) -> None:
        """`has_places`: also of block ids and transaction places, which a replay from genesis has in its own store."""
        self._source = source
        self._row_key = row_key
        self._has_places = has_places
        with source.named_errors():
            self._first = ChainReader(source.kv).receipts_from()
        self._totals = RowTotals()

    def add(self, result: BlockResult, block_id: bytes) -> None:
        """Compare a block's row, and take its entries into the sums. A row that differs is raised at the end, because
        a fault of the chain itself is more important."""
        if self._has_places:
            height, key = result.height, self._row_key
            ids = sum_of(key, [schema.block_id_key(block_id) + schema.u64(height)])
            places = (schema.tx_key(tx.txid) + schema.place(height, i) for i, tx in enumerate(result.transactions))
            self._totals += RowTotals(block_ids=ids, places=sum_of(key, places))
        if result.height >= self._first:
            self._totals += self._of_receipts(result)

    def _of_receipts(self, result: BlockResult) -> RowTotals:
        key, expected = schema.receipts_key(result.height), encode_receipts(result.receipts)
        with self._source.named_errors():
            stored = self._source.kv.get(key)
        bad_row = BadRow(key, stored, expected) if stored != expected else None
        entries = schema.subject_entries(result.height, result.receipts, result.transactions)
        return RowTotals(1, bad_row, sum_of(self._row_key, (key + value for key, value in entries.items())))

    def taken(self) -> RowTotals:
        """The totals since the last call."""
        totals, self._totals = self._totals, RowTotals()
        return totals


# --- receipts and subject entries -------------------------------------------------------------------------
def check_receipts(source: StoreSource, totals: RowTotals, row_key: bytes, height: int) -> dict[str, int]:
    """Keys compared by family, of the whole chain. Raises `Diverged`."""
    with source.named_errors():
        if (bad := totals.bad_row) is not None:
            raise difference(bad.key, bad.stored, bad.expected, height)
        first = ChainReader(source.kv).receipts_from()
        check_heights(source.kv, b"Q", first, height)
        lowest = schema.u64(first)
        entries = (key + value for key, value in source.kv.scan(b"Y", b"Z") if key[-8:] >= lowest)
        if sum_of(row_key, entries) != totals.subjects:
            raise _differing_entry(source, first, height)
    return {FAMILY_NAMES[b"Q"]: totals.receipts, FAMILY_NAMES[b"Y"]: totals.subjects.count}


def _differing_entry(source: StoreSource, first: int, height: int) -> Diverged:
    """By the rows, which are those of the chain."""
    reader = ChainReader(source.kv)

    @lru_cache(1_000)
    def expected(of_height: int) -> dict[bytes, bytes]:
        receipts, block = reader.receipts(of_height), reader.block(of_height)
        if receipts is None or block is None:
            return {}
        transactions = (decode_signed_tx(raw, source.genesis_hash) for raw in block.transactions)
        return schema.subject_entries(of_height, receipts, transactions)

    for of_height in range(first, height + 1):
        for key, value in sorted(expected(of_height).items()):
            if (stored := source.kv.get(key)) != value:
                return difference(key, stored, value, height)
    surplus = (key for key, _ in source.kv.scan(b"Y", b"Z") if key not in expected(schema.subject_height_in(key)))
    return differs(next(surplus), height, "is in the store and does not follow from the chain")


# --- block ids, places, validator sets --------------------------------------------------------------------
def compare_places(
    source: StoreSource, totals: RowTotals, row_key: bytes, first: int, height: int, scratch: Path
) -> Iterator[tuple[bytes, Found]]:
    """What the comparison of block ids, transaction places and validator sets finds, after all ranges of the chain are
    valid. Sums that differ are followed by a comparison entry by entry."""
    with source.named_errors():
        sums = {b"I": totals.block_ids, b"T": totals.places}
        for family, expected in sums.items():
            entries = (key + value for key, value in source.kv.scan(family, bytes([family[0] + 1])))
            if sum_of(row_key, entries) == expected:
                yield family, expected.count
            else:
                yield from _entry_by_entry(source, family, first, height, scratch)
        try:
            yield b"V", compare_entries(source.kv.scan(b"V", b"W"), iter(totals.validator_sets), height)
        except Diverged as found:
            yield b"V", found


def _entry_by_entry(
    source: StoreSource, family: bytes, first: int, height: int, scratch: Path
) -> Iterator[tuple[bytes, Found]]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        computed = LevelStore(Path(folder), is_temporary=True)
        try:
            write_portions(computed, iter(_rows_of_blocks(source, first, height)))
            yield from each_family(source.kv, computed, [family], first, height)
        finally:
            computed.close()


def _rows_of_blocks(source: StoreSource, first: int, height: int) -> Iterable[tuple[bytes, bytes]]:
    for at, raw in source.blocks(first, height):
        block = decoded(at, raw).block
        yield schema.block_id_key(block_id_of(block.header, source.genesis_hash)), schema.u64(at)
        for index, tx in enumerate(block.transactions):
            yield schema.tx_key(decode_signed_tx(tx, source.genesis_hash).txid), schema.place(at, index)
