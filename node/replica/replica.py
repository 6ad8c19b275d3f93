"""The replica: the whole node as a state machine, without sockets, clocks, disks and HTTP.

`handle(event, now_ms, wall_ms) -> list[Action]`. The simulator and the daemon run the same object.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from node import limits
from node.chain.block import Block, Commit
from node.consensus.machine import Machine
from node.errors import Rejected
from node.execution.block_run import BlockResult
from node.mempool.pool import Pool
from node.replica import events as e
from node.replica.admission import Admission
from node.replica.block_builder import BlockBuilder
from node.replica.block_sync import BlockSync
from node.replica.catch_up import CatchUp, PeerView
from node.replica.consensus_driver import ConsensusDriver
from node.replica.doppelganger import Doppelganger
from node.replica.evidence_pool import EvidencePool
from node.replica.messages import (
    Announce,
    Blocks,
    Body,
    CompactProposal,
    EvidenceMessage,
    GetBlocks,
    GetBody,
    GetParts,
    GetTransactions,
    Message,
    Parts,
    Presence,
    ProposalMessage,
    Status,
    Transactions,
    VoteMessage,
)
from node.replica.pending_verifications import BodyJob, PendingVerifications, PoolJob, SyncJob
from node.replica.progress import SyncPace
from node.replica.proposals_and_votes import ProposalsAndVotes
from node.replica.services import ReplicaConfig, Services
from node.replica.signer import ConsensusSigner
from node.replica.signing_duty import SigningDuty
from node.replica.step_context import StepContext
from node.replica.tx_gossip import TxGossip
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx
from node.txtypes.forecast import Forecast
from node.txtypes.rulesets import unknown_rules

__all__ = ["Replica", "ReplicaConfig"]

STATUS_EVERY_MS = 250
"""Minimum interval between status messages, from which a peer learns that it lacks a block. With every block they are a
third of all messages of a quiet network."""
SYNCING_GAP = 3
"""Blocks behind before the node counts as syncing; fewer are caught up by consensus."""


class Work(NamedTuple):
    """How many transactions a replica has handled, each counted as often as it was."""

    decoded: int
    """From gossip and from blocks."""
    judged: int
    """Over the head, before they enter the pool or because a block has touched them."""
    executed: int
    """In blocks, those of others and those that were built here."""


class Replica:
    """`signer` is None for a follower. `instance`: 16 random bytes of this process."""

    def __init__(
        self, store: ChainStore, signer: ConsensusSigner | None, config: ReplicaConfig, instance: bytes
    ) -> None:
        self.store = store
        self.config = config
        self.pool = Pool(config.pool)
        self.sync = CatchUp()
        self._context = StepContext()
        self._signing_duty = SigningDuty(signer, store, self.sync, self._context, instance)
        self._tx_gossip = TxGossip(self.pool, store.genesis_hash)
        self._verifications = PendingVerifications(self._context)
        self._builder = BlockBuilder(store, config.build_txs_max, config.slice_txs, config.stopwatch)
        self._admission = Admission(
            store, self.pool, self._tx_gossip, self._builder, self._context, config.announce_after_ms
        )
        self._evidence = EvidencePool(store, self._builder, self._context)
        self._proposals_and_votes = ProposalsAndVotes(store, self.sync, self._signing_duty, self._context)
        self._blocks = BlockSync(
            store, self.sync, self._builder, self._tx_gossip, self._verifications, self._context, self._commit_delivered
        )
        self._services = Services(
            store,
            config,
            self._context,
            self.pool,
            self._builder,
            self._tx_gossip,
            self._verifications,
            self._evidence,
            self._signing_duty,
            self._commit,
            self._admission.on_built,
            self._proposals_and_votes.relay,
        )
        self._status_at = 0
        self._status_told = -STATUS_EVERY_MS
        self._announce_at = 0
        self._driver = ConsensusDriver(self._services)

    # --- queries ----------------------------------------------------------------------
    @property
    def machine(self) -> Machine:
        return self._driver.machine

    @property
    def doppelganger(self) -> Doppelganger | None:
        return self._signing_duty.doppelganger

    @property
    def halted(self) -> str:
        """Why this replica has halted; empty while it runs."""
        return self._context.halted

    def work(self) -> Work:
        """What this replica has done since it started."""
        return Work(self._tx_gossip.decoded, self._admission.judged, self._builder.executed)

    def pace(self) -> SyncPace:
        """Block sync progress."""
        return self._blocks.pace()

    def is_syncing(self) -> bool:
        """Whether more than `SYNCING_GAP` blocks are missing and being delivered, or no peer has the next one any more.
        Heights that peers only claim don't count."""
        sync, head, now_ms = self.sync, self.store.height(), self._context.now_ms
        if sync.waiting(head) > SYNCING_GAP or sync.is_stranded(head):
            return True
        return sync.is_catching_up(head, now_ms) and sync.best_height(now_ms) - head > SYNCING_GAP

    def signs_from(self) -> int:
        """The lowest height that this validator may sign; 0 for a follower."""
        return self._signing_duty.signer.floor if self._signing_duty.signer is not None else 0

    def may_sign(self) -> bool:
        return self._signing_duty.may_sign()

    def is_key_in_force(self) -> bool:
        """Whether our signer's key is our consensus key at the next height."""
        return self._signing_duty.address is not None

    def forecast(self, tx: CheckedTx) -> Forecast:
        """What the transaction would change over the head, or every guard that is unmet."""
        return self._admission.forecast(tx)

    def clock_offset_ms(self) -> int | None:
        """How far our clock is ahead of the network's; None if we took no part in deciding the newest block."""
        return self._admission.clock_offset_ms()

    # --- events -----------------------------------------------------------------------------------------
    def start(self, now_ms: int, wall_ms: int | None = None) -> list[e.Action]:
        """Start at the store's head, with the hard state if there is one. Times as for `handle`."""
        self._context.begin(now_ms, now_ms if wall_ms is None else wall_ms)
        self._driver = ConsensusDriver(self._services)
        self._status_at = now_ms
        self._announce_at = now_ms + limits.ANNOUNCE_AGAIN_MS
        head = self.store.head()
        self._context.notice("started", "info", height=head.height, id=head.block_id.hex())
        if not unknown_rules(head.params, head.height + 1):
            self._signing_duty.start()
        self._begin_height()
        return self._flush()

    def _begin_height(self) -> None:
        """Start the next height; restore the hard state if it is of that height.

        That is so after a restart, and after syncing a store that was older than the hard state. Halt if
        this software does not know the ruleset that judges the height.
        """
        self._driver = ConsensusDriver(self._services)
        head = self.store.head()
        if unknown := unknown_rules(head.params, head.height + 1):
            self._context.halt(unknown)
        elif self._signing_duty.has_signed_at(self._driver.height):
            self._driver.restore()

    def handle(self, event: e.Event, now_ms: int, wall_ms: int | None = None) -> list[e.Action]:
        """Process one event; returns the actions to carry out, in order.

        `now_ms`: steady time, for timers. `wall_ms`: wall-clock time, if different.
        """
        self._context.begin(now_ms, now_ms if wall_ms is None else wall_ms)
        if isinstance(event, e.Failed):
            self._context.halted = event.reason
            return []
        if self.halted:
            refused = "the node has halted"
            return (
                [e.Admitted(event.request, (refused,) * len(event.transactions))] if isinstance(event, e.Admit) else []
            )
        match event:
            case e.Tick():
                self._driver.work()
                self._blocks.work()
            case e.PeerConnected(peer, node_key, is_member):
                self.sync.peers[peer] = PeerView(node_key, is_member=is_member)
                self._context.send(peer, self._status())
                for message in self._driver.messages.own():
                    self._context.send(peer, message)
                for announcement in self._tx_gossip.announcements():
                    self._context.send(peer, announcement)
                for piece in self._evidence.pieces()[: limits.EVIDENCE_PER_BLOCK_MAX]:  # it may have missed these
                    self._context.send(peer, EvidenceMessage(piece))
            case e.PeerLost(peer):
                self.sync.lost(peer)
            case e.Received(peer, message, received_ms):
                self._on_message(peer, message, self._context.on_the_wall(received_ms))
            case e.Verified(job, results):
                self._on_verified(job, results)
            case e.KeyInUse():
                self._signing_duty.key_in_use()
            case e.SignerConnected(signer):
                self._signing_duty.attach(signer)
                self._begin_height()
            case e.Admit(request, transactions):
                outcomes = tuple(self._admission.submit(tx) for tx in transactions)
                self._context.add(e.Admitted(request, outcomes))
            case _:
                assert_never(event)
        self._on_time()
        return self._flush()

    def _flush(self) -> list[e.Action]:
        for announcement in self._tx_gossip.fresh_announcements():
            self._context.broadcast(announcement)
        return self._context.take()

    # --- time -----------------------------------------------------------------------------------------
    def next_deadline_ms(self) -> int:
        """When the next `Tick` is due."""
        parts = (self._signing_duty, self._blocks, self._admission, self._proposals_and_votes)
        others = [part.deadline_ms() for part in parts]
        return min(
            self._status_at, self._announce_at, self._driver.deadline_ms(), *(at for at in others if at is not None)
        )

    def _on_time(self) -> None:
        if self.halted:
            return
        self._signing_duty.on_time()
        self._proposals_and_votes.on_time()
        self._driver.on_time()
        if self._context.now_ms >= self._status_at:
            self._tell_status()
        if self._context.now_ms >= self._announce_at:
            self._announce_at = self._context.now_ms + limits.ANNOUNCE_AGAIN_MS
            for announcement in self._tx_gossip.announcements()[:1]:
                self._context.broadcast(announcement)
        self._blocks.advance()
        self._admission.on_time()

    def _status(self) -> Status:
        return Status(self.store.height(), min(self.machine.round, limits.ROUND_CAP), self.store.first_height())

    def _tell_status(self) -> None:
        """Broadcast our status, at most every `STATUS_EVERY_MS`: block sync commits hundreds of blocks a second."""
        now = self._context.now_ms
        if now < self._status_told + STATUS_EVERY_MS:
            self._status_at = min(self._status_at, self._status_told + STATUS_EVERY_MS)
            return
        self._status_told, self._status_at = now, now + limits.RESEND_MS
        self._context.broadcast(self._status())

    # --- messages -------------------------------------------------------------------------------------
    def _on_message(self, peer: e.PeerId, message: Message, received_ms: int) -> None:
        if peer not in self.sync.peers:
            return
        try:
            self._dispatch(peer, message, received_ms)
        except Rejected as error:
            self._context.misbehaved(peer, error.code, str(error))

    def _dispatch(self, peer: e.PeerId, message: Message, received_ms: int) -> None:
        """Process a message. Raises `Rejected` if the peer is at fault."""
        context, head = self._context, self.store.height()
        match message:
            case Status():
                view = self.sync.peers[peer]
                view.height, view.oldest = message.height, message.oldest
            case ProposalMessage():
                self._proposals_and_votes.on_proposal(peer, message, received_ms, self._driver)
            case CompactProposal():
                self._proposals_and_votes.on_compact(peer, message, received_ms, self._driver)
            case GetParts(height, block_id, wire_ids):
                if raws := self._driver.parts(height, block_id, wire_ids):
                    context.send(peer, Parts(height, block_id, raws))
            case Parts():
                self._driver.on_parts(peer, message)
            case VoteMessage(vote):
                self._proposals_and_votes.on_vote(peer, vote, self._driver)
            case GetBody(height, block_id):
                body = self._driver.body(height, block_id)
                if body is not None:
                    context.send(peer, Body(body))
            case Body(block):
                self._driver.on_body(block)
            case GetBlocks(first, last):
                self._blocks.serve(peer, first, last)
            case Blocks(blocks):
                self.sync.delivered(peer, blocks, head, context.now_ms)
            case Announce(wire_ids):
                is_behind = self.sync.is_catching_up(head, context.now_ms)
                for tx in [] if is_behind else self._tx_gossip.verified_not_pooled(wire_ids):
                    self._admission.admit(tx)
                if not is_behind and (wanted := self._tx_gossip.to_fetch(peer, wire_ids, context.now_ms)):
                    context.send(peer, GetTransactions(wanted))
            case GetTransactions(wire_ids):
                for portion in self._tx_gossip.have(wire_ids):
                    context.send(peer, Transactions(portion))
            case Transactions(raws):
                if fetched := self._tx_gossip.fetched(raws):
                    self._verifications.start(PoolJob(peer), fetched)
            case EvidenceMessage(evidence):
                self._evidence.take(evidence)
            case Presence():
                self._signing_duty.on_presence(peer, message)
            case _:
                assert_never(message)

    def _on_verified(self, job: int, results: tuple[bool, ...]) -> None:
        pending = self._verifications.finish(job)
        if pending is None:
            return
        purpose, transactions = pending
        checked = []
        for signed, is_good in zip(transactions, results, strict=True):
            if is_good:
                tx = CheckedTx(signed)
                self._tx_gossip.note_verified(tx)
                checked.append(tx)
            else:
                self._tx_gossip.refuse(signed.wire_id)
        match purpose:
            case PoolJob(peer):
                if not all(results):
                    self._context.misbehaved(peer, "bad_signature", "a transaction's signature does not verify")
                is_mesh = self.sync.is_mesh(len(self.store.head().validators))
                for tx in checked:
                    self._admission.admit_late(tx) if is_mesh else self._admission.admit(tx)
            case BodyJob():
                self._driver.on_body_verified(purpose, is_good=all(results))
            case SyncJob():
                self._blocks.on_verified(purpose, job, is_good=all(results))
            case _:
                assert_never(purpose)

    # --- commits --------------------------------------------------------------------------------------
    def _commit_delivered(self, block: Block, result: BlockResult, commit: Commit) -> None:
        self._commit(block, result, commit, is_decided_here=False)
        self._signing_duty.caught_up_to(block.header.height)

    def _commit(self, block: Block, result: BlockResult, commit: Commit, *, is_decided_here: bool = True) -> None:
        """Write the block to disk, then recheck pool and evidence against the new head, and start the next height."""
        self.store.commit_block(block, result, commit)
        self._admission.on_new_head(is_decided_here=is_decided_here)
        for tx in result.transactions:
            self.pool.remove(tx.txid)
        self._tx_gossip.committed(result.transactions)
        self._proposals_and_votes.committed()
        self._context.add(e.BlockCommitted(block, result, result.transactions, commit.round))
        self._begin_height()
        if self.halted:
            return
        self._blocks.height_decided()
        self.sync.committed()
        self._evidence.committed()
        self._admission.recheck(result)
        self._tell_status()
