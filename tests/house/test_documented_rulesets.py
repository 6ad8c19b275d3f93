"""docs/RULESETS.md is enough to compute the ruleset's hash and its functions: here they are computed from its text."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

from support.second_codec import h, pack

from node.rules.card_numbers import SCHEMES
from node.rules.damage import severity
from node.rules.vin import check_digit, has_valid_year_code
from node.txtypes.rulesets import RULESETS

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "RULESETS.md").read_text("utf-8")


def blocks_of(heading: str) -> list[tuple[str, Any]]:
    """(name, JSON) of every block in a section of the document; the name is in the heading or line above the block."""
    found, name = [], ""
    for part in re.split(r"^(?:### )?`([a-z_]+)`$", TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0], flags=re.M):
        block = re.search(r"^```json\n(.*?)\n```$", part, re.M | re.S)
        if block is not None:
            found.append((name, json.loads(block[1])))
        name = part
    return found


TABLES = dict(blocks_of("Tables"))


def test_the_hash_follows_from_the_text_of_the_document() -> None:
    schema = [part for _, part in blocks_of("Schema")]
    types = [name for name, *_ in schema[0]]
    ((_, versions),) = blocks_of("Versions")
    covered = [1, [list(pair) for pair in blocks_of("Tables")], types, schema, versions]
    computed = h("bmw/ruleset", pack(covered)).hex()

    assert RULESETS[1].hash.hex() == computed
    assert computed in TEXT.split("\n## Functions\n")[0]
    assert f"ruleset 1        {computed}" in (DOCS / "PROTOCOL.md").read_text("utf-8")


def documented_check_digit(vin: str) -> str:
    values = dict(TABLES["vin_transliteration"])
    total = sum(values[character] * weight for character, weight in zip(vin, TABLES["vin_weights"], strict=True))
    return TABLES["vin_check_digits"][total % 11]


def test_check_digits_and_year_codes_follow_from_the_document() -> None:
    characters = [character for character, _ in TABLES["vin_transliteration"]]
    vins = ["1M8GDM9AXKP042788", "11111111111111111"]
    vins += ["".join(characters[(3 * n + 7 * i * i) % 33] for i in range(17)) for n in range(200)]

    assert [documented_check_digit(vin) for vin in vins] == [check_digit(vin) for vin in vins]
    assert ["X", "1"] == [documented_check_digit(vin) for vin in vins[:2]]
    for character in characters:
        vin = f"WBA8E9G50{character}NU12345"
        assert has_valid_year_code(vin) == (character in TABLES["vin_year_codes"])


def documented_severity(worst: str, damages: int, airbags: int, is_hit: bool, is_drivable: bool) -> str:
    points = dict(TABLES["damage_class_points"])[worst]
    points += min(damages - 1, TABLES["damage_zone_points_max"]) if worst != "cosmetic" else 0
    points += TABLES["damage_airbag_points"][min(airbags, len(TABLES["damage_airbag_points"]) - 1)]
    points += TABLES["damage_hv_battery_points"] if is_hit else 0
    points += 0 if is_drivable else TABLES["damage_not_drivable_points"]
    reached = zip(TABLES["damage_severities"], TABLES["damage_severity_points"], strict=True)
    return [name for name, least in reached if least <= points][-1]


def test_severities_follow_from_the_document() -> None:
    flags = (False, True)
    for given in product(TABLES["damage_classes"], range(1, 8), range(6), flags, flags):
        assert documented_severity(*given) == severity(*given)


def test_protocol_md_has_the_prefixes_of_payment_cards() -> None:
    """By scheme in the one document, by lengths in the other."""
    rows = re.findall(r"^\| ([0-9, -]+) \| ([0-9, to]+) \|$", (DOCS / "PROTOCOL.md").read_text("utf-8"), re.M)
    told = set()
    for prefixes, lengths in rows:
        first, is_range, last = lengths.partition(" to ")
        of = range(int(first), int(last) + 1) if is_range else [int(length) for length in lengths.split(", ")]
        for prefix in prefixes.split(", "):
            low, _, high = prefix.partition("-")
            told |= {(low, high or low, length) for length in of}

    assert told == {(low, high, length) for _, low, high, lengths in SCHEMES for length in lengths}
