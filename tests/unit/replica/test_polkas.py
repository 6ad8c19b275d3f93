"""The polka of a re-proposal: prevotes for its block by more than two thirds; a received polka can be sent on."""

from __future__ import annotations

import pytest
from support.chain import address
from support.hearing import VALIDATORS, Node, Y, full

from node.chain.block import Block, block_id_of
from node.chain.vote import NIL, Vote
from node.replica import events as e
from node.replica.messages import ProposalMessage, VoteMessage

NO_POLKA = "a re-proposal has no polka"


def again(node: Node, block: Block, polka: tuple[Vote, ...]) -> ProposalMessage:
    """The block of round 0 is proposed again in round 1."""
    return full(node, block, node.proposal(block, 1, valid_round=0), polka)


def replace_polka(message: ProposalMessage, polka: tuple[Vote, ...]) -> ProposalMessage:
    return ProposalMessage(message.proposal, message.block, polka)


def has_polka(node: Node, block: Block) -> bool:
    return node.replica.machine.tally.has_quorum("prevote", 0, block_id_of(block.header, node.chain.genesis_hash))


@pytest.mark.parametrize(("count", "is_polka"), [(4, True), (3, True), (2, False), (0, False)])
def test_a_polka_is_of_more_than_two_thirds(count: int, is_polka: bool) -> None:
    node = Node()
    block = node.block()
    node.hear(again(node, block, node.polka(block, VALIDATORS[:count])))
    assert ([] if is_polka else [NO_POLKA], is_polka) == (node.faults(), has_polka(node, block))


def test_in_a_polka_each_validator_counts_once() -> None:
    node = Node()
    block = node.block()
    node.hear(again(node, block, node.polka(block, [*VALIDATORS[:2], VALIDATORS[0], VALIDATORS[1]])))
    assert ([NO_POLKA], False) == (node.faults(), has_polka(node, block))


def test_a_re_proposal_that_comes_stripped_of_its_polka_does_not_keep_the_whole_one_out() -> None:
    node = Node()
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    whole = again(node, block, node.polka(block, VALIDATORS[:3]))
    node.hear(replace_polka(whole, ()), whole)
    assert [NO_POLKA] == node.faults()
    assert has_polka(node, block)
    assert [whole] == [m for m in node.relayed() if isinstance(m, ProposalMessage) and m.proposal.round == 1]


@pytest.mark.parametrize("is_equivocated", [False, True], ids=["withheld", "beside two other votes"])
def test_who_is_locked_by_a_shown_polka_can_show_it(is_equivocated: bool) -> None:
    """One of its votes may have reached nobody else: without it in our re-proposal nobody could accept that, and our
    lock would keep us from accepting others'."""
    liar = Node().proposer(0)
    later = next(round_ for round_ in range(1, 8) if Node().proposer(round_) == liar)
    name = Node().proposer(1)
    node = Node(name)
    other = next(v for v in VALIDATORS if v not in (liar, name))
    block = node.block()
    node.hear(full(node, block, node.proposal(block)))
    own = node.prevotes()
    assert [block_id_of(block.header, node.chain.genesis_hash)] == own
    (heard,) = node.polka(block, [other])
    node.hear(VoteMessage(heard))
    if is_equivocated:
        node.hear(VoteMessage(node.vote(liar, block_id=NIL)), VoteMessage(node.vote(liar, block_id=Y)))
    node.hear(full(node, block, node.proposal(block, later, valid_round=0), node.polka(block, [liar, name, other])))
    assert node.replica.machine.locked is not None
    for voter in (liar, other):
        node.hear(VoteMessage(node.vote(voter, kind="precommit", block_id=NIL)))
    node.pass_time(2_000)
    proposals = [a.message for a in node.did if isinstance(a, e.Broadcast) and isinstance(a.message, ProposalMessage)]
    (again_here,) = [m for m in proposals if m.proposal.round == 1][:1]
    assert {address(v) for v in (liar, name, other)} == {vote.validator for vote in again_here.polka}


@pytest.mark.parametrize(
    "changes",
    [{"kind": "precommit"}, {"height": 2}, {"round": 1}, {"block_id": Y}, {"block_id": NIL}, {"name": "bank-1"}],
    ids=lambda changes: next(iter(changes.values())) or "nil",
)
def test_one_vote_for_something_else_spoils_a_polka(changes: dict) -> None:
    node = Node()
    block = node.block()
    votes = node.polka(block, VALIDATORS[:3])
    odd = node.polka(block, [changes.get("name", VALIDATORS[3])], **{k: v for k, v in changes.items() if k != "name"})
    node.hear(again(node, block, (*votes, *odd)))
    assert ["a polka contains another vote"] == node.faults()
    assert not has_polka(node, block)
    assert node.replica.machine.proposal(1) is None


def test_one_forged_vote_spoils_a_polka() -> None:
    node = Node()
    block = node.block()
    node.hear(again(node, block, node.polka(block, VALIDATORS[:2]) + node.polka(block, ["bmw"], by="police-1")))
    assert ["a polka's signature does not verify"] == node.faults()
    assert not has_polka(node, block)


def test_a_block_that_is_proposed_again_may_be_old() -> None:
    node = Node()
    node.chain.now -= 60_000
    block = node.block()
    node.hear(again(node, block, node.polka(block, VALIDATORS[:3])))
    assert [] == node.notices("untimely")
