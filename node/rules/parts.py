"""Parts that are bound to a car, batteries and their health, software."""

from typing import Final, NamedTuple

PART_CLASSES: Final = (
    "engine", "gearbox", "hv_battery", "airbag", "control_unit", "cluster", "steering", "headlight", "catalyst",
)  # fmt: skip
"""Parts with a serial number whose way from car to car is worth knowing. Our decision. That airbags and catalysts are
what is stolen: seen in reports of police and insurers in the United States (scpr.org 2012, NICB)."""
PART_ACTIONS: Final = ("fit", "remove")
PART_SOURCES: Final = ("new", "remanufactured", "used", "unknown")
"""Origins of a fitted part. A used one without a donor is unproven."""

BATTERY_STATES: Final = ("original", "reused", "repurposed", "remanufactured", "waste")
"""Status of a battery: Regulation (EU) 2023/1542, Annex XIII, 4(c), "original, repurposed, re-used, remanufactured or
waste". Seen in Catena-X's digital product passport 5.0.0."""
BATTERY_METHODS: Final = ("bms_soce", "measured_charge", "tester", "telematics")
"""Methods of a state of health. `bms_soce`: the state of certified energy that UN GTR 22 has the car compute."""


class BatteryFloor(NamedTuple):
    """The least state of health that the law requires: `per_mille`, until `years` or `distance_km`, whichever comes
    first."""

    years: int
    distance_km: int
    per_mille: int


BATTERY_FLOORS: Final = (BatteryFloor(5, 100_000, 800), BatteryFloor(8, 160_000, 720))
"""Euro 7, Regulation (EU) 2024/1257: 80 % and 72 % for cars (vans 75 % and 67 %). Seen in reports on its adoption."""
BATTERY_RISE_MAX_PER_MILLE: Final = 30
"""A state of health that rises by more without a fitted or recalibrated battery is implausible. Our decision."""

RXSWIN_PATTERN: Final = r"R[0-9]{1,3}SWIN[A-Z0-9._-]{0,24}"
"""Software identification number of a UN Regulation (UN R156): R, number of the Regulation, SWIN; the rest is the
maker's. Seen: R157SWIN in UN R157; globalautoregs.com explains X of RXSWIN as the number of the Regulation."""
SOFTWARE_SYSTEMS: Final = (
    "engine", "electric_drive", "transmission", "hv_battery", "charging", "braking", "steering", "suspension",
    "airbags", "driver_assistance", "automated_driving", "lighting", "body", "cluster", "infotainment",
    "connectivity", "gateway",
)  # fmt: skip
"""Systems of a car whose software is versioned. Our decision."""
