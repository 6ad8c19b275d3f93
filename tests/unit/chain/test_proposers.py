"""Proposer selection: each validator in proportion to its power, in a deterministic order."""

from __future__ import annotations

from collections import Counter
from math import gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.second_codec import proposers

from node.chain.validators import ValidatorSet
from node.txtypes.chain.validator_set import ValidatorEntry

POWERS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def set_of(*powers: int) -> ValidatorSet:
    return ValidatorSet(tuple(ValidatorEntry(bytes([n]) * 20, bytes([n]) * 32, p) for n, p in enumerate(powers)))


@given(POWERS)
def test_in_every_period_everybody_proposes_as_often_as_his_power_says(powers: list[int]) -> None:
    validators, divisor = set_of(*powers), gcd(*powers)
    period = sum(powers) // divisor
    for start in (0, 1, 12_345):
        turns = Counter(validators.proposer(start + height, 0) for height in range(period))
        assert {bytes([n]) * 20: power // divisor for n, power in enumerate(powers)} == turns


@given(POWERS)
def test_the_sequence_is_the_smooth_weighted_round_robins(powers: list[int]) -> None:
    validators = set_of(*powers)
    count = 2 * sum(powers)
    wanted = proposers([(entry.address, entry.power) for entry in validators.entries], count)
    assert wanted == [validators.proposer(height, 0) for height in range(count)]


@given(POWERS, st.integers(0, 2**40), st.integers(0, 1_000))
def test_a_round_that_fails_goes_to_whoever_is_next(powers: list[int], height: int, round_: int) -> None:
    validators = set_of(*powers)
    assert validators.proposer(height, round_) == validators.proposer(height + round_, 0) in validators


@given(POWERS)
def test_nobody_waits_longer_than_a_period(powers: list[int]) -> None:
    """So a height is decided however many proposers are down, as long as a quorum is up."""
    validators = set_of(*powers)
    period = sum(powers) // gcd(*powers)
    assert {e.address for e in validators.entries} == {validators.proposer(3, r) for r in range(period)}


def test_equals_take_turns_in_order_of_address() -> None:
    validators = set_of(10, 10, 10, 10)
    assert [0, 1, 2, 3, 0, 1] == [validators.proposer(height, 0)[0] for height in range(6)]


def test_the_strong_one_is_spread_and_not_in_a_row() -> None:
    assert [0, 0, 1, 0, 2, 0, 0] == [set_of(5, 1, 1).proposer(height, 0)[0] for height in range(7)]


@pytest.mark.parametrize(("power", "is_third", "is_quorum"), [
    (0, False, False), (13, False, False), (14, True, False), (27, True, False), (28, True, True), (41, True, True),
])  # fmt: skip
def test_thresholds(power: int, is_third: bool, is_quorum: bool) -> None:
    """Of 41: a third is 13.67, two thirds are 27.33."""
    validators = set_of(10, 10, 10, 11)
    assert (is_third, is_quorum) == (validators.is_third(power), validators.is_quorum(power))


def test_of_a_total_that_three_divides_a_third_is_enough_and_two_thirds_are_not() -> None:
    validators = set_of(10, 10, 10)
    assert (False, True) == (validators.is_third(9), validators.is_third(10))
    assert (False, True) == (validators.is_quorum(20), validators.is_quorum(21))


def test_members_of_the_set_and_everybody_else() -> None:
    validators = set_of(3, 4)
    member, stranger = bytes([1]) * 20, b"\xff" * 20
    assert (4, 1, True) == (validators.power(member), validators.index(member), member in validators)
    assert (0, None, False) == (validators.power(stranger), validators.get(stranger), stranger in validators)
    with pytest.raises(KeyError):
        validators.index(stranger)
    assert 2 == len(validators)


def test_the_hash_names_order_keys_and_powers() -> None:
    hashes = {set_of(*powers).hash for powers in ((1, 2), (2, 1), (1, 2, 1), (1,), (2, 4))}
    assert 5 == len(hashes)
    assert set_of(1, 2) == set_of(1, 2)
