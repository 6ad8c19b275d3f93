"""Headers, blocks and commit certificates (docs/PROTOCOL.md, Blocks)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from node import limits
from node.chain.validators import ValidatorSet
from node.chain.vote import Evidence, Round, vote_sign_bytes
from node.codec import Decoder, Value, encode
from node.crypto import merkle
from node.crypto.hashing import ZERO32, tagged
from node.crypto.signing import is_signature
from node.errors import InvalidCertificate, Malformed
from node.ledger.fields import Address, Hash32, Height, Time

HEADER_VERSION = 1


class Header(Value, frozen=True):
    """Block header; its tagged hash with the genesis hash is the block id."""

    version: Annotated[int, Meta(ge=1, le=1_000)]
    height: Height
    time_ms: Time
    parent_id: Hash32
    proposer: Address
    tx_root: Hash32
    state_root: Hash32
    validators_hash: Hash32
    next_validators_hash: Hash32
    ruleset_hash: Hash32
    evidence_root: Hash32
    last_commit_hash: Hash32


class Commit(Value, frozen=True):
    """Commit certificate: for each validator of the height's set, in order, its precommit signature or empty bytes."""

    height: Height
    round: Round
    block_id: Annotated[bytes, Meta(max_length=32)]
    signatures: Annotated[tuple[Annotated[bytes, Meta(max_length=64)], ...], Meta(max_length=limits.VALIDATORS_MAX)]


EMPTY_COMMIT = Commit(0, 0, b"", ())
"""The `last_commit` of block 1."""


class Block(Value, frozen=True):
    """A header with its contents. `last_commit` certifies the parent."""

    header: Header
    transactions: Annotated[tuple[bytes, ...], Meta(max_length=limits.BLOCK_TXS_MAX)]
    """Signed bytes, as submitted."""
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=limits.EVIDENCE_PER_BLOCK_MAX)]
    last_commit: Commit


class Committed(Value, frozen=True):
    """A decided block with its certificate, as stored, synced and archived."""

    block: Block
    commit: Commit


decode_block: Decoder[Block] = Decoder(Block, limits.BLOCK_BYTES_CAP + 256 * 1024, "block")
decode_committed: Decoder[Committed] = Decoder(Committed, limits.BLOCK_BYTES_CAP + 384 * 1024, "block and certificate")
decode_commit: Decoder[Commit] = Decoder(Commit, 64 * 1024, "certificate")
decode_header: Decoder[Header] = Decoder(Header, 4096, "header")


def block_id_of(header: Header, genesis_hash: bytes) -> bytes:
    """`H("bmw/header", genesis_hash || header_bytes)`."""
    return tagged("bmw/header", genesis_hash + encode(header))


def evidence_root(evidence: tuple[Evidence, ...]) -> bytes:
    return merkle.root([encode(piece) for piece in evidence])


def commit_hash(commit: Commit) -> bytes:
    """Hash of a certificate with its signatures; 32 zero bytes for the empty one of block 1."""
    return ZERO32 if commit == EMPTY_COMMIT else tagged("bmw/commit-certificate", encode(commit))


def check_contents(block: Block) -> None:
    """Check that the contents match the header, and that no size exceeds what any chain's parameters allow.

    Raises `Malformed`: the sender is at fault, since no correct node relays such a block.
    """
    header, sizes = block.header, [len(raw) for raw in block.transactions]
    if sum(sizes) > limits.BLOCK_BYTES_CAP or max(sizes, default=0) > limits.TX_BYTES_MAX:
        raise Malformed("the block or one of its transactions exceeds the size limit")
    if len(set(block.transactions)) != len(sizes):
        raise Malformed("the block contains a transaction twice")
    if header.tx_root != merkle.root(block.transactions):
        raise Malformed("the block's transactions do not match its header")
    if header.evidence_root != evidence_root(block.evidence):
        raise Malformed("the block's evidence does not match its header")
    if header.last_commit_hash != commit_hash(block.last_commit):
        raise Malformed("the block's last commit does not match its header")


def verify_commit(commit: Commit, genesis_hash: bytes, validators: ValidatorSet) -> None:
    """Raises `InvalidCertificate` unless *every* non-empty signature verifies and they reach the quorum.

    The error names the first validator whose signature does not verify.
    """
    if len(commit.signatures) != len(validators):
        raise InvalidCertificate(
            f"height {commit.height}: {len(commit.signatures)} signatures for {len(validators)} validators"
        )
    if len(commit.block_id) != 32:
        raise InvalidCertificate(f"height {commit.height}: a certificate can't be for nil")
    message = vote_sign_bytes(genesis_hash, "precommit", commit.height, commit.round, commit.block_id)
    power = 0
    for entry, signature in zip(validators.entries, commit.signatures, strict=True):
        if not signature:
            continue
        if not is_signature(entry.consensus_key, message, signature):
            raise InvalidCertificate(
                f"height {commit.height}: the signature of validator {entry.address.hex()} does not verify"
            )
        power += entry.power
    if not validators.is_quorum(power):
        raise InvalidCertificate(
            f"height {commit.height}: power {power} of {validators.total} is not more than two thirds"
        )
