"""`vehicle.rebuild`: a total loss returns to the road."""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import Address, RecordName, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.members.mandate import MANDATE_MISSING
from node.txtypes.members.member import is_fraudulent, require_role
from node.txtypes.vehicle.conditions import check_flags
from node.txtypes.vehicle.guards import check_act_time
from node.txtypes.vehicle.life import LIFE, NO_LIFE
from node.txtypes.vehicle.record import Effect, body_of, find_record
from node.txtypes.vehicle.regions import Clearance, has_brand, with_brand
from node.txtypes.vehicle.relation import NOT_INDEPENDENT, is_independent
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, existence_now

CHECKLIST: Final = "REBUILD"
PASSED: Final = ("pass", "minor")
INSPECTED_MS: Final = 30 * DAY_MS
"""How old the inspection of a rebuilt car may be."""

NOT_A_TOTAL_LOSS = Guard("not_a_total_loss", "the car is no total loss", "das Fahrzeug ist kein Totalschaden",
                         "车辆不是全损车")  # fmt: skip
BRAND_FINAL = Guard("brand_final", "a car with this brand never returns to the road",
                    "ein Fahrzeug mit diesem Vermerk kehrt nie auf die Straße zurück",
                    "带有此标记的车辆不得再上路")  # fmt: skip
INSPECTION_UNFIT = Guard(
    "inspection_unfit",
    "the record is no inspection by checklist REBUILD that this inspector has passed, newer than the total loss and "
    "the repair, the car's last one, and at most 30 days old",
    "der Eintrag ist keine bestandene Prüfung nach Liste REBUILD durch diesen Prüfer, die jünger ist als Totalschaden "
    "und Reparatur, die letzte des Fahrzeugs und höchstens 30 Tage alt",
    "该记录不是此检验员在全损及维修之后、30 天内对重建车辆作出的最近一次合格检验",
)
PARTS_MISSING = Guard("parts_unproven", "airbags or load-bearing parts were replaced, and no record names the parts",
                      "Airbags oder tragende Teile wurden ersetzt, und kein Eintrag nennt die Teile",
                      "更换了气囊或承载件，但没有记录注明零件")  # fmt: skip


class Rebuild(Report, tag="vehicle.rebuild", frozen=True):
    """A total loss returns to the road: the inspector who has passed it, a registrar of the country that has it
    registered, and the holder sign. `inspection`: its inspection by the checklist `REBUILD`. The brands of the loss
    stay, and `rebuilt` joins them; a car of the categories A and B never comes back."""

    vin: Vin
    inspection: RecordName
    registrar: Address
    weight: ClassVar[int] = 150
    by: ClassVar[Author] = Author("inspector")
    headline: ClassVar[tuple[str, ...]] = ("odometer",)
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "inspection": {"sequence": 2, "digest": "$inspection"}, "registrar": "registrar-1",
        "odometer": {"value": 13_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "INS-1", "vin_source": "obd", "model_seen": "330I"}, "holder_signs": True,
    }, ("registrar-1", "buyer-1"))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """The holder itself: an agent that may present a car does not decide what it is."""
        vehicle = ledger.get(VEHICLE, self.vin)
        return (self.registrar, vehicle.holder) if vehicle is not None else (self.registrar,)

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        return True

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if self.mandate is not None:
            ledger.unmet(MANDATE_MISSING, self.mandate.hex(), need="the holder's own signature")
        country = vehicle.registration.country if vehicle is not None else ""
        require_role(ledger, self.registrar, "registrar", country=country)
        if vehicle is None:
            return
        check_act_time(ledger, self.vin, self.event_at_ms)
        check_flags(ledger, self.vin, vehicle, "rebuild")
        existence = existence_now(vehicle, ledger.now_ms)
        if existence != "total_loss":
            ledger.unmet(NOT_A_TOTAL_LOSS, self.vin, existence, "total_loss")
        for code, rule in ledger.rules.tables.brands.items():
            if rule.is_final and has_brand(vehicle.brands, code, ledger.now_ms):
                ledger.unmet(BRAND_FINAL, self.vin, code)
        if not is_independent(ledger, self.vin, vehicle, ledger.sender, self.event_at_ms, ledger.now_ms):
            ledger.unmet(NOT_INDEPENDENT, to_text(ledger.sender))
        unproven = (ledger.get(LIFE, self.vin) or NO_LIFE).unproven
        if unproven:
            ledger.unmet(PARTS_MISSING, self.vin, ", ".join(unproven))
        self._check_inspection(ledger, vehicle)

    def _check_inspection(self, ledger: Ledger, vehicle: Vehicle) -> None:
        record, last = find_record(ledger, self.vin, self.inspection), vehicle.inspection
        if record is None:
            return
        body, before = body_of(ledger, record), [duty.sequence for duty in vehicle.duties]
        before += [vehicle.loss.sequence] if vehicle.loss is not None else []
        is_fit = (
            getattr(body, "checklist", "") == CHECKLIST
            and last is not None and last.sequence == self.inspection.sequence and last.result in PASSED
            and last.inspector == ledger.sender and last.sequence > max(before, default=-1)
            and ledger.now_ms <= last.at_ms + INSPECTED_MS and not is_fraudulent(ledger, last.inspector, last.at_ms)
        )  # fmt: skip
        if not is_fit:
            ledger.unmet(INSPECTION_UNFIT, f"{self.vin}/{self.inspection.sequence}")

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        now_ms, sequence = ledger.now_ms, vehicle.record_count
        brands = with_brand(vehicle.brands, "rebuilt", now_ms, sequence, is_confirmed=True)
        others = (clearance for clearance in vehicle.clearances if clearance.what != "rebuild")
        clearances = (*others, Clearance("rebuild", ledger.sender, sequence, now_ms))
        rebuilt = replace(
            vehicle, existence="rebuilt", loss=None, brands=brands, duties=(), clearances=clearances
        )  # fmt: skip
        return Effect(rebuilt, is_material=True)
