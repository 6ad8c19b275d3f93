"""`accident.report`: an accident and its damage."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.example import Example
from node.ledger.fields import CostBand, Hash32, Vin, Zone
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.rules.damage import DAMAGE_CLASSES, DamageClass
from node.rules.outcomes import SELF_REPORTED
from node.txtypes.members.member import has_role
from node.txtypes.vehicle.odometer import Standing
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.regions import with_brand
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import Vehicle

REPORTERS: Final = ("workshop", "insurer", "police")


class Damage(Value, frozen=True):
    """Where a car was damaged, and how badly."""

    zone: Zone
    extent: DamageClass


class AccidentReport(Report, tag="accident.report", frozen=True):
    """An accident and its damage. Severity is computed, never declared; structural damage leaves a lasting brand.
    `case`: commitment to the author's file, or none."""

    vin: Vin
    damages: Annotated[tuple[Damage, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    airbags: Annotated[int, Meta(ge=0, le=20)]
    hv_battery_hit: bool
    drivable: bool
    cost_band: CostBand
    case: Hash32 | None
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("damages", by="zone"),)
    weight: ClassVar[int] = 120
    by: ClassVar[Author] = Author(*REPORTERS, is_holder_allowed=True)
    headline: ClassVar[tuple[str, ...]] = ("damages", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "damages": [{"zone": "front", "extent": "bolt_on"}], "airbags": 0,
        "hv_battery_hit": False, "drivable": True, "cost_band": "1000_to_2999", "case": None,
        "odometer": {"value": 12_500, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def standing(self, ledger: Ledger, vehicle: Vehicle) -> Standing:
        """The holder's own report, also of one who has a role, is self-reported: its reading does not count."""
        return "declared" if self._is_self_reported(ledger) else super().standing(ledger, vehicle)

    def _is_self_reported(self, ledger: Ledger) -> bool:
        return not has_role(ledger, ledger.sender, *REPORTERS)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        brands, sequence = vehicle.brands, vehicle.record_count
        is_confirmed = self.is_acknowledged(ledger, vehicle) or has_role(ledger, ledger.sender, "police")
        if any(d.extent == "structural" for d in self.damages):
            brands = with_brand(brands, "collision_structural", ledger.now_ms, sequence, is_confirmed=is_confirmed)
        if self.hv_battery_hit:
            brands = with_brand(brands, "hv_battery_hit", ledger.now_ms, sequence, is_confirmed=is_confirmed)
        worst, zones = max((d.extent for d in self.damages), key=DAMAGE_CLASSES.index), len(self.damages)
        severity = ledger.rules.severity(worst, zones, self.airbags, self.hv_battery_hit, self.drivable)
        outcome = (f"severity:{severity}", *((SELF_REPORTED,) if self._is_self_reported(ledger) else ()))
        damaged = replace(vehicle, brands=brands, accident_count=vehicle.accident_count + 1)
        return Effect(damaged, outcome, is_material=True)
