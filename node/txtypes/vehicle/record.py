"""Vehicle records: the chain of everything that happened to a car, and the base of the types that append to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Address, Hash32, Height, Odometer, Time
from node.ledger.overlay import Ledger, Record
from node.txtypes.vehicle.guards import check_event_time, require_vehicle
from node.txtypes.vehicle.odometer import add_reading, check_reading
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle


class RecordBody(Value, tag=1, frozen=True):
    """What a record contains, and what `history_head` commits to. The salt keeps a withheld record unguessable."""

    sequence: int
    txid: Hash32
    height: Height
    time_ms: Time
    author: Address
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    kind: str
    event_at_ms: Time
    content: bytes
    """Canonical encoding of the transaction's body."""
    outcome: tuple[str, ...]
    """What the rules made of it, as codes: a computed severity, a verdict."""


def record_digest(body: bytes) -> bytes:
    """`H("bmw/record-body", body)` of a record's encoding."""
    return tagged("bmw/record-body", body)


def next_history_head(head: bytes, sequence: int, digest: bytes) -> bytes:
    """`H("bmw/record", head || sequence || digest)`, the sequence as 8 bytes big-endian."""
    return tagged("bmw/record", head + sequence.to_bytes(8, "big") + digest)


def append_record(
    ledger: Ledger, vin: str, vehicle: Vehicle, body: TransactionBody, event_at_ms: int, outcome: tuple[str, ...] = ()
) -> None:
    """Append a record of `body` and write the vehicle, whose chain it extends."""
    sequence = vehicle.record_count
    salted = ledger.payload_bytes + vin.encode("ascii") + sequence.to_bytes(8, "big")
    record = RecordBody(
        sequence=sequence,
        txid=ledger.txid,
        height=ledger.block.height,
        time_ms=ledger.now_ms,
        author=ledger.sender,
        salt=tagged("bmw/record-salt", salted)[:16],
        kind=type_of(body),
        event_at_ms=event_at_ms,
        content=encode(body),
        outcome=outcome,
    )
    encoded = encode(record)
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
