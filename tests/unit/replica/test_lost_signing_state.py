"""Signing state that is missing, or older than a certificate with our signature: never sign in the height in flight.

The newest certificate proves nothing by itself: it holds the quorum that its node saw, often without ours.
"""

from __future__ import annotations

import pytest
from support.chain import Chain, address

from node.chain.block import Block, Commit
from node.codec import encode
from node.consensus.safety import HardState
from node.crypto.dev_keys import dev_key
from node.replica.catch_up import CatchUp
from node.replica.signing import Signer
from node.replica.turn import Turn
from node.replica.voting import CERTIFICATES_LOOKED_AT, FLOOR_ABOVE_HEAD, Voting

HEAD = 5


class Kept:
    """Implements `SafetyStore` in memory."""

    def __init__(self, raw: bytes | None) -> None:
        self.raw = raw

    def load(self) -> bytes | None:
        return self.raw

    def save(self, raw: bytes) -> None:
        self.raw = raw


def _chain(signed: set[int], blocks: int = HEAD) -> Chain:
    """Empty blocks; `bmw` has signed the certificates of `signed` only."""
    chain = Chain()
    whole = chain.commit_for

    def commit_for(block: Block) -> Commit:
        commit = whole(block)
        own = chain.store.validators(commit.height).index(address("bmw"))
        signatures = tuple(
            b"" if i == own and commit.height not in signed else s for i, s in enumerate(commit.signatures)
        )
        return Commit(commit.height, commit.round, commit.block_id, signatures)

    chain.commit_for = commit_for
    for _ in range(blocks):
        chain.produce()
    return chain


def _floor(chain: Chain, hard_state_height: int | None, name: str = "bmw") -> int:
    height = hard_state_height
    raw = None if height is None else encode(HardState(height, 0, (), None, None, (), ()))
    signer = Signer(address(name), dev_key("consensus", name), Kept(raw), chain.genesis_hash)
    Voting(signer, chain.store, CatchUp(), Turn(), bytes(16)).start()
    return signer.floor


@pytest.mark.parametrize("signed", [{1, 2, 3, 4, 5}, {4}, set()], ids=["newest", "not the newest", "none"])
def test_missing_state_keeps_away_from_the_height_in_flight(signed: set[int]) -> None:
    assert _floor(_chain(signed), None) == HEAD + FLOOR_ABOVE_HEAD


def test_older_state_is_noticed_where_an_earlier_certificate_holds_our_signature() -> None:
    assert _floor(_chain({4}), 3) == HEAD + FLOOR_ABOVE_HEAD


def test_state_of_the_newest_signed_height_is_enough() -> None:
    assert _floor(_chain({3}), 3) == 3


def test_whoever_is_not_in_the_set_can_have_signed_nothing() -> None:
    assert _floor(_chain({1, 2, 3, 4, 5}), None, "buyer-1") == 1


def test_missing_state_is_a_lost_one_also_before_the_first_block() -> None:
    """A new key says that it has signed nothing; without that word something may be in flight at height 1."""
    assert _floor(_chain(set(), blocks=0), None) == FLOOR_ABOVE_HEAD
    assert _floor(_chain(set(), blocks=0), 0) == 1


def test_only_so_many_certificates_are_looked_at() -> None:
    head = CERTIFICATES_LOOKED_AT + 3

    assert _floor(_chain({2}, blocks=head), 1) == 1
    assert _floor(_chain({5}, blocks=head), 1) == head + FLOOR_ABOVE_HEAD
