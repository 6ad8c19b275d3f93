"""What a validator may sign after earlier signatures, and what hard state keeps."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.traces import block_id, proposal, vote

from node.codec import encode
from node.consensus.messages import Lock, Step
from node.consensus.safety import (
    EMPTY,
    HARD_STATE_BYTES_MAX,
    HardState,
    SignedProposal,
    SignedVote,
    SigningRefused,
    StoredLock,
    decode_hard_state,
    extended,
    last_step,
    round_of,
    signed_before,
    step_of,
)
from node.errors import Corrupted

H = 7
STEPS = (Step.PROPOSE, Step.PREVOTE, Step.PRECOMMIT)
MOMENTS = [(height, round_, step) for height in (H - 1, H, H + 1) for round_ in (0, 1, 2) for step in STEPS]


def message(height: int, round_: int, step: Step, block: str = "X") -> SignedProposal | SignedVote:
    if step is Step.PROPOSE:
        return SignedProposal(proposal(block, round_, "a", height=height))
    return SignedVote(vote(step.name.lower(), block, round_, "a", height=height))


def signed(state: HardState, height: int, round_: int, step: Step, block: str = "X") -> HardState:
    return extended(state, height, round_, message(height, round_, step, block), None, None, (), ())


def after(*moments: tuple[int, Step]) -> HardState:
    """Hard state after signing these at height H, in order."""
    state = EMPTY
    for round_, step in moments:
        state = signed(state, H, round_, step)
    return state


# --- every pair of (signed before, wants to sign now) --------------------------------------------------------
@pytest.mark.parametrize("before", MOMENTS)
def test_a_later_step_is_free_the_same_is_the_stored_one_an_earlier_one_is_refused(
    before: tuple[int, int, Step],
) -> None:
    state = signed(EMPTY, *before)
    for now in MOMENTS:
        if now > before:
            assert signed_before(state, *now) is None
        elif now == before:
            assert message(*before) == signed_before(state, *now)
        else:
            with pytest.raises(SigningRefused, match=f"height {now[0]}, round {now[1]}"):
                signed_before(state, *now)


@pytest.mark.parametrize("now", MOMENTS)
def test_nothing_signed_yet_refuses_nothing(now: tuple[int, int, Step]) -> None:
    assert signed_before(EMPTY, *now) is None


@pytest.mark.parametrize("step", STEPS)
def test_every_message_of_the_round_is_still_there(step: Step) -> None:
    state = after((1, Step.PROPOSE), (1, Step.PREVOTE), (1, Step.PRECOMMIT))
    assert message(H, 1, step) == signed_before(state, H, 1, step)


def test_a_step_that_was_left_out_is_refused_once_it_is_passed() -> None:
    """No prevote is stored, yet it must not be signed: the precommit may rely on its absence."""
    state = after((0, Step.PRECOMMIT))
    for step in (Step.PROPOSE, Step.PREVOTE):
        with pytest.raises(SigningRefused):
            signed_before(state, H, 0, step)


@pytest.mark.parametrize("step", STEPS)
def test_messages_of_the_round_before_are_stored_ones_and_never_made_again(step: Step) -> None:
    state = after((0, Step.PREVOTE), (0, Step.PRECOMMIT), (4, Step.PREVOTE))
    if step is Step.PROPOSE:
        with pytest.raises(SigningRefused):
            signed_before(state, H, 0, step)
    else:
        assert message(H, 0, step) == signed_before(state, H, 0, step)


# --- what is kept ----------------------------------------------------------------------------------------
def test_messages_of_the_current_round_and_of_the_newest_one_before_it_are_kept() -> None:
    state = after((0, Step.PREVOTE), (0, Step.PRECOMMIT), (3, Step.PROPOSE), (3, Step.PREVOTE), (9, Step.PREVOTE))
    kept = [(round_of(m), step_of(m)) for m in state.messages]
    assert [(3, Step.PROPOSE), (3, Step.PREVOTE), (9, Step.PREVOTE)] == kept
    state = signed(state, H, 9, Step.PRECOMMIT)
    assert 4 == len(state.messages)
    state = signed(state, H, 10, Step.PREVOTE)
    kept = [(round_of(m), step_of(m)) for m in state.messages]
    assert [(9, Step.PREVOTE), (9, Step.PRECOMMIT), (10, Step.PREVOTE)] == kept
    assert (H, 10) == (state.height, state.round)


@pytest.mark.parametrize("round_", [0, 3])
def test_a_new_height_begins_with_nothing_of_the_old_one(round_: int) -> None:
    state = signed(after((2, Step.PREVOTE), (3, Step.PREVOTE)), H + 1, round_, Step.PREVOTE)
    assert (message(H + 1, round_, Step.PREVOTE),) == state.messages


def test_the_newest_step_is_that_of_the_newest_round() -> None:
    assert (0, 0, Step.NEW) == last_step(EMPTY)
    assert (H, 0, Step.PRECOMMIT) == last_step(after((0, Step.PREVOTE), (0, Step.PRECOMMIT)))
    assert (H, 1, Step.PREVOTE) == last_step(after((0, Step.PRECOMMIT), (1, Step.PREVOTE)))


def test_lock_valid_value_polka_and_bodies_are_those_of_the_newest_promise() -> None:
    polka = tuple(vote("prevote", "X", 0, by, height=H) for by in "abc")
    first = extended(EMPTY, H, 0, message(H, 0, Step.PRECOMMIT), Lock(0, block_id("X")), None, polka, ())
    assert StoredLock(0, block_id("X")) == first.locked
    assert first.valid is None
    assert polka == first.polka
    second = extended(first, H, 1, message(H, 1, Step.PREVOTE), None, Lock(1, block_id("Y")), (), ())
    assert second.locked is None
    assert StoredLock(1, block_id("Y")) == second.valid
    assert () == second.polka


# --- on disk ---------------------------------------------------------------------------------------------
def full_state() -> HardState:
    polka = tuple(vote("prevote", "X", 0, by, height=H) for by in "abc")
    lock = Lock(0, block_id("X"))
    state = signed(EMPTY, H, 0, Step.PROPOSE)
    return extended(state, H, 0, message(H, 0, Step.PREVOTE), lock, lock, polka, (Chain().build(),))


@pytest.mark.parametrize("state", [EMPTY, after((0, Step.PREVOTE)), full_state()], ids=["empty", "vote", "full"])
def test_round_trip(state: HardState) -> None:
    assert state == decode_hard_state(encode(state))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        encode(full_state())[:-1],
        encode(full_state()) + b"\x00",
        encode([1, H, 0]),
        encode(replace(full_state(), messages=(1,))),
        encode(replace(full_state(), round=-1)),
        bytes(HARD_STATE_BYTES_MAX + 1),
    ],
    ids=["empty", "no-msgpack", "torn", "longer", "fields", "message", "round", "too-large"],
)
def test_bytes_that_are_no_hard_state_are_corruption_and_name_the_mend(raw: bytes) -> None:
    with pytest.raises(Corrupted, match="bmw-node reset-signing"):
        decode_hard_state(raw)
