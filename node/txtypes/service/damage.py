"""`accident.report` records an accident and its damage, and joins it to the incident that it is part of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.example import Example
from node.ledger.fields import CostBand, DamageCause, Hash32, Vin, Zone
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.rules.damage import DAMAGE_CLASSES, DamageClass
from node.rules.outcomes import INCIDENT_JOINED, SELF_REPORTED
from node.txtypes.identity.quota import check_acts, count_act
from node.txtypes.members.member import has_role, is_fraudulent
from node.txtypes.vehicle.alerts import told_late
from node.txtypes.vehicle.brands import records_of
from node.txtypes.vehicle.incidents import REPORTS_MAX, Reporter, Told, find_incident, reports_of, with_report
from node.txtypes.vehicle.life import LIFE, NO_LIFE, with_incident
from node.txtypes.vehicle.odometer import Standing
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.report import REPORTS_ON_VEHICLE, Author, Report
from node.txtypes.vehicle.tellers import with_told
from node.txtypes.vehicle.vehicle import Vehicle

REPORTERS: Final = ("workshop", "insurer", "police")
HV_ZONE: Final = "hv_battery"
THEFT: Final = "theft"
DAMAGE_ALONE: Final = "damage.alone"
"""The acts of reporting an accident or a total loss without the holder's signature."""

DAMAGE_IMPOSSIBLE = Guard("damage_impossible", "this zone cannot be damaged in this way on this car",
                          "dieser Bereich kann an diesem Fahrzeug nicht so beschädigt werden",
                          "该车的此部位不可能有这种损伤")  # fmt: skip


class Damage(Value, frozen=True):
    """The damage to one zone of a car."""

    zone: Zone
    extent: DamageClass


class AccidentReport(Report, tag="accident.report", frozen=True):
    """Report an accident and its damage, as a workshop, an insurer, the police or the car's holder. The severity is
    computed, never declared. All reports of one accident are one incident: they are within 72 h of each other, and have
    a zone in common or are of the same case. The incident has the severity of the worst report and counts once. Brands
    that follow from cause and damage are pending for 30 days. They are confirmed at once if the police reports, if the
    holder signs, or if an author unrelated to the first reports them for the same incident. `case`: commitment to the
    author's file, or none."""

    vin: Vin
    cause: DamageCause
    damages: Annotated[tuple[Damage, ...], Meta(min_length=1, max_length=20)]
    airbags: Annotated[int, Meta(ge=0, le=20)]
    hv_battery_hit: bool
    drivable: bool
    cost_band: CostBand
    case: Hash32 | None
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("damages", by="zone"),)
    weight: ClassVar[int] = 195
    by: ClassVar[Author] = Author(*REPORTERS, is_holder_allowed=True)
    headline: ClassVar[tuple[str, ...]] = ("cause", "damages", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "cause": "collision", "damages": [{"zone": "front", "extent": "bolt_on"}],
        "airbags": 0, "hv_battery_hit": False, "drivable": True, "cost_band": "1000_to_2999", "case": None,
        "odometer": {"value": 12_500, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if vehicle is None:
            return
        tables = ledger.rules.tables
        for damage in self.damages:
            possible = tables.damage_zone_classes.get(damage.zone, DAMAGE_CLASSES)  # an unknown zone is `code_unknown`
            if damage.extent not in possible:
                ledger.unmet(DAMAGE_IMPOSSIBLE, damage.zone, damage.extent, " or ".join(possible))
        if vehicle.powertrain in tables.damage_no_hv_powertrains and self._is_hv_touched():
            ledger.unmet(DAMAGE_IMPOSSIBLE, HV_ZONE, vehicle.powertrain, "a car with a high-voltage battery")
        self._check_reports(ledger, vehicle)

    def _check_reports(self, ledger: Ledger, vehicle: Vehicle) -> None:
        """Notes too many reports of this author on the car, or on all cars today, so that a rival cannot mark cars at
        will."""
        if not self._is_alone(ledger, vehicle):
            return
        check_acts(ledger, DAMAGE_ALONE, limits.DAMAGE_ALONE_PER_DAY_MAX)
        written = reports_of((ledger.get(LIFE, self.vin) or NO_LIFE).incidents, ledger.sender, ledger.now_ms)
        if written >= REPORTS_MAX:
            ledger.unmet(REPORTS_ON_VEHICLE, self.vin, written, f"at most {REPORTS_MAX} of damage in 365 days")

    def _is_alone(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether nobody else signs. The police, whose report alone binds, is not limited."""
        is_held = self.holder_signs or vehicle.holder == ledger.sender
        return not is_held and not has_role(ledger, ledger.sender, "police")

    def standing(self, ledger: Ledger, vehicle: Vehicle) -> Standing:
        """The standing of the reading: the holder's own report, also of a holder with a role, is self-reported and does
        not count."""
        return "declared" if self._is_self_reported(ledger) else super().standing(ledger, vehicle)

    def _is_self_reported(self, ledger: Ledger) -> bool:
        return not has_role(ledger, ledger.sender, *REPORTERS)

    def _is_hv_touched(self) -> bool:
        return self.hv_battery_hit or any(damage.zone == HV_ZONE for damage in self.damages)

    def _is_hv_hit(self) -> bool:
        return self.hv_battery_hit or any(d.zone == HV_ZONE and d.extent == "structural" for d in self.damages)

    def _brands(self, ledger: Ledger) -> Iterator[str]:
        """The brands that the report leaves, at most four."""
        if self.cause == THEFT:
            if has_role(ledger, ledger.sender, "insurer", "police"):
                yield "theft_recovered"
        elif brand := ledger.rules.tables.damage_causes[self.cause]:
            yield brand
        if any(damage.extent == "structural" and damage.zone != HV_ZONE for damage in self.damages):
            yield "collision_structural"
        if self._is_hv_hit():
            yield "hv_battery_hit"
        if self.airbags:
            yield "airbag_deployed"

    def _severity(self, ledger: Ledger) -> str:
        worst = max((damage.extent for damage in self.damages), key=DAMAGE_CLASSES.index)
        return ledger.rules.severity(worst, len(self.damages), self.airbags, self._is_hv_hit(), self.drivable)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        if self._is_alone(ledger, vehicle):
            count_act(ledger, DAMAGE_ALONE)
        life, codes = ledger.get(LIFE, self.vin) or NO_LIFE, tuple(self._brands(ledger))
        zones, case = tuple(damage.zone for damage in self.damages), self.case or b""
        incident = find_incident(life.incidents, self.event_at_ms, zones, case)
        witnesses = self._witnesses(ledger, incident.counted if incident is not None else ())
        is_firm = self.is_acknowledged(ledger, vehicle) or has_role(ledger, ledger.sender, "police")
        sequence, severity = vehicle.record_count, self._severity(ledger)
        told = Told(
            self.event_at_ms, sequence, case, zones, severity, ledger.sender, ledger.now_ms, is_firm,
            is_firm or bool(witnesses),
        )  # fmt: skip
        ledger.put(LIFE, self.vin, with_incident(life, incident, with_report(incident, told), ledger.now_ms))
        brands = vehicle.brands
        seconded = {witness.sequence for witness in witnesses}
        for code in codes:
            is_confirmed = is_firm or not seconded.isdisjoint(records_of(brands, code))
            brands = with_told(ledger, self.vin, brands, code, sequence, is_confirmed=is_confirmed)
        outcome = [f"severity:{severity}"]
        if self._is_self_reported(ledger):
            outcome.append(SELF_REPORTED)
        if incident is not None:
            outcome.append(INCIDENT_JOINED)
        damaged = replace(vehicle, brands=brands, accident_count=vehicle.accident_count + (incident is None))
        return told_late(ledger, self.vin, Effect(damaged, tuple(outcome), is_material=True), self.event_at_ms)

    def _witnesses(self, ledger: Ledger, reporters: tuple[Reporter, ...]) -> tuple[Reporter, ...]:
        """The reporters of the incident that are not related to the author. Their brands are confirmed too."""
        return tuple(
            reporter for reporter in reporters
            if not related(ledger, reporter.author, ledger.sender, self.vin, self.event_at_ms)
            and not is_fraudulent(ledger, reporter.author, reporter.at_ms)
        )  # fmt: skip
