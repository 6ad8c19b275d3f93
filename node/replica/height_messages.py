"""Messages about the height in flight: what this node has signed, and what others have said in this round."""

from __future__ import annotations

from node import limits
from node.chain.vote import Proposal, Vote
from node.consensus.machine import Machine
from node.replica.messages import CompactProposal, Message, ProposalMessage, VoteMessage
from node.replica.signing_duty import SigningDuty
from node.replica.undecided_blocks import UndecidedBlocks


class HeightMessages:
    """Builds the messages from the machine's votes and the known blocks. They are sent again until the height is
    decided, since every link may lose one."""

    def __init__(
        self, machine: Machine, undecided: UndecidedBlocks, signing_duty: SigningDuty, genesis_hash: bytes
    ) -> None:
        self._machine = machine
        self._undecided = undecided
        self._signing_duty = signing_duty
        self._genesis_hash = genesis_hash

    def polka(self, round_: int, block_id: bytes) -> tuple[Vote, ...]:
        """Every known prevote for the block: single, from a certificate, or from hard state."""
        votes = self._machine.tally.votes_for("prevote", round_, block_id)
        return tuple(votes[v] for v in sorted(votes))

    def of_proposal(self, proposal: Proposal) -> ProposalMessage | CompactProposal | None:
        """The proposal with its block; None without its body or, for a re-proposal, its polka. After a restart we have
        the polka of our valid value only, and an own proposal may be older than that."""
        candidate = self._undecided.get(proposal.block_id)
        polka = self.polka(proposal.valid_round, proposal.block_id) if proposal.valid_round >= 0 else ()
        if candidate is None or (proposal.valid_round >= 0 and not self._is_quorum(polka)):
            return None
        block = candidate.block
        if sum(len(raw) for raw in block.transactions) <= limits.WHOLE_PROPOSAL_BYTES:
            return ProposalMessage(proposal, block, polka)
        wire_ids = candidate.wire_ids(self._genesis_hash)
        return CompactProposal(proposal, block.header, wire_ids, block.evidence, block.last_commit, polka)

    def _is_quorum(self, votes: tuple[Vote, ...]) -> bool:
        validators = self._machine.validators
        return validators.is_quorum(sum(validators.power(vote.validator) for vote in votes))

    def own(self) -> list[Message]:
        """All messages that we signed at this height."""
        messages: list[Message] = []
        for message in self._signing_duty.signed_at(self._machine.height):
            if isinstance(message, Vote):
                messages.append(VoteMessage(message))
            elif (full := self.of_proposal(message)) is not None:
                messages.append(full)
        return messages

    def of_others(self) -> list[Message]:
        """Proposal and votes of other validators in this round, and their precommits of the previous round."""
        machine, messages = self._machine, list[Message]()
        proposal = machine.proposal(machine.round)
        own = self._signing_duty.address
        if proposal is not None and proposal.proposer != own and (full := self.of_proposal(proposal)):
            messages.append(full)
        last_round = [v for v in machine.tally.votes_of_round(machine.round - 1) if v.kind == "precommit"]
        for vote in machine.tally.votes_of_round(machine.round) + last_round:
            if vote.validator != own:
                messages.append(VoteMessage(vote))
        return messages
