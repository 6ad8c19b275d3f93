"""`inspection.record` records what an inspector found on a car, and what follows from it.

The result is the worst defect. A fail that nobody else witnesses is provisional. Only an independent inspector's pass
lifts anything.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import (
    Address,
    Checklist,
    Day,
    Hash32,
    InspectionItem,
    InspectionKind,
    RecordName,
    Vin,
)
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import CalendarDay, StaticRule, Unique
from node.limits import DAY_MS
from node.rules.checklists import Checklist as Rule
from node.rules.odometer import BACKFILLED_MS
from node.rules.outcomes import FINDINGS_DIFFER, NOT_CLEARED, UNPRESENTED, inspection_outcome
from node.txtypes.disputes.dispute import is_struck
from node.txtypes.identity.quota import check_acts, count_act
from node.txtypes.members.conduct import require_cosigner
from node.txtypes.members.mandate import MANDATE
from node.txtypes.members.member import MEMBER, active_member, site_of
from node.txtypes.service.findings import (
    FAILED,
    Defect,
    Finding,
    Result,
    fail_of,
    finding_of,
    gravest,
    is_as_distant,
    is_settled,
    retest_by,
    void_clearances,
    with_clearance,
)
from node.txtypes.service.instrument import rollover
from node.txtypes.vehicle.alerts import alerted
from node.txtypes.vehicle.life import LIFE, NO_LIFE, are_repairers_unknown, are_sellers_unknown
from node.txtypes.vehicle.readings import Segment
from node.txtypes.vehicle.record import RECORD_UNKNOWN, Effect, StoredRecord, face_of, find_record
from node.txtypes.vehicle.regions import Inspection, is_retest_overdue
from node.txtypes.vehicle.relation import NOT_INDEPENDENT, is_independent, is_repairer, related
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.stop_flags import (
    can_set_provisional,
    flag_of,
    is_flag_set,
    with_firm_flag,
    with_provisional_flag,
    without_flag,
)
from node.txtypes.vehicle.tellers import branded
from node.txtypes.vehicle.vehicle import Vehicle

OF_THE_ROAD: Final = ("periodic", "roadside", "retest")
"""Kinds of inspection that decide whether the car may be on the road, and until when."""
CLEARING: Final = ("structural_release", "rebuild", "import", "odometer")
"""Kinds of inspection that clear the car for an act. They need a presenter, since without one they would lift
nothing."""
VALID_MAX_MS: Final = 5 * 366 * DAY_MS
INSPECTIONS: Final = "inspection"

CHECKLIST_KIND = Guard("checklist_kind", "the checklist is not for inspections of this kind, or police presents a car "
                       "that was not stopped on the road", "die Prüfliste gilt nicht für diese Art der Prüfung, oder "
                       "die Polizei führt ein Fahrzeug vor, das sie nicht angehalten hat",
                       "该检查表不适用于此类检验，或警方送检的并非路检车辆")  # fmt: skip
CHECKLIST_PARTIAL = Guard("checklist_partial", "only a retest looks at a part, of its checklist or of what was found "
                          "before", "nur eine Nachprüfung sieht einen Teil an, ihrer Liste oder dessen, was zuvor "
                          "gefunden wurde", "只有复检可以只检查部分项目，且限于其检查表或此前查出的项目")  # fmt: skip
DEFECT_SEVERITY = Guard("defect_severity", "a defect of this item cannot be of this severity",
                        "ein Mangel dieses Punkts kann nicht so schwer sein",
                        "该项目的缺陷不可能是此严重程度")  # fmt: skip
PRESENTER_MISSING = Guard("presenter_missing", "an inspection of this kind needs the signature of the holder or its "
                          "agent, who presents the car",
                          "eine solche Prüfung braucht die Unterschrift des Halters oder seines Bevollmächtigten, "
                          "der das Fahrzeug vorführt",
                          "此类检验须有所有人或其代理人签名送检",
                          is_permission=True)  # fmt: skip


class InspectionRecord(Report, tag="inspection.record", frozen=True):
    """Record the inspection of a car, which its holder, an agent or, on the road, the police presents. The result is
    the worst defect. Without a presenter a fail is provisional and a pass lifts nothing. A pass lifts an `unroadworthy`
    flag, or as `structural_release` the duty, under three conditions: the inspectors are independent; they looked at
    what was wrong; and if another inspector found a danger, they name its `repair` or are two inspectors of two groups.
    A fail ends by its checklist or one that asks for as distant inspectors. `items`: those that a retest looked at, in
    time and after a fail that names what is wrong; none for the whole checklist. The day until which a pass is valid
    counts of a periodic inspection, and of the retest after it. `plate`: commitment to the number plate."""

    vin: Vin
    checklist: Checklist
    kind: InspectionKind
    defects: Annotated[tuple[Defect, ...], Meta(max_length=limits.LIST_MAX)]
    items: Annotated[tuple[InspectionItem, ...], Meta(max_length=limits.LIST_MAX)]
    valid_until_day: Day | None
    plate: Hash32 | None
    repair: RecordName | None
    second_inspector: Address | None
    police: Address | None
    static_rules: ClassVar[tuple[StaticRule, ...]] = (
        Unique("defects", by="item"), Unique("items"), CalendarDay("valid_until_day", "1970-01-01"),
    )  # fmt: skip
    weight: ClassVar[int] = 250
    by: ClassVar[Author] = Author("inspector")
    headline: ClassVar[tuple[str, ...]] = ("checklist", "kind", "defects", "odometer")
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "checklist": "DE-HU", "kind": "periodic",
        "defects": [{"item": "4.1.1", "severity": "minor"}], "items": [], "valid_until_day": "now+730d",
        "plate": None, "repair": None, "second_inspector": None, "police": None,
        "odometer": {"value": 120, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "INS-1", "vin_source": "scan", "model_seen": "330I"}, "holder_signs": True,
    }, ("bmw",))  # fmt: skip

    # --- parties ---------------------------------------------------------------------------------------------
    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        others = (self.second_inspector, self.police)
        return (*super().signers(ledger), *(address for address in others if address is not None))

    @property
    def is_presented(self) -> bool:
        return self.holder_signs or self.police is not None

    def _inspectors(self, ledger: Ledger) -> tuple[bytes, ...]:
        second = self.second_inspector
        return (ledger.sender,) if second is None else (ledger.sender, second)

    def _is_independent(self, ledger: Ledger, vehicle: Vehicle, inspector: bytes) -> bool:
        mandate = ledger.get(MANDATE, self.mandate) if self.holder_signs and self.mandate is not None else None
        presenters = (mandate.agent,) if mandate is not None else ()
        return is_independent(ledger, self.vin, vehicle, inspector, self.event_at_ms, ledger.now_ms, *presenters)

    def _is_bound(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether somebody besides the inspector confirms a fail: the holder, the police or a second inspector."""
        witnesses = (self.second_inspector, self.police)
        return self.is_acknowledged(ledger, vehicle) or any(witness is not None for witness in witnesses)

    # --- guards ----------------------------------------------------------------------------------------------
    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        check_acts(ledger, INSPECTIONS, limits.INSPECTIONS_PER_DAY_MAX)
        rule = ledger.rules.tables.checklists.get(self.checklist)  # an unknown one is `code_unknown`
        if rule is None:
            return
        if self.kind not in rule.kinds or (self.police is not None and self.kind != "roadside"):
            ledger.unmet(CHECKLIST_KIND, self.checklist, self.kind, " or ".join(rule.kinds))
        self._check_items(ledger, vehicle, rule)
        self._check_defects(ledger)
        self._check_validity(ledger)
        if self.kind in CLEARING and not self.is_presented:
            ledger.unmet(PRESENTER_MISSING, self.vin)
        if self.police is not None:
            require_cosigner(ledger, self.police, "police")
        if self.second_inspector is not None:
            require_cosigner(ledger, self.second_inspector, "inspector", vin=self.vin, event_at_ms=self.event_at_ms)
            if related(ledger, self.second_inspector, ledger.sender):
                ledger.unmet(NOT_INDEPENDENT, to_text(self.second_inspector), need="an inspector of another group")
        if vehicle is not None:
            self._check_distance(ledger, vehicle, rule)
            self._find_repair(ledger)

    def _check_items(self, ledger: Ledger, vehicle: Vehicle | None, rule: Rule) -> None:
        if self.items and self.kind != "retest":
            ledger.unmet(CHECKLIST_PARTIAL, self.checklist, self.kind, "retest")
        others = set(self.items) - set(rule.items)
        if others and vehicle is not None:
            others -= {item for finding in self._open(ledger, vehicle).values() for item in finding.grave or ()}
        if others:
            ledger.unmet(CHECKLIST_PARTIAL, self.checklist, " ".join(sorted(others)), "items of the list")

    def _check_defects(self, ledger: Ledger) -> None:
        known = ledger.rules.tables.inspection_items
        for defect in self.defects:
            item = known.get(defect.item)
            if item is not None and defect.severity not in item.severities:
                ledger.unmet(DEFECT_SEVERITY, defect.item, defect.severity, " or ".join(item.severities))

    def _check_validity(self, ledger: Ledger) -> None:
        latest = ledger.now_ms + VALID_MAX_MS
        if self.valid_until_day is not None and not self.event_at_ms < self._valid_until() <= latest:
            ledger.unmet(EXPIRY_PASSED, self.vin, self.valid_until_day, "a day after the inspection, within five years")

    def _valid_until(self) -> int:
        """The end of the day, UTC."""
        day = date.fromisoformat(self.valid_until_day or "1969-12-31")
        return ((day - date(1970, 1, 1)).days + 1) * DAY_MS

    def _check_distance(self, ledger: Ledger, vehicle: Vehicle, rule: Rule) -> None:
        for inspector in self._inspectors(ledger):
            match rule.independence:
                case "full":
                    is_met = self._is_independent(ledger, vehicle, inspector)
                case "repairer":
                    is_met = not is_repairer(ledger, self.vin, inspector, ledger.now_ms)
                case _:
                    continue
            if not is_met:
                ledger.unmet(NOT_INDEPENDENT, to_text(inspector), need=f"independence: {rule.independence}")
        if rule.independence != "none" and self.result not in FAILED and self._lacks_second(ledger):
            ledger.unmet(NOT_INDEPENDENT, to_text(ledger.sender), need="a second inspector of another group")

    def _lacks_second(self, ledger: Ledger) -> bool:
        """Whether a single inspector signs although it is no longer known who repaired the car, or who sold it."""
        life = ledger.get(LIFE, self.vin) or NO_LIFE
        is_unknown = are_repairers_unknown(life, ledger.now_ms) or are_sellers_unknown(life, self.event_at_ms)
        return self.second_inspector is None and is_unknown

    def _find_repair(self, ledger: Ledger) -> StoredRecord | None:
        record = find_record(ledger, self.vin, self.repair) if self.repair is not None else None
        face = face_of(record) if record is not None else None
        if face is not None and (face.kind != "repair.record" or is_struck(ledger, self.vin, face.sequence)):
            ledger.unmet(RECORD_UNKNOWN, self.vin, face.kind, "a repair.record that counts")
        return record

    # --- an odometer that went round ---------------------------------------------------------------------------
    def instrument(self, ledger: Ledger, vehicle: Vehicle) -> Segment | None:
        """The odometer after it has run past its last digit, as the inspector states: it was near its end and is near
        its start. Nobody's word alone makes readings incomparable: unless proven, what fell is a fall."""
        if not self._went_round(ledger) or self.odometer is None:
            return None
        is_proven = self.is_presented and self._is_independent(ledger, vehicle, ledger.sender)
        return rollover(ledger, self.vin, vehicle, self.odometer, self.event_at_ms) if is_proven else None

    def _went_round(self, ledger: Ledger) -> bool:
        return any(defect.item == ledger.rules.tables.inspection_rollover_item for defect in self.defects)

    # --- the effect ------------------------------------------------------------------------------------------
    @property
    def result(self) -> Result:
        return gravest(self.defects)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        count_act(ledger, INSPECTIONS)
        found = self._identified(ledger, vehicle)
        is_sure, outcome = self.is_acknowledged(ledger, vehicle), [inspection_outcome(self.result), *found.outcome]
        inspected, is_branded = branded(ledger, self.vin, found.vehicle, self._brands(ledger), is_confirmed=is_sure)
        if not self.is_presented:
            outcome.append(UNPRESENTED)
        if self.result in FAILED:
            inspected = self._failed(ledger, inspected) if self._is_current(ledger, vehicle) else inspected
        elif self.is_presented:
            inspected, codes = self._passed(ledger, inspected)
            outcome += codes
        is_material = found.is_material or is_branded or is_flag_set(vehicle, inspected, ledger.now_ms)
        return Effect(inspected, tuple(outcome), is_material)

    def _brands(self, ledger: Ledger) -> tuple[str, ...]:
        """What was found of the odometer: it went round, or somebody has tampered with it."""
        item = ledger.rules.tables.inspection_tampering_item
        is_altered = any(defect.item == item and defect.severity in FAILED for defect in self.defects)
        return (
            *(("exceeds_limits",) if self._went_round(ledger) else ()),
            *(("odometer_altered",) if is_altered else ()),
        )

    def _identified(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        """A car that is not the one of its papers: an alert, and a flag that police or registrar can make firm."""
        item = ledger.rules.tables.inspection_identity_item
        is_another = any(defect.item == item and defect.severity in FAILED for defect in self.defects)
        if not is_another:
            return Effect(vehicle)
        effect = alerted(ledger, self.vin, vehicle, ("clone_vin",), is_presented=self.is_presented)
        if not can_set_provisional(ledger, self.vin, vehicle, "identity_suspect"):
            return effect
        return effect._replace(
            vehicle=with_provisional_flag(ledger, self.vin, effect.vehicle, "identity_suspect"), is_material=True
        )

    def _is_current(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the inspection shows the present condition of the car: it is neither backfilled nor older than the
        inspection that the car's value notes. The inspection of a structural repair may be older than that one."""
        former = vehicle.inspection if self.kind != "structural_release" else None
        is_newest = former is None or self.event_at_ms >= former.at_ms
        return is_newest and self.event_at_ms > ledger.now_ms - BACKFILLED_MS

    def _failed(self, ledger: Ledger, vehicle: Vehicle) -> Vehicle:
        is_bound = self._is_bound(ledger, vehicle)
        if self.result == "dangerous":
            flag = flag_of(vehicle, "unroadworthy", ledger.now_ms)
            if is_bound and (flag is None or not flag.is_firm):
                vehicle = with_firm_flag(ledger, vehicle, "unroadworthy")
            elif not is_bound and can_set_provisional(ledger, self.vin, vehicle, "unroadworthy"):
                vehicle = with_provisional_flag(ledger, self.vin, vehicle, "unroadworthy")
        if is_bound and self.kind in OF_THE_ROAD and not self._leaves_fail(ledger, vehicle):
            due_ms = retest_by(vehicle, self.event_at_ms, self._retest_days(ledger))
            vehicle = replace(vehicle, inspection=self._noted(ledger, vehicle, retest_due_ms=due_ms))
        return vehicle

    def _leaves_fail(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        """Whether the fail before stays noted: this one says less of the car, or could not end it."""
        former = fail_of(vehicle)
        if former is None:
            return False
        finding = finding_of(ledger, self.vin, former.sequence)
        grave = {defect.item for defect in self.defects if defect.severity in FAILED}
        is_less = bool(self.items) and (finding.grave is None or grave <= finding.grave)
        return is_less or not is_as_distant(ledger, self.checklist, finding)

    def _open(self, ledger: Ledger, vehicle: Vehicle) -> dict[int, Finding]:
        """What was found that a pass would end, by its record: the one that set the flag `unroadworthy`, and the one
        that failed the car."""
        flag = flag_of(vehicle, "unroadworthy", ledger.now_ms)
        sequences = {flag.sequence} if flag is not None else set()
        if self.kind in OF_THE_ROAD and (failed := fail_of(vehicle)) is not None:
            sequences.add(failed.sequence)
        return {sequence: finding_of(ledger, self.vin, sequence) for sequence in sorted(sequences)}

    def _retest_days(self, ledger: Ledger) -> int:
        site = site_of(active_member(ledger, ledger.sender), self.where.site)
        country = site.country if site is not None else ledger.the(MEMBER, ledger.sender).country
        days = ledger.rules.tables.checklists[self.checklist].retest_days
        return days.get(country, days.get("", 0))

    def _noted(
        self, ledger: Ledger, vehicle: Vehicle, retest_due_ms: int = 0, *, is_renewed: bool = False
    ) -> Inspection:
        former = vehicle.inspection
        until = former.valid_until_ms if former is not None else 0
        if self.valid_until_day is not None and is_renewed:
            until = self._valid_until()
        return Inspection(
            vehicle.record_count, self.result, ledger.sender, self.event_at_ms, until, retest_due_ms
        )  # fmt: skip

    def _passed(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        """The vehicle after what a pass lifts, and an outcome code for each thing that it does not lift."""
        is_clear = all(self._is_independent(ledger, vehicle, inspector) for inspector in self._inspectors(ledger))
        is_clear = is_clear and not self._lacks_second(ledger)
        if self.kind == "structural_release":
            return self._released(ledger, vehicle, is_clear=is_clear)
        if self.kind == "odometer":
            void = void_clearances(ledger, vehicle, "odometer_replace") if is_clear else []
            vehicle = with_clearance(ledger, vehicle, "odometer_replace", void) if void else vehicle
        flag, is_of_the_road = flag_of(vehicle, "unroadworthy", ledger.now_ms), self.kind in OF_THE_ROAD
        if flag is None and not is_of_the_road:
            return vehicle, ()
        failed, found = fail_of(vehicle) if is_of_the_road else None, self._open(ledger, vehicle)
        findings = tuple(found.values())
        is_current = self._is_current(ledger, vehicle)
        if not findings and (self.kind == "retest" or not is_current):
            return vehicle, ((NOT_CLEARED,) if self.kind == "retest" else ())
        are_met = is_current and all(self._has_looked(ledger, finding) for finding in findings)
        is_late = bool(self.items) and is_retest_overdue(failed, self.event_at_ms)
        if not are_met or is_late or (flag is not None and not is_clear):
            return vehicle, (NOT_CLEARED,)
        repair = self._find_repair(ledger) if any(finding.dangerous for finding in findings) else None
        if self.second_inspector is None and not all(is_settled(ledger, finding, repair) for finding in findings):
            return vehicle, (FINDINGS_DIFFER,)
        if flag is not None:
            vehicle = without_flag(ledger, vehicle, flag)
        if is_of_the_road and (failed is not None or self.kind != "retest"):
            is_completed = self.kind == "retest" and failed is not None and found[failed.sequence].kind == "periodic"
            is_renewed = self.kind == "periodic" or is_completed
            vehicle = replace(vehicle, inspection=self._noted(ledger, vehicle, is_renewed=is_renewed))
        return (with_clearance(ledger, vehicle, "unroadworthy", findings, failed, flag) if is_clear else vehicle), ()

    def _has_looked(self, ledger: Ledger, finding: Finding) -> bool:
        """Whether it looked, since the finding and from as great a distance, at all that was wrong."""
        whole = ledger.rules.tables.checklists[self.checklist].items
        if finding.grave is None:
            is_seen = not self.items
        else:
            is_seen = finding.grave <= frozenset(self.items or whole)
        return is_seen and finding.at_ms <= self.event_at_ms and is_as_distant(ledger, self.checklist, finding)

    def _released(self, ledger: Ledger, vehicle: Vehicle, *, is_clear: bool) -> tuple[Vehicle, tuple[str, ...]]:
        lifted = [duty for duty in vehicle.duties if duty.code == "structural_release"]
        repairs = [finding_of(ledger, self.vin, duty.sequence) for duty in lifted]
        is_current = self._is_current(ledger, vehicle)
        if not is_clear or not is_current or any(repair.at_ms > self.event_at_ms for repair in repairs):
            return vehicle, (NOT_CLEARED,)
        life = ledger.get(LIFE, self.vin)
        if lifted and life is not None:
            incidents = tuple(
                replace(entry, released_by=entry.released_by or vehicle.record_count) if entry.is_repaired else entry
                for entry in life.incidents
            )  # fmt: skip
            ledger.put(LIFE, self.vin, replace(life, incidents=incidents))
        vehicle = replace(vehicle, duties=tuple(duty for duty in vehicle.duties if duty not in lifted))
        return with_clearance(ledger, vehicle, "structural_release", lifted), ()
