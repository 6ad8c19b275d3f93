"""Alerts that the chain raises by itself, and the events that a buyer must know of."""

from typing import Final

ALERT_STATES: Final = ("reported", "confirmed", "closed")
"""`reported`: shown. `confirmed`: by a second author, police, registrar or inspector; material. `closed`: by police,
registrar or a decision; it stays visible."""
ALERT_REASONS: Final = ("mistaken", "explained", "settled")
"""Why an alert is closed. `mistaken`: what was reported is wrong. `explained`: it is right, and no contradiction.
`settled`: what it warned of is over, as a part that is in one car again. Our decision."""
ALERTS: Final[dict[str, str]] = {
    "clone_vin": "reported",
    "alive_after_scrap": "reported",
    "alive_after_void": "reported",
    "birth_after_import": "reported",
    "double_registration": "confirmed",  # two registrars stand for it
    "export_unconfirmed": "reported",
    "late_disclosure": "confirmed",  # the dates of the two records prove it
    "part_elsewhere": "reported",
    "part_from_stolen": "reported",
    "battery_elsewhere": "reported",
}
"""Alert -> the state in which it is raised. A car has at most one of each. Our decision."""

MATERIAL_EVENTS: Final = (
    "incident", "structural_repair", "brand", "flag", "recall", "verdict", "odometer_replaced", "total_loss", "rebuilt",
    "scrapped", "voided", "registration_claim", "registration_end", "alert_confirmed", "dispute_decided",
    "late_disclosure",
)  # fmt: skip
"""Events after which an offer is stale. An oil change, a reading or an opened dispute is none of them, nor what ends a
trouble. `flag`: set, also by an inspector alone. `recall`: not of the class `quality`. `verdict`: a worse one.
`dispute_decided`: by which something is so that was not so before. Our decision."""
