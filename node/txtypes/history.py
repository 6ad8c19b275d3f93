"""A vehicle's history for readers: decoded records and their view."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from node.errors import Corrupted
from node.ledger.body import TransactionBody
from node.ledger.family import Reader, extended
from node.ledger.fields import Hash32
from node.limits import DAY_MS
from node.txtypes.members.member import is_fraudulent
from node.txtypes.registry import TYPES, AnyBody
from node.txtypes.vehicle.record import Content, Face, record_digest, stored_record

LATE_MS: Final = DAY_MS
"""A record that reports an event is late where the event lies more than this before the block that took it."""
_decode_face = msgspec.msgpack.Decoder(Face)
_decode_content = msgspec.msgpack.Decoder(Content)
_decode_body: msgspec.msgpack.Decoder[TransactionBody] = msgspec.msgpack.Decoder(AnyBody)


class DecodedRecord(NamedTuple):
    """A stored record, and the body of the transaction that made it."""

    face: Face
    content: Content
    body: TransactionBody


def decode_record(raw: bytes) -> DecodedRecord:
    """Raises `Corrupted`."""
    stored = stored_record(raw)
    try:
        content = _decode_content.decode(stored.content)
        return DecodedRecord(_decode_face.decode(stored.face), content, _decode_body.decode(content.body))
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Corrupted(f"a stored vehicle record does not decode: {error}") from None


class RecordView(Face, frozen=True):
    """An entry of a car's history. `content`: the body of its transaction; `outcome`: codes that the rules derived."""

    id: str
    author_is_fraudulent: bool
    late: bool
    content: AnyBody
    outcome: tuple[str, ...]
    digest: Hash32
    salt: bytes


def is_late(face: Face) -> bool:
    """Whether the record reports an event of more than `LATE_MS` before the block that took it."""
    kind = TYPES.get(face.kind)
    return face.time_ms - face.event_at_ms > LATE_MS and (kind is None or kind.reports_event)


def view_of(vin: str, record: DecodedRecord, digest: bytes, author_is_fraudulent: bool) -> RecordView:
    face, content, body = record
    return extended(
        RecordView, face, id=f"{vin}/{face.sequence}", author_is_fraudulent=author_is_fraudulent, late=is_late(face),
        content=body, outcome=content.outcome, digest=digest, salt=content.salt,
    )  # fmt: skip


def record_view(vin: str, raw: bytes, reader: Reader) -> RecordView:
    record = decode_record(raw)
    face = record.face
    marked = is_fraudulent(reader, face.author, face.event_at_ms, face.time_ms)
    return view_of(vin, record, record_digest(raw), marked)
