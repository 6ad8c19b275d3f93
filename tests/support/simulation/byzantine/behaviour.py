"""What every liar can do: say other things than its replica, to whom it likes, signed with its own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.chain.block import Block, block_id_of
from node.chain.vote import Proposal, Vote, VoteKind, proposal_sign_bytes, vote_sign_bytes
from node.replica.messages import CompactProposal, Message, Presence, ProposalMessage, VoteMessage

if TYPE_CHECKING:
    from support.simulation.node import SimulatedNode

Said = list[Message | bytes]


class Behaviour:
    """An honest one; each liar overrides what it lies about."""

    name = "honest"

    def __init__(self, node: SimulatedNode) -> None:
        self.node = node
        self.world = node.world
        self.chance = node.world.chance(f"liar {node.label}")

    # --- what liars override ---
    def outgoing(self, target: int, message: Message) -> Said:
        """What the node at `target` gets instead of `message`."""
        return [message]

    def hears(self, message: Message) -> bool:
        """Own votes that come back would make the replica stop as a double of itself: a liar goes on lying."""
        own = self.node.address
        if isinstance(message, VoteMessage):
            return message.vote.validator != own
        return not (isinstance(message, Presence) and message.validator == own)

    def on_time(self) -> None:
        """Called every 400 ms while the node is up."""

    # --- what they lie with ---
    def noted(self) -> None:
        self.world.faults[self.name] += 1

    def is_own_vote(self, message: Message) -> bool:
        return isinstance(message, VoteMessage) and message.vote.validator == self.node.address

    def is_own_proposal(self, message: Message) -> bool:
        is_one = isinstance(message, ProposalMessage | CompactProposal)
        return is_one and message.proposal.proposer == self.node.address

    def whole(self, message: Message) -> ProposalMessage | None:
        """An own proposal with its block, however it was to be sent."""
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
