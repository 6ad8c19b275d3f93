"""Verification of every signature of a range of blocks, in a verifier process or in the main one.

The validator set is the one in force when the range was handed out. Where a block in between has changed it, the main
process verifies those certificates again.
"""

from __future__ import annotations

import msgspec

from node.chain.block import Commit, Committed, block_id_of, decode_committed, verify_commit
from node.chain.validators import ValidatorSet
from node.codec import encode
from node.errors import InvalidCertificate, Rejected
from node.ledger.signed import verify_raw
from node.txtypes.chain.validator_set import ValidatorEntry


class Range(msgspec.Struct, array_like=True, frozen=True):
    """Work for one process: consecutive blocks, as canonical bytes of `Committed`."""

    genesis_hash: bytes
    validators: tuple[ValidatorEntry, ...]
    parent_commit: bytes
    """Canonical bytes of the certificate of the block before; empty before the first block."""
    blocks: list[bytes]


class Findings(msgspec.Struct, array_like=True, frozen=True):
    """Findings on one block. Empty texts: none."""

    index: int = -1
    """The first transaction with a wrong signature, -1 for none."""
    rule: str = ""
    text: str = ""
    commit: str = ""
    last_commit: str = ""


_decode_range = msgspec.msgpack.Decoder(Range)
_decode_findings = msgspec.msgpack.Decoder(list[Findings])


def decode_findings(raw: bytes) -> list[Findings]:
    return _decode_findings.decode(raw)


def verify_range(raw: bytes) -> bytes:
    """Bytes of a `Range` to bytes of one `Findings` for each of its blocks."""
    work = _decode_range.decode(raw)
    validators = ValidatorSet(work.validators)
    parent_commit = work.parent_commit
    findings = []
    for block in work.blocks:
        committed = decode_committed(block)
        findings.append(verify_block(committed, parent_commit, work.genesis_hash, validators))
        parent_commit = encode(committed.commit)
    return encode(findings)


def verify_block(committed: Committed, parent_commit: bytes, genesis_hash: bytes, validators: ValidatorSet) -> Findings:
    """The last commit is not verified again where it equals the parent's own certificate."""
    block = committed.block
    last = ""
    if block.header.parent_id != genesis_hash and encode(block.last_commit) != parent_commit:
        last = commit_fault(block.last_commit, genesis_hash, validators)
    commit = certificate_fault(committed, genesis_hash, validators)
    for index, raw in enumerate(block.transactions):
        try:
            if not verify_raw(raw, genesis_hash):
                return Findings(index, "transaction_signature", "a signature does not verify", commit, last)
        except Rejected as error:
            return Findings(index, f"transaction_{error.code}", str(error), commit, last)
    return Findings(commit=commit, last_commit=last)


def certificate_fault(committed: Committed, genesis_hash: bytes, validators: ValidatorSet) -> str:
    """Why the certificate does not prove the block; empty where it does."""
    header, commit = committed.block.header, committed.commit
    if commit.height != header.height:
        return f"it is for height {commit.height}"
    if commit.block_id != block_id_of(header, genesis_hash):
        return "it is for another block"
    return commit_fault(commit, genesis_hash, validators)


def commit_fault(commit: Commit, genesis_hash: bytes, validators: ValidatorSet) -> str:
    """Why the commit is invalid; empty where every signature verifies and the quorum is reached."""
    try:
        verify_commit(commit, genesis_hash, validators)
    except InvalidCertificate as error:
        return str(error)
    return ""
