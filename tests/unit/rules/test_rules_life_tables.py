"""The tables of a car's life fit each other: whatever one names exists in the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from node import txtypes
from node.ledger import fields
from node.ledger.kinds import CodeOf
from node.rules import stop_flags
from node.rules.alerts import ALERT_STATES, ALERTS, MATERIAL_EVENTS
from node.rules.brands import BRANDS, TOTAL_LOSS_CATEGORIES
from node.rules.checklists import CHECKLISTS, INDEPENDENCE, INSPECTION_KINDS
from node.rules.damage import CAUSES, DAMAGE_CLASSES, NO_HV_POWERTRAINS, ZONE_CLASSES, ZONES
from node.rules.disputes import DISPUTE_STANDINGS
from node.rules.inspection_items import DEFECT_SEVERITIES, IDENTITY_ITEM, INSPECTION_ITEMS, ROLLOVER_ITEM
from node.rules.iso_codes import COUNTRIES
from node.rules.parts import BATTERY_FLOORS, RXSWIN_PATTERN
from node.rules.recalls import RECALL_AUTHORITIES, RECALL_CLASSES
from node.rules.registration import (
    IMPORT_GRADES,
    REGISTRATION_COUNTRIES,
    REGISTRATION_END_REASONS,
    REGISTRATION_USAGES,
)
from node.rules.repair import REPAIR_METHODS
from node.rules.roles import ROLES
from node.rules.sales import DUTIES, SALE_DISCLOSURES, SALE_EFFECTS, SALE_OPERATIONS, SALE_RULES
from node.rules.stop_flags import OPERATIONS, PROVISIONAL_BLOCKS, SIGNERS, STOP_FLAGS
from node.rules.tables import Tables
from node.txtypes.vehicle.title import Powertrain

BINDING = {"manufacturer", "police", "registrar"}
"""Roles that bind alone: the maker in its own matter, police, registrar."""


# --- brands ---------------------------------------------------------------------------------------------------
def test_brands_have_numbers_of_ansi_d20() -> None:
    numbers = [rule.d20 for rule in BRANDS.values() if rule.d20]
    assert len(numbers) == len(set(numbers)) == 29
    assert all(re.fullmatch("[0-7][0-9]", number) for number in numbers)
    assert ("01", "11", "74") == tuple(BRANDS[name].d20 for name in ("flood_fresh", "salvage", "odometer_replaced"))
    ours = {name for name, rule in BRANDS.items() if not rule.d20}
    assert {"hv_battery_hit", "airbag_deployed", "structural_repair", "rental", "driving_school"} == ours


@pytest.mark.parametrize("name", BRANDS)
def test_one_writer_who_does_not_bind_leaves_a_pending_brand(name: str) -> None:
    rule = BRANDS[name]
    assert rule.set_by and set(rule.set_by) <= set(ROLES)
    assert rule.is_pendable == bool(set(rule.set_by) - BINDING)


def test_a_final_brand_is_one_of_a_car_that_never_returns() -> None:
    assert {"dismantled", "junk", "parts_only"} == {name for name, rule in BRANDS.items() if rule.is_final}
    final = {c for c, left in TOTAL_LOSS_CATEGORIES.items() if any(BRANDS[name].is_final for name in left)}
    assert {"A", "B"} == final, "S and N can return"
    assert list("ABSN") == list(TOTAL_LOSS_CATEGORIES)
    assert all("totalled" in left and set(left) <= set(BRANDS) for left in TOTAL_LOSS_CATEGORIES.values())


def test_causes_and_usages_leave_brands_that_exist() -> None:
    assert len(CAUSES) == 12
    assert {brand for brand in (*CAUSES.values(), *REGISTRATION_USAGES.values()) if brand} <= set(BRANDS)
    assert all("registrar" in BRANDS[brand].set_by for brand in REGISTRATION_USAGES.values() if brand)
    assert all({"workshop", "insurer", "police"} <= set(BRANDS[brand].set_by) for brand in CAUSES.values() if brand)


# --- damage and repair ----------------------------------------------------------------------------------------
def test_structural_damage_is_where_load_is_borne() -> None:
    assert set(ZONE_CLASSES) == set(ZONES)
    structural = {zone for zone, classes in ZONE_CLASSES.items() if "structural" in classes}
    assert structural == {
        "front", "front_left", "front_right", "rear", "rear_left", "rear_right", "left_side", "right_side", "roof",
        "underbody", "suspension", "engine_bay", "hv_battery",
    }  # fmt: skip
    assert all(classes == DAMAGE_CLASSES[: len(classes)] for classes in ZONE_CLASSES.values()), "mildest first"
    assert set(get_args(Powertrain)) > NO_HV_POWERTRAINS == {"petrol", "diesel"}


@pytest.mark.parametrize("name", REPAIR_METHODS)
def test_a_repair_is_structural_only_where_damage_can_be(name: str) -> None:
    method = REPAIR_METHODS[name]
    assert method.zones and method.structural_in <= method.zones <= ZONES
    assert all("structural" in ZONE_CLASSES[zone] for zone in method.structural_in)
    assert method.needs_hv or "hv_battery" not in method.zones, "nobody works at it without the capability"


def test_every_zone_can_be_repaired() -> None:
    assert frozenset().union(*(method.zones for method in REPAIR_METHODS.values())) == ZONES
    structural = frozenset().union(*(method.structural_in for method in REPAIR_METHODS.values()))
    assert structural == {zone for zone, classes in ZONE_CLASSES.items() if "structural" in classes}


# --- inspections ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", INSPECTION_ITEMS)
def test_an_item_has_severities_and_zones(number: str) -> None:
    item = INSPECTION_ITEMS[number]
    assert re.fullmatch(r"[0-8](\.[1-9][0-9]?){1,3}|[HSO][1-6]", number)
    assert item.severities and item.severities == tuple(s for s in DEFECT_SEVERITIES if s in item.severities)
    assert item.zones and item.zones <= ZONES


def test_items_are_in_the_order_of_the_annex() -> None:
    numbers = list(INSPECTION_ITEMS)
    assert numbers[:3] == ["0.1", "0.2", "1.1.1"]
    assert numbers.index("1.1.2") < numbers.index("1.1.10") < numbers.index("2.1.1") < numbers.index("8.4.1")
    assert numbers[-14:] == ["H1", "H2", "H3", "H4", "H5", "H6", "S1", "S2", "S3", "S4", "O1", "O2", "O3", "O4"]


def test_severities_are_those_that_were_seen() -> None:
    seen = {
        "0.1": ("major",), "0.2": ("minor", "major"), "1.1.1": ("major",), "1.1.2": ("minor", "major"),
        "1.1.10": ("minor", "major", "dangerous"), "1.2.2": ("major", "dangerous"), "1.6": ("major",),
        "4.3.1": ("minor", "major", "dangerous"), "5.2.3": ("minor", "major", "dangerous"),
        "7.11": ("minor", "major"), "8.4.1": ("major", "dangerous"),
    }  # fmt: skip
    assert seen == {number: INSPECTION_ITEMS[number].severities for number in seen}


@pytest.mark.parametrize("name", CHECKLISTS)
def test_a_checklist_names_items_kinds_and_countries(name: str) -> None:
    checklist = CHECKLISTS[name]
    assert checklist.items and len(checklist.items) == len(set(checklist.items))
    assert set(checklist.items) <= set(INSPECTION_ITEMS)
    assert checklist.kinds and set(checklist.kinds) <= set(INSPECTION_KINDS)
    assert checklist.independence in INDEPENDENCE
    assert set(checklist.retest_days) <= COUNTRIES | {""}
    assert all(1 <= days <= 62 for days in checklist.retest_days.values()), "two months at most"
    assert bool(checklist.retest_days) == ("periodic" in checklist.kinds), "a retest is a matter of the law"


def test_every_kind_of_inspection_has_a_checklist() -> None:
    assert {kind for checklist in CHECKLISTS.values() for kind in checklist.kinds} == set(INSPECTION_KINDS)


def test_what_clears_a_car_is_done_by_somebody_independent() -> None:
    clearing = {"rebuild", "structural_release", "import", "odometer"}
    lists = [c for c in CHECKLISTS.values() if clearing & set(c.kinds)]
    assert len(lists) == 4 and {c.independence for c in lists} == {"full"}
    assert all(IDENTITY_ITEM in c.items for c in lists)
    assert ROLLOVER_ITEM in CHECKLISTS["ODOMETER"].items


def test_retests_by_country() -> None:
    assert {"": 61, "DE": 31} == CHECKLISTS["EU-PTI-2014/45"].retest_days
    assert {"1.1.13", "5.2.3", "7.1.5"} <= set(CHECKLISTS["DE-HU"].items)
    assert "7.9" not in CHECKLISTS["DE-HU"].items, "a car has no tachograph"


# --- recalls, software ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("authority", "right", "wrong"),
    [
        ("KBA", "08124", "8124A"),
        ("KBA", "14567R", "123"),
        ("NHTSA", "21V554", "21X554"),
        ("NHTSA", "23V047", "21V554000"),
        ("SAMR", "S2015M0002V", "S2015M0002Z"),
        ("SAMR", "S2025M0134I", "S2025M134I"),
        ("DVSA", "R-2019-123", "R/2019/123"),
        ("RDW", "MGP220252", "MGP2202"),
        ("TC", "2023123", "2023-12"),
        ("MLIT", "5123", "F5123"),
        ("MLIT", "F-3456", "F-"),
    ],
)
def test_numbers_of_recalls(authority: str, right: str, wrong: str) -> None:
    assert re.fullmatch(RECALL_AUTHORITIES[authority], right)
    assert not re.fullmatch(RECALL_AUTHORITIES[authority], wrong)


def test_numbers_of_software() -> None:
    assert all(re.fullmatch(RXSWIN_PATTERN, number) for number in ("R157SWIN", "R79SWIN-BMW.1", "R156SWIN2026"))
    assert not any(re.fullmatch(RXSWIN_PATTERN, number) for number in ("RXSWIN", "R1234SWIN", "R79SWIN 1", "79SWIN"))


def test_batteries_may_lose_more_the_older_they_are() -> None:
    assert [(5, 100_000, 800), (8, 160_000, 720)] == [tuple(floor) for floor in BATTERY_FLOORS]


# --- stop-flags -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", STOP_FLAGS)
def test_a_stop_flag_names_roles_and_operations(name: str) -> None:
    flag = STOP_FLAGS[name]
    signers = {word for signers in (*flag.set_by, *flag.cleared_by) for word in signers}
    assert flag.set_by and flag.cleared_by and signers <= {*ROLES, *SIGNERS}
    assert flag.blocks and set(flag.blocks) <= set(OPERATIONS)
    assert "handover" in flag.blocks, "no flag lets a buyer drive away"
    assert set(flag.unless) <= set(flag.blocks) and set(flag.unless.values()) <= set(ROLES)
    assert set(flag.provisional_by) <= set(ROLES)
    assert bool(flag.provisional_by) == (flag.provisional_days > 0)
    assert not flag.is_renewable or flag.longest_days, "what has no end needs no renewal"


def test_what_one_binds_alone_is_never_provisional() -> None:
    for flag in STOP_FLAGS.values():
        assert not set(flag.provisional_by) & BINDING
        assert all(BINDING & set(s) or len(s) > 1 or s[0] in SIGNERS for s in flag.set_by)


def test_how_many_stop_flags_and_how_long() -> None:
    assert set(PROVISIONAL_BLOCKS) <= set(OPERATIONS)
    assert {"lien": 4} == {name: flag.count_max for name, flag in STOP_FLAGS.items() if flag.count_max != 1}
    assert "scrap" in STOP_FLAGS["stolen"].blocks and "list" not in STOP_FLAGS["lien"].blocks
    longest = {name: flag.longest_days for name, flag in STOP_FLAGS.items() if flag.longest_days}
    assert longest == {
        "court_hold": 1_100, "title_dispute": 180, "odometer_investigation": 180, "identity_suspect": 180,
    }  # fmt: skip


# --- sale -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SALE_RULES)
def test_a_condition_says_what_is_disclosed_and_to_whom(name: str) -> None:
    rule = SALE_RULES[name]
    assert len(rule.effects) == len(SALE_OPERATIONS) and set(rule.effects) <= set(SALE_EFFECTS)
    assert ("disclosed" in rule.effects) == (rule.discloses in SALE_DISCLOSURES)
    assert ("trade_only" in rule.effects) == bool(rule.trade)
    assert set(rule.trade) <= set(ROLES)


def test_the_conditions_are_codes_of_other_tables() -> None:
    def under(prefix: str) -> set[str]:
        return {name.removeprefix(prefix) for name in SALE_RULES if name.startswith(prefix)}

    assert under("recall_") == set(RECALL_CLASSES)
    assert under("duty_") | {"retest"} == set(DUTIES)
    assert under("alert_") | {"closed"} == set(ALERT_STATES)
    assert {rule.discloses for rule in SALE_RULES.values()} == {*SALE_DISCLOSURES, ""}


def test_a_graver_recall_is_never_freer() -> None:
    order = [SALE_EFFECTS.index(SALE_RULES[f"recall_{name}"].effects[2]) for name in RECALL_CLASSES]
    assert order == sorted(order, reverse=True)
    assert SALE_RULES["clearance_void"].effects == ("blocked",) * 4


# --- the rest -------------------------------------------------------------------------------------------------
def test_alerts() -> None:
    assert len(ALERTS) == 10
    assert set(ALERTS.values()) == {"reported", "confirmed"} < set(ALERT_STATES)
    assert set(ALERTS) & set(MATERIAL_EVENTS) == {"late_disclosure"}


def test_what_ends_a_trouble_is_not_material_and_every_alert_is_raised() -> None:
    assert not {"flag_cleared", "warranty_ended", "sources_differ"} & set(MATERIAL_EVENTS)
    code = "".join(path.read_text("utf-8") for path in Path(txtypes.__path__[0]).rglob("*.py"))
    assert [alert for alert in ALERTS if f'"{alert}"' not in code] == []


def test_registration_and_import() -> None:
    assert REGISTRATION_COUNTRIES - COUNTRIES == {"XK"}
    assert {"total_loss", "scrapped", "export_confirmed"} <= set(REGISTRATION_END_REASONS)
    assert list("ABCD") == list(IMPORT_GRADES)
    assert {role for roles in IMPORT_GRADES.values() for role in roles} == {"manufacturer", "registrar"}
    assert sum(DISPUTE_STANDINGS.values()) == 14


def test_every_alias_of_a_field_matches_the_codes_of_its_table() -> None:
    tables = Tables()._asdict()
    checked = set()
    for name, alias in vars(fields).items():
        marker = next((m for m in getattr(alias, "__metadata__", ()) if isinstance(m, CodeOf)), None)
        if marker is None:
            continue
        meta = alias.__metadata__[0]
        assert all(re.search(meta.pattern, code) for code in tables[marker.table]), name
        assert all(len(code) <= (meta.max_length or 40) for code in tables[marker.table]), name
        checked.add(marker.table)
    assert {"brands", "inspection_items", "checklists", "stop_flags", "import_grades", "services"} <= checked
    assert len(checked) > 35


def test_no_table_names_a_code_twice() -> None:
    for name, table in Tables()._asdict().items():
        if isinstance(table, tuple) and all(isinstance(code, str) for code in table):
            assert len(table) == len(set(table)), name
    assert stop_flags.FLAG_COOLDOWN_DAYS == 180
