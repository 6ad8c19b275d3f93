"""Items of an inspection, and how grave a defect of each can be.

The numbers 0.1 to 8.4.1 are those of Directive 2014/45/EU, Annex I, for cars (M1, N1): without what only trailers
(1.1.20, 1.1.23, 2.5), motorcycles (6.2.11, 6.2.12) and buses (9) have; 7.13 came with Delegated Directive (EU)
2021/1717. An item allows each severity that the annex or a national list after it gives to one of its defects.

Seen: all of section 1 and 2.1.1 in the MOT inspection manual (Great Britain, 2018), which keeps the numbers; 29 items
of the list of France (arrete of 18 June 1991 as amended), among them 0.1, 0.2, 1.1.12 to 1.1.14, 1.2.2, 1.4.2, 1.8,
2.1.1, 2.1.3, 3.2 to 3.5, 4.1.1, 4.3.1, 4.4.1, 5.2.3, 5.3.2, 6.1.1, 6.1.2, 6.2.3, 7.1.2, 7.7, 7.11, 8.1.1, 8.2.1.2,
8.2.2.2 and 8.4.1. Not confirmed: the others, which are from memory. H, S and O are ours.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

DEFECT_SEVERITIES: Final = ("minor", "major", "dangerous")
"""Severities of a defect, the mildest first (Directive 2014/45/EU, Article 7). The worst defect is the inspection's
result."""
INSPECTION_RESULTS: Final = ("pass", "fail")
"""Results of an inspection. It is a pass if no defect is graver than minor."""


class InspectionItem(NamedTuple):
    """An item that an inspection looks at. `severities`: those that a defect of it can have. `zones`: the zones of the
    car in which it lies and is repaired."""

    severities: tuple[str, ...]
    zones: frozenset[str]


_LETTERS: Final = {"m": "minor", "M": "major", "D": "dangerous"}

_AXLES: Final = "suspension wheels"
_LAMPS: Final = "front front_left front_right rear rear_left rear_right left_side right_side"
_BODY: Final = f"{_LAMPS} roof bonnet boot underbody"
_GROUPS: Final = (
    # identification
    ("front rear", "0.1 M"),
    ("engine_bay interior underbody windscreen", "0.2 mM"),
    # brakes
    (
        f"{_AXLES} underbody engine_bay interior",
        "1.1.1 M, 1.1.2 mM, 1.1.3 MD, 1.1.4 mM, 1.1.5 M, 1.1.6 mM, 1.1.7 mMD, 1.1.8 mMD, 1.1.9 mM, 1.1.10 mMD,"
        "1.1.11 mMD, 1.1.12 mMD, 1.1.13 mMD, 1.1.14 mMD, 1.1.15 MD, 1.1.16 mMD, 1.1.17 mMD, 1.1.18 M, 1.1.19 mM,"
        "1.1.21 mMD, 1.1.22 mM, 1.2.1 MD, 1.2.2 MD, 1.3.1 MD, 1.3.2 MD, 1.4.1 MD, 1.4.2 MD, 1.5 M, 1.6 M, 1.7 M,"
        "1.8 MD",
    ),
    # steering
    (
        f"{_AXLES} engine_bay interior",
        "2.1.1 mMD, 2.1.2 MD, 2.1.3 mMD, 2.1.4 M, 2.1.5 mMD, 2.2.1 MD, 2.2.2 MD, 2.3 MD, 2.4 mM, 2.6 MD",
    ),
    # visibility
    ("windscreen rear_window left_side right_side", "3.1 mM, 3.2 mMD, 3.4 mM, 3.5 mM, 3.6 m"),
    ("left_side right_side interior", "3.3 mM"),
    # lamps, reflectors, electrical equipment
    (
        _LAMPS,
        "4.1.1 mM, 4.1.2 M, 4.1.3 mM, 4.1.4 M, 4.1.5 M, 4.1.6 mM, 4.2.1 mM, 4.2.2 M, 4.2.3 mM, 4.3.1 mMD, 4.3.2 mMD,"
        "4.3.3 mM, 4.4.1 mM, 4.4.2 mM, 4.4.3 M, 4.4.4 m, 4.5.1 mM, 4.5.2 mM, 4.5.3 M, 4.5.4 M, 4.6.1 mM, 4.6.2 M,"
        "4.6.3 mM, 4.7.1 mM, 4.7.2 m, 4.8.1 mM, 4.8.2 mM, 4.12 mM",
    ),
    ("interior", "4.9.1 mM, 4.9.2 m"),
    ("rear underbody", "4.10 mM"),
    ("engine_bay underbody interior", "4.11 mMD, 4.13 mM"),
    # axles, wheels, tyres, suspension
    (_AXLES, "5.1.1 MD, 5.1.2 MD, 5.1.3 MD, 5.2.1 MD, 5.2.2 MD, 5.2.3 mMD"),
    ("suspension", "5.3.1 MD, 5.3.2 mM, 5.3.3 MD, 5.3.4 mMD, 5.3.5 MD"),
    # chassis
    (_BODY, "6.1.1 mMD, 6.2.1 mMD, 6.2.2 MD"),
    ("underbody rear engine_bay", "6.1.2 mMD, 6.1.3 mMD"),
    ("front rear left_side right_side", "6.1.4 mM"),
    ("rear underbody", "6.1.5 mMD, 6.1.6 mMD"),
    ("drivetrain underbody engine_bay", "6.1.7 mMD, 6.1.8 MD, 6.1.9 M"),
    ("left_side right_side", "6.2.3 mMD, 6.2.8 mM"),
    ("underbody interior", "6.2.4 MD"),
    ("interior", "6.2.5 MD, 6.2.6 mM, 6.2.7 MD"),
    (_BODY, "6.2.9 mM, 6.2.10 mM"),
    # other equipment
    ("interior left_side right_side roof front", "7.1.1 MD, 7.1.2 mM, 7.1.3 M, 7.1.4 M, 7.1.5 M, 7.1.6 M"),
    (
        "interior",
        "7.2 mM, 7.3 mMD, 7.4 m, 7.5 m, 7.6 mM, 7.7 mM, 7.8 mM, 7.9 mM, 7.10 mM, 7.11 mM, 7.13 m",
    ),
    (f"interior {_AXLES}", "7.12 M"),
    # nuisance
    (
        "engine_bay underbody drivetrain rear",
        "8.1.1 MD, 8.2.1.1 mM, 8.2.1.2 M, 8.2.2.1 mM, 8.2.2.2 M, 8.3 m, 8.4.1 MD",
    ),
    # high voltage
    ("hv_battery underbody", "H1 mMD"),
    ("hv_battery underbody engine_bay drivetrain", "H2 mMD, H3 MD, H5 mM"),
    ("rear_left rear_right front_left front_right front", "H4 mMD"),
    ("hv_battery interior", "H6 mMD"),
    # software and assistance
    ("interior", "S1 mM, S2 mMD"),
    ("front rear windscreen left_side right_side", "S3 mM, S4 MD"),
    # odometer
    ("interior", "O1 mM, O2 mM, O3 M, O4 m"),
)
"""Zones, and numbers with the letters of their severities."""


def _items() -> Iterator[tuple[str, InspectionItem]]:
    for zones, rows in _GROUPS:
        for number, letters in (row.split() for row in rows.split(",") if row.strip()):
            yield number, InspectionItem(tuple(_LETTERS[letter] for letter in letters), frozenset(zones.split()))


def _place(number: str) -> tuple[int, ...]:
    """Sorts 1.1.2 before 1.1.10, and the letters last."""
    return tuple(map(int, number.replace("H", "10.").replace("S", "11.").replace("O", "12.").split(".")))


INSPECTION_ITEMS: Final[dict[str, InspectionItem]] = dict(sorted(_items(), key=lambda item: _place(item[0])))
"""Number -> the item. H1 to H6 high voltage, S1 to S4 software and assistance, O1 to O4 odometer."""
IDENTITY_ITEM: Final = "0.2"
"""The item whose defects raise the alert `clone_vin` and set the flag `identity_suspect`."""
TAMPERING_ITEM: Final = "7.11"
"""The item whose grave defects leave the brand `odometer_altered`."""
ROLLOVER_ITEM: Final = "O4"
"""The item that states that an odometer has run past its last digit. Nothing else can state it."""
