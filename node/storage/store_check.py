"""Check of every key of a store against the others: finds damage without executing a block.

Only genesis is trusted: it gives the first validator set, each certificate proves its header, headers prove
transactions and the state root, the root proves the state, and everything else follows from these. The check finds out
whether the state is the one that the validators signed; only a replay can tell whether it is the right one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from hashlib import sha256

from node.chain.block import decode_block
from node.chain.genesis import Genesis, genesis_hash
from node.crypto.hashing import ZERO32
from node.crypto.state_tree import ENTRY, StateTree, bucket_of, slot_of
from node.errors import Corrupted, Rejected
from node.ledger.family import Family
from node.ledger.receipts import decode_receipts
from node.storage import schema
from node.storage.block_check import BlockCheck
from node.storage.chain_store import ChainReader, V, index_entries
from node.storage.kv import KeyValue, prefix_end
from node.storage.verify_report import OnStep, Reads, StoreDamage, damage_at
from node.txtypes.chain.replay_window import EMPTY, WINDOW, extended, hour_of
from node.txtypes.envelope import decode_signed_tx
from node.txtypes.registry import family_of
from node.txtypes.vehicle.record import next_history_head, record_digest
from node.txtypes.vehicle.vehicle import VEHICLE


class StoreCheck:
    """One run over one store, which is only read. Needs about 150 bytes of memory for every state value."""

    def __init__(self, kv: KeyValue, genesis: Genesis, on_step: OnStep = lambda *_: None) -> None:
        self._reads = Reads(kv, on_step)
        self.counts: dict[str, int] = self._reads.counts
        """Number of keys read by family; keys of no family are counted as `other`."""
        self._genesis, self._genesis_hash = genesis, genesis_hash(genesis)
        self._blocks = BlockCheck(self._reads, genesis)
        self._slots: dict[int, list[bytes]] = {}
        self._index_entries = 0

    @property
    def height(self) -> int:
        """Height of the last block; known once the run is over."""
        return self._blocks.head.height

    def damages(self) -> Iterator[StoreDamage]:
        """All damages. A family that can't be read is one damage, and the check continues with the next family."""
        blocks = self._blocks
        of_blocks = blocks.genesis_validators, blocks.blocks, blocks.meta, blocks.superfluous
        of_state = self._values, self._tree, self._indexes, self._records, self._window
        for walk in (*of_blocks, *of_state, self._receipts):
            try:
                yield from walk()
            except (Corrupted, Rejected) as error:
                yield self._reads.unreadable(error, blocks.state_head.height)
        self.counts["other"] = self._count_others()

    def _damage(self, key: bytes, text: str) -> StoreDamage:
        return damage_at(key, self._blocks.state_head.height, text)

    def _count_others(self) -> int:
        """Number of keys between the families. Unreadable ones were reported before."""
        count, start = 0, b""
        for stop in (*sorted(schema.FAMILY_NAMES), b"\xff" * 64):
            with contextlib.suppress(Corrupted):
                count += sum(1 for _ in self._reads.kv.scan(start, stop))
            start = bytes([min(stop[0] + 1, 255)])
        return count

    # --- values and tree ----------------------------------------------------------------------------------
    def _values(self) -> Iterator[StoreDamage]:
        """Every value decodes and has its index entries. Runs before the other walks."""
        for key, raw in self._reads.family(b"S"):
            slot = slot_of(key[1:])
            self._slots.setdefault(bucket_of(slot, self._genesis.tree_depth), []).append(slot + sha256(raw).digest())
            family = family_of(key[1:])
            if family is None:
                yield self._damage(key, "is of no family that this software has")
                continue
            ident = key[len(family.name) + 2 :].decode("ascii", "backslashreplace")
            try:
                entries = set(family.index_keys(ident, family.decode(raw)))
            except Corrupted as error:
                yield self._damage(key, str(error))
                continue
            self._index_entries += len(entries)
            for entry in entries:
                if self._reads.get(entry) != b"":
                    yield self._damage(entry, f"is missing or not empty, though {family.name}/{ident} requires it")

    def _tree(self) -> Iterator[StoreDamage]:
        """Values hash to the buckets, and buckets to the root of the head's header."""
        computed = {number: b"".join(sorted(entries)) for number, entries in self._slots.items()}
        root, signed = StateTree(self._genesis.tree_depth, computed.items()).root, self._blocks.state_head.state_root
        are_values_right = root == signed
        missing, differs = dict(computed), False
        for key, stored in self._reads.family(b"K"):
            expected = missing.pop(schema.height_in(key), None)
            if expected != stored:
                differs = True
                yield from self._bucket(key, stored, expected or b"", are_values_right)
        for number, expected in sorted(missing.items()):
            yield from self._bucket(schema.bucket_key(number), b"", expected, are_values_right)
        if not differs and not missing and not are_values_right:
            text = f"all values hash to root {root.hex()}, the head's header says {signed.hex()}"
            yield self._damage(schema.META_HEAD, text)

    def _bucket(self, key: bytes, stored: bytes, computed: bytes, are_values_right: bool) -> Iterator[StoreDamage]:
        """Report a bucket that differs from the values. The side that does not hash to the root is damaged."""
        if are_values_right:
            yield self._damage(key, "is not what the state values hash to")
            return
        number = schema.height_in(key)
        entries = [{bucket[at : at + ENTRY] for at in range(0, len(bucket), ENTRY)} for bucket in (stored, computed)]
        differing = {entry[:32] for entry in entries[0] ^ entries[1]}
        for name, _ in self._reads.kv.scan(b"S", b"T"):
            slot = slot_of(name[1:])
            if slot in differing:
                differing.remove(slot)
                yield self._damage(name, f"does not hash into bucket {number}")
        for slot in sorted(differing):
            text = f"is missing, though bucket {number} has its hash"
            yield StoreDamage("state value", f"of slot {slot.hex()}", self._blocks.state_head.height, text)

    def _indexes(self) -> Iterator[StoreDamage]:
        """No other index entries exist. `_values` has checked the required ones."""
        if sum(1 for _ in self._reads.family(b"X")) == self._index_entries:
            return
        required = set(index_entries((key[1:], raw) for key, raw in self._reads.kv.scan(b"S", b"T")))
        for key, _ in self._reads.family(b"X"):
            if key not in required:
                yield self._damage(key, "follows from no state value")

    # --- records and replay window ------------------------------------------------------------------------
    def _family(self, family: Family[V]) -> Iterator[tuple[bytes, str, V]]:
        """(store key, id, value) ascending by id. Undecodable values were reported by `_values`."""
        start = schema.state_key(family.key(""))
        for key, raw in self._reads.kv.scan(start, prefix_end(start)):
            try:
                yield key, key[len(start) :].decode("ascii"), family.decode(raw)
            except Corrupted:
                continue

    def _records(self) -> Iterator[StoreDamage]:
        """The records of every vehicle chain to its leaf: a merge of both families, which are in order of VIN."""
        records = self._reads.family(b"R")
        pending = next(records, None)
        for key, vin, vehicle in self._family(VEHICLE):
            prefix = schema.record_key(vin, 0)[:-8]
            while pending is not None and pending[0] < prefix:
                yield self._damage(pending[0], "belongs to no vehicle")
                pending = next(records, None)
            head, count, is_chained = ZERO32, 0, True
            while pending is not None and pending[0].startswith(prefix):
                sequence = int.from_bytes(pending[0][-8:], "big")
                if sequence != count:
                    yield self._damage(schema.record_key(vin, count), "is missing")
                    is_chained = False
                try:
                    head = next_history_head(head, sequence, record_digest(pending[1]))
                except Corrupted as error:
                    yield self._damage(pending[0], str(error))
                    is_chained = False
                count = sequence + 1
                pending = next(records, None)
            if count < vehicle.record_count:
                yield self._damage(schema.record_key(vin, count), f"is missing: there are {vehicle.record_count}")
            elif count > vehicle.record_count:
                yield self._damage(
                    schema.record_key(vin, count - 1), f"is superfluous: there are {vehicle.record_count}"
                )
            elif is_chained and head != vehicle.history_head:
                text = f"lead to {head.hex()}, {key[1:].decode('ascii')} says {vehicle.history_head.hex()}"
                yield StoreDamage("vehicle record", f"{vin}/0 to {count - 1}", self._blocks.state_head.height, text)
        while pending is not None:
            yield self._damage(pending[0], "belongs to no vehicle")
            pending = next(records, None)

    def _window(self) -> Iterator[StoreDamage]:
        """The entries of every hour, in block order, chain to its leaf."""
        hours: dict[int, list[tuple[bytes, int]]] = {}
        open_from = hour_of(self._blocks.state_head.time_ms)
        for key, value in self._reads.family(b"W"):
            hour, txid = schema.window_hour_in(key), value[:32]
            if hour < open_from:
                continue  # passed, but not swept yet
            if self._reads.get(schema.tx_key(txid)) != key[9:]:
                yield self._damage(key, "is of a transaction that has another place, or none")
                continue
            hours.setdefault(hour, []).append((txid, int.from_bytes(value[32:], "big")))
        leaves = {int(ident): bucket for _, ident, bucket in self._family(WINDOW)}
        for hour in sorted(leaves.keys() | hours.keys()):
            computed = extended(EMPTY, hours.get(hour, ()))
            if leaves.get(hour, EMPTY) != computed:
                text = f"its {computed.count} entries do not make the chain of window/{hour}"
                yield StoreDamage("replay window entry", f"hour {hour}", self._blocks.state_head.height, text)

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
                entries = self._subject_entries(height, raw)
            except (Corrupted, Rejected, ValueError) as error:
                yield damage_at(key, height, str(error))
                continue
            count += len(entries)
            for entry, indexes in entries.items():
                if self._reads.get(entry) != indexes:
                    yield damage_at(entry, height, "is missing or differs from what the block's receipts require")
        yield from self._missing_receipts(expected, self.height + 1)
        if sum(1 for _ in self._reads.family(b"Y")) != count:
            for key, _ in self._reads.family(b"Y"):
                height = schema.subject_height_in(key)
                row = self._reads.get(schema.receipts_key(height))
                try:
                    is_required = row is not None and key in self._subject_entries(height, row)
                except (Corrupted, Rejected, ValueError):
                    continue
                if not is_required:
                    yield damage_at(key, height, "follows from no receipt")

    def _missing_receipts(self, first: int, end: int) -> Iterator[StoreDamage]:
        for height in range(first, end):
            yield damage_at(schema.receipts_key(height), height, "is missing")

    def _subject_entries(self, height: int, raw: bytes) -> dict[bytes, bytes]:
        block = self._reads.get(schema.block_key(height))
        if block is None:
            raise Corrupted("has no block")
        txs = [decode_signed_tx(tx, self._genesis_hash) for tx in decode_block(block).transactions]
        return schema.subject_entries(height, decode_receipts(raw), txs)
