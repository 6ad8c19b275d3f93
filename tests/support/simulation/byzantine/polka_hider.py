"""Completes a polka with its own prevote and sends it to one node only, which then locks alone.

As proposer it sends one block to a group of nodes whose prevotes with its own are a quorum, and another block to all
others. It sends nobody its own prevote; or it sends everybody two other prevotes, besides which a third is not kept.
In a later round of its own it re-proposes the block with the group's prevotes and its own as the polka: complete to
one node, after sending it without the polka to all.
"""

from __future__ import annotations

from msgspec.structs import replace

from node import limits
from node.chain.block import Block
from node.chain.vote import NIL, Vote
from node.replica.messages import Message, ProposalMessage, VoteMessage
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode


class PolkaHider(Behaviour):
    name = "polka_hider"

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._height = self._round = -1
        """The block that `_group` got, whose first node is to lock it."""
        self._block: Block | None = None
        self._block_id = NIL
        self._group: list[bytes] = []
        self._votes: dict[bytes, Vote] = {}

    def outgoing(self, target: int, message: Message) -> Said:
        if self.is_own_vote(message):
            self.noted()
            return []
        if not self.is_own_proposal(message):
            return [message]
        whole = self.whole(message)
        if whole is None or whole.proposal.valid_round >= 0:
            return []
        proposal, block = whole.proposal, whole.block
        if (proposal.height, proposal.round) != (self._height, self._round):
            self._choose(proposal.height, proposal.round, block, proposal.block_id)
        if self.world.nodes[target].address in self._group:
            return [whole]
        self.noted()
        other = replace(block, header=replace(block.header, time_ms=block.header.time_ms + 1))
        return [self.proposal(proposal.height, proposal.round, other)]

    def hears(self, message: Message) -> bool:
        if isinstance(message, VoteMessage) and message.vote.validator in self._group:
            vote = message.vote
            if (vote.kind, vote.height, vote.round) == ("prevote", self._height, self._round):
                if vote.block_id == self._block_id:
                    self._votes[vote.validator] = vote
                self._show()
        return super().hears(message)

    def _choose(self, height: int, round_: int, block: Block, block_id: bytes) -> None:
        """Choose the smallest group whose power with the own one is a quorum."""
        self._height, self._round, self._block, self._block_id = height, round_, block, block_id
        self._votes, self._group = {}, []
        validators = self.node.running.machine.validators
        power = validators.power(self.node.address)
        others = [entry.address for entry in validators.entries if entry.address != self.node.address]
        for address in sorted(others, key=lambda _: self.chance.random()):
            if validators.is_quorum(power):
                return
            self._group.append(address)
            power += validators.power(address)

    def _show(self) -> None:
        """The whole group has prevoted the block: re-propose it."""
        if self._block is None or len(self._votes) < len(self._group):
            return
        validators = self.node.running.machine.validators
        ahead = range(self._round + 1, self._round + limits.ROUNDS_AHEAD_MAX)
        later = next((r for r in ahead if validators.proposer(self._height, r) == self.node.address), None)
        if later is None:
            return
        own = self.vote("prevote", self._height, self._round, self._block_id).vote
        polka = tuple(vote for _, vote in sorted({**self._votes, own.validator: own}.items()))
        stripped = self.proposal(self._height, later, self._block, self._round)
        self._block = None
        self.noted()
        if self.chance.random() < 0.5:
            for other in (NIL, self.chance.randbytes(32)):
                self.tell_everyone(self.vote("prevote", self._height, self._round, other))
        for index, link in sorted(self.node.links.items()):
            self.node.say(link, stripped)
            if self.world.nodes[index].address == self._group[0]:
                self.node.say(link, ProposalMessage(stripped.proposal, stripped.block, polka))
