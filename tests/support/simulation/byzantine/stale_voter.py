"""Holds its votes back, and sends old ones again and again."""

from __future__ import annotations

from node.replica.messages import Message
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode

KEPT_MAX = 200


class StaleVoter(Behaviour):
    name = "stale_voter"

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._kept: list[Message] = []

    def outgoing(self, target: int, message: Message) -> Said:
        if not (self.is_own_vote(message) or self.is_own_proposal(message)):
            return [message]
        self._kept.append(message)
        del self._kept[:-KEPT_MAX]
        self.noted()
        return [self.chance.choice(self._kept)]

    def on_time(self) -> None:
        for _ in range(min(3, len(self._kept))):
            self.noted()
            self.tell_everyone(self.chance.choice(self._kept))
