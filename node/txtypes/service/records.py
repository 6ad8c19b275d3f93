"""`maintenance.record` and `accident.report`: service that a workshop has carried out, and damage."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.example import Example
from node.ledger.fields import Attachments, Code, CostBand, Odometer, OptionalTime, Serial, Service, Time, Vin, Zone
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.rules.damage import DAMAGE_CLASSES, DamageClass
from node.rules.outcomes import SELF_REPORTED
from node.txtypes.members.member import Roles, has_role, require_role
from node.txtypes.vehicle.odometer import verdict_outcome
from node.txtypes.vehicle.record import VehicleRecord
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

REPORTERS: Final = ("workshop", "insurer", "police")


class Part(Value, frozen=True):
    """A part that was fitted."""

    number: Code
    quantity: Annotated[int, Meta(ge=1, le=999)]
    is_original: bool
    serial: Serial | None


class Due(Value, frozen=True):
    """When the next service is due: a distance in the vehicle's unit, a time, or both; 0 is none."""

    odometer: Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]
    at_ms: OptionalTime


class MaintenanceRecord(VehicleRecord, tag="maintenance.record", frozen=True):
    """Service that a workshop has carried out."""

    vin: Vin
    services: Annotated[tuple[Service, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    parts: Annotated[tuple[Part, ...], Meta(max_length=limits.LIST_MAX)]
    odometer: Odometer
    event_at_ms: Time
    next_due: Due
    attachments: Attachments
    weight: ClassVar[int] = 120
    by: ClassVar[Roles] = Roles("workshop")
    headline: ClassVar[tuple[str, ...]] = ("services", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "services": ["ENGINE_OIL"],
        "parts": [{"number": "11428575211", "quantity": 1, "is_original": True, "serial": None}],
        "odometer": {"value": 12_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "next_due": {"odometer": 30_000, "at": "+730d"}, "attachments": [],
    })  # fmt: skip

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        return replace(vehicle, maintenance_count=vehicle.maintenance_count + 1), (verdict_outcome(vehicle),)


class HolderOrReporter:
    """The sender holds the title or has a role that reports accidents."""

    text = f"the holder of the title, or {' or '.join(REPORTERS)}"

    def check(self, ledger: Ledger, body: Any) -> None:
        vehicle = ledger.get(VEHICLE, body.vin)
        if vehicle is None or vehicle.holder != ledger.sender:
            require_role(ledger, ledger.sender, *REPORTERS)


class Damage(Value, frozen=True):
    """Where a car was damaged, and how badly."""

    zone: Zone
    extent: DamageClass


class AccidentReport(VehicleRecord, tag="accident.report", frozen=True):
    """An accident and its damage. Severity is computed, never declared; structural damage leaves a lasting brand."""

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
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("damages", by="zone"),)
    weight: ClassVar[int] = 120
    by: ClassVar[HolderOrReporter] = HolderOrReporter()
    headline: ClassVar[tuple[str, ...]] = ("damages", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "damages": [{"zone": "front", "extent": "bolt_on"}], "airbags": 0,
        "hv_battery_hit": False, "drivable": True, "cost_band": "1000_to_2999",
        "odometer": {"value": 12_500, "unit": "km", "source": "cluster"}, "event_at": "now",
        "case_reference": "CASE-2026-1", "attachments": [],
    })  # fmt: skip

    def is_declared(self, ledger: Ledger) -> bool:
        return not has_role(ledger, ledger.sender, *REPORTERS)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        brands = set(vehicle.brands)
        if any(d.extent == "structural" for d in self.damages):
            brands.add("structural_damage")
        if self.hv_battery_hit:
            brands.add("hv_battery_hit")
        worst, zones = max((d.extent for d in self.damages), key=DAMAGE_CLASSES.index), len(self.damages)
        severity = ledger.rules.severity(worst, zones, self.airbags, self.hv_battery_hit, self.drivable)
        accidents, changes = vehicle.accident_count + 1, vehicle.material_changes + 1
        damaged = replace(vehicle, brands=tuple(sorted(brands)), accident_count=accidents, material_changes=changes)
        outcome = (f"severity:{severity}", verdict_outcome(vehicle))
        return damaged, (*outcome, SELF_REPORTED) if self.is_declared(ledger) else outcome
