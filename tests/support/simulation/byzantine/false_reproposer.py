"""Re-proposes a new block with a false polka: none, one that is too small, or one of another block.

A validator that accepted it would wrongly release its lock.
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
        """The false re-proposal. In round 0, without an earlier round, its valid round is that round or a later one."""
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
            return [message]  # a true re-proposal
        return super().outgoing(target, message)
