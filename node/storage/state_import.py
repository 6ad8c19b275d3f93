"""Import of records and state values from an untrusted source, and the first store of a successor chain.

Records are added first, then state values, each ascending by store key. Every vehicle's records must chain to its leaf,
and the values must hash to the expected root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from node.chain.genesis import Continues, Genesis, genesis_hash
from node.codec import encode
from node.crypto.state_tree import StateTree, bucket_of, slot_of
from node.errors import Corrupted, Malformed
from node.execution.successor import LEFT_BEHIND, changed_values
from node.storage import schema
from node.storage.chain_store import ChainReader, StoredHead
from node.storage.kv import KeyValue, prefix_end, write_portions
from node.txtypes.chain.replay_window import WINDOW, WindowBucket
from node.txtypes.chain.validator_set import VALIDATOR, VALIDATORS
from node.txtypes.registry import family_of
from node.txtypes.vehicle.record import next_history_head, record_digest
from node.txtypes.vehicle.vehicle import VEHICLE

STATE_KEY_BYTES_MAX: Final = 128
"""Bound for untrusted keys; the longest valid one, a payment's reference, has 82 bytes."""
_RECORD_KEY: Final = re.compile(rb"R[A-HJ-NPR-Z0-9]{17}/[\x00-\xff]{8}", re.DOTALL)


class StateImport:
    """Collects record chains and state tree buckets: about 150 bytes of memory for every state value, and for every
    vehicle whose value has not been added; more than `entries_max` of these are rejected."""

    def __init__(self, depth: int, entries_max: int = 2**40) -> None:
        self._depth = depth
        self._entries_max = entries_max
        self._values = 0
        self._buckets: dict[int, list[bytes]] = {}
        self._records: dict[str, tuple[int, bytes]] = {}
        self.window_leaves: dict[int, WindowBucket] = {}
        """The replay window's values by hour."""

    def take_record(self, key: bytes, value: bytes) -> None:
        """Add a record; `key` is the store's. Raises `Malformed`."""
        if not _RECORD_KEY.fullmatch(key):
            raise Malformed(f"{key[:40]!r} is not a vehicle record's key")
        vin, sequence = key[1:-9].decode("ascii"), int.from_bytes(key[-8:], "big")
        count, head = self._records.get(vin, (0, bytes(32)))
        if sequence != count:
            raise Malformed(f"the records of {vin} have a gap at {count}")
        try:
            self._records[vin] = (count + 1, next_history_head(head, count, record_digest(value)))
        except Corrupted as error:
            raise Malformed(f"record {vin}/{sequence}: {error}") from None
        self._check_size()

    def _check_size(self) -> None:
        if self._values + len(self._records) > self._entries_max:
            raise Malformed(f"more than {self._entries_max} values and cars, which is more than fits into memory")

    def take_value(self, key: bytes, raw: bytes) -> dict[bytes, bytes]:
        """Add a value; `key` is the state's. Returns the store's entries: value and index. Raises `Malformed`."""
        if not key.isascii() or len(key) > STATE_KEY_BYTES_MAX:
            raise Malformed(f"state key {key[:40]!r} is not ASCII, or too long")
        family = family_of(key)
        if family is None:
            raise Malformed(f"state value {key!r} is of no known family")
        try:
            value = family.decode(raw)
        except Corrupted as error:
            raise Malformed(str(error)) from None
        self._values += 1
        self._check_size()
        slot, ident = slot_of(key), key.decode("ascii").partition("/")[2]
        self._buckets.setdefault(bucket_of(slot, self._depth), []).append(slot + sha256(raw).digest())
        if family.name == VEHICLE.name and self._records.pop(ident, None) != (value.record_count, value.history_head):
            raise Malformed(f"the records of {ident} do not lead to its leaf")
        if family.name == WINDOW.name:
            self.window_leaves[int(ident) if ident.isdecimal() and len(ident) <= 20 else -1] = value
        return {schema.state_key(key): raw} | dict.fromkeys(family.index_keys(ident, value), b"")

    def check_records(self) -> None:
        """Every record belongs to a vehicle. Raises `Malformed`."""
        if self._records:
            raise Malformed(f"records of {next(iter(self._records))} belong to no vehicle")

    def _non_empty(self) -> Iterator[tuple[int, bytes]]:
        return ((number, b"".join(sorted(entries))) for number, entries in self._buckets.items())

    def root(self) -> bytes:
        """The root of the state tree over the values so far."""
        return StateTree(self._depth, self._non_empty()).root

    def bucket_rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Store entries of the state tree's buckets."""
        return ((schema.bucket_key(number), bucket) for number, bucket in self._non_empty())


# --- successor chains -------------------------------------------------------------------------------------
def import_predecessor(target: KeyValue, genesis: Genesis, predecessor: KeyValue, predecessor_depth: int) -> None:
    """Fill the empty `target`; its head is written last, and makes it a store. `predecessor` is not trusted: records
    must chain to their vehicles' leaves, and state values must hash to the root that the genesis names. Raises
    `Malformed` where they don't, or where the genesis does not fit them."""
    continues = genesis.continues
    if continues is None:
        raise Malformed("genesis.continues: names no chain, so this chain has no predecessor")
    _check_head(genesis, continues, predecessor)
    changes = changed_values(genesis, ChainReader(predecessor).state.get, validators_of(predecessor))
    before, after = StateImport(predecessor_depth), StateImport(genesis.tree_depth)
    write_portions(target, _records_and_values(predecessor, changes, before, after))
    before.check_records()
    root = before.root()
    if root != continues.state_root:
        raise Malformed(f"the predecessor's state has root {root.hex()}, genesis.continues names another")
    write_portions(target, after.bucket_rows())
    ident, height = genesis_hash(genesis), continues.height
    rows = {
        schema.validators_key(height): encode(VALIDATORS.decode(changes[VALIDATORS.key("set")]).entries),
        schema.META_BASE: schema.u64(height + 1),
        schema.META_GENESIS: ident,
        schema.META_SCHEMA: schema.SCHEMA_VERSION.to_bytes(4, "big"),
        schema.META_HEAD: encode(StoredHead(height, ident, genesis.time_ms, after.root())),
    }
    target.write(rows, [])


def _records_and_values(
    predecessor: KeyValue, changes: dict[bytes, bytes], before: StateImport, after: StateImport
) -> Iterator[tuple[bytes, bytes]]:
    """The successor's store entries. Adds the predecessor's state to `before` and the successor's to `after`."""
    for key, value in predecessor.scan(b"R", b"S"):
        before.take_record(key, value)
        after.take_record(key, value)
        yield key, value
    added = dict(changes)
    for key, value in predecessor.scan(b"S", b"T"):
        before.take_value(key[1:], value)
        if not key[1:].startswith(LEFT_BEHIND):
            yield from after.take_value(key[1:], added.pop(key[1:], value)).items()
    for key, value in sorted(added.items()):
        yield from after.take_value(key, value).items()


def validators_of(kv: KeyValue) -> Iterator[tuple[bytes, bytes]]:
    """(state key, value) of every present and former validator."""
    prefix = schema.state_key(VALIDATOR.key(""))
    for key, raw in kv.scan(prefix, prefix_end(prefix)):
        yield key[1:], raw


def _check_head(genesis: Genesis, continues: Continues, predecessor: KeyValue) -> None:
    """The predecessor ends where the genesis says. Raises `Malformed`."""
    head, ident = ChainReader(predecessor).stored_head(), predecessor.get(schema.META_GENESIS)
    if head is None or ident != continues.genesis_hash:
        chain = "no chain" if ident is None else f"the chain {ident.hex()}"
        raise Malformed(f"the store has {chain}, genesis.continues names {continues.genesis_hash.hex()}")
    if (head.height, head.block_id) != (continues.height, continues.block_id):
        raise Malformed(
            f"the store ends at height {head.height}, block {head.block_id.hex()}; genesis.continues names height "
            f"{continues.height}, block {continues.block_id.hex()}"
        )
    if genesis.time_ms <= head.time_ms:
        raise Malformed("genesis.time_ms: is not above the time of the block that is continued")
