"""Recalls: a manufacturer opens a campaign and names its cars. It is carried out on each in `remedy`.

A campaign counts its cars; each car lists its open recalls.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import AsOf, Family, Ident, Index, Reader, View, extended
from node.ledger.fields import Address, Code, Day, Height, RecallAuthority, RecallClass, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import Ascending, CalendarDay, StaticRule, Unique
from node.rules.vin import wmi_of
from node.txtypes.members.member import ROLE_SCOPE, Roles, active_member, has_role
from node.txtypes.vehicle.guards import ENDED, VEHICLE_ENDED, VEHICLE_UNKNOWN
from node.txtypes.vehicle.record import OwnEffect, append_record, face_of, stored_record
from node.txtypes.vehicle.regions import RECALLS_MAX, OpenRecall
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
        if has_role(ledger, ledger.sender, "manufacturer") and not _named_wmis(ledger):
            ledger.unmet(ROLE_SCOPE, to_text(ledger.sender), need="a manufacturer's grant that names WMIs")
        if ledger.get(RECALL, recall_ident(ledger.sender, self.campaign)) is not None:
            ledger.unmet(CAMPAIGN_EXISTS, self.campaign)

    def apply(self, ledger: Ledger) -> None:
        ledger.put(RECALL, recall_ident(ledger.sender, self.campaign), Recall(
            self.recall_class, self.references, self.remedy, self.part_numbers, self.remedy_from_day,
            ledger.block.height, 0, 0, 0,
        ))  # fmt: skip


def _named_wmis(ledger: Ledger) -> set[str]:
    """The WMIs that the sender's grants as a manufacturer name: one that names none covers no recall."""
    member, now_ms = active_member(ledger, ledger.sender), ledger.now_ms
    grants = member.grants if member is not None else ()
    return {wmi for g in grants if g.role == "manufacturer" and g.is_active(now_ms) for wmi in g.wmis}


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


class RecallExtend(OwnEffect, tag="recall.extend", frozen=True):
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

    @property
    def vin(self) -> str:
        """The car, of a record."""
        return self.vins[0]

    def guards(self, ledger: Ledger) -> None:
        if self.reason not in REASONS[self.action]:
            ledger.unmet(RECALL_REASON, self.reason, need=" or ".join(REASONS[self.action]))
        if ledger.get(RECALL, recall_ident(ledger.sender, self.campaign)) is None:
            ledger.unmet(CAMPAIGN_UNKNOWN, self.campaign)
            return
        covered = _named_wmis(ledger)
        most = len(ledger.unmet_guards) + limits.BAD_VINS_NAMED_MAX
        for vin in self.vins:
            self._check_car(ledger, vin, covered)
            if len(ledger.unmet_guards) == most:
                return

    def _check_car(self, ledger: Ledger, vin: str, covered: Collection[str]) -> None:
        """Notes why the car cannot be named. `covered`: the WMIs that the sender's grants name."""
        vehicle, wmi = ledger.get(VEHICLE, vin), wmi_of(vin)
        if vehicle is None:
            ledger.unmet(VEHICLE_UNKNOWN, vin)
        elif wmi not in covered:
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

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The record of this has turned out to be wrong: the recall that it opened on the car is open no more, and one
        that it took away is open again."""
        raw = ledger.record(self.vin, sequence)
        assert raw is not None, "a ruling is about a record"
        face = face_of(stored_record(raw))
        if self.action == "remove":
            return reopened(ledger, vehicle, face.author, self.campaign, face.time_ms, closed="removed")
        found, ident = open_recall(vehicle, face.author, self.campaign), recall_ident(face.author, self.campaign)
        if found is None or found.since_ms != face.time_ms:  # it is done, or a later record has named the car again
            return vehicle
        recall = ledger.the(RECALL, ident)
        ledger.put(RECALL, ident, replace(recall, cars=recall.cars - 1, removed=recall.removed + 1))
        return _with_stop(ledger, without_recall(ledger, vehicle, found))


def _with_recall(ledger: Ledger, vehicle: Vehicle, recall: OpenRecall) -> Vehicle:
    return _with_stop(ledger, replace(vehicle, recalls=(*vehicle.recalls, recall)))


def _with_stop(ledger: Ledger, vehicle: Vehicle) -> Vehicle:
    """The vehicle with the stop-flag that one of its open recalls requires, if it has none."""
    setter = next((recall.maker for recall in vehicle.recalls if recall.recall_class == "stop_drive"), None)
    if setter is None or flag_of(vehicle, DO_NOT_DRIVE, ledger.now_ms) is not None:
        return vehicle
    return with_firm_flag(ledger, vehicle, DO_NOT_DRIVE, setter=setter)


def reopened(
    ledger: Ledger, vehicle: Vehicle, maker: bytes, campaign: str, since_ms: int, *, closed: Literal["done", "removed"]
) -> Vehicle:
    """The vehicle with the recall open again, unless it is, or the car has ended or has no room for it. `closed`: the
    counter of the campaign that had it."""
    is_open = open_recall(vehicle, maker, campaign) is not None
    if is_open or vehicle.existence in ENDED or len(vehicle.recalls) >= RECALLS_MAX:
        return vehicle
    ident = recall_ident(maker, campaign)
    recall = ledger.the(RECALL, ident)
    ledger.put(RECALL, ident, replace(recall, cars=recall.cars + 1, **{closed: getattr(recall, closed) - 1}))
    return _with_recall(ledger, vehicle, OpenRecall(maker, campaign, recall.recall_class, since_ms))
