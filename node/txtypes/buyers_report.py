"""Buyer's report: what a buyer has to know of a car, in the order in which it matters.

The report is a pure function of state values, the car's records, and the ids of its batteries. Over proven values and
records it is proven too, except that the node alone says which batteries the car has (see `NODES_WORD`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Final, TypeVar

from msgspec import Meta

from node.ledger.family import AsOf, Reader, View
from node.ledger.fields import (
    Address,
    Code,
    Day,
    Hash32,
    OptionalTime,
    Time,
    Vin,
)
from node.rules.odometer import Unit, Verdict, to_metres
from node.txtypes.disputes.amend import RecordAmend
from node.txtypes.disputes.dispute import RECORD_DISPUTE, DisputeView
from node.txtypes.disputes.types import RecordDisputeOpen
from node.txtypes.history import DecodedRecord, is_late
from node.txtypes.members.member import MEMBER, is_fraudulent, site_of
from node.txtypes.parts.battery import BATTERY, BatteryView
from node.txtypes.registration.registration import RegistrationRecord
from node.txtypes.service.inspection import InspectionRecord
from node.txtypes.service.recall import RecallOnCar, recalls_on
from node.txtypes.service.warranty import WarrantyView, warranties_of, warranty_ident
from node.txtypes.vehicle.bindings import is_in
from node.txtypes.vehicle.brands import Loss, brand_at
from node.txtypes.vehicle.conditions import conditions_of
from node.txtypes.vehicle.incidents import IncidentView
from node.txtypes.vehicle.instruments import distance_of
from node.txtypes.vehicle.life import LIFE, NO_LIFE, Life
from node.txtypes.vehicle.places import Seen, has_parallel_life
from node.txtypes.vehicle.readings import newest_counted
from node.txtypes.vehicle.record import Face
from node.txtypes.vehicle.regions import Alert, Duty, Inspection, Registration, is_retest_overdue
from node.txtypes.vehicle.report import Report
from node.txtypes.vehicle.series import VERDICTS, ExplanationView, coverage, explained
from node.txtypes.vehicle.sighting import NO_SIGHTINGS, SEEN_MAX, SIGHTINGS, places_of
from node.txtypes.vehicle.vehicle import (
    BrandView,
    Existence,
    FlagView,
    NewestReading,
    Vehicle,
    VehicleView,
    readings_now,
    vehicle_at,
)

RECORDS_MAX: Final = 2_000
"""The newest records that a report reads."""
LINES_MAX: Final = 50
"""The newest records that a report names in one of its lists."""
BATTERIES_MAX: Final = 8
NODES_WORD: Final = ("batteries",)
"""Fields of a report that no proof shows to be complete: a node could leave something out."""
ReportRecord = DecodedRecord | Face | None
Told = TypeVar("Told", bound=ReportRecord)
"""A record as it was given: whole, only its face, or nothing but its existence."""


# --- the parts of a report --------------------------------------------------------------------------------
class Identity(View, frozen=True):
    """The identity of a car, from its maker's registration or its import."""

    maker: Address
    maker_name: str
    model: Code
    configuration: tuple[Code, ...]
    plant: Code
    produced_on: Day
    powertrain: str
    vin_scheme: str


class OdometerPart(View, frozen=True):
    """The odometer's verdict, and the mistakes that would explain contradictions. `distance_metres`: how far the car
    has gone by the newest reading, over all its `instruments` until then; `is_distance_proven`: whether two sources or
    a witness tell for each of them what the one before has shown. `coverage_per_mille` and `corrections` as in
    `OdometerSeries`."""

    unit: Unit
    verdict: Verdict
    sentence: str
    reasons: tuple[str, ...]
    explanations: tuple[ExplanationView, ...]
    newest: NewestReading | None
    distance_metres: int
    instruments: int
    is_distance_proven: bool
    coverage_per_mille: int
    corrections: int


class RecordLine(View, frozen=True):
    """A summary of one record. `what`: the result of an inspection or the country of a registration, else empty.
    `became`: `amended` by its author, or the outcome of a dispute, else empty."""

    sequence: int
    kind: str
    event_at_ms: Time
    time_ms: Time
    author: Address
    author_name: str
    what: str
    became: str


class RecordLines(View, frozen=True):
    """The number of records of one sort, and the newest of them."""

    count: int
    newest: Annotated[tuple[RecordLine, ...], Meta(max_length=LINES_MAX)]


# --- the report -------------------------------------------------------------------------------------------
class BuyersReport(View, frozen=True):
    """A summary of a car for its buyer, the most important first. `parallel_life`: one car cannot have been at all the
    places of its last sightings and records in the time between; this is a hint that decides nothing. `nodes_word`: the
    fields that no proof shows to be complete. `withheld`: the number of records whose content was not given."""

    vin: Vin
    identity: Identity
    origin: str
    grade: str
    covered_since_ms: Time
    history_notice: str
    existence: Existence
    summary: str
    loss: Loss | None
    ended_at_ms: OptionalTime
    brands: tuple[BrandView, ...]
    flags: tuple[FlagView, ...]
    recalls: tuple[RecallOnCar, ...]
    alerts: tuple[Alert, ...]
    parallel_life: bool
    odometer: OdometerPart
    incidents: tuple[IncidentView, ...]
    older_incidents: int
    duties: tuple[Duty, ...]
    inspection: Inspection | None
    is_retest_overdue: bool
    inspections: RecordLines
    holders: int
    holder: Address
    holder_name: str
    title_since_ms: Time
    usage_brands: tuple[str, ...]
    registration: Registration
    registrations: RecordLines
    warranties: tuple[WarrantyView, ...]
    batteries: tuple[BatteryView, ...]
    disputes: tuple[DisputeView, ...]
    fraud_records: RecordLines
    late_records: RecordLines
    conditions: tuple[str, ...]
    material_changes: int
    material_root: Hash32
    record_count: int
    records_read: int
    withheld: int
    nodes_word: tuple[str, ...]

    @staticmethod
    def of(
        ident: str, vehicle: Vehicle, reader: Reader, as_of: AsOf, records: Sequence[ReportRecord],
        batteries: Iterable[str],
    ) -> BuyersReport:  # fmt: skip
        """The report of the car `ident`. `records`: all its records, or the newest `RECORDS_MAX`, in order.
        `batteries`: ids of the batteries that an index lists for the car."""
        records, now_ms = records[-RECORDS_MAX:], as_of.now_ms
        own = own_records(vehicle, records)
        car, life = VehicleView.of(ident, vehicle, reader, as_of), reader.get(LIFE, ident) or NO_LIFE
        whole = [record for record in own if isinstance(record, DecodedRecord)]
        faces = [record.face if isinstance(record, DecodedRecord) else record for record in own if record]
        disputes = tuple(
            dispute for dispute in _disputes(life, whole, reader, as_of)
            if dispute.target.sequence >= vehicle.first_sequence
        )  # fmt: skip
        became = {dispute.target.sequence: dispute.outcome for dispute in disputes if dispute.status == "closed"}
        became |= {record.body.target.sequence: "amended" for record in whole if isinstance(record.body, RecordAmend)}
        lines = partial(_lines, became)
        usages = set(as_of.rules.tables.registration_usages.values())
        return BuyersReport(
            vin=ident, identity=Identity(**{name: getattr(car, name) for name in Identity.__struct_fields__}),
            origin=car.origin, grade=car.grade, covered_since_ms=car.covered_since_ms,
            history_notice=car.history_notice, existence=car.existence, summary=car.summary,
            loss=None if car.loss is None else brand_at(car.loss, now_ms), ended_at_ms=car.ended_at_ms,
            brands=car.brands, flags=car.flags, recalls=tuple(recalls_on(car, reader)), alerts=car.alerts,
            parallel_life=leads_parallel_life(ident, whole, reader),
            odometer=_odometer(ident, car, reader, as_of),
            incidents=tuple(IncidentView.of(incident, now_ms) for incident in life.incidents),
            older_incidents=life.older_incidents, duties=car.duties, inspection=car.inspection,
            is_retest_overdue=is_retest_overdue(car.inspection, now_ms),
            inspections=lines((r.face, r.body.result) for r in whole if isinstance(r.body, InspectionRecord)),
            holders=car.transfer_count + 1, holder=car.holder, holder_name=car.holder_name,
            title_since_ms=car.title_since_ms,
            usage_brands=tuple(b.code for b in car.brands if b.code in usages and b.state != "annulled"),
            registration=car.registration,
            registrations=lines((r.face, r.body.country) for r in whole if isinstance(r.body, RegistrationRecord)),
            warranties=tuple(_warranties(ident, vehicle, reader, as_of)),
            batteries=tuple(_batteries(ident, vehicle, batteries, reader, as_of)),
            disputes=disputes,
            fraud_records=lines(
                (face, "") for face in faces if is_fraudulent(reader, face.author, face.event_at_ms, face.time_ms)
            ),
            late_records=lines((face, "") for face in faces if is_late(face)),
            conditions=tuple(conditions_of(reader, ident, vehicle_at(vehicle, now_ms), now_ms, as_of.rules)),
            material_changes=car.material_changes, material_root=car.material_root, record_count=car.record_count,
            records_read=len(records), withheld=len(own) - len(whole), nodes_word=NODES_WORD,
        )  # fmt: skip


def _odometer(vin: str, car: VehicleView, reader: Reader, as_of: AsOf) -> OdometerPart:
    leaf = readings_now(reader, vin, as_of.rules)
    newest = newest_counted(leaf)
    told = [segment for segment in leaf.segments if newest is not None and segment.from_event_ms <= newest.event_at_ms]
    return OdometerPart(
        unit=car.odometer_unit, verdict=leaf.verdict, sentence=VERDICTS[leaf.verdict], reasons=leaf.reasons,
        explanations=explained(leaf, car.odometer_unit), newest=car.odometer.newest,
        distance_metres=distance_of(leaf, newest) if newest is not None else 0, instruments=1 + len(told),
        is_distance_proven=all(segment.is_proven for segment in told),
        coverage_per_mille=coverage(leaf, car.covered_since_ms, as_of.now_ms), corrections=leaf.corrections,
    )  # fmt: skip


def own_records(vehicle: Vehicle, newest: Sequence[Told]) -> Sequence[Told]:
    """Those of the newest records that are not of a voided import of the VIN."""
    others = max(0, vehicle.first_sequence - (vehicle.record_count - len(newest))) if vehicle.first_sequence else 0
    return newest[others:]


def leads_parallel_life(vin: str, records: Iterable[DecodedRecord], reader: Reader) -> bool:
    """Whether one car can't have been at all the places of its last sightings and records in the time."""
    return has_parallel_life(_seen(vin, records, reader))


def _seen(vin: str, records: Iterable[DecodedRecord], reader: Reader) -> Sequence[Seen]:
    """Where the car was last, by its sightings and by the records that were made at a place of business."""
    sightings = reader.get(SIGHTINGS, vin) or NO_SIGHTINGS
    told = [
        (face, body) for face, _, body in records if isinstance(body, Report) and body.where.site and body.vin == vin
    ]
    last = sorted(told, key=lambda entry: entry[0].event_at_ms)[-SEEN_MAX:]
    seen = list(places_of(sightings))
    for face, body in last:
        site = site_of(reader.get(MEMBER, face.author), body.where.site)
        if site is not None:
            metres = None if body.odometer is None else to_metres(body.odometer.value, body.odometer.unit)
            seen.append(Seen(face.event_at_ms, site.latitude_e6, site.longitude_e6, metres))
    return sorted(seen, key=lambda place: place.at_ms)[-SEEN_MAX:]


def _warranties(vin: str, vehicle: Vehicle, reader: Reader, as_of: AsOf) -> Iterator[WarrantyView]:
    """Those that have not ended."""
    for number, warranty in enumerate(warranties_of(reader, vin, vehicle), 1):
        view = WarrantyView.of(warranty_ident(vin, number), warranty, reader, as_of)
        if view.status != "ended":
            yield view


def _batteries(
    vin: str, vehicle: Vehicle, idents: Iterable[str], reader: Reader, as_of: AsOf
) -> Iterator[BatteryView]:  # fmt: skip
    for ident in idents:
        battery = reader.get(BATTERY, ident)
        if battery is not None and is_in(battery.binding, vin, vehicle.first_sequence):
            yield BatteryView.of(ident, battery, reader, as_of)


def _disputes(
    life: Life, records: Iterable[DecodedRecord], reader: Reader, as_of: AsOf
) -> Iterator[DisputeView]:  # fmt: skip
    """Those that are open, also where their record was not read, and those that the records opened; oldest first."""
    opened = [record.face.txid for record in records if isinstance(record.body, RecordDisputeOpen)]
    idents = dict.fromkeys([*(entry.dispute for entry in life.disputes), *opened])
    found = [(ident, reader.get(RECORD_DISPUTE, ident)) for ident in idents]
    disputes = [DisputeView.of(ident.hex(), dispute, reader, as_of) for ident, dispute in found if dispute is not None]
    yield from sorted(disputes, key=lambda view: view.opened_at_ms)


def _lines(became: Mapping[int, str], told: Iterable[tuple[Face, str]]) -> RecordLines:
    """`told`: records, each with what is said of it. `became`: sequence to what became of the record."""
    lines = tuple(
        RecordLine(
            face.sequence, face.kind, face.event_at_ms, face.time_ms, face.author, face.author_name, what,
            became.get(face.sequence, ""),
        ) for face, what in told
    )  # fmt: skip
    return RecordLines(len(lines), lines[-LINES_MAX:])
