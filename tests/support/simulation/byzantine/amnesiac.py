"""A validator without locks: prevotes every proposal. Its disk keeps no hard state."""

from __future__ import annotations

from node.chain.vote import NIL
from node.replica.messages import Message, VoteMessage
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode


class Amnesiac(Behaviour):
    name = "amnesiac"

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        node.disk.is_forgetful = True

    def outgoing(self, target: int, message: Message) -> Said:
        if isinstance(message, VoteMessage) and self.is_own_vote(message):
            vote = message.vote
            proposal = self.node.running.machine.proposal(vote.round)
            if vote.kind == "prevote" and vote.block_id == NIL and proposal is not None:
                self.noted()
                return [self.vote("prevote", vote.height, vote.round, proposal.block_id)]
        return [message]
