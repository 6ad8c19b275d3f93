"""Transactions of a type that a node has no class for: they cost the peer nothing and are not fetched again; in a block
they are judged where its height is, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from support.blocks import sealed
from support.chain import Chain, address
from support.life import register
from support.newer_chain import inspection
from support.newer_software import newer_software, older_software
from support.one_replica import OTHER, PEER, a_validator

from node.chain.block import Block, block_id_of
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import NIL, Proposal, Vote, proposal_sign_bytes, vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.ledger.signed import Signed, wire_id_of
from node.replica import events as e
from node.replica.messages import (
    Announce,
    CompactProposal,
    GetParts,
    GetTransactions,
    Parts,
    ProposalMessage,
    Transactions,
    VoteMessage,
)
from node.txtypes.envelope import decode_signed_tx

SOFTWARES = pytest.mark.parametrize("software", [older_software, newer_software])
"""Whether the software has a class for the type or not, the ruleset decides."""


# --- gossip -----------------------------------------------------------------------------------------------
def test_an_unknown_type_costs_the_peer_nothing_and_is_not_fetched_again() -> None:
    node = a_validator()
    raw = inspection(node.chain)
    announced = Announce((wire_id_of(node.chain.genesis_hash, raw),))
    node.hear(announced)
    assert 1 == len(node.sent(GetTransactions))
    node.hear(Transactions((raw,)))
    for peer in (PEER, OTHER):
        node.hear(announced, peer)
        node.pass_time(3_000)
    assert 1 == len(node.sent(GetTransactions))
    assert [] == node.faults() and 0 == len(node.replica.pool)
    assert not any(isinstance(action, e.Verify) for action in node.done)


def test_what_no_software_can_read_is_still_the_peers_fault() -> None:
    """Another form of a known type, no canonical form, an impossible type, no signature."""
    node = a_validator()
    good = decode_signed_tx(inspection(node.chain), node.chain.genesis_hash)
    known = decode_signed_tx(node.chain.sign("bmw", register()), node.chain.genesis_hash)

    def signed(payload: bytes) -> bytes:
        return encode(Signed(payload, good.signatures))

    for raw, code in (
        (signed(known.payload_bytes.replace(b"\xa6petrol", b"\xa6PETROL")), "malformed"),
        (signed(good.payload_bytes + b"\x00"), "malformed"),
        (signed(good.payload_bytes.replace(b"firmware.check", b"Inspection.record")), "malformed"),
        (encode(Signed(good.payload_bytes, ())), "bad_signature"),
    ):
        node.done.clear()
        node.hear(Announce((wire_id_of(node.chain.genesis_hash, raw),)))
        node.hear(Transactions((raw,)))
        assert [code] == node.faults()


def test_one_that_was_verified_in_a_block_is_not_admitted_when_it_is_announced() -> None:
    node = a_validator()
    raw = inspection(node.chain)
    node.replica._tx_gossip.note_verified(node.chain.check(raw))
    node.hear(Announce((wire_id_of(node.chain.genesis_hash, raw),)))
    assert [] == node.done


@SOFTWARES
def test_our_own_callers_are_told_that_the_type_is_not_active(software: Callable[[], Any]) -> None:
    with software():
        node = a_validator()
        node.feed(e.Admit(1, (node.chain.check(inspection(node.chain)),)))
        (answer,) = [action for action in node.done if isinstance(action, e.Admitted)]
        ((unmet,),) = answer.outcomes
        assert ("type_not_active", "firmware.check") == (unmet.code, unmet.subject)  # type: ignore[union-attr]
        assert 0 == len(node.replica.pool)


# --- the height in flight -----------------------------------------------------------------------------------
def with_inspection(chain: Chain) -> Block:
    """A block of height 1 that holds but for one transaction."""
    proposer = chain.store.head().validators.proposer(1, 0)
    block = chain.build(chain.sign("bmw", register()))
    block = replace(block, header=replace(block.header, proposer=proposer))
    return sealed(block, transactions=(*block.transactions, inspection(chain)))


def proposal_of(chain: Chain, block: Block) -> Proposal:
    block_id = block_id_of(block.header, chain.genesis_hash)
    signed = proposal_sign_bytes(chain.genesis_hash, 1, 0, block_id, -1)
    name = next(p.name for p in DEV_PARTIES if address(p.name) == block.header.proposer)
    return Proposal(1, 0, block_id, -1, block.header.proposer, dev_key("consensus", name).sign(signed))


def precommits(chain: Chain, block_id: bytes) -> list[VoteMessage]:
    signed = vote_sign_bytes(chain.genesis_hash, "precommit", 1, 0, block_id)
    names = [p.name for p in DEV_PARTIES if p.power]
    return [
        VoteMessage(Vote("precommit", 1, 0, block_id, address(n), dev_key("consensus", n).sign(signed))) for n in names
    ]


@SOFTWARES
def test_a_proposal_with_it_is_voted_nil(software: Callable[[], Any]) -> None:
    with software():
        node = a_validator()
        block = with_inspection(node.chain)
        node.hear(ProposalMessage(proposal_of(node.chain, block), block, ()))
        assert [NIL] == node.prevotes()
        assert [] == node.faults() and not node.replica.halted


def test_a_compact_proposal_with_it_is_voted_nil() -> None:
    """Also where gossip has refused it before."""
    node = a_validator()
    block = with_inspection(node.chain)
    ids = tuple(wire_id_of(node.chain.genesis_hash, raw) for raw in block.transactions)
    node.hear(Announce(ids[1:]))
    node.hear(Transactions(block.transactions[1:]))
    proposal = proposal_of(node.chain, block)
    node.hear(CompactProposal(proposal, block.header, ids, block.evidence, block.last_commit, ()))
    (asked,) = node.sent(GetParts)
    assert ids == asked.wire_ids
    node.hear(Parts(1, proposal.block_id, block.transactions))
    assert [NIL] == node.prevotes()
    assert [] == node.faults()


@SOFTWARES
def test_a_decided_block_with_it_halts_as_any_invalid_one(software: Callable[[], Any]) -> None:
    with software():
        node = a_validator()
        block = with_inspection(node.chain)
        proposal = proposal_of(node.chain, block)
        node.hear(ProposalMessage(proposal, block, ()))
        for message in precommits(node.chain, proposal.block_id):
            node.hear(message)
        assert "was decided but is invalid here: type_not_active" in node.replica.halted


def test_a_decided_block_of_an_unknown_ruleset_asks_for_newer_software() -> None:
    node = a_validator()
    block = with_inspection(node.chain)
    block = replace(block, header=replace(block.header, ruleset_hash=bytes(32)))
    proposal = proposal_of(node.chain, block)
    node.hear(ProposalMessage(proposal, block, ()))
    assert [NIL] == node.prevotes() and not node.replica.halted
    for message in precommits(node.chain, proposal.block_id):
        node.hear(message)
    assert f"at height 1 the chain is judged by a ruleset with hash {bytes(32).hex()}" in node.replica.halted
    assert "install a newer version" in node.replica.halted
