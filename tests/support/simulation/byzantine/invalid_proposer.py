"""Proposes blocks that are wrong in one place, properly signed, and votes for them."""

from __future__ import annotations

from msgspec.structs import replace

from node.chain.block import Block, commit_hash, evidence_root
from node.chain.vote import Evidence, Vote
from node.crypto import merkle
from node.replica.messages import Message, ProposalMessage, VoteMessage
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode

WRONG = bytes([7]) * 32


class InvalidProposer(Behaviour):
    name = "invalid_proposer"

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._lies: dict[bytes, ProposalMessage] = {}

    def outgoing(self, target: int, message: Message) -> Said:
        whole = self.whole(message)
        if whole is not None:
            proposal = whole.proposal
            if proposal.block_id not in self._lies:
                wrong = self._spoilt(whole.block)
                self._lies[proposal.block_id] = self.proposal(proposal.height, proposal.round, wrong)
            self.noted()
            return [self._lies[proposal.block_id]]
        if isinstance(message, VoteMessage) and self.is_own_vote(message):
            vote = message.vote
            lie = self._lies.get(vote.block_id)
            if lie is not None:
                return [self.vote(vote.kind, vote.height, vote.round, lie.proposal.block_id)]
        return [message]

    def _spoilt(self, block: Block) -> Block:
        header = block.header
        match self.chance.randrange(9):
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
            case 7:
                commit = replace(block.last_commit, signatures=tuple(b"" for _ in block.last_commit.signatures))
                return replace(block, header=replace(header, last_commit_hash=commit_hash(commit)), last_commit=commit)
            case _:
                return self._with_slander(block)

    def _with_transactions(self, block: Block, raws: tuple[bytes, ...]) -> Block:
        return replace(block, header=replace(block.header, tx_root=merkle.root(raws)), transactions=raws)

    def _with_unsigned(self, block: Block) -> Block:
        """A transaction of somebody else, whose signature does not verify."""
        victim = self.world.nodes[0]
        raw = bytearray(self.world.submissions.car(victim))
        raw[-1] ^= 1
        return self._with_transactions(block, (*block.transactions, bytes(raw)))

    def _with_slander(self, block: Block) -> Block:
        """Evidence against a validator that has done nothing."""
        victim = self.world.nodes[0].address
        height = max(1, block.header.height - 1)
        votes = [Vote("prevote", height, 0, bytes([i]) * 32, victim, bytes(64)) for i in (1, 2)]
        pieces = (Evidence(*votes),)
        header = replace(block.header, evidence_root=evidence_root(pieces))
        return replace(block, header=header, evidence=pieces)
