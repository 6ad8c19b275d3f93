"""Verification of a vehicle's records against its proven state: all, in order, unchanged (docs/PROTOCOL.md, State)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node.codec import encode
from node.crypto.addresses import from_text
from node.crypto.hashing import ZERO32
from node.errors import InvalidProof, Malformed
from node.ledger.json_form import time_from_text, union_from_json
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.record import Content, Face, content_digest, next_history_head, redacted_digest
from node.txtypes.vehicle.vehicle import Vehicle


def _digest_of(record: Mapping[str, Any]) -> bytes:
    """The digest of a record in JSON: computed from content and face, or the bare digest if it has no face."""
    if record.get("content") is not None:
        body = encode(union_from_json(dict(TYPES), record["content"], "content"))
        outcome = tuple(str(code) for code in record["outcome"])
        digest = content_digest(encode(Content(bytes.fromhex(record["salt"]), body, outcome)))
    elif record.get("content_digest") is not None:
        digest = bytes.fromhex(record["content_digest"])
    else:
        return bytes.fromhex(str(record.get("digest", "")))
    face = Face(
        int(record["sequence"]),
        bytes.fromhex(record["txid"]),
        int(record["height"]),
        time_from_text(record["time"]),
        from_text(record["author"]),
        str(record["author_name"]),
        str(record["kind"]),
        time_from_text(record["event_at"]),
    )
    return redacted_digest(encode(face), digest)


def check_history(records: Sequence[Mapping[str, Any]], vehicle: Vehicle) -> int:
    """The number of withheld records. Raises `InvalidProof` unless `records` are all records of `vehicle` in order.

    A withheld record has only its face and the digest of its content, or only its own digest. This proves completeness
    just the same.
    """
    head, withheld = ZERO32, 0
    for sequence, record in enumerate(records):
        has_face = record.get("content") is not None or record.get("content_digest") is not None
        if has_face and record.get("sequence") != sequence:
            raise InvalidProof(f"record {sequence} is missing")
        withheld += record.get("content") is None
        try:
            head = next_history_head(head, sequence, _digest_of(record))
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"a record can't be read: {error}") from None
    if len(records) != vehicle.record_count:
        raise InvalidProof(f"{len(records)} records are shown, the vehicle has {vehicle.record_count}")
    if head != vehicle.history_head:
        raise InvalidProof("the records shown are not the ones that the vehicle's proven state commits to")
    return withheld
