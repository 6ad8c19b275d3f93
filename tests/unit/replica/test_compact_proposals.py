"""Compact proposals, and bodies that do not match their header: the sender is at fault, never the block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import register
from support.one_replica import a_validating_replica

from node import limits
from node.chain.block import Block, block_id_of
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import Proposal, Vote, proposal_sign_bytes, vote_sign_bytes
from node.crypto import merkle
from node.crypto.dev_keys import dev_key
from node.ledger.signed import verify_raw, wire_id_of
from node.replica import events as e
from node.replica.compact_blocks import PARTS_TIMEOUT_MS, WHOLE_TIMEOUT_MS
from node.replica.messages import Body, CompactProposal, GetBody, GetParts, Parts, ProposalMessage, VoteMessage
from node.replica.replica import Replica

PEER = 7


@dataclass
class Listener:
    """A validator that does not propose in round 0, after its listening period, and its messages."""

    chain: Chain
    replica: Replica
    now: int
    said: list = field(default_factory=list)
    verifies: bool = True

    def feed(self, event: e.Event) -> None:
        self._act(self.replica.handle(event, self.now))

    def _act(self, actions) -> None:
        for action in actions:
            self.said.append(action)
            if isinstance(action, e.Verify) and self.verifies:
                good = tuple(verify_raw(signed.raw, self.chain.genesis_hash) for signed in action.transactions)
                self.feed(e.Verified(action.job, good))

    def hear(self, message) -> None:
        self.feed(e.Received(PEER, message, self.now))

    def pass_time(self, ms: int) -> None:
        self.now += ms
        self.feed(e.Tick())

    def sent(self, kind: type) -> list:
        return [a.message for a in self.said if isinstance(a, e.Send | e.Broadcast) and isinstance(a.message, kind)]

    def faults(self) -> list[str]:
        return [action.text for action in self.said if isinstance(action, e.Misbehaved)]

    def prevotes(self) -> list[bytes]:
        return [m.vote.block_id for m in self.sent(VoteMessage) if m.vote.kind == "prevote"]


@pytest.fixture
def listener() -> Listener:
    chain = Chain()
    listener = Listener(chain, a_validating_replica(chain), chain.now)
    listener._act(listener.replica.start(listener.now))
    listener.feed(e.PeerConnected(PEER, bytes(32)))
    listener.pass_time(3_100)
    listener.said.clear()
    chain.now = listener.now
    return listener


def proposal_of(chain: Chain, block: Block) -> Proposal:
    block_id = block_id_of(block.header, chain.genesis_hash)
    proposer = chain.store.head().validators.proposer(1, 0)
    name = next(p.name for p in DEV_PARTIES if address(p.name) == proposer)
    signed = proposal_sign_bytes(chain.genesis_hash, 1, 0, block_id, -1)
    return Proposal(1, 0, block_id, -1, proposer, dev_key("consensus", name).sign(signed))


def a_block(chain: Chain, count: int = 3) -> Block:
    proposer = chain.store.head().validators.proposer(1, 0)
    vins = [f"WBA8E9G50GNU{i:05d}" for i in range(count)]
    block = chain.build(*(chain.sign("bmw", register(vin)) for vin in vins))
    return replace(block, header=replace(block.header, proposer=proposer))


def compact(chain: Chain, block: Block, wire_ids=None) -> CompactProposal:
    ids = wire_ids or tuple(wire_id_of(chain.genesis_hash, raw) for raw in block.transactions)
    return CompactProposal(proposal_of(chain, block), block.header, ids, block.evidence, block.last_commit, ())


def test_known_transactions_need_no_more_messages(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    listener.feed(e.Admit(1, tuple(chain.check(raw) for raw in block.transactions)))
    listener.hear(compact(chain, block))

    assert [] == listener.sent(GetParts)
    assert [block_id_of(block.header, chain.genesis_hash)] == listener.prevotes()


STRANGER = 9


def dripping(listener: Listener, block: Block, count: int = 3) -> list[bytes]:
    """A stranger relays the proposal with its own transactions; returns them."""
    bogus = [b"junk%d" % i for i in range(count)]
    ids = tuple(wire_id_of(listener.chain.genesis_hash, raw) for raw in bogus)
    listener.feed(e.PeerConnected(STRANGER, b"\x09" * 32))
    listener.feed(e.Received(STRANGER, compact(listener.chain, block, ids), listener.now))
    return bogus


def test_who_names_other_transactions_first_keeps_nobody_out(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    listener.feed(e.Admit(1, tuple(chain.check(raw) for raw in block.transactions)))
    dripping(listener, block)
    listener.hear(compact(chain, block))
    assert [block_id_of(block.header, chain.genesis_hash)] == listener.prevotes()


def test_both_are_asked_where_something_is_missing(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    dripping(listener, block)
    listener.hear(compact(chain, block))
    asked = {a.peer for a in listener.said if isinstance(a, e.Send) and isinstance(a.message, GetParts)}
    assert {STRANGER, PEER} == asked
    listener.hear(Parts(1, block_id_of(block.header, chain.genesis_hash), block.transactions))
    assert [block_id_of(block.header, chain.genesis_hash)] == listener.prevotes()


def test_who_delivers_drop_by_drop_is_waited_for_a_bounded_time(listener: Listener) -> None:
    block = a_block(listener.chain)
    block_id = block_id_of(block.header, listener.chain.genesis_hash)
    began = listener.now
    for raw in dripping(listener, block, 20):
        listener.pass_time(PARTS_TIMEOUT_MS - 10)
        listener.feed(e.Received(STRANGER, Parts(1, block_id, (raw,)), listener.now))
        if listener.sent(GetBody):
            break
    assert [block_id] == [message.block_id for message in listener.sent(GetBody)][:1]
    assert listener.now - began <= WHOLE_TIMEOUT_MS + PARTS_TIMEOUT_MS


def test_what_is_missing_is_asked_of_the_peer_that_proposed(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    listener.feed(e.Admit(1, (chain.check(block.transactions[1]),)))
    listener.hear(compact(chain, block))
    (asked,) = listener.sent(GetParts)

    assert tuple(wire_id_of(chain.genesis_hash, block.transactions[i]) for i in (0, 2)) == asked.wire_ids
    assert [] == listener.prevotes()

    listener.hear(Parts(1, asked.block_id, (block.transactions[0],)))
    assert (wire_id_of(chain.genesis_hash, block.transactions[2]),) == listener.sent(GetParts)[-1].wire_ids
    listener.hear(Parts(1, asked.block_id, (block.transactions[2],)))
    assert [asked.block_id] == listener.prevotes()


def test_parts_that_do_not_come_are_asked_of_everybody(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    listener.hear(compact(chain, block))
    listener.pass_time(350)
    (asked,) = listener.sent(GetBody)

    listener.hear(Body(block))
    assert [asked.block_id] == listener.prevotes()


def test_wire_ids_of_other_transactions_are_the_peers_fault(listener: Listener) -> None:
    """The block itself is not invalid: its body comes from another peer."""
    chain = listener.chain
    block, other = a_block(chain), chain.sign("bmw", register("WBA8E9G50GNU99999"))
    listener.feed(e.Admit(1, tuple(chain.check(raw) for raw in (*block.transactions, other))))
    ids = (
        *(wire_id_of(chain.genesis_hash, raw) for raw in block.transactions[:2]),
        wire_id_of(chain.genesis_hash, other),
    )
    listener.hear(compact(chain, block, ids))

    assert ["the block's transactions do not match its header"] == listener.faults()
    assert [] == listener.prevotes()
    assert [block_id_of(block.header, chain.genesis_hash)] == [m.block_id for m in listener.sent(GetBody)]
    listener.hear(Body(block))
    assert [block_id_of(block.header, chain.genesis_hash)] == listener.prevotes()


def of_junk(chain: Chain, *raws: bytes) -> Block:
    """Signed by the proposer of the round."""
    block = a_block(chain, 1)
    return replace(block, header=replace(block.header, tx_root=merkle.root(raws)), transactions=raws)


@pytest.mark.parametrize(
    "raws",
    [[bytes(limits.TX_BYTES_MAX + 1)], [number.to_bytes(4) * 16_000 for number in range(70)]],
    ids=["a large one", "too many"],
)
def test_parts_of_a_block_that_none_may_be_are_not_kept(listener: Listener, raws: list[bytes]) -> None:
    """A body too large to relay once crashed every process that received it."""
    block = of_junk(listener.chain, *raws)
    block_id = block_id_of(block.header, listener.chain.genesis_hash)
    listener.hear(compact(listener.chain, block))
    for raw in raws:
        listener.hear(Parts(1, block_id, (raw,)))
    assert ["the parts of a block exceed the largest block or transaction"] == listener.faults()
    listener.hear(GetBody(1, block_id))
    assert [] == listener.sent(Body) and [] == listener.prevotes()


def test_a_transaction_is_named_once(listener: Listener) -> None:
    """A large transaction that is named ten thousand times would be hashed as often."""
    block = of_junk(listener.chain, b"1", b"1")
    listener.hear(compact(listener.chain, block))
    assert ["a proposal names a transaction twice"] == listener.faults()
    assert [] == listener.sent(GetParts)


@pytest.mark.parametrize("part", ["transactions", "last_commit"])
def test_a_body_that_is_not_its_headers_does_not_make_the_block_invalid(listener: Listener, part: str) -> None:
    """Otherwise a proposer could make a node halt on a block that all others decide."""
    chain = listener.chain
    block = a_block(chain)
    wrong = (
        replace(block, transactions=block.transactions[:2])
        if part == "transactions"
        else replace(block, last_commit=replace(block.last_commit, height=5))
    )
    listener.hear(ProposalMessage(proposal_of(chain, block), wrong, ()))
    assert 1 == len(listener.faults())
    assert [] == listener.prevotes()
    assert not listener.replica.machine.is_judged(block_id_of(block.header, chain.genesis_hash))

    listener.hear(ProposalMessage(proposal_of(chain, block), block, ()))
    assert [block_id_of(block.header, chain.genesis_hash)] == listener.prevotes()


def test_small_blocks_travel_whole_and_large_ones_by_wire_id(listener: Listener) -> None:
    chain = listener.chain
    small, large = a_block(chain, 2), a_block(chain, 120)
    driver = listener.replica._driver
    for block in (small, large):
        block_id = block_id_of(block.header, chain.genesis_hash)
        driver.take_body(block, block_id)
        message = driver.messages.of_proposal(proposal_of(chain, block))
        size = sum(len(raw) for raw in block.transactions)
        assert isinstance(message, ProposalMessage if size <= limits.WHOLE_PROPOSAL_BYTES else CompactProposal)
    assert sum(len(raw) for raw in large.transactions) > limits.WHOLE_PROPOSAL_BYTES
    wire_ids = tuple(wire_id_of(chain.genesis_hash, raw) for raw in large.transactions)
    listener.hear(GetParts(1, block_id, wire_ids[5:7]))
    assert large.transactions[5:7] == listener.sent(Parts)[0].raws


# --- a proposer that signs many blocks for one round -------------------------------------------------------
def others_of(chain: Chain, block: Block, count: int) -> list[Block]:
    header = block.header
    return [replace(block, header=replace(header, time_ms=header.time_ms + i)) for i in range(1, count + 1)]


def test_of_one_round_the_first_block_counts_and_no_other_is_executed(listener: Listener) -> None:
    """Two proposals are no evidence, so signing a thousand costs nothing; executing them does."""
    chain = listener.chain
    block = a_block(chain)
    for other in (block, *others_of(chain, block, 2 * limits.BODIES_PER_HEIGHT_MAX)):
        listener.hear(ProposalMessage(proposal_of(chain, other), other, ()))
        listener.hear(compact(chain, other, (bytes(32),)))
    listener.pass_time(350)

    driver = listener.replica._driver
    assert [block_id_of(block.header, chain.genesis_hash)] == listener.prevotes()
    assert 1 == sum(driver.undecided.get(i) is not None for i in _ids(chain, block))
    assert [] == listener.sent(GetBody)


def _ids(chain: Chain, block: Block) -> list[bytes]:
    blocks = [block, *others_of(chain, block, 2 * limits.BODIES_PER_HEIGHT_MAX)]
    return [block_id_of(one.header, chain.genesis_hash) for one in blocks]


def test_another_block_of_the_round_is_taken_once_a_quorum_names_it(listener: Listener) -> None:
    """Its proposer sent us one block and the others another."""
    chain = listener.chain
    block = a_block(chain)
    chain.now += 1
    other = chain.build(*block.transactions)
    other = replace(other, header=replace(other.header, proposer=block.header.proposer))
    other_id = block_id_of(other.header, chain.genesis_hash)
    listener.hear(ProposalMessage(proposal_of(chain, block), block, ()))
    for name in _others(listener):
        listener.hear(VoteMessage(_vote(chain, name, "prevote", other_id)))
    assert [other_id] == [message.block_id for message in listener.sent(GetBody)]

    listener.hear(ProposalMessage(proposal_of(chain, other), other, ()))

    assert [other_id] == [m.vote.block_id for m in listener.sent(VoteMessage) if m.vote.kind == "precommit"
                          and m.vote.validator == listener.replica._signing_duty.address]  # fmt: skip


def _others(listener: Listener) -> list[str]:
    own = listener.replica._signing_duty.address
    return [party.name for party in DEV_PARTIES if party.power and address(party.name) != own]


def _vote(chain: Chain, name: str, kind: str, block_id: bytes) -> Vote:
    signature = dev_key("consensus", name).sign(vote_sign_bytes(chain.genesis_hash, kind, 1, 0, block_id))
    return Vote(kind, 1, 0, block_id, address(name), signature)


def test_a_body_that_went_is_asked_for_again_where_a_quorum_names_it(listener: Listener) -> None:
    """The machine must not treat a block as executed after its body was dropped: it could decide a block nobody has."""
    chain = listener.chain
    block = a_block(chain)
    block_id = block_id_of(block.header, chain.genesis_hash)
    listener.hear(ProposalMessage(proposal_of(chain, block), block, ()))
    driver = listener.replica._driver
    assert block_id in driver.machine.bodies_wanted(), "proposed in this round"
    driver.undecided._candidates.pop(block_id)
    driver.machine.body_dropped(block_id)
    for name in _others(listener):
        listener.hear(VoteMessage(_vote(chain, name, "precommit", block_id)))
    assert [block_id] == [message.block_id for message in listener.sent(GetBody)]
    assert 0 == chain.store.height()

    listener.hear(Body(block))

    assert 1 == chain.store.height()


def test_bodies_that_matter_stay_however_many_come(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    block_id = block_id_of(block.header, chain.genesis_hash)
    driver = listener.replica._driver
    listener.hear(ProposalMessage(proposal_of(chain, block), block, ()))
    for other in others_of(chain, block, 2 * limits.BODIES_PER_HEIGHT_MAX):
        driver.take_body(other, block_id_of(other.header, chain.genesis_hash))

    assert driver.undecided.get(block_id) is not None
    kept = [i for i in _ids(chain, block) if driver.undecided.get(i) is not None]
    assert limits.BODIES_PER_HEIGHT_MAX == len(kept)
    assert set(kept) == {i for i in _ids(chain, block) if driver.machine.is_judged(i)}


def test_what_is_withheld_is_asked_for_at_a_pace_that_does_not_grow(listener: Listener) -> None:
    """A proposer that never sends a body, round after round: peers accept a hundred requests a second."""
    driver = listener.replica._driver
    for number in range(100):
        driver.requests.add(hashlib.sha256(number.to_bytes(2, "big")).digest())
    listener.feed(e.Tick())
    listener.said.clear()
    listener.pass_time(500)

    assert [] == listener.sent(GetBody), "no round of now and no quorum names them"


def test_a_body_that_is_being_verified_is_not_asked_for(listener: Listener) -> None:
    chain = listener.chain
    block = a_block(chain)
    block_id = block_id_of(block.header, chain.genesis_hash)
    listener.verifies = False
    listener.hear(ProposalMessage(proposal_of(chain, block), block, ()))
    for name in _others(listener):
        listener.hear(VoteMessage(_vote(chain, name, "precommit", block_id)))
    listener.pass_time(2_000)

    assert [] == listener.sent(GetBody)


def test_an_old_jobs_answer_does_not_stand_for_what_was_forgotten_since(listener: Listener) -> None:
    """The signer reconnected while a body was being verified, and peers sent it again: two candidates with one id. The
    first one's job omitted a transaction that was verified then."""
    chain = listener.chain
    first, second = chain.sign("bmw", register()), chain.sign("bmw", register("WBA8E9G50GNU00002"))
    block = chain.build(first, second)
    block = replace(block, header=replace(block.header, proposer=a_block(chain).header.proposer))
    listener.replica._tx_gossip.note_verified(chain.check(second))
    listener.verifies = False
    message = ProposalMessage(proposal_of(chain, block), block, ())

    listener.hear(message)
    (old,) = [action for action in listener.said if isinstance(action, e.Verify)]
    assert 1 == len(old.transactions)
    listener.feed(e.SignerConnected(listener.replica._signing_duty.signer))
    listener.replica._tx_gossip._forget_verified(wire_id_of(chain.genesis_hash, second))
    listener.hear(message)
    listener.verifies = True
    listener.feed(e.Verified(old.job, (True,)))

    candidate = listener.replica._driver.undecided.get(block_id_of(block.header, chain.genesis_hash))
    assert candidate.result.state_root == block.header.state_root
