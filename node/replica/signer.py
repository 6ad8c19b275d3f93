"""Signing duty: sign -> persist (synced) -> only then send. The only place that touches the consensus key.

It runs in the node itself, or in a process of its own (`node.daemon.signer`), which the node asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from node.chain.block import Block
from node.chain.vote import Proposal, Vote, VoteKind, proposal_sign_bytes, sign_bytes_of, vote_sign_bytes
from node.codec import encode
from node.consensus.messages import Lock, Step
from node.consensus.safety import (
    EMPTY,
    HardState,
    SignedProposal,
    SignedVote,
    SigningRefused,
    extended,
    remembered,
    signed_before,
)
from node.crypto.signing import PrivateKey, is_signature


class SafetyStore(Protocol):
    """One record, written whole and synced, or not at all. `load` raises `Corrupted` for a bad hash."""

    def load(self) -> bytes | None: ...

    def save(self, raw: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Promise:
    """What must be remembered together with a signature."""

    locked: Lock | None
    valid: Lock | None
    polka: tuple[Vote, ...]
    bodies: tuple[Block, ...]


NO_PROMISE = Promise(None, None, (), ())


class SignerAway(SigningRefused):
    """The process that holds the key can't be asked now. Whether it signed what it was asked last is not known."""


class ConsensusSigner(Protocol):
    """What a replica asks for signatures: `LocalSigner` in the same process, or its stand-in for one elsewhere.

    `floor`: the lowest height that may be signed at all. `state`: what the signer remembers, as of its last answer.
    Every `sign_*` raises `SigningRefused`; `raise_floor` never fails, and nothing below is signed from then on.
    """

    @property
    def address(self) -> bytes: ...

    @property
    def public(self) -> bytes: ...

    @property
    def state(self) -> HardState: ...

    @property
    def floor(self) -> int: ...

    @property
    def was_missing(self) -> bool: ...

    def sign_raw(self, message: bytes) -> bytes: ...

    def sign_vote(self, kind: VoteKind, height: int, round_: int, block_id: bytes, promise: Promise) -> Vote: ...

    def sign_proposal(
        self, height: int, round_: int, block_id: bytes, valid_round: int, promise: Promise
    ) -> Proposal: ...

    def raise_floor(self, height: int) -> None: ...


class LocalSigner:
    """A validator's key and its hard state."""

    def __init__(self, address: bytes, key: PrivateKey, store: SafetyStore, genesis_hash: bytes) -> None:
        self.address = address
        self._key = key
        self._store = store
        self._genesis_hash = genesis_hash
        known = remembered(store.load(), key.public)
        if known is not None and not self._is_ours(known):
            known = None  # another validator's: what this key has signed is not known here
        self.was_missing = known is None
        self.state: HardState = EMPTY if known is None else known
        self.floor = max(1, self.state.height)

    def _is_ours(self, state: HardState) -> bool:
        messages = (m.proposal if isinstance(m, SignedProposal) else m.vote for m in state.messages)
        return all(is_signature(self.public, sign_bytes_of(m, self._genesis_hash), m.signature) for m in messages)

    @property
    def public(self) -> bytes:
        return self._key.public

    def sign_raw(self, message: bytes) -> bytes:
        """For messages that promise nothing (presence). The caller tags them."""
        assert message.startswith(b"bmw/presence\x00"), "nothing else is signed without a promise"
        return self._key.sign(message)

    def sign_vote(self, kind: VoteKind, height: int, round_: int, block_id: bytes, promise: Promise) -> Vote:
        """The vote, on disk before it is returned. Raises `SigningRefused`."""
        step = Step.PREVOTE if kind == "prevote" else Step.PRECOMMIT
        self._check_floor(height)
        known = signed_before(self.state, height, round_, step)
        if known is not None:
            assert isinstance(known, SignedVote), "steps name kinds"
            if known.vote.block_id != block_id or known.vote.validator != self.address:
                raise SigningRefused(f"height {height}, round {round_}: another {kind} was signed")
            return known.vote
        signature = self._key.sign(vote_sign_bytes(self._genesis_hash, kind, height, round_, block_id))
        vote = Vote(kind, height, round_, block_id, self.address, signature)
        self._persist(height, round_, SignedVote(vote), promise)
        return vote

    def sign_proposal(self, height: int, round_: int, block_id: bytes, valid_round: int, promise: Promise) -> Proposal:
        """The proposal, on disk with its body before it is returned. Raises `SigningRefused`."""
        self._check_floor(height)
        known = signed_before(self.state, height, round_, Step.PROPOSE)
        if known is not None:
            assert isinstance(known, SignedProposal), "steps name kinds"
            asked = (block_id, valid_round, self.address)
            if (known.proposal.block_id, known.proposal.valid_round, known.proposal.proposer) != asked:
                raise SigningRefused(f"height {height}, round {round_}: another proposal was signed")
            return known.proposal
        signature = self._key.sign(proposal_sign_bytes(self._genesis_hash, height, round_, block_id, valid_round))
        proposal = Proposal(height, round_, block_id, valid_round, self.address, signature)
        self._persist(height, round_, SignedProposal(proposal), promise)
        return proposal

    def raise_floor(self, height: int) -> None:
        """Never sign below `height`: what was signed there may be lost."""
        self.floor = max(self.floor, height)

    def _check_floor(self, height: int) -> None:
        if height < self.floor:
            raise SigningRefused(f"height {height}: signing starts at height {self.floor}, signing state was lost")

    def _persist(self, height: int, round_: int, message: SignedProposal | SignedVote, promise: Promise) -> None:
        state = extended(
            self.state, height, round_, message, promise.locked, promise.valid, promise.polka, promise.bodies
        )
        self._store.save(encode(state))
        self.state = state
        self.was_missing = False
