"""Gossips endless evidence against itself: pairs of votes in rounds that nobody is in."""

from __future__ import annotations

from node.chain.vote import Evidence
from node.replica.messages import EvidenceMessage
from support.simulation.byzantine.behaviour import Behaviour

PIECES = 12
"""Pieces to everybody every 400 ms: within the rate limit."""


class SelfAccuser(Behaviour):
    name = "self_accuser"

    def on_time(self) -> None:
        height = self.node.running.machine.height
        for _ in range(PIECES):
            self.noted()
            round_ = self.chance.randrange(1_000)
            ids = sorted(self.chance.randbytes(32) for _ in range(2))
            first, second = (self.vote("prevote", height, round_, block_id).vote for block_id in ids)
            self.tell_everyone(EvidenceMessage(Evidence(first, second)))
