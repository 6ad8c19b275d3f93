"""Methods of repair: where each is possible, where it touches the structure, whether it needs high-voltage skill."""

from typing import Final, NamedTuple

from node.rules.damage import ZONE_CLASSES, ZONES


class RepairMethod(NamedTuple):
    """The rule of one repair method. `zones`: where the method is possible. `structural_in`: the zones of them in which
    it is a structural repair. `needs_hv`: the workshop's grant must have the capability `hv`. `needs_part`: it fits an
    airbag or a load-bearing part, which the record has to name before the car can be rebuilt."""

    zones: frozenset[str]
    structural_in: frozenset[str] = frozenset()
    needs_hv: bool = False
    needs_part: bool = False


_NOT_HV: Final = ZONES - {"hv_battery"}
_STRUCTURE: Final = frozenset(zone for zone, classes in ZONE_CLASSES.items() if "structural" in classes) - {
    "hv_battery"
}
_WELDED: Final = _STRUCTURE - {"suspension"}
_SKIN: Final = _NOT_HV - {"windscreen", "rear_window", "interior", "engine_bay", "drivetrain", "suspension", "wheels"}
_GLASS: Final = frozenset({"windscreen", "rear_window", "left_side", "right_side", "roof"})
_AIRBAGS: Final = frozenset({"interior", "front", "left_side", "right_side", "roof"})
_HV_LINES: Final = frozenset({"hv_battery", "engine_bay", "drivetrain", "underbody", "front", "rear"})

REPAIR_METHODS: Final[dict[str, RepairMethod]] = {
    # surface and bolted parts
    "refinish": RepairMethod(_SKIN | {"wheels", "interior"}),
    "dent_removal": RepairMethod(_SKIN),
    "panel_repair": RepairMethod(_SKIN | {"interior"}),
    "replace_part": RepairMethod(_NOT_HV),
    "replace_glass": RepairMethod(_GLASS),
    "replace_airbag": RepairMethod(_AIRBAGS, needs_part=True),
    "mechanical": RepairMethod(frozenset({"engine_bay", "drivetrain", "suspension", "wheels", "underbody"})),
    "electrical": RepairMethod(_NOT_HV),
    "adjust": RepairMethod(_NOT_HV),
    "calibrate": RepairMethod(_NOT_HV - {"wheels"}),
    "clean_dry": RepairMethod(_NOT_HV),
    # structure
    "straighten": RepairMethod(_STRUCTURE, _STRUCTURE),
    "section": RepairMethod(_WELDED, _WELDED, needs_part=True),
    "weld": RepairMethod(_WELDED, _WELDED),
    "bond_rivet": RepairMethod(_WELDED | {"bonnet", "boot"}, _WELDED),
    "replace_structure": RepairMethod(_STRUCTURE, _STRUCTURE, needs_part=True),
    # high voltage
    "hv_lines": RepairMethod(_HV_LINES, needs_hv=True),
    "hv_module": RepairMethod(frozenset({"hv_battery"}), needs_hv=True),
    "hv_battery": RepairMethod(frozenset({"hv_battery"}), needs_hv=True),
    "hv_housing": RepairMethod(frozenset({"hv_battery"}), frozenset({"hv_battery"}), needs_hv=True, needs_part=True),
}
"""Method -> where it is possible. Our decision: what cuts, joins, bends or replaces load-bearing parts
is structural."""
