"""Floods with votes and proposals for rounds and heights far ahead, false heads, and endless requests."""

from __future__ import annotations

from node import limits
from node.replica.messages import Announce, GetBlocks, GetBody, GetTransactions, Message, Status
from support.simulation.byzantine.behaviour import Behaviour, Said

FAR = 10**9


class Flooder(Behaviour):
    name = "flooder"

    def outgoing(self, target: int, message: Message) -> Said:
        if isinstance(message, Status) and self.chance.random() < 0.3:
            self.noted()
            return [Status(FAR, limits.ROUND_CAP, 1)]
        return [message]

    def on_time(self) -> None:
        chance, machine = self.chance, self.node.running.machine
        height, round_ = machine.height, machine.round
        for _ in range(6):
            self.noted()
            ahead = chance.choice([1, 2, 7, 8, 9, 1_000, limits.ROUND_CAP - round_])
            block_id = chance.choice([b"", chance.randbytes(32), chance.randbytes(32)])
            kind = chance.choice(["prevote", "precommit"])
            at = chance.choice([height, height, height, height + 1, FAR])
            self.tell_everyone(self.vote(kind, at, min(round_ + ahead, limits.ROUND_CAP), block_id))
        block = self.node.running.store.block(height - 1)
        if block is not None:
            for ahead in range(1, 12):
                if machine.validators.proposer(height, round_ + ahead) == self.node.address:
                    self.noted()
                    self.tell_everyone(self.proposal(height, round_ + ahead, block, chance.choice([-1, round_])))
        count = chance.choice([20, 20, 20, limits.ANNOUNCE_MAX])
        self.tell_everyone(Announce(tuple(chance.randbytes(32) for _ in range(count))))
        self.tell_everyone(GetTransactions(tuple(chance.randbytes(32) for _ in range(20))))
        self.tell_everyone(GetBlocks(chance.choice([1, height, FAR]), FAR))
        self.tell_everyone(GetBody(height, chance.randbytes(32)))
