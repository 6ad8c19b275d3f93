"""Consensus signer: sign, persist (synced), and only then return the signature. Only it uses the consensus key.

It runs in the node's process, or in one of its own (`node.daemon.signer`) that the node asks.
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
    """Storage of one record, written atomically and synced. `load` raises `Corrupted` for a bad hash."""

    def load(self) -> bytes | None: ...

    def save(self, raw: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Promise:
    """State to persist together with a signature: locked and valid value, the valid one's polka, their bodies."""

    locked: Lock | None
    valid: Lock | None
    polka: tuple[Vote, ...]
    bodies: tuple[Block, ...]


NEVER = 2**62
"""A floor above every height."""

NO_PROMISE = Promise(None, None, (), ())


class SignerAway(SigningRefused):
    """The remote signer is unavailable. Whether it answered the last request with a signature is unknown."""


class ConsensusSigner(Protocol):
    """Interface of a signer: `LocalSigner` in this process, or the client of a remote one.

    `floor`: the lowest height that may be signed. `state`: the signer's hard state, as of its last answer.
    Every `sign_*` raises `SigningRefused`; `raise_floor` never fails, and no lower height is signed from then on.
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
        stored = remembered(store.load(), key.public)
        if stored is not None and not self._is_ours(stored):
            stored = None  # another key's state: what this key has signed is unknown
        self.was_missing = stored is None
        self.state: HardState = EMPTY if stored is None else stored
        self.floor = max(1, self.state.height)

    def _is_ours(self, state: HardState) -> bool:
        messages = (m.proposal if isinstance(m, SignedProposal) else m.vote for m in state.messages)
        return all(is_signature(self.public, sign_bytes_of(m, self._genesis_hash), m.signature) for m in messages)

    @property
    def public(self) -> bytes:
        return self._key.public

    def sign_raw(self, message: bytes) -> bytes:
        """Sign a presence message, which needs no hard state. The caller tags it."""
        assert message.startswith(b"bmw/presence\x00"), "only presence messages are signed without hard state"
        return self._key.sign(message)

    def sign_vote(self, kind: VoteKind, height: int, round_: int, block_id: bytes, promise: Promise) -> Vote:
        """Sign a vote; it is on disk before it is returned. Raises `SigningRefused`."""
        step = Step.PREVOTE if kind == "prevote" else Step.PRECOMMIT
        self._check_floor(height)
        earlier = signed_before(self.state, height, round_, step)
        if earlier is not None:
            assert isinstance(earlier, SignedVote), "the step determines the kind"
            if earlier.vote.block_id != block_id or earlier.vote.validator != self.address:
                raise SigningRefused(f"height {height}, round {round_}: another {kind} was signed")
            return earlier.vote
        signature = self._key.sign(vote_sign_bytes(self._genesis_hash, kind, height, round_, block_id))
        vote = Vote(kind, height, round_, block_id, self.address, signature)
        self._persist(height, round_, SignedVote(vote), promise)
        return vote

    def sign_proposal(self, height: int, round_: int, block_id: bytes, valid_round: int, promise: Promise) -> Proposal:
        """Sign a proposal; it is on disk with its body before it is returned. Raises `SigningRefused`."""
        self._check_floor(height)
        earlier = signed_before(self.state, height, round_, Step.PROPOSE)
        if earlier is not None:
            assert isinstance(earlier, SignedProposal), "the step determines the kind"
            signed = earlier.proposal
            if (signed.block_id, signed.valid_round, signed.proposer) != (block_id, valid_round, self.address):
                raise SigningRefused(f"height {height}, round {round_}: another proposal was signed")
            return signed
        signature = self._key.sign(proposal_sign_bytes(self._genesis_hash, height, round_, block_id, valid_round))
        proposal = Proposal(height, round_, block_id, valid_round, self.address, signature)
        self._persist(height, round_, SignedProposal(proposal), promise)
        return proposal

    def raise_floor(self, height: int) -> None:
        """Never sign below `height`: the record of what was signed there may be lost."""
        self.floor = max(self.floor, height)

    def retire(self) -> None:
        """Sign nothing any more: the validator has another consensus key, and this one's file another owner."""
        self.raise_floor(NEVER)

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
