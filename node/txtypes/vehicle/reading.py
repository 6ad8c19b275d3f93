"""`odometer.read`: a reading on its own."""

from __future__ import annotations

from typing import ClassVar

from node.ledger.example import Example
from node.ledger.fields import Odometer, Time, Vin
from node.ledger.overlay import Ledger
from node.rules.odometer import Context
from node.txtypes.members.member import Roles
from node.txtypes.vehicle.odometer import verdict_outcome
from node.txtypes.vehicle.record import VehicleRecord
from node.txtypes.vehicle.vehicle import Vehicle


class OdometerRead(VehicleRecord, tag="odometer.read", frozen=True):
    """A reading on its own, by any accredited writer."""

    vin: Vin
    odometer: Odometer
    event_at_ms: Time
    context: Context
    by: ClassVar[Roles] = Roles(
        "manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "carrier"
    )
    headline: ClassVar[tuple[str, ...]] = ("odometer", "context")
    EXAMPLE: ClassVar[Example] = Example(
        "inspector-1",
        {
            "vin": "WBA8E9G50GNU12345",
            "odometer": {"value": 12_000, "unit": "km", "source": "cluster"},
            "event_at": "now",
            "context": "inspection",
        },
    )

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        return vehicle, (verdict_outcome(vehicle),)
