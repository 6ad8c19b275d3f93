"""Headers, blocks, commit certificates (docs/PROTOCOL.md, Blocks)."""

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
    """One entry for every validator of the height's set, in its order: a signature, or empty."""

    height: Height
    round: Round
    block_id: Annotated[bytes, Meta(max_length=32)]
    signatures: Annotated[tuple[Annotated[bytes, Meta(max_length=64)], ...], Meta(max_length=limits.VALIDATORS_MAX)]


EMPTY_COMMIT = Commit(0, 0, b"", ())
"""The last commit of block 1."""


class Block(Value, frozen=True):
    header: Header
    transactions: Annotated[tuple[bytes, ...], Meta(max_length=limits.BLOCK_TXS_MAX)]
    """Signed bytes, each as it was submitted."""
    evidence: Annotated[tuple[Evidence, ...], Meta(max_length=limits.EVIDENCE_PER_BLOCK_MAX)]
    last_commit: Commit


class Committed(Value, frozen=True):
    """A block and the certificate that decided it: what is stored, synced and archived."""

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
    """Of the very signatures; 32 zero bytes for the empty one of block 1."""
    return ZERO32 if commit == EMPTY_COMMIT else tagged("bmw/commit-certificate", encode(commit))


def check_contents(block: Block) -> None:
    """The body is the one that its header names, and one that can be sent on: no chain's parameters allow a larger one.
    Raises `Malformed`: whoever sent it is at fault, for no correct node passes such a block on.
    """
    header, sizes = block.header, [len(raw) for raw in block.transactions]
    if sum(sizes) > limits.BLOCK_BYTES_CAP or max(sizes, default=0) > limits.TX_BYTES_MAX:
        raise Malformed("the block, or a transaction in it, is larger than any may be")
    if len(set(block.transactions)) != len(sizes):
        raise Malformed("the block holds a transaction twice")
    if header.tx_root != merkle.root(block.transactions):
        raise Malformed("the block's transactions are not those of its header")
    if header.evidence_root != evidence_root(block.evidence):
        raise Malformed("the block's evidence is not that of its header")
    if header.last_commit_hash != commit_hash(block.last_commit):
        raise Malformed("the block's last commit is not that of its header")


def verify_commit(commit: Commit, genesis_hash: bytes, validators: ValidatorSet) -> None:
    """Raises `InvalidCertificate` unless *every* non-empty signature verifies and the quorum is reached.

    The error names the first validator whose signature is wrong.
    """
    if len(commit.signatures) != len(validators):
        raise InvalidCertificate(
            f"height {commit.height}: {len(commit.signatures)} signatures for {len(validators)} validators"
        )
    if len(commit.block_id) != 32:
        raise InvalidCertificate(f"height {commit.height}: a certificate is never for nil")
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
