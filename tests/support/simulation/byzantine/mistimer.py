"""Proposes valid blocks with a wrong time: as early as the parent allows, or far ahead."""

from __future__ import annotations

from node.chain.block import Block
from support.simulation.byzantine.other_proposer import OtherProposer

AHEAD_MS = (1_500, 4_000, 60_000, 3_600_000)


class Mistimer(OtherProposer):
    name = "mistimer"

    def other(self, block: Block) -> Block:
        parent = self.node.running.store.head().time_ms
        ahead = self.chance.choice(AHEAD_MS)
        time_ms = self.chance.choice([parent + 1, block.header.time_ms + ahead])
        return self.remade(block, time_ms, block.evidence)
