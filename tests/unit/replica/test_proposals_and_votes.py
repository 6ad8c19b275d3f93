"""Proposals and votes from peers: only valid ones with a valid signature are accepted and relayed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.hearing import VALIDATORS, Form, Node, X, both_forms, compact, full

from node import limits
from node.chain.vote import NIL
from node.replica import events as e
from node.replica.messages import Blocks, GetBlocks, Status, VoteMessage
from node.replica.replica import STATUS_EVERY_MS


# --- votes ----------------------------------------------------------------------------------------------
def test_a_vote_that_another_has_signed_is_the_peers_fault_and_counts_for_nobody() -> None:
    node = Node()
    forged = node.vote("bmw", by="dealer-munich")
    node.hear(VoteMessage(forged))
    assert (["a vote's signature does not verify"], []) == (node.faults(), node.relayed())
    assert forged not in node.replica.machine.tally.votes_of_round(forged.round)
    good = node.vote("bmw")
    node.hear(VoteMessage(good))
    assert [VoteMessage(good)] == node.relayed()
    assert good in node.replica.machine.tally.votes_of_round(good.round)


@pytest.mark.parametrize(
    "changes",
    [{"name": "bank-1"}, {"block_id": b"\x01"}, {"block_id": X[:31]}, {"height": 2}],
    ids=["of no validator", "for a byte", "for 31 bytes", "of another height"],
)
def test_a_vote_that_can_mean_nothing_here_is_passed_over(changes: dict) -> None:
    node = Node()
    node.hear(VoteMessage(node.vote(**changes)))
    assert ([], []) == (node.faults(), node.relayed())
    assert 0 == node.replica.machine.tally.power_seen()


# --- proposals ------------------------------------------------------------------------------------------
@both_forms
def test_a_proposal_of_the_proposer_is_taken_and_relayed(form: Form) -> None:
    node = Node()
    block = node.block()
    message = form(node, block, node.proposal(block))
    node.hear(message)
    assert [] == node.faults()
    assert message.proposal == node.replica.machine.proposal(0)
    assert node.relayed() == ([message] if form is full else []), "by wire ids only once its body is whole"


@both_forms
def test_a_proposal_is_made_and_signed_by_whose_turn_it_is(form: Form) -> None:
    node = Node()
    block = node.block()
    other = next(name for name in VALIDATORS if name != node.proposer())
    node.hear(form(node, block, node.proposal(block, proposer=address(other), by=other)))
    node.hear(form(node, block, node.proposal(block, by=other)))
    assert [f"{address(other).hex()} is not the proposer of round 0", "a proposal's signature does not verify"] == (
        node.faults()
    )
    assert ([], None) == (node.relayed(), node.replica.machine.proposal(0))


@both_forms
def test_a_proposal_comes_with_its_own_block(form: Form) -> None:
    node = Node()
    block = node.block()
    node.hear(form(node, node.block(count=2), node.proposal(block)))
    assert ["the proposal is for another block"] == node.faults()
    assert ([], None) == (node.relayed(), node.replica.machine.proposal(0))


@both_forms
def test_proposals_are_taken_of_the_rounds_of_the_window_and_of_this_height(form: Form) -> None:
    last = limits.ROUNDS_AHEAD_MAX
    node = Node()
    blocks = {round_: node.block(round_) for round_ in (last, last + 1)}
    node.hear(form(node, blocks[last + 1], node.proposal(blocks[last + 1], last + 1)))
    node.hear(form(node, blocks[last], node.proposal(blocks[last], last, height=2)))
    assert ([], []) == (node.faults(), node.relayed())
    assert [None, None] == [node.replica.machine.proposal(round_) for round_ in blocks]
    node.hear(form(node, blocks[last], node.proposal(blocks[last], last)))
    assert node.replica.machine.proposal(last) is not None


def test_a_proposal_that_comes_again_brings_the_body_that_was_missing() -> None:
    node = Node()
    block = node.block()
    proposal = node.proposal(block)
    node.hear(compact(node, block, proposal))
    assert not node.replica.machine.is_judged(proposal.block_id)
    node.hear(full(node, block, proposal))
    assert node.replica.machine.is_judged(proposal.block_id)


def test_who_has_a_link_to_every_validator_relays_no_proposal() -> None:
    node = Node(peers=3)
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    assert [] == node.relayed()


# --- the time of a block --------------------------------------------------------------------------------
def voter() -> Node:
    """A validator that does not propose in the first two rounds."""
    others = {Node().proposer(round_) for round_ in (0, 1)}
    return Node(next(name for name in VALIDATORS if name not in others))


@both_forms
@pytest.mark.parametrize(
    ("off_ms", "is_timely"),
    [(0, True), (-60_000, False), (limits.PRECISION_MS, True), (limits.PRECISION_MS + 1, False)],
)
def test_a_new_block_is_voted_for_where_its_time_is_about_now(form: Form, off_ms: int, is_timely: bool) -> None:
    node = voter()
    node.chain.now += off_ms
    block = node.block()
    node.feed(e.Admit(1, tuple(node.chain.check(raw) for raw in block.transactions)))
    proposal = node.proposal(block)
    node.hear(form(node, block, proposal))
    assert [proposal.block_id if is_timely else NIL] == node.prevotes()
    assert is_timely == (not node.notices("untimely"))


def test_a_new_block_is_its_proposers_own() -> None:
    """Otherwise another validator's old block could be proposed as a new one, whatever its time."""
    node = voter()
    block = node.block(round_=0)
    block = replace(block, header=replace(block.header, proposer=address(node.proposer(1))))
    node.hear(full(node, block, node.proposal(block)))
    assert [NIL] == node.prevotes()
    assert 1 == len(node.notices("untimely"))


# --- our own status ------------------------------------------------------------------------------------------
def test_a_status_is_told_at_a_bounded_rate_however_fast_blocks_come() -> None:
    """Otherwise everybody would ban a syncing stranger for its status messages."""
    source = Chain()
    for _ in range(60):
        source.produce()
    node = Node()
    node.hear(Status(60, 0, 1))
    told: list[int] = []
    for _ in range(60):
        did, node.did = node.did, []
        for action in [a for a in did if isinstance(a, e.Send) and isinstance(a.message, GetBlocks)]:
            wanted = range(action.message.first, action.message.last + 1)
            node.feed(e.Received(action.peer, Blocks(tuple(source.store.committed(h) for h in wanted)), node.now))
        told += [a.message.height for a in did if isinstance(a, e.Broadcast) and isinstance(a.message, Status)]
        node.pass_time(1)
    assert 60 == node.chain.store.height()
    assert len(told) <= 3
    node.pass_time(STATUS_EVERY_MS)
    said = [a.message.height for a in node.did if isinstance(a, e.Broadcast) and isinstance(a.message, Status)]
    assert 60 == said[-1]
