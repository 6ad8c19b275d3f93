"""Proves its own offence over and over: ever new pairs of two votes for one step, of rounds in which nobody is."""

from __future__ import annotations

from node.chain.vote import Evidence
from node.replica.messages import EvidenceMessage
from support.simulation.byzantine.behaviour import Behaviour

PIECES = 12
"""For everybody every 400 ms: within what a peer allows."""


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
