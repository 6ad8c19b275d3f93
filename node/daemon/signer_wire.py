"""Protocol of a node and its signer over a Unix socket: a closed union of messages each way, framed by length.

A frame is the length of its content (4 bytes, big-endian) and the content, one value in canonical MessagePack. The
node sends requests, the signer replies; the first two messages are `SignerHello` and `Welcome`. After a refusal of
anything but a signature the signer disconnects.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from node.chain.block import Block
from node.chain.vote import BlockId, Round, ValidRound, Vote, VoteKind
from node.codec import Decoder, Value, encode
from node.consensus.messages import Lock
from node.consensus.safety import HARD_STATE_BYTES_MAX, HardState, SignedProposal, SignedVote, StoredLock
from node.ledger.fields import U64, Address, Hash32, Height, PublicKey, Signature
from node.replica.signer import Promise

VERSION = 1
LENGTH_BYTES = 4
HELLO_BYTES_MAX = 256
"""Of a frame before the hello is accepted."""
REQUEST_BYTES_MAX = HARD_STATE_BYTES_MAX - 64 * 1024
"""A promise that fits into a request fits, with the few messages kept beside it, into the hard state."""
REPLY_BYTES_MAX = HARD_STATE_BYTES_MAX + 64 * 1024
"""`Welcome` carries the whole hard state."""
PRESENCE_BYTES_MAX = 256

Presence = Annotated[bytes, Meta(max_length=PRESENCE_BYTES_MAX)]


class KeptPromise(Value, frozen=True):
    """`node.replica.signer.Promise` on the wire."""

    locked: StoredLock | None
    valid: StoredLock | None
    polka: tuple[Vote, ...]
    bodies: tuple[Block, ...]


# --- requests ------------------------------------------------------------------------------------
class SignerHello(Value, tag="hello", frozen=True):
    version: U64
    genesis_hash: Hash32


class VoteRequest(Value, tag="vote", frozen=True):
    """Answered by `SignedVote` or `Refused`."""

    kind: VoteKind
    height: Height
    round: Round
    block_id: BlockId
    promise: KeptPromise


class ProposalRequest(Value, tag="proposal", frozen=True):
    """Answered by `SignedProposal` or `Refused`."""

    height: Height
    round: Round
    block_id: Hash32
    valid_round: ValidRound
    promise: KeptPromise


class PresenceRequest(Value, tag="presence", frozen=True):
    """Sign these bytes, which must be a presence of this chain. Answered by `SignedPresence`."""

    message: Presence


class RaiseFloor(Value, tag="floor", frozen=True):
    """Sign nothing below `height` from now on. Answered by `Floor`."""

    height: Height


Request = SignerHello | VoteRequest | ProposalRequest | PresenceRequest | RaiseFloor


# --- replies ----------------------------------------------------------------------------------
class Welcome(Value, tag="welcome", frozen=True):
    """The member it signs for, and its hard state. `was_missing`: it had none, and has signed nothing since."""

    version: U64
    address: Address
    public: PublicKey
    was_missing: bool
    floor: Height
    state: HardState


class SignedPresence(Value, tag="presence", frozen=True):
    signature: Signature


class Floor(Value, tag="floor", frozen=True):
    """The lowest height that may be signed from now on."""

    height: Height


class Refused(Value, tag="refused", frozen=True):
    """`signing`: a signing rule forbids it, and the connection goes on. Every other code ends it."""

    code: Literal["signing", "malformed", "version", "wrong_chain", "busy"]
    why: str


Reply = Welcome | SignedVote | SignedProposal | SignedPresence | Floor | Refused

decode_hello: Decoder[SignerHello] = Decoder(SignerHello, HELLO_BYTES_MAX, "the hello")
decode_request: Decoder[Request] = Decoder(Request, REQUEST_BYTES_MAX, "the request")
decode_reply: Decoder[Reply] = Decoder(Reply, REPLY_BYTES_MAX, "the signer's reply")


def frame(message: Request | Reply) -> bytes:
    content = encode(message)
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def _stored(lock: Lock | None) -> StoredLock | None:
    return None if lock is None else StoredLock(lock.round, lock.block_id)


def _lock(stored: StoredLock | None) -> Lock | None:
    return None if stored is None else Lock(stored.round, stored.block_id)


def kept(promise: Promise) -> KeptPromise:
    return KeptPromise(_stored(promise.locked), _stored(promise.valid), promise.polka, promise.bodies)


def promise_of(sent: KeptPromise) -> Promise:
    return Promise(_lock(sent.locked), _lock(sent.valid), sent.polka, sent.bodies)
