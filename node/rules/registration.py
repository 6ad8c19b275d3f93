"""Registration with an authority, import from outside the chain, and ways of title without a sale."""

from typing import Final

from node.rules.iso_codes import COUNTRIES

REGISTRATION_COUNTRIES: Final[frozenset[str]] = COUNTRIES | {"XK"}
"""Countries whose authorities register cars, and in which members are: ISO 3166-1, and XK for Kosovo, which has plates
of its own. XK is user-assigned; the European Union uses it."""
REGISTRATION_STATES: Final = ("none", "registered", "suspended", "deregistered", "export_pending", "exported")
"""Statuses of a car's registration in one country."""
REGISTRATION_KINDS: Final = ("permanent", "temporary", "trade")
"""Kinds of registration. `trade`: plates of a dealer or maker that move from car to car."""
REGISTRATION_USAGES: Final[dict[str, str]] = {
    "private": "", "company": "", "rental": "rental", "taxi": "taxi", "driving_school": "driving_school",
    "police": "police", "ambulance": "",
}  # fmt: skip
"""Usage -> the brand that it leaves, empty for none. Our decision."""
SUSPENSION_REASONS: Final = ("insurance", "tax", "inspection", "owner", "court", "recall")
REGISTRATION_END_REASONS: Final = ("owner", "export_confirmed", "total_loss", "theft", "scrapped", "official")
"""Reasons for the end of a registration. `scrapped` is derived from `vehicle.scrap`, never stated."""

ASSIGNMENT_REASONS: Final = ("gift", "inheritance", "court", "divorce", "repossession")
"""Reasons for moving the title without a sale."""

VEHICLE_ORIGINS: Final = ("born", "imported")
"""Origins of a vehicle. `born`: registered by its maker on this chain. `imported`: its history before a day is not on
this chain."""
IMPORT_GRADES: Final[dict[str, tuple[str, ...]]] = {
    "A": ("manufacturer",), "B": ("registrar",), "C": (), "D": (),
}  # fmt: skip
"""Grade of an imported history -> roles that sign beside dealer and inspector: A the maker confirms it, B a registry's
extract, C documents, D the inspection only. Our decision."""
HISTORY_KINDS: Final = (
    "first_registration", "registration", "deregistration", "inspection", "service", "repair", "damage", "sale",
    "odometer_reading",
)  # fmt: skip
"""Kinds of entries in a history before the chain. Our decision."""
