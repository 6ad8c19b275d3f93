"""Timeouts of a replica: 1 s, plus 0.5 s per round, up to the chain's cap."""

from __future__ import annotations

import pytest
from support.chain import START_MS, address, dev_test_genesis
from support.memory_store import MemoryStore
from support.traces import block_id

from node.chain.vote import NIL, Vote, VoteKind, vote_sign_bytes
from node.codec import encode
from node.consensus.safety import NeverSigned
from node.crypto.dev_keys import dev_key
from node.ledger.params import ChainParams
from node.replica import events as e
from node.replica.doppelganger import LISTEN_MS
from node.replica.messages import VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.storage.chain_store import ChainStore

NAMES = ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")
PEER = 1
X = block_id("X")


class Disk:
    def __init__(self, consensus_key: bytes) -> None:
        self._key = consensus_key

    def load(self) -> bytes | None:
        return encode(NeverSigned(self._key))

    def save(self, raw: bytes) -> None:
        pass


class Seat:
    """A validator in a round with another proposer, and its clock."""

    def __init__(self, round_: int, cap_ms: int) -> None:
        store = ChainStore(MemoryStore(), dev_test_genesis(params=ChainParams(timeout_cap_ms=cap_ms)))
        self.genesis_hash = store.genesis_hash
        self.round = round_
        validators = store.head().validators
        proposers = {validators.proposer(1, round_), validators.proposer(1, round_ + 1)}
        self.own = next(name for name in NAMES if address(name) not in proposers)
        self.others = [name for name in NAMES if name != self.own]
        key = dev_key("consensus", self.own)
        signer = LocalSigner(address(self.own), key, Disk(key.public), store.genesis_hash)
        self.replica = Replica(store, signer, ReplicaConfig(), b"i" * 16)
        self.now = START_MS + 3_600_000
        self.replica.start(self.now)
        self.replica.handle(e.PeerConnected(PEER, dev_key("node", self.others[0]).public), self.now)
        self.now += LISTEN_MS
        self.replica.handle(e.Tick(), self.now)

    def hear(self, kind: VoteKind, *blocks: bytes) -> list[e.Action]:
        """Votes of this many others, all at the current time."""
        actions = []
        for name, block in zip(self.others, blocks, strict=False):
            signature = dev_key("consensus", name).sign(vote_sign_bytes(self.genesis_hash, kind, 1, self.round, block))
            vote = Vote(kind, 1, self.round, block, address(name), signature)
            actions += self.replica.handle(e.Received(PEER, VoteMessage(vote), self.now), self.now)
        return actions

    def tick_at(self, when: int) -> list[e.Action]:
        self.now = when
        return self.replica.handle(e.Tick(), when)

    def own_votes(self, actions: list[e.Action]) -> set[tuple[str, int, bytes]]:
        votes = [a.message.vote for a in actions if isinstance(a, e.Broadcast) and isinstance(a.message, VoteMessage)]
        return {(v.kind, v.round, v.block_id) for v in votes if v.validator == address(self.own)}


def rounds_entered(actions: list[e.Action]) -> list[int]:
    return [a.fields["round"] for a in actions if isinstance(a, e.Notice) and a.name == "round"]


@pytest.mark.parametrize(
    ("round_", "cap_ms", "lasts_ms"),
    [
        (0, 4_000, 1_000),
        (1, 4_000, 1_500),
        (5, 4_000, 3_500),
        (6, 4_000, 4_000),
        (7, 4_000, 4_000),
        (60, 4_000, 4_000),
        (999_999, 4_000, 4_000),
        (3, 2_000, 2_000),
        (60, 600_000, 31_000),
    ],
)
def test_every_timer_of_a_round_lasts_so_long_and_no_longer_than_the_cap(
    round_: int, cap_ms: int, lasts_ms: int
) -> None:
    """L21, L35, L48: the second vote of a later round moves us there; then only timers do."""
    seat = Seat(round_, cap_ms)
    prevote, precommit = ("prevote", round_, NIL), ("precommit", round_, NIL)

    seat.hear("prevote", NIL, X)
    due = seat.now + lasts_ms
    assert set() == seat.own_votes(seat.tick_at(due - 1))
    assert seat.replica.next_deadline_ms() <= due, "the shell would sleep past it"
    assert {prevote} == seat.own_votes(seat.tick_at(due))

    # Beyond the window only the round number was kept: the votes arrive again, as peers resend them.
    seat.hear("prevote", NIL, X)
    due = seat.now + lasts_ms
    assert precommit not in seat.own_votes(seat.tick_at(due - 1))
    assert precommit in seat.own_votes(seat.tick_at(due))

    seat.hear("precommit", NIL, X)
    due = seat.now + lasts_ms
    assert [] == rounds_entered(seat.tick_at(due - 1))
    assert [round_ + 1] == rounds_entered(seat.tick_at(due))
