"""Inputs and effects of the consensus machine: two closed unions of plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from node.chain.vote import Evidence, Proposal, Vote, VoteKind


class Step(IntEnum):
    """Step of a round."""

    NEW = 0
    """Round 0 has not started."""
    PROPOSE = 1
    PREVOTE = 2
    PRECOMMIT = 3
    DECIDED = 4


@dataclass(frozen=True, slots=True)
class Lock:
    """A locked or valid value: a block and the round of its polka."""

    round: int
    block_id: bytes


# --- inputs -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StartHeight:
    """Round 0 may start."""


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """Answers `BuildBlock`: the own block, which is valid."""

    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A verified proposal. `is_timely`: its block time is timely (PBTS; only relevant for valid_round -1)."""

    proposal: Proposal
    is_timely: bool


@dataclass(frozen=True, slots=True)
class BlockJudged:
    """The block's body was executed."""

    block_id: bytes
    is_valid: bool


@dataclass(frozen=True, slots=True)
class VoteReceived:
    """A verified vote."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class QuorumProved:
    """A verified certificate: a polka (prevotes) or a commit (precommits).

    `votes`: those of a polka, since a re-proposal must carry them.
    """

    kind: VoteKind
    round: int
    block_id: bytes
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeoutFired:
    """A scheduled timeout expired; stale ones are ignored."""

    step: Step
    round: int


Input = StartHeight | BlockBuilt | ProposalReceived | BlockJudged | VoteReceived | QuorumProved | TimeoutFired


# --- effects ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class BuildBlock:
    """Build a block to propose in this round."""

    round: int


@dataclass(frozen=True, slots=True)
class SignProposal:
    """Sign and broadcast a proposal."""

    round: int
    block_id: bytes
    valid_round: int


@dataclass(frozen=True, slots=True)
class SignVote:
    """Sign and broadcast a vote."""

    kind: VoteKind
    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class ScheduleTimeout:
    """Schedule the timeout of a step."""

    step: Step
    round: int


@dataclass(frozen=True, slots=True)
class NeedBlock:
    """A quorum names a block whose body is missing: request it."""

    block_id: bytes


@dataclass(frozen=True, slots=True)
class RoundStarted:
    """A round has started; timeouts of earlier rounds are obsolete."""

    round: int


@dataclass(frozen=True, slots=True)
class FoundEvidence:
    """A validator has equivocated."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Decide:
    """The block is decided: commit it."""

    round: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class DecidedInvalid:
    """More than two thirds decided a block that is invalid here: the node must halt."""

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
