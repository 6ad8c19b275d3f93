"""The pages' texts in English, German and Chinese, and how each language writes numbers, money, dates and distances.

Every `texts/*.json` is a catalogue: key to the three texts, with places in braces. Codes of the chain have their texts
in `node.rules.texts`, which the interface and the papers use, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

from babel.core import Locale
from babel.dates import format_date, format_datetime, format_skeleton, format_timedelta
from babel.numbers import format_currency, format_decimal, get_group_symbol

from node.crypto.addresses import to_text
from node.rules.iso_codes import MINOR_UNITS
from node.rules.odometer import MILLIMETRES
from node.rules.texts.form import Text
from node.rules.texts.tables import TEXTS

Tag = Literal["en", "de", "zh"]
TAGS: Final[tuple[Tag, ...]] = get_args(Tag)
NAMES: Final[dict[Tag, str]] = {"en": "English", "de": "Deutsch", "zh": "中文"}
_LOCALES: Final[dict[Tag, Locale]] = {
    "en": Locale.parse("en_GB"), "de": Locale.parse("de_DE"), "zh": Locale.parse("zh_Hans_CN"),
}  # fmt: skip


def _catalogue() -> dict[str, Text]:
    """All texts of `texts/`, by `<file>.<key>`."""
    found: dict[str, Text] = {}
    for file in files("web").joinpath("texts").iterdir():
        name, _, suffix = file.name.rpartition(".")
        if suffix == "json":
            found |= {f"{name}.{key}": Text(*texts) for key, texts in json.loads(file.read_text("utf-8")).items()}
    return found


CATALOGUE: Final[Mapping[str, Text]] = _catalogue()


class Words:
    """The texts and formats of one language. Methods that draw values take what the interface answers."""

    def __init__(self, tag: Tag) -> None:
        self.tag: Tag = tag
        self._index = TAGS.index(tag)
        self._locale = _LOCALES[tag]
        self._between_thousands = get_group_symbol(_LOCALES[tag])

    @property
    def lang(self) -> str:
        """The value of the attribute `lang`."""
        return "zh-Hans" if self.tag == "zh" else self.tag

    def __call__(self, key: str, **values: object) -> str:
        """A text of the catalogue. Raises `KeyError` for one that is not there, or a place without a value."""
        text = CATALOGUE[key][self._index]
        return text.format(**values) if values else text

    def count(self, key: str, number: int, **values: object) -> str:
        """The text `<key>_one` for 1, else `<key>` with `{count}`."""
        return self(f"{key}_one" if number == 1 else key, count=self.number(number), **values)

    def of(self, texts: Mapping[str, Text], code: object) -> str:
        """The text of a code of a table, which begins with a capital letter; of an unknown one the code itself."""
        text = texts.get(str(code))
        found = str(code).replace("_", " ") if text is None else text[self._index]
        return found[:1].upper() + found[1:]

    def several(self, parts: Iterable[str]) -> str:
        """A list within a sentence."""
        return ("、" if self.tag == "zh" else ", ").join(parts)

    def code(self, table: str, code: object) -> str:
        """The text of a code: of the ruleset's table, else `codes.<table>.<code>` of the catalogue, else the code
        itself with spaces."""
        text = TEXTS.get(table, {}).get(str(code)) or CATALOGUE.get(f"codes.{table}.{code}")
        return str(code).replace("_", " ") if text is None else text[self._index]

    # --- numbers ---------------------------------------------------------------------------------------------
    def number(self, value: float) -> str:
        """Whole numbers, of which pages are full, without Babel, which takes a hundred times as long for the same."""
        if type(value) is int:
            return f"{value:,}".replace(",", self._between_thousands)
        return _number(self.tag, value)

    def money(self, money: Mapping[str, Any] | None) -> str:
        """`{"amount": 5290000, "currency": "EUR"}`, in minor units."""
        if money is None:
            return "–"
        amount, currency = int(money["amount"]), str(money["currency"])
        whole, rest = divmod(amount, 10 ** MINOR_UNITS.get(currency, 0))
        if rest or amount < 0:
            digits = MINOR_UNITS.get(currency, 0)
            return _currency(self.tag, Decimal(amount).scaleb(-digits), currency)
        before, after = _around_whole(self.tag, currency)
        return f"{before}{self.number(whole)}{after}"

    def distance(self, metres: int | None, unit: str = "km") -> str:
        """Whole kilometres or miles."""
        if metres is None:
            return "–"
        return f"{self.number(metres * 1000 // MILLIMETRES[unit])} {unit}"

    # --- times ------------------------------------------------------------------------------------------------
    def day(self, time: str | None) -> str:
        """A day of a time such as `2026-01-31T12:00:00.000Z`, or of a date."""
        if not time:
            return "–"
        return str(format_date(_parsed(time).date(), "medium", locale=self._locale))

    def month(self, time: str) -> str:
        """A month of a year, short: `Mar 2026`."""
        return str(format_skeleton("yMMM", _parsed(time), tzinfo=UTC, locale=self._locale))

    def time(self, time: str | None) -> str:
        """A time in UTC."""
        if not time:
            return "–"
        return f"{format_datetime(_parsed(time), 'medium', tzinfo=UTC, locale=self._locale)} UTC"

    def ago(self, seconds: float) -> str:
        """A duration, roughly: `3 minutes`."""
        return _ago(self.tag, round(max(seconds, 1)))

    # --- names ------------------------------------------------------------------------------------------------
    @staticmethod
    def short(text: str, letters: int = 10) -> str:
        """The beginning of an id or an address."""
        return text if len(text) <= letters + 2 else text[:letters] + "…"

    @staticmethod
    def address(raw: bytes) -> str:
        return to_text(raw)


def _currency(tag: Tag, value: Decimal, currency: str, pattern: str | None = None) -> str:
    return str(format_currency(value, currency, pattern, _LOCALES[tag], currency_digits=pattern is None))


@lru_cache(maxsize=512)
def _around_whole(tag: Tag, currency: str) -> tuple[str, str]:
    """What is before and behind a whole number of a currency's units."""
    pattern = _LOCALES[tag].currency_formats["standard"].pattern.replace("0.00", "0")
    before, after = _currency(tag, Decimal(0), currency, pattern).split("0")
    return before, after


@lru_cache(maxsize=4_096)
def _number(tag: Tag, value: float) -> str:
    """The same fractions come again and again."""
    return str(format_decimal(value, locale=_LOCALES[tag]))


@lru_cache(maxsize=4_096)
def _ago(tag: Tag, seconds: int) -> str:
    """Every page has the age of the head in it."""
    return str(format_timedelta(seconds, locale=_LOCALES[tag], threshold=1.2))


def _parsed(time: str) -> datetime:
    return datetime.fromisoformat(time.replace("Z", "+00:00"))


@cache
def words_of(tag: Tag) -> Words:
    return Words(tag)


def preferred(accept: str) -> Tag:
    """The language that a header `Accept-Language` prefers, English where it names none of ours."""
    found: list[tuple[float, int, Tag]] = []
    for place, part in enumerate(accept.split(",")[:16]):
        name, _, quality = part.partition(";q=")
        tag = name.strip().lower().partition("-")[0]
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        found += [(-weight, place, known) for known in TAGS if known == tag and weight > 0]
    return min(found)[2] if found else "en"
