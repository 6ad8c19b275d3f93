"""Vehicle records: the chain of a car's history, and the base of the types that append to it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.errors import Corrupted
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Address, Hash32, Height, Odometer, RecordName, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger, Record
from node.txtypes.members.member import name_of
from node.txtypes.vehicle.guards import check_event_time, require_vehicle
from node.txtypes.vehicle.instruments import with_segment
from node.txtypes.vehicle.odometer import (
    Standing,
    add_reading,
    check_reading,
    is_verdict_worse,
    reading_standing,
    verdict_outcome,
)
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, Segment
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, vehicle_at

B = TypeVar("B", bound=TransactionBody)


class Face(Value, tag=1, frozen=True):
    """The part of a record that it still proves when it is redacted: type, time and author."""

    sequence: int
    txid: Hash32
    height: Height
    time_ms: Time
    author: Address
    author_name: str
    """The author's business name at that time, empty for an account that is no member."""
    kind: str
    event_at_ms: Time


class Content(Value, tag=1, frozen=True):
    """The part of a record that is withheld when it is redacted. The salt makes it unguessable."""

    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    body: bytes
    """Canonical encoding of the transaction's body."""
    outcome: tuple[str, ...]
    """Outcome codes that the rules derived, such as a computed severity or a verdict."""


class StoredRecord(Value, frozen=True):
    """A record as it is stored: the encodings of its face and its content."""

    face: bytes
    content: bytes


_decode_stored = msgspec.msgpack.Decoder(StoredRecord)


def content_digest(content: bytes) -> bytes:
    """`H("bmw/record-content", content)` of a content's encoding."""
    return tagged("bmw/record-content", content)


def digest_of(record: StoredRecord) -> bytes:
    """`H("bmw/record-body", face || H("bmw/record-content", content))`: the digest that the history commits to."""
    return redacted_digest(record.face, content_digest(record.content))


def redacted_digest(face: bytes, content_digest: bytes) -> bytes:
    """The digest of a record, computed without its content."""
    return tagged("bmw/record-body", face + content_digest)


def stored_record(raw: bytes) -> StoredRecord:
    """The record in its stored encoding. Raises `Corrupted`: only our own encoding is ever stored."""
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


def next_material_head(head: bytes, sequence: int, digest: bytes) -> bytes:
    """`H("bmw/material", head || sequence || digest)`, the sequence as 8 bytes big-endian."""
    return tagged("bmw/material", head + sequence.to_bytes(8, "big") + digest)


def append_record(
    ledger: Ledger, vin: str, vehicle: Vehicle, body: TransactionBody, event_at_ms: int, outcome: tuple[str, ...] = (),
    *, is_material: bool = False,
) -> None:  # fmt: skip
    """Append a record of `body` to the vehicle's chain, and write the vehicle. A material record is one that a buyer
    has to know of before the sale goes on. If the record changes the odometer's verdict, its outcome says so."""
    verdict = verdict_outcome(vehicle)
    if verdict not in outcome:
        before = ledger.get(VEHICLE, vin)
        if before is not None and before.verdict != vehicle.verdict:
            outcome = (*outcome, verdict)
    sequence = vehicle.record_count
    salted = ledger.payload_bytes + vin.encode("ascii") + sequence.to_bytes(8, "big")
    face = Face(
        sequence, ledger.txid, ledger.block.height, ledger.now_ms, ledger.sender, name_of(ledger, ledger.sender),
        type_of(body), event_at_ms,
    )  # fmt: skip
    content = Content(tagged("bmw/record-salt", salted)[:16], encode(body), outcome)
    record = StoredRecord(encode(face), encode(content))
    ledger.records.append(Record(vin, sequence, encode(record)))
    digest = digest_of(record)
    head = next_history_head(vehicle.history_head, sequence, digest)
    vehicle = replace(vehicle, record_count=sequence + 1, history_head=head)
    if is_material:
        ledger.happened("vehicle.material", f"vehicle/{vin}")
        material = next_material_head(vehicle.material_head, sequence, digest)
        vehicle = replace(
            vehicle, material_changes=vehicle.material_changes + 1, material_head=material,
            material_author=ledger.sender,
        )  # fmt: skip
    ledger.put(VEHICLE, vin, vehicle)


RECORD_UNKNOWN = Guard("record_unknown", "the car has no such record", "das Fahrzeug hat keinen solchen Eintrag",
                       "车辆没有该记录")  # fmt: skip
RECORD_DIFFERS = Guard("record_differs", "the record at this place is another one",
                       "der Eintrag an dieser Stelle ist ein anderer", "该位置的记录不同")  # fmt: skip


def find_record(ledger: Ledger, vin: str, name: RecordName) -> StoredRecord | None:
    """The named record. Notes `record_unknown` or `record_differs`, then the result is None."""
    raw = ledger.record(vin, name.sequence)
    subject = f"{vin}/{name.sequence}"
    if raw is None:
        ledger.unmet(RECORD_UNKNOWN, subject)
        return None
    record = stored_record(raw)
    if digest_of(record) != name.digest:
        ledger.unmet(RECORD_DIFFERS, subject, digest_of(record).hex(), name.digest.hex())
        return None
    return record


_decode_face, _decode_content = msgspec.msgpack.Decoder(Face), msgspec.msgpack.Decoder(Content)


def face_of(record: StoredRecord) -> Face:
    return _decode_face.decode(record.face)


def content_of(record: StoredRecord) -> Content:
    return _decode_content.decode(record.content)


@cache
def _body_decoder(kind: type[B]) -> msgspec.msgpack.Decoder[B]:
    return msgspec.msgpack.Decoder(kind)


def body_of(record: StoredRecord, kind: type[B]) -> B:
    """The body of a record. Its face must name the type `kind`."""
    body: B = _body_decoder(kind).decode(content_of(record).body)
    return body


class Effect(NamedTuple):
    """The effect of a record: the vehicle after it, the record's outcome codes, and whether a buyer has to know of
    it."""

    vehicle: Vehicle
    outcome: tuple[str, ...] = ()
    is_material: bool = False


class OwnEffect(TransactionBody, frozen=True):
    """Base of the types whose records may leave on a car what no other type does."""

    if TYPE_CHECKING:

        @property
        def vin(self) -> str: ...

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The vehicle once the record `sequence` of this body counts no more: what the type's own effect has left is
        undone, as far as it can be. `by`: the body of the record, of the same type, that its author put in its
        place."""
        return vehicle


class VehicleRecord(OwnEffect, frozen=True):
    """Base of the types whose transactions are records of a car's history, with an event time and an odometer reading.
    A type declares the fields in its own order, its `record_guards` and its `effect`."""

    if TYPE_CHECKING:

        @property
        def event_at_ms(self) -> int: ...

        @property
        def odometer(self) -> Odometer | None: ...

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        """The type's own guards, after those of every record."""

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        """The effect of the record, apart from its reading."""
        return Effect(vehicle)

    def standing(self, ledger: Ledger, vehicle: Vehicle) -> Standing:
        """The standing of the record's reading."""
        return reading_standing(ledger, self.vin, vehicle, ledger.sender, self.event_at_ms)

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the holder of the title, or an agent not related to the author, has signed."""
        return vehicle.holder == ledger.sender

    def instrument(self, ledger: Ledger, vehicle: Vehicle) -> Segment | None:
        """The instrument from the event on, if the record replaces it or tells that it has run past its last digit."""
        return None

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        self.record_guards(ledger, vehicle)
        check_reading(ledger, self.vin, self.odometer)

    def apply(self, ledger: Ledger) -> None:
        vehicle = vehicle_at(ledger.the(VEHICLE, self.vin), ledger.now_ms)
        is_turned = False
        if self.odometer is not None:
            if (segment := self.instrument(ledger, vehicle)) is not None:
                leaf = ledger.get(ODOMETER, self.vin) or NO_READINGS
                ledger.put(ODOMETER, self.vin, with_segment(leaf, segment, ledger.rules))
            read = add_reading(
                ledger, self.vin, vehicle, self.odometer, self.event_at_ms, self.standing(ledger, vehicle),
                is_acknowledged=self.is_acknowledged(ledger, vehicle),
            )  # fmt: skip
            is_turned, vehicle = is_verdict_worse(vehicle, read), read
        effect = self.effect(ledger, vehicle)
        outcome = (*effect.outcome, verdict_outcome(vehicle)) if self.odometer is not None else effect.outcome
        is_material = effect.is_material or is_turned
        append_record(
            ledger, self.vin, effect.vehicle, self, self.event_at_ms, outcome, is_material=is_material
        )  # fmt: skip
