"""Proposes two valid blocks in one round, each to half of the network, and votes to each half for its block."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import block_id_of
from node.replica.messages import Message, VoteMessage
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode


class EquivocatingProposer(Behaviour):
    name = "equivocating_proposer"

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._others: dict[bytes, bytes] = {}

    def outgoing(self, target: int, message: Message) -> Said:
        if target % 2:
            return [message]
        whole = self.whole(message)
        if whole is not None:
            proposal, block = whole.proposal, whole.block
            if proposal.valid_round >= 0:
                return [message]
            other = replace(block, header=replace(block.header, time_ms=block.header.time_ms + 1))
            self._others[proposal.block_id] = block_id_of(other.header, self.world.genesis_hash)
            self.noted()
            return [self.proposal(proposal.height, proposal.round, other)]
        if isinstance(message, VoteMessage) and self.is_own_vote(message):
            vote = message.vote
            if vote.block_id in self._others:
                return [self.vote(vote.kind, vote.height, vote.round, self._others[vote.block_id])]
        return [message]
