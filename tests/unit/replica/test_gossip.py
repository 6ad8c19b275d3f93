"""Gossip terminates, and does not depend on a single delivery."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.kept_state import never_signed
from support.life import maintenance, register

from node import limits
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import Evidence, Proposal, Vote, proposal_sign_bytes, vote_sign_bytes
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import Corrupted, OperatorError
from node.execution.block_run import BlockRun
from node.ledger.signed import Signed, wire_id_of
from node.mempool.pool import Claim, Entry, Payer
from node.replica import events as e
from node.replica import tx_fetcher, tx_gossip
from node.replica.doppelganger import LISTEN_MS, presence_bytes
from node.replica.evidence_pool import EVIDENCE_PER_VALIDATOR_MAX
from node.replica.messages import (
    Announce,
    EvidenceMessage,
    GetTransactions,
    Presence,
    ProposalMessage,
    Status,
    Transactions,
    VoteMessage,
)
from node.replica.relay_limit import RELAYS_PER_S
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.replica.signing_duty import INSTANCES_MAX
from node.txtypes.envelope import CheckedTx, decode_signed_tx

VALIDATORS = [p.name for p in DEV_PARTIES if p.power]


class Relay:
    """A follower with two peers; its messages are recorded by kind."""

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


def test_verifying_what_a_peer_passes_on_is_paid_by_its_share() -> None:
    relay = Relay()
    raw = relay.chain.sign("bmw", register("WBA8E9G50GNU00001"))
    relay.hear(Announce((wire_id_of(relay.chain.genesis_hash, raw),)))
    (asked,) = relay.replica.handle(e.Received(1, Transactions((raw,)), relay.now), relay.now)
    assert isinstance(asked, e.Verify)
    assert 1 == asked.sender


def test_a_transaction_without_a_signature_is_the_peers_fault() -> None:
    relay = Relay()
    signed = decode_signed_tx(relay.chain.sign("bmw", register("WBA8E9G50GNU00001")), relay.chain.genesis_hash)
    raw = encode(Signed(signed.payload_bytes, ()))
    relay.hear(Announce((wire_id_of(relay.chain.genesis_hash, raw),)))
    (fault,) = relay.replica.handle(e.Received(1, Transactions((raw,)), relay.now), relay.now)
    assert isinstance(fault, e.Misbehaved)
    assert "bad_signature" == fault.code


def test_more_bytes_of_transactions_than_an_answer_has_are_not_even_decoded() -> None:
    relay = Relay()
    junk = bytes(limits.TX_BYTES_MAX)
    relay.hear(Announce((wire_id_of(relay.chain.genesis_hash, junk),)))
    (fault,) = relay.replica.handle(e.Received(1, Transactions((junk,) * 3), relay.now), relay.now)
    assert isinstance(fault, e.Misbehaved)
    assert "too_large" == fault.code


def test_announcements_of_what_does_not_exist_take_a_bounded_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tx_fetcher, "FETCHING_SPARE", 4)
    monkeypatch.setattr(tx_fetcher, "FETCHING_MAX", 8)
    relay = Relay()
    gossip = tx_gossip.TxGossip(relay.replica.pool, relay.chain.genesis_hash)
    ids = [bytes([i]) * 32 for i in range(20)]
    honest, liar, late = 1, 2, relay.now + tx_fetcher.FETCH_TIMEOUT_MS
    assert (b"a" * 32, b"b" * 32) == gossip.to_fetch(honest, (b"a" * 32, b"b" * 32), relay.now)
    for wire_id in ids:
        assert (wire_id,) == gossip.to_fetch(liar, (wire_id,), relay.now)
    assert () == gossip.to_fetch(honest, tuple(ids[-6:]), relay.now), "they are being fetched"
    assert () == gossip.to_fetch(liar, (b"a" * 32, b"b" * 32), relay.now), "who floods forgets for itself alone"
    assert tuple(ids[:6]) == gossip.to_fetch(liar, tuple(ids[:6]), relay.now)
    assert (b"x" * 32,) == gossip.to_fetch(liar, (b"x" * 32,), late)
    assert () == gossip.to_fetch(honest, (b"x" * 32,), late)
    assert (b"a" * 32,) == gossip.to_fetch(liar, (b"a" * 32,), late), "another is asked"
    assert 4 + 1 == len(gossip.fetcher), "what is late goes above the spare"


def test_what_is_kept_of_verified_transactions_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay()
    txs = [relay.chain.check(relay.chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}"))) for i in range(12)]
    size = max(len(tx.raw) for tx in txs)
    monkeypatch.setattr(tx_gossip, "VERIFIED_BYTES_MAX", 4 * size)
    gossip = tx_gossip.TxGossip(relay.replica.pool, relay.chain.genesis_hash)
    for tx in txs:
        gossip.note_verified(tx)
        gossip.note_verified(tx)
    kept = [tx for tx in txs if gossip.raw_of(tx.wire_id)]
    assert kept == txs[-len(kept) :]
    assert 4 <= len(kept) <= 5
    gossip.committed(kept)
    for tx in txs:
        gossip.note_verified(tx)
    assert len(kept) == sum(gossip.raw_of(tx.wire_id) is not None for tx in txs)


def test_a_vote_is_relayed_once() -> None:
    relay = Relay()
    relay.hear(relay.vote("bmw", 0), times=3)
    assert 1 == len(relay.relayed(VoteMessage))


def test_a_vote_of_a_far_round_is_relayed_once_and_older_ones_not_at_all() -> None:
    """Only each validator's newest round is kept of them, so that decides whether a vote is new."""
    relay, far = Relay(), 5 * limits.ROUNDS_AHEAD_MAX
    relay.hear(relay.vote("bmw", far), times=3)
    relay.hear(relay.vote("bmw", far, b"\x01" * 32), times=3)
    relay.hear(relay.vote("bmw", far - 1), times=3)
    assert 1 == len(relay.relayed(VoteMessage))
    relay.hear(relay.vote("bmw", far + 1), times=3)
    assert 2 == len(relay.relayed(VoteMessage))


def test_up_to_the_last_round_of_the_window_both_votes_of_an_equivocator_are_kept() -> None:
    relay = Relay()
    for ident in range(3):
        relay.hear(relay.vote("bmw", limits.ROUNDS_AHEAD_MAX, bytes([ident]) * 32), times=2)
    assert 2 == len(relay.relayed(VoteMessage))


def test_of_an_equivocators_votes_two_are_relayed() -> None:
    relay = Relay()
    for ident in range(5):
        relay.hear(relay.vote("bmw", 0, bytes([ident]) * 32), times=2)
    assert 2 == len(relay.relayed(VoteMessage))


def test_a_proposal_of_a_far_round_is_not_relayed() -> None:
    """The follower has fewer peers than there are validators, so it relays proposals."""
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
    """It is not fetched again, and a proposer takes transactions from the pool only."""
    relay = Relay()
    tx = relay.chain.check(relay.chain.sign("bmw", register()))
    relay.replica._tx_gossip.note_verified(tx)
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
    assert relay.replica._tx_gossip.raw_of(tx.wire_id) is None


# --- relay limits -------------------------------------------------------------
def test_presences_of_ever_new_instances_are_passed_on_at_a_bounded_rate() -> None:
    """Each is valid and new; relaying all would make honest peers exceed their rate limits."""
    relay = Relay()
    key = dev_key("consensus", "bmw")
    for number in range(400):
        instance = number.to_bytes(16, "big")
        signed = presence_bytes(relay.chain.genesis_hash, address("bmw"), instance, bytes(16), True)
        relay.hear(Presence(address("bmw"), instance, bytes(16), True, key.sign(signed)))
    assert RELAYS_PER_S == len(relay.relayed(Presence))
    assert len(relay.replica._signing_duty._heard[address("bmw")]) <= INSTANCES_MAX
    relay.now += 1_000
    signed = presence_bytes(relay.chain.genesis_hash, address("bmw"), bytes(16), bytes(16), True)
    relay.hear(Presence(address("bmw"), bytes(16), bytes(16), True, key.sign(signed)))
    assert RELAYS_PER_S + 1 == len(relay.relayed(Presence))


def test_votes_of_ever_higher_far_rounds_are_passed_on_at_a_bounded_rate() -> None:
    relay, far = Relay(), 5 * limits.ROUNDS_AHEAD_MAX
    for number in range(100):
        relay.hear(relay.vote("bmw", far + number))
    assert RELAYS_PER_S == len(relay.relayed(VoteMessage))
    assert far + 99 == relay.replica.machine.tally._newest[address("bmw")]


@pytest.mark.parametrize("second", ["the same", "of another step", "of another validator", "in the wrong order"])
def test_evidence_that_proves_nothing_is_its_senders_fault(second: str) -> None:
    """Any honest vote would serve for it, and it would take the place of real evidence."""
    relay = Relay()
    first = relay.vote("bmw", 0, b"\x01" * 32).vote
    other = {
        "the same": first,
        "of another step": relay.vote("bmw", 1, b"\x02" * 32).vote,
        "of another validator": relay.vote("dealer-munich", 0, b"\x02" * 32).vote,
        "in the wrong order": relay.vote("bmw", 0, b"\x00" * 32).vote,
    }[second]
    actions = relay.replica.handle(e.Received(1, EvidenceMessage(Evidence(first, other)), relay.now), relay.now)
    assert [1] == [action.peer for action in actions if isinstance(action, e.Misbehaved)]
    relay.take(actions)
    assert [] == relay.relayed(EvidenceMessage) and [] == relay.replica._evidence.pieces()


def test_one_offender_does_not_crowd_out_anothers_evidence() -> None:
    relay = Relay()
    for round_ in range(2 * EVIDENCE_PER_VALIDATOR_MAX):
        pair = [relay.vote("bmw", round_, bytes([ident]) * 32).vote for ident in (1, 2)]
        relay.hear(EvidenceMessage(Evidence(*pair)))
    assert EVIDENCE_PER_VALIDATOR_MAX == len(relay.relayed(EvidenceMessage))
    pair = [relay.vote("dealer-munich", 0, bytes([ident]) * 32).vote for ident in (1, 2)]
    relay.hear(EvidenceMessage(Evidence(*pair)))
    assert EVIDENCE_PER_VALIDATOR_MAX + 1 == len(relay.relayed(EvidenceMessage))
    assert not relay.replica._evidence.has_usable(), "of the height in flight: the next block can't carry it yet"


def entries(txs: list[CheckedTx]) -> list[Entry]:
    """As in a pool, each paid by its sender."""
    return [Entry(n, tx, Claim(100, (Payer(tx.payload.sender, 10**9),))) for n, tx in enumerate(txs)]


def test_failures_of_one_sponsor_leave_the_block_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BUILD_FAILURES_MAX", 3)
    chain = Chain()
    replica = Replica(chain.store, None, ReplicaConfig(), bytes(16))
    unknown = [chain.check(chain.sign("workshop-berlin", maintenance(chain, 1_000 + n))) for n in range(9)]
    honest = chain.check(chain.sign("bmw", register()))
    *_, built = replica._builder.building(lambda: entries([*unknown, honest]), [], address("bmw"), chain.now)
    assert ((honest.raw,), 3) == (built.block.transactions, len(built.failed))


def test_who_builds_a_block_stops_in_time() -> None:
    """A block that takes a proposer too long to build takes others as long to execute, within their timeouts."""
    chain = Chain()
    seconds = iter(range(100))
    slow = ReplicaConfig(stopwatch=lambda: 0.15 * next(seconds))
    replica = Replica(chain.store, None, slow, bytes(16))
    txs = [chain.check(chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}"))) for i in range(9)]
    *_, built = replica._builder.building(lambda: entries(txs), [], address("bmw"), chain.now)
    assert 3 == len(built.block.transactions)
    none = iter([0.0, 9.0, 9.0, 9.0])
    replica = Replica(chain.store, None, ReplicaConfig(stopwatch=lambda: next(none)), bytes(16))
    *_, built = replica._builder.building(lambda: entries(txs), [], address("bmw"), chain.now)
    assert 1 == len(built.block.transactions), "one is always taken, or the pool would never empty"


# --- exceptions -------------------------------------------------------------------------------------
def test_a_transaction_whose_judging_raises_is_set_aside_and_the_node_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise KeyError("a guard with a fault")

    relay = Relay()
    tx = relay.chain.check(relay.chain.sign("bmw", register()))
    with monkeypatch.context() as patch:
        patch.setattr(BlockRun, "judge", broken)
        actions = relay.replica.handle(e.Admit(1, (tx,)), relay.now)
    (answer,) = [action for action in actions if isinstance(action, e.Admitted)]
    assert ["not_judged"] == [unmet.code for unmet in answer.outcomes[0]]
    assert ["poison"] == [action.name for action in actions if isinstance(action, e.Notice)]
    relay.feed(e.Admit(2, (relay.chain.check(relay.chain.sign("bmw", register("WBA8E9G50GNU00002"))),)))
    assert 1 == len(relay.replica.pool)


@pytest.mark.parametrize("error", [Corrupted("a bad table"), OperatorError("an input/output error")])
def test_a_disk_that_fails_is_nobodys_transaction(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Quarantining the whole pool would lose it, and the node would go on with a bad disk."""

    def broken(*_: object) -> object:
        raise error

    relay = Relay()
    tx = relay.chain.check(relay.chain.sign("bmw", register()))
    relay.feed(e.Admit(1, (tx,)))
    monkeypatch.setattr(BlockRun, "add", broken)
    with pytest.raises(type(error)):
        list(relay.replica._builder.building(lambda: entries([tx]), [], address("bmw"), relay.now))
    with pytest.raises(type(error)):
        list(relay.replica._builder.executing(relay.chain.build(), [tx]))
    assert tx.txid in relay.replica.pool


# --- clocks -------------------------------------------------------------------------------------------------
def test_a_clock_that_is_set_forwards_and_back_stops_no_timer() -> None:
    relay = Relay()
    hour = 3_600_000
    for wall in (relay.now + hour, relay.now - hour, relay.now):
        relay.sent.clear()
        relay.now += limits.RESEND_MS
        relay.take(relay.replica.handle(e.Tick(), relay.now, wall))
        assert 1 == len(relay.relayed(Status))
        assert relay.replica.next_deadline_ms() <= relay.now + limits.RESEND_MS


def test_a_proposer_whose_clock_was_set_back_proposes_once_it_is_above_the_parents_time() -> None:
    chain = Chain()
    name = next(n for n in VALIDATORS if address(n) == chain.store.head().validators.proposer(1, 0))
    key = dev_key("consensus", name)
    signer = LocalSigner(address(name), key, never_signed(key.public), chain.genesis_hash)
    replica = Replica(chain.store, signer, ReplicaConfig(), bytes(16))
    now, behind = chain.now, LISTEN_MS + 500
    parent_ms = chain.store.head().time_ms
    tx = chain.check(chain.sign("bmw", register(), lifetime_ms=HOUR_MS - DAY_MS))
    replica.start(now, parent_ms - behind)
    replica.handle(e.PeerConnected(1, bytes(32)), now, parent_ms - behind)
    replica.handle(e.Admit(1, (tx,)), now, parent_ms - behind)
    proposed = {}
    for passed in range(50, 2 * behind, 50):
        for action in replica.handle(e.Tick(), now + passed, parent_ms - behind + passed):
            if isinstance(action, e.Broadcast) and isinstance(action.message, ProposalMessage):
                proposed.setdefault(passed, action.message.block.header.time_ms)

    first = min(proposed)
    assert behind < first <= behind + 50
    assert proposed[first] > parent_ms


def test_a_clock_that_is_an_hour_off_makes_no_transaction_an_expired_one() -> None:
    """While blocks are decided, the chain itself gives the time."""
    relay = Relay()
    chain, hour = relay.chain, 3_600_000
    block = chain.build()
    relay.replica.handle(e.Tick(), relay.now, relay.now + hour)
    relay.replica._commit(block, chain.judge(block), chain.commit_for(block))
    tx = chain.check(chain.sign("bmw", register(), lifetime_ms=hour // 2))

    (answer,) = [
        action
        for action in relay.replica.handle(e.Admit(1, (tx,)), relay.now + 100, relay.now + hour)
        if isinstance(action, e.Admitted)
    ]
    assert ((),) == answer.outcomes
