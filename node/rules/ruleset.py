"""The ruleset: every table of this package under one hash, which governance activates at a height.

The hash covers tables, not code: a change of a function's meaning needs a new version too.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from node.codec import encode
from node.crypto.hashing import tagged
from node.rules import card_numbers, countries, currencies, damage, flags, odometer, rails, roles, services, vin

RULESET_VERSION: Final = 1
RULESET_VERSIONS: Final = frozenset({RULESET_VERSION})
"""Every version that this software can judge by."""

_TABLES: Final[dict[int, dict[str, object]]] = {
    1: {
        "card_numbers.schemes": card_numbers.SCHEMES,
        "countries": countries.COUNTRIES,
        "currencies.minor_units": currencies.MINOR_UNITS,
        "damage.airbag_points": damage.AIRBAG_POINTS,
        "damage.class_points": damage.CLASS_POINTS,
        "damage.classes": damage.DAMAGE_CLASSES,
        "damage.cost_bands": damage.COST_BANDS,
        "damage.hv_battery_points": damage.HV_BATTERY_POINTS,
        "damage.not_drivable_points": damage.NOT_DRIVABLE_POINTS,
        "damage.severities": damage.SEVERITIES,
        "damage.severity_points": damage.SEVERITY_POINTS,
        "damage.zone_points_max": damage.ZONE_POINTS_MAX,
        "damage.zones": damage.ZONES,
        "flags": flags.FLAGS,
        "flags.operations": flags.OPERATIONS,
        "odometer.contexts": odometer.CONTEXTS,
        "odometer.distance_limits_metres": odometer.DISTANCE_LIMITS_METRES,
        "odometer.millimetres": odometer.MILLIMETRES,
        "odometer.sources": odometer.SOURCES,
        "odometer.tolerance_metres": odometer.TOLERANCE_METRES,
        "odometer.units": odometer.UNITS,
        "odometer.windows_ms": odometer.WINDOWS_MS,
        "rails": rails.RAILS,
        "rails.final_for_title": rails.FINAL_FOR_TITLE,
        "rails.forbidden": rails.FORBIDDEN_RAILS,
        "rails.reference_high_entropy": rails.REFERENCE_HIGH_ENTROPY,
        "rails.statuses": rails.STATUSES,
        "rails.transitions": rails.TRANSITIONS,
        "roles": roles.ROLES,
        "services.codes": services.SERVICE_CODES,
        "vin.check_digits": vin.CHECK_DIGITS,
        "vin.pattern": vin.VIN_PATTERN,
        "vin.transliteration": vin.TRANSLITERATION,
        "vin.weights": vin.WEIGHTS,
        "vin.wmis": vin.WMIS,
        "vin.year_codes": vin.YEAR_CODES,
    },
}


@lru_cache
def ruleset_hash(version: int) -> bytes:
    """32 bytes: `H("bmw/ruleset", encode([version, tables]))`. An unknown version raises KeyError."""
    return tagged("bmw/ruleset", encode([version, canonical(_TABLES[version])]))


def canonical(value: object) -> object:
    """Strings, integers and lists only: a map becomes its sorted pairs, a set its sorted members, a tuple a list."""
    match value:
        case str() | int():
            return value
        case tuple():
            return [canonical(entry) for entry in value]
        case frozenset():
            return sorted(value)
        case dict():
            return [[key, canonical(value[key])] for key in sorted(value)]
        case flags.FlagRule(set_by, cleared_by, blocks):
            return [list(set_by), list(cleared_by), list(blocks)]
        case _:
            raise AssertionError(f"a table of rules holds a {type(value).__name__}")
