"""Blocks with parts of a test's own."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block, commit_hash, evidence_root
from node.crypto import merkle


def sealed(block: Block, **parts) -> Block:
    """`block` with other parts and a header that fits them: only the parts themselves are wrong."""
    block = replace(block, **parts)
    header = replace(
        block.header,
        tx_root=merkle.root(block.transactions),
        evidence_root=evidence_root(block.evidence),
        last_commit_hash=commit_hash(block.last_commit),
    )
    return replace(block, header=header)
