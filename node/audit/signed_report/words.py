"""The words of the report's page in English, German and Chinese, and how each writes numbers, shares and durations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from node.rules.texts.form import Text
from node.rules.texts.tables import TEXTS

Tag = Literal["en", "de", "zh"]
LANGUAGES: Final[dict[Tag, str]] = {"en": "English", "de": "Deutsch", "zh": "中文"}

_FILE: Final = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
WORDS: Final[dict[str, Text]] = {name: Text(*texts) for name, texts in _FILE["words"].items()}
CODES: Final[dict[str, Text]] = {code: Text(*texts) for code, texts in _FILE["codes"].items()}
"""Codes of state values that no table of the ruleset has."""
_DURATIONS: Final = ((1, 1_000), (1_000, 60), (60_000, 60), (3_600_000, 48), (86_400_000, 0))
"""(ms of a unit, how many of it the next unit begins with)."""


class Language:
    """Texts and number formats of one language."""

    def __init__(self, tag: Tag) -> None:
        self.tag: Tag = tag
        self._index = list(LANGUAGES).index(tag)
        self._units = {"en": ("ms", "s", "min", "h", "d"), "de": ("ms", "s", "min", "h", "T"),
                       "zh": ("毫秒", "秒", "分", "时", "天")}[tag]  # fmt: skip

    def word(self, name: str, *values: object) -> str:
        return self._of(WORDS[name]).format(*values) if values else self._of(WORDS[name])

    def code(self, code: str, table: str = "") -> str:
        """The text of a code; the code itself where it has none."""
        text = TEXTS.get(table, {}).get(code) or CODES.get(code)
        return self._of(text) if text is not None else code

    def _of(self, text: Text) -> str:
        return text[self._index]

    def number(self, value: float) -> str:
        """Whole, in groups of three digits."""
        return f"{round(value):,}".replace(",", "." if self.tag == "de" else ",")

    def share(self, per_mille: float) -> str:
        text = f"{per_mille / 10:.1f}".removesuffix(".0")
        return f"{text.replace('.', ',') if self.tag == 'de' else text}{'%' if self.tag == 'zh' else ' %'}"

    def duration(self, ms: float) -> str:
        """Two or three digits and a unit."""
        index = next((i for i, (size, most) in enumerate(_DURATIONS) if ms < size * most), len(_DURATIONS) - 1)
        value = ms / _DURATIONS[index][0]
        text = f"{value:.1f}".removesuffix(".0") if value < 100 and index else f"{round(value)}"
        text = text.replace(".", ",") if self.tag == "de" else text
        return f"{text}{'' if self.tag == 'zh' else ' '}{self._units[index]}"

    @staticmethod
    def day(time: str) -> str:
        """ISO 8601, which all three read."""
        return time[:10]
