"""Sends as many messages as a validator can sign: many blocks for one round, presences of ever new instances, votes of
ever higher rounds, false evidence. Each node gets different ones to relay."""

from __future__ import annotations

from msgspec.structs import replace

from node import limits
from node.chain.vote import Evidence
from node.replica.doppelganger import presence_bytes
from node.replica.messages import CompactProposal, EvidenceMessage, Message, Presence, ProposalMessage
from support.simulation.byzantine.behaviour import Behaviour, Said
from support.simulation.node import SimulatedNode

BLOCKS = 20
"""Blocks for one round and target; more than the bodies that a node keeps of one height."""
EACH_TIME = 40
"""Presences, and votes, for one target every 400 ms: within the rate limit."""
TIMES = 20
"""Long enough to use up the burst of the rate limits; then it only proposes."""


class Spammer(Behaviour):
    name = "spammer"

    def __init__(self, node: SimulatedNode) -> None:
        super().__init__(node)
        self._round = 0
        self._times = 0

    def outgoing(self, target: int, message: Message) -> Said:
        whole = self.whole(message)
        if whole is None or whole.proposal.valid_round >= 0:
            return [message]
        self.noted()
        return [message, *(self._another(whole, BLOCKS * target + number + 1) for number in range(BLOCKS))]

    def _another(self, whole: ProposalMessage, number: int) -> Message:
        """Another valid block of the same round, or one of transactions that nobody has."""
        proposal, block = whole.proposal, whole.block
        other = replace(block, header=replace(block.header, time_ms=block.header.time_ms + number))
        another = self.proposal(proposal.height, proposal.round, other)
        if number % 2:
            return another
        wire_ids = (self.chance.randbytes(32),)
        return CompactProposal(another.proposal, other.header, wire_ids, (), other.last_commit, ())

    def on_time(self) -> None:
        self._times += 1
        if self._times > TIMES:
            return
        machine = self.node.running.machine
        first = max(self._round, machine.round + limits.ROUNDS_AHEAD_MAX + 1)
        own = self.node.address
        for link in list(self.node.links.values()):
            if link not in self.world.network.peers:
                continue
            self.noted()
            for number in range(EACH_TIME):
                instance = self.chance.randbytes(16)
                signed = presence_bytes(self.world.genesis_hash, own, instance, bytes(16), True)
                self.node.say(link, Presence(own, instance, bytes(16), True, self.node.consensus.sign(signed)))
                round_ = min(first + number, limits.ROUND_CAP)
                self.node.say(link, self.vote("prevote", machine.height, round_, self.chance.randbytes(32)))
            if self.chance.random() < 0.2:  # it costs score, so only now and then
                vote = self.vote("prevote", machine.height, machine.round, self.chance.randbytes(32)).vote
                self.node.say(link, EvidenceMessage(Evidence(vote, vote)))
        self._round = first + EACH_TIME if first < limits.ROUND_CAP - EACH_TIME else 0
