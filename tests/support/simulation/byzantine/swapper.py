"""Changes sets of signatures: fewer or permuted ones in certificates, bodies and polkas; other signers of a txid."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block, Commit, Committed
from node.replica.messages import Blocks, Body, Message, ProposalMessage
from support.simulation.byzantine.behaviour import Behaviour, Said


class Swapper(Behaviour):
    name = "swapper"

    def outgoing(self, target: int, message: Message) -> Said:
        if self.chance.random() < 0.4:
            return [message]
        if isinstance(message, Blocks) and message.blocks:
            self.noted()
            return [Blocks(tuple(self._delivered(committed) for committed in message.blocks))]
        if isinstance(message, Body):
            self.noted()
            return [Body(self._other_body(message.block))]
        message = self.whole(message) or message
        if isinstance(message, ProposalMessage):
            self.noted()
            if message.polka and self.chance.random() < 0.5:
                return [replace(message, polka=(*message.polka[1:], message.polka[-1]))]
            return [replace(message, block=self._other_body(message.block))]
        return [message]

    def _delivered(self, committed: Committed) -> Committed:
        """A delivered block, bad or not, so that a range may fail in its middle."""
        chance = self.chance.random()
        if chance < 0.5:
            return committed
        if chance < 0.75:
            return Committed(committed.block, self._swapped(committed.commit))
        return Committed(self._other_body(committed.block), committed.commit)

    def _other_body(self, block: Block) -> Block:
        """The same header, and so the same id, with another body."""
        if block.transactions and self.chance.random() < 0.5:
            return replace(block, transactions=block.transactions[1:])
        return replace(block, last_commit=self._swapped(block.last_commit))

    def _swapped(self, commit: Commit) -> Commit:
        signatures = list(commit.signatures)
        if len(signatures) > 1:
            match self.chance.randrange(3):
                case 0:
                    signatures[0], signatures[-1] = signatures[-1], signatures[0]
                case 1:
                    signatures[self.chance.randrange(len(signatures))] = b""
                case _:
                    signatures.pop()
        return replace(commit, signatures=tuple(signatures))

    def on_time(self) -> None:
        """Submit one transaction with two signature sets to two nodes."""
        world = self.world
        if self.chance.random() < 0.1 and len(world.nodes) > 1:
            self.noted()
            world.submissions.submit_variants(self.node, *self.chance.sample(world.nodes, 2))
