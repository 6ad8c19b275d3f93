"""Rulings: what the end of a dispute, or an amendment by the author, does to the car that the record is about.

`CONSEQUENCES` lists one function for each part of a car's state. A type whose records have an effect of its own adds a
function here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from node.ledger.overlay import Ledger
from node.rules.odometer import EXCLUDED, SUPERSEDED
from node.txtypes.vehicle.incidents import Incident
from node.txtypes.vehicle.life import LIFE
from node.txtypes.vehicle.odometer import is_verdict_change
from node.txtypes.vehicle.readings import ODOMETER, with_state
from node.txtypes.vehicle.regions import DUTIES_MAX, OFF_MARKET, Brand, BrandState, Duty, brand_state
from node.txtypes.vehicle.vehicle import Vehicle

RulingName = Literal["annulled", "retracted", "stands", "undecided"]


class Ruling(NamedTuple):
    """What was found of the record `sequence` of a car, which is a `kind`: arbiters annulled it, its author retracted
    it, it stands, or it is undecided whether. `may_clear`: a retraction ends confirmed effects too, since arbiters
    decided that the record is to be amended. `ground`: of the dispute, empty for an amendment."""

    name: RulingName
    vin: str
    sequence: int
    kind: str
    ground: str = ""
    standing: str = ""
    may_clear: bool = False

    @property
    def is_struck(self) -> bool:
        """Whether the record counts no more."""
        return self.name in ("annulled", "retracted")


Consequence = Callable[[Ledger, Ruling, Vehicle], Vehicle]


def _reading(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """Its reading counts no more, and the rest is judged anew."""
    leaf = ledger.get(ODOMETER, ruling.vin) if ruling.is_struck else None
    if leaf is None:
        return vehicle
    state = EXCLUDED if ruling.name == "annulled" else SUPERSEDED
    judged = with_state(leaf, ruling.sequence, state, ledger.rules)
    if judged != leaf:
        ledger.put(ODOMETER, ruling.vin, judged)
    return replace(vehicle, verdict=judged.verdict) if judged.verdict != vehicle.verdict else vehicle


def _brand_after(ruling: Ruling, state: BrandState) -> BrandState:
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
    """The brands that it was the last to tell."""
    changed = tuple(_brand(ledger, ruling, brand) for brand in vehicle.brands)
    return replace(vehicle, brands=changed) if changed != vehicle.brands else vehicle


def _brand(ledger: Ledger, ruling: Ruling, brand: Brand) -> Brand:
    if brand.sequence != ruling.sequence:
        return brand
    before = brand_state(brand, ledger.now_ms)
    after = _brand_after(ruling, before)
    return brand if after == before else replace(brand, state=after, disputed_until_ms=0)


def _flags(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """An annulled record's stop-flags are cleared; its author takes back provisional ones only."""
    kept = tuple(
        flag for flag in vehicle.flags
        if flag.sequence != ruling.sequence or (flag.is_firm and ruling.name != "annulled")
    )  # fmt: skip
    return replace(vehicle, flags=kept) if ruling.is_struck and kept != vehicle.flags else vehicle


def _inspection(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """The result of the last inspection, and what the record has cleared: its duties are open again."""
    if not ruling.is_struck:
        return vehicle
    if vehicle.inspection is not None and vehicle.inspection.sequence == ruling.sequence:
        vehicle = replace(vehicle, inspection=None)
    lost = [entry for entry in vehicle.clearances if entry.sequence == ruling.sequence]
    if not lost:
        return vehicle
    known = {duty.code for duty in vehicle.duties}
    owed = [
        Duty(entry.what, entry.sequence, 0) for entry in lost
        if entry.what in ("rebuild", "structural_release") and entry.what not in known
    ]  # fmt: skip
    kept = tuple(entry for entry in vehicle.clearances if entry not in lost)
    return replace(vehicle, clearances=kept, duties=(*vehicle.duties, *owed)[:DUTIES_MAX])


def _incidents(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """An incident that no other report tells of falls with its report, and stands with it."""
    life = ledger.get(LIFE, ruling.vin)
    if life is None or ruling.name == "undecided":
        return vehicle
    incidents = tuple(_incident(ruling, incident) for incident in life.incidents)
    if incidents != life.incidents:
        ledger.put(LIFE, ruling.vin, replace(life, incidents=incidents))
    return vehicle


def _incident(ruling: Ruling, incident: Incident) -> Incident:
    if incident.sequence != ruling.sequence or incident.reports > 1 or incident.state == "annulled":
        return incident
    return replace(incident, state="annulled" if ruling.is_struck else "confirmed")


def _counters(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """Service that was not done is not counted."""
    if ruling.is_struck and ruling.kind == "maintenance.record":
        return replace(vehicle, maintenance_count=max(vehicle.maintenance_count - 1, 0))
    return vehicle


def _identity(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Vehicle:
    """An import that the maker has shown to be of another car is void."""
    is_void = ruling.name == "annulled" and ruling.kind == "vehicle.import" and ruling.ground == "false_identity"
    if is_void and ruling.standing == "maker":
        return replace(vehicle, existence="voided", market=OFF_MARKET)
    return vehicle


CONSEQUENCES: Final[tuple[Consequence, ...]] = (
    _reading, _brands, _flags, _inspection, _incidents, _counters, _identity,
)  # fmt: skip
"""In this order: each takes the vehicle as the one before it leaves it."""


class Ruled(NamedTuple):
    """The vehicle after a ruling, and whether a buyer has to know."""

    vehicle: Vehicle
    is_material: bool


def carry_out(ledger: Ledger, ruling: Ruling, vehicle: Vehicle) -> Ruled:
    """Every consequence of a ruling. It is material where it changes what a buyer was told: brands, stop-flags, duties,
    the verdict, an incident, the car's existence."""
    before, incidents = vehicle, _incidents_of(ledger, ruling.vin)
    for consequence in CONSEQUENCES:
        vehicle = consequence(ledger, ruling, vehicle)
    is_told = (before.brands, before.flags, before.duties, before.existence, incidents) != (
        vehicle.brands, vehicle.flags, vehicle.duties, vehicle.existence, _incidents_of(ledger, ruling.vin),
    )  # fmt: skip
    return Ruled(vehicle, is_told or is_verdict_change(before, vehicle))


def _incidents_of(ledger: Ledger, vin: str) -> tuple[Incident, ...]:
    life = ledger.get(LIFE, vin)
    return life.incidents if life is not None else ()
