"""One production replica whose peers are played by a test, with its signatures verified on the spot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from node.chain.block import Committed
from node.chain.dev_genesis import DEV_PARTIES
from node.crypto.dev_keys import dev_key
from node.ledger.signed import verify_raw
from node.replica import events as e
from node.replica.messages import Blocks, GetBlocks, Message, Status, VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from node.storage.chain_store import ChainStore
from support.chain import Chain, address
from support.kept_state import never_signed
from support.memory_store import MemoryStore

PEER, OTHER = 7, 8


@dataclass
class OneReplica:
    """`done`: all actions so far."""

    chain: Chain
    replica: Replica
    now: int
    done: list[e.Action] = field(default_factory=list)

    def act(self, actions: list[e.Action]) -> None:
        for action in actions:
            self.done.append(action)
            if isinstance(action, e.Verify):
                good = tuple(verify_raw(signed.raw, self.chain.genesis_hash) for signed in action.transactions)
                self.feed(e.Verified(action.job, good))

    def start(self) -> None:
        self.act(self.replica.start(self.now))
        for peer in (PEER, OTHER):
            self.feed(e.PeerConnected(peer, bytes([peer]) * 32))

    def feed(self, event: e.Event) -> None:
        self.act(self.replica.handle(event, self.now))

    def hear(self, message: Message, peer: int = PEER) -> None:
        self.feed(e.Received(peer, message, self.now))

    def pass_time(self, ms: int) -> None:
        self.now += ms
        self.feed(e.Tick())

    def sent(self, kind: type) -> list[Any]:
        return [a.message for a in self.done if isinstance(a, e.Send | e.Broadcast) and isinstance(a.message, kind)]

    def faults(self) -> list[str]:
        return [action.code for action in self.done if isinstance(action, e.Misbehaved)]

    def prevotes(self) -> list[bytes]:
        return [m.vote.block_id for m in self.sent(VoteMessage) if m.vote.kind == "prevote"]

    def sync(self, blocks: list[Committed]) -> None:
        """The peer has the whole chain and answers every question for blocks, until they are taken or refused."""
        self.hear(Status(len(blocks), 0, 1))
        answered = 0
        for _ in range(20 * len(blocks)):
            if self.replica.halted or self.faults() or self.replica.store.height() == len(blocks):
                break
            asked = [a for a in self.done if isinstance(a, e.Send) and isinstance(a.message, GetBlocks)]
            for request in asked[answered:]:
                assert isinstance(request.message, GetBlocks)
                self.hear(Blocks(tuple(blocks[request.message.first - 1 : request.message.last])), request.peer)
            answered = len(asked)
            self.pass_time(max(1, self.replica.next_deadline_ms() - self.now))


def a_validating_replica(chain: Chain) -> Replica:
    """That of a validator that does not propose in round 0 of height 1."""
    proposer = chain.store.head().validators.proposer(1, 0)
    name = next(p.name for p in DEV_PARTIES if p.power and address(p.name) != proposer)
    key = dev_key("consensus", name)
    signer = LocalSigner(address(name), key, never_signed(key.public), chain.genesis_hash)
    return Replica(chain.store, signer, ReplicaConfig(), bytes(16))


def a_validator() -> OneReplica:
    """One that does not propose in round 0 of height 1, past its listening."""
    chain = Chain()
    found = OneReplica(chain, a_validating_replica(chain), chain.now)
    found.start()
    found.pass_time(3_100)
    found.done.clear()
    chain.now = found.now
    return found


def a_follower(chain: Chain, config: ReplicaConfig | None = None) -> OneReplica:
    """A fresh one of the chain."""
    store = ChainStore(MemoryStore(), chain.genesis)
    found = OneReplica(chain, Replica(store, None, config or ReplicaConfig(), bytes(16)), chain.now)
    found.start()
    return found
