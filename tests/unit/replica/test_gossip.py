"""Gossip ends, and gossip arrives: nothing goes round for ever, nothing depends on one delivery."""

from __future__ import annotations

from support.chain import Chain, address
from support.life import register

from node import limits
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import Proposal, Vote, proposal_sign_bytes, vote_sign_bytes
from node.crypto.dev_keys import dev_key
from node.replica import events as e
from node.replica.messages import Announce, GetTransactions, ProposalMessage, Transactions, VoteMessage
from node.replica.replica import Replica, ReplicaConfig

VALIDATORS = [p.name for p in DEV_PARTIES if p.power]


class Relay:
    """A follower with two peers; what it sends is kept by kind."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.replica = Replica(self.chain.store, None, ReplicaConfig(), bytes(16))
        self.now = self.chain.now
        self.sent: list = []
        self.take(self.replica.start(self.now))
        for peer in (1, 2):
            self.feed(e.PeerConnected(peer, bytes([peer]) * 32))

    def take(self, actions) -> None:
        self.sent += [(a, a.message) for a in actions if isinstance(a, e.Send | e.Broadcast)]

    def feed(self, event: e.Event) -> None:
        self.take(self.replica.handle(event, self.now))

    def hear(self, message, times: int = 1) -> None:
        for _ in range(times):
            self.feed(e.Received(1, message, self.now))

    def relayed(self, kind: type) -> list:
        return [
            message for action, message in self.sent if isinstance(action, e.Broadcast) and isinstance(message, kind)
        ]

    def vote(self, name: str, round_: int, block_id: bytes = bytes(32)) -> VoteMessage:
        signed = vote_sign_bytes(self.chain.genesis_hash, "prevote", 1, round_, block_id)
        signature = dev_key("consensus", name).sign(signed)
        return VoteMessage(Vote("prevote", 1, round_, block_id, address(name), signature))


def test_a_vote_is_relayed_once() -> None:
    relay = Relay()
    relay.hear(relay.vote("bmw", 0), times=3)
    assert 1 == len(relay.relayed(VoteMessage))


def test_a_vote_of_a_far_round_is_relayed_once_and_older_ones_not_at_all() -> None:
    """Nothing but each validator's newest round is kept of them, so that alone tells whether one is news."""
    relay, far = Relay(), 5 * limits.ROUNDS_AHEAD_MAX
    relay.hear(relay.vote("bmw", far), times=3)
    relay.hear(relay.vote("bmw", far, b"\x01" * 32), times=3)
    relay.hear(relay.vote("bmw", far - 1), times=3)
    assert 1 == len(relay.relayed(VoteMessage))
    relay.hear(relay.vote("bmw", far + 1), times=3)
    assert 2 == len(relay.relayed(VoteMessage))


def test_of_an_equivocators_votes_two_are_relayed() -> None:
    relay = Relay()
    for ident in range(5):
        relay.hear(relay.vote("bmw", 0, bytes([ident]) * 32), times=2)
    assert 2 == len(relay.relayed(VoteMessage))


def test_a_proposal_of_a_far_round_is_not_relayed() -> None:
    """The follower has fewer peers than there are validators, so it relays proposals that it wants."""
    relay = Relay()
    chain, validators = relay.chain, relay.chain.store.head().validators
    block = chain.build(chain.sign("bmw", register()))

    def proposal(round_: int) -> ProposalMessage:
        proposer = validators.proposer(1, round_)
        name = next(n for n in VALIDATORS if address(n) == proposer)
        block_id = chain.commit_for(block).block_id
        signed = proposal_sign_bytes(chain.genesis_hash, 1, round_, block_id, -1)
        signature = dev_key("consensus", name).sign(signed)
        return ProposalMessage(Proposal(1, round_, block_id, -1, proposer, signature), block, ())

    relay.hear(proposal(limits.ROUNDS_AHEAD_MAX + 1), times=3)
    assert [] == relay.relayed(ProposalMessage)
    relay.hear(proposal(0), times=3)
    assert 1 == len(relay.relayed(ProposalMessage))


def test_a_new_peer_hears_of_the_whole_pool_and_all_hear_of_it_again() -> None:
    relay = Relay()
    chain = relay.chain
    txs = [chain.check(chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}"))) for i in range(3)]
    relay.feed(e.Admit(1, tuple(txs)))
    wire_ids = tuple(tx.wire_id for tx in txs)
    assert [wire_ids] == [message.wire_ids for message in relay.relayed(Announce)]

    relay.sent.clear()
    relay.feed(e.PeerConnected(3, bytes(32)))
    assert [(3, wire_ids)] == [(a.peer, m.wire_ids) for a, m in relay.sent if isinstance(m, Announce)]

    relay.sent.clear()
    relay.now += limits.ANNOUNCE_AGAIN_MS
    relay.feed(e.Tick())
    assert [wire_ids] == [message.wire_ids for message in relay.relayed(Announce)]

    relay.sent.clear()
    relay.hear(GetTransactions(wire_ids))
    assert [tuple(tx.raw for tx in txs)] == [m.raws for _, m in relay.sent if isinstance(m, Transactions)]


def test_what_was_verified_in_a_block_that_was_not_decided_is_pooled_when_announced() -> None:
    """It is not fetched again, and without the pool no proposer would ever take it."""
    relay = Relay()
    tx = relay.chain.check(relay.chain.sign("bmw", register()))
    relay.replica._desk.note_verified(tx)
    relay.hear(Announce((tx.wire_id,)))
    assert tx.txid in relay.replica.pool


def test_what_is_committed_takes_no_memory_and_is_not_fetched_again() -> None:
    relay = Relay()
    chain = relay.chain
    tx = chain.check(chain.sign("bmw", register()))
    relay.feed(e.Admit(1, (tx,)))
    block = chain.build(tx.raw)
    relay.replica._commit(block, chain.judge(block), chain.commit_for(block))
    relay.sent.clear()
    relay.hear(Announce((tx.wire_id,)))

    assert not [m for _, m in relay.sent if isinstance(m, GetTransactions)]
    assert tx.txid not in relay.replica.pool
    assert relay.replica._desk.raw_of(tx.wire_id) is None
