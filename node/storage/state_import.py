"""Verification of records and state values from an untrusted source.

Records are added first, then state values, each ascending by store key. Every vehicle's records must chain to its leaf,
and the values must hash to the expected root.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final, NamedTuple

from node.crypto.state_tree import StateTree, bucket_of, slot_of
from node.errors import Corrupted, Malformed
from node.ledger.family import Family
from node.storage import schema
from node.txtypes.registry import family_of
from node.txtypes.vehicle.record import next_history_head, record_digest
from node.txtypes.vehicle.vehicle import VEHICLE

STATE_KEY_BYTES_MAX: Final = 128
"""Bound for untrusted keys; the longest valid one, a payment's reference, has 82 bytes."""
_RECORD_KEY: Final = re.compile(rb"R[A-HJ-NPR-Z0-9]{17}/[\x00-\xff]{8}", re.DOTALL)


class StateValue(NamedTuple):
    family: Family[Any]
    ident: str
    value: Any
    rows: dict[bytes, bytes]
    """Its entries in the store: the value and its index entries."""


class StateImport:
    """Collects record chains and state tree buckets: about 150 bytes of memory for every state value, and for every
    vehicle whose value has not been added; more than `entries_max` of these are rejected."""

    def __init__(self, depth: int, entries_max: int = 2**40) -> None:
        self._depth = depth
        self._entries_max = entries_max
        self._values = 0
        self._buckets: dict[int, list[bytes]] = {}
        self._records: dict[str, tuple[int, bytes]] = {}

    def take_record(self, key: bytes, value: bytes) -> None:
        """`key` is the store's. Raises `Malformed`."""
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

    def take_value(self, key: bytes, raw: bytes) -> StateValue:
        """`key` is the state's. Raises `Malformed`."""
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
        rows = {schema.state_key(key): raw} | dict.fromkeys(family.index_keys(ident, value), b"")
        return StateValue(family, ident, value, rows)

    def check_records(self) -> None:
        """Every record belongs to a vehicle. Raises `Malformed`."""
        if self._records:
            raise Malformed(f"records of {next(iter(self._records))} belong to no vehicle")

    def buckets(self) -> dict[int, bytes]:
        """The state tree's non-empty buckets."""
        return {number: b"".join(sorted(entries)) for number, entries in self._buckets.items()}


def root_of(buckets: dict[int, bytes], depth: int) -> bytes:
    return StateTree(depth, buckets.items()).root
