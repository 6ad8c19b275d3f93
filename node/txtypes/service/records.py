"""`maintenance.record` records service by a workshop; `odometer.read` records a reading on its own."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.example import Example
from node.ledger.fields import Code, OptionalTime, Serial, Service, Vin
from node.ledger.overlay import Ledger
from node.rules.odometer import Context
from node.txtypes.vehicle.odometer import ACCREDITED
from node.txtypes.vehicle.readings import is_backfilled
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import Vehicle


class Part(Value, frozen=True):
    """A part that was fitted."""

    number: Code
    quantity: Annotated[int, Meta(ge=1, le=999)]
    is_original: bool
    serial: Serial | None


class Due(Value, frozen=True):
    """When the next service is due: at a distance in the vehicle's unit, at a time, or both. 0 is none."""

    odometer: Annotated[int, Meta(ge=0, le=limits.ODOMETER_MAX)]
    at_ms: OptionalTime


class MaintenanceRecord(Report, tag="maintenance.record", frozen=True):
    """Record service that a workshop has carried out."""

    vin: Vin
    services: Annotated[tuple[Service, ...], Meta(min_length=1, max_length=limits.LIST_MAX)]
    parts: Annotated[tuple[Part, ...], Meta(max_length=limits.LIST_MAX)]
    next_due: Due
    weight: ClassVar[int] = 145
    by: ClassVar[Author] = Author("workshop")
    headline: ClassVar[tuple[str, ...]] = ("services", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "services": ["ENGINE_OIL"],
        "parts": [{"number": "11428575211", "quantity": 1, "is_original": True, "serial": None}],
        "next_due": {"odometer": 30_000, "at": "+730d"},
        "odometer": {"value": 12_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        """The effect of a service. A service of long ago is shown and not counted: a service book can be written in an
        hour."""
        if is_backfilled((ledger.now_ms - self.event_at_ms) // 1_000):
            return Effect(vehicle)
        return Effect(replace(vehicle, maintenance_count=vehicle.maintenance_count + 1))


class OdometerRead(Report, tag="odometer.read", frozen=True):
    """Record an odometer reading on its own, by any accredited writer."""

    vin: Vin
    context: Context
    by: ClassVar[Author] = Author(*ACCREDITED)
    headline: ClassVar[tuple[str, ...]] = ("odometer", "context")
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "WBA8E9G50GNU12345", "context": "inspection",
        "odometer": {"value": 12_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "INS-1", "vin_source": "scan", "model_seen": "330I"},
    })  # fmt: skip
