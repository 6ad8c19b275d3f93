"""The tables of a ruleset as one value, and those of ruleset 1.

What may grow in a later ruleset (services, zones, rails, roles ...) is a code that a guard looks up here. VIN patterns,
forms of card numbers, IBANs and telephone numbers, units and damage classes are part of decoding and static rules: they
are frozen, and covered by the hash all the same.
"""

from collections.abc import Mapping
from typing import NamedTuple

from node.rules import card_numbers, damage, odometer, vin
from node.rules.alerts import ALERT_REASONS, ALERT_STATES, ALERTS, MATERIAL_EVENTS
from node.rules.brands import BRAND_STATES, BRANDS, TOTAL_LOSS_CATEGORIES, BrandRule
from node.rules.checklists import CHECKLISTS, INDEPENDENCE, INSPECTION_KINDS, Checklist
from node.rules.deals import CANCEL_REASONS, CASE_CATEGORIES, CONTRACTS, FEE_CODES, LEG_KINDS, LOST_FLAGS, TAX_SCHEMES
from node.rules.disputes import DISPUTE_ANSWERS, DISPUTE_GROUNDS, DISPUTE_OUTCOMES, DISPUTE_REASONS, DISPUTE_STANDINGS
from node.rules.inspection_items import (
    DEFECT_SEVERITIES,
    IDENTITY_ITEM,
    INSPECTION_ITEMS,
    INSPECTION_RESULTS,
    ROLLOVER_ITEM,
    TAMPERING_ITEM,
    InspectionItem,
)
from node.rules.iso_codes import COUNTRIES, MINOR_UNITS
from node.rules.parts import (
    BATTERY_FLOORS,
    BATTERY_METHODS,
    BATTERY_RISE_MAX_PER_MILLE,
    BATTERY_STATES,
    PART_ACTIONS,
    PART_CLASSES,
    PART_SOURCES,
    RXSWIN_PATTERN,
    SOFTWARE_SYSTEMS,
    BatteryFloor,
)
from node.rules.payment_codes import PAYMENT_REASONS, REASONS_OF_RAIL
from node.rules.personal_data import IBAN_FORMS, PHONE_PATTERN
from node.rules.rail_policy import FORBIDDEN_RAILS
from node.rules.rails import (
    ATTESTATIONS,
    CARD_CHECKS,
    CARD_FINAL_AFTER_MS,
    MONEY_BACK,
    NEEDS_CODE,
    NEEDS_REFERENCE,
    RAIL_RULES,
    RAIL_SCHEMES,
    RAILS,
    UNPROVEN_RAILS,
    RailRule,
)
from node.rules.recalls import RECALL_AUTHORITIES, RECALL_CLASSES
from node.rules.registration import (
    ASSIGNMENT_REASONS,
    HISTORY_KINDS,
    IMPORT_GRADES,
    REGISTRATION_COUNTRIES,
    REGISTRATION_END_REASONS,
    REGISTRATION_KINDS,
    REGISTRATION_STATES,
    REGISTRATION_USAGES,
    SUSPENSION_REASONS,
    VEHICLE_ORIGINS,
)
from node.rules.repair import REPAIR_METHODS, RepairMethod
from node.rules.roles import ROLES
from node.rules.sales import DUTIES, SALE_DISCLOSURES, SALE_EFFECTS, SALE_OPERATIONS, SALE_RULES, SaleRule
from node.rules.services import SERVICE_CODES
from node.rules.sources import AMEND_REASONS, MEDIA_TYPES, ODOMETER_REPLACE_CAUSES, SIGHTING_REASONS, VIN_SOURCES
from node.rules.stop_flags import (
    FLAG_COOLDOWN_DAYS,
    OPERATIONS,
    PROVISIONAL_BLOCKS,
    PROVISIONAL_FLAGS_MAX,
    SIGNERS,
    STOP_FLAGS,
    StopFlag,
)
from node.rules.warranty import WARRANTY_GROUPS, WARRANTY_OUTCOMES, WARRANTY_REASONS


class Tables(NamedTuple):
    """Every table by its name, which the hash covers too. See the module of `rules` that defines each."""

    card_number_schemes: tuple[tuple[str, str, str, tuple[int, ...]], ...] = card_numbers.SCHEMES
    iban_forms: Mapping[str, str] = IBAN_FORMS
    phone_pattern: str = PHONE_PATTERN
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
    rails_forbidden: Mapping[str, frozenset[str]] = FORBIDDEN_RAILS
    rails_unproven: frozenset[str] = UNPROVEN_RAILS
    rail_rules: Mapping[str, RailRule] = RAIL_RULES
    rail_schemes: tuple[str, ...] = RAIL_SCHEMES
    attestations: tuple[str, ...] = ATTESTATIONS
    attestations_money_back: frozenset[str] = MONEY_BACK
    attestations_with_code: frozenset[str] = NEEDS_CODE
    attestations_with_reference: frozenset[str] = NEEDS_REFERENCE
    card_checks: tuple[str, ...] = CARD_CHECKS
    card_final_after_ms: Mapping[str, int] = CARD_FINAL_AFTER_MS
    payment_reasons: tuple[str, ...] = PAYMENT_REASONS
    payment_reasons_of_rail: Mapping[str, tuple[str, ...]] = REASONS_OF_RAIL
    case_categories: Mapping[str, tuple[int, int]] = CASE_CATEGORIES
    cancel_reasons: tuple[str, ...] = CANCEL_REASONS
    contracts: tuple[str, ...] = CONTRACTS
    fee_codes: tuple[str, ...] = FEE_CODES
    leg_kinds: tuple[str, ...] = LEG_KINDS
    tax_schemes: tuple[str, ...] = TAX_SCHEMES
    deal_lost_flags: frozenset[str] = LOST_FLAGS
    recall_authorities: Mapping[str, str] = RECALL_AUTHORITIES
    recall_classes: tuple[str, ...] = RECALL_CLASSES
    roles: tuple[str, ...] = ROLES
    services: tuple[str, ...] = SERVICE_CODES
    vin_check_digits: str = vin.CHECK_DIGITS
    vin_pattern: str = vin.VIN_PATTERN
    vin_transliteration: Mapping[str, int] = vin.TRANSLITERATION
    vin_weights: tuple[int, ...] = vin.WEIGHTS
    vin_wmis: Mapping[str, tuple[str, str]] = vin.WMIS
    vin_year_codes: str = vin.YEAR_CODES
    alerts: Mapping[str, str] = ALERTS
    alert_states: tuple[str, ...] = ALERT_STATES
    alert_reasons: tuple[str, ...] = ALERT_REASONS
    material_events: tuple[str, ...] = MATERIAL_EVENTS
    brands: Mapping[str, BrandRule] = BRANDS
    brand_states: tuple[str, ...] = BRAND_STATES
    total_loss_categories: Mapping[str, tuple[str, ...]] = TOTAL_LOSS_CATEGORIES
    checklists: Mapping[str, Checklist] = CHECKLISTS
    inspection_kinds: tuple[str, ...] = INSPECTION_KINDS
    inspection_independence: tuple[str, ...] = INDEPENDENCE
    inspection_items: Mapping[str, InspectionItem] = INSPECTION_ITEMS
    inspection_identity_item: str = IDENTITY_ITEM
    inspection_rollover_item: str = ROLLOVER_ITEM
    inspection_tampering_item: str = TAMPERING_ITEM
    inspection_results: tuple[str, ...] = INSPECTION_RESULTS
    defect_severities: tuple[str, ...] = DEFECT_SEVERITIES
    damage_causes: Mapping[str, str] = damage.CAUSES
    damage_no_hv_powertrains: frozenset[str] = damage.NO_HV_POWERTRAINS
    damage_zone_classes: Mapping[str, tuple[str, ...]] = damage.ZONE_CLASSES
    repair_methods: Mapping[str, RepairMethod] = REPAIR_METHODS
    dispute_answers: tuple[str, ...] = DISPUTE_ANSWERS
    dispute_grounds: tuple[str, ...] = DISPUTE_GROUNDS
    dispute_outcomes: tuple[str, ...] = DISPUTE_OUTCOMES
    dispute_reasons: tuple[str, ...] = DISPUTE_REASONS
    dispute_standings: Mapping[str, int] = DISPUTE_STANDINGS
    amend_reasons: tuple[str, ...] = AMEND_REASONS
    odometer_replace_causes: tuple[str, ...] = ODOMETER_REPLACE_CAUSES
    sighting_reasons: tuple[str, ...] = SIGHTING_REASONS
    vin_sources: tuple[str, ...] = VIN_SOURCES
    media_types: tuple[str, ...] = MEDIA_TYPES
    part_actions: tuple[str, ...] = PART_ACTIONS
    part_classes: tuple[str, ...] = PART_CLASSES
    part_sources: tuple[str, ...] = PART_SOURCES
    battery_floors: tuple[BatteryFloor, ...] = BATTERY_FLOORS
    battery_methods: tuple[str, ...] = BATTERY_METHODS
    battery_rise_max_per_mille: int = BATTERY_RISE_MAX_PER_MILLE
    battery_states: tuple[str, ...] = BATTERY_STATES
    software_rxswin: str = RXSWIN_PATTERN
    software_systems: tuple[str, ...] = SOFTWARE_SYSTEMS
    registration_countries: frozenset[str] = REGISTRATION_COUNTRIES
    registration_end_reasons: tuple[str, ...] = REGISTRATION_END_REASONS
    registration_kinds: tuple[str, ...] = REGISTRATION_KINDS
    registration_states: tuple[str, ...] = REGISTRATION_STATES
    registration_suspensions: tuple[str, ...] = SUSPENSION_REASONS
    registration_usages: Mapping[str, str] = REGISTRATION_USAGES
    assignment_reasons: tuple[str, ...] = ASSIGNMENT_REASONS
    history_kinds: tuple[str, ...] = HISTORY_KINDS
    import_grades: Mapping[str, tuple[str, ...]] = IMPORT_GRADES
    vehicle_origins: tuple[str, ...] = VEHICLE_ORIGINS
    duties: tuple[str, ...] = DUTIES
    sale_disclosures: tuple[str, ...] = SALE_DISCLOSURES
    sale_effects: tuple[str, ...] = SALE_EFFECTS
    sale_operations: tuple[str, ...] = SALE_OPERATIONS
    sale_rules: Mapping[str, SaleRule] = SALE_RULES
    stop_flags: Mapping[str, StopFlag] = STOP_FLAGS
    stop_flag_cooldown_days: int = FLAG_COOLDOWN_DAYS
    stop_flag_operations: tuple[str, ...] = OPERATIONS
    stop_flag_provisional_blocks: tuple[str, ...] = PROVISIONAL_BLOCKS
    stop_flag_provisional_max: int = PROVISIONAL_FLAGS_MAX
    stop_flag_signers: tuple[str, ...] = SIGNERS
    warranty_groups: tuple[str, ...] = WARRANTY_GROUPS
    warranty_outcomes: tuple[str, ...] = WARRANTY_OUTCOMES
    warranty_reasons: tuple[str, ...] = WARRANTY_REASONS

    def canonical(self) -> object:
        """The tables as pairs of name and value, of strings, integers and lists only."""
        return [[name, canonical(table)] for name, table in zip(self._fields, self, strict=True)]


def canonical(value: object) -> object:
    """The canonical form of a value: strings, integers and lists only. A map becomes its sorted pairs, a set its sorted
    members, a tuple a list, true and false 1 and 0."""
    match value:
        case str():
            return value
        case int():
            return int(value)
        case tuple():
            return [canonical(entry) for entry in value]
        case frozenset():
            return sorted(value)
        case dict():
            return [[key, canonical(value[key])] for key in sorted(value)]
        case _:
            raise AssertionError(f"a table of rules has a {type(value).__name__}")
