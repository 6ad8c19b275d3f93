"""Check of the state and of what follows from it: tree buckets, root, indexes, vehicle records, replay window."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TypeVar

from node.codec import Value
from node.crypto.hashing import ZERO32
from node.crypto.state_tree import ENTRY, StateTree, bucket_of, slot_of
from node.errors import Corrupted
from node.ledger.family import Family
from node.storage import schema
from node.storage.chain_store import StoredHead, index_entries
from node.storage.kv import prefix_end
from node.storage.verify_report import Reads, StoreDamage, damage_at
from node.txtypes.chain.replay_window import EMPTY, WINDOW, extended, hour_of
from node.txtypes.registry import family_of
from node.txtypes.vehicle.record import next_history_head, record_digest
from node.txtypes.vehicle.vehicle import VEHICLE

V = TypeVar("V", bound=Value)


class StateCheck:
    """Checks against the state root of `head`. Needs about 150 bytes of memory for every state value."""

    def __init__(self, reads: Reads, depth: int, head: StoredHead) -> None:
        self._reads = reads
        self._kv = reads.kv
        self._depth = depth
        self._head = head
        self._slots: dict[int, list[bytes]] = {}
        self._index_entries = 0

    def _damage(self, key: bytes, text: str) -> StoreDamage:
        return damage_at(key, self._head.height, text)

    # --- values and tree ----------------------------------------------------------------------------------
    def values(self) -> Iterator[StoreDamage]:
        """Every value decodes and has its index entries. Runs before the other walks."""
        for key, raw in self._reads.family(b"S"):
            slot = slot_of(key[1:])
            self._slots.setdefault(bucket_of(slot, self._depth), []).append(slot + sha256(raw).digest())
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

    def tree(self) -> Iterator[StoreDamage]:
        """Values hash to the buckets, and buckets to the root of the head's header."""
        computed = {number: b"".join(sorted(entries)) for number, entries in self._slots.items()}
        root = StateTree(self._depth, computed.items()).root
        are_values_right = root == self._head.state_root
        missing, differs = dict(computed), False
        for key, stored in self._reads.family(b"K"):
            expected = missing.pop(schema.height_in(key), None)
            if expected != stored:
                differs = True
                yield from self._bucket(key, stored, expected or b"", are_values_right)
        for number, expected in sorted(missing.items()):
            yield from self._bucket(schema.bucket_key(number), b"", expected, are_values_right)
        if not differs and not missing and not are_values_right:
            text = f"all values hash to root {root.hex()}, the head's header says {self._head.state_root.hex()}"
            yield self._damage(schema.META_HEAD, text)

    def _bucket(self, key: bytes, stored: bytes, computed: bytes, are_values_right: bool) -> Iterator[StoreDamage]:
        """Report a bucket that differs from the values. The side that does not hash to the root is damaged."""
        if are_values_right:
            yield self._damage(key, "is not what the state values hash to")
            return
        number = schema.height_in(key)
        differing = {entry[:32] for entry in _entries(stored) ^ _entries(computed)}
        for name, _ in self._kv.scan(b"S", b"T"):
            slot = slot_of(name[1:])
            if slot in differing:
                differing.remove(slot)
                yield self._damage(name, f"does not hash into bucket {number}")
        for slot in sorted(differing):
            text = f"is missing, though bucket {number} has its hash"
            yield StoreDamage("state value", f"of slot {slot.hex()}", self._head.height, text)

    def indexes(self) -> Iterator[StoreDamage]:
        """No other index entries exist. `values` has checked the required ones."""
        if sum(1 for _ in self._reads.family(b"X")) == self._index_entries:
            return
        required = set(index_entries((key[1:], raw) for key, raw in self._kv.scan(b"S", b"T")))
        for key, _ in self._reads.family(b"X"):
            if key not in required:
                yield self._damage(key, "follows from no state value")

    # --- records and replay window ------------------------------------------------------------------------
    def _family(self, family: Family[V]) -> Iterator[tuple[bytes, str, V]]:
        """(store key, id, value) ascending by id. Undecodable values were reported by `values`."""
        start = schema.state_key(family.key(""))
        for key, raw in self._kv.scan(start, prefix_end(start)):
            try:
                yield key, key[len(start) :].decode("ascii"), family.decode(raw)
            except Corrupted:
                continue

    def records(self) -> Iterator[StoreDamage]:
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
                yield self._damage(schema.record_key(vin, count - 1), f"is too much: there are {vehicle.record_count}")
            elif is_chained and head != vehicle.history_head:
                text = f"lead to {head.hex()}, {key[1:].decode('ascii')} says {vehicle.history_head.hex()}"
                yield StoreDamage("vehicle record", f"{vin}/0 to {count - 1}", self._head.height, text)
        while pending is not None:
            yield self._damage(pending[0], "belongs to no vehicle")
            pending = next(records, None)

    def window(self) -> Iterator[StoreDamage]:
        """The entries of every hour, in block order, chain to its leaf."""
        entries: dict[int, list[tuple[bytes, bytes, int]]] = {}
        open_from = hour_of(self._head.time_ms)
        for key, value in self._reads.family(b"W"):
            hour = int.from_bytes(key[1:9], "big")
            if hour < open_from:
                continue  # passed, but not swept yet
            place = self._reads.get(schema.tx_key(key[9:]))
            if place is None:
                yield self._damage(key, "is of a transaction that no block has")
                continue
            entries.setdefault(hour, []).append((place, key[9:], int.from_bytes(value, "big")))
        leaves = {int(ident): bucket for _, ident, bucket in self._family(WINDOW)}
        for hour in sorted(leaves.keys() | entries.keys()):
            computed = EMPTY
            for _, txid, expires_at_ms in sorted(entries.get(hour, ())):
                computed = extended(computed, txid, expires_at_ms)
            if leaves.get(hour, EMPTY) != computed:
                text = f"its {computed.count} entries do not make the chain of window/{hour}"
                yield StoreDamage("replay window entry", f"hour {hour}", self._head.height, text)


def _entries(bucket: bytes) -> set[bytes]:
    return {bucket[at : at + ENTRY] for at in range(0, len(bucket), ENTRY)}
