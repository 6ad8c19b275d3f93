"""Addresses in bech32m: round trip, and rejection of typos."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.second_codec import BECH32M, CHARSET, address_bytes, address_text, bech32m_text, expanded, polymod

from node.crypto.addresses import address_of, from_text, to_text
from node.crypto.dev_keys import dev_key
from node.crypto.hashing import ZERO32, commitment, tagged
from node.errors import Malformed

TEXT = to_text(address_of(dev_key("account", "bmw").public))
RAW = st.binary(min_size=20, max_size=20)


def test_the_second_implementation_is_bip_350s() -> None:
    """The reference accepts the valid strings of BIP 350, so the tests below compare with the standard."""
    for text in (
        "a1lqfn3a",
        "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
        "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
    ):
        prefix, _, rest = text.rpartition("1")
        assert polymod(expanded(prefix) + [CHARSET.index(c) for c in rest]) == BECH32M


@given(RAW)
def test_what_is_written_comes_back(raw: bytes) -> None:
    text = to_text(raw)
    assert (len(text), "bmw1") == (42, text[:4])
    assert address_text(raw) == text
    assert raw == from_text(text) == address_bytes(text)


@pytest.mark.parametrize("place", range(4, 42))
def test_every_wrong_character_is_seen(place: int) -> None:
    for wrong in CHARSET:
        if wrong != TEXT[place]:
            with pytest.raises(Malformed, match="checksum"):
                from_text(TEXT[:place] + wrong + TEXT[place + 1 :])


@given(RAW, st.dictionaries(st.integers(4, 41), st.sampled_from(CHARSET), min_size=1, max_size=4))
def test_up_to_four_wrong_characters_are_always_seen(raw: bytes, wrong: dict[int, str]) -> None:
    text = to_text(raw)
    typed = "".join(wrong.get(place, c) for place, c in enumerate(text))
    if typed != text:
        with pytest.raises(Malformed, match="checksum"):
            from_text(typed)


def test_swapped_neighbours_are_seen() -> None:
    for place in range(4, 41):
        typed = TEXT[:place] + TEXT[place + 1] + TEXT[place] + TEXT[place + 2 :]
        if typed != TEXT:
            with pytest.raises(Malformed, match="checksum"):
                from_text(typed)


def test_the_older_checksum_is_refused() -> None:
    """bech32 of BIP 173 has the constant 1: not one of our addresses."""
    data = [CHARSET.index(c) for c in TEXT[4:36]]
    check = polymod([*expanded("bmw"), *data, 0, 0, 0, 0, 0, 0]) ^ 1
    old = TEXT[:36] + "".join(CHARSET[check >> 5 * (5 - i) & 31] for i in range(6))
    with pytest.raises(Malformed, match="checksum"):
        from_text(old)


@pytest.mark.parametrize(
    "typed",
    [
        "", "bmw1", TEXT.upper(), TEXT.capitalize(), TEXT[:20] + TEXT[20:].upper(), TEXT[:-1], TEXT + "q", " " + TEXT,
        TEXT + "\n", TEXT.replace("bmw1", "bmv1"), TEXT.replace("bmw1", "bmw2"), TEXT[4:], "bmw1" + TEXT,
        bech32m_text("bmx", [0] * 32), bech32m_text("bmw", [0] * 31), bech32m_text("bmw", [0] * 33),
        TEXT[:-1] + "b", TEXT[:-1] + "i", TEXT[:-1] + "o", TEXT[:-1] + "1", TEXT[:-1] + "é", TEXT[:-1] + "\x00",
    ],
)  # fmt: skip
def test_anything_else_is_malformed_with_a_sentence(typed: str) -> None:
    with pytest.raises(Malformed, match="not an address: "):
        from_text(typed)


@given(st.text(max_size=60))
def test_any_text_is_malformed_or_an_address(text: str) -> None:
    with pytest.raises(Malformed):
        from_text(text)


def test_an_address_is_the_first_twenty_bytes_of_the_tagged_hash() -> None:
    key = dev_key("account", "bmw").public
    assert tagged("bmw/address", key)[:20] == address_of(key)
    assert address_of(key) != address_of(dev_key("account", "buyer-1").public)


def test_commitments_are_told_apart_by_kind_salt_and_value() -> None:
    salt = b"\x01" * 32
    made = {commitment("plate", salt, b"1"), commitment("plate", ZERO32, b"1"), commitment("plate", salt, b"2"),
            commitment("phone", salt, b"1")}  # fmt: skip
    assert 4 == len(made)
    for short in (b"", salt[:31], salt + b"\x01"):
        with pytest.raises(AssertionError):
            commitment("plate", short, b"1")
