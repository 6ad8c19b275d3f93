"""Warranties: what a provider covers, on which car and until when. Claims are in `warranty_claim`.

A warranty follows the car through every change of title, unless it is not transferable. Its end is lazy: its time, its
distance, a total loss, scrapping, or a change of title.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, VIN_IDENT, AsOf, Family, Ident, Index, Reader, extended
from node.ledger.fields import Address, Code, Hash32, Height, Time, Vin, WarrantyGroup
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.ruleset import Ruleset
from node.ledger.static_rules import StaticRule, Unique
from node.limits import DAY_MS
from node.rules.odometer import BACKFILLED_MS
from node.rules.vin import VIN_PATTERN, wmi_of
from node.txtypes.members.member import Roles, has_role_at, name_of
from node.txtypes.vehicle.guards import require_vehicle
from node.txtypes.vehicle.odometer import highest_metres
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, existence_now

WARRANTIES_MAX: Final = 16
CLAIMS_RECENT_MAX: Final = 12
CLAIM_AGAIN_MS: Final = 90 * DAY_MS
"""The same operation can be claimed again only after this time: a repair that has failed is the workshop's matter."""
START_PAST_MS: Final = 7 * DAY_MS
START_AHEAD_MS: Final = 400 * DAY_MS
"""The greatest time between the block and the start of a warranty, before or after it. A warranty that extends a
factory warranty starts at its end."""
EVERYTHING: Final = "complete"

Number = Annotated[int, Meta(ge=1, le=WARRANTIES_MAX)]
Months = Annotated[int, Meta(ge=1, le=240)]
DistanceKm = Annotated[int, Meta(ge=0, le=1_000_000, description="whole distance of the car; 0 for any")]

WARRANTY_UNKNOWN = Guard("warranty_unknown", "the car has no such warranty", "das Fahrzeug hat keine solche Garantie",
                         "车辆没有该质保")  # fmt: skip
WARRANTIES_FULL = Guard("warranties_full", "the car has as many warranties as it can have, of which none ended more "
                        "than 400 days ago",
                        "das Fahrzeug hat so viele Garantien wie möglich, und keine ist seit über 400 Tagen beendet",
                        "车辆质保数量已满，且无一终止超过 400 天")  # fmt: skip
WARRANTY_OVERLAP = Guard("warranty_overlap", "the provider covers the same group in this time already",
                         "der Garantiegeber deckt dieselbe Gruppe in dieser Zeit schon ab",
                         "该提供方在此期间已承保同一组别")  # fmt: skip
WARRANTY_START = Guard("warranty_start", "a warranty starts at most 7 days before and 400 days after it is entered",
                       "eine Garantie beginnt höchstens 7 Tage vor und 400 Tage nach ihrem Eintrag",
                       "质保起始时间须在登记前 7 天至登记后 400 天之间")  # fmt: skip
WARRANTY_ENDED = Guard("warranty_ended", "the warranty has ended", "die Garantie ist beendet", "质保已终止")
WARRANTY_SHORTER = Guard("warranty_shorter", "the warranty would not become longer",
                         "die Garantie würde nicht länger", "质保期限未延长")  # fmt: skip
NOT_THE_GUARANTOR = Guard("not_the_guarantor", "the account does not provide this warranty",
                         "das Konto ist nicht der Garantiegeber", "该账户不是质保提供方",
                         is_permission=True)  # fmt: skip


# --- the value --------------------------------------------------------------------------------------------
class RecentClaim(Value, frozen=True):
    """An operation that was claimed, and the time of the claim."""

    operation: Code
    at_ms: Time


class Warranty(Value, tag=1, frozen=True):
    """A provider's cover of a car, under `<vin>-<number>`: `groups` of the table `warranty_groups`, from a time on for
    `months`, up to a distance of the car. `terms`: hash of the document. `transfers`: how often the title had moved
    when it was entered; `is_rebuilt`: the car had been rebuilt after a total loss by then. `claims`: of the last 90
    days."""

    vin: Vin
    provider: Address
    plan: Code
    terms: Hash32
    groups: tuple[WarrantyGroup, ...]
    starts_at_ms: Time
    months: Months
    distance_km: DistanceKm
    is_transferable: bool
    entered_height: Height
    transfers: int
    is_rebuilt: bool
    claims: Annotated[tuple[RecentClaim, ...], Meta(max_length=CLAIMS_RECENT_MAX)]

    @property
    def ends_at_ms(self) -> int:
        return plus_months(self.starts_at_ms, self.months)


def plus_months(at_ms: int, months: int) -> int:
    """A time so many months later, on the same day of the month and at the same time of the day, in UTC. If that month
    is too short, its last day."""
    day = date(1970, 1, 1).toordinal() + at_ms // DAY_MS
    start = date.fromordinal(day)
    years, month = divmod(start.month - 1 + months, 12)
    year = start.year + years
    moved = date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
    return (moved.toordinal() - date(1970, 1, 1).toordinal()) * DAY_MS + at_ms % DAY_MS


def is_in_term(warranty: Warranty, at_ms: int, metres: int) -> bool:
    """Whether the warranty's term covers an event at this time and at this distance of the car."""
    is_in_time = warranty.starts_at_ms <= at_ms < warranty.ends_at_ms
    return is_in_time and (not warranty.distance_km or metres <= warranty.distance_km * 1_000)


def is_cut_short(warranty: Warranty, vehicle: Vehicle, now_ms: int) -> bool:
    """Whether the warranty has ended before its term: by a total loss, scrapping, a voided import or, if it is not
    transferable, a change of title. A rebuilt car does not get back a warranty from before its total loss, nor does a
    car get one of a voided import of its VIN."""
    if existence_now(vehicle, now_ms) in ("total_loss", "scrapped", "voided"):
        return True
    if vehicle.existence == "rebuilt" and not warranty.is_rebuilt:
        return True
    is_of_another = warranty.entered_height < vehicle.born_height
    return is_of_another or (not warranty.is_transferable and vehicle.transfer_count != warranty.transfers)


Status = Literal["not_begun", "running", "ended"]


def status_at(reader: Reader, warranty: Warranty, now_ms: int, rules: Ruleset) -> Status:
    """The status of a warranty at a time."""
    vehicle = reader.get(VEHICLE, warranty.vin)
    if vehicle is None or is_cut_short(warranty, vehicle, now_ms):
        return "ended"
    if now_ms < warranty.starts_at_ms:
        return "not_begun"
    metres = highest_metres(reader, warranty.vin, now_ms, rules)
    return "running" if is_in_term(warranty, now_ms, metres) else "ended"


class WarrantyView(Warranty, frozen=True):
    """A warranty as it counts now. `days_left`: whole days; `km_left`: null where any distance is covered."""

    number: int
    status: Status
    provider_name: str
    ends_at_ms: Time
    days_left: int
    km_left: int | None

    @staticmethod
    def of(ident: str, warranty: Warranty, reader: Reader, as_of: AsOf) -> WarrantyView:
        status, now = status_at(reader, warranty, as_of.now_ms, as_of.rules), as_of.now_ms
        days = max(warranty.ends_at_ms - max(now, warranty.starts_at_ms), 0) // DAY_MS
        driven = highest_metres(reader, warranty.vin, now, as_of.rules) // 1_000
        left = max(warranty.distance_km - driven, 0) if warranty.distance_km else None
        return extended(
            WarrantyView, warranty, number=int(ident.rpartition("-")[2]), status=status,
            provider_name=name_of(reader, warranty.provider), ends_at_ms=warranty.ends_at_ms,
            days_left=0 if status == "ended" else days, km_left=0 if status == "ended" and left is not None else left,
        )  # fmt: skip


WARRANTY: Final = Family(
    "warranty", Warranty,
    ident=Ident("a warranty's id: <vin>-<number>", VIN_PATTERN.strip("^$") + "-([1-9]|1[0-6])"),
    indexes=(
        Index("vin", lambda warranty: (warranty.vin,), VIN_IDENT, description="VIN of the vehicle"),
        Index("provider", lambda warranty: (warranty.provider.hex(),), ADDRESS_IDENT, description="who covers"),
    ),
    concerns=lambda ident, warranty: (f"vehicle/{warranty.vin}", f"account/{warranty.provider.hex()}"),
    event="warranty", path="/v1/warranties", view=WarrantyView,
    internal=("entered_height", "transfers", "is_rebuilt", "claims"),
)  # fmt: skip


def warranty_ident(vin: str, number: int) -> str:
    return f"{vin}-{number}"


def warranties_of(reader: Reader, vin: str, vehicle: Vehicle) -> Iterator[Warranty]:
    """Every warranty that the car has had."""
    for number in range(1, vehicle.warranties + 1):
        found = reader.get(WARRANTY, warranty_ident(vin, number))
        assert found is not None, "warranties are numbered without a gap"
        yield found


def require_warranty(ledger: Ledger, vin: str, number: int) -> Warranty | None:
    """The warranty. Notes that there is none, then the result is None."""
    warranty = ledger.get(WARRANTY, warranty_ident(vin, number))
    if warranty is None:
        ledger.unmet(WARRANTY_UNKNOWN, warranty_ident(vin, number))
    return warranty


# --- the types --------------------------------------------------------------------------------------------
class WarrantyStart(TransactionBody, tag="warranty.start", frozen=True):
    """Start a warranty whose provider is the sender: the car's manufacturer, or a dealer. If a dealer that does not
    hold the title sends it, the holder of the title signs too. `distance_km` counts from the car's first kilometre."""

    vin: Vin
    plan: Code
    terms: Hash32
    groups: Annotated[tuple[WarrantyGroup, ...], Meta(min_length=1, max_length=7)]
    starts_at_ms: Time
    months: Months
    distance_km: DistanceKm
    is_transferable: bool
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("groups"),)
    by: ClassVar[Roles] = Roles("manufacturer", "dealer", wmi=lambda body: wmi_of(body.vin))
    headline: ClassVar[tuple[str, ...]] = ("plan", "groups", "months", "distance_km")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "vin": "WBA8E9G50GNU12345", "plan": "NEW-CAR-36", "terms": "00" * 32, "groups": ["complete"],
        "starts_at": "now", "months": 36, "distance_km": 100_000, "is_transferable": True,
    })  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin)
        is_maker = has_role_at(ledger, ledger.sender, ledger.now_ms, "manufacturer", wmi=wmi_of(self.vin))
        return () if vehicle is None or is_maker or vehicle.holder == ledger.sender else (vehicle.holder,)

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        first, last = ledger.now_ms - START_PAST_MS, ledger.now_ms + START_AHEAD_MS
        if not first <= self.starts_at_ms <= last:
            need = f"{time_to_text(first)} to {time_to_text(last)}"
            ledger.unmet(WARRANTY_START, self.vin, time_to_text(self.starts_at_ms), need)
        if vehicle is None:
            return
        started = self._started(vehicle, ledger.sender, ledger.block.height)
        if is_cut_short(started, vehicle, ledger.now_ms):
            ledger.unmet(WARRANTY_ENDED, self.vin, existence_now(vehicle, ledger.now_ms))
        if not self._number(ledger, vehicle):
            ledger.unmet(WARRANTIES_FULL, self.vin, vehicle.warranties, f"below {WARRANTIES_MAX}")
        if any(_overlaps(started, other) for other in warranties_of(ledger, self.vin, vehicle)
               if not is_cut_short(other, vehicle, ledger.now_ms)):  # fmt: skip
            ledger.unmet(WARRANTY_OVERLAP, self.vin, " ".join(self.groups))

    def _number(self, ledger: Ledger, vehicle: Vehicle) -> int:
        """The number of a new warranty: the next one; once all are given, the first whose term is so long ago that
        nobody can claim on it any more; 0 for none."""
        if vehicle.warranties < WARRANTIES_MAX:
            return vehicle.warranties + 1
        found = enumerate(warranties_of(ledger, self.vin, vehicle), 1)
        return next((n for n, other in found if other.ends_at_ms + BACKFILLED_MS < ledger.now_ms), 0)

    def _started(self, vehicle: Vehicle, provider: bytes, height: int) -> Warranty:
        return Warranty(
            self.vin, provider, self.plan, self.terms, self.groups, self.starts_at_ms, self.months, self.distance_km,
            self.is_transferable, height, vehicle.transfer_count, vehicle.existence == "rebuilt", (),
        )  # fmt: skip

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.the(VEHICLE, self.vin)
        number = self._number(ledger, vehicle)
        ledger.put(
            WARRANTY, warranty_ident(self.vin, number), self._started(vehicle, ledger.sender, ledger.block.height)
        )
        counted = replace(vehicle, warranties=max(vehicle.warranties, number))
        append_record(ledger, self.vin, counted, self, ledger.now_ms)


def _overlaps(one: Warranty, other: Warranty) -> bool:
    is_same = one.provider == other.provider and bool(set(one.groups) & set(other.groups))
    return is_same and one.starts_at_ms < other.ends_at_ms and other.starts_at_ms < one.ends_at_ms


class WarrantyExtend(TransactionBody, tag="warranty.extend", frozen=True):
    """Extend a warranty before its end, by its provider. `months` counts from its start, as before; `is_bought`: the
    holder of the title pays for it, and signs too."""

    vin: Vin
    number: Number
    months: Months
    distance_km: DistanceKm
    is_bought: bool
    headline: ClassVar[tuple[str, ...]] = ("months", "distance_km")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "vin": "WBA8E9G50GNU12345", "number": 1, "months": 60, "distance_km": 150_000, "is_bought": False,
    })  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin) if self.is_bought else None
        return (vehicle.holder,) if vehicle is not None else ()

    def guards(self, ledger: Ledger) -> None:
        vehicle, warranty = require_vehicle(ledger, self.vin), require_warranty(ledger, self.vin, self.number)
        if vehicle is None or warranty is None:
            return
        subject = warranty_ident(self.vin, self.number)
        if warranty.provider != ledger.sender:
            ledger.unmet(NOT_THE_GUARANTOR, to_text(ledger.sender))
        if status_at(ledger, warranty, ledger.now_ms, ledger.rules) == "ended":
            ledger.unmet(WARRANTY_ENDED, subject)
        before = (warranty.months, _endless(warranty.distance_km))
        after = (self.months, _endless(self.distance_km))
        if after == before or after[0] < before[0] or after[1] < before[1]:
            have = f"{self.months} months, {self.distance_km} km"
            ledger.unmet(WARRANTY_SHORTER, subject, have, f"above {warranty.months} months, {warranty.distance_km} km")

    def apply(self, ledger: Ledger) -> None:
        ident = warranty_ident(self.vin, self.number)
        changed = replace(ledger.the(WARRANTY, ident), months=self.months, distance_km=self.distance_km)
        ledger.put(WARRANTY, ident, changed)
        append_record(ledger, self.vin, ledger.the(VEHICLE, self.vin), self, ledger.now_ms)


def _endless(distance_km: int) -> int:
    """A distance to compare: any is more than every other."""
    return distance_km or 2**53
