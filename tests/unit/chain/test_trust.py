"""Light client: which header may be trusted next, and by which signatures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from node.chain.block import Commit, Committed, Header, block_id_of
from node.chain.trust import (
    TRUSTING_PERIOD_MS,
    Conflict,
    LightBlock,
    RootTooOld,
    SetBook,
    Trust,
    can_follow,
    check_certificate,
    check_root_age,
)
from node.chain.validators import ValidatorSet
from node.chain.vote import vote_sign_bytes
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.errors import InvalidCertificate
from node.txtypes.chain.validator_set import ValidatorEntry

GENESIS = b"\x0a" * 32
HEIGHT, TIME_MS = 7, 1_000_000


def entry(name: str, power: int = 1, key: str = "") -> ValidatorEntry:
    return ValidatorEntry(address_of(dev_key("account", name).public), dev_key("consensus", key or name).public, power)


def set_of(*entries: ValidatorEntry) -> ValidatorSet:
    return ValidatorSet(tuple(sorted(entries, key=lambda e: e.address)))


def trust(validators: ValidatorSet) -> Trust:
    return Trust(HEIGHT, b"\x0b" * 32, TIME_MS, validators, None)


def decided(validators: ValidatorSet, *by: str, **changes) -> LightBlock:
    """A header of this set two heights above the trusted one, signed by these validators."""
    hashes = {
        name: bytes(32)
        for name in ("tx_root", "state_root", "ruleset_hash", "evidence_root", "last_commit_hash", "parent_id")
    }
    header = Header(
        version=1, height=HEIGHT + 2, time_ms=TIME_MS + 1, proposer=validators.entries[0].address,
        validators_hash=validators.hash, next_validators_hash=validators.hash, **hashes,
    )  # fmt: skip
    header = replace(header, **changes)
    block_id = block_id_of(header, GENESIS)
    message = vote_sign_bytes(GENESIS, "precommit", header.height, 0, block_id)
    keys = {dev_key("consensus", name).public: dev_key("consensus", name) for name in by}
    signatures = tuple(
        keys[e.consensus_key].sign(message) if e.consensus_key in keys else b"" for e in validators.entries
    )
    return LightBlock(header, Commit(header.height, 0, block_id, signatures))


SET = set_of(entry("a"), entry("b"), entry("c"))


def test_a_root_counts_for_the_whole_of_the_trusting_period() -> None:
    check_root_age(trust(SET), TIME_MS + TRUSTING_PERIOD_MS, accept_old_root=False)
    with pytest.raises(RootTooOld):
        check_root_age(trust(SET), TIME_MS + TRUSTING_PERIOD_MS + 1, accept_old_root=False)
    check_root_age(trust(SET), TIME_MS + TRUSTING_PERIOD_MS + 1, accept_old_root=True)


def test_a_certificate_is_of_the_set_that_the_header_names() -> None:
    block = decided(SET, "a", "b", "c")
    check_certificate(block, GENESIS, SET)
    stronger = set_of(entry("a", 2), entry("b", 2), entry("c", 2))
    with pytest.raises(InvalidCertificate, match="not the one the header names"):
        check_certificate(block, GENESIS, stronger)


@pytest.mark.parametrize(
    ("height", "time_ms"),
    [
        (HEIGHT, TIME_MS + 1),
        (HEIGHT - 1, TIME_MS + 1),
        (HEIGHT + 1, TIME_MS),
        (HEIGHT + 2, TIME_MS),
        (HEIGHT + 2, TIME_MS - 1),
    ],
)
def test_what_does_not_lie_after_the_root_in_height_and_time_is_refused(height: int, time_ms: int) -> None:
    block = decided(SET, "a", "b", "c", height=height, time_ms=time_ms, parent_id=trust(SET).block_id)
    with pytest.raises(InvalidCertificate, match="is not later than"):
        can_follow(trust(SET), block, SET)


def test_the_next_header_builds_on_the_root_and_is_of_its_set() -> None:
    following = {"height": HEIGHT + 1, "parent_id": trust(SET).block_id}
    other = set_of(entry("a"), entry("b"), entry("d"))
    assert can_follow(trust(SET), decided(SET, "a", "b", "c", **following), SET)
    with pytest.raises(Conflict, match="does not build on"):
        can_follow(trust(SET), decided(SET, "a", "b", "c", height=HEIGHT + 1), SET)
    with pytest.raises(InvalidCertificate, match="not decided by the set"):
        can_follow(trust(SET), decided(other, "a", "b", "d", **following), other)


@pytest.mark.parametrize(
    ("by", "follows"),
    [
        (("a", "x", "y"), False),
        (("a", "b", "x"), True),
        (("x", "y"), False),
    ],
)
def test_more_than_a_third_of_the_trusted_power_has_signed_a_later_header(by: tuple[str, ...], follows: bool) -> None:
    """One of three has exactly a third, and may be faulty."""
    later = set_of(entry("a"), entry("b"), entry("c"), entry("x"), entry("y"))
    assert follows == can_follow(trust(SET), decided(later, *by), later)


def test_who_signs_with_another_key_than_the_trusted_one_does_not_count() -> None:
    later = set_of(entry("a"), entry("b", key="b-new"), entry("c", key="c-new"))
    assert not can_follow(trust(SET), decided(later, "a", "b-new", "c-new"), later)


class Giving:
    """A source of validator sets that counts the requested ones."""

    def __init__(self, *sets: ValidatorSet) -> None:
        self.sets = sets
        self.given = 0

    def committed(self, height: int) -> Committed:
        raise AssertionError("only sets are asked for")

    def validators(self, height: int) -> Iterator[tuple[ValidatorEntry, ...]]:
        for one in self.sets:
            self.given += 1
            yield one.entries


def test_a_set_is_asked_for_until_it_is_found_and_once() -> None:
    other, wanted = set_of(entry("x")), set_of(entry("y"))
    source = Giving(other, wanted, SET)
    book = SetBook(source)
    assert (wanted, wanted) == (book.get(wanted.hash, HEIGHT), book.get(wanted.hash, HEIGHT))
    assert 2 == source.given
    with pytest.raises(InvalidCertificate, match="does not give the validator set"):
        SetBook(Giving(other)).get(wanted.hash, HEIGHT)
