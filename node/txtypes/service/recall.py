"""Recalls: a manufacturer opens a campaign and names its cars; a workshop or the manufacturer carries it out on each.

A campaign counts its cars; each car lists its open recalls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger import kinds
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import Example
from node.ledger.family import AsOf, Family, Ident, Index, Reader, View, extended
from node.ledger.fields import Address, Code, Day, Height, RecallAuthority, RecallClass, RecordName, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import Ascending, CalendarDay, StaticRule, Unique
from node.rules.vin import wmi_of
from node.txtypes.disputes.dispute import record_status
from node.txtypes.members.member import ROLE_SCOPE, Roles, active_member, has_role, has_role_at
from node.txtypes.service.records import Part
from node.txtypes.vehicle.guards import ENDED, VEHICLE_ENDED, VEHICLE_UNKNOWN, check_act_time
from node.txtypes.vehicle.record import Effect, VehicleRecord, append_record, body_of, face_of, find_record
from node.txtypes.vehicle.regions import RECALLS_MAX, OpenRecall
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.stop_flags import DO_NOT_DRIVE, flag_of, with_firm_flag, without_flag
from node.txtypes.vehicle.vehicle import RECALL_IDENT, VEHICLE, Vehicle

Remedy = Literal["inspect", "repair", "replace", "software", "buy_back"]
Campaign = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9._-]*\Z", max_length=40), kinds.CODE]
PartNumbers = Annotated[tuple[Code, ...], Meta(max_length=16)]

Vins = Annotated[tuple[Vin, ...], Meta(min_length=1, max_length=limits.RECALL_VINS_MAX)]

CAMPAIGN_EXISTS = Guard("campaign_exists", "the manufacturer has a campaign of this code",
                        "der Hersteller hat eine Aktion mit diesem Code", "制造商已有此编号的召回")  # fmt: skip
REFERENCE_FORM = Guard("reference_form", "the authority does not number recalls in this form",
                       "so nummeriert die Behörde keine Rückrufe", "召回编号格式与该机构不符")  # fmt: skip
CAMPAIGN_UNKNOWN = Guard("campaign_unknown", "the manufacturer has no campaign of this code",
                         "der Hersteller hat keine Aktion mit diesem Code", "制造商没有此编号的召回")  # fmt: skip
RECALL_PRESENT = Guard("recall_present", "the campaign names this car already",
                       "die Aktion nennt dieses Fahrzeug schon", "该召回已包括此车辆")  # fmt: skip
RECALL_ABSENT = Guard("recall_absent", "the car has no open recall of this campaign",
                      "das Fahrzeug hat keinen offenen Rückruf dieser Aktion", "车辆没有此召回的未完成项")  # fmt: skip
RECALLS_FULL = Guard("recalls_full", "the car has as many open recalls as it can have",
                     "das Fahrzeug hat schon so viele offene Rückrufe wie möglich",
                     "车辆未完成召回数已达上限")  # fmt: skip
RECALL_REASON = Guard("recall_reason", "this is no reason to name a car, or none to take it out",
                      "das ist kein Grund, ein Fahrzeug aufzunehmen, oder keiner, es herauszunehmen",
                      "该理由不适用于列入或移除车辆")  # fmt: skip
REMEDY_EVIDENCE = Guard("remedy_evidence", "the remedy is not shown by a part of the campaign or the record of its "
                        "software",
                        "die Abhilfe ist nicht belegt: durch ein Teil der Aktion oder den Eintrag ihrer Software",
                        "缺少补救证据：召回指定的零件或软件记录")  # fmt: skip
REMEDY_NOT_READY = Guard("remedy_not_ready", "the campaign has no remedy yet", "die Aktion hat noch keine Abhilfe",
                         "召回尚无补救措施")  # fmt: skip
REASONS: Final[dict[str, tuple[str, ...]]] = {"add": ("scope", "ineffective"), "remove": ("scope", "wrong")}
"""Reasons to name a car or to take it out. `scope`: the maker has found out which cars are concerned; `ineffective`:
the remedy did not help; `wrong`: the car was named by mistake."""


class CampaignReference(Value, frozen=True):
    """The number that an authority has given to a campaign."""

    authority: RecallAuthority
    number: Annotated[str, Meta(pattern=r"^[A-Z0-9-]{1,32}\Z")]


References = Annotated[tuple[CampaignReference, ...], Meta(min_length=1, max_length=8)]


class Recall(Value, tag=1, frozen=True):
    """A manufacturer's recall campaign, under `recall/<manufacturer>-<campaign>`."""

    recall_class: RecallClass
    references: References
    remedy: Remedy
    part_numbers: PartNumbers
    remedy_from_day: Day
    opened_height: Height
    cars: int
    """The number of cars on which it is open."""
    done: int
    """The number of times it was carried out."""
    removed: int
    """The number of times a car was taken out, or ended with the recall open."""


class RecallView(Recall, frozen=True):
    """A recall campaign with its manufacturer and its code."""

    manufacturer: Address
    campaign: Campaign

    @staticmethod
    def of(ident: str, recall: Recall, reader: Reader, as_of: AsOf) -> RecallView:
        manufacturer, _, campaign = ident.partition("-")
        return extended(RecallView, recall, manufacturer=bytes.fromhex(manufacturer), campaign=campaign)


RECALL = Family(
    "recall", Recall,
    ident=RECALL_IDENT,
    indexes=(
        Index("reference", lambda recall: sorted({f"{r.authority}-{r.number}" for r in recall.references}),
              Ident("an authority and its number of a recall, such as KBA-14567R", "[A-Z]{2,8}-[A-Z0-9-]{1,32}"),
              description="authority and number under which it lists the campaign"),
    ),
    concerns=lambda ident, recall: (f"account/{ident[:40]}",), event="recall", path="/v1/recalls", view=RecallView,
    internal=("manufacturer",),
)  # fmt: skip


def recall_ident(manufacturer: bytes, campaign: str) -> str:
    return f"{manufacturer.hex()}-{campaign}"


class RecallOnCar(View, frozen=True):
    """A recall that is open on a car, with the data of its campaign."""

    maker: Address
    campaign: Campaign
    recall_class: RecallClass
    remedy: Remedy
    remedy_from_day: Day
    references: References


class RecallsOnCar(View, frozen=True):
    """The recalls that are open on a car."""

    vin: Vin
    recalls: tuple[RecallOnCar, ...]

    @staticmethod
    def of(ident: str, vehicle: Vehicle, reader: Reader, as_of: AsOf) -> RecallsOnCar:
        return RecallsOnCar(ident, tuple(recalls_on(vehicle, reader)))


def recalls_on(vehicle: Vehicle, reader: Reader) -> Iterator[RecallOnCar]:
    for entry in vehicle.recalls:
        recall = reader.get(RECALL, recall_ident(entry.maker, entry.campaign))
        assert recall is not None, "a car's open recalls are of campaigns"
        yield RecallOnCar(
            entry.maker, entry.campaign, recall.recall_class, recall.remedy, recall.remedy_from_day, recall.references
        )  # fmt: skip


class RecallOpen(TransactionBody, tag="recall.open", frozen=True):
    """Open a recall campaign. Only a manufacturer whose grant names WMIs can; the campaign names no cars yet."""

    campaign: Campaign
    references: References
    recall_class: RecallClass
    remedy: Remedy
    part_numbers: PartNumbers
    remedy_from_day: Day
    static_rules: ClassVar[tuple[StaticRule, ...]] = (CalendarDay("remedy_from_day"), Unique("references"))
    by: ClassVar[Roles] = Roles("manufacturer")
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "campaign": "0016560700", "recall_class": "safety", "remedy": "replace", "part_numbers": ["34336888459"],
        "references": [{"authority": "KBA", "number": "14567R"}, {"authority": "NHTSA", "number": "25V123"}],
        "remedy_from_day": "2026-01-01",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        for authority, number in ((entry.authority, entry.number) for entry in self.references):
            form = ledger.rules.tables.recall_authorities.get(authority, ".*")  # an unknown one is `code_unknown`
            if not re.fullmatch(form, number):
                ledger.unmet(REFERENCE_FORM, authority, number, form)
        member = active_member(ledger, ledger.sender)
        grants = [g for g in member.grants if g.role == "manufacturer" and g.is_active(ledger.now_ms)] if member else []
        if grants and not any(grant.wmis for grant in grants):
            ledger.unmet(ROLE_SCOPE, to_text(ledger.sender), need="a manufacturer's grant that names WMIs")
        if ledger.get(RECALL, recall_ident(ledger.sender, self.campaign)) is not None:
            ledger.unmet(CAMPAIGN_EXISTS, self.campaign)

    def apply(self, ledger: Ledger) -> None:
        ledger.put(RECALL, recall_ident(ledger.sender, self.campaign), Recall(
            self.recall_class, self.references, self.remedy, self.part_numbers, self.remedy_from_day,
            ledger.block.height, 0, 0, 0,
        ))  # fmt: skip


# --- the cars of a campaign -----------------------------------------------------------------------------------
def open_recall(vehicle: Vehicle, maker: bytes, campaign: str) -> OpenRecall | None:
    return next((r for r in vehicle.recalls if r.campaign == campaign and r.maker == maker), None)


def without_recall(ledger: Ledger, vehicle: Vehicle, recall: OpenRecall) -> Vehicle:
    """The vehicle without one of its open recalls. The stop-flag ends with the last recall that requires it."""
    kept = tuple(entry for entry in vehicle.recalls if entry != recall)
    flag = flag_of(vehicle, DO_NOT_DRIVE, ledger.now_ms)
    if flag is not None and not any(entry.recall_class == "stop_drive" for entry in kept):
        vehicle = without_flag(ledger, vehicle, flag)
    return replace(vehicle, recalls=kept)


def without_recalls(ledger: Ledger, vehicle: Vehicle) -> Vehicle:
    """The vehicle without open recalls, since it ends. Their campaigns count it as removed."""
    for entry in vehicle.recalls:
        ident = recall_ident(entry.maker, entry.campaign)
        recall = ledger.the(RECALL, ident)
        ledger.put(RECALL, ident, replace(recall, cars=recall.cars - 1, removed=recall.removed + 1))
        vehicle = without_recall(ledger, vehicle, entry)
    return vehicle


class RecallExtend(TransactionBody, tag="recall.extend", frozen=True):
    """Name cars in a campaign, or take them out: all of `vins`, or none if one of them cannot be. A car gets a
    stop-flag if the class is `stop_drive`. Each car gets a record that names this car alone: the body with one VIN."""

    campaign: Campaign
    action: Literal["add", "remove"]
    reason: Literal["scope", "wrong", "ineffective"]
    vins: Vins
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Ascending("vins"),)
    weight_each: ClassVar[Mapping[str, int]] = {"vins": 30}
    by: ClassVar[Roles] = Roles("manufacturer")
    headline: ClassVar[tuple[str, ...]] = ("campaign", "action", "reason")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "campaign": "0016560700", "action": "add", "reason": "scope", "vins": ["WBA8E9G50GNU12345"],
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        if self.reason not in REASONS[self.action]:
            ledger.unmet(RECALL_REASON, self.reason, need=" or ".join(REASONS[self.action]))
        if ledger.get(RECALL, recall_ident(ledger.sender, self.campaign)) is None:
            ledger.unmet(CAMPAIGN_UNKNOWN, self.campaign)
            return
        covered: dict[str, bool] = {}
        most = len(ledger.unmet_guards) + limits.BAD_VINS_NAMED_MAX
        for vin in self.vins:
            self._check_car(ledger, vin, covered)
            if len(ledger.unmet_guards) == most:
                return

    def _check_car(self, ledger: Ledger, vin: str, covered: dict[str, bool]) -> None:
        """Notes why the car cannot be named. `covered`: whether one of the sender's grants covers a WMI."""
        vehicle, wmi = ledger.get(VEHICLE, vin), wmi_of(vin)
        if wmi not in covered:
            covered[wmi] = has_role_at(ledger, ledger.sender, ledger.now_ms, "manufacturer", wmi=wmi)
        if vehicle is None:
            ledger.unmet(VEHICLE_UNKNOWN, vin)
        elif not covered[wmi]:
            ledger.unmet(ROLE_SCOPE, vin, need=wmi)
        elif vehicle.existence in ENDED and (self.action == "add" or not vehicle.recalls):
            ledger.unmet(VEHICLE_ENDED, vin)
        elif self.action == "remove":
            if open_recall(vehicle, ledger.sender, self.campaign) is None:
                ledger.unmet(RECALL_ABSENT, vin, need=self.campaign)
        elif open_recall(vehicle, ledger.sender, self.campaign) is not None:
            ledger.unmet(RECALL_PRESENT, vin, self.campaign)
        elif len(vehicle.recalls) >= RECALLS_MAX:
            ledger.unmet(RECALLS_FULL, vin, len(vehicle.recalls), f"below {RECALLS_MAX}")

    def apply(self, ledger: Ledger) -> None:
        ident, count = recall_ident(ledger.sender, self.campaign), len(self.vins)
        recall = ledger.the(RECALL, ident)
        is_material = self.action == "add" and recall.recall_class != "quality"
        opened = OpenRecall(ledger.sender, self.campaign, recall.recall_class, ledger.now_ms)
        for vin in self.vins:
            vehicle = ledger.the(VEHICLE, vin)
            if self.action == "add":
                changed = _with_recall(ledger, vehicle, opened)
            else:
                found = open_recall(vehicle, ledger.sender, self.campaign)
                assert found is not None, "guarded"
                changed = without_recall(ledger, vehicle, found)
            append_record(ledger, vin, changed, replace(self, vins=(vin,)), ledger.now_ms, is_material=is_material)
        if self.action == "add":
            ledger.put(RECALL, ident, replace(recall, cars=recall.cars + count))
        else:
            ledger.put(RECALL, ident, replace(recall, cars=recall.cars - count, removed=recall.removed + count))


def _with_recall(ledger: Ledger, vehicle: Vehicle, recall: OpenRecall) -> Vehicle:
    if recall.recall_class == "stop_drive" and flag_of(vehicle, DO_NOT_DRIVE, ledger.now_ms) is None:
        vehicle = with_firm_flag(ledger, vehicle, DO_NOT_DRIVE, setter=recall.maker)
    return replace(vehicle, recalls=(*vehicle.recalls, recall))


class RecallDone(Report, tag="recall.done", frozen=True):
    """Record that a recall was carried out on a car since the campaign named it, by a workshop, or by the manufacturer
    over the air; only the manufacturer reports that it has bought the car back. `parts`: the parts that were fitted;
    `software`: the record of its update. `corrects`: the author's own record of the same campaign, which this one
    replaces with a `record.amend` that follows; the recall is not open then. A manufacturer that doubts a record names
    the car again."""

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
        elif not self._is_correction(ledger):
            ledger.unmet(RECALL_ABSENT, self.vin, need=self.campaign)
        if self.event_at_ms < _day_ms(recall.remedy_from_day):
            ledger.unmet(REMEDY_NOT_READY, self.campaign, need=f"from {recall.remedy_from_day} on")
        self._check_evidence(ledger, recall)

    def _is_correction(self, ledger: Ledger) -> bool:
        """Whether it stands for another record of the sender about this campaign, which still counts."""
        record = find_record(ledger, self.vin, self.corrects) if self.corrects is not None else None
        if record is None or (face := face_of(record)).kind != type_of(self) or face.author != ledger.sender:
            return False
        status, other = record_status(ledger, self.vin, face.sequence), body_of(record, RecallDone)
        counts = not status.is_superseded and status.outcome != "annulled"
        return counts and (other.manufacturer, other.campaign) == (self.manufacturer, self.campaign)

    def _check_evidence(self, ledger: Ledger, recall: Recall) -> None:
        record = find_record(ledger, self.vin, self.software) if self.software is not None else None
        match recall.remedy:
            case "replace":
                numbers = {part.number for part in self.parts}
                is_met = bool(numbers & set(recall.part_numbers) if recall.part_numbers else numbers)
                need = " or ".join(recall.part_numbers) or "a part"
            case "software":
                is_met, need = record is not None and face_of(record).kind == "software.update", "a software.update"
            case _:
                return
        if not is_met:
            ledger.unmet(REMEDY_EVIDENCE, self.campaign, need=need)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ident = recall_ident(self.manufacturer, self.campaign)
        recall, found = ledger.the(RECALL, ident), open_recall(vehicle, self.manufacturer, self.campaign)
        if found is None:
            return Effect(vehicle)  # a correction
        ledger.put(RECALL, ident, replace(recall, cars=recall.cars - 1, done=recall.done + 1))
        return Effect(without_recall(ledger, vehicle, found))

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: VehicleRecord | None) -> Vehicle:
        """The recall is open again, unless the record in its place reports the same one, or the car has ended or has no
        room for it, or another car has its VIN now."""
        ident = recall_ident(self.manufacturer, self.campaign)
        is_replaced = isinstance(by, RecallDone) and ident == recall_ident(by.manufacturer, by.campaign)
        if is_replaced or sequence < vehicle.first_sequence:
            return vehicle
        is_open = open_recall(vehicle, self.manufacturer, self.campaign) is not None
        if is_open or vehicle.existence in ENDED or len(vehicle.recalls) >= RECALLS_MAX:
            return vehicle
        recall = ledger.the(RECALL, ident)
        ledger.put(RECALL, ident, replace(recall, cars=recall.cars + 1, done=recall.done - 1))
        return _with_recall(
            ledger, vehicle, OpenRecall(self.manufacturer, self.campaign, recall.recall_class, self.event_at_ms)
        )  # fmt: skip


def _day_ms(day: str) -> int:
    """The beginning of a day, UTC; of one before 1970, 0."""
    return max(0, (date.fromisoformat(day) - date(1970, 1, 1)).days * limits.DAY_MS)
