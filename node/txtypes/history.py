"""A vehicle's history for readers: stored records decoded, and the view of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from node.errors import Corrupted
from node.ledger.body import TransactionBody
from node.ledger.family import Reader
from node.ledger.fields import Address, Hash32, Height, Time
from node.ledger.views import View
from node.limits import DAY_MS
from node.txtypes.members.member import MEMBER
from node.txtypes.registry import AnyBody
from node.txtypes.vehicle.record import RecordBody, record_digest

if TYPE_CHECKING:
    AnyBody = TransactionBody

LATE_MS: Final = DAY_MS
"""A record is late where its event lies more than this before the block that took it."""

_decode_record = msgspec.msgpack.Decoder(RecordBody)
_decode_content: msgspec.msgpack.Decoder[TransactionBody] = msgspec.msgpack.Decoder(AnyBody)


def decode_record(raw: bytes) -> tuple[RecordBody, TransactionBody]:
    """A stored record and the body of the transaction that made it. Raises `Corrupted`."""
    try:
        record = _decode_record.decode(raw)
        return record, _decode_content.decode(record.content)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Corrupted(f"a stored vehicle record does not decode: {error}") from None


class RecordView(View, frozen=True):
    """One entry of a car's history. `content`: the body of its transaction; `outcome`: what the rules made of it."""

    id: str
    sequence: int
    txid: Hash32
    height: Height
    time_ms: Time
    author: Address
    author_name: str
    author_is_fraudulent: bool
    kind: str
    event_at_ms: Time
    late: bool
    content: AnyBody
    outcome: tuple[str, ...]
    digest: Hash32
    salt: bytes


def record_view(vin: str, raw: bytes, reader: Reader) -> RecordView:
    record, body = decode_record(raw)
    author = reader.get(MEMBER, record.author)
    return RecordView(
        id=f"{vin}/{record.sequence}",
        sequence=record.sequence,
        txid=record.txid,
        height=record.height,
        time_ms=record.time_ms,
        author=record.author,
        author_name=author.name if author is not None else "",
        author_is_fraudulent=author is not None and author.is_fraudulent,
        kind=record.kind,
        event_at_ms=record.event_at_ms,
        late=record.time_ms - record.event_at_ms > LATE_MS,
        content=body,
        outcome=record.outcome,
        digest=record_digest(raw),
        salt=record.salt,
    )
