"""Hard state of a validator, and the rule of what it may sign after a restart (docs/PROTOCOL.md 5)."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block
from node.chain.vote import Proposal, Round, Vote
from node.codec import Decoder, Value
from node.consensus.messages import Lock, Step
from node.errors import Corrupted, Rejected
from node.ledger.fields import Hash32, Height, PublicKey

HARD_STATE_BYTES_MAX = 32 * 1024 * 1024


class SignedProposal(Value, tag="proposal", frozen=True):
    """An own proposal in hard state."""

    proposal: Proposal


class SignedVote(Value, tag="vote", frozen=True):
    """A vote that this validator has signed, as the hard state keeps it."""

    vote: Vote


class StoredLock(Value, frozen=True):
    """`Lock` in hard state."""

    round: Round
    block_id: Hash32


class HardState(Value, tag=1, frozen=True):
    """Own signed messages of (height, round) and of the newest earlier round that we signed in; locked and valid value
    with their bodies; the valid one's polka.

    The earlier round is kept because a validator still in it may need our precommit to leave it, and when all others
    were killed only we have it (found by the simulator, seed 109).
    """

    height: Height
    round: Round
    messages: tuple[SignedProposal | SignedVote, ...]
    locked: StoredLock | None
    valid: StoredLock | None
    polka: tuple[Vote, ...]
    bodies: tuple[Block, ...]


class NeverSigned(Value, tag=0, frozen=True):
    """Record written when a consensus key is generated: it has signed nothing. So missing hard state is always lost.

    It applies to that key only: another key in a new home may be a backup of one that has signed (ADR 17).
    """

    consensus_key: PublicKey


EMPTY = HardState(0, 0, (), None, None, (), ())
_decode: Decoder[HardState | NeverSigned] = Decoder(HardState | NeverSigned, HARD_STATE_BYTES_MAX, "hard state")


def decode_hard_state(raw: bytes) -> HardState | NeverSigned:
    """Decode stored hard state. Raises `Corrupted`, since only we write it."""
    try:
        return _decode(raw)
    except Rejected as error:
        raise Corrupted(f"the signing state is damaged ({error}): see 'bmw-node reset-signing --help'") from None


def remembered(raw: bytes | None, consensus_key: bytes) -> HardState | None:
    """The stored hard state of this key; None if it is lost. Raises `Corrupted`."""
    stored = None if raw is None else decode_hard_state(raw)
    if isinstance(stored, NeverSigned):
        return EMPTY if stored.consensus_key == consensus_key else None
    return stored


class SigningRefused(Exception):
    """The signer refuses: the message could contradict an earlier signature."""


def round_of(message: SignedProposal | SignedVote) -> int:
    return message.proposal.round if isinstance(message, SignedProposal) else message.vote.round


def step_of(message: SignedProposal | SignedVote) -> Step:
    if isinstance(message, SignedProposal):
        return Step.PROPOSE
    return Step.PREVOTE if message.vote.kind == "prevote" else Step.PRECOMMIT


def last_step(state: HardState) -> tuple[int, int, Step]:
    """(height, round, step) of the newest own message; NEW if the round has none."""
    steps = (step_of(m) for m in state.messages if round_of(m) == state.round)
    return state.height, state.round, max(steps, default=Step.NEW)


def signed_before(state: HardState, height: int, round_: int, step: Step) -> SignedProposal | SignedVote | None:
    """The stored message of exactly this step; None for a later step. Raises `SigningRefused` for an earlier one."""
    last = last_step(state)
    if (height, round_, step) > last:
        return None
    if height == state.height:
        for message in state.messages:
            if (round_of(message), step_of(message)) == (round_, step):
                return message
    raise SigningRefused(f"height {height}, round {round_}, step {step.name}: already past it, at {last}")


def extended(
    state: HardState,
    height: int,
    round_: int,
    message: SignedProposal | SignedVote,
    locked: Lock | None,
    valid: Lock | None,
    polka: tuple[Vote, ...],
    bodies: tuple[Block, ...],
) -> HardState:
    """The hard state that must be on disk before `message` is sent."""
    kept = state.messages if state.height == height else ()
    if round_ != state.round:
        kept = tuple(m for m in kept if round_of(m) == state.round)
    return replace(
        state,
        height=height,
        round=round_,
        messages=(*kept, message),
        locked=None if locked is None else StoredLock(locked.round, locked.block_id),
        valid=None if valid is None else StoredLock(valid.round, valid.block_id),
        polka=polka,
        bodies=bodies,
    )
