"""Hard state that is missing, or older than a certificate with our signature: never sign at the next height.

The newest certificate alone proves nothing: it has the quorum that its node saw, often without us.
"""

from __future__ import annotations

import pytest
from support.chain import Chain, address
from support.kept_state import KeptState, never_signed

from node.chain.block import Block, Commit
from node.codec import encode
from node.consensus.safety import HardState
from node.crypto.dev_keys import dev_key
from node.replica.catch_up import CatchUp
from node.replica.doppelganger import LISTEN_MS
from node.replica.signer import NO_PROMISE, LocalSigner
from node.replica.signing_duty import CERTIFICATES_LOOKED_AT, FLOOR_ABOVE_HEAD, SigningDuty
from node.replica.step_context import StepContext

HEAD = 5


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
    signer = LocalSigner(address(name), dev_key("consensus", name), KeptState(raw), chain.genesis_hash)
    SigningDuty(signer, chain.store, CatchUp(), StepContext(), bytes(16)).start()
    return signer.floor


@pytest.mark.parametrize("signed", [{1, 2, 3, 4, 5}, {4}, set()], ids=["newest", "not the newest", "none"])
def test_missing_state_keeps_away_from_the_height_in_flight(signed: set[int]) -> None:
    assert _floor(_chain(signed), None) == HEAD + FLOOR_ABOVE_HEAD


def test_older_state_is_noticed_where_an_earlier_certificate_holds_our_signature() -> None:
    assert _floor(_chain({4}), 3) == HEAD + FLOOR_ABOVE_HEAD


def test_what_the_key_before_a_rotation_has_signed_is_no_state_that_the_new_one_lost() -> None:
    """Otherwise the validator would wait for heights that may never be decided without it."""
    chain, key = _chain({4, 5}), dev_key("consensus", "bmw, anew")
    signer = LocalSigner(address("bmw"), key, never_signed(key.public), chain.genesis_hash)
    signing_duty = SigningDuty(signer, chain.store, CatchUp(), StepContext(), bytes(16))
    signing_duty.start()
    chain.produce()
    signing_duty.caught_up_to(HEAD + 1)
    assert signer.floor <= HEAD + 1


def test_state_of_the_newest_signed_height_is_enough() -> None:
    assert _floor(_chain({3}), 3) == 3


def test_whoever_is_not_in_the_set_can_have_signed_nothing() -> None:
    assert _floor(_chain({1, 2, 3, 4, 5}), None, "buyer-1") == 1


def test_missing_state_is_a_lost_one_also_before_the_first_block() -> None:
    """A new key has a record that it has signed nothing; without it, it may have signed at height 1."""
    assert _floor(_chain(set(), blocks=0), None) == FLOOR_ABOVE_HEAD
    assert _floor(_chain(set(), blocks=0), 0) == 1


def test_only_so_many_certificates_are_looked_at() -> None:
    head = CERTIFICATES_LOOKED_AT + 3

    assert _floor(_chain({2}, blocks=head), 1) == 1
    assert _floor(_chain({5}, blocks=head), 1) == head + FLOOR_ABOVE_HEAD


# --- certificates that are not here -----------------------------------------------------------------------
def _pruned(blocks: int, first: int) -> Chain:
    """Certificates below `first` are missing, and `bmw` has signed none of the others."""
    chain = _chain(set(), blocks)
    chain.store.prune(first, blocks)
    assert first == chain.store.first_height()
    return chain


@pytest.mark.parametrize(("hard_state_height", "floor"), [(1, HEAD + FLOOR_ABOVE_HEAD), (2, 2), (3, 3)])
def test_what_was_pruned_since_the_newest_known_signature_may_hold_ours(hard_state_height: int, floor: int) -> None:
    assert floor == _floor(_pruned(HEAD, 3), hard_state_height)


def test_whoever_is_not_in_the_set_has_signed_nothing_of_what_was_pruned() -> None:
    assert 1 == _floor(_pruned(HEAD, 3), None, "buyer-1")
    assert 1 == _floor(_pruned(HEAD, 3), 0, "buyer-1"), "a new home that began with a snapshot"


# --- while catching up ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("signed", "floor"), [(set(), 3), ({HEAD + 1}, HEAD + 1 + FLOOR_ABOVE_HEAD)])
def test_a_delivered_block_with_our_signature_keeps_away_from_the_heights_after_it(
    signed: set[int], floor: int
) -> None:
    chain = _chain(signed)
    signer = LocalSigner(address("bmw"), dev_key("consensus", "bmw"), _state_at(3), chain.genesis_hash)
    signing_duty = SigningDuty(signer, chain.store, CatchUp(), StepContext(), bytes(16))
    signing_duty.start()
    chain.produce()
    signing_duty.caught_up_to(HEAD + 1)
    assert floor == signer.floor


def test_who_catches_up_signs_nothing() -> None:
    chain, sync, context = _chain({3}), CatchUp(), StepContext()
    signer = LocalSigner(address("bmw"), dev_key("consensus", "bmw"), _state_at(3), chain.genesis_hash)
    signing_duty = SigningDuty(signer, chain.store, sync, context, bytes(16))
    assert not signing_duty.may_sign()
    signing_duty.start()
    assert not signing_duty.may_sign()
    signing_duty.doppelganger.on_tick(context.now_ms + LISTEN_MS, True, False)
    assert signing_duty.may_sign()
    sync.verified(HEAD + 2, context.now_ms)
    assert not signing_duty.may_sign()


def _state_at(height: int) -> KeptState:
    return KeptState(encode(HardState(height, 0, (), None, None, (), ())))


# --- a signer that comes again ----------------------------------------------------------------------------
def test_what_is_known_of_a_key_stays_known_and_is_of_that_key_only() -> None:
    chain = _chain({4})
    signing_duty = SigningDuty(None, chain.store, CatchUp(), StepContext(), bytes(16))
    keys = {name: dev_key("consensus", name) for name in ("bmw", "buyer-1")}

    def attached(name: str, kept: KeptState) -> LocalSigner:
        signer = LocalSigner(address(name), keys[name], kept, chain.genesis_hash)
        signing_duty.attach(signer)
        return signer

    floor = attached("bmw", KeptState(None)).floor
    assert HEAD + FLOOR_ABOVE_HEAD == floor
    assert floor == attached("bmw", _state_at(4)).floor
    assert 1 == attached("buyer-1", _state_at(1)).floor


def test_messages_are_of_the_height_that_they_were_signed_for() -> None:
    chain = _chain(set())
    signer = LocalSigner(address("bmw"), dev_key("consensus", "bmw"), _state_at(HEAD), chain.genesis_hash)
    signing_duty = SigningDuty(signer, chain.store, CatchUp(), StepContext(), bytes(16))
    signing_duty.start()
    vote = signer.sign_vote("prevote", HEAD + 1, 0, b"", NO_PROMISE)
    assert [[], [vote], []] == [signing_duty.signed_at(height) for height in (HEAD, HEAD + 1, HEAD + 2)]
