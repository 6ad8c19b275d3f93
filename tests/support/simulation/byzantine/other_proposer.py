"""Base of proposers of bad blocks: sends another block instead of its replica's, and votes for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

from node.chain.block import Block
from node.chain.vote import Evidence
from node.execution.block_validation import seal_block
from node.ledger.guards import GuardsUnmet
from node.replica.messages import Message, ProposalMessage, VoteMessage
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode


class OtherProposer(Behaviour, ABC):
    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._lies: dict[bytes, ProposalMessage] = {}

    @abstractmethod
    def other(self, block: Block) -> Block:
        """The block to propose instead."""

    def lie(self, whole: ProposalMessage) -> ProposalMessage:
        return self.proposal(whole.proposal.height, whole.proposal.round, self.other(whole.block))

    def outgoing(self, target: int, message: Message) -> Said:
        whole = self.whole(message)
        if whole is not None:
            block_id = whole.proposal.block_id
            if block_id not in self._lies:
                self._lies[block_id] = self.lie(whole)
            self.noted()
            return [self._lies[block_id]]
        if isinstance(message, VoteMessage) and self.is_own_vote(message):
            vote = message.vote
            if vote.block_id in self._lies:
                return [self.vote(vote.kind, vote.height, vote.round, self._lies[vote.block_id].proposal.block_id)]
        return [message]

    def remade(self, block: Block, time_ms: int, evidence: tuple[Evidence, ...]) -> Block:
        """The block with another time and evidence, executed again so that all roots are correct."""
        replica = self.node.running
        head = replica.store.head()
        if block.header.height != head.height + 1:
            return block  # decided meanwhile
        run = replica._builder.run(time_ms)
        for raw in block.transactions:
            with suppress(GuardsUnmet):
                run.add(self.world.checked(raw))
        return seal_block(run, run.finish(evidence), head, self.node.address, evidence, block.last_commit)
