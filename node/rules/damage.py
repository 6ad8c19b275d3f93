"""Damage as codes, and the severity computed from them: severity is never declared."""

from typing import Final, Literal, get_args

_ZONES: Final = """
    front front_left front_right left_side right_side rear rear_left rear_right
    bonnet boot roof windscreen rear_window underbody interior engine_bay drivetrain suspension wheels hv_battery
    """
ZONES: Final[frozenset[str]] = frozenset(_ZONES.split())
"""Places on a car; left and right as the driver sees them."""
DamageClass = Literal["cosmetic", "bolt_on", "structural"]
DAMAGE_CLASSES: Final[tuple[str, ...]] = get_args(DamageClass)
"""Classes of damage, the mildest first: paint and trim; bolted parts; welded or load-bearing parts."""

ZONE_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "front": DAMAGE_CLASSES, "front_left": DAMAGE_CLASSES, "front_right": DAMAGE_CLASSES,
    "left_side": DAMAGE_CLASSES, "right_side": DAMAGE_CLASSES,
    "rear": DAMAGE_CLASSES, "rear_left": DAMAGE_CLASSES, "rear_right": DAMAGE_CLASSES,
    "roof": DAMAGE_CLASSES, "underbody": DAMAGE_CLASSES, "suspension": DAMAGE_CLASSES,
    "engine_bay": DAMAGE_CLASSES, "hv_battery": DAMAGE_CLASSES,
    "bonnet": ("cosmetic", "bolt_on"), "boot": ("cosmetic", "bolt_on"), "windscreen": ("cosmetic", "bolt_on"),
    "rear_window": ("cosmetic", "bolt_on"), "interior": ("cosmetic", "bolt_on"),
    "drivetrain": ("cosmetic", "bolt_on"), "wheels": ("cosmetic", "bolt_on"),
}  # fmt: skip
"""Zone -> classes that damage to it can have: what is bolted on or bonded in bears no load. Our decision."""
NO_HV_POWERTRAINS: Final = frozenset({"petrol", "diesel"})
"""Powertrains without a high-voltage battery: such a car has no zone `hv_battery`."""

CAUSES: Final[dict[str, str]] = {
    "collision": "", "single_vehicle": "", "animal": "", "falling_object": "", "storm": "", "hail": "hail",
    "flood_fresh": "flood_fresh", "flood_salt": "flood_salt", "fire": "fire", "vandalism": "vandalism", "theft": "",
    "unknown": "",
}  # fmt: skip
"""Cause of damage -> the brand that it leaves, empty for none. Our decision. Other brands follow from what was hit:
`collision_structural`, `hv_battery_hit`, `airbag_deployed`. Theft leaves `theft_recovered` by police or insurer."""

CostBand = Literal[
    "not_estimated", "under_1000", "1000_to_2999", "3000_to_7999", "8000_to_14999", "15000_to_29999", "30000_to_59999",
    "60000_and_over",
]  # fmt: skip
COST_BANDS: Final[tuple[str, ...]] = get_args(CostBand)
"""Bands of the estimated repair cost, without tax, in whole euros. The author converts other currencies."""

SEVERITIES: Final = ("minor", "moderate", "severe", "total_candidate")
"""Severities of an accident, the mildest first."""
CLASS_POINTS: Final[dict[str, int]] = {"cosmetic": 0, "bolt_on": 2, "structural": 6}
ZONE_POINTS_MAX: Final = 3
AIRBAG_POINTS: Final = (0, 3, 3, 5)
"""Points by the number of deployed airbags. The last entry is for all higher numbers."""
HV_BATTERY_POINTS: Final = 6
NOT_DRIVABLE_POINTS: Final = 1
SEVERITY_POINTS: Final = (0, 3, 6, 11)
"""The fewest points of each severity, in the order of `SEVERITIES`."""


def severity(worst_class: str, zones: int, airbags: int, hv_battery_hit: bool, drivable: bool) -> str:
    """The severity of an accident, one of `SEVERITIES`. It is never milder if any input is worse. Unknown classes raise
    KeyError.

    Points: cosmetic 0, bolt-on 2, structural 6; each zone after the first 1, at most 3, not for cosmetic damage (hail
    touches every panel and stays hail); one or two airbags 3, more 5; the high-voltage battery hit 6; not drivable 1.
    Below 3 is minor, below 6 moderate, below 11 severe, from 11 a candidate for a total loss. So structural damage or a
    hit battery is at least severe, and both together are a candidate for a total loss.
    """
    assert zones >= 0 and airbags >= 0, "a number is never negative"
    points = CLASS_POINTS[worst_class]
    if worst_class != "cosmetic":
        points += min(max(zones - 1, 0), ZONE_POINTS_MAX)
    points += AIRBAG_POINTS[min(airbags, len(AIRBAG_POINTS) - 1)]
    if hv_battery_hit:
        points += HV_BATTERY_POINTS
    if not drivable:
        points += NOT_DRIVABLE_POINTS
    return [name for name, least in zip(SEVERITIES, SEVERITY_POINTS, strict=True) if points >= least][-1]
