"""Payment card numbers (ISO/IEC 7812): found so that none gets on chain (PCI DSS 4.0, 3.5)."""

from __future__ import annotations

import re
from typing import Final

SCHEMES: Final[tuple[tuple[str, str, str, tuple[int, ...]], ...]] = (
    ("visa", "4", "4", (13, 16, 19)),
    ("mastercard", "51", "55", (16,)),
    ("mastercard", "2221", "2720", (16,)),
    ("amex", "34", "34", (15,)),
    ("amex", "37", "37", (15,)),
    ("discover", "6011", "6011", (16, 19)),
    ("discover", "644", "649", (16, 19)),
    ("discover", "65", "65", (16, 19)),
    ("unionpay", "62", "62", (16, 17, 18, 19)),
    ("jcb", "3528", "3589", (16, 19)),
    ("diners", "300", "305", (14, 16)),
    ("diners", "36", "36", (14, 16)),
    ("diners", "38", "38", (14, 16)),
    ("maestro", "50", "50", (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", "56", "58", (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", "6304", "6304", (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", "6759", "6759", (13, 14, 15, 16, 17, 18, 19)),
    ("maestro", "6761", "6763", (13, 14, 15, 16, 17, 18, 19)),
)
"""Scheme, first and last prefix (equally long, both included), lengths in use."""

_RUN: Final = re.compile("[0-9]{13,}")
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""Digit -> the digit sum of its double."""


def has_luhn_digit(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    plain, doubled = digits[::-2], digits[-2::-2]
    return (sum(map(int, plain)) + sum(_DOUBLED[int(digit)] for digit in doubled)) % 10 == 0


def has_card_number(text: str) -> bool:
    """Whether some window of a run of ASCII digits is a card number: prefix and length of a scheme, valid Luhn digit.

    One random run of 16 digits in ten hits, and of 19 one in four: for code strings, not for serials and hashes.
    """
    return any(_has_card_number(run) for run in _RUN.findall(text))


def _has_card_number(run: str) -> bool:
    for start in range(len(run) - 12):
        for _, first, last, lengths in SCHEMES:
            if not first <= run[start : start + len(first)] <= last:
                continue
            for length in lengths:
                window = run[start : start + length]
                if len(window) == length and has_luhn_digit(window):
                    return True
    return False
