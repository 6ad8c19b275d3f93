"""Vehicle records: the chain of everything that happened to a car, and the base of the types that append to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.errors import Corrupted
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Address, Hash32, Height, Odometer, Time
from node.ledger.overlay import Ledger, Record
from node.txtypes.members.member import name_of
from node.txtypes.vehicle.guards import check_event_time, require_vehicle
from node.txtypes.vehicle.odometer import add_reading, check_reading
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle


class Face(Value, tag=1, frozen=True):
    """What a redacted record still shows, with proof: its type, time and author."""

    sequence: int
    txid: Hash32
    height: Height
    time_ms: Time
    author: Address
    author_name: str
    """The author's business name at that time, empty for a plain account."""
    kind: str
    event_at_ms: Time


class Content(Value, tag=1, frozen=True):
    """What a redacted record withholds. The salt keeps it unguessable."""

    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    body: bytes
    """Canonical encoding of the transaction's body."""
    outcome: tuple[str, ...]
    """What the rules made of it, as codes: a computed severity, a verdict."""


class StoredRecord(Value, frozen=True):
    """A record as it is stored: the encodings of its face and its content."""

    face: bytes
    content: bytes


_decode_stored = msgspec.msgpack.Decoder(StoredRecord)


def content_digest(content: bytes) -> bytes:
    """`H("bmw/record-content", content)` of a content's encoding."""
    return tagged("bmw/record-content", content)


def digest_of(face: bytes, content_digest: bytes) -> bytes:
    """`H("bmw/record-body", face || content digest)`: what the history commits to, also without the content."""
    return tagged("bmw/record-body", face + content_digest)


def stored_record(raw: bytes) -> StoredRecord:
    """Raises `Corrupted`: only our own encoding is ever stored."""
    try:
        return _decode_stored.decode(raw)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Corrupted(f"a stored vehicle record does not decode: {error}") from None


def record_digest(raw: bytes) -> bytes:
    """The digest of a record as it is stored. Raises `Corrupted`."""
    record = stored_record(raw)
    return digest_of(record.face, content_digest(record.content))


def next_history_head(head: bytes, sequence: int, digest: bytes) -> bytes:
    """`H("bmw/record", head || sequence || digest)`, the sequence as 8 bytes big-endian."""
    return tagged("bmw/record", head + sequence.to_bytes(8, "big") + digest)


def append_record(
    ledger: Ledger, vin: str, vehicle: Vehicle, body: TransactionBody, event_at_ms: int, outcome: tuple[str, ...] = ()
) -> None:
    """Append a record of `body` and write the vehicle, whose chain it extends."""
    sequence = vehicle.record_count
    salted = ledger.payload_bytes + vin.encode("ascii") + sequence.to_bytes(8, "big")
    face = Face(
        sequence,
        ledger.txid,
        ledger.block.height,
        ledger.now_ms,
        ledger.sender,
        name_of(ledger, ledger.sender),
        type_of(body),
        event_at_ms,
    )
    content = Content(tagged("bmw/record-salt", salted)[:16], encode(body), outcome)
    encoded = encode(StoredRecord(encode(face), encode(content)))
    ledger.append(Record(vin, sequence, encoded))
    head = next_history_head(vehicle.history_head, sequence, record_digest(encoded))
    ledger.put(VEHICLE, vin, replace(vehicle, record_count=sequence + 1, history_head=head))


class VehicleRecord(TransactionBody, frozen=True):
    """A type whose transactions are entries of a car's history, with an event time and an odometer reading.

    A type declares the fields, in its own order; `record_guards` and `effect` are what is its own.
    """

    if TYPE_CHECKING:

        @property
        def vin(self) -> str: ...

        @property
        def event_at_ms(self) -> int: ...

        @property
        def odometer(self) -> Odometer: ...

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        """The type's own guards, after those of every record."""

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        """The vehicle with what the type does to it, and the outcome besides the verdict."""
        return vehicle, ()

    def is_declared(self, ledger: Ledger) -> bool:
        """Whether the reading comes from a party without accreditation."""
        return False

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        check_reading(ledger, self.vin, self.odometer, vehicle)
        self.record_guards(ledger, vehicle)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.the(VEHICLE, self.vin)
        declared = self.is_declared(ledger)
        vehicle = add_reading(ledger, self.vin, vehicle, self.odometer, self.event_at_ms, is_declared=declared)
        vehicle, outcome = self.effect(ledger, vehicle)
        append_record(ledger, self.vin, vehicle, self, self.event_at_ms, outcome)
