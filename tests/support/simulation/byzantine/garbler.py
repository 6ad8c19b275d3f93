"""Flips, removes and adds bytes in all messages that it sends or relays."""

from __future__ import annotations

from node.codec import encode
from node.replica.messages import Message
from support.simulation.byzantine.behaviour import Behaviour, Said


class Garbler(Behaviour):
    name = "garbler"

    def outgoing(self, target: int, message: Message) -> Said:
        if self.chance.random() > 0.25:
            return [message]
        self.noted()
        raw = bytearray(encode(message))
        match self.chance.randrange(4):
            case 0:
                return [bytes(raw[: self.chance.randrange(len(raw))])]
            case 1:
                return [bytes(raw) + self.chance.randbytes(self.chance.randint(1, 9))]
            case 2:
                return [self.chance.randbytes(self.chance.randint(1, 200))]
            case _:
                for _ in range(self.chance.randint(1, 4)):
                    raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
                return [bytes(raw)]
