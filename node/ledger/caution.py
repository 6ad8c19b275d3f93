"""Cautions: what a person should know before a valid transaction is sent, in English, German and Chinese."""

from __future__ import annotations

from typing import NamedTuple


class Caution(NamedTuple):
    """One fact about a change of state, and what can be done before it happens. `code` is stable. A family declares
    when it applies."""

    code: str
    en: str
    de: str
    zh: str

    def text(self, language: str = "en") -> str:
        """One sentence in `en`, `de` or `zh`."""
        return {"de": self.de, "zh": self.zh}.get(language, self.en)
