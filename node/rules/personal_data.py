"""Detection of what must never be on a chain in the codes that authors choose freely: payment card numbers, IBANs (ISO
13616) and telephone numbers (ITU-T E.164). docs/PROTOCOL.md, section 4, defines their forms.

Part numbers must pass: one of eleven digits is no telephone number, since nothing tells it from one. A telephone number
is found only in the forms that no manufacturer writes part numbers in.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from node.rules.card_numbers import SCHEMES, find_card_number

SHORTEST: Final = 10
"""Characters of the shortest code that can hold any of them: a national telephone number."""
_CARD_SHORTEST: Final = 13
"""Of a card number; an IBAN has at least 15."""

# --- IBANs ------------------------------------------------------------------------------------------------
IBAN_FORMS: Final = {
    "AD": "8n12c", "AE": "19n", "AL": "8n16c", "AT": "16n", "AZ": "4a20c", "BA": "16n", "BE": "12n", "BG": "4a6n8c",
    "BH": "4a14c", "BI": "23n", "BR": "23n1a1c", "BY": "4c4n16c", "CH": "5n12c", "CR": "18n", "CY": "8n16c",
    "CZ": "20n", "DE": "18n", "DJ": "23n", "DK": "14n", "DO": "4c20n", "EE": "16n", "EG": "25n", "ES": "20n",
    "FI": "14n", "FK": "2a12n", "FO": "14n", "FR": "10n11c2n", "GB": "4a14n", "GE": "2a16n", "GI": "4a15c", "GL": "14n",
    "GR": "7n16c", "GT": "24c", "HN": "4a20n", "HR": "17n", "HU": "24n", "IE": "4a14n", "IL": "19n", "IQ": "4a15n",
    "IS": "22n", "IT": "1a10n12c", "JO": "4a4n18c", "KW": "4a22c", "KZ": "3n13c", "LB": "4n20c", "LC": "4a24c",
    "LI": "5n12c", "LT": "16n", "LU": "3n13c", "LV": "4a13c", "LY": "21n", "MC": "10n11c2n", "MD": "20c", "ME": "18n",
    "MK": "3n10c2n", "MN": "16n", "MR": "23n", "MT": "4a5n18c", "MU": "4a19n3a", "NI": "4a20n", "NL": "4a10n",
    "NO": "11n", "OM": "3n16c", "PK": "4a16c", "PL": "24n", "PS": "4a21c", "PT": "21n", "QA": "4a21c", "RO": "4a16c",
    "RS": "18n", "RU": "14n15c", "SA": "2n18c", "SC": "4a20n3a", "SD": "14n", "SE": "20n", "SI": "15n", "SK": "20n",
    "SM": "1a10n12c", "SO": "19n", "ST": "21n", "SV": "4a20n", "TL": "19n", "TN": "20n", "TR": "6n16c", "UA": "6n19c",
    "VA": "18n", "VG": "4a16n", "XK": "16n", "YE": "4a4n18c",
}  # fmt: skip
"""Country to the form of the account number within its country (BBAN): counts of digits (n), letters (a) and both (c).
SWIFT's IBAN registry: countries and lengths of release 99 (2025), seen as java-iban keeps it; the forms seen as
python-stdnum keeps them, and as published programs quote the registry's structures: those of BI, BY, DJ, EG, FK, HN,
IQ, LY, MN, NI, OM, RU, SC, SD, SO, SV, UA, VA and YE."""
_CLASSES: Final = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}


def _pattern(form: str) -> re.Pattern[str]:
    parts = (f"{_CLASSES[kind]}{{{count}}}" for count, kind in re.findall("([0-9]+)([nac])", form))
    return re.compile("".join(parts))


_BBANS: Final = {country: _pattern(form) for country, form in IBAN_FORMS.items()}
_IBAN_START: Final = re.compile("(?=([A-Z]{2})[0-9]{2}[A-Z0-9]{11})")
_NUMBERS: Final = {ord("A") + n: str(10 + n) for n in range(26)}
_SEPARATORS: Final = str.maketrans("", "", "._/-")


def _has_iban(text: str) -> bool:
    """Whether, separators aside, a part of a code is an IBAN: country, two check digits, account number in the form of
    the country; the remainder modulo 97 is 1."""
    joined = text.translate(_SEPARATORS)
    for start in _IBAN_START.finditer(joined):
        country, at = start[1], start.start()
        form = _BBANS.get(country)
        account = form.match(joined, at + 4) if form is not None else None
        if account is not None and _remainder(account[0] + joined[at : at + 4]) == 1:
            return True
    return False


def _remainder(text: str) -> int:
    """Modulo 97, a letter counting as two digits, from A = 10 on (ISO 7064)."""
    return int(text.translate(_NUMBERS)) % 97


# --- telephone numbers ------------------------------------------------------------------------------------
_COUNTRY = (
    "(?:1|7|2[07]|3[0-469]|4[0-13-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    "|(?:2[1-689]|3[578]|42|5[09]|6[7-9]|8[0578]|9[679])[0-9])"
)
"""Country codes that ITU-T E.164 has assigned or keeps."""
PHONE_PATTERN: Final = "|".join((
    rf"((?<![A-Z0-9])00(?={_COUNTRY})[0-9]{{11,15}}(?![A-Z0-9]))",
    rf"((?<![0-9])00{_COUNTRY}[0-9]*(?:[._/-][0-9]+)+)",
    r"((?<![0-9])0[1-9][0-9]{1,2}[._/-][0-9]{6,8}(?![0-9]))",
    r"((?<![0-9])0[1-9][0-9]{1,3}[._/-][0-9]{2,4}[._/-][0-9]{4,5}(?![0-9]))",
))  # fmt: skip
"""International without separators; international in groups; national as prefix and number, the number in two groups
too."""
_PHONE: Final = re.compile(PHONE_PATTERN)
_DIGITS_MIN, _DIGITS_MAX = 9, 15


def _has_phone(text: str) -> bool:
    return any(
        found.lastindex in (3, 4) or _is_international(found[0].translate(_SEPARATORS)[2:])
        for found in _PHONE.finditer(text)
    )


def _is_international(digits: str) -> bool:
    """Whether so many digits follow 00: a number of North America or Russia has exactly ten after its country code."""
    return len(digits) == 11 if digits[0] in "17" else _DIGITS_MIN <= len(digits) <= _DIGITS_MAX


# --- card numbers in groups ---------------------------------------------------------------------------------
_GROUPED_CARD: Final = re.compile(r"(?<![0-9])[0-9]{3,}(?:[._/-][0-9]{3,})+(?:[._/-][0-9]{1,2}(?![0-9]))?")
"""Groups of three digits at least, the last one shorter or not: 4-4-4-4 and 4-6-5 as they are embossed, and 8-8 or
4-8-4 as somebody types them. Dates and versions have groups of two."""


def _has_card(text: str) -> bool:
    grouped = (found[0].translate(_SEPARATORS) for found in _GROUPED_CARD.finditer(text))
    return find_card_number(" ".join((text, *grouped))) >= 0


# --- all of them --------------------------------------------------------------------------------------------
class Found(NamedTuple):
    """What a code looks like, and the code."""

    what: str
    code: str


_ZERO: Final = re.compile("(?<![0-9])0[0-9]{2}")
"""What every telephone number begins with."""


def find_personal_data(codes: Iterable[str]) -> Found | None:
    """The first of them that a code contains, the code in upper case. Linear in the length of the codes; those of an
    ordinary transaction cost about a microsecond."""
    suspects = [code for code in codes if len(code) >= SHORTEST and (len(code) >= _CARD_SHORTEST or _ZERO.search(code))]
    if not suspects:
        return None
    text = " ".join(suspects).upper()
    if not _looks_like(text):
        return None
    return next((Found(what, code) for code in text.split(" ") if (what := _looks_like(code))), None)


def _looks_like(text: str) -> str:
    if _has_card(text):
        return "a payment card number"
    if _has_iban(text):
        return "an IBAN"
    return "a telephone number" if _has_phone(text) else ""


def has_card_in_vin(vin: str) -> bool:
    """Whether a VIN holds a card number of 16 digits. Shorter ones are not looked for: VINs of the eighties have runs
    of 14 digits, one in ten with a valid check digit."""
    if not vin[1:16].isdecimal():
        return False
    return any(number.isdecimal() and _is_card(number) for number in (vin[:16], vin[1:17]))


def _is_card(number: str) -> bool:
    has_scheme = any(
        first <= number[: len(first)] <= last and len(number) in lengths for _, first, last, lengths in SCHEMES
    )
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return has_scheme and (doubled + sum(map(int, number[-1::-2]))) % 10 == 0
