"""Blocks with parts of a test's own."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block, commit_hash, evidence_root
from node.chain.vote import Evidence, Vote, vote_sign_bytes
from node.crypto import merkle
from node.crypto.dev_keys import dev_key
from support.chain import Chain, address


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


def offence(chain: Chain, name: str) -> Evidence:
    """Two precommits of one validator at the head's height."""
    height, votes = chain.store.height(), []
    for block_id in (b"\x01" * 32, b"\x02" * 32):
        message = vote_sign_bytes(chain.genesis_hash, "precommit", height, 0, block_id)
        signature = dev_key("consensus", name).sign(message)
        votes.append(Vote("precommit", height, 0, block_id, address(name), signature))
    return Evidence(*votes)
