"""`repair.record` records a repair of damage, by zone and method. Whether it was structural is computed."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import RecordName, RepairMethod, Vin, Zone
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.rules.outcomes import PARTS_UNPROVEN, PROVISIONAL, STRUCTURAL
from node.rules.repair import RepairMethod as Method
from node.txtypes.members.member import has_role_at
from node.txtypes.service.damage import HV_ZONE
from node.txtypes.service.records import Part
from node.txtypes.vehicle.alerts import told_late
from node.txtypes.vehicle.brands import BRAND_CONFIRMED_MS, is_brand_change
from node.txtypes.vehicle.incidents import REPAIRS_MAX
from node.txtypes.vehicle.life import (
    LIFE,
    NO_LIFE,
    STRUCTURAL_ALONE_MAX,
    Life,
    structural_alone,
    with_proof,
    with_repairer,
    with_unproven,
)
from node.txtypes.vehicle.record import Effect, face_of, find_record, stored_record
from node.txtypes.vehicle.regions import with_duty
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.report import REPORTS_ON_VEHICLE, Author, Report
from node.txtypes.vehicle.tellers import with_told
from node.txtypes.vehicle.vehicle import Vehicle

INCIDENT_UNKNOWN = Guard("incident_unknown", "no incident of the car was first reported by this record",
                         "dieser Eintrag hat keinen Schaden des Fahrzeugs zuerst gemeldet",
                         "该记录不是车辆任何事故的首次报告")  # fmt: skip
METHOD_IMPOSSIBLE = Guard("method_impossible", "this zone of this car cannot be repaired by this method",
                          "dieser Bereich des Fahrzeugs ist so nicht zu reparieren",
                          "该车的此部位不能用此方法维修")  # fmt: skip
HV_NOT_ACCREDITED = Guard("hv_not_accredited", "the workshop is not accredited for high voltage",
                          "die Werkstatt ist nicht für Hochvolt akkreditiert", "维修厂没有高压资质",
                          is_permission=True)  # fmt: skip
STRUCTURAL_NOT_ACCREDITED = Guard("structural_not_accredited", "the workshop is not accredited for load-bearing parts",
                                  "die Werkstatt ist nicht für tragende Teile akkreditiert",
                                  "维修厂没有承载结构维修资质", is_permission=True)  # fmt: skip


class Operation(Value, frozen=True):
    """One step of a repair: a method that was used in a zone."""

    zone: Zone
    method: RepairMethod


class RepairRecord(Report, tag="repair.record", frozen=True):
    """Record a workshop's repair of damage. Zones and methods decide whether it was structural, never the author's
    word. After a structural repair the car has the brand `structural_repair` and needs an inspection that releases it.
    Both count at once if the holder signs, otherwise after 30 days: a workshop and its group report two structural ones
    of a car in 180 days so. The workshop cannot inspect the car for 180 days.
    `incident`: the first report of the accident, or none."""

    vin: Vin
    incident: RecordName | None
    operations: Annotated[tuple[Operation, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    parts: Annotated[tuple[Part, ...], Meta(max_length=limits.LIST_MAX)]
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("operations"),)
    weight: ClassVar[int] = 265
    by: ClassVar[Author] = Author("workshop")
    headline: ClassVar[tuple[str, ...]] = ("operations", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "incident": None,
        "operations": [{"zone": "front", "method": "replace_part"}, {"zone": "bonnet", "method": "refinish"}],
        "parts": [{"number": "51117379702", "quantity": 1, "is_original": True, "serial": None}],
        "odometer": {"value": 12_500, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if vehicle is None:
            return
        if self.incident is not None and find_record(ledger, self.vin, self.incident) is not None:
            incidents = (ledger.get(LIFE, self.vin) or NO_LIFE).incidents
            if not any(entry.sequence == self.incident.sequence and entry.state != "annulled" for entry in incidents):
                ledger.unmet(INCIDENT_UNKNOWN, f"{self.vin}/{self.incident.sequence}")
        tables = ledger.rules.tables
        has_hv = vehicle.powertrain not in tables.damage_no_hv_powertrains
        for operation in self.operations:
            method = tables.repair_methods.get(operation.method)  # an unknown one is `code_unknown`, as an unknown zone
            if method is None or operation.zone not in tables.zones:
                continue
            needs_hv = method.needs_hv or operation.zone == HV_ZONE
            if operation.zone not in method.zones or (needs_hv and not has_hv):
                ledger.unmet(METHOD_IMPOSSIBLE, operation.zone, operation.method)
        if any(method.needs_hv for method in self._methods(ledger)) and not self._is_capable(ledger, "hv"):
            ledger.unmet(HV_NOT_ACCREDITED, to_text(ledger.sender))
        if self._is_structural(ledger) and not self._is_capable(ledger, "structural"):
            ledger.unmet(STRUCTURAL_NOT_ACCREDITED, to_text(ledger.sender))
        self._check_alone(ledger, vehicle)

    def _check_alone(self, ledger: Ledger, vehicle: Vehicle) -> None:
        """Notes too many structural repairs of this author and its group on the car that no holder has signed: each is
        material, so that a rival could make offers stale at will."""
        if not self._is_structural(ledger) or self.is_acknowledged(ledger, vehicle):
            return
        life = ledger.get(LIFE, self.vin) or NO_LIFE
        group = [entry.author for entry in life.repairers if related(ledger, entry.author, ledger.sender)]
        written = len(structural_alone(life, group, ledger.now_ms))
        if written >= STRUCTURAL_ALONE_MAX:
            need = f"at most {STRUCTURAL_ALONE_MAX} structural repairs in 180 days"
            ledger.unmet(REPORTS_ON_VEHICLE, self.vin, written, need)

    def _methods(self, ledger: Ledger) -> list[Method]:
        known = ledger.rules.tables.repair_methods
        return [known[operation.method] for operation in self.operations if operation.method in known]

    def _is_structural(self, ledger: Ledger) -> bool:
        known = ledger.rules.tables.repair_methods
        return any(o.method in known and o.zone in known[o.method].structural_in for o in self.operations)

    def _is_capable(self, ledger: Ledger, capability: str) -> bool:
        times = (ledger.now_ms, self.event_at_ms)
        return all(has_role_at(ledger, ledger.sender, at_ms, "workshop", capability=capability) for at_ms in times)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        sequence, now_ms = vehicle.record_count, ledger.now_ms
        is_firm = self.is_acknowledged(ledger, vehicle)
        due_ms = now_ms if is_firm else now_ms + BRAND_CONFIRMED_MS
        unproven = {o.zone for o, m in zip(self.operations, self._methods(ledger), strict=True) if m.needs_part}
        ledger.put(LIFE, self.vin, self._noted(ledger, sequence, unproven, due_ms))
        outcome = [PARTS_UNPROVEN] if unproven and not self.parts else []
        if not self._is_structural(ledger):
            return Effect(vehicle, tuple(outcome))
        outcome += [STRUCTURAL] if is_firm else [STRUCTURAL, PROVISIONAL]
        brands = with_told(ledger, self.vin, vehicle.brands, "structural_repair", sequence, is_confirmed=is_firm)
        duties = with_duty(vehicle.duties, "structural_release", sequence, due_ms, now_ms)
        is_material = is_firm or not self._has_told(ledger, vehicle) or is_brand_change(vehicle.brands, brands, now_ms)
        effect = Effect(replace(vehicle, brands=brands, duties=duties), tuple(outcome), is_material=is_material)
        return told_late(ledger, self.vin, effect, self.event_at_ms)

    def _has_told(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the sender's own word of structural work waits for its release already: more of it is no news."""
        told = [ledger.record(self.vin, duty.sequence) for duty in vehicle.duties if duty.code == "structural_release"]
        return any(raw is not None and face_of(stored_record(raw)).author == ledger.sender for raw in told)

    def _noted(self, ledger: Ledger, sequence: int, replaced: set[str], due_ms: int) -> Life:
        """The working sets after the repair: its repairer, its incident, and the zones whose new parts no record names.
        A record that names parts proves its zones."""
        life = with_repairer(
            ledger.get(LIFE, self.vin) or NO_LIFE, ledger.sender, sequence, ledger.now_ms,
            is_structural_alone=due_ms > ledger.now_ms and self._is_structural(ledger),
        )  # fmt: skip
        if self.parts:
            life = with_proof(life, {operation.zone for operation in self.operations}, sequence)
        else:
            life = with_unproven(life, replaced, sequence, due_ms)
        named = self.incident.sequence if self.incident is not None else -1
        incidents = tuple(
            replace(entry, repairs=(*entry.repairs, sequence)[-REPAIRS_MAX:], released_by=0)
            if entry.sequence == named else entry
            for entry in life.incidents
        )  # fmt: skip
        return replace(life, incidents=incidents)
