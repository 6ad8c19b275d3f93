"""`record.amend`: the author of a record says that it is wrong, and what is right. Both records stay."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, AmendReason, RecordName, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.disputes import READING_SPARED
from node.rules.odometer import DECLARED
from node.txtypes.disputes.decisions import settle_amended
from node.txtypes.disputes.dispute import put_record_status, record_status, status_at
from node.txtypes.disputes.rulings import Ruling, carry_out
from node.txtypes.disputes.standing import disputes_of
from node.txtypes.vehicle.guards import VEHICLE_UNKNOWN
from node.txtypes.vehicle.odometer import counted_now
from node.txtypes.vehicle.readings import ODOMETER, distance_told, may_amend_alone
from node.txtypes.vehicle.record import (
    Content,
    Face,
    StoredRecord,
    append_record,
    find_record,
    stored_record,
)
from node.txtypes.vehicle.relation import WITNESS_MISSING, check_witness
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

AMEND_MS: Final = 28 * DAY_MS
"""How long after the block that took it an author amends a record alone: as long as the United Kingdom gives its
inspectors to correct a test."""

NOT_THE_AUTHOR = Guard(
    "not_the_author",
    "the account has not written this record",
    "das Konto hat diesen Eintrag nicht geschrieben",
    "该账户不是此记录的作者",
    is_permission=True,
)
SUPERSEDED_ALREADY = Guard(
    "superseded_already",
    "the record counts no more: its author amended it, or arbiters annulled it",
    "der Eintrag zählt nicht mehr: sein Autor hat ihn berichtigt, oder Schlichter haben ihn annulliert",
    "该记录已失效：作者已更正或仲裁员已撤销",
)
AMEND_TOO_LATE = Guard(
    "amend_too_late",
    "after 28 days an amendment needs an inspector who signs too, or a decision",
    "nach 28 Tagen braucht eine Berichtigung die Unterschrift eines Prüfers oder eine Entscheidung",
    "超过 28 天的更正须有检验员会签或裁定",
)
AMEND_REASON = Guard(
    "amend_reason",
    "the reason and the car that the record belongs to don't match: another car goes with wrong_vehicle",
    "Grund und Fahrzeug passen nicht zusammen: zu einem anderen Fahrzeug gehört wrong_vehicle",
    "原因与所属车辆不符：另一车辆须为 wrong_vehicle",
)
REPLACEMENT_UNFIT = Guard(
    "replacement_unfit",
    "the replacement is not another record of the same type and author that counts",
    "der Ersatz ist kein anderer gültiger Eintrag desselben Typs und Autors",
    "替换记录不是同一作者的另一条同类有效记录",
)
PROCEDURAL = Guard("procedural", "a record of a dispute or an amendment is neither amended nor disputed",
                   "ein Eintrag über einen Streitfall oder eine Berichtigung wird weder berichtigt noch bestritten",
                   "争议或更正本身的记录不得更正或争议")  # fmt: skip
DISPUTE_DUE = Guard("dispute_due", "the vote about the record has ended: record.close counts it first",
                    "die Abstimmung über den Eintrag ist beendet: zuerst zählt record.close sie aus",
                    "该记录的表决已结束：须先由 record.close 计票")  # fmt: skip
_decode_face = msgspec.msgpack.Decoder(Face).decode
_decode_content = msgspec.msgpack.Decoder(Content).decode


def face_of(record: StoredRecord) -> Face:
    return _decode_face(record.face)


def has_reading(record: StoredRecord) -> bool:
    """Whether the record contains a reading: the rules derived a verdict from it."""
    return any(code.startswith("verdict:") for code in _decode_content(record.content).outcome)


def check_target(ledger: Ledger, vin: str, target: RecordName) -> tuple[StoredRecord, Face] | None:
    """The record and its face, None where it can be neither amended nor disputed; notes why."""
    record = find_record(ledger, vin, target)
    if record is None:
        return None
    face, status = face_of(record), record_status(ledger, vin, target.sequence)
    if face.kind.startswith("record."):
        ledger.unmet(PROCEDURAL, vin, face.kind)
        return None
    if status.is_superseded or status.outcome == "annulled":
        ledger.unmet(SUPERSEDED_ALREADY, f"{vin}/{target.sequence}")
    return record, face


def is_reading_decided(ledger: Ledger, vin: str, sequence: int) -> bool:
    """Whether arbiters have decided that the record is to be amended, on a ground that concerns its reading too."""
    if record_status(ledger, vin, sequence).outcome != "amended":
        return False
    decided = (dispute for dispute in disputes_of(ledger, vin, sequence) if dispute.outcome == "amended")
    return any(dispute.ground not in READING_SPARED for dispute in decided)


def check_alone(
    ledger: Ledger, vin: str, target: RecordName, record: StoredRecord, new_metres: int, *, is_witnessed: bool = False
) -> None:
    """Notes where the author may not amend the record alone. `new_metres`: the distance that replaces its own, -1 for
    none. `is_witnessed`: an inspector signs too. What arbiters have decided to be amended needs nobody, but for a
    reading that they were not asked about."""
    if is_witnessed or is_reading_decided(ledger, vin, target.sequence):
        return
    face, was_decided = face_of(record), record_status(ledger, vin, target.sequence).outcome == "amended"
    if ledger.now_ms > face.time_ms + AMEND_MS and not was_decided:
        ledger.unmet(AMEND_TOO_LATE, vin, time_to_text(face.time_ms), f"after {time_to_text(ledger.now_ms - AMEND_MS)}")
    elif has_reading(record):
        leaf = counted_now(ledger, vin)
        told = [reading for reading in leaf.readings if reading.sequence == target.sequence]
        if told and all(reading.standing == DECLARED for reading in told):
            return
        is_replacement = record_status(ledger, vin, target.sequence).is_replacement
        read_ms = face.time_ms if was_decided else ledger.now_ms  # a decision is not bound to 28 days
        if not may_amend_alone(leaf, target.sequence, new_metres, read_ms, is_replacement=is_replacement):
            ledger.unmet(WITNESS_MISSING, vin)


def retract(
    ledger: Ledger, vin: str, vehicle: Vehicle, face: Face, new_metres: int = -1, replaced_by: RecordName | None = None
) -> tuple[Vehicle, bool]:
    """The vehicle without the record, and whether a buyer has to know; open disputes about it have reached their
    aim. `new_metres`, `replaced_by`: see `Ruling`."""
    was_decided = record_status(ledger, vin, face.sequence).outcome == "amended"
    may_lower = is_reading_decided(ledger, vin, face.sequence)
    put_record_status(ledger, vin, face.sequence, is_superseded=True)
    settle_amended(ledger, vin, face.sequence)
    ruling = Ruling(
        "retracted", vin, face.sequence, face.kind, may_clear=was_decided, may_lower=may_lower, new_metres=new_metres,
        replaced_by=replaced_by,
    )  # fmt: skip
    return carry_out(ledger, ruling, vehicle)


class RecordAmend(TransactionBody, tag="record.amend", frozen=True):
    """The author of a record says that it is wrong. `replaced_by`: the record that it has written in its place, of the
    same type, on the same car, or on the car that the record `belongs_to` where the VIN was wrong. The old record's
    reading and the instrument that it told of count no more, a brand that only it told and that is pending falls, and
    where nothing is in its place a recall that it reports as done is open again.

    Within 28 days the author amends alone, but for a reading: a lower one, or none in its place, needs an inspector as
    `witness`, unless the old one is probably a typing error or the change is at most the tolerance, and it was not put
    in another's place itself; the odometer then has the reason `lowered` for ever. An `odometer.replace` needs the
    witness too. Later every amendment needs the witness, or the decision `amended` of a dispute. A
    decision on the damage, a warranty or a flag covers no reading."""

    vin: Vin
    target: RecordName
    reason: AmendReason
    replaced_by: RecordName | None
    belongs_to: Vin | None
    witness: Address | None
    weight: ClassVar[int] = 260
    headline: ClassVar[tuple[str, ...]] = ("target", "reason", "replaced_by", "belongs_to")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "target": {"sequence": 8, "digest": "$record"}, "reason": "duplicate",
        "replaced_by": None, "belongs_to": None, "witness": "inspector-1",
    }, ("inspector-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (self.witness,) if self.witness is not None else ()

    def guards(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        if vehicle is None:
            ledger.unmet(VEHICLE_UNKNOWN, self.vin)
            return
        self._check_car(ledger)
        found = check_target(ledger, self.vin, self.target)
        if found is None:
            return
        record, face = found
        if face.author != ledger.sender:
            ledger.unmet(NOT_THE_AUTHOR, f"{self.vin}/{self.target.sequence}")
        if any(status_at(d, ledger.now_ms) == "due" for d in disputes_of(ledger, self.vin, self.target.sequence)):
            ledger.unmet(DISPUTE_DUE, f"{self.vin}/{self.target.sequence}")
        self._check_replacement(ledger, face)
        is_witnessed = self._is_witnessed(ledger, vehicle)
        check_alone(ledger, self.vin, self.target, record, self._new_metres(ledger), is_witnessed=is_witnessed)

    def _check_car(self, ledger: Ledger) -> None:
        if (self.belongs_to is not None) != (self.reason == "wrong_vehicle") or self.belongs_to == self.vin:
            ledger.unmet(AMEND_REASON, self.vin, self.reason)
        if self.belongs_to is not None and ledger.get(VEHICLE, self.belongs_to) is None:
            ledger.unmet(VEHICLE_UNKNOWN, self.belongs_to)

    def _check_replacement(self, ledger: Ledger, face: Face) -> None:
        if self.replaced_by is None:
            return
        vin = self.belongs_to or self.vin
        found = find_record(ledger, vin, self.replaced_by)
        if found is None:
            return
        other, status = face_of(found), record_status(ledger, vin, self.replaced_by.sequence)
        is_other = (vin, other.sequence) != (self.vin, face.sequence)
        counts = not status.is_superseded and status.outcome != "annulled"
        if not is_other or not counts or (other.kind, other.author) != (face.kind, face.author):
            ledger.unmet(REPLACEMENT_UNFIT, f"{vin}/{other.sequence}", other.kind, face.kind)

    def _new_metres(self, ledger: Ledger) -> int:
        """The distance by the reading on this car that takes the old one's place, -1 for none."""
        leaf = ledger.get(ODOMETER, self.vin)
        if self.replaced_by is None or self.belongs_to is not None or leaf is None:
            return -1
        return distance_told(leaf, self.replaced_by.sequence)

    def _is_witnessed(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether an inspector signs that is related to neither the author nor the holder; notes one that is."""
        witness = self.witness
        if witness is None:
            return False
        check_witness(ledger, witness, self.vin, ledger.sender, vehicle.holder)
        return True

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.the(VEHICLE, self.vin)
        raw = ledger.record(self.vin, self.target.sequence)
        assert raw is not None, "guarded"
        face = face_of(stored_record(raw))
        replacement = self.replaced_by if self.belongs_to is None else None
        vehicle, is_material = retract(ledger, self.vin, vehicle, face, self._new_metres(ledger), replacement)
        put_record_status(
            ledger, self.vin, self.target.sequence, superseded_by=self.replaced_by, belongs_to=self.belongs_to
        )  # fmt: skip
        if self.replaced_by is not None:
            put_record_status(ledger, self.belongs_to or self.vin, self.replaced_by.sequence, is_replacement=True)
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms, is_material=is_material)
