"""Vehicle records: the chain of a car's history, the base of the types that append to it, and `odometer.read`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.errors import Corrupted
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import Example
from node.ledger.fields import Address, Hash32, Height, Odometer, Time, Vin
from node.ledger.overlay import Ledger, Record
from node.rules.odometer import Context
from node.txtypes.members.member import Roles, name_of
from node.txtypes.vehicle.guards import check_event_time, require_vehicle
from node.txtypes.vehicle.odometer import add_reading, check_reading, verdict_outcome
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle


class Face(Value, tag=1, frozen=True):
    """The part of a record that a redacted one still proves: type, time and author."""

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
    """The part of a record that a redacted one withholds. The salt makes it unguessable."""

    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    body: bytes
    """Canonical encoding of the transaction's body."""
    outcome: tuple[str, ...]
    """Codes that the rules derived: a computed severity, a verdict."""


class StoredRecord(Value, frozen=True):
    """A record as it is stored: the encodings of its face and its content."""

    face: bytes
    content: bytes


_decode_stored = msgspec.msgpack.Decoder(StoredRecord)


def content_digest(content: bytes) -> bytes:
    """`H("bmw/record-content", content)` of a content's encoding."""
    return tagged("bmw/record-content", content)


def digest_of(record: StoredRecord) -> bytes:
    """The history's commitment: `H("bmw/record-body", face || H("bmw/record-content", content))`."""
    return redacted_digest(record.face, content_digest(record.content))


def redacted_digest(face: bytes, content_digest: bytes) -> bytes:
    """The digest of a record, computed without its content."""
    return tagged("bmw/record-body", face + content_digest)


def stored_record(raw: bytes) -> StoredRecord:
    """Raises `Corrupted`: only our own encoding is ever stored."""
    try:
        return _decode_stored.decode(raw)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Corrupted(f"a stored vehicle record does not decode: {error}") from None


def record_digest(raw: bytes) -> bytes:
    """The digest of a record as it is stored. Raises `Corrupted`."""
    return digest_of(stored_record(raw))


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
        sequence, ledger.txid, ledger.block.height, ledger.now_ms, ledger.sender, name_of(ledger, ledger.sender),
        type_of(body), event_at_ms,
    )  # fmt: skip
    content = Content(tagged("bmw/record-salt", salted)[:16], encode(body), outcome)
    record = StoredRecord(encode(face), encode(content))
    ledger.records.append(Record(vin, sequence, encode(record)))
    head = next_history_head(vehicle.history_head, sequence, digest_of(record))
    ledger.put(VEHICLE, vin, replace(vehicle, record_count=sequence + 1, history_head=head))


class VehicleRecord(TransactionBody, frozen=True):
    """Base of the types whose transactions are entries of a car's history, with an event time and an odometer reading.
    A type declares the fields in its own order, its `record_guards` and its `effect`."""

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
        """The vehicle after the transaction, and the outcome codes of its record."""
        return vehicle, ()

    def is_declared(self, ledger: Ledger) -> bool:
        """Whether the author of the reading has no accreditation."""
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


class OdometerRead(VehicleRecord, tag="odometer.read", frozen=True):
    """A reading on its own, by any accredited writer."""

    vin: Vin
    odometer: Odometer
    event_at_ms: Time
    context: Context
    by: ClassVar[Roles] = Roles(
        "manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "carrier"
    )
    headline: ClassVar[tuple[str, ...]] = ("odometer", "context")
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "odometer": {"value": 12_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "context": "inspection",
    })  # fmt: skip

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        return vehicle, (verdict_outcome(vehicle),)
