"""Sends proposals to one node only and votes to some, and never delivers announced transactions."""

from __future__ import annotations

from node.replica.messages import Blocks, Body, Message, Transactions
from support.simulation.byzantine.behaviour import Behaviour, Said


class Withholder(Behaviour):
    name = "withholder"

    def outgoing(self, target: int, message: Message) -> Said:
        if isinstance(message, Body | Blocks | Transactions):
            self.noted()
            return []
        if self.is_own_proposal(message) and target != self.world.now // 4_000 % len(self.world.nodes):
            self.noted()
            return []
        if self.is_own_vote(message) and self.chance.random() < 0.6:
            self.noted()
            return []
        return [message]
