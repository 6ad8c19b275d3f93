"""Odometer readings of vehicles: the state family, and what every record with a reading checks and adds.

A reading is stored and judged, never refused for its value: refusing destroys the evidence and lets one typing error
lock out honest readings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from node import limits
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Odometer
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.odometer import DECLARED, INDEPENDENT, SOURCE_CODES, to_metres
from node.txtypes.vehicle.readings import NO_READINGS, NewReading, Readings, activity_of, with_reading

if TYPE_CHECKING:
    from node.txtypes.vehicle.vehicle import Vehicle

ODOMETER_MISSING = Guard("odometer_missing", "an odometer reading is missing", "ein Kilometerstand fehlt",
                         "缺少里程读数")  # fmt: skip
UNIT_DIFFERS = Guard("unit_differs", "the odometer counts in another unit",
                     "der Kilometerzähler hat eine andere Einheit", "里程单位不符")  # fmt: skip
READINGS_TODAY = Guard("readings_today", "too many readings of this author today",
                       "zu viele Ablesungen dieses Autors heute", "该作者当日读数过多")  # fmt: skip
ODOMETER = Family("odometer", Readings, ident=VIN_IDENT)


def check_reading(ledger: Ledger, vin: str, odometer: Odometer | None, vehicle: Vehicle | None) -> None:
    """Notes a missing reading, a wrong unit, or too many of this author today."""
    if odometer is None:
        ledger.unmet(ODOMETER_MISSING, vin)
        return
    if vehicle is None:
        return
    if odometer.unit != vehicle.odometer_unit:
        ledger.unmet(UNIT_DIFFERS, vin, odometer.unit, vehicle.odometer_unit)
    today, _ = activity_of(ledger.get(ODOMETER, vin) or NO_READINGS, ledger.sender, ledger.now_ms)
    if today >= limits.READINGS_PER_AUTHOR_AND_DAY_MAX:
        ledger.unmet(READINGS_TODAY, vin, today, f"at most {limits.READINGS_PER_AUTHOR_AND_DAY_MAX} a day")


def add_reading(
    ledger: Ledger, vin: str, vehicle: Vehicle, odometer: Odometer, event_at_ms: int, *, is_declared: bool = False
) -> Vehicle:
    """Store and judge a reading that the vehicle's *next* record contains; returns the vehicle with its verdict."""
    new = NewReading(
        event_at_ms, to_metres(odometer.value, odometer.unit), vehicle.record_count,
        DECLARED if is_declared else INDEPENDENT, SOURCE_CODES[odometer.source],
    )  # fmt: skip
    earlier = ledger.get(ODOMETER, vin) or NO_READINGS
    judged = with_reading(earlier, new, ledger.sender, "", ledger.now_ms, ledger.rules)
    ledger.put(ODOMETER, vin, judged)
    if judged.verdict == vehicle.verdict:
        return vehicle
    is_first_verdict = judged.verdict == "LOGICAL" and vehicle.verdict == "NO_VERDICT"
    material_changes = vehicle.material_changes + (0 if is_first_verdict else 1)
    return replace(vehicle, verdict=judged.verdict, material_changes=material_changes)


def verdict_outcome(vehicle: Vehicle) -> str:
    """The verdict as an outcome code of a record."""
    return f"verdict:{vehicle.verdict}"
