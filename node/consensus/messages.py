"""What goes into the consensus machine and what comes out: plain data, two closed unions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from node.chain.vote import Evidence, Proposal, Vote, VoteKind


class Step(IntEnum):
    NEW = 0
    """The height is open, round 0 has not started."""
    PROPOSE = 1
    PREVOTE = 2
    PRECOMMIT = 3
    DECIDED = 4


@dataclass(frozen=True, slots=True)
class Lock:
    """A block and the round of the polka we saw for it."""

    round: int
    block_id: bytes


# --- inputs -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StartHeight:
    """Round 0 may start."""


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """Answers `BuildBlock`."""

    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """Verified. `is_timely`: the block's time is one this node could have proposed (only judged at valid_round -1)."""

    proposal: Proposal
    is_timely: bool


@dataclass(frozen=True, slots=True)
class BlockJudged:
    """The body is here and was executed."""

    block_id: bytes
    is_valid: bool


@dataclass(frozen=True, slots=True)
class VoteReceived:
    vote: Vote


@dataclass(frozen=True, slots=True)
class QuorumProved:
    """A verified certificate: a polka (prevote) or a commit (precommit), with its votes where whoever is moved by it
    may have to show them to others."""

    kind: VoteKind
    round: int
    block_id: bytes
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeoutFired:
    """Of the step it was scheduled for; stale ones are ignored."""

    step: Step
    round: int


Input = StartHeight | BlockBuilt | ProposalReceived | BlockJudged | VoteReceived | QuorumProved | TimeoutFired


# --- effects ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class BuildBlock:
    round: int


@dataclass(frozen=True, slots=True)
class SignProposal:
    round: int
    block_id: bytes
    valid_round: int


@dataclass(frozen=True, slots=True)
class SignVote:
    kind: VoteKind
    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class ScheduleTimeout:
    step: Step
    round: int


@dataclass(frozen=True, slots=True)
class NeedBlock:
    """A quorum names a block whose body we do not have."""

    block_id: bytes


@dataclass(frozen=True, slots=True)
class RoundStarted:
    round: int


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Decide:
    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class DecidedInvalid:
    """More than two thirds decided a block that does not execute here: the node must halt."""

    round: int
    block_id: bytes


Effect = (
    BuildBlock
    | SignProposal
    | SignVote
    | ScheduleTimeout
    | NeedBlock
    | RoundStarted
    | FoundEvidence
    | Decide
    | DecidedInvalid
)
