"""Every code of every table has a text in English, German and Chinese."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from node.rpc.codes import codes_document
from node.rules.texts.form import Text, rows
from node.rules.texts.tables import TEXTS
from node.txtypes.rulesets import RULESETS

CODES: dict[str, list[str]] = codes_document(RULESETS[1])["codes"]
NAMES = {"vin_transliteration", "vin_wmis"}
"""Their codes are characters, and names of makers that are the same in every language."""
PROPER = {"countries", "currencies", "registration_countries", "rails_forbidden"}
"""Names of places and money: CLDR writes some with brackets, and some alike in two languages."""
BRANDED = {"rail_schemes"}
"""Some have a trade mark for a name, which is the same in every language."""


def test_every_table_of_codes_has_texts_and_no_other() -> None:
    assert set(TEXTS) == set(CODES) - NAMES


@pytest.mark.parametrize("table", sorted(TEXTS))
def test_every_code_has_a_text(table: str) -> None:
    assert [code for code in CODES[table] if code not in TEXTS[table]] == []


@pytest.mark.parametrize("table", sorted(TEXTS))
def test_a_text_is_a_name_in_its_language(table: str) -> None:
    for code, text in TEXTS[table].items():
        assert all(part == part.strip() and part and not part.endswith((".", "。")) for part in text), code
        assert not re.search(r"[一-鿿]", text.en + text.de), code
        is_mark = table in BRANDED and text.en == text.de == text.zh
        assert re.search(r"[一-鿿]", text.zh) or is_mark, code
        assert len(text.en) <= 60 and len(text.de) <= 70 and len(text.zh) <= 30, code


@pytest.mark.parametrize("table", sorted(set(TEXTS) - PROPER))
def test_one_table_does_not_say_the_same_of_two_codes(table: str) -> None:
    for language in zip(*(TEXTS[table][code] for code in CODES[table]), strict=True):
        assert [text for text, times in Counter(language).items() if times > 1] == []


def test_texts_are_no_part_of_the_hash() -> None:
    covered = repr(RULESETS[1].tables.canonical())
    assert "front brake pads" not in covered
    assert "BRAKE_PADS_FRONT" in covered


def test_a_row_is_a_code_and_three_texts() -> None:
    assert {"a": Text("one", "eins", "一")} == rows("\na | one | eins | 一\n")
    with pytest.raises(ValueError):
        rows("a | one | eins")
    with pytest.raises(AssertionError, match="a has one text"):
        rows("a | one | eins | 一\na | two | zwei | 二")


def test_texts_are_the_words_of_the_trade() -> None:
    assert TEXTS["defect_severities"]["major"].de == "Erheblicher Mangel"
    assert TEXTS["inspection_kinds"]["periodic"] == Text("periodic inspection", "Hauptuntersuchung", "定期检验")
    assert TEXTS["countries"]["DE"] == Text("Germany", "Deutschland", "德国")
    assert TEXTS["registration_countries"]["XK"].de == "Kosovo"
