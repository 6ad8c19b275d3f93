"""`maintenance.record`: a workshop has serviced a car."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.example import Example
from node.ledger.fields import Attachments, Code, Odometer, Serial, Service, Time, Vin
from node.ledger.overlay import Ledger
from node.txtypes.members.member import Roles
from node.txtypes.vehicle.odometer import verdict_outcome
from node.txtypes.vehicle.record import VehicleRecord
from node.txtypes.vehicle.vehicle import Vehicle


class Part(Value, frozen=True):
    """A part that was fitted."""

    number: Code
    quantity: Annotated[int, Meta(ge=1, le=999)]
    is_original: bool
    serial: Serial | None


class Due(Value, frozen=True):
    """When the next service is due: a distance in the vehicle's unit, a time, or both; 0 is none."""

    odometer: Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]
    at_ms: Time


class MaintenanceRecord(VehicleRecord, tag="maintenance.record", frozen=True):
    """Service that a workshop has carried out."""

    vin: Vin
    services: Annotated[tuple[Service, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    parts: Annotated[tuple[Part, ...], Meta(max_length=limits.LIST_MAX)]
    odometer: Odometer
    event_at_ms: Time
    next_due: Due
    attachments: Attachments
    weight: ClassVar[int] = 120
    by: ClassVar[Roles] = Roles("workshop")
    headline: ClassVar[tuple[str, ...]] = ("services", "odometer")
    EXAMPLE: ClassVar[Example] = Example(
        "workshop-berlin",
        {
            "vin": "WBA8E9G50GNU12345",
            "services": ["ENGINE_OIL"],
            "parts": [{"number": "11428575211", "quantity": 1, "is_original": True, "serial": None}],
            "odometer": {"value": 12_000, "unit": "km", "source": "cluster"},
            "event_at": "now",
            "next_due": {"odometer": 30_000, "at": "+730d"},
            "attachments": [],
        },
    )

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        serviced = replace(vehicle, maintenance_count=vehicle.maintenance_count + 1)
        return serviced, (verdict_outcome(vehicle),)
