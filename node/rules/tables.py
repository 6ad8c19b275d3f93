"""The tables of a ruleset as one value, and those of ruleset 1.

What may grow in a later ruleset (services, zones, rails, roles ...) is a code that a guard looks up here. VIN patterns,
card number schemes, units and damage classes are part of decoding and static rules: they are frozen, and covered by the
hash all the same.
"""

from collections.abc import Mapping
from typing import NamedTuple

from node.rules import card_numbers, damage, odometer, vin
from node.rules.flags import FLAGS, OPERATIONS, ROLES, FlagName, FlagRule
from node.rules.iso_codes import COUNTRIES, MINOR_UNITS
from node.rules.rails import FINAL_FOR_TITLE, FORBIDDEN_RAILS, RAILS, REFERENCE_HIGH_ENTROPY, STATUSES, TRANSITIONS
from node.rules.recalls import RECALL_AUTHORITIES, RECALL_CLASSES
from node.rules.services import SERVICE_CODES

Following = Mapping[str, frozenset[str]]
"""Status to the statuses that may follow it."""


class Tables(NamedTuple):
    """Every table by its name, which the hash covers too. See the module of `rules` that defines each."""

    card_number_schemes: tuple[tuple[str, str, str, tuple[int, ...]], ...] = card_numbers.SCHEMES
    countries: frozenset[str] = COUNTRIES
    currencies: Mapping[str, int] = MINOR_UNITS
    damage_airbag_points: tuple[int, ...] = damage.AIRBAG_POINTS
    damage_class_points: Mapping[str, int] = damage.CLASS_POINTS
    damage_classes: tuple[str, ...] = damage.DAMAGE_CLASSES
    cost_bands: tuple[str, ...] = damage.COST_BANDS
    damage_hv_battery_points: int = damage.HV_BATTERY_POINTS
    damage_not_drivable_points: int = damage.NOT_DRIVABLE_POINTS
    damage_severities: tuple[str, ...] = damage.SEVERITIES
    damage_severity_points: tuple[int, ...] = damage.SEVERITY_POINTS
    damage_zone_points_max: int = damage.ZONE_POINTS_MAX
    zones: frozenset[str] = damage.ZONES
    flags: Mapping[FlagName, FlagRule] = FLAGS
    flag_operations: tuple[str, ...] = OPERATIONS
    odometer_amend_alone_ms: int = odometer.AMEND_ALONE_MS
    odometer_backfilled_ms: int = odometer.BACKFILLED_MS
    odometer_contexts: tuple[str, ...] = odometer.CONTEXTS
    odometer_distance_limits_metres: Mapping[str, int] = odometer.DISTANCE_LIMITS_METRES
    odometer_millimetres: Mapping[str, int] = odometer.MILLIMETRES
    odometer_near_ms: int = odometer.NEAR_MS
    odometer_near_tolerance_metres: int = odometer.NEAR_TOLERANCE_METRES
    odometer_source_codes: Mapping[str, int] = odometer.SOURCE_CODES
    odometer_sources: tuple[str, ...] = odometer.SOURCES
    odometer_tolerance_metres: int = odometer.TOLERANCE_METRES
    odometer_units: tuple[str, ...] = odometer.UNITS
    odometer_volley_ms: int = odometer.VOLLEY_MS
    odometer_windows_ms: Mapping[str, int] = odometer.WINDOWS_MS
    rails: tuple[str, ...] = RAILS
    rails_final_for_title: Following = FINAL_FOR_TITLE
    rails_forbidden: Following = FORBIDDEN_RAILS
    rails_reference_high_entropy: frozenset[str] = REFERENCE_HIGH_ENTROPY
    rail_statuses: tuple[str, ...] = STATUSES
    rail_transitions: Mapping[str, Following] = TRANSITIONS
    recall_authorities: Mapping[str, str] = RECALL_AUTHORITIES
    recall_classes: tuple[str, ...] = RECALL_CLASSES
    roles: tuple[str, ...] = ROLES
    services: Mapping[str, str] = SERVICE_CODES
    vin_check_digits: str = vin.CHECK_DIGITS
    vin_pattern: str = vin.VIN_PATTERN
    vin_transliteration: Mapping[str, int] = vin.TRANSLITERATION
    vin_weights: tuple[int, ...] = vin.WEIGHTS
    vin_wmis: Mapping[str, tuple[str, str]] = vin.WMIS
    vin_year_codes: str = vin.YEAR_CODES

    def canonical(self) -> object:
        """The tables as pairs of name and value, of strings, integers and lists only."""
        return [[name, canonical(table)] for name, table in zip(self._fields, self, strict=True)]


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
        case _:
            raise AssertionError(f"a table of rules has a {type(value).__name__}")
