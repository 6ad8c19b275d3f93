"""Where all validators are linked to one another, what comes from them is passed on late, and mostly not at all."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, HOUR_MS, Chain, address
from support.life import VIN, maintenance, register
from support.signing import sign_transaction
from support.stages import change, force

from node import limits
from node.chain.vote import Vote, vote_sign_bytes
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.ledger.params import CHAIN
from node.ledger.signed import wire_id_of
from node.replica import admission
from node.replica import events as e
from node.replica.messages import Announce, Transactions, VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.txtypes.envelope import CheckedTx
from node.txtypes.identity.quota import QUOTA, Quota

VINS = tuple(f"WBA8E9G50GNU{number}" for number in (10_001, 10_002, 10_003))


class Linked:
    """A follower with a link to every validator but `lacking`; its broadcasts and answers are recorded."""

    def __init__(self, lacking: int = 0, announce_after_ms: int = 0, build_txs_max: int = 1_000) -> None:
        self.chain = Chain()
        config = ReplicaConfig(announce_after_ms=announce_after_ms, build_txs_max=build_txs_max)
        self.replica = Replica(self.chain.store, None, config, bytes(16))
        self.now = self.chain.now
        self.sent: list[object] = []
        self.dropped: list[e.Dropped] = []
        self.answers: list[e.Admitted] = []
        self.take(self.replica.start(self.now))
        for peer in range(1, len(self.chain.store.head().validators) - lacking):
            self.feed(e.PeerConnected(peer, bytes([peer]) * 32, is_member=True))

    def take(self, actions: list[e.Action]) -> None:
        for action in actions:
            if isinstance(action, e.Broadcast):
                self.sent.append(action.message)
            elif isinstance(action, e.Dropped):
                self.dropped.append(action)
            elif isinstance(action, e.Admitted):
                self.answers.append(action)
            elif isinstance(action, e.Verify):
                self.feed(e.Verified(action.job, (True,) * len(action.transactions)))

    def feed(self, event: e.Event) -> None:
        self.take(self.replica.handle(event, self.now))

    def hear(self, message: object) -> None:
        self.feed(e.Received(1, message, self.now))  # type: ignore[arg-type]

    def offered(self, raw: bytes) -> bytes:
        """Its wire id, once a peer has announced and sent it."""
        wire_id = wire_id_of(self.chain.genesis_hash, raw)
        self.hear(Announce((wire_id,)))
        self.hear(Transactions((raw,)))
        return wire_id

    def submitted(self, raw: bytes) -> CheckedTx:
        """A transaction of a caller of this node."""
        tx = self.chain.check(raw)
        self.feed(e.Admit(len(self.answers), (tx,)))
        return tx

    def decided(self, raw: bytes) -> None:
        """A block of others has the transaction."""
        source = Chain()
        block = source.produce(raw)
        (result,) = self.replica._builder.executing(block, list(map(source.check, block.transactions)))
        self.replica._commit(block, result, source.commit_for(block))

    def after(self, ms: int) -> None:
        """The time passes as the timer of the shell has it: at every deadline a tick."""
        end = self.now + ms
        while (due := self.replica.next_deadline_ms()) <= end:
            self.now = max(self.now + 1, due)
            self.feed(e.Tick())
        self.now = end

    def announced(self) -> list[bytes]:
        return [wire_id for message in self.sent if isinstance(message, Announce) for wire_id in message.wire_ids]

    def votes(self) -> list[object]:
        return [message for message in self.sent if isinstance(message, VoteMessage)]

    def vote(self) -> VoteMessage:
        message = vote_sign_bytes(self.chain.genesis_hash, "prevote", 1, 0, bytes(32))
        return VoteMessage(Vote("prevote", 1, 0, bytes(32), address("bmw"), dev_key("consensus", "bmw").sign(message)))


def test_a_vote_is_relayed_once_it_is_due() -> None:
    node = Linked()
    node.hear(node.vote())
    node.after(limits.LATE_RELAY_MS - 1)
    assert [] == node.votes()
    node.after(1)
    assert [node.vote()] == node.votes()


def test_who_lacks_a_link_relays_at_once() -> None:
    node = Linked(lacking=1)
    node.hear(node.vote())
    assert [node.vote()] == node.votes()
    wire_id = node.offered(node.chain.sign("bmw", register()))
    assert [wire_id] == node.announced()


def test_a_transaction_is_in_the_pool_at_once_and_announced_once_it_is_due() -> None:
    node = Linked()
    wire_id = node.offered(node.chain.sign("bmw", register()))
    assert 1 == len(node.replica.pool)
    node.after(limits.LATE_ANNOUNCE_MS - 1)
    assert [] == node.announced()
    node.after(1)
    assert [wire_id] == node.announced()


def test_who_has_more_than_a_block_pending_judges_it_later() -> None:
    """The envelopes are judged when the transactions come, and the guards of their types once more than that."""
    node = Linked(build_txs_max=2)
    for vin in VINS:
        node.offered(node.chain.sign("bmw", register(vin)))
    node.after(limits.LATE_BACKLOG_MS - 1)
    assert len(VINS) == node.replica.work().judged
    node.after(1)
    assert 2 * len(VINS) == node.replica.work().judged


def test_once_a_block_takes_what_is_pending_the_rest_is_announced() -> None:
    node = Linked(build_txs_max=1)
    first, second = (node.chain.sign("bmw", register(vin)) for vin in VINS[:2])
    node.offered(first)
    wire_id = node.offered(second)
    node.after(limits.LATE_ANNOUNCE_MS)
    assert [] == node.announced()
    node.decided(first)
    node.after(0)
    assert [wire_id] == node.announced()


def test_one_that_does_not_hold_is_dropped_and_never_announced() -> None:
    """A record of a car that was never born."""
    node = Linked()
    node.offered(node.chain.sign("workshop-berlin", maintenance(node.chain, 1, VIN)))
    assert 1 == len(node.replica.pool)
    node.after(limits.LATE_ANNOUNCE_MS)
    assert ([], 0) == (node.announced(), len(node.replica.pool))
    assert ["vehicle_unknown"] == [guard.code for drop in node.dropped for guard in drop.unmet]


@pytest.mark.parametrize("key", ["bank-1", "nobody"])
def test_nobody_occupies_anothers_share_of_the_pool(key: str) -> None:
    """Signed with a key that the named sender does not have, and by a sender without an account."""
    node = Linked()
    sender = address("bmw") if key == "bank-1" else address_of(dev_key("account", key).public)
    signer = dev_key("account", key)
    expires = node.chain.now + HOUR_MS
    raw = sign_transaction(
        sender, register(), [(sender, signer)], node.chain.genesis_hash, salt=1, expires_at_ms=expires
    )
    node.offered(raw)
    assert 0 == len(node.replica.pool)


def test_what_a_block_has_decided_is_passed_on_no_more() -> None:
    node = Linked()
    raw = node.chain.sign("bmw", register())
    node.offered(raw)
    node.hear(node.vote())
    node.decided(raw)
    node.after(limits.LATE_ANNOUNCE_MS)
    assert ([], []) == (node.announced(), node.votes())


# --- what is submitted here ---------------------------------------------------------------------------------
def test_what_is_submitted_is_announced_at_once() -> None:
    node = Linked()
    tx = node.submitted(node.chain.sign("bmw", register()))
    assert [tx.wire_id] == node.announced()


def test_what_is_submitted_waits_for_a_block_of_ours_as_long_as_is_set() -> None:
    node = Linked(announce_after_ms=700)
    raw = node.chain.sign("bmw", register())
    tx = node.submitted(raw)
    node.submitted(raw)
    node.after(699)
    assert ([], 1) == (node.announced(), len(node.replica.pool))
    node.after(1)
    assert [tx.wire_id] == node.announced()


def test_what_a_block_of_ours_has_taken_is_never_announced() -> None:
    node = Linked(announce_after_ms=700)
    raw = node.chain.sign("bmw", register())
    node.submitted(raw)
    node.decided(raw)
    node.after(700)
    assert [] == node.announced()


def test_the_transactions_of_others_do_not_wait_for_a_block_of_ours() -> None:
    node = Linked(lacking=1, announce_after_ms=700)
    wire_id = node.offered(node.chain.sign("bmw", register()))
    assert [wire_id] == node.announced()


@pytest.mark.parametrize(("used", "outcome"), [(0, []), (4, []), (5, []), (9, []), (10, ["keys_exhausted"])])
def test_a_caller_is_told_that_the_quota_of_new_keys_is_used_up(used: int, outcome: list[str]) -> None:
    """A birth takes one key of ten."""
    node = Linked()
    change(node.chain, CHAIN, "params", keys_per_sponsor_day=10)
    force(node.chain, QUOTA, address("bmw"), Quota(node.chain.now // DAY_MS, 0, used))
    node.submitted(node.chain.sign("bmw", register()))
    (answer,) = node.answers
    assert outcome == [unmet.code for unmet in answer.outcomes[0]]  # type: ignore[union-attr]
    assert len(node.replica.pool) == (0 if outcome else 1)


def test_whoever_names_many_senders_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain stands still meanwhile, so no new head empties the cache."""
    monkeypatch.setattr(admission, "SENDERS_KEPT", 3)
    node = Linked()
    for number in range(10):
        key = dev_key("account", f"nobody-{number}")
        sender = address_of(key.public)
        node.submitted(
            sign_transaction(
                sender, register(), [(sender, key)], node.chain.genesis_hash, salt=number,
                expires_at_ms=node.chain.now + HOUR_MS,
            )
        )  # fmt: skip
        assert len(node.replica._admission._payers) <= 3
    assert all(answer.outcomes[0] for answer in node.answers)
    node.submitted(node.chain.sign("bmw", register()))
    assert () == node.answers[-1].outcomes[0]


def test_a_caller_is_told_that_the_quota_of_weight_is_used_up() -> None:
    """And not that the pool is full, which would be worth another try."""
    node = Linked()
    change(node.chain, CHAIN, "params", weight_per_sponsor_day=10_000)
    force(node.chain, QUOTA, address("bmw"), Quota(node.chain.now // DAY_MS, 9_900, 0))
    node.submitted(node.chain.sign("bmw", register()))
    (answer,) = node.answers
    assert ["weight_exhausted"] == [unmet.code for unmet in answer.outcomes[0]]  # type: ignore[union-attr]
