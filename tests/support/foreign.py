"""Cars from elsewhere, parts that move between cars, and sightings, as bodies for tests."""

from __future__ import annotations

import msgspec

from node.txtypes.parts.battery import BatteryBind, BatteryHealth
from node.txtypes.parts.parts import PartBind
from node.txtypes.parts.software import SoftwareUpdate, Update
from node.txtypes.vehicle.imports import VehicleImport
from node.txtypes.vehicle.record import Content, StoredRecord, stored_record
from node.txtypes.vehicle.sighting import VehicleSighting
from node.txtypes.vehicle.vehicle import VEHICLE
from support.chain import Chain, address
from support.life import VIN, km, where
from support.specimens import Readable, specimen

FOREIGN = "JTDKB20U093512345"
"""A car of a maker that is not on this chain."""
TWO, THREE, FOUR, FIVE, SIX = (f"WBA8E9G50GNU2000{n}" for n in range(5))


def imported(chain: Readable, vin: str = FOREIGN, **changes) -> VehicleImport:
    """A car of a later year than the specimen's was registered in that year, and has no history."""
    if (year := changes.get("produced_year", 0)) > 2019:
        changes = dict(first_registered_on=f"{year}-01-01", history=()) | changes
    parties = {
        name: address(value) if isinstance(value, str) else value
        for name, value in changes.items() if name in ("holder", "inspector", "confirmed_by")
    }  # fmt: skip
    return specimen("vehicle.import", chain, vin=vin, **dict(where=where(model="PRIUS")) | changes | parties)


def seen(chain: Readable, vin: str = VIN, **changes) -> VehicleSighting:
    return specimen("vehicle.sighting", chain, vin=vin, **changes)


def part(chain: Readable, vin: str = VIN, action: str = "fit", **changes) -> PartBind:
    tail = dict(odometer=km(100), where=where())
    return specimen("part.bind", chain, vin=vin, action=action, **tail | changes)


def battery(chain: Readable, vin: str = VIN, action: str = "fit", value: int = 100, **changes) -> BatteryBind:
    tail = dict(odometer=km(value), where=where())
    return specimen("battery.bind", chain, vin=vin, action=action, **tail | changes)


def health(chain: Readable, soh: int, vin: str = VIN, value: int = 100, **changes) -> BatteryHealth:
    tail = dict(odometer=km(value), where=where())
    return specimen("battery.health", chain, vin=vin, soh=soh, **tail | changes)


def updated(chain: Readable, *updates: tuple[str, str, str], vin: str = VIN, **changes) -> SoftwareUpdate:
    tail = dict(odometer=km(100), where=where())
    return specimen("software.update", chain, vin=vin, updates=tuple(Update(*u) for u in updates), **tail | changes)


def outcome_of(chain: Chain, vin: str, sequence: int = -1) -> list[str]:
    """The outcome codes of a record, by default of the last, without the verdict."""
    last = chain.state(VEHICLE, vin).record_count - 1
    stored: StoredRecord = stored_record(chain.store.state.record(vin, last if sequence < 0 else sequence))
    found = msgspec.msgpack.decode(stored.content, type=Content).outcome
    return [code for code in found if not code.startswith("verdict:")]
