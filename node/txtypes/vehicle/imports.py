"""`vehicle.import` registers a car whose life began outside this chain.

What documents say about its earlier life is stored with a grade of how well it is documented. No answer says that the
car is free of anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import (
    Address,
    Attachments,
    BrandCode,
    Code,
    Codes,
    Day,
    DefectSeverity,
    Hash32,
    HistoryKind,
    ImportGrade,
    InspectionItem,
    Odometer,
    OdometerValue,
    RegistrationCountry,
    Time,
    Vin,
    Where,
)
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import CalendarDay, StaticRule, Unique
from node.limits import DAY_MS
from node.rules.odometer import Unit, to_metres
from node.rules.vin import wmi_of
from node.txtypes.identity.quota import check_acts, count_act
from node.txtypes.members.conduct import check_not_on_hold, require_cosigner
from node.txtypes.members.makers import Maker, maker_since
from node.txtypes.members.member import active_member, has_role_at, site_of
from node.txtypes.vehicle.alerts import alerted
from node.txtypes.vehicle.birth import Powertrain, begun, check_absent, check_produced_year, check_vin
from node.txtypes.vehicle.brands import with_brand
from node.txtypes.vehicle.guards import (
    EVENT_BEFORE_BIRTH,
    EVENT_IN_FUTURE,
    SITE_UNKNOWN,
    check_act_time,
    check_event_time,
)
from node.txtypes.vehicle.odometer import HistoryReading, Standing, add_history, verdict_outcome
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.relation import INSPECTION_UNFIT, NOT_INDEPENDENT, is_close
from node.txtypes.vehicle.report import MODEL_DIFFERS, Author
from node.txtypes.vehicle.sighting import SIGHTINGS
from node.txtypes.vehicle.stop_flags import with_firm_flag
from node.txtypes.vehicle.vehicle import VinScheme

CHECKLIST: Final = "IMPORT"
NO_MAKER: Final = bytes(20)
"""The maker of a car that no manufacturer on this chain has made."""

BIRTH_EXPECTED = Guard("birth_expected", "a manufacturer of this chain makes such cars and has made this one since it "
                       "joined: only grade A is possible", "ein Hersteller dieser Kette baut solche Fahrzeuge und war "
                       "schon dabei: nur Grad A ist möglich", "该车由本链制造商在加入后生产：只接受 A 级")  # fmt: skip
GRADE_UNSIGNED = Guard("grade_unsigned", "grade A is confirmed by the maker, B by a registrar, the others by nobody",
                       "Grad A bestätigt der Hersteller, Grad B eine Zulassungsbehörde, die anderen niemand",
                       "A 级须由制造商确认，B 级须由登记机关确认，其余无需确认",
                       is_permission=True)  # fmt: skip


class PastEvent(Value, frozen=True):
    """An event of the car's life before its import, from a document. `odometer`: in the car's unit, or none."""

    kind: HistoryKind
    at_ms: Time
    country: RegistrationCountry
    odometer: OdometerValue | None
    document: Hash32


class Finding(Value, frozen=True):
    """An item that the inspector checked, and its gravest defect, or none."""

    item: InspectionItem
    severity: DefectSeverity | None


class VehicleImport(TransactionBody, tag="vehicle.import", frozen=True):
    """Register a car whose life began outside this chain. The sender is a dealer. The inspector signs, the future
    holder if it is not the dealer, and whoever confirms the history: for grade A the car's maker, for grade B a
    registrar who has seen an extract of a registry and is related to none of the others. Grade C rests on documents,
    grade D on the inspection alone. A dangerous defect sets the flag `unroadworthy`, a manipulated odometer leaves the
    brand `odometer_altered`. `produced_year`: its first day counts as the day of production; neither the first
    registration nor an event of the `history` is earlier than the year before. `history`: its readings count with
    grades A and B only. `origin_brands`: brands that the car already has. `title_evidence`: commitment to the proof of
    ownership."""

    vin: Vin
    model: Code
    configuration: Codes
    plant: Code
    powertrain: Powertrain
    odometer_unit: Unit
    vin_scheme: VinScheme
    produced_year: Annotated[int, Meta(ge=1970, le=9999)]
    first_registered_on: Day
    origin_country: RegistrationCountry
    grade: ImportGrade
    confirmed_by: Address | None
    holder: Address
    inspector: Address
    findings: Annotated[tuple[Finding, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    origin_brands: Annotated[tuple[BrandCode, ...], Meta(max_length=16)]
    history: Annotated[tuple[PastEvent, ...], Meta(max_length=32)]
    title_evidence: Hash32
    event_at_ms: Time
    where: Where
    odometer: Odometer
    attachments: Attachments = ()
    static_rules: ClassVar[tuple[StaticRule, ...]] = (
        CalendarDay("first_registered_on", "1970-01-01"), Unique("findings", by="item"), Unique("origin_brands"),
        Unique("history"),
    )  # fmt: skip
    weight: ClassVar[int] = 220
    by: ClassVar[Author] = Author("dealer")
    headline: ClassVar[tuple[str, ...]] = ("grade", "origin_country", "holder", "odometer")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "vin": "JTDKB20U093512345", "model": "PRIUS", "configuration": [], "plant": "TSUTSUMI", "powertrain": "hev",
        "odometer_unit": "km", "vin_scheme": "EU", "produced_year": 2019, "first_registered_on": "2019-05-02",
        "origin_country": "JP", "grade": "C", "confirmed_by": None, "holder": "dealer-munich",
        "inspector": "inspector-1", "origin_brands": ["hail"], "title_evidence": "00" * 32,
        "findings": [{"item": item, "severity": None}
                     for item in ("0.1", "0.2", "6.1.1", "7.11", "O1", "O2", "O3", "O4")],
        "history": [{"kind": "inspection", "at": "2022-05-03T09:00:00.000Z", "country": "JP", "odometer": 41_000,
                     "document": "00" * 32}],
        "event_at": "now", "where": {"site": "MUC-1", "vin_source": "scan", "model_seen": "PRIUS"},
        "odometer": {"value": 78_000, "unit": "km", "source": "cluster"},
    }, ("inspector-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        others = (self.inspector, self.holder, *(() if self.confirmed_by is None else (self.confirmed_by,)))
        return tuple(dict.fromkeys(party for party in others if party != ledger.sender))

    def guards(self, ledger: Ledger) -> None:
        check_absent(ledger, self.vin)
        check_vin(ledger, self.vin, self.vin_scheme)
        check_produced_year(ledger, self.vin, self.vin_scheme, self.produced_year)
        check_not_on_hold(ledger, ledger.sender)
        check_event_time(ledger, self.vin, None, self.event_at_ms)
        check_act_time(ledger, self.vin, self.event_at_ms)
        if self.where.site and site_of(active_member(ledger, ledger.sender), self.where.site) is None:
            ledger.unmet(SITE_UNKNOWN, self.where.site)
        if self.where.model_seen != self.model:
            ledger.unmet(MODEL_DIFFERS, self.vin, self.where.model_seen, self.model)
        latest, first_ms = time_to_text(self.event_at_ms), _day_ms(date(self.produced_year - 1, 1, 1))
        for at_ms in (self._produced_ms(), self._registered_ms(), *(event.at_ms for event in self.history)):
            if at_ms < first_ms:
                ledger.unmet(EVENT_BEFORE_BIRTH, self.vin, time_to_text(at_ms), f"at least {time_to_text(first_ms)}")
            if at_ms > self.event_at_ms:
                ledger.unmet(EVENT_IN_FUTURE, self.vin, time_to_text(at_ms), f"at most {latest}")
        self._check_inspection(ledger)
        self._check_grade(ledger)
        check_acts(ledger, "vehicle.import", limits.IMPORTS_PER_DAY_MAX)

    def _check_inspection(self, ledger: Ledger) -> None:
        tables = ledger.rules.tables
        require_cosigner(ledger, self.inspector, "inspector", vin=self.vin, event_at_ms=self.event_at_ms)
        for party in dict.fromkeys((ledger.sender, self.holder)):
            if is_close(ledger, self.inspector, party):
                ledger.unmet(NOT_INDEPENDENT, to_text(self.inspector), to_text(party))
        found = {finding.item: finding.severity for finding in self.findings}
        missing = [item for item in tables.checklists[CHECKLIST].items if item not in found]
        known = tables.inspection_items
        impossible = [
            item for item, severity in found.items()
            if severity is not None and item in known and severity not in known[item].severities
        ]  # fmt: skip
        if missing or impossible:
            ledger.unmet(INSPECTION_UNFIT, self.vin, need=" ".join(missing or impossible))
        elif found[tables.inspection_identity_item] is not None:
            ledger.unmet(INSPECTION_UNFIT, self.vin, "identity in doubt")

    def _check_grade(self, ledger: Ledger) -> None:
        now_ms, wmi = ledger.now_ms, wmi_of(self.vin)
        roles, confirmer = ledger.rules.tables.import_grades.get(self.grade, ()), self.confirmed_by
        scope = wmi if "manufacturer" in roles else ""
        if bool(roles) != (confirmer is not None):
            ledger.unmet(GRADE_UNSIGNED, self.grade, need=" or ".join(roles) or "nobody")
        elif confirmer is not None and not has_role_at(ledger, confirmer, now_ms, *roles, wmi=scope):
            ledger.unmet(GRADE_UNSIGNED, to_text(confirmer), need=" or ".join(roles))
        if confirmer is not None:
            check_not_on_hold(ledger, confirmer)
        if confirmer is not None and not scope:
            for party in dict.fromkeys((ledger.sender, self.holder, self.inspector)):
                if is_close(ledger, confirmer, party):
                    ledger.unmet(NOT_INDEPENDENT, to_text(confirmer), to_text(party))
        maker = maker_since(ledger, wmi, now_ms)
        if maker is not None and self.grade != "A" and self._is_made_since(maker):
            ledger.unmet(BIRTH_EXPECTED, self.vin, self.produced_year, f"before {time_to_text(maker.since_ms)}")

    def _is_made_since(self, maker: Maker) -> bool:
        """Whether any day of the year of production is one on which the maker had joined."""
        return _day_ms(date(self.produced_year, 12, 31)) + DAY_MS > maker.since_ms

    def _produced_ms(self) -> int:
        return _day_ms(date(self.produced_year, 1, 1))

    def _registered_ms(self) -> int:
        return _day_ms(date.fromisoformat(self.first_registered_on))

    @property
    def _is_dangerous(self) -> bool:
        return any(finding.severity == "dangerous" for finding in self.findings)

    def _found_brands(self, ledger: Ledger) -> tuple[str, ...]:
        """What the inspector found of the odometer: the holder signs too, so it is no suspicion of one writer."""
        item = ledger.rules.tables.inspection_tampering_item
        is_altered = any(found.item == item and found.severity not in (None, "minor") for found in self.findings)
        return ("odometer_altered",) if is_altered else ()

    def _readings(self, ledger: Ledger) -> Iterator[HistoryReading]:
        """The readings of the history, by whoever confirms it, then that of the inspection, by the inspector. A maker
        may import its own cars, and is then interested."""
        confirmer = self.confirmed_by
        parties = (ledger.sender, self.holder)
        is_party = confirmer is not None and any(is_close(ledger, confirmer, party) for party in parties)
        confirmed: Standing = "interested" if is_party else "independent"
        for event in self.history:
            if event.odometer is not None:
                metres = to_metres(event.odometer, self.odometer_unit)
                author = ledger.sender if confirmer is None else confirmer
                standing: Standing = "declared" if confirmer is None else confirmed
                yield HistoryReading(event.at_ms, metres, author, standing, "history")
        metres = to_metres(self.odometer.value, self.odometer.unit)
        yield HistoryReading(self.event_at_ms, metres, self.inspector, "independent", self.odometer.source)

    def apply(self, ledger: Ledger) -> None:
        maker = self.confirmed_by if self.grade == "A" else None
        if maker is None and (found := maker_since(ledger, wmi_of(self.vin), ledger.now_ms)) is not None:
            maker = found.address
        vehicle = begun(
            ledger, maker=maker or NO_MAKER, model=self.model, configuration=self.configuration, plant=self.plant,
            produced_on=f"{self.produced_year}-01-01", powertrain=self.powertrain, odometer_unit=self.odometer_unit,
            vin_scheme=self.vin_scheme, born_at_ms=self._produced_ms(), holder=self.holder, grade=self.grade,
            covered_since_ms=self.event_at_ms,
        )  # fmt: skip
        brands = vehicle.brands
        for code in (*self.origin_brands, *self._found_brands(ledger)):
            brands = with_brand(brands, code, ledger.now_ms, 0, is_confirmed=True)
        if self._is_dangerous:
            vehicle = with_firm_flag(ledger, vehicle, "unroadworthy", setter=self.inspector)
        vehicle = add_history(ledger, self.vin, replace(vehicle, brands=brands), self._readings(ledger))
        known = ledger.get(SIGHTINGS, self.vin) is not None
        effect = alerted(ledger, self.vin, vehicle, ("birth_after_import",) if known else ())
        count_act(ledger, "vehicle.import")
        append_record(
            ledger, self.vin, effect.vehicle, self, self.event_at_ms, (*effect.outcome, verdict_outcome(vehicle)),
            is_material=effect.is_material or bool(brands) or self._is_dangerous,
        )  # fmt: skip


def _day_ms(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_MS
