"""`vehicle.rebuild` returns a total loss to the road."""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import Address, RecordName, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.disputes.dispute import is_struck
from node.txtypes.members.conduct import require_cosigner
from node.txtypes.members.mandate import MANDATE_MISSING
from node.txtypes.members.member import is_fraudulent
from node.txtypes.service.findings import FAILED, with_clearance
from node.txtypes.service.inspection import InspectionRecord
from node.txtypes.vehicle.brands import has_brand, with_brand
from node.txtypes.vehicle.conditions import check_flags
from node.txtypes.vehicle.guards import check_act_time
from node.txtypes.vehicle.life import LIFE, NO_LIFE, unproven_at
from node.txtypes.vehicle.record import Effect, StoredRecord, body_of, face_of, find_record
from node.txtypes.vehicle.regions import Registration
from node.txtypes.vehicle.relation import INSPECTION_UNFIT, NOT_INDEPENDENT, is_independent
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, existence_now, vehicle_at

CHECKLIST: Final = "REBUILD"
INSPECTED_MS: Final = 30 * DAY_MS
"""The greatest age of the inspection of a rebuilt car."""

NOT_A_TOTAL_LOSS = Guard("not_a_total_loss", "the car is no total loss", "das Fahrzeug ist kein Totalschaden",
                         "车辆不是全损车")  # fmt: skip
BRAND_FINAL = Guard("brand_final", "a car with this brand never returns to the road",
                    "ein Fahrzeug mit diesem Vermerk kehrt nie auf die Straße zurück",
                    "带有此标记的车辆不得再上路")  # fmt: skip
PARTS_UNPROVEN = Guard("parts_unproven", "airbags or load-bearing parts were replaced, and no record names the parts",
                      "Airbags oder tragende Teile wurden ersetzt, und kein Eintrag nennt die Teile",
                      "更换了气囊或承载件，但没有记录注明零件")  # fmt: skip


def _is_owed(ledger: Ledger, vehicle: Vehicle) -> bool:
    """Whether a rebuilt car must be inspected again: the rebuild was annulled, or its inspector was revoked for
    fraud."""
    is_open = any(duty.code == "rebuild" for duty in vehicle.duties)
    return is_open or any(
        clearance.what == "rebuild" and is_fraudulent(ledger, clearance.author, clearance.at_ms)
        for clearance in vehicle.clearances
    )  # fmt: skip


def _country_of(registration: Registration) -> str:
    """Whose registrar signs: of the country that has the car, or to which it was exported; empty for any."""
    is_away = registration.status in ("export_pending", "exported")
    return registration.to_country if is_away else registration.country


class Rebuild(Report, tag="vehicle.rebuild", frozen=True):
    """A total loss returns to the road: the inspector who has passed it, a registrar of the country that has it
    registered or to which it was exported, and the holder sign. `inspection`: its inspection by the checklist
    `REBUILD`. The brands of the loss stay, and `rebuilt` joins them; a car of the categories A and B never comes
    back."""

    vin: Vin
    inspection: RecordName
    registrar: Address
    weight: ClassVar[int] = 280
    by: ClassVar[Author] = Author("inspector")
    headline: ClassVar[tuple[str, ...]] = ("odometer",)
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "inspection": {"sequence": 7, "digest": "$inspection"}, "registrar": "registrar-1",
        "odometer": {"value": 13_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "INS-1", "vin_source": "obd", "model_seen": "330I"}, "holder_signs": True,
    }, ("registrar-1", "buyer-1"))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """The registrar and the holder itself. An agent with the right to present a car cannot decide what it is."""
        vehicle = ledger.get(VEHICLE, self.vin)
        return (self.registrar, vehicle.holder) if vehicle is not None else (self.registrar,)

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        return True

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if self.mandate is not None:
            ledger.unmet(MANDATE_MISSING, self.mandate.hex(), need="the holder's own signature")
        country = _country_of(vehicle_at(vehicle, ledger.now_ms).registration) if vehicle is not None else ""
        require_cosigner(ledger, self.registrar, "registrar", country)
        if vehicle is None:
            return
        check_act_time(ledger, self.vin, self.event_at_ms)
        check_flags(ledger, self.vin, vehicle, "rebuild")
        existence = existence_now(vehicle, ledger.now_ms)
        if existence != "total_loss" and not _is_owed(ledger, vehicle):
            ledger.unmet(NOT_A_TOTAL_LOSS, self.vin, existence, "total_loss")
        for code, rule in ledger.rules.tables.brands.items():
            if rule.is_final and has_brand(vehicle.brands, code, ledger.now_ms):
                ledger.unmet(BRAND_FINAL, self.vin, code)
        if not is_independent(ledger, self.vin, vehicle, ledger.sender, self.event_at_ms, ledger.now_ms):
            ledger.unmet(NOT_INDEPENDENT, to_text(ledger.sender))
        unproven = unproven_at(ledger.get(LIFE, self.vin) or NO_LIFE, ledger.now_ms)
        if unproven:
            ledger.unmet(PARTS_UNPROVEN, self.vin, ", ".join(unproven))
        self._check_inspection(ledger, vehicle)

    def _check_inspection(self, ledger: Ledger, vehicle: Vehicle) -> None:
        record = find_record(ledger, self.vin, self.inspection)
        if record is not None and not self._is_fit(ledger, vehicle, record):
            ledger.unmet(INSPECTION_UNFIT, f"{self.vin}/{self.inspection.sequence}")

    def _is_fit(self, ledger: Ledger, vehicle: Vehicle, record: StoredRecord) -> bool:
        face = face_of(record)
        if face.kind != "inspection.record" or is_struck(ledger, self.vin, face.sequence):
            return False
        body, loss = body_of(record, InspectionRecord), vehicle.loss
        is_after_loss = loss is None or (face.sequence > loss.sequence and face.event_at_ms >= loss.since_ms)
        is_after_repair = all(face.sequence > duty.sequence for duty in vehicle.duties)
        return (
            body.checklist == CHECKLIST and body.result not in FAILED and face.author == ledger.sender
            and is_after_loss and is_after_repair and ledger.now_ms <= face.event_at_ms + INSPECTED_MS
            and not is_fraudulent(ledger, face.author, face.event_at_ms, face.time_ms)
        )  # fmt: skip

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        now_ms, sequence = ledger.now_ms, vehicle.record_count
        brands = with_brand(vehicle.brands, "rebuilt", now_ms, sequence, is_confirmed=True)
        rebuilt = replace(vehicle, existence="rebuilt", loss=None, brands=brands, duties=())
        return Effect(with_clearance(ledger, rebuilt, "rebuild", [vehicle.loss, *vehicle.duties]), is_material=True)
