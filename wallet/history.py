"""A vehicle's history as its proven state commits to it: nothing else of a node's answer gets through."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from node.codec import encode
from node.crypto.hashing import ZERO32
from node.errors import InvalidProof, Malformed
from node.ledger.json_form import from_json, to_json, union_from_json
from node.ledger.kinds import fields_of
from node.txtypes.history import DecodedRecord, is_late, view_of
from node.txtypes.registry import TYPES
from node.txtypes.vehicle.record import Content, Face, content_digest, next_history_head, redacted_digest
from node.txtypes.vehicle.vehicle import Vehicle


class Redacted(NamedTuple):
    """A record whose content the node withholds; its face is proven."""

    face: Face
    content_digest: bytes


class Withheld(NamedTuple):
    """A record of which the node gives only the digest: nothing but its place is proven."""

    digest: bytes


ProvenRecord = DecodedRecord | Redacted | Withheld

_FACE = tuple(field.json_name for field in fields_of(Face))


def proven_records(records: Sequence[Mapping[str, Any]], vehicle: Vehicle) -> tuple[ProvenRecord, ...]:
    """What the given JSON proves, in order. Raises `InvalidProof` unless `records` are all records of `vehicle`, which
    is proven; `Malformed` for one that cannot be read."""
    if len(records) != vehicle.record_count:
        raise InvalidProof(f"{len(records)} records are shown, the vehicle has {vehicle.record_count}")
    head, found = ZERO32, list[ProvenRecord]()
    for sequence, given in enumerate(records):
        record = record_of(given, sequence)
        found.append(record)
        head = next_history_head(head, sequence, digest_of(record))
    if head != vehicle.history_head:
        raise InvalidProof("the records shown are not the ones that the vehicle's proven state commits to")
    return tuple(found)


def digest_of(record: ProvenRecord) -> bytes:
    match record:
        case DecodedRecord(face=face, content=content):
            return redacted_digest(encode(face), content_digest(encode(content)))
        case Redacted(face=face, content_digest=withheld):
            return redacted_digest(encode(face), withheld)
        case Withheld(digest=digest):
            return digest


def record_of(given: Mapping[str, Any], sequence: int) -> ProvenRecord:
    """A record of a node's JSON; nothing is proven yet. Raises `InvalidProof` for one of another sequence, `Malformed`
    for one that cannot be read."""
    path = f"record {sequence}"
    content, withheld = given.get("content"), given.get("content_digest")
    if content is None and withheld is None:
        return Withheld(_hash(given.get("digest"), f"{path}.digest"))
    if given.get("sequence") != sequence:
        raise InvalidProof(f"record {sequence} is missing")
    face: Face = from_json(Face, {name: given.get(name) for name in _FACE}, path)
    if content is None:
        return Redacted(face, _hash(withheld, f"{path}.content_digest"))
    body = union_from_json(dict(TYPES), content, f"{path}.content")
    shown = {"salt": given.get("salt"), "body": encode(body).hex(), "outcome": given.get("outcome")}
    return DecodedRecord(face, from_json(Content, shown, path), body)


def _hash(value: Any, path: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise Malformed(f"{path}: 32 bytes in lower-case hex expected")
    return bytes.fromhex(value)


def record_json(vin: str, sequence: int, record: ProvenRecord, frauds: Mapping[bytes, int]) -> dict[str, Any]:
    """A record in the form in which a node answers it, from what is proven. `frauds`: the authors of the proven list,
    and since when each is marked. A withheld one has `content` null, and its face or its sequence alone."""
    match record:
        case DecodedRecord(face=face):
            return to_json(view_of(vin, record, digest_of(record), _is_marked(face, frauds)))
        case Redacted(face=face):
            return to_json(face) | {
                "id": f"{vin}/{sequence}", "author_is_fraudulent": _is_marked(face, frauds), "late": is_late(face),
                "content": None, "content_digest": record.content_digest.hex(), "digest": digest_of(record).hex(),
            }  # fmt: skip
        case Withheld(digest=digest):
            return {"id": f"{vin}/{sequence}", "sequence": sequence, "content": None, "digest": digest.hex()}


def _is_marked(face: Face, frauds: Mapping[bytes, int]) -> bool:
    """As `members.member.is_fraudulent`."""
    since = frauds.get(face.author)
    return since is not None and max(face.event_at_ms, face.time_ms) >= since
