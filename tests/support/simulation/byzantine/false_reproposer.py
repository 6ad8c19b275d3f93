"""Says of a new block that a quorum has prevoted it before: without a polka, with too small a one, or with another's.

Whoever believed it would give up its lock for nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block
from node.chain.vote import Vote
from node.replica.messages import Message, ProposalMessage
from support.simulation.byzantine.behaviour import Said
from support.simulation.byzantine.other_proposer import OtherProposer


class FalseReproposer(OtherProposer):
    name = "false_reproposer"

    def other(self, block: Block) -> Block:
        return self.remade(block, block.header.time_ms + 1, block.evidence)

    def lie(self, whole: ProposalMessage) -> ProposalMessage:
        """In a first round there is no earlier one: it names that round itself, or one to come."""
        proposal, block = whole.proposal, self.other(whole.block)
        earlier = range(proposal.round)
        valid_round = self.chance.choice(earlier) if earlier else self.chance.randint(0, 1)
        lie = self.proposal(proposal.height, proposal.round, block, valid_round)
        return replace(lie, polka=self._false_polka(lie))

    def _false_polka(self, lie: ProposalMessage) -> tuple[Vote, ...]:
        proposal = lie.proposal
        own = self.vote("prevote", proposal.height, proposal.valid_round, proposal.block_id).vote
        others = tuple(
            vote
            for vote in self.node.running.machine.tally.votes_of_round(proposal.valid_round)
            if vote.kind == "prevote" and vote.validator != own.validator
        )
        return self.chance.choice(((), (own,), (own, *others), others))

    def outgoing(self, target: int, message: Message) -> Said:
        whole = self.whole(message)
        if whole is not None and whole.proposal.valid_round >= 0:
            return [message]  # a true one
        return super().outgoing(target, message)
