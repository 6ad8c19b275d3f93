"""Commit certificates: every signature, every field, more than two thirds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.chain.block import EMPTY_COMMIT, Commit, commit_hash, verify_commit
from node.chain.validators import ValidatorSet
from node.chain.vote import proposal_sign_bytes, vote_sign_bytes
from node.codec import encode
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.errors import InvalidCertificate
from node.txtypes.chain.validator_set import ValidatorEntry

GENESIS, BLOCK = b"\x0a" * 32, b"\x0b" * 32


def set_of(*powers: int) -> tuple[ValidatorSet, dict[bytes, str]]:
    """Validators v0, v1, ... and their names by address."""
    names = {address_of(dev_key("account", f"v{n}").public): f"v{n}" for n in range(len(powers))}
    entries = (
        ValidatorEntry(address, dev_key("consensus", name).public, power)
        for (address, name), power in zip(names.items(), powers, strict=True)
    )
    return ValidatorSet(tuple(sorted(entries, key=lambda entry: entry.address))), names


def certificate(validators: ValidatorSet, names: dict[bytes, str], by: set[str], message: bytes = b"") -> Commit:
    message = message or vote_sign_bytes(GENESIS, "precommit", 7, 1, BLOCK)
    signatures = tuple(
        dev_key("consensus", names[entry.address]).sign(message) if names[entry.address] in by else b""
        for entry in validators.entries
    )
    return Commit(7, 1, BLOCK, signatures)


VALIDATORS, NAMES = set_of(10, 10, 10, 10)
ALL = {"v0", "v1", "v2", "v3"}
GOOD = certificate(VALIDATORS, NAMES, ALL)


def refusal(commit: Commit, validators: ValidatorSet = VALIDATORS, genesis: bytes = GENESIS) -> str:
    with pytest.raises(InvalidCertificate) as told:
        verify_commit(commit, genesis, validators)
    return str(told.value)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.data())
def test_more_than_two_thirds_of_the_power_and_not_one_less(powers: list[int], data: st.DataObject) -> None:
    validators, names = set_of(*powers)
    by = set(data.draw(st.lists(st.sampled_from(sorted(names.values())), unique=True)))
    power = sum(entry.power for entry in validators.entries if names[entry.address] in by)
    commit = certificate(validators, names, by)
    if power > sum(powers) * 2 / 3:
        verify_commit(commit, GENESIS, validators)
    else:
        assert f"power {power} of {sum(powers)} is not more than two thirds" in refusal(commit, validators)


@pytest.mark.parametrize("by", [set(three) for three in combinations(sorted(ALL), 3)])
def test_any_three_of_four(by: set[str]) -> None:
    verify_commit(certificate(VALIDATORS, NAMES, by), GENESIS, VALIDATORS)


def test_exactly_two_thirds_are_not_enough() -> None:
    validators, names = set_of(1, 1, 1)
    assert "power 2 of 3" in refusal(certificate(validators, names, {"v0", "v1"}), validators)
    verify_commit(certificate(validators, names, {"v0", "v1", "v2"}), GENESIS, validators)


def put(commit: Commit, place: int, signature: bytes) -> Commit:
    return replace(commit, signatures=(*commit.signatures[:place], signature, *commit.signatures[place + 1 :]))


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "forge",
    [
        lambda place: GOOD.signatures[(place + 1) % 4],
        lambda place: dev_key("consensus", "stranger").sign(vote_sign_bytes(GENESIS, "precommit", 7, 1, BLOCK)),
        lambda place: bytes(64),
        lambda place: GOOD.signatures[place][:63],
        lambda place: b"\x01",
        lambda place: GOOD.signatures[place][:-1] + bytes([GOOD.signatures[place][-1] ^ 0x20]),
    ],
    ids=["copied from another", "a foreign validator's", "zeros", "short", "one byte", "bent"],
)
def test_one_wrong_signature_among_enough_is_refused_and_named(place: int, forge: Callable[[int], bytes]) -> None:
    """The others have a quorum without it, but a certificate is stored and hashed as a whole."""
    told = refusal(put(GOOD, place, forge(place)))
    assert f"height 7: the signature of validator {VALIDATORS.entries[place].address.hex()} does not verify" == told


def test_one_validators_signature_does_not_count_for_the_others() -> None:
    mine = GOOD.signatures[0]
    assert "does not verify" in refusal(replace(GOOD, signatures=(mine, mine, mine, mine)))


@pytest.mark.parametrize(
    "message",
    [
        vote_sign_bytes(GENESIS, "prevote", 7, 1, BLOCK),
        vote_sign_bytes(GENESIS, "precommit", 7, 0, BLOCK),
        vote_sign_bytes(GENESIS, "precommit", 8, 1, BLOCK),
        vote_sign_bytes(GENESIS, "precommit", 7, 1, b"\x0c" * 32),
        vote_sign_bytes(GENESIS, "precommit", 7, 1, b""),
        vote_sign_bytes(bytes(32), "precommit", 7, 1, BLOCK),
        proposal_sign_bytes(GENESIS, 7, 1, BLOCK, -1),
    ],
    ids=["prevotes", "another round", "another height", "another block", "nil", "another chain", "a proposal"],
)
def test_signatures_over_anything_else_prove_nothing(message: bytes) -> None:
    assert "does not verify" in refusal(certificate(VALIDATORS, NAMES, ALL, message))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"round": 2}, "does not verify"),
        ({"height": 8}, "does not verify"),
        ({"block_id": b"\x0c" * 32}, "does not verify"),
        ({"block_id": b""}, "a certificate can't be for nil"),
        ({"block_id": BLOCK[:31]}, "a certificate can't be for nil"),
        ({"signatures": ()}, "0 signatures for 4 validators"),
        ({"signatures": GOOD.signatures[:3]}, "3 signatures for 4 validators"),
        ({"signatures": (*GOOD.signatures, b"")}, "5 signatures for 4 validators"),
        ({"signatures": (b"",) * 4}, "power 0 of 40"),
    ],
)
def test_every_field_of_a_certificate_is_proven(changes: dict, told: str) -> None:
    verify_commit(GOOD, GENESIS, VALIDATORS)
    assert told in refusal(replace(GOOD, **changes))


def test_a_certificate_is_for_its_own_set_and_chain() -> None:
    stronger, _ = set_of(10, 10, 10, 100)
    weakest = VALIDATORS.index(address_of(dev_key("account", "v3").public))
    three = put(GOOD, weakest, b"")
    verify_commit(three, GENESIS, VALIDATORS)
    assert "power 30 of 130" in refusal(three, stronger)
    assert "does not verify" in refusal(GOOD, genesis=bytes(32))
    assert "4 signatures for 3 validators" in refusal(GOOD, set_of(10, 10, 10)[0])


def test_the_hash_is_of_the_very_signatures() -> None:
    others = [certificate(VALIDATORS, NAMES, set(three)) for three in combinations(sorted(ALL), 3)]
    assert 5 == len({commit_hash(commit) for commit in (GOOD, *others)})
    assert commit_hash(EMPTY_COMMIT) == bytes(32) != commit_hash(replace(EMPTY_COMMIT, round=1))
    assert encode(GOOD) != encode(others[0])
