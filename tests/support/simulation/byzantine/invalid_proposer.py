"""Proposes properly signed blocks that are invalid in one place."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block, commit_hash
from node.crypto import merkle
from support.simulation.byzantine.other_proposer import OtherProposer

WRONG = bytes([7]) * 32


class InvalidProposer(OtherProposer):
    name = "invalid_proposer"

    def other(self, block: Block) -> Block:
        header = block.header
        match self.chance.randrange(8):
            case 0:
                return replace(block, header=replace(header, state_root=WRONG))
            case 1:
                return replace(block, header=replace(header, next_validators_hash=WRONG))
            case 2:
                return replace(block, header=replace(header, parent_id=WRONG))
            case 3:
                return replace(block, header=replace(header, time_ms=header.time_ms + 3_600_000))
            case 4:
                return self._with_transactions(block, (*block.transactions, b"\x91\xc0 not a transaction"))
            case 5:
                return self._with_transactions(block, (*block.transactions, *block.transactions[:1]))
            case 6:
                return self._with_unsigned(block)
            case _:
                commit = replace(block.last_commit, signatures=tuple(b"" for _ in block.last_commit.signatures))
                return replace(block, header=replace(header, last_commit_hash=commit_hash(commit)), last_commit=commit)

    def _with_transactions(self, block: Block, raws: tuple[bytes, ...]) -> Block:
        return replace(block, header=replace(block.header, tx_root=merkle.root(raws)), transactions=raws)

    def _with_unsigned(self, block: Block) -> Block:
        """The block with a transaction of another account whose signature does not verify."""
        victim = self.world.nodes[0]
        raw = bytearray(self.world.submissions.car(victim))
        raw[-1] ^= 1
        return self._with_transactions(block, (*block.transactions, bytes(raw)))
