"""IBANs and telephone numbers in codes: what is found, what must pass, and that looking costs little."""

from __future__ import annotations

import time
from functools import partial
from random import Random
from timeit import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile.planted import ALPHANUMERIC, CARDS, IBANS, PHONES, card, grouped, iban, phone

from node import limits
from node.codec import encode
from node.errors import Malformed
from node.ledger.kinds import Code, fields_of
from node.rules.personal_data import IBAN_FORMS, find_personal_data, has_card_in_vin
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.members.member import MemberUpdate, Site
from node.txtypes.registry import TYPES

REAL = (
    # BMW: eleven digits, printed also in groups; older forms with letters
    "11428575211", "34336888459", "83125A7DC5E", "07119904524", "01402960440", "11.42.8.575.211", "07-11-9-904-524",
    # Bosch, Mercedes, Volkswagen, Toyota, ZF, ATE, Pierburg
    "0986479123", "0001107433", "0-986-479-123", "A0009898301", "A0049971547", "0019890803", "001989080310",
    "001-989-08-03-10", "004-997-15-47-64", "06A-115-561-B", "059-115-561", "000-051-446-AG", "04465-33450",
    "04152-YZZA1", "0501.215.789", "24.0122-0158.1", "13.0460-7117.2", "7.22454.50.0",
    # models, VINs, campaigns, sites, versions, hosts
    "330I", "WBA8E9G50GNU12345", "G05-N63-XDRIVE50I", "0016560700", "MUC-1", "24-07.530-1", "R157SWIN-2.1.0",
    "2026-01-15", "01.02.03.04.05", "node-1.dealer-munich.example:26801", "192.168.100.200:26801",
)  # fmt: skip


def looks_like(code: str) -> str:
    found = find_personal_data((code,))
    return "" if found is None else found.what


@pytest.mark.parametrize("code", REAL)
def test_a_real_code_passes(code: str) -> None:
    assert "" == looks_like(code)


def test_every_code_of_every_example_passes() -> None:
    def strings(value: object) -> list[str]:
        if isinstance(value, dict | list):
            return [text for item in (value.values() if isinstance(value, dict) else value) for text in strings(item)]
        return [value] if isinstance(value, str) else []

    for tag, kind in TYPES.items():
        for field in fields_of(kind):
            if isinstance(field.kind, Code):
                assert find_personal_data(strings(kind.EXAMPLE.body.get(field.json_name))) is None, tag


@pytest.mark.parametrize("number", IBANS)
def test_an_iban_is_found_alone_inside_and_in_groups(number: str) -> None:
    other = f"{number[:2]}{(int(number[2:4]) + 1) % 100:02}{number[4:]}"
    for code in (number, f"IBAN{number}", f"X-{number}/1", grouped(number, "-"), grouped(number, "."), number.lower()):
        assert "an IBAN" == looks_like(code), code
        assert "an IBAN" != looks_like(code.upper().replace(number[:4], other[:4])), code


def test_the_countries_are_those_of_the_registry() -> None:
    """Release 99 (2025): 89, of which the Falkland Islands and Honduras came last."""
    assert 89 == len(IBAN_FORMS) and {"FK", "HN", "XK"} <= set(IBAN_FORMS)


@given(st.sampled_from(sorted(IBAN_FORMS)), st.integers(0, 2**64))
def test_every_country_has_ibans(country: str, seed: int) -> None:
    number = iban(Random(seed), country)
    assert looks_like(number) in ("an IBAN", "a payment card number")
    assert 15 <= len(number) <= 34


@pytest.mark.parametrize("number", PHONES)
def test_a_telephone_number_is_found(number: str) -> None:
    assert "a telephone number" == looks_like(number)
    assert "a telephone number" == looks_like(f"HANS.MUELLER-{number}")


@pytest.mark.parametrize(
    "number",
    ["00491", "0049-89-123", "0014155552", "001-415-555-267", "007-495-123-45-678", "0029-123-456-789", "0171-23456",
     "0171-123456789", "0017123456789012345", "10171-2345678", "X00491712345678", "004917123456789012"],
)  # fmt: skip
def test_what_is_no_telephone_number(number: str) -> None:
    """Too short, too long, no country's code, a digit before."""
    assert "" == looks_like(number)


def test_random_telephone_numbers_are_found() -> None:
    chance = Random(3)
    assert [] == [number for number in (phone(chance) for _ in range(2_000)) if not looks_like(number)]


@pytest.mark.parametrize("number", CARDS)
def test_a_card_number_in_groups_is_found(number: str) -> None:
    for separator in "._/-":
        assert "a payment card number" == looks_like(grouped(number, separator))
    assert "" == looks_like(grouped(f"{number[:-1]}{(int(number[-1]) + 1) % 10}", "-"))


@pytest.mark.parametrize(
    "code",
    ["4111-1111.1111-1111", "4111-11111111-1111", "41111111/11111111", "411-111-111-111-1111",
     "X.4111.1111.1111.1111-01",
     "411111-1111111111", "3782.822463.10005"],
)  # fmt: skip
def test_a_card_number_in_any_groups_is_found(code: str) -> None:
    assert "a payment card number" == looks_like(code)


@pytest.mark.parametrize("code", ["0171-234-5678", "089/382-12345", "08141.12.34567", "TEL-0171.2345.6789"])
def test_a_national_number_in_two_groups_is_found(code: str) -> None:
    assert "a telephone number" == looks_like(code)


def _digits(chance: Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


SHAPES = {
    "eleven digits": (lambda c: f"{c.randrange(1, 100):02}" + _digits(c, 9), 0.0),
    "eleven in groups": (
        lambda c: f"{c.randrange(1, 100):02}.{_digits(c, 2)}.{_digits(c, 1)}.{_digits(c, 3)}.{_digits(c, 3)}", 0.0
    ),
    "four digits and seven of any": (lambda c: _digits(c, 4) + "".join(c.choices(ALPHANUMERIC, k=7)), 0.0),
    "zero and nine digits": (lambda c: "0" + _digits(c, 9), 0.0),
    "five and five": (lambda c: f"{_digits(c, 5)}-{_digits(c, 5)}", 0.0),
    "three groups of three": (lambda c: f"{_digits(c, 3)}-{_digits(c, 3)}-{_digits(c, 3)}", 0.0),
    "A and ten or twelve digits": (lambda c: "A" + _digits(c, c.choice((10, 12))), 0.0),
    "ten or twelve digits after 00": (lambda c: "00" + _digits(c, c.choice((8, 10))), 0.0),
    "four, four, four and one": (lambda c: f"{_digits(c, 2)}.{_digits(c, 4)}-{_digits(c, 4)}.{_digits(c, 1)}", 0.0),
    "like a VIN": (lambda c: "WBA" + "".join(c.choices(ALPHANUMERIC, k=8)) + _digits(c, 6), 0.0005),
    "forty of any": (lambda c: "".join(c.choices(ALPHANUMERIC + "._/-", k=40)), 0.0005),
}  # fmt: skip
"""Shape to how to make one, and the share of random ones that may be refused."""


@pytest.mark.parametrize("shape", SHAPES)
def test_random_codes_of_a_shape_pass(shape: str) -> None:
    make, share = SHAPES[shape]
    chance, count = Random(shape), 5_000
    refused = [code for code in (make(chance) for _ in range(count)) if looks_like(code)]
    assert len(refused) <= share * count, refused[:5]


def test_a_vin_is_looked_at_for_cards_of_16_digits_only() -> None:
    assert has_card_in_vin("4111111111111111X") and has_card_in_vin("X4111111111111111")
    assert has_card_in_vin("6243017380715456X"), "a shorter one is inside"
    chance = Random(7)
    assert all(has_card_in_vin(card(chance, 16) + "X") for _ in range(500))
    assert not has_card_in_vin("WDB46033017312345") and not has_card_in_vin("4111111111111112X")


def test_codes_side_by_side_are_apart() -> None:
    assert find_personal_data(("DE89370400440", "532013000")) is None
    assert find_personal_data(("0171", "23456780000")) is None


def test_what_looks_suspicious_everywhere_costs_what_another_one_does() -> None:
    """Anybody can send it, and it is looked at before its signature."""

    def cost_of(code: str) -> float:
        sites = tuple(Site(f"S{i}", "DE", 0, 0, (code,) * 23, "", "", "") for i in range(limits.SITES_MAX))
        raw = encode(Payload(bytes(20), 0, 2**47, MemberUpdate(sites, b"", "")))
        assert 0.95 * limits.TX_BYTES_MAX < len(raw) < limits.TX_BYTES_MAX
        return min(repeat(partial(decode_payload, raw), number=1, repeat=9, timer=time.process_time))

    plain = cost_of("ABCDEFGHIJ" * 4)
    for code in ("GT12" * 10, "DE12345678" * 4, "0049-1" + "-1" * 17, "4111-1111-1111-1112-" * 2):
        with pytest.raises(Malformed) if looks_like(code) else _nothing():
            assert cost_of(code) < 30 * plain, code


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...
