"""Texts of answers: sentences in the languages of the interface, and amounts of money."""

from __future__ import annotations

from typing import NamedTuple

from node.rules.iso_codes import MINOR_UNITS


class Sentence(NamedTuple):
    """One sentence in English, German and Chinese."""

    en: str
    de: str
    zh: str

    def text(self, language: str) -> str:
        """In `en`, `de` or `zh`; English for any other."""
        return {"de": self.de, "zh": self.zh}.get(language, self.en)


def show_amount(amount: int, currency: str) -> str:
    """5290000 EUR to `52900.00 EUR`; in minor units if the currency is unknown."""
    digits = MINOR_UNITS.get(currency, 0)
    if not digits:
        return f"{amount} {currency}"
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}d} {currency}"
