"""Accuses an innocent validator: proposes blocks and gossips evidence with forged votes."""

from __future__ import annotations

from node.chain.block import Block
from node.chain.vote import Evidence, Vote
from node.replica.messages import EvidenceMessage
from support.simulation.byzantine.other_proposer import OtherProposer


class Slanderer(OtherProposer):
    name = "slanderer"

    def other(self, block: Block) -> Block:
        return self.remade(block, block.header.time_ms, (self._forged(block.header.height - 1),))

    def on_time(self) -> None:
        if self.chance.random() < 0.3:
            self.noted()
            self.tell_everyone(EvidenceMessage(self._forged(self.node.running.store.height())))

    def _forged(self, height: int) -> Evidence:
        """Two conflicting votes with bad signatures."""
        honest = [node.address for node in self.world.honest()]
        in_power = [e.address for e in self.node.running.machine.validators.entries if e.address in honest]
        victim, round_ = self.chance.choice(in_power), self.chance.randrange(3)
        ids = sorted(self.chance.randbytes(32) for _ in range(2))
        first, second = (
            Vote("prevote", max(1, height), round_, block_id, victim, self.chance.randbytes(64)) for block_id in ids
        )
        return Evidence(first, second)
