"""`recall.done`: a workshop or the manufacturer has carried out a recall on a car."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.ledger.body import type_of
from node.ledger.example import Example
from node.ledger.fields import Address, RecordName, Vin
from node.ledger.overlay import Ledger
from node.txtypes.disputes.dispute import is_struck, record_status
from node.txtypes.members.member import ROLE_SCOPE, has_role
from node.txtypes.service.recall import (
    CAMPAIGN_UNKNOWN,
    RECALL,
    RECALL_ABSENT,
    RECALL_PRESENT,
    REMEDY_EVIDENCE,
    REMEDY_NOT_READY,
    Campaign,
    Recall,
    open_recall,
    recall_ident,
    reopened,
    without_recall,
)
from node.txtypes.service.records import Part
from node.txtypes.vehicle.guards import check_act_time
from node.txtypes.vehicle.record import Effect, OwnEffect, body_of, face_of, find_record
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import Vehicle


class RecallDone(Report, tag="recall.done", frozen=True):
    """Record that a recall was carried out on a car since the campaign named it, by a workshop, or by the manufacturer
    over the air; only the manufacturer reports that it has bought the car back. `parts`: the parts that were fitted;
    `software`: the record of its update. `corrects`: the author's own record of the same campaign, which this one
    replaces with a `record.amend` that follows; it is accepted while the recall is not open, and opens none when it is
    struck unless that amendment has put it in the other's place. A manufacturer that doubts a record names the car
    again."""

    vin: Vin
    manufacturer: Address
    campaign: Campaign
    parts: Annotated[tuple[Part, ...], Meta(max_length=16)]
    software: RecordName | None
    corrects: RecordName | None = None
    weight: ClassVar[int] = 120
    by: ClassVar[Author] = Author("workshop", "manufacturer")
    headline: ClassVar[tuple[str, ...]] = ("campaign", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "manufacturer": "bmw", "campaign": "0016560700",
        "parts": [{"number": "34336888459", "quantity": 1, "is_original": True, "serial": None}], "software": None,
        "odometer": {"value": 130, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        recall = ledger.get(RECALL, recall_ident(self.manufacturer, self.campaign))
        if recall is None:
            ledger.unmet(CAMPAIGN_UNKNOWN, self.campaign)
            return
        is_other = ledger.sender != self.manufacturer and has_role(ledger, ledger.sender, "manufacturer")
        if is_other and not has_role(ledger, ledger.sender, "workshop"):
            ledger.unmet(ROLE_SCOPE, to_text(ledger.sender), need=f"a workshop, or {to_text(self.manufacturer)}")
        if vehicle is None:
            return
        if recall.remedy == "buy_back" and ledger.sender != self.manufacturer:
            ledger.unmet(ROLE_SCOPE, to_text(ledger.sender), need=to_text(self.manufacturer))
        found = open_recall(vehicle, self.manufacturer, self.campaign)
        if found is not None:  # not a record of longer ago: that would close a recall of which nobody knew yet
            check_act_time(ledger, self.vin, self.event_at_ms, age_max_ms=ledger.now_ms, since_ms=found.since_ms)
            if self.corrects is not None:
                ledger.unmet(RECALL_PRESENT, self.vin, self.campaign, "no correction: the recall is open")
        elif not self._is_correction(ledger):
            ledger.unmet(RECALL_ABSENT, self.vin, need=self.campaign)
        if self.event_at_ms < _day_ms(recall.remedy_from_day):
            ledger.unmet(REMEDY_NOT_READY, self.campaign, need=f"from {recall.remedy_from_day} on")
        self._check_evidence(ledger, recall)

    def _is_correction(self, ledger: Ledger) -> bool:
        """Whether it stands for another record of the sender by which this recall is done, and which still counts."""
        record = find_record(ledger, self.vin, self.corrects) if self.corrects is not None else None
        if record is None or (face := face_of(record)).kind != type_of(self) or face.author != ledger.sender:
            return False
        other = body_of(record, RecallDone)
        is_same = (other.manufacturer, other.campaign) == (self.manufacturer, self.campaign)
        return is_same and other._has_closed(ledger, face.sequence) and not is_struck(ledger, self.vin, face.sequence)

    def _has_closed(self, ledger: Ledger, sequence: int) -> bool:
        """Whether the recall is done by this, the record `sequence`: a correction only has the place of the record that
        its author has amended for it."""
        if self.corrects is None:
            return True
        status = record_status(ledger, self.vin, self.corrects.sequence)
        successor = status.superseded_by if status.belongs_to is None else None
        return successor is not None and successor.sequence == sequence

    def _check_evidence(self, ledger: Ledger, recall: Recall) -> None:
        record = find_record(ledger, self.vin, self.software) if self.software is not None else None
        match recall.remedy:
            case "replace":
                numbers = {part.number for part in self.parts}
                is_met = bool(numbers & set(recall.part_numbers) if recall.part_numbers else numbers)
                need = " or ".join(recall.part_numbers) or "a part"
            case "software":
                is_update = record is not None and face_of(record).kind == "software.update"
                is_met, need = is_update and not self._is_software_struck(ledger), "a software.update that counts"
            case _:
                return
        if not is_met:
            ledger.unmet(REMEDY_EVIDENCE, self.campaign, need=need)

    def _is_software_struck(self, ledger: Ledger) -> bool:
        return self.software is not None and is_struck(ledger, self.vin, self.software.sequence)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ident = recall_ident(self.manufacturer, self.campaign)
        recall, found = ledger.the(RECALL, ident), open_recall(vehicle, self.manufacturer, self.campaign)
        if found is None:
            return Effect(vehicle)  # a correction
        ledger.put(RECALL, ident, replace(recall, cars=recall.cars - 1, done=recall.done + 1))
        return Effect(without_recall(ledger, vehicle, found))

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The recall is open again, unless it is not done by this record, the record in its place reports the same one,
        the car has ended or has no room for it, or another car has its VIN now."""
        ident = recall_ident(self.manufacturer, self.campaign)
        is_replaced = isinstance(by, RecallDone) and ident == recall_ident(by.manufacturer, by.campaign)
        if is_replaced or sequence < vehicle.first_sequence or not self._has_closed(ledger, sequence):
            return vehicle
        return reopened(ledger, vehicle, self.manufacturer, self.campaign, self.event_at_ms, closed="done")


def _day_ms(day: str) -> int:
    """The beginning of a day, UTC; of one before 1970, 0."""
    return max(0, (date.fromisoformat(day) - date(1970, 1, 1)).days * limits.DAY_MS)
