"""Base of Byzantine behaviours: replace the replica's messages per target, and sign others with its own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.chain.block import Block, block_id_of
from node.chain.vote import Proposal, Vote, VoteKind, proposal_sign_bytes, vote_sign_bytes
from node.replica.messages import CompactProposal, Message, Presence, ProposalMessage, VoteMessage

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode

Said = list[Message | bytes]


class Behaviour:
    """Honest behaviour; subclasses override messages."""

    name = "honest"

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.world = node.world
        self.chance = node.world.chance(f"liar {node.label}")

    # --- for subclasses to override ---
    def outgoing(self, target: int, message: Message) -> Said:
        """The messages sent to the node at `target` instead of `message`."""
        return [message]

    def hears(self, message: Message) -> bool:
        """Whether the replica receives `message`: own votes would make its doppelganger protection stop it."""
        own = self.node.address
        if isinstance(message, VoteMessage):
            return message.vote.validator != own
        return not (isinstance(message, Presence) and message.validator == own)

    def on_time(self) -> None:
        """Called every 400 ms while the node is up."""

    # --- helpers ---
    def noted(self) -> None:
        self.world.faults[self.name] += 1

    def is_own_vote(self, message: Message) -> bool:
        return isinstance(message, VoteMessage) and message.vote.validator == self.node.address

    def is_own_proposal(self, message: Message) -> bool:
        is_one = isinstance(message, ProposalMessage | CompactProposal)
        return is_one and message.proposal.proposer == self.node.address

    def whole(self, message: Message) -> ProposalMessage | None:
        """The own proposal in `message` with its block; None if it is none."""
        if not self.is_own_proposal(message) or isinstance(message, ProposalMessage):
            return message if self.is_own_proposal(message) else None
        block = self.node.running._driver.body(message.proposal.height, message.proposal.block_id)
        return None if block is None else ProposalMessage(message.proposal, block, message.polka)

    def vote(self, kind: VoteKind, height: int, round_: int, block_id: bytes) -> VoteMessage:
        signed = vote_sign_bytes(self.world.genesis_hash, kind, height, round_, block_id)
        signature = self.node.consensus.sign(signed)
        return VoteMessage(Vote(kind, height, round_, block_id, self.node.address, signature))

    def proposal(self, height: int, round_: int, block: Block, valid_round: int = -1) -> ProposalMessage:
        block_id = block_id_of(block.header, self.world.genesis_hash)
        signed = proposal_sign_bytes(self.world.genesis_hash, height, round_, block_id, valid_round)
        signature = self.node.consensus.sign(signed)
        return ProposalMessage(Proposal(height, round_, block_id, valid_round, self.node.address, signature), block, ())

    def tell_everyone(self, message: Message | bytes) -> None:
        for link in list(self.node.links.values()):
            if link in self.world.network.peers:
                self.node.say(link, message)
