"""The form of texts: one line for each code, `code | English | German | Chinese`."""

from collections.abc import Mapping
from typing import NamedTuple


class Text(NamedTuple):
    """What a code means, in three languages: a name, not a sentence."""

    en: str
    de: str
    zh: str


Texts = Mapping[str, Text]
"""Code -> its text."""


def rows(text: str) -> dict[str, Text]:
    """The texts of the lines. A line without four parts raises ValueError, a code that occurs twice AssertionError."""
    found: dict[str, Text] = {}
    for line in text.strip().splitlines():
        code, en, de, zh = (part.strip() for part in line.split("|"))
        assert code not in found, f"{code} has one text"
        found[code] = Text(en, de, zh)
    return found
