"""Pages keep what their policy promises, and every text is there in each language, used, and with the same places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from node.txtypes.registry import TYPES
from web.words import CATALOGUE

WEB = Path(__file__).resolve().parents[2] / "web"
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
SOURCES = [path.read_text("utf-8") for path in (*TEMPLATES, *WEB.rglob("*.py"))]
MODULES = [path.read_text("utf-8") for path in (WEB / "js").rglob("*.js")]
FORBIDDEN = {
    "marked safe": r"\|\s*safe\b|Markup\(",
    "style in place": r"\sstyle=|<style\b",
    "script in place": r"<script(?![^>]*\bsrc=)|\son[a-z]+=",
    "another origin": r"https?://",
}
NAMES = r"[a-z_]+\.[a-z0-9_.]"
BY_CODE = ("codes", "families", "fields", "records", "values", "badge.refusal_")
"""Catalogues and texts that are looked up by a code of the chain; tests of their own hold them to its declarations."""
OF_MODULES = ("badge", "verifier")
"""Catalogues of the modules, which name a text without its catalogue."""


def letters(text: str) -> str:
    """What a template says itself: outside of tags, of what is computed, of commands to type, and of comments."""
    computed = r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<!--.*?-->|<code\b.*?</code>|<[^>]*>|&[a-z]+;"
    return " ".join(re.sub(computed, " ", text, flags=re.S).split())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_that_the_policy_forbids_and_no_text_of_its_own(path: Path) -> None:
    text = path.read_text("utf-8")
    assert {name: found for name, pattern in FORBIDDEN.items() if (found := re.findall(pattern, text))} == {}
    assert not re.search(r"[^\W\d_]*[a-zäöü]{2}|[\u4e00-\u9fff]", letters(text)), letters(text)


def test_every_text_that_is_named_is_there_and_every_text_is_used() -> None:
    """A text is named whole, or by the beginning that a template or a module completes."""
    whole = {name for text in SOURCES for name in re.findall(rf"""["']({NAMES}+)["']""", text)}
    begun = {name for text in SOURCES for name in re.findall(rf"""["']({NAMES}*)["'] ~|f["']({NAMES}*)\{{""", text)}
    starts = (*BY_CODE, *(first or second for first, second in begun))
    for text in MODULES:
        whole |= {f"{file}.{name}" for file in OF_MODULES for name in re.findall(r"""["']([a-z0-9_]+)["']""", text)}
        starts += tuple(f"{file}.{name}" for file in OF_MODULES for name in re.findall(r"`([a-z0-9_]+_)\$\{", text))
    counted = {f"{name}_one" for name in whole}
    files = {path.stem for path in (WEB / "texts").glob("*.json")}
    named = {name for name in whole - set(TYPES) if name.split(".")[0] in files - set(OF_MODULES)}

    named = {name for name in named if not name.endswith(".html")}
    assert {name for name in named - set(CATALOGUE) if not any(key.startswith(name) for key in CATALOGUE)} == set()
    assert [key for key in CATALOGUE if key not in whole | counted and not key.startswith(starts)] == []


def test_texts_have_the_same_places_in_every_language_and_are_translated() -> None:
    places = {key: [set(re.findall(r"\{(\w+)\}", text)) for text in texts] for key, texts in CATALOGUE.items()}
    assert [key for key, found in places.items() if any(each != found[0] for each in found)] == []
    said = re.compile(r"[a-z]{4}(?![^{]*\})")
    same = [key for key, (en, de, zh) in CATALOGUE.items() if zh in (en, de) and said.search(en)]
    assert [key for key in same if key.split(".")[0] not in BY_CODE] == []
