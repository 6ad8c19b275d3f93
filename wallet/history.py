"""The records of a vehicle against its leaf: complete, in order, unchanged (docs/PROTOCOL.md, State)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node.codec import encode
from node.crypto.addresses import from_text
from node.crypto.hashing import ZERO32
from node.errors import InvalidProof, Malformed
from node.ledger.json_form import time_from_text, union_from_json
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.record import RecordBody, next_history_head, record_digest
from node.txtypes.vehicle.vehicle import Vehicle


def record_of(shown: Mapping[str, Any]) -> RecordBody:
    """The record that a node shows as JSON. Raises `Malformed`."""
    try:
        return RecordBody(
            sequence=int(shown["sequence"]),
            txid=bytes.fromhex(shown["txid"]),
            height=int(shown["height"]),
            time_ms=time_from_text(shown["time"]),
            author=from_text(shown["author"]),
            salt=bytes.fromhex(shown["salt"]),
            kind=str(shown["kind"]),
            event_at_ms=time_from_text(shown["event_at"]),
            content=encode(union_from_json(dict(TYPES), shown["content"], "content")),
            outcome=tuple(str(code) for code in shown["outcome"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"a record can't be read: {error}") from None


def check_history(records: Sequence[Mapping[str, Any]], vehicle: Vehicle) -> int:
    """Raises `InvalidProof` unless these are all records of `vehicle`, in order; how many were withheld.

    A withheld record is shown by its digest alone: completeness still holds.
    """
    head, withheld = ZERO32, 0
    for sequence, shown in enumerate(records):
        if shown.get("content") is None:
            withheld += 1
            digest = bytes.fromhex(str(shown.get("digest", "")))
        else:
            record = record_of(shown)
            if record.sequence != sequence:
                raise InvalidProof(f"record {sequence} is missing")
            digest = record_digest(encode(record))
        head = next_history_head(head, sequence, digest)
    if len(records) != vehicle.record_count:
        raise InvalidProof(f"{len(records)} records are shown, the vehicle has {vehicle.record_count}")
    if head != vehicle.history_head:
        raise InvalidProof("the records shown are not the ones that the vehicle's proven state commits to")
    return withheld
