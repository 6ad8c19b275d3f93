"""Mixes: what can be written for one, and the sequence of kinds that it gives."""

from __future__ import annotations

from collections import Counter

import pytest

from node.errors import Malformed
from node.load.mix import KINDS, MIXED, SHARE_MAX, Mix, parse_mix


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("births", {"births": 1}),
        ("maintenance", {"maintenance": 1}),
        ("odometer", {"odometer": 1}),
        ("mixed", MIXED),
        ("births=1,maintenance=3", {"births": 1, "maintenance": 3}),
        (f"odometer={SHARE_MAX}, births=2", {"odometer": SHARE_MAX, "births": 2}),
    ],
)
def test_a_mix_is_a_name_or_shares(text: str, shares: dict[str, int]) -> None:
    assert parse_mix(text).shares == shares


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no part of a mix"),
        ("sales", "'sales'"),
        ("mixed=1", "no part of a mix"),
        ("births=1,", "no part of a mix"),
        ("births=-1", "no part of a mix"),
        ("births=0", "a share is a number from 1"),
        (f"births={SHARE_MAX + 1}", f"to {SHARE_MAX:,}"),
        ("births=1,births=2", "twice"),
    ],
)
def test_anything_else_is_malformed(text: str, word: str) -> None:
    with pytest.raises(Malformed, match=word):
        parse_mix(text)


def test_a_sequence_spreads_the_kinds_evenly() -> None:
    found = list(Mix({"births": 1, "maintenance": 2}).sequence(6))
    assert found == ["maintenance", "births", "maintenance"] * 2


@pytest.mark.parametrize("shares", [MIXED, {"births": 7, "odometer": 3}, dict.fromkeys(KINDS, 5)])
def test_every_stretch_of_a_sequence_has_the_shares(shares) -> None:
    whole = sum(shares.values())
    found = list(Mix(shares).sequence(5 * whole))
    assert [Counter(found[at : at + whole]) for at in range(0, 5 * whole, whole)] == [Counter(shares)] * 5
