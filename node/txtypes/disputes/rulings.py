"""Rulings: what the end of a dispute, or an amendment by the author, does to the car that the record is about.

`CONSEQUENCES` lists one function for each part of a car's state that records of many types have an effect on. A type
whose records have an effect of their own has a method `struck`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any, Final, Literal, NamedTuple

from msgspec.structs import replace

from node.ledger.fields import RecordName, TotalLossCategory
from node.ledger.overlay import Ledger
from node.rules.odometer import EXCLUDED, SUPERSEDED
from node.txtypes.disputes.clearances import unreleased, without_clearances
from node.txtypes.disputes.dispute import RECORD_DISPUTE, is_struck, record_status
from node.txtypes.members.conduct import drop_provisional_flag, drop_provisional_loss
from node.txtypes.vehicle.alerts import AlertClose, close_alert, reopened, unconfirmed
from node.txtypes.vehicle.birth import void_import
from node.txtypes.vehicle.brands import BRAND_CONFIRMED_MS, Brand, BrandState, Loss, brand_state, without_record
from node.txtypes.vehicle.incidents import Incident, Reporter
from node.txtypes.vehicle.instruments import without_segment
from node.txtypes.vehicle.life import LIFE, NO_LIFE
from node.txtypes.vehicle.odometer import is_verdict_worse
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, is_backfilled, lowers, reading_of, with_state
from node.txtypes.vehicle.record import OwnEffect, body_of, face_of, stored_record
from node.txtypes.vehicle.regions import released, unrefused, without_registration
from node.txtypes.vehicle.relation import related
from node.txtypes.vehicle.vehicle import Vehicle

RulingName = Literal["annulled", "retracted", "stands", "undecided"]


class Ruling(NamedTuple):
    """What was found of the record `sequence` of a car, which is a `kind`: arbiters annulled it, its author retracted
    it, it stands, or it is undecided whether. `may_clear`: a retraction ends confirmed effects too, since arbiters
    decided that the record is to be amended; `may_lower`: on a ground that concerns its reading. `new_metres`: of an
    amendment, the distance by the reading that takes the place of the record's, -1 for none. `replaced_by`: the record
    of the same type on the car that is in its place. `ground`: of the dispute, empty for an amendment."""

    name: RulingName
    vin: str
    sequence: int
    kind: str
    ground: str = ""
    standing: str = ""
    may_clear: bool = False
    may_lower: bool = False
    new_metres: int = -1
    replaced_by: RecordName | None = None

    @property
    def is_struck(self) -> bool:
        """Whether the record counts no more."""
        return self.name in ("annulled", "retracted")


Consequence = Callable[[Ledger, Ruling, Vehicle], Vehicle]


def _reading(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """Its reading counts no more, nor the instrument of which it told, and the rest is judged anew."""
    leaf = ledger.get(ODOMETER, ruling.vin) if ruling.is_struck else None
    if leaf is None:
        return vehicle
    state = EXCLUDED if ruling.name == "annulled" else SUPERSEDED
    is_replacement = record_status(ledger, ruling.vin, ruling.sequence).is_replacement
    is_lowered = state == SUPERSEDED and not ruling.may_lower and lowers(
        leaf, ruling.sequence, ruling.new_metres, is_replacement=is_replacement
    )  # fmt: skip
    judged = without_segment(leaf, ruling.sequence, ledger.rules)
    judged = with_state(judged, ruling.sequence, state, ledger.rules, is_lowered=is_lowered)
    if judged != leaf:
        ledger.put(ODOMETER, ruling.vin, judged)
    return replace(vehicle, verdict=judged.verdict) if judged.verdict != vehicle.verdict else vehicle


def _state_after(ruling: Ruling, state: BrandState) -> BrandState:
    """The state of a brand or a total loss after the ruling on the record that tells it."""
    if state == "annulled":
        return state
    match ruling.name:
        case "annulled":
            return "annulled"
        case "retracted":
            return "annulled" if state == "pending" or ruling.may_clear else state
        case "stands":
            return "confirmed"
        case "undecided":
            return "undecided" if state == "pending" else state


def _brands(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The brands that it tells. One that other records tell too rests on them, when it would be annulled."""
    changed = tuple(_brand(ledger, ruling, brand) for brand in vehicle.brands)
    return replace(vehicle, brands=changed) if changed != vehicle.brands else vehicle


def _brand(ledger: Ledger, ruling: Ruling, brand: Brand) -> Brand:
    if ruling.sequence not in brand.records:
        return brand
    before = brand_state(brand, ledger.now_ms)
    after = _state_after(ruling, before)
    if after == before:
        return brand
    left = without_record(brand, ruling.sequence, ledger.now_ms) if after == "annulled" else None
    return left or replace(brand, state=after, disputed_until_ms=0)


def _loss(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The total loss that it reports: gone, firm or undecided. What it had confirmed is as the first insurer says."""
    loss = vehicle.loss
    if loss is None or loss.sequence != ruling.sequence:
        return vehicle
    before = brand_state(loss, ledger.now_ms)
    after = _state_after(ruling, before)
    if after == before:
        return vehicle
    drop_provisional_loss(ledger, loss.author, loss.since_ms + BRAND_CONFIRMED_MS)
    first = _first_loss(ledger, ruling.vin, loss) if after == "annulled" else None
    return replace(vehicle, loss=first or replace(loss, state=after, disputed_until_ms=0))


def _first_loss(ledger: Ledger, vin: str, loss: Loss) -> Loss | None:
    """The report that the loss had confirmed, while it counts: undecided if arbiters have left it so, else provisional
    anew from now."""
    if loss.confirms < 0 or is_struck(ledger, vin, loss.confirms):
        return None
    raw, status = ledger.record(vin, loss.confirms), record_status(ledger, vin, loss.confirms)
    assert raw is not None, "the state names records that exist"
    record = stored_record(raw)
    kind: Any = ledger.rules.types["vehicle.total_loss"]
    category: TotalLossCategory = body_of(record, kind).category
    brands = ledger.rules.tables.total_loss_categories[category]
    disputes = [ledger.the(RECORD_DISPUTE, ident) for ident in status.disputes]
    until_ms = max((dispute.ends_at_ms for dispute in disputes if not dispute.outcome), default=0)
    state: BrandState = "undecided" if status.outcome in ("undecided", "amended") else "pending"
    return Loss(category, state, ledger.now_ms, loss.confirms, until_ms, face_of(record).author, brands)


def _flags(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """An annulled record's stop-flags are cleared; its author takes back provisional ones only."""
    if not ruling.is_struck:
        return vehicle
    struck = [
        flag for flag in vehicle.flags
        if flag.sequence == ruling.sequence and (ruling.name == "annulled" or not flag.is_firm)
    ]  # fmt: skip
    registration = vehicle.registration
    for flag in struck:
        if not flag.is_firm:
            drop_provisional_flag(ledger, flag.setter, flag.until_ms)
        if flag.country == registration.country:  # it may have been an objection to a claim
            registration = unrefused(registration, flag.set_at_ms)
    kept = tuple(flag for flag in vehicle.flags if flag not in struck)
    return replace(vehicle, flags=kept, registration=registration) if struck else vehicle


def _inspection(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The result of the last inspection, and what the record has cleared: its duties are open again, and the fail and
    the flag that it has ended are back. Its author alone takes back no fail, which another has signed."""
    if not ruling.is_struck:
        return vehicle
    noted = vehicle.inspection
    if noted is not None and noted.sequence == ruling.sequence:
        is_firm = noted.result in ("major", "dangerous") and ruling.name == "retracted" and not ruling.may_clear
        vehicle = vehicle if is_firm else replace(vehicle, inspection=None)
    return without_clearances(ledger, ruling.vin, vehicle, ruling.sequence)


def _duties(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The duty that a repair brings: with an annulled record it goes, and its author takes back one that is not due;
    one whose record stands is due. A duty of several repairs rests on those that are left."""
    now, duties = ledger.now_ms, []
    for duty in vehicle.duties:
        is_its_own = duty.sequence == ruling.sequence and ruling.kind == "repair.record"
        is_firm = duty.due_ms <= now and not ruling.may_clear
        if is_its_own and ruling.is_struck and (ruling.name == "annulled" or not is_firm):
            if others := unreleased(vehicle, ruling.sequence):
                duties.append(replace(duty, sequence=max(others)))
            continue
        is_due = is_its_own and ruling.name == "stands"
        duties.append(replace(duty, due_ms=min(duty.due_ms, now)) if is_due else duty)
    return replace(vehicle, duties=tuple(duties)) if tuple(duties) != vehicle.duties else vehicle


def _unproven(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """Zones whose new parts a repair does not name, as its duty; parts that a struck record names prove nothing."""
    life, now, kept = ledger.get(LIFE, ruling.vin), ledger.now_ms, []
    if life is None or not life.unproven or ruling.kind != "repair.record":
        return vehicle
    for entry in life.unproven:
        is_its_own = entry.sequence == ruling.sequence
        is_firm = entry.due_ms <= now and not ruling.may_clear
        if is_its_own and ruling.is_struck and (ruling.name == "annulled" or not is_firm):
            continue
        if is_its_own and ruling.name == "stands":
            entry = replace(entry, due_ms=min(entry.due_ms, now))
        if entry.proven_by == ruling.sequence and ruling.is_struck:
            entry = replace(entry, proven_by=0)
        kept.append(entry)
    if tuple(kept) != life.unproven:
        ledger.put(LIFE, ruling.vin, replace(life, unproven=tuple(kept)))
    return vehicle


def _incidents(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """An incident whose only report was struck is none; with others it is what they tell. It stands with its reports. A
    struck repair or release of it counts no more."""
    life = ledger.get(LIFE, ruling.vin)
    if life is None:
        return vehicle
    incidents = tuple(_mended(ruling, _incident(ledger, ruling, incident)) for incident in life.incidents)
    if incidents == life.incidents:
        return vehicle
    ledger.put(LIFE, ruling.vin, replace(life, incidents=incidents))
    gone = sum(a.state == "annulled" != b.state for a, b in zip(incidents, life.incidents, strict=True))
    return replace(vehicle, accident_count=vehicle.accident_count - gone) if gone else vehicle


def _mended(ruling: Ruling, incident: Incident) -> Incident:
    """The incident without a struck repair, and without a struck release of its repairs."""
    if not ruling.is_struck:
        return incident
    if ruling.sequence in incident.repairs:
        repairs = tuple(sequence for sequence in incident.repairs if sequence != ruling.sequence)
        return replace(incident, repairs=repairs)
    return replace(incident, released_by=0) if ruling.sequence == incident.released_by else incident


def _incident(ledger: Ledger, ruling: Ruling, incident: Incident) -> Incident:
    """The incident after a ruling on one of its reports. The author alone takes back only what neither another's
    signature nor time has confirmed."""
    if ruling.sequence not in incident.records or incident.state == "annulled":
        return incident
    now, before = ledger.now_ms, brand_state(incident, ledger.now_ms)
    told = next((reporter for reporter in incident.reporters if reporter.sequence == ruling.sequence), None)
    if not ruling.is_struck:
        after = _state_after(ruling, before)
        if ruling.name == "stands" and told is not None:
            incident = _with_standing(incident, told, "firm")
        return incident if after == before else replace(incident, state=after, disputed_until_ms=0)
    is_old = told is None or told.standing == "firm" or now >= told.at_ms + BRAND_CONFIRMED_MS
    if ruling.name == "retracted" and not ruling.may_clear and before == "confirmed" and is_old:
        return incident
    left = replace(incident, reports=incident.reports - 1)
    if told is not None:
        left = _with_standing(left, told, "struck")
    if not left.reports:
        return replace(left, state="annulled", disputed_until_ms=0)
    if incident.state == "undecided" or (before == "confirmed" and _is_borne(ledger, ruling.vin, left)):
        return left
    until_ms = left.disputed_until_ms if left.disputed_until_ms > now else 0  # the vote on another report
    return replace(left, state="pending", since_ms=now, disputed_until_ms=until_ms)


def _with_standing(incident: Incident, told: Reporter, standing: Literal["firm", "struck"]) -> Incident:
    changed = replace(told, standing=standing)
    return replace(incident, reporters=tuple(changed if entry is told else entry for entry in incident.reporters))


def _is_borne(ledger: Ledger, vin: str, incident: Incident) -> bool:
    """Whether the reports left confirm the incident: one that is firm or 30 days old, two of authors that are not
    related, or one that is no longer kept."""
    counted, at_ms = incident.counted, incident.last_ms
    if incident.reports > len(counted):
        return True
    if any(told.standing == "firm" or ledger.now_ms >= told.at_ms + BRAND_CONFIRMED_MS for told in counted):
        return True
    return any(not related(ledger, a.author, b.author, vin, at_ms) for a, b in combinations(counted, 2))


def _alerts(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The alerts that an annulled record raised are closed, and stay visible. One that it has confirmed is as the
    record that raised it says, while that counts."""
    raised = [alert for alert in vehicle.alerts if alert.sequence == ruling.sequence and alert.state != "closed"]
    if ruling.name != "annulled" or not raised:
        return vehicle
    alerts = vehicle.alerts
    for alert in raised:
        is_second = alert.raised_by != ruling.sequence and not is_struck(ledger, ruling.vin, alert.raised_by)
        alerts = unconfirmed(alerts, alert.code) if is_second else close_alert(alerts, alert.code)
    ledger.happened("vehicle.alert", f"vehicle/{ruling.vin}")
    return replace(vehicle, alerts=alerts)


def _closings(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The alert that the record has closed is open again, as it was; of an export that nobody had confirmed, it was
    reported."""
    if not ruling.is_struck or ruling.kind not in ("alert.close", "registration.accept"):
        return vehicle
    alerts = vehicle.alerts
    if ruling.kind == "registration.accept":
        alerts = reopened(alerts, "export_unconfirmed", "reported", ruling.sequence)
    else:
        raw = ledger.record(ruling.vin, ruling.sequence)
        assert raw is not None, "a ruling is about a record"
        body = body_of(stored_record(raw), AlertClose)
        alerts = reopened(alerts, body.alert, body.state, ruling.sequence)
    if alerts != vehicle.alerts:
        ledger.happened("vehicle.alert", f"vehicle/{ruling.vin}")
    return replace(vehicle, alerts=alerts)


def _counters(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """Service that was not done is not counted. One that is backfilled never was."""
    if ruling.is_struck and ruling.kind == "maintenance.record":
        leaf = ledger.get(ODOMETER, ruling.vin)
        reading = reading_of(leaf, ruling.sequence) if leaf is not None else None
        if reading is not None and is_backfilled(reading.delay_s):
            return vehicle
        return replace(vehicle, maintenance_count=max(vehicle.maintenance_count - 1, 0))
    return vehicle


def _own_effect(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """What records of its type alone do. A record that only tells this car what happened to another is of that car."""
    kind = ledger.rules.types[ruling.kind]
    if not ruling.is_struck or not issubclass(kind, OwnEffect) or kind.struck is OwnEffect.struck:
        return vehicle
    body, by = _body(ledger, ruling.vin, ruling.sequence, kind), None
    if ruling.replaced_by is not None:
        by = _body(ledger, ruling.vin, ruling.replaced_by.sequence, kind)
    assert body is not None, "a ruling is about a record"
    return body.struck(ledger, vehicle, ruling.sequence, by) if body.vin == ruling.vin else vehicle


def _body(ledger: Ledger, vin: str, sequence: int, kind: type[OwnEffect]) -> OwnEffect | None:
    raw = ledger.record(vin, sequence)
    return body_of(stored_record(raw), kind) if raw is not None else None


def _identity(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """An import that the maker has shown to be of another car is void."""
    is_void = ruling.name == "annulled" and ruling.kind == "vehicle.import" and ruling.ground == "false_identity"
    return void_import(ledger, ruling.vin, vehicle) if is_void and ruling.standing == "maker" else vehicle


def _registration(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The registration before comes back, and a car that the record took into service is new again, unless it has
    changed hands since."""
    if not ruling.is_struck or not ruling.kind.startswith("registration."):
        return vehicle
    found = vehicle.registration
    found = released(found, ruling.sequence) if ruling.kind == "registration.end" else found
    is_new = found.sequence == ruling.sequence and found.took_into_service and vehicle.title_since_ms <= found.since_ms
    is_new = is_new and vehicle.existence == "in_service"
    after = without_registration(found, ruling.sequence)
    return replace(vehicle, registration=after, existence="born" if is_new else vehicle.existence)


CONSEQUENCES: Final[tuple[Consequence, ...]] = (
    _reading, _brands, _loss, _flags, _duties, _unproven, _inspection, _incidents, _alerts, _closings, _counters,
    _registration, _own_effect, _identity,
)  # fmt: skip
"""In this order: each takes the vehicle as the one before it leaves it."""


class Ruled(NamedTuple):
    """The vehicle after a ruling, and whether a buyer has to know."""

    vehicle: Vehicle
    is_material: bool


def carry_out(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Ruled:
    """Every consequence of a ruling. It is material where a buyer is told something that was not so before: that
    something is so no more is no news to him. A record of a voided import is not of the car that has the VIN now: of
    its effects only bindings, claims and the recalls of the VIN are left."""
    if ruling.sequence < vehicle.first_sequence:
        return Ruled(_own_effect(ledger, ruling, vehicle), False)
    before, told = vehicle, _told(ledger, ruling.vin, vehicle)
    for consequence in CONSEQUENCES:
        vehicle = consequence(ledger, ruling, vehicle)
    is_told = not _told(ledger, ruling.vin, vehicle) <= told
    return Ruled(vehicle, is_told or is_verdict_worse(before, vehicle))


def _told(ledger: Ledger, vin: str, vehicle: Vehicle) -> set[object]:
    """What a buyer is told of the car, beside the verdict."""
    life, leaf = ledger.get(LIFE, vin) or NO_LIFE, ledger.get(ODOMETER, vin) or NO_READINGS
    return {
        vehicle.existence, ("lowered", leaf.lowered), *vehicle.flags, *vehicle.duties, *vehicle.recalls,
        *(alert.code for alert in vehicle.alerts if alert.state == "confirmed"),
        *((told.code, told.state) for told in vehicle.brands if told.state != "annulled"),
        *((told.category, told.state) for told in (vehicle.loss,) if told is not None and told.state != "annulled"),
        *(told.sequence for told in life.incidents if told.state != "annulled"),
        *((told.sequence, "confirmed") for told in life.incidents if brand_state(told, ledger.now_ms) == "confirmed"),
        (vehicle.registration.status, vehicle.registration.country, vehicle.registration.claim),
    }  # fmt: skip
