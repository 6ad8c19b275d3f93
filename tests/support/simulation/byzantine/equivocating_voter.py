"""Sends half of the network another vote: nil instead of a block, the proposed block instead of nil."""

from __future__ import annotations

from node.chain.vote import NIL
from node.replica.messages import Message, VoteMessage
from support.simulation.byzantine.behaviour import Behaviour, Said


class EquivocatingVoter(Behaviour):
    name = "equivocating_voter"

    def outgoing(self, target: int, message: Message) -> Said:
        if not (isinstance(message, VoteMessage) and self.is_own_vote(message)) or target % 2:
            return [message]
        vote = message.vote
        other = NIL if vote.block_id != NIL else self._proposed(vote.round)
        if other == vote.block_id:
            return [message]
        self.noted()
        return [self.vote(vote.kind, vote.height, vote.round, other)]

    def _proposed(self, round_: int) -> bytes:
        proposal = self.node.running.machine.proposal(round_)
        return proposal.block_id if proposal is not None else NIL
