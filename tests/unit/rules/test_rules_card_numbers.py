"""Card numbers: the schemes' published test numbers, and what must pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.card_numbers import has_card_number, has_luhn_digit

TEST_NUMBERS = [
    "4111111111111111",
    "4222222222222",
    "4012888888881881",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "378282246310005",
    "341111111111111",
    "6011111111111117",
    "6445644564456445",
    "6500000000000002",
    "6200000000000005",
    "3530111333300000",
    "30569309025904",
    "36227206271667",
    "38520000023237",
    "5018000000000009",
    "6304000000000000",
    "6759649826438453",
]


@pytest.mark.parametrize("number", TEST_NUMBERS)
def test_test_numbers_are_found_alone_and_inside(number: str) -> None:
    assert has_luhn_digit(number)
    assert has_card_number(number)
    assert has_card_number(f"INVOICE-{number}/A")
    assert has_card_number(f"000{number}")


@pytest.mark.parametrize("number", TEST_NUMBERS)
def test_another_last_digit_is_no_card_number(number: str) -> None:
    for step in range(1, 10):
        last = (int(number[-1]) + step) % 10
        assert not has_luhn_digit(f"{number[:-1]}{last}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "411111111111",  # 12 digits
        "4111111111111112",  # Luhn
        "9111111111111111",  # no scheme
        "0000000000000000",  # valid Luhn, no scheme
        "4111111 11111111 1",  # no run of 13
        "1M8GDM9AXKP042788",
        "52900.00EUR",
        "４１１１１１１１１１１１１１１１",  # digits, but not ASCII
        "51167430",  # a part number
    ],
)
def test_what_is_no_card_number(text: str) -> None:
    assert not has_card_number(text)


@given(
    st.from_regex(r"[0-9]{0,12}", fullmatch=True),
    st.sampled_from(TEST_NUMBERS),
    st.from_regex(r"[0-9]{0,12}", fullmatch=True),
)
def test_digits_around_hide_nothing(before: str, number: str, after: str) -> None:
    assert has_card_number(before + number + after)
