"""A replica before block 1, and the messages that its peers may send."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from node.chain.block import Block, block_id_of
from node.chain.dev_genesis import DEV_PARTIES
from node.chain.vote import Proposal, Vote, sign_bytes_of
from node.crypto.dev_keys import dev_key
from node.ledger.signed import verify_raw, wire_id_of
from node.replica import events as e
from node.replica.doppelganger import LISTEN_MS, NO_ECHO, presence_bytes
from node.replica.messages import CompactProposal, Message, Presence, ProposalMessage, VoteMessage
from node.replica.replica import Replica, ReplicaConfig
from node.replica.signer import LocalSigner
from support.chain import Chain, address
from support.kept_state import never_signed
from support.life import register

NAMES = {address(p.name): p.name for p in DEV_PARTIES}
VALIDATORS = [p.name for p in DEV_PARTIES if p.power]
X, Y = b"\x01" * 32, b"\x02" * 32
OWN, OTHER = b"1" * 16, b"2" * 16


class Node:
    """A replica before block 1 with two peers: a follower, or a validator `name` after its listening period."""

    def __init__(
        self, name: str = "", *, peers: int = 2, listens: bool = False, config: ReplicaConfig | None = None
    ) -> None:
        self.chain = Chain()
        self.name = name
        key = dev_key("consensus", name or "nobody")
        signer = LocalSigner(address(name), key, never_signed(key.public), self.chain.genesis_hash) if name else None
        self.replica = Replica(self.chain.store, signer, config or ReplicaConfig(), OWN)
        self.now = self.chain.now
        self.did: list[e.Action] = []
        self.replica.start(self.now)
        for peer in range(1, peers + 1):
            self.feed(e.PeerConnected(peer, bytes([peer]) * 32, is_member=True))
        if not listens:
            self.pass_time(LISTEN_MS)
        self.chain.now = self.now
        self.did.clear()

    def feed(self, event: e.Event) -> None:
        for action in self.replica.handle(event, self.now):
            self.did.append(action)
            if isinstance(action, e.Verify):
                good = tuple(verify_raw(signed.raw, self.chain.genesis_hash) for signed in action.transactions)
                self.feed(e.Verified(action.job, good))

    def pass_time(self, ms: int) -> None:
        self.now += ms
        self.feed(e.Tick())

    def hear(self, *messages: Message) -> Node:
        for message in messages:
            self.feed(e.Received(1, message, self.now))
        return self

    def faults(self) -> list[str]:
        return [action.text for action in self.did if isinstance(action, e.Misbehaved)]

    def notices(self, name: str) -> list[dict]:
        return [action.fields for action in self.did if isinstance(action, e.Notice) and action.name == name]

    def relayed(self) -> list[Message]:
        """Messages relayed to the other peers."""
        return [a.message for a in self.did if isinstance(a, e.Broadcast) and a.besides == 1]

    def prevotes(self) -> list[bytes]:
        said = [a.message for a in self.did if isinstance(a, e.Broadcast) and isinstance(a.message, VoteMessage)]
        return [message.vote.block_id for message in said if address(self.name) == message.vote.validator]

    # --- messages of peers ---
    def signed(self, message: Vote | Proposal, by: str) -> Vote | Proposal:
        return replace(
            message, signature=dev_key("consensus", by).sign(sign_bytes_of(message, self.chain.genesis_hash))
        )

    def vote(self, name: str = "bmw", by: str = "", **changes) -> Vote:
        vote = replace(Vote("prevote", 1, 0, X, address(name), bytes(64)), **changes)
        return self.signed(vote, by or name)

    def proposer(self, round_: int = 0) -> str:
        return NAMES[self.chain.store.head().validators.proposer(1, round_)]

    def block(self, round_: int = 0, count: int = 1, **changes) -> Block:
        vins = [f"WBA8E9G50GNU{i:05d}" for i in range(count)]
        block = self.chain.build(*(self.chain.sign("bmw", register(vin)) for vin in vins))
        return replace(block, header=replace(block.header, proposer=address(self.proposer(round_)), **changes))

    def proposal(self, block: Block, round_: int = 0, by: str = "", **changes) -> Proposal:
        block_id = block_id_of(block.header, self.chain.genesis_hash)
        proposer = self.proposer(round_)
        made = replace(Proposal(1, round_, block_id, -1, address(proposer), bytes(64)), **changes)
        return self.signed(made, by or proposer)

    def polka(self, block: Block, names: list[str], **changes) -> tuple[Vote, ...]:
        block_id = block_id_of(block.header, self.chain.genesis_hash)
        return tuple(self.vote(name, **{"block_id": block_id} | changes) for name in names)

    def presence(self, name: str, by: str = "", instance: bytes = OTHER, echo: bytes = NO_ECHO) -> Presence:
        said = presence_bytes(self.chain.genesis_hash, address(name), instance, echo, True)
        return Presence(address(name), instance, echo, True, dev_key("consensus", by or name).sign(said))


def full(node: Node, block: Block, proposal: Proposal, polka: tuple[Vote, ...] = ()) -> ProposalMessage:
    return ProposalMessage(proposal, block, polka)


def compact(node: Node, block: Block, proposal: Proposal, polka: tuple[Vote, ...] = ()) -> CompactProposal:
    ids = tuple(wire_id_of(node.chain.genesis_hash, raw) for raw in block.transactions)
    return CompactProposal(proposal, block.header, ids, block.evidence, block.last_commit, polka)


Form = Callable[..., ProposalMessage | CompactProposal]
both_forms = pytest.mark.parametrize("form", [full, compact])
