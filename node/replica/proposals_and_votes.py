"""Proposals and votes from peers: verified, relayed, and passed to the consensus driver."""

from __future__ import annotations

from collections import deque

from node import limits
from node.chain.block import Header, block_id_of, check_contents
from node.chain.vote import Proposal, Vote, sign_bytes_of
from node.consensus import messages as m
from node.crypto.signing import is_signature
from node.errors import Rejected
from node.replica.block_builder import is_timely
from node.replica.catch_up import CatchUp
from node.replica.consensus_driver import ConsensusDriver
from node.replica.events import PeerId
from node.replica.messages import CompactProposal, Message, ProposalMessage, VoteMessage
from node.replica.relay_limit import RelayLimit
from node.replica.signing_duty import SigningDuty
from node.replica.step_context import StepContext
from node.storage.chain_store import ChainStore


class ProposalsAndVotes:
    """Verifies the signature of every message before it has any effect."""

    def __init__(self, store: ChainStore, sync: CatchUp, signing_duty: SigningDuty, context: StepContext) -> None:
        self._store = store
        self._genesis_hash = store.genesis_hash
        self._sync = sync
        self._signing_duty = signing_duty
        self._context = context
        self._far_votes = RelayLimit()
        self._late: deque[tuple[int, PeerId, Vote]] = deque()
        """Votes to relay, each with the time from which to, and with the peer that sent it."""

    # --- time ---
    def deadline_ms(self) -> int | None:
        return self._late[0][0] if self._late else None

    def on_time(self) -> None:
        """Relay the votes that are due. By now their height is decided, as a rule."""
        while self._late and self._late[0][0] <= self._context.now_ms:
            _, peer, vote = self._late.popleft()
            self._context.broadcast(VoteMessage(vote), besides=peer)

    def committed(self) -> None:
        self._late.clear()

    # --- messages ---
    def on_vote(self, peer: PeerId, vote: Vote, driver: ConsensusDriver) -> None:
        """Process a vote. Raises `Rejected` if the peer is at fault."""
        self._signing_duty.saw(vote)
        machine = driver.machine
        if vote.height != machine.height or len(vote.block_id) not in (0, 32):
            return
        entry = machine.validators.get(vote.validator)
        if entry is None or not machine.is_news(vote):
            return
        if not self._is_signed(vote, entry.consensus_key):
            raise Rejected("a vote's signature does not verify")
        is_near = vote.round <= machine.round + limits.ROUNDS_AHEAD_MAX
        if is_near or self._far_votes.may(vote.validator, self._context.now_ms):
            if self._is_mesh():
                self._late.append((self._context.now_ms + limits.LATE_RELAY_MS, peer, vote))
            else:
                self._context.broadcast(VoteMessage(vote), besides=peer)
        driver.feed(m.VoteReceived(vote))

    def on_proposal(self, peer: PeerId, message: ProposalMessage, received_ms: int, driver: ConsensusDriver) -> None:
        """Process a proposal and its block. `received_ms`: when its first frame was read.

        Raises `Rejected` if the peer is at fault.
        """
        if not self._is_wanted(message.proposal, driver):
            return
        self._check(message.proposal, message.block.header, driver)
        check_contents(message.block)
        is_new = driver.machine.proposal(message.proposal.round) is None
        self._accept(message, message.block.header, received_ms, driver)
        if is_new:  # a repeated one has been relayed already
            self.relay(message, peer)
        driver.take_body(message.block, message.proposal.block_id)

    def on_compact(self, peer: PeerId, message: CompactProposal, received_ms: int, driver: ConsensusDriver) -> None:
        """Process a compact proposal. Raises `Rejected` if the peer is at fault."""
        if not self._is_wanted(message.proposal, driver):
            return
        self._check(message.proposal, message.header, driver)
        is_new = driver.machine.proposal(message.proposal.round) is None
        self._accept(message, message.header, received_ms, driver)
        driver.on_compact(peer, message, is_new=is_new)

    def _is_wanted(self, proposal: Proposal, driver: ConsensusDriver) -> bool:
        machine = driver.machine
        ahead = proposal.round - machine.round
        if proposal.height != machine.height or not 0 <= ahead <= limits.ROUNDS_AHEAD_MAX:
            return False
        first = machine.proposal(proposal.round)
        if first is None:
            return True
        # A faulty proposer can sign any number of blocks for one round: besides the first, take only requested ones.
        is_requested = first.block_id == proposal.block_id or proposal.block_id in driver.requests
        return is_requested and not machine.is_judged(proposal.block_id)

    def _check(self, proposal: Proposal, header: Header, driver: ConsensusDriver) -> None:
        machine = driver.machine
        if machine.validators.proposer(proposal.height, proposal.round) != proposal.proposer:
            raise Rejected(f"{proposal.proposer.hex()} is not the proposer of round {proposal.round}")
        entry = machine.validators.get(proposal.proposer)
        assert entry is not None, "proposers are in the set"
        if not self._is_signed(proposal, entry.consensus_key):
            raise Rejected("a proposal's signature does not verify")
        if block_id_of(header, self._genesis_hash) != proposal.block_id:
            raise Rejected("the proposal is for another block")

    def _accept(
        self, message: ProposalMessage | CompactProposal, header: Header, received_ms: int, driver: ConsensusDriver
    ) -> None:
        """Check the polka and the timeliness of a verified proposal, and pass it to the machine."""
        proposal = message.proposal
        if proposal.valid_round >= 0:
            self._take_polka(proposal, message.polka, driver)
        if driver.machine.proposal(proposal.round) is not None:
            return  # only the first proposal of a round counts
        timely = proposal.valid_round >= 0 or (
            header.proposer == proposal.proposer and is_timely(proposal, header.time_ms, received_ms)
        )
        if not timely:
            self._context.notice(
                "untimely", "warning", height=proposal.height, time_ms=header.time_ms, received_ms=received_ms
            )
        driver.feed(m.ProposalReceived(proposal, timely))

    def relay(self, message: Message, peer: PeerId) -> None:
        """Relay a message to all other peers, unless all validators are linked to one another."""
        if not self._is_mesh():
            self._context.broadcast(message, besides=peer)

    def _is_mesh(self) -> bool:
        return self._sync.is_mesh(len(self._store.head().validators))

    def _take_polka(self, proposal: Proposal, polka: tuple[Vote, ...], driver: ConsensusDriver) -> None:
        """Verify the polka of a re-proposal. The proposer does not sign it, so a bad one is the sending peer's fault.

        Raises `Rejected`.
        """
        validators, power = driver.machine.validators, 0
        voters: set[bytes] = set()
        for vote in polka:
            entry = validators.get(vote.validator)
            expected = ("prevote", proposal.height, proposal.valid_round, proposal.block_id)
            if entry is None or (vote.kind, vote.height, vote.round, vote.block_id) != expected:
                raise Rejected("a polka contains another vote")
            if not self._is_signed(vote, entry.consensus_key):
                raise Rejected("a polka's signature does not verify")
            if vote.validator not in voters:
                voters.add(vote.validator)
                power += entry.power
        if not validators.is_quorum(power):
            raise Rejected("a re-proposal has no polka")
        driver.feed(m.QuorumProved("prevote", proposal.valid_round, proposal.block_id, polka))

    def _is_signed(self, message: Vote | Proposal, key: bytes) -> bool:
        return is_signature(key, sign_bytes_of(message, self._genesis_hash), message.signature)
