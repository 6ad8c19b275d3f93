"""The vehicle: the state value of a car, and its view.

Its regions (see `regions`) are independent. A summary for people is derived, never stored.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.ledger.caution import Caution
from node.ledger.family import ADDRESS_IDENT, VIN_IDENT, AsOf, Family, Ident, Index, Reader, View, extended, extension
from node.ledger.fields import (
    Address,
    Code,
    Day,
    Hash32,
    Height,
    OptionalTime,
    Stored,
    Time,
    Vin,
)
from node.ledger.json_form import time_to_text
from node.ledger.ruleset import Ruleset
from node.limits import TIME_MAX_MS
from node.rules.alerts import ALERTS
from node.rules.odometer import Unit, Verdict
from node.rules.stop_flags import STOP_FLAGS
from node.txtypes.members.member import frauds_since, name_of
from node.txtypes.vehicle.brands import BRANDS_MAX, Brand, Loss, brand_at, brand_state, with_brand
from node.txtypes.vehicle.life import LIFE, disputes_at
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, Explanation, Readings, newest_counted, without_authors
from node.txtypes.vehicle.regions import (
    ALERTS_MAX,
    DUTIES_MAX,
    FLAGS_MAX,
    IN_USE,
    NOBODY,
    RECALLS_MAX,
    Alert,
    Clearance,
    Duty,
    Flag,
    Inspection,
    Market,
    OpenRecall,
    Registration,
    flags_at,
    is_retest_overdue,
    market_at,
    next_lapse_ms,
    raise_alert,
    registration_lapses,
)

Existence = Literal["born", "in_service", "total_loss", "rebuilt", "scrapped", "voided"]
VinScheme = Literal["EU", "NA", "CN"]


class Vehicle(Value, tag=1, frozen=True):
    """A car: its maker's registration, the regions of its state, and the head of its record chain; at most 12 KiB."""

    maker: Address
    model: Stored[Code]
    configuration: tuple[Stored[Code], ...]
    plant: Stored[Code]
    produced_on: Stored[Day]
    powertrain: str
    odometer_unit: Unit
    vin_scheme: str
    born_at_ms: Time
    born_height: Height
    existence: Existence
    """A total loss is not stored here: see `existence_now`."""
    origin: Literal["born", "imported"]
    grade: str
    """How well the earlier life of an imported car is documented, A to D; empty for a car that was born on this
    chain."""
    covered_since_ms: Time
    """The time from which this chain has the car's history."""
    ended_at_ms: OptionalTime
    """When the car was scrapped, or its import voided; 0 for neither."""
    registration: Registration
    holder: Address
    title_since_ms: Time
    market: Market
    flags: Annotated[tuple[Flag, ...], Meta(max_length=FLAGS_MAX)]
    brands: Annotated[tuple[Brand, ...], Meta(max_length=BRANDS_MAX)]
    recalls: Annotated[tuple[OpenRecall, ...], Meta(max_length=RECALLS_MAX)]
    duties: Annotated[tuple[Duty, ...], Meta(max_length=DUTIES_MAX)]
    alerts: Annotated[tuple[Alert, ...], Meta(max_length=ALERTS_MAX)]
    inspection: Inspection | None
    loss: Loss | None
    clearances: Annotated[tuple[Clearance, ...], Meta(max_length=4)]
    warranties: Annotated[int, Meta(ge=0, le=16)]
    """The number of warranties that the car has had; from 16 on, a new one has the number of one that is long over."""
    verdict: Verdict
    """The odometer's verdict when a reading was last written (see `verdict_now`)."""
    record_count: int
    first_sequence: int
    """The sequence of the car's own first record; those before it are of a voided import of its VIN."""
    history_head: Hash32
    maintenance_count: int
    accident_count: int
    transfer_count: int
    material_changes: int
    """The number of material records, which a buyer has to acknowledge."""
    material_head: Hash32
    """`H("bmw/material", head || sequence || digest)` over the material records, the sequence as 8 bytes."""
    material_author: Annotated[bytes, Meta(max_length=20)]
    """The sender of the newest material record, empty for none."""


def market_of(vehicle: Vehicle, now_ms: int) -> Market:
    """The vehicle's market region as it counts now, for every guard and every answer (see `market_at`)."""
    return market_at(vehicle.market, now_ms)


def vehicle_at(vehicle: Vehicle, now_ms: int) -> Vehicle:
    """The vehicle at a time: its registration after what time alone has changed, and the alerts and the brand that
    follow. An export that nobody confirms raises an alert; so does a claim that takes effect while another country
    still has the car."""
    if not next_lapse_ms(vehicle.registration):
        return vehicle
    for at_ms, after in registration_lapses(vehicle.registration, now_ms):
        before, alerts = vehicle.registration, vehicle.alerts
        if after.status == "exported":
            alerts = raise_alert(alerts, "export_unconfirmed", NOBODY, before.sequence, at_ms)
        elif before.claim is not None and after.claim is None:
            claim = before.claim
            if before.status in IN_USE:
                alerts = raise_alert(
                    alerts, "double_registration", NOBODY, claim.sequence, at_ms, is_confirmed=True
                )  # fmt: skip
            vehicle = with_usage(vehicle, claim.brand, at_ms, claim.sequence)
        vehicle = replace(vehicle, registration=after, alerts=alerts)
    return vehicle


def with_usage(vehicle: Vehicle, brand: str, now_ms: int, sequence: int) -> Vehicle:
    """The vehicle with the brand of its usage, if that leaves one."""
    if not brand:
        return vehicle
    return replace(vehicle, brands=with_brand(vehicle.brands, brand, now_ms, sequence, is_confirmed=True))


def existence_now(vehicle: Vehicle, now_ms: int) -> Existence:
    """The car's existence as it counts now, for every guard and every answer. A total loss counts once it is confirmed,
    by time too, until the car is rebuilt, scrapped or voided."""
    is_lost = vehicle.loss is not None and brand_state(vehicle.loss, now_ms) == "confirmed"
    return "total_loss" if is_lost and vehicle.existence not in ("scrapped", "voided") else vehicle.existence


def readings_now(reader: Reader, vin: str, rules: Ruleset) -> Readings:
    """The readings as they count now, without those of authors that have been listed for fraud."""
    leaf = reader.get(ODOMETER, vin)
    if leaf is None:
        return NO_READINGS
    frauds = frauds_since(reader)
    return without_authors(leaf, frauds, rules) if frauds else leaf


def verdict_now(reader: Reader, vin: str, vehicle: Vehicle, rules: Ruleset) -> Verdict:
    """The odometer's verdict as it counts now (see `readings_now`)."""
    return readings_now(reader, vin, rules).verdict if frauds_since(reader) else vehicle.verdict


def material_root(vin: str, vehicle: Vehicle) -> bytes:
    """A hash of everything that a sale depends on: `H("bmw/material-root", encode([vin, holder, transfer_count, origin,
    grade, covered_since, material_changes, material_head]))`."""
    return tagged("bmw/material-root", encode([
        vin, vehicle.holder, vehicle.transfer_count, vehicle.origin, vehicle.grade, vehicle.covered_since_ms,
        vehicle.material_changes, vehicle.material_head,
    ]))  # fmt: skip


# --- the view ---------------------------------------------------------------------------------------------
class FlagView(Flag, frozen=True):
    """A stop-flag with the operations that it blocks."""

    blocks: tuple[str, ...]
    setter_name: str


class BrandView(Brand, frozen=True):
    """A brand, and its state as it counts now."""


class NewestReading(View, frozen=True):
    """The newest accredited reading in event time."""

    metres: int
    event_at_ms: Time
    sequence: int


class OdometerView(View, frozen=True):
    """The reasons of the odometer's verdict, and the mistakes that would explain contradicting readings. `outliers`:
    sequences of records whose distance is more than a car can cover in the time."""

    reasons: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    outliers: tuple[int, ...]
    readings: int
    newest: NewestReading | None


class VehicleView(Vehicle, frozen=True):
    """A vehicle as it counts now. `summary`: one word for people; `material_root`: see `material_root`."""

    vin: Vin
    summary: str
    maker_name: str
    holder_name: str
    flags: tuple[FlagView, ...]
    brands: tuple[BrandView, ...]
    odometer: OdometerView
    history_notice: str
    disputes_open: int
    material_root: Hash32

    @staticmethod
    def of(ident: str, vehicle: Vehicle, reader: Reader, as_of: AsOf) -> VehicleView:
        now_ms, rules = as_of
        vehicle = vehicle_at(vehicle, now_ms)
        return _shown(
            vehicle, vin=ident, summary=summary(vehicle, now_ms), existence=existence_now(vehicle, now_ms),
            maker_name=name_of(reader, vehicle.maker), holder_name=name_of(reader, vehicle.holder),
            market=market_of(vehicle, now_ms), verdict=verdict_now(reader, ident, vehicle, rules),
            flags=tuple([_flag_view(flag, reader, rules) for flag in flags_at(vehicle.flags, now_ms)]),
            brands=brand_views(vehicle, now_ms), odometer=_odometer_view(readings_now(reader, ident, rules)),
            history_notice=history_notice(vehicle), disputes_open=len(disputes_at(reader.get(LIFE, ident), now_ms)),
            material_root=material_root(ident, vehicle),
        )  # fmt: skip


_shown = extension(
    VehicleView, "vin", "summary", "existence", "maker_name", "holder_name", "market", "verdict", "flags", "brands",
    "odometer", "history_notice", "disputes_open", "material_root",
)  # fmt: skip


def history_notice(vehicle: Vehicle) -> str:
    """A notice about the earlier life of an imported car, for every answer about it; no answer says that this life was
    free of accidents. Empty for a car that was born on this chain."""
    if vehicle.origin == "born":
        return ""
    return f"history before {time_to_text(vehicle.covered_since_ms)[:10]} is not on this chain (grade {vehicle.grade})"


def open_alerts(vehicle: Vehicle) -> list[str]:
    return [alert.code for alert in vehicle.alerts if alert.state != "closed"]


def brand_views(vehicle: Vehicle, now_ms: int) -> tuple[BrandView, ...]:
    """The vehicle's brands with their states now."""
    brands = vehicle.brands
    return tuple([extended(BrandView, brand_at(brand, now_ms)) for brand in brands]) if brands else ()


def blocks_of(flag: Flag, rules: Ruleset) -> tuple[str, ...]:
    """The operations that a stop-flag blocks."""
    blocks = rules.tables.stop_flags[flag.name].blocks
    return blocks if flag.is_firm else tuple(b for b in blocks if b in rules.tables.stop_flag_provisional_blocks)


def _flag_view(flag: Flag, reader: Reader, rules: Ruleset) -> FlagView:
    return extended(FlagView, flag, blocks=blocks_of(flag, rules), setter_name=name_of(reader, flag.setter))


def _odometer_view(value: Readings) -> OdometerView:
    newest = newest_counted(value)
    view = None if newest is None else NewestReading(newest.metres, newest.event_at_ms, newest.sequence)
    return OdometerView(value.reasons, value.explanations, value.outliers, len(value.readings), view)


def summary(vehicle: Vehicle, now_ms: int) -> str:
    """One word for people, derived from the regions, the most important first."""
    if flags := flags_at(vehicle.flags, now_ms):
        names = {flag.name for flag in flags}
        for name in (
            "stolen", "identity_suspect", "court_hold", "title_dispute", "unroadworthy", "recall_do_not_drive"
        ):  # fmt: skip
            if name in names:
                return name
    if is_retest_overdue(vehicle.inspection, now_ms):
        return "unroadworthy"
    existence = existence_now(vehicle, now_ms)
    if existence in ("scrapped", "voided", "total_loss"):
        return existence
    market = market_of(vehicle, now_ms)
    if market.status != "off":
        return market.status
    return "new" if vehicle.existence == "born" else "in_use"


ODOMETER_CONTRADICTION = Caution(
    "odometer_contradiction",
    "the odometer readings would contradict each other: compare the reading with the instrument; a sale then needs "
    "odometer to be disclosed",
    "die Kilometerstände würden sich widersprechen: die Ablesung mit dem Instrument vergleichen; für einen Verkauf "
    "muss dann odometer offengelegt werden",
    "里程读数将互相矛盾：请与仪表核对；此后出售须披露 odometer",
)


def _cautions(old: Vehicle | None, new: Vehicle | None) -> tuple[Caution, ...]:
    is_contradicted = old is not None and new is not None and old.verdict != new.verdict in ("CONTESTED", "ILLOGICAL")
    return (ODOMETER_CONTRADICTION,) if is_contradicted else ()


RECALL_IDENT = Ident("a campaign's id: <manufacturer>-<campaign>", r"[0-9a-f]{40}-[A-Z0-9][A-Z0-9._-]{0,39}")
VEHICLE = Family(
    "vehicle", Vehicle, ident=VIN_IDENT,
    indexes=(
        Index("holder", lambda car: (car.holder.hex(),), ADDRESS_IDENT, description="holder of the title"),
        Index("alert", lambda car: open_alerts(vehicle_at(car, TIME_MAX_MS)),
              Ident("an alert", "[a-z_]{1,40}", tuple(ALERTS)),
              lambda vin, car, code, reader, as_of: code in open_alerts(vehicle_at(car, as_of.now_ms)),
              "an alert that is reported or confirmed"),
        Index("flag", lambda car: sorted({flag.name for flag in car.flags}),
              Ident("a stop-flag", "[a-z_]{1,40}", tuple(STOP_FLAGS)),
              lambda vin, car, name, reader, as_of: any(f.name == name for f in flags_at(car.flags, as_of.now_ms)),
              "a stop-flag that has not lapsed"),
        Index("recall", lambda car: [f"{recall.maker.hex()}-{recall.campaign}" for recall in car.recalls],
              RECALL_IDENT, description="campaign of a recall that is open on the car"),
    ),
    indexed=("holder", "alerts", "registration", "flags", "recalls"),
    concerns=lambda vin, vehicle: (f"vehicle/{vin}", f"account/{vehicle.holder.hex()}"), path="/v1/vehicles",
    view=VehicleView, cautions=_cautions,
    internal=(
        "vin", "born_height", "title_since", "record_count", "first_sequence", "history_head",
        "odometer.readings", "odometer.newest.sequence",
    ),
)  # fmt: skip
