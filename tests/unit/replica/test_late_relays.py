"""Where all validators are linked to one another, what comes from them is passed on late, and mostly not at all."""

from __future__ import annotations

import pytest
from support.chain import HOUR_MS, Chain, address
from support.life import VIN, maintenance, register
from support.signing import sign_transaction

from node import limits
from node.chain.vote import Vote, vote_sign_bytes
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.ledger.signed import wire_id_of
from node.replica import events as e
from node.replica.messages import Announce, Transactions, VoteMessage
from node.replica.replica import Replica, ReplicaConfig


class Linked:
    """A follower with a link to every validator but `lacking`; its broadcasts are recorded."""

    def __init__(self, lacking: int = 0) -> None:
        self.chain = Chain()
        self.replica = Replica(self.chain.store, None, ReplicaConfig(), bytes(16))
        self.now = self.chain.now
        self.sent: list[object] = []
        self.dropped: list[e.Dropped] = []
        self.take(self.replica.start(self.now))
        for peer in range(1, len(self.chain.store.head().validators) - lacking):
            self.feed(e.PeerConnected(peer, bytes([peer]) * 32, is_member=True))

    def take(self, actions: list[e.Action]) -> None:
        for action in actions:
            if isinstance(action, e.Broadcast):
                self.sent.append(action.message)
            elif isinstance(action, e.Dropped):
                self.dropped.append(action)
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
    source = Chain()
    block = source.produce(raw)
    (result,) = node.replica._builder.executing(block, list(map(source.check, block.transactions)))
    node.replica._commit(block, result, source.commit_for(block))
    node.after(limits.LATE_ANNOUNCE_MS)
    assert ([], []) == (node.announced(), node.votes())
