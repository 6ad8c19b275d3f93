"""Clearances whose record is struck: what they have lifted is open again."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from node.ledger.overlay import Ledger
from node.txtypes.disputes.dispute import is_struck
from node.txtypes.vehicle.brands import records_of
from node.txtypes.vehicle.regions import Clearance, flags_at, with_duty
from node.txtypes.vehicle.vehicle import Vehicle

RELEASING: Final = ("rebuild", "structural_release")
"""Clearances that end the duties of structural repairs."""


def without_clearances(ledger: Ledger, vin: str, vehicle: Vehicle, sequence: int) -> Vehicle:
    """The vehicle without the clearances by the record `sequence`: the duties, the fail and the flag that they have
    ended are back."""
    lost = [entry for entry in vehicle.clearances if entry.sequence == sequence]
    if not lost:
        return vehicle
    duties, now = vehicle.duties, ledger.now_ms
    for entry in lost:
        if entry.what == "rebuild" or entry.what == "structural_release":
            duties = with_duty(duties, entry.what, sequence, now, now)
        vehicle = _as_found_before(ledger, vin, vehicle, entry)
    kept = tuple(entry for entry in vehicle.clearances if entry not in lost)
    return replace(vehicle, clearances=kept, duties=duties)


def _as_found_before(ledger: Ledger, vin: str, vehicle: Vehicle, lost: Clearance) -> Vehicle:
    """The vehicle with the fail and the flag that a struck record has ended, unless their own record is struck or the
    car has others."""
    failed, flag = lost.failed, lost.flag
    if failed is not None and vehicle.inspection is None and not is_struck(ledger, vin, failed.sequence):
        vehicle = replace(vehicle, inspection=failed)
    is_flagged = flag is not None and any(entry.name == flag.name for entry in flags_at(vehicle.flags, ledger.now_ms))
    if flag is not None and not is_flagged and not is_struck(ledger, vin, flag.sequence):
        flags = (*flags_at(vehicle.flags, ledger.now_ms), flag)
        vehicle = replace(vehicle, flags=tuple(sorted(flags, key=lambda entry: (entry.name, entry.setter))))
    return vehicle


def unreleased(vehicle: Vehicle, sequence: int) -> list[int]:
    """The structural repairs besides the record `sequence` that count, as far as the brand knows them, and that no
    inspection has released since."""
    released = max((entry.sequence for entry in vehicle.clearances if entry.what in RELEASING), default=-1)
    known = records_of(vehicle.brands, "structural_repair")
    return [record for record in known if record != sequence and record > released]
