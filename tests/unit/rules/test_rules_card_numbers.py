"""Card numbers: the schemes' published test numbers, and what must pass."""

from __future__ import annotations

import re
import time
from functools import partial
from timeit import repeat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from node import limits
from node.codec import encode
from node.rules.card_numbers import SCHEMES, find_card_number
from node.txtypes.envelope import Payload, decode_payload
from node.txtypes.members.member import MemberUpdate, Site

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


def has_luhn_digit(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B, digit by digit from the right."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_alone_a_card_number(number: str) -> bool:
    return has_luhn_digit(number) and any(
        first <= number[: len(first)] <= last and len(number) in lengths for _, first, last, lengths in SCHEMES
    )


def each_window(text: str) -> set[int]:
    """Where card numbers begin, each window for itself."""
    windows = ((s, text[s : s + n]) for s in range(len(text)) for n in range(13, 20) if s + n <= len(text))
    return {s for s, w in windows if re.fullmatch("[0-9]+", w) and is_alone_a_card_number(w)}


@pytest.mark.parametrize("number", TEST_NUMBERS)
def test_test_numbers_are_found_alone_and_inside(number: str) -> None:
    assert 0 == find_card_number(number)
    assert 8 == find_card_number(f"INVOICE-{number}/A")
    assert 0 <= find_card_number(f"000{number}") <= 3


@pytest.mark.parametrize("number", TEST_NUMBERS)
def test_another_last_digit_is_no_card_number(number: str) -> None:
    for step in range(1, 10):
        last = (int(number[-1]) + step) % 10
        assert not has_luhn_digit(f"{number[:-1]}{last}")
        assert not is_alone_a_card_number(f"{number[:-1]}{last}")


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
    assert -1 == find_card_number(text)


@given(
    st.from_regex(r"[0-9]{0,12}", fullmatch=True),
    st.sampled_from(TEST_NUMBERS),
    st.from_regex(r"[0-9]{0,12}", fullmatch=True),
)
def test_digits_around_hide_nothing(before: str, number: str, after: str) -> None:
    assert 0 <= find_card_number(before + number + after) <= len(before)


_EDGES = sorted({edge for _, first, last, _ in SCHEMES for edge in (first, last, str(int(last) + 1))})


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(_EDGES), st.from_regex(r"[0-9]{9,18}", fullmatch=True)).map("".join),
            st.from_regex(r"[0-9]{0,20}", fullmatch=True),
            st.sampled_from((" ", "A", "٣", "5" * 20, "0" * 30)),
        ),
        max_size=4,
    ).map("".join)
)
@example("411111111111111 1")
@example("1" + "4" * 19)
def test_all_windows_at_once_are_each_window_for_itself(text: str) -> None:
    assert find_card_number(text) in (each_window(text) or {-1})


def test_a_transaction_that_looks_like_cards_everywhere_costs_what_another_one_does() -> None:
    """Anybody can send it, and it is looked at before its signature."""
    digits = "5758657558567857888566685068768758888880"
    letters = digits.translate(str.maketrans("0123456789", "ABCDEFGHIJ"))
    assert -1 == find_card_number(digits)

    def cost_of(code: str) -> float:
        sites = tuple(Site(f"S{i}", "DE", 0, 0, (code,) * 23, "", "", "") for i in range(limits.SITES_MAX))
        raw = encode(Payload(bytes(20), 0, 2**47, MemberUpdate(sites, b"", "")))
        assert 0.95 * limits.TX_BYTES_MAX < len(raw) < limits.TX_BYTES_MAX
        return min(repeat(partial(decode_payload, raw), number=1, repeat=9, timer=time.process_time))

    assert cost_of(digits) < 12 * cost_of(letters)  # with each window for itself it was 85 times
