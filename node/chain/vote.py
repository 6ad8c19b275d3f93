"""Votes, proposals and evidence, signed with consensus keys."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from node import limits
from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.ledger.fields import Address, Hash32, Height, Signature

Round = Annotated[int, Meta(ge=0, le=limits.ROUND_CAP)]
ValidRound = Annotated[int, Meta(ge=-1, le=limits.ROUND_CAP)]
VoteKind = Literal["prevote", "precommit"]
BlockId = Annotated[bytes, Meta(max_length=32)]
"""32 bytes, or empty for nil."""
NIL = b""


class Vote(Value, frozen=True):
    """A prevote or precommit for a block or nil."""

    kind: VoteKind
    height: Height
    round: Round
    block_id: BlockId
    validator: Address
    signature: Signature


class Proposal(Value, frozen=True):
    """A proposal; `valid_round` is -1 for a new block. Block and polka are sent with it but not signed."""

    height: Height
    round: Round
    block_id: Hash32
    valid_round: ValidRound
    proposer: Address
    signature: Signature


class Evidence(Value, frozen=True):
    """Equivocation: two votes of one validator, height, round and kind for different block ids, ordered by id."""

    first: Vote
    second: Vote


def vote_sign_bytes(genesis_hash: bytes, kind: str, height: int, round_: int, block_id: bytes) -> bytes:
    return b"bmw/vote\x00" + genesis_hash + encode([kind, height, round_, block_id])


def proposal_sign_bytes(genesis_hash: bytes, height: int, round_: int, block_id: bytes, valid_round: int) -> bytes:
    return b"bmw/proposal\x00" + genesis_hash + encode([height, round_, block_id, valid_round])


def sign_bytes_of(message: Vote | Proposal, genesis_hash: bytes) -> bytes:
    if isinstance(message, Vote):
        return vote_sign_bytes(genesis_hash, message.kind, message.height, message.round, message.block_id)
    return proposal_sign_bytes(genesis_hash, message.height, message.round, message.block_id, message.valid_round)


def evidence_id(evidence: Evidence) -> bytes:
    """Identifies the offence, not the votes: another pair for the same step has the same id."""
    vote = evidence.first
    return tagged("bmw/evidence", encode([vote.validator, vote.height, vote.round, vote.kind]))
