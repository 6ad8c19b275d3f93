"""Brands: lasting marks of a car, as title brands are in North America, and which roles may leave each.

The numbers are those of the ANSI D20 data dictionary of AAMVA, which NMVTIS uses. Seen in NIEM 2.0 to 3.2,
`BrandCodeSimpleType`: all of 00 to 78 with their English names.
"""

from typing import Final, NamedTuple


class BrandRule(NamedTuple):
    """The rule of one brand. `d20`: number of ANSI D20, empty for a brand of our own. `set_by`: roles whose record
    leaves the brand. `is_pendable`: it is pending if a single writer reports it. `is_final`: the car can never be
    rebuilt."""

    d20: str
    set_by: tuple[str, ...]
    is_pendable: bool
    is_final: bool = False


_DAMAGE: Final = ("workshop", "inspector", "insurer", "police")
_INSURANCE: Final = ("insurer", "registrar")

BRANDS: Final[dict[str, BrandRule]] = {
    # what happened to the car
    "flood_fresh": BrandRule("01", _DAMAGE, True),
    "fire": BrandRule("02", _DAMAGE, True),
    "hail": BrandRule("03", _DAMAGE, True),
    "flood_salt": BrandRule("04", _DAMAGE, True),
    "vandalism": BrandRule("05", _DAMAGE, True),
    "collision_structural": BrandRule("14", _DAMAGE, True),
    "hv_battery_hit": BrandRule("", _DAMAGE, True),
    "airbag_deployed": BrandRule("", _DAMAGE, True),
    "structural_repair": BrandRule("", ("workshop",), True),
    "theft_recovered": BrandRule("36", ("insurer", "police"), True),
    # what became of it
    "dismantled": BrandRule("07", ("dismantler", "registrar"), True, True),
    "junk": BrandRule("08", ("insurer", "dismantler", "registrar"), True, True),
    "salvage": BrandRule("11", _INSURANCE, True),
    "salvage_kept": BrandRule("16", _INSURANCE, True),
    "totalled": BrandRule("31", _INSURANCE, True),
    "parts_only": BrandRule("35", ("insurer", "dismantler", "registrar"), True, True),
    "rebuilt": BrandRule("09", ("inspector", "registrar"), True),
    "reconstructed": BrandRule("10", ("registrar",), False),
    "remanufactured": BrandRule("21", ("manufacturer", "registrar"), False),
    "kit": BrandRule("06", ("registrar",), False),
    "vin_reissued": BrandRule("29", ("registrar",), False),
    "grey_import": BrandRule("22", ("registrar",), False),
    "manufacturer_buyback": BrandRule("23", ("manufacturer",), False),
    # what it was used for
    "test_vehicle": BrandRule("12", ("manufacturer",), False),
    "taxi": BrandRule("17", ("registrar",), False),
    "police": BrandRule("18", ("registrar", "police"), False),
    "rental": BrandRule("", ("registrar",), False),
    "driving_school": BrandRule("", ("registrar",), False),
    # its odometer
    "not_actual": BrandRule("69", ("inspector", "registrar"), True),
    "tampering_verified": BrandRule("70", ("inspector", "registrar", "police"), True),
    "exceeds_limits": BrandRule("72", ("inspector", "registrar"), True),
    "odometer_altered": BrandRule("73", ("workshop", "inspector", "registrar", "police"), True),
    "odometer_replaced": BrandRule("74", ("workshop", "manufacturer"), True),
    "odometer_discrepancy": BrandRule("76", ("workshop", "inspector", "registrar"), True),
}
"""Brand -> its rule. D20 calls 22 "Gray Market", 23 "Warranty Return", 16 "Salvage Retention", 17 and 18 "Prior Taxi"
and "Prior Police", 69 "Not Actual", 70 "Not Actual - Odometer tampering verified". Who may write is our decision."""

BRAND_STATES: Final = ("pending", "confirmed", "undecided", "annulled")
"""States of a brand on a car. A brand is never removed: an annulled one stays visible."""

TOTAL_LOSS_CATEGORIES: Final[dict[str, tuple[str, ...]]] = {
    "A": ("totalled", "junk"),
    "B": ("totalled", "parts_only"),
    "S": ("totalled", "salvage"),
    "N": ("totalled", "salvage"),
}
"""Category of a total loss -> the brands that it leaves. Code of Practice for the Categorisation of Motor Vehicle
Salvage, Association of British Insurers, 2017, updated 2019 and 2025: A scrap, B break, S structurally damaged
repairable, N non-structurally damaged repairable. Seen in abi.org.uk and iaea-online.org. The brands are ours."""
