"""Personal data that a hostile author plants: card numbers, IBANs, telephone numbers, mail addresses, plates, names."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from node.rules.card_numbers import SCHEMES
from node.rules.personal_data import IBAN_FORMS

ALPHANUMERIC: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
CARDS: Final = ("4111111111111111", "5555555555554444", "378282246310005", "30569309025904")
"""The schemes' published test numbers."""
IBANS: Final = (
    "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "CH9300762011623852957",
    "NL91ABNA0417164300", "NO9386011117947", "MT84MALT011000012345MTLCAST001S", "BE68539007547034",
    "FK88SC123456789012", "HN88CABF00000000000250005469", "UA213223130000026007233566001",
)  # fmt: skip
"""Examples of SWIFT's IBAN registry."""
PHONES: Final = (
    "0171-2345678", "0171/2345678", "0171.2345678", "089-38200000", "030_1234567", "00491712345678",
    "0049-171-2345678", "0049.89.38200", "0049171.2345678", "0049-89-382000", "008613800138000",
    "0086-138-0013-8000", "0014155552671", "001-415-555-2671", "007-495-123-45-67", "0033-6-12-34-56-78",
    "00353-1-2345678",
)  # fmt: skip
MAILS: Final = ("hans.mueller@example.de", "HANS.MUELLER@EXAMPLE.DE", "h-m@x.de")
PLATES: Final = ("M-AB1234", "MAB1234", "B-XY-77H", "LJ16ABC")
NAMES: Final = ("HANS.MUELLER", "HANS-MUELLER", "Hans Mueller", "hans-mueller", "MUELLER")


def grouped(number: str, separator: str) -> str:
    """In groups of four; a card of 14 or 15 digits as it is embossed."""
    if number.isdigit() and len(number) in (14, 15):
        return separator.join((number[:4], number[4:10], number[10:]))
    return separator.join(re.findall(".{1,4}", number))


def card(chance: Random, length: int = 0) -> str:
    _, first, _, lengths = chance.choice([scheme for scheme in SCHEMES if not length or length in scheme[3]])
    length = length or chance.choice(lengths)
    body = first + "".join(chance.choices("0123456789", k=length - 1 - len(first)))
    total = sum(sum(divmod(int(d) * (2 - n % 2), 10)) for n, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def iban(chance: Random, country: str = "") -> str:
    country = country or chance.choice(sorted(IBAN_FORMS))
    characters = {"n": ALPHANUMERIC[26:], "a": ALPHANUMERIC[:26], "c": ALPHANUMERIC}
    parts = re.findall("([0-9]+)([nac])", IBAN_FORMS[country])
    account = "".join("".join(chance.choices(characters[kind], k=int(count))) for count, kind in parts)
    digits = "".join(str(int(character, 36)) for character in account + country + "00")
    return f"{country}{98 - int(digits) % 97:02}{account}"


def phone(chance: Random) -> str:
    def some(least: int, most: int) -> str:
        return "".join(chance.choices("0123456789", k=chance.randint(least, most)))

    separator = chance.choice("._/-")
    country, national = chance.choice(
        (("49", some(9, 11)), ("86", some(11, 11)), ("1", some(10, 10)), ("44", some(10, 10)))
    )
    match chance.randrange(3):
        case 0:
            return f"00{country}{national}"
        case 1:
            return f"00{country}{separator}{national[:3]}{separator}{national[3:]}"
    return f"0{chance.randint(1, 9)}{some(1, 2)}{separator}{some(6, 8)}"


def planted(chance: Random) -> str:
    """Any of them, as it is or in groups."""
    match chance.randrange(6):
        case 0:
            number = card(chance)
            return grouped(number, chance.choice("._/-")) if chance.random() < 0.3 else number
        case 1:
            number = iban(chance)
            return grouped(number, chance.choice("._/-")) if chance.random() < 0.3 else number
        case 2:
            return phone(chance)
        case 3:
            return chance.choice(MAILS)
        case 4:
            return chance.choice(PLATES)
    return chance.choice(NAMES)
