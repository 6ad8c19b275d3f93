"""A large block is built and executed in slices, one a tick; what arrives is looked at between two of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.hearing import NAMES, VALIDATORS, Node, full
from support.life import register
from support.one_replica import a_follower

from node.chain.block import Block, block_id_of
from node.chain.vote import NIL
from node.replica import block_sync
from node.replica import events as e
from node.replica.messages import Blocks, GetBlocks, ProposalMessage, Status, VoteMessage
from node.replica.pending_verifications import BodyJob
from node.replica.replica import ReplicaConfig
from node.txtypes.envelope import CheckedTx

SLICE = 2
COUNT = 5
TICKS = 4
"""Three slices of transactions, and the end: the root."""
IN_SLICES = ReplicaConfig(slice_txs=SLICE)
PROPOSER = Node().proposer()
OTHERS = [name for name in VALIDATORS if name != PROPOSER]


def a_validator(config: ReplicaConfig = IN_SLICES) -> Node:
    return Node(OTHERS[0], config=config)


def propose(node: Node, block: Block) -> bytes:
    node.hear(full(node, block, node.proposal(block)))
    return block_id_of(block.header, node.chain.genesis_hash)


def births(node: Node, count: int) -> list[CheckedTx]:
    return [node.chain.check(node.chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}"))) for i in range(count)]


def ticks_until_a_prevote(node: Node, at_most: int = 20) -> int:
    for ticks in range(at_most):
        if node.prevotes():
            return ticks
        assert node.replica.next_deadline_ms() <= node.now, "the next slice is due at once"
        node.pass_time(1)
    raise AssertionError("nothing was voted for")


def test_a_small_block_is_judged_when_it_comes() -> None:
    node = a_validator()
    assert [propose(node, node.block(count=SLICE))] == node.prevotes()


def test_a_large_block_is_judged_a_slice_a_tick() -> None:
    node = a_validator()
    block_id = propose(node, node.block(count=COUNT))
    assert TICKS == ticks_until_a_prevote(node)
    assert [block_id] == node.prevotes()


def test_votes_are_heard_between_slices_and_are_no_ticks() -> None:
    node = a_validator()
    block_id = propose(node, node.block(count=COUNT))
    heard = OTHERS[1:]
    for name in heard:
        node.hear(VoteMessage(vote := node.vote(name, block_id=block_id)))
        assert vote in node.replica.machine.tally.votes_of_round(0)
        assert [] == node.prevotes()
        node.pass_time(1)
    assert TICKS - len(heard) == ticks_until_a_prevote(node)


def test_a_block_that_is_being_executed_is_not_late() -> None:
    """As long as it took at once, no timeout could fire either: a slow machine would vote for nothing."""
    node = a_validator()
    block_id = propose(node, node.block(count=COUNT))
    while not node.prevotes():
        node.pass_time(5_000)
    assert {block_id} == set(node.prevotes()), "of which the last tick sends the first once more"


def test_what_does_not_hold_in_the_last_slice_makes_the_block_invalid() -> None:
    node = a_validator()
    block = node.block(count=COUNT)
    propose(node, replace(block, header=replace(block.header, state_root=bytes(32))))
    ticks_until_a_prevote(node)
    assert [NIL] == node.prevotes()
    assert ["state_root"] == [fields["why"].split(":")[0] for fields in node.notices("invalid_block")]


def test_a_block_that_others_decide_meanwhile_ends_its_execution() -> None:
    node = a_validator()
    block = node.block(count=COUNT)
    propose(node, block)
    chain = Chain(node.chain.genesis)
    node.replica._commit(block, chain.judge(block), chain.commit_for(block), is_decided_here=False)
    for _ in range(TICKS):
        node.pass_time(1)
    assert (1, []) == (node.replica.store.height(), node.prevotes())


@pytest.mark.parametrize("count", [SLICE, COUNT])
def test_a_large_block_is_built_a_slice_a_tick(count: int) -> None:
    node = Node(PROPOSER, config=IN_SLICES)
    node.feed(e.Admit(1, tuple(txs := births(node, count))))
    ticks, proposed = 0, []
    while not proposed and ticks < 20:
        node.pass_time(max(1, node.replica.next_deadline_ms() - node.now))
        ticks += node.replica._driver.machine.step_now.name == "PROPOSE"
        proposed = [
            a.message for a in node.did if isinstance(a, e.Broadcast) and isinstance(a.message, ProposalMessage)
        ]
    assert {tuple(tx.raw for tx in txs)} == {message.block.transactions for message in proposed}
    assert NAMES[proposed[0].block.header.proposer] == PROPOSER
    assert (count > SLICE) == (ticks > 1)


def test_one_that_expires_while_a_block_is_built_is_dropped_once() -> None:
    node = Node(PROPOSER, config=IN_SLICES)
    txs = [node.chain.check(node.chain.sign("bmw", register(f"WBA8E9G50GNU{i % 4:05d}"))) for i in range(COUNT)]
    node.feed(e.Admit(1, tuple(txs)))  # the last is a second birth of the first car
    while not node.replica._driver._slices:
        node.pass_time(max(1, node.replica.next_deadline_ms() - node.now))
    node.replica.pool.remove(txs[-1].txid)
    for _ in range(10):
        node.pass_time(1)
    assert [] == [action for action in node.did if isinstance(action, e.Dropped)]


@pytest.mark.parametrize("slice_txs", [1, 2, 3, 7, ReplicaConfig().slice_txs])
def test_block_sync_comes_to_the_same_chain(slice_txs: int) -> None:
    chain, blocks = Chain(), []
    for first in range(0, 28, 7):
        raws = [chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")) for i in range(first, first + 7)]
        block = chain.produce(*raws)
        blocks.append(chain.store.committed(block.header.height))
    follower = a_follower(chain, ReplicaConfig(slice_txs=slice_txs))
    follower.sync(blocks)
    assert ([], "") == (follower.faults(), follower.replica.halted)
    assert chain.store.head() == follower.replica.store.head()


def test_a_block_that_consensus_decides_while_sync_executes_it_is_committed_once() -> None:
    chain = Chain()
    block = chain.produce(*[chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")) for i in range(COUNT)])
    follower = a_follower(chain, IN_SLICES)
    follower.hear(Status(1, 0, 1))
    while not follower.sent(GetBlocks):
        follower.pass_time(100)
    follower.hear(Blocks((chain.store.committed(1),)))
    assert follower.replica._blocks._in_slices is not None
    again = Chain(chain.genesis)
    follower.replica._commit(block, again.judge(block), chain.store.commit(1))
    for _ in range(TICKS):
        follower.pass_time(1)
    assert (1, "") == (follower.replica.store.height(), follower.replica.halted)


def test_large_blocks_ahead_are_decoded_one_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_sync, "DECODED_AT_ONCE", 3)
    chain, blocks = Chain(), []
    for first in range(0, 12, 3):
        block = chain.produce(*[chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")) for i in range(first, first + 3)])
        blocks.append(chain.store.committed(block.header.height))
    follower = a_follower(chain)
    follower.act = follower.done.extend  # the signatures are still being verified
    follower.hear(Status(4, 0, 1))
    while not follower.sent(GetBlocks):
        follower.pass_time(100)
    follower.hear(Blocks(tuple(blocks)))
    asked = [1]
    while follower.replica.next_deadline_ms() <= follower.now:
        follower.pass_time(1)
        asked.append(sum(isinstance(action, e.Verify) for action in follower.done))
    assert [1, 2, 3, 4] == sorted(set(asked))


# --- what becomes of a block meanwhile ----------------------------------------------------------------------------
def test_a_block_that_is_dropped_meanwhile_is_not_voted_for() -> None:
    node = a_validator()
    block_id = propose(node, node.block(count=COUNT))
    del node.replica._driver.undecided._candidates[block_id]
    for _ in range(TICKS):
        node.pass_time(1)
    assert [] == node.prevotes()


def test_a_block_that_is_verified_twice_is_executed_once() -> None:
    """An earlier body with the same id may have been dropped while its signatures were verified."""
    node = a_validator()
    block_id = propose(node, node.block(count=COUNT))
    node.replica._driver.on_body_verified(BodyJob(1, block_id), is_good=True)
    assert 1 == len(node.replica._driver._slices)
    assert TICKS == ticks_until_a_prevote(node)


def test_a_block_for_a_round_that_is_over_is_not_built_to_its_end() -> None:
    node = Node(PROPOSER, config=IN_SLICES)
    node.feed(e.Admit(1, tuple(births(node, COUNT))))
    while not node.replica._driver._slices:
        node.pass_time(max(1, node.replica.next_deadline_ms() - node.now))
    for name in OTHERS:
        node.hear(VoteMessage(node.vote(name, round=1, block_id=NIL)))
    assert 1 == node.replica.machine.round
    node.pass_time(1)
    assert not node.replica._driver._slices
    assert not node.replica._driver.undecided._candidates
