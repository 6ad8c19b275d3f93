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
from node.txtypes.vehicle.record import Content, Face, content_digest, digest_of, next_history_head
from node.txtypes.vehicle.vehicle import Vehicle


def face_of(shown: Mapping[str, Any]) -> bytes:
    """The encoded face of a record that a node shows as JSON. Raises `Malformed`."""
    try:
        return encode(
            Face(
                int(shown["sequence"]),
                bytes.fromhex(shown["txid"]),
                int(shown["height"]),
                time_from_text(shown["time"]),
                from_text(shown["author"]),
                str(shown["author_name"]),
                str(shown["kind"]),
                time_from_text(shown["event_at"]),
            )
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"a record can't be read: {error}") from None


def _digest_of(shown: Mapping[str, Any]) -> bytes:
    """What the record as shown commits to: whole, with its face alone, or as a bare digest. Raises `Malformed`."""
    try:
        if shown.get("content") is not None:
            body = encode(union_from_json(dict(TYPES), shown["content"], "content"))
            outcome = tuple(str(code) for code in shown["outcome"])
            content = encode(Content(bytes.fromhex(shown["salt"]), body, outcome))
            return digest_of(face_of(shown), content_digest(content))
        if shown.get("content_digest") is not None:
            return digest_of(face_of(shown), bytes.fromhex(shown["content_digest"]))
        return bytes.fromhex(str(shown.get("digest", "")))
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"a record can't be read: {error}") from None


def check_history(records: Sequence[Mapping[str, Any]], vehicle: Vehicle) -> int:
    """Raises `InvalidProof` unless these are all records of `vehicle`, in order; how many were withheld.

    A withheld record is shown by its face and the digest of its content, or by its digest alone: that the records are
    complete is proven all the same.
    """
    head, withheld = ZERO32, 0
    for sequence, shown in enumerate(records):
        has_face = shown.get("content") is not None or shown.get("content_digest") is not None
        if has_face and shown.get("sequence") != sequence:
            raise InvalidProof(f"record {sequence} is missing")
        withheld += shown.get("content") is None
        head = next_history_head(head, sequence, _digest_of(shown))
    if len(records) != vehicle.record_count:
        raise InvalidProof(f"{len(records)} records are shown, the vehicle has {vehicle.record_count}")
    if head != vehicle.history_head:
        raise InvalidProof("the records shown are not the ones that the vehicle's proven state commits to")
    return withheld
