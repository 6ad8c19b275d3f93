"""Signatures of a block: whatever proves nothing is found, in the transactions, the certificate and the last commit."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.stages import at

from node.audit.signatures import Findings, verify_block
from node.chain.block import Commit, Committed
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key

NAMES = {address(party.name): party.name for party in DEV_PARTIES}


def signed(chain: Chain, commit: Commit, **changes) -> Commit:
    """By all validators, whatever it says."""
    commit = replace(commit, **changes)
    message = vote_sign_bytes(chain.genesis_hash, "precommit", commit.height, commit.round, commit.block_id)
    entries = chain.store.head().validators.entries
    return replace(commit, signatures=tuple(dev_key("consensus", NAMES[e.address]).sign(message) for e in entries))


def findings(chain: Chain, committed: Committed, parent_commit: bytes | None = None) -> Findings:
    before = chain.store.commit(committed.block.header.height - 1)
    parent = encode(before) if parent_commit is None else parent_commit
    return verify_block(committed, parent, chain.genesis_hash, chain.store.head().validators)


def newest(chain: Chain) -> Committed:
    found = chain.store.committed(chain.store.height())
    assert found is not None
    return found


def test_nothing_is_found_where_everything_verifies() -> None:
    chain = at("handed_over").chain
    assert Findings() == findings(chain, newest(chain))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"height": 1}, "it is for height 1"),
        ({"block_id": bytes(32)}, "it is for another block"),
    ],
)
def test_a_certificate_of_something_else_decides_nothing_however_well_it_is_signed(changes: dict, told: str) -> None:
    chain = at("handed_over").chain
    found = newest(chain)
    assert Findings(commit=told) == findings(chain, replace(found, commit=signed(chain, found.commit, **changes)))


def test_a_last_commit_that_is_not_the_parents_is_verified_by_itself() -> None:
    chain = at("handed_over").chain
    found = newest(chain)
    last = found.block.last_commit
    quorum = replace(last, signatures=(b"", *last.signatures[1:]))
    forged = replace(last, signatures=(last.signatures[1], *last.signatures[1:]))
    for commit, is_good in ((quorum, True), (forged, False)):
        block = replace(found.block, last_commit=commit)
        assert is_good == (not findings(chain, replace(found, block=block)).last_commit)
