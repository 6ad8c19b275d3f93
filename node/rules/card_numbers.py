"""Detection of payment card numbers (ISO/IEC 7812), so that none gets on chain (PCI DSS 4.0, 3.5)."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

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
_NO: Final = 0xFF


def _zero_for(values: frozenset[int]) -> bytes:
    """A table for `bytes.translate`: 0 for the values, else `_NO`."""
    return bytes(0 if value in values else _NO for value in range(256))


class _Lead(NamedTuple):
    """A number's first two digits and the two after them, as tables; the lengths that such a number has."""

    first: bytes
    second: bytes
    lengths: tuple[int, ...]


def _leads(first: str, last: str, lengths: tuple[int, ...]) -> Iterator[_Lead]:
    low, high = int(first.ljust(4, "0")), int(last.ljust(4, "9"))
    firsts: dict[frozenset[int], set[int]] = {}
    for pair in range(low // 100, high // 100 + 1):
        seconds = frozenset(n % 100 for n in range(max(low, 100 * pair), min(high, 100 * pair + 99) + 1))
        firsts.setdefault(seconds, set()).add(pair)
    for seconds, pairs in firsts.items():
        yield _Lead(_zero_for(frozenset(pairs)), _zero_for(seconds), lengths)


_LEADS: Final = tuple(lead for _, first, last, lengths in SCHEMES for lead in _leads(first, last, lengths))
_LENGTHS: Final = sorted({length for lead in _LEADS for length in lead.lengths})
_PLAIN: Final = bytes(byte - 48 if 48 <= byte <= 57 else 0 for byte in range(256))
_DOUBLED: Final = bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[value] for value in _PLAIN)
"""Digit -> the digit sum of its double."""
_OUTSIDE: Final = _zero_for(frozenset(b"0123456789"))
_CHECKED: Final = _zero_for(frozenset(range(0, 256, 10)))


def find_card_number(text: str) -> int:
    """The first index of a card number in a run of ASCII digits: prefix and length of a scheme, valid Luhn digit
    (ISO/IEC 7812-1, annex B); -1 for none. One random run of 16 digits in ten hits, and of 19 one in four: for code
    strings, not for serials and hashes.

    Anybody can send 64 KiB of digits that look like a card at every place, so all windows of a length are checked at
    once: byte `i` of an integer represents the window at `i`, and no sum of 19 digits leaves its byte.
    """
    if not _RUN.search(text):
        return -1
    codes = text.encode("ascii", "replace") + b" " * _LENGTHS[-1]
    plain, doubled = _integer(codes, _PLAIN), _integer(codes, _DOUBLED)
    pairs = (10 * plain + (plain >> 8)).to_bytes(len(codes), "little")
    leads = [(_integer(pairs, a) | _integer(pairs, b) >> 16, lengths) for a, b, lengths in _LEADS]
    outside = gap = _integer(codes, _OUTSIDE)
    if_odd = if_even = 0  # sums of the windows of a length: its last digit counts plain, every second before it doubled
    for offset in range(_LENGTHS[-1]):
        if_odd += (doubled if offset % 2 else plain) >> 8 * offset
        if_even += (plain if offset % 2 else doubled) >> 8 * offset
        gap |= outside >> 8 * offset
        length = offset + 1
        if length not in _LENGTHS:
            continue
        no_lead = -1
        for lead, lengths in leads:
            if length in lengths:
                no_lead &= lead
        sums = (if_odd if length % 2 else if_even).to_bytes(len(codes), "little")
        windows = (_integer(sums, _CHECKED) | gap | no_lead).to_bytes(len(codes), "little")
        if (place := windows.find(0, 0, len(text) - length + 1)) >= 0:
            return place
    return -1


def _integer(codes: bytes, table: bytes) -> int:
    return int.from_bytes(codes.translate(table), "little")
