"""Checklists of inspections: the items of each, who may inspect, and when a retest is due."""

from typing import Final, NamedTuple

from node.rules.inspection_items import INSPECTION_ITEMS

INSPECTION_KINDS: Final = (
    "periodic", "roadside", "retest", "structural_release", "rebuild", "import", "odometer", "buyer",
)  # fmt: skip
"""Occasions of an inspection."""
INDEPENDENCE: Final = ("none", "repairer", "full")
"""Accounts that the inspector must not be related to. `none`: no account. `repairer`: those that repaired the car
within 180 days. `full`: these, the holder, and the seller of a live listing or order."""


class Checklist(NamedTuple):
    """The rule of one checklist. `items`: those that must be looked at, ascending. `retest_days`: country, empty for
    any other -> days from a major defect until the car counts as unroadworthy; empty if nothing is due."""

    version: int
    kinds: tuple[str, ...]
    independence: str
    items: tuple[str, ...]
    retest_days: dict[str, int]


def _items(prefixes: str, without: str = "") -> tuple[str, ...]:
    """The items at or below the prefixes (`1` is section 1, `H` all of H), without those below others."""

    def is_below(number: str, names: str) -> bool:
        return any(number == name or number.startswith(f"{name}.") or number[0] == name for name in names.split())

    return tuple(n for n in INSPECTION_ITEMS if is_below(n, prefixes) and not is_below(n, without))


_TRUCKS: Final = "1.1.3 1.1.4 1.1.5 1.1.7 1.1.8 1.1.9 1.1.18 1.1.19 1.1.22 1.5 1.7 6.2.8 7.6 7.9 7.10"
"""Items that light cars do not have: air brakes, retarders, steps, chocks, tachographs."""
_CAR: Final = _items("0 1 2 3 4 5 6 7 8", _TRUCKS)
_SAFETY: Final = _items("1 2 3 4 5 6 7 8", f"{_TRUCKS} 6.1.9 7.2 7.3 7.4 7.5 7.11 7.13 8.3")
_EVERYTHING: Final = _items("0 1 2 3 4 5 6 7 8 H S O", _TRUCKS)
_STRUCTURE: Final = _items("0.2 2 5 6 7.1 H S")

_PERIODIC: Final = ("periodic", "roadside", "retest")
_UNION_RETEST: Final = {"": 61, "DE": 31}
_BUYER: Final = ("buyer",)

CHECKLISTS: Final[dict[str, Checklist]] = {
    # Directive 2014/45/EU, Article 9: a retest within two months; inspectors without conflict of interest. Two months
    # were seen in France's rules; the directive itself is not confirmed
    "EU-PTI-2014/45": Checklist(1, _PERIODIC, "full", _CAR, _UNION_RETEST),
    # Germany, StVZO section 29 and Annex VIII, 3.1.4.3: one month for a retest, seen in pruefstellen.de, ivs-malki.de
    "DE-HU": Checklist(1, _PERIODIC, "full", (*_CAR, *_items("S1 S2 S3")), {"": 31}),
    # Great Britain: garages test what they repair. A partial retest within ten working days: seen in guides of garages
    # (motonline.co.uk, theukrules.co.uk)
    "GB-MOT": Checklist(1, _PERIODIC, "none", (*_items("0"), *_SAFETY), {"": 14}),
    # China, GB 38900-2020, items and procedures of motor vehicle safety technical inspection. Items not confirmed
    "CN-GB38900": Checklist(1, _PERIODIC, "full", (*_CAR, *_items("H")), {"": 31}),
    # United States: the states differ, most let garages inspect and give 15 days or more. Not confirmed
    "US-SAFETY": Checklist(1, _PERIODIC, "none", _SAFETY, {"": 15}),
    # ours
    "PDI": Checklist(1, _BUYER, "none", _items("0 3 4 5 7 H S O", _TRUCKS), {}),
    "USED-CAR": Checklist(1, _BUYER, "full", _EVERYTHING, {}),
    "REBUILD": Checklist(1, ("rebuild",), "full", _EVERYTHING, {}),
    "STRUCTURAL": Checklist(1, ("structural_release",), "full", _STRUCTURE, {}),
    "IMPORT": Checklist(1, ("import",), "full", _items("0 6.1.1 7.11 O"), {}),
    "ODOMETER": Checklist(1, ("odometer",), "full", _items("0.2 7.11 S1 S2 O"), {}),
}
"""Checklist -> its rule. A periodic list says what the law asks for a car; national lists are not confirmed."""
