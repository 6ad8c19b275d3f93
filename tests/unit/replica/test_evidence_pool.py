"""Evidence from peers: kept and relayed once if a block may carry it, within bounds."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import Chain, address, dev_test_genesis

from node.chain.vote import Evidence, Vote, sign_bytes_of
from node.crypto.dev_keys import dev_key
from node.replica import events as e
from node.replica.evidence_pool import EVIDENCE_PER_VALIDATOR_MAX
from node.replica.messages import EvidenceMessage
from node.replica.replica import Replica, ReplicaConfig

LIAR = "dealer-shanghai"
LOW, HIGH = b"\x01" * 32, b"\x02" * 32


class Node:
    """A follower at height 2 with one peer."""

    def __init__(self, chain: Chain | None = None) -> None:
        self.chain = chain or Chain()
        for _ in range(2):
            self.chain.produce()
        self.replica = Replica(self.chain.store, None, ReplicaConfig(), bytes(16))
        self.now = self.chain.now
        self.replica.start(self.now)
        self.replica.handle(e.PeerConnected(1, bytes(32)), self.now)

    def pair(self, height: int, name: str = LIAR, by: tuple[str, str] = (), **changes) -> Evidence:
        votes = []
        for block_id, signer in zip((LOW, HIGH), by or (name, name), strict=True):
            vote = replace(Vote("prevote", height, 0, block_id, address(name), bytes(64)), **changes)
            signature = dev_key("consensus", signer).sign(sign_bytes_of(vote, self.chain.genesis_hash))
            votes.append(replace(vote, signature=signature))
        return Evidence(*votes)

    def hear(self, *pieces: Evidence) -> list[Evidence]:
        """Relayed evidence."""
        done = [
            action
            for piece in pieces
            for action in self.replica.handle(e.Received(1, EvidenceMessage(piece), self.now), self.now)
        ]
        return [
            a.message.evidence for a in done if isinstance(a, e.Broadcast) and isinstance(a.message, EvidenceMessage)
        ]


@pytest.mark.parametrize("height", [1, 2, 3], ids=["passed", "the head's", "in flight"])
def test_an_offence_is_passed_on_once(height: int) -> None:
    node = Node()
    evidence = node.pair(height)
    assert [evidence] == node.hear(evidence, evidence)
    assert [evidence] == node.replica._evidence.pieces()


@pytest.mark.parametrize("height", [1, 3], ids=["passed", "in flight"])
@pytest.mark.parametrize("by", [(LIAR, "bmw"), ("bmw", LIAR)])
def test_both_votes_are_signed_by_the_accused(height: int, by: tuple[str, str]) -> None:
    node = Node()
    assert [] == node.hear(node.pair(height, by=by))


@pytest.mark.parametrize("height", [1, 3, 4])
def test_what_no_block_could_carry_is_not_kept(height: int) -> None:
    node = Node()
    pieces = [node.pair(height, "bank-1")] if height < 4 else [node.pair(height)]
    assert [] == node.hear(*pieces)
    assert [] == node.replica._evidence.pieces()


def test_only_so_much_is_kept_of_one_offender() -> None:
    node = Node()
    pieces = [node.pair(1, round=number) for number in range(EVIDENCE_PER_VALIDATOR_MAX + 1)]
    assert pieces[:-1] == node.hear(*pieces)
    others = node.pair(1, "bmw")
    assert [others] == node.hear(others)


def test_a_piece_that_soon_is_too_old_takes_no_other_ones_place() -> None:
    """Backdated evidence must not displace an offender's real offence."""
    params = replace(dev_test_genesis().params, evidence_age_max=10)
    node = Node(Chain(dev_test_genesis(params=params)))
    for _ in range(12):
        node.chain.produce()
    head = node.chain.store.height()
    pool = node.replica._evidence
    old, real = node.pair(head - 8), node.pair(head)
    for piece in (old, real):
        pool.take(piece)
    node.chain.produce()
    pool.committed()
    assert [old, real] == pool.pieces()
    node.chain.produce()
    node.chain.produce()
    pool.committed()
    assert [real] == pool.pieces()


def test_who_connects_later_is_told_what_is_not_punished_yet() -> None:
    node = Node()
    evidence = node.pair(1)
    node.hear(evidence)
    told = node.replica.handle(e.PeerConnected(2, bytes([2]) * 32), node.now)
    assert [e.Send(2, EvidenceMessage(evidence))] == [
        action for action in told if isinstance(action, e.Send) and isinstance(action.message, EvidenceMessage)
    ]
