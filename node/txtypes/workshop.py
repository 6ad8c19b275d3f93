"""What happens to a car in use: maintenance and accidents."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.errors import Malformed
from node.rules.damage import DAMAGE_CLASSES, ZONES, CostBand, DamageClass, severity
from node.rules.services import SERVICE_CODES
from node.txtypes.body import Body
from node.txtypes.fields import Attachment, Code, Odometer, Serial, Time, Value, Vin
from node.txtypes.ledger import Ledger
from node.txtypes.members import has_role, require_role
from node.txtypes.odometer import add_reading, check_reading
from node.txtypes.vehicle import VEHICLE, append_record, check_event_time, require_vehicle

Attachments = Annotated[tuple[Attachment, ...], Meta(max_length=16)]


class Part(Value, frozen=True):
    number: Code
    quantity: Annotated[int, Meta(ge=1, le=999)]
    is_original: bool
    serial: Serial | None


class Due(Value, frozen=True):
    """When the next service falls due: a distance in the vehicle's unit, a time, or both; 0 is none."""

    odometer: Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]
    at_ms: Time


class MaintenanceRecord(Body, tag="maintenance.record", frozen=True):
    """Service carried out by a workshop."""

    vin: Vin
    services: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    parts: Annotated[tuple[Part, ...], Meta(max_length=limits.LIST_MAX)]
    odometer: Odometer
    event_at_ms: Time
    next_due: Due
    attachments: Attachments
    weight: ClassVar[int] = 120

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        require_role(ledger, ledger.sender, "workshop")
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        check_reading(ledger, self.vin, vehicle, self.odometer)
        for service in self.services:
            if service not in SERVICE_CODES:
                ledger.unmet("service_unknown", self.vin, service)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        assert vehicle is not None, "guarded"
        vehicle = add_reading(ledger, self.vin, vehicle, self.odometer, self.event_at_ms)
        vehicle = replace(vehicle, maintenance_count=vehicle.maintenance_count + 1)
        outcome = (f"verdict:{vehicle.verdict}",)
        ledger.put(VEHICLE, self.vin, append_record(ledger, self.vin, vehicle, self, self.event_at_ms, outcome))

    def subjects(self) -> tuple[str, ...]:
        return (f"vehicle/{self.vin}",)


class Damage(Value, frozen=True):
    zone: Annotated[str, Meta(pattern=r"^[a-z_]{1,30}\Z")]
    extent: DamageClass


class AccidentReport(Body, tag="accident.report", frozen=True):
    """An accident: what was hit. Severity is computed, never declared; structural damage leaves a sticky brand."""

    vin: Vin
    damages: Annotated[tuple[Damage, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    airbags: Annotated[int, Meta(ge=0, le=20)]
    hv_battery_hit: bool
    drivable: bool
    cost_band: CostBand
    odometer: Odometer
    event_at_ms: Time
    case_reference: Serial | None
    attachments: Attachments
    weight: ClassVar[int] = 120

    def check_static(self) -> None:
        if len({d.zone for d in self.damages}) != len(self.damages):
            raise Malformed("damages: the same zone stands twice")

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        is_owner = vehicle is not None and vehicle.holder == ledger.sender
        if not is_owner:
            require_role(ledger, ledger.sender, "workshop", "insurer", "police")
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        check_reading(ledger, self.vin, vehicle, self.odometer)
        for damage in self.damages:
            if damage.zone not in ZONES:
                ledger.unmet("zone_unknown", self.vin, damage.zone)

    def _severity(self) -> str:
        worst = max((d.extent for d in self.damages), key=DAMAGE_CLASSES.index)
        return severity(worst, len(self.damages), self.airbags, self.hv_battery_hit, self.drivable)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        assert vehicle is not None, "guarded"
        declared = not has_role(ledger, ledger.sender, "workshop", "insurer", "police")
        vehicle = add_reading(ledger, self.vin, vehicle, self.odometer, self.event_at_ms, declared)
        brands = set(vehicle.brands)
        if any(d.extent == "structural" for d in self.damages):
            brands.add("structural_damage")
        if self.hv_battery_hit:
            brands.add("hv_battery_hit")
        vehicle = replace(
            vehicle,
            brands=tuple(sorted(brands)),
            accident_count=vehicle.accident_count + 1,
            material_changes=vehicle.material_changes + 1,
        )
        outcome: tuple[str, ...] = (f"severity:{self._severity()}", f"verdict:{vehicle.verdict}")
        if declared:
            outcome = (*outcome, "self_reported")
        ledger.put(VEHICLE, self.vin, append_record(ledger, self.vin, vehicle, self, self.event_at_ms, outcome))

    def subjects(self) -> tuple[str, ...]:
        return (f"vehicle/{self.vin}",)
