"""Ring 2: the whole node but for sockets, clocks, disks and HTTP.

`handle(event, now_ms) -> list[Action]`. The simulator and the daemon run this very object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from node import limits
from node.chain.block import Block, Commit, Committed, block_id_of, verify_commit
from node.chain.vote import Evidence, Proposal, Vote, evidence_id, sign_bytes_of
from node.consensus import messages as m
from node.consensus.machine import Machine
from node.consensus.messages import Lock, Step
from node.consensus.safety import SignedProposal, SigningRefused, last_step
from node.crypto.signing import is_signature
from node.errors import InvalidBlock, InvalidCertificate, Rejected
from node.execution.block_run import BlockResult, BlockRun
from node.execution.evidence import check_evidence
from node.mempool.pool import Pool, PoolLimits
from node.replica import events as e
from node.replica.blocks import BlockMaker, is_timely
from node.replica.bodies import Bodies, Candidate
from node.replica.catch_up import CatchUp, PeerView
from node.replica.messages import (
    Announce,
    Blocks,
    Body,
    EvidenceMessage,
    GetBlocks,
    GetBody,
    GetTransactions,
    Message,
    Presence,
    ProposalMessage,
    Status,
    Transactions,
    VoteMessage,
)
from node.replica.presence import Doppelganger, Duty, is_genuine
from node.replica.signing import NO_PROMISE, Promise, Signer
from node.replica.transactions import Transactions as TransactionDesk
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, SignedTx
from node.txtypes.unmet import Unmet

EVIDENCE_POOL_MAX = 256


@dataclass(frozen=True, slots=True)
class PoolJob:
    """Gossiped transactions of one peer are being verified."""

    peer: e.PeerId


@dataclass(frozen=True, slots=True)
class BodyJob:
    """What we did not know of an undecided block is being verified."""

    height: int
    block_id: bytes


@dataclass(frozen=True, slots=True)
class SyncJob:
    """What we did not know of a delivered block is being verified."""


Job = PoolJob | BodyJob | SyncJob

PROPOSE_TIMEOUT_MS = 1_000
TIMEOUT_STEP_MS = 500
NEED_RETRY_MS = 500


@dataclass(frozen=True)
class ReplicaConfig:
    """Local policy: nothing here is a rule of the chain."""

    block_interval_min_ms: int = 200
    block_interval_empty_ms: int = 10_000
    build_txs_max: int = 1_000
    serves_from: int = 1
    pool: PoolLimits = field(default_factory=PoolLimits)


class Replica:
    """`signer` is None for a node that only follows. `instance`: 16 random bytes of this process."""

    def __init__(self, store: ChainStore, signer: Signer | None, config: ReplicaConfig, instance: bytes) -> None:
        self.store = store
        self.config = config
        self.pool = Pool(config.pool)
        self.sync = CatchUp()
        self.halted = ""
        self._signer = signer
        self._instance = instance
        self._maker = BlockMaker(store, config.build_txs_max)
        self._desk = TransactionDesk(self.pool, store.genesis_hash)
        self._evidence: dict[bytes, Evidence] = {}
        self._actions: list[e.Action] = []
        self._now = 0
        self._jobs: dict[int, tuple[Job, list[SignedTx]]] = {}
        self._next_job = 0
        self._presence_relayed: dict[tuple[bytes, bytes], int] = {}
        self.doppelganger: Doppelganger | None = None
        self._enter_height(0)

    def _enter_height(self, now_ms: int) -> None:
        head = self.store.head()
        own = self._signer.address if self._signer else None
        self.machine = Machine(head.height + 1, head.validators, own)
        self._bodies = Bodies()
        self._timeouts: dict[Step, tuple[int, int]] = {}
        self._entered_at = now_ms
        self._resend_at = now_ms + limits.RESEND_MS
        self._build_at: tuple[int, int] | None = None
        self._needed: dict[bytes, None] = {}
        self._held_back: list[tuple[str, int, bytes]] = []
        self._need_again_at = 0
        self._sync_job = 0
        self._judging: BlockRun | None = None

    # ==================================================================================================
    # life of the object
    # ==================================================================================================
    def start(self, now_ms: int) -> list[e.Action]:
        """Begin at the store's head, from the hard state where there is one."""
        self._now = now_ms
        self._enter_height(now_ms)
        signer, head = self._signer, self.store.head()
        if signer is not None:
            if head.height and self._signed_commit(head.height) and signer.state.height < head.height:
                signer.raise_floor(head.height + 3)
                self._notice("signing_state_lost", "warning", floor=signer.floor)
            is_at_height = signer.state.height == head.height + 1
            self.doppelganger = Doppelganger(signer, self._instance, self.store.genesis_hash, now_ms, is_at_height)
            if is_at_height:
                self._restore()
        self._notice("started", "info", height=head.height, id=head.block_id.hex())
        return self._flush()

    def _signed_commit(self, height: int) -> bool:
        """Whether the certificate of `height` holds our signature."""
        commit, validators = self.store.commit(height), self.store.validators(height)
        assert self._signer is not None and commit is not None, "asked of committed heights only"
        address = self._signer.address
        return address in validators and bool(commit.signatures[validators.index(address)])

    def _restore(self) -> None:
        """Put machine and bodies back to where the hard state says this validator was."""
        assert self._signer is not None, "only a signer has hard state"
        state = self._signer.state
        for block in state.bodies:
            self._take_body(block, block_id_of(block.header, self.store.genesis_hash))
        locked = Lock(state.locked.round, state.locked.block_id) if state.locked else None
        valid = Lock(state.valid.round, state.valid.block_id) if state.valid else None
        step = max(last_step(state)[2], Step.PROPOSE)
        self._apply(self.machine.restore(state.round, step, locked, valid))
        if valid is not None:
            self._feed(m.QuorumProved("prevote", valid.round, valid.block_id))
        for message in state.messages:
            if isinstance(message, SignedProposal):
                self._feed(m.ProposalReceived(message.proposal, True))
            else:
                self._feed(m.VoteReceived(message.vote))

    def handle(self, event: e.Event, now_ms: int) -> list[e.Action]:
        """Take one event; what is to be done comes back in order. Time never runs backwards in here."""
        self._now = max(now_ms, self._now)
        if self.halted:
            return []
        match event:
            case e.Tick():
                pass
            case e.PeerConnected(peer, node_key):
                self.sync.peers[peer] = PeerView(node_key)
                self._send(peer, self._status())
                for message in self._own_messages():
                    self._send(peer, message)
            case e.PeerLost(peer):
                self.sync.lost(peer)
            case e.Received(peer, message, received_ms):
                self._on_message(peer, message, received_ms)
            case e.Verified(job, results):
                self._on_verified(job, results)
            case e.KeyInUse():
                if self.doppelganger is not None:
                    self.doppelganger.key_is_connected_elsewhere()
            case e.Admit(request, transactions):
                outcomes = tuple(self._admit(tx) for tx in transactions)
                self._actions.append(e.Admitted(request, outcomes))
            case _:
                assert_never(event)
        self._on_time()
        return self._flush()

    def _flush(self) -> list[e.Action]:
        fresh = self._desk.to_announce
        for start in range(0, len(fresh), limits.ANNOUNCE_MAX):
            self._actions.append(e.Broadcast(Announce(tuple(fresh[start : start + limits.ANNOUNCE_MAX]))))
        self._desk.to_announce = []
        actions, self._actions = self._actions, []
        return actions

    # ==================================================================================================
    # time
    # ==================================================================================================
    def next_deadline_ms(self) -> int:
        """When a `Tick` is wanted."""
        deadlines = [self._resend_at, *(at for at, _ in self._timeouts.values())]
        if self._may_start():
            deadlines.append(self._opens_at() if self._has_work() else self._opens_at_empty())
        if self._build_at is not None:
            deadlines.append(self._build_at[0])
        if self._needed:
            deadlines.append(self._need_again_at)
        if self.doppelganger is not None:
            deadlines.append(self.doppelganger.deadline_ms())
        syncing = self.sync.next_deadline_ms(self.store.height(), self._now)
        if syncing is not None and not self._sync_job:
            deadlines.append(syncing)
        return min(deadlines)

    def _opens_at(self) -> int:
        return self._entered_at + self.config.block_interval_min_ms

    def _opens_at_empty(self) -> int:
        return self._entered_at + self.config.block_interval_empty_ms

    def _has_work(self) -> bool:
        return len(self.pool) > 0 or bool(self._evidence)

    def _on_time(self) -> None:
        if self.halted:
            return
        now = self._now
        machine = self.machine
        if self._may_start() and (
            now >= self._opens_at_empty() or (now >= self._opens_at() and self._has_work()) or machine.wants_start()
        ):
            self._feed(m.StartHeight())
        for step, (at, round_) in list(self._timeouts.items()):
            if now >= at and self._timeouts.get(step) == (at, round_):
                del self._timeouts[step]
                self._feed(m.TimeoutFired(step, round_))
        if self._build_at is not None and now >= self._build_at[0]:
            round_ = self._build_at[1]
            self._build_at = None
            self._build(round_)
        self._watch_for_doubles()
        if now >= self._resend_at:
            self._resend()
        if self._needed and now >= self._need_again_at:
            self._ask_for_needed()
        self._advance_sync()

    def _may_start(self) -> bool:
        """A validator that listens still decides by certificates, but starts no round that it could not vote in."""
        is_listening = self.doppelganger is not None and self.doppelganger.duty is Duty.LISTENING
        return self.machine.step_now is Step.NEW and not is_listening

    def _watch_for_doubles(self) -> None:
        if self.doppelganger is None:
            return
        before = self.doppelganger.duty
        is_alone = len(self.store.head().validators) == 1
        message = self.doppelganger.on_tick(self._now, bool(self.sync.peers), is_alone)
        if message is not None:
            self._broadcast(message)
        if self._held_back and self.may_sign():
            held_back, self._held_back = self._held_back, []
            for kind, round_, block_id in held_back:
                if round_ == self.machine.round:
                    self._sign_vote(kind, round_, block_id)
        if before is not self.doppelganger.duty:
            self._notice("duty", "info", duty=str(self.doppelganger.duty), why=self.doppelganger.why)

    def _resend(self) -> None:
        """Nothing may depend on one delivery: own messages and this round's votes go out again."""
        self._resend_at = self._now + limits.RESEND_MS
        self._broadcast(self._status())
        if self.machine.step_now is not Step.NEW:
            for message in self._own_messages() + self._round_messages():
                self._broadcast(message)

    def _own_messages(self) -> list[Message]:
        """Every own signed message of the round in flight, as often as anybody needs it."""
        if self._signer is None or self._signer.state.height != self.machine.height:
            return []
        found: list[Message] = []
        for message in self._signer.state.messages:
            if isinstance(message, SignedProposal):
                full = self._proposal_message(message.proposal)
                if full is not None:
                    found.append(full)
            else:
                found.append(VoteMessage(message.vote))
        return found

    def _round_messages(self) -> list[Message]:
        """The proposal and votes of the round from others, and the precommits that ended the one before."""
        round_, found = self.machine.round, list[Message]()
        proposal = self.machine.proposal(round_)
        own = self._signer.address if self._signer else b""
        if proposal is not None and proposal.proposer != own and (full := self._proposal_message(proposal)):
            found.append(full)
        last_round = [v for v in self.machine.tally.votes_of_round(round_ - 1) if v.kind == "precommit"]
        for vote in self.machine.tally.votes_of_round(round_) + last_round:
            if vote.validator != own:
                found.append(VoteMessage(vote))
        return found

    # ==================================================================================================
    # consensus: effects of the machine
    # ==================================================================================================
    def _feed(self, event: m.Input) -> None:
        self._apply(self.machine.step(event))

    def _apply(self, effects: list[m.Effect]) -> None:
        for effect in effects:
            if self.halted:
                return
            match effect:
                case m.RoundStarted(round_):
                    self._timeouts.clear()
                    self._build_at = None
                    if round_ > 0:
                        self._notice("round", "info", height=self.machine.height, round=round_)
                case m.ScheduleTimeout(step, round_):
                    cap = self.store.head().params.timeout_cap_ms
                    delay = min(PROPOSE_TIMEOUT_MS + TIMEOUT_STEP_MS * round_, cap)
                    self._timeouts[step] = (self._now + delay, round_)
                case m.BuildBlock(round_):
                    self._build_at = (max(self._now, self.store.head().time_ms + 1), round_)
                case m.SignProposal(round_, block_id, valid_round):
                    self._sign_proposal(round_, block_id, valid_round)
                case m.SignVote(kind, round_, block_id):
                    self._sign_vote(kind, round_, block_id)
                case m.NeedBlock(block_id):
                    self._needed[block_id] = None
                    self._ask_for_needed()
                case m.FoundEvidence(evidence):
                    self._notice("equivocation", "error", validator=evidence.first.validator.hex())
                    self._take_evidence(evidence)
                case m.Decide(round_, block_id):
                    self._decide(round_, block_id)
                case m.DecidedInvalid(_, block_id):
                    candidate = self._bodies.get(block_id)
                    self._halt(f"block {self.machine.height} was decided but does not hold here: "
                               f"{candidate.fault if candidate else ''}")  # fmt: skip
                case _:
                    assert_never(effect)

    def may_sign(self) -> bool:
        """Signing duty: in the set, not listening, not stopped, not catching up."""
        return (
            self._signer is not None
            and self.doppelganger is not None
            and self.doppelganger.duty is Duty.SIGNING
            and not self.sync.is_catching_up(self.store.height(), self._now)
        )

    def _promise(self, *block_ids: bytes) -> Promise:
        machine = self.machine
        wanted = dict.fromkeys(block_ids)
        polka: tuple[Vote, ...] = ()
        for lock in (machine.locked, machine.valid):
            if lock is not None:
                wanted[lock.block_id] = None
        if machine.valid is not None:
            votes = machine.tally.votes_for("prevote", machine.valid.round, machine.valid.block_id)
            polka = tuple(votes[v] for v in sorted(votes)) or (self._signer.state.polka if self._signer else ())
        bodies = [candidate.block for i in wanted if (candidate := self._bodies.get(i)) is not None]
        if machine.locked is None and machine.valid is None and not bodies:
            return NO_PROMISE
        return Promise(machine.locked, machine.valid, polka, tuple(bodies))

    def _sign_vote(self, kind: str, round_: int, block_id: bytes) -> None:
        signer, machine = self._signer, self.machine
        if signer is None:
            return
        if not self.may_sign():
            self._held_back.append((kind, round_, block_id))
            return
        own = [p.proposal for p in signer.state.messages if isinstance(p, SignedProposal)]
        proposed = [p.block_id for p in own if (p.height, p.round) == (machine.height, round_)]
        try:
            vote = signer.sign_vote(
                "prevote" if kind == "prevote" else "precommit",
                machine.height,
                round_,
                block_id,
                self._promise(*proposed),
            )
        except SigningRefused as error:
            self._notice("signing_refused", "warning", why=str(error))
            return
        self._broadcast(VoteMessage(vote))
        self._feed(m.VoteReceived(vote))

    def _sign_proposal(self, round_: int, block_id: bytes, valid_round: int) -> None:
        if self._signer is None or not self.may_sign():
            return
        try:
            proposal = self._signer.sign_proposal(
                self.machine.height, round_, block_id, valid_round, self._promise(block_id)
            )
        except SigningRefused as error:
            self._notice("signing_refused", "warning", why=str(error))
            return
        message = self._proposal_message(proposal)
        if message is not None:
            self._broadcast(message)
        self._feed(m.ProposalReceived(proposal, True))

    def _proposal_message(self, proposal: Proposal) -> ProposalMessage | None:
        candidate = self._bodies.get(proposal.block_id)
        if candidate is None:
            return None
        polka: tuple[Vote, ...] = ()
        if proposal.valid_round >= 0:
            votes = self.machine.tally.votes_for("prevote", proposal.valid_round, proposal.block_id)
            polka = tuple(votes[validator] for validator in sorted(votes))
            if not polka and self._signer is not None:
                polka = self._signer.state.polka
        return ProposalMessage(proposal, candidate.block, polka)

    def _build(self, round_: int) -> None:
        if self._signer is None or not self.may_sign() or round_ != self.machine.round:
            return
        if self.machine.step_now is not Step.PROPOSE:
            return
        evidence = list(self._evidence.values())
        built = self._maker.build(lambda: list(self.pool), evidence, self._signer.address, self._now)
        for tx, unmet in built.failed:
            self._drop(tx, unmet)
        for tx, why in built.poison:
            self._notice("poison", "error", txid=tx.txid.hex(), why=why)
            self._desk.refuse(tx.wire_id)
            self._drop(tx, ())
        self._bodies.add(built.block_id, Candidate(built.block, list(built.result.transactions), built.result), set())
        self._feed(m.BlockBuilt(round_, built.block_id))

    def _decide(self, round_: int, block_id: bytes) -> None:
        candidate = self._bodies.get(block_id)
        assert candidate is not None and candidate.result is not None, "the machine decides judged blocks only"
        votes = self.machine.tally.votes_for("precommit", round_, block_id)
        entries = self.machine.validators.entries
        signatures = tuple(votes[v.address].signature if v.address in votes else b"" for v in entries)
        self._commit(candidate.block, candidate.result, Commit(self.machine.height, round_, block_id, signatures))

    def _commit(self, block: Block, result: BlockResult, commit: Commit) -> None:
        self.store.commit_block(block, result, commit)
        for tx in result.transactions:
            self.pool.remove(tx.txid)
        self._actions.append(e.BlockCommitted(block, result, result.transactions, commit.round))
        self._enter_height(self._now)
        self.sync.committed()
        self._evidence = {evidence_id(p): p for p in self._maker.usable_evidence(list(self._evidence.values()))}
        for tx in self.pool.expired(result.time_ms):
            self._drop(tx, (), is_expired=True)
        run = self._judging_run()
        for tx in self.pool.touching(result.changes):
            if unmet := tuple(run.judge(tx).unmet_guards):
                self._drop(tx, unmet)
        self._broadcast(self._status())

    def _drop(self, tx: CheckedTx, unmet: tuple[Unmet, ...], *, is_expired: bool = False) -> None:
        self.pool.remove(tx.txid)
        self._actions.append(e.Dropped(tx, unmet, is_expired))

    # ==================================================================================================
    # messages
    # ==================================================================================================
    def _on_message(self, peer: e.PeerId, message: Message, received_ms: int) -> None:
        if peer not in self.sync.peers:
            return
        try:
            match message:
                case Status():
                    view = self.sync.peers[peer]
                    view.height, view.oldest = message.height, message.oldest
                case ProposalMessage():
                    self._on_proposal(peer, message, received_ms)
                case VoteMessage(vote):
                    self._on_vote(peer, vote)
                case GetBody(height, block_id):
                    candidate = self._bodies.get(block_id) if height == self.machine.height else None
                    if candidate is not None:
                        self._send(peer, Body(candidate.block))
                case Body(block):
                    block_id = block_id_of(block.header, self.store.genesis_hash)
                    if self._needed.pop(block_id, b"") is None:
                        self._take_body(block, block_id)
                case GetBlocks(first):
                    self._serve_blocks(peer, first)
                case Blocks(blocks):
                    self.sync.delivered(peer, blocks, self.store.height(), self._now)
                case Announce(wire_ids):
                    if not self.sync.is_catching_up(self.store.height(), self._now):
                        wanted = self._desk.to_fetch(wire_ids, self._now)
                        if wanted:
                            self._send(peer, GetTransactions(wanted))
                case GetTransactions(wire_ids):
                    self._send(peer, Transactions(self._desk.have(wire_ids, limits.SYNC_BATCH_BYTES)))
                case Transactions(raws):
                    if fetched := self._desk.fetched(raws):
                        self._verify(PoolJob(peer), fetched)
                case EvidenceMessage(evidence):
                    self._take_evidence(evidence)
                case Presence():
                    self._on_presence(peer, message)
                case _:
                    assert_never(message)
        except Rejected as error:
            self._actions.append(e.Misbehaved(peer, error.code, str(error)))

    def _on_vote(self, peer: e.PeerId, vote: Vote) -> None:
        signer = self._signer
        if (
            signer is not None
            and vote.validator == signer.address
            and self.doppelganger is not None
            and is_signature(signer.public, sign_bytes_of(vote, self.store.genesis_hash), vote.signature)
        ):
            before = self.doppelganger.duty
            self.doppelganger.saw_vote(vote)
            if self.doppelganger.duty is not before:
                self._notice("duty", "error", duty="stopped", why=self.doppelganger.why)
        if vote.height != self.machine.height or len(vote.block_id) not in (0, 32):
            return
        entry = self.machine.validators.get(vote.validator)
        if entry is None or self.machine.tally.has_vote(vote):
            return
        if not is_signature(entry.consensus_key, sign_bytes_of(vote, self.store.genesis_hash), vote.signature):
            self._actions.append(e.Misbehaved(peer, "bad_signature", "a vote's signature does not verify"))
            return
        self._broadcast(VoteMessage(vote), besides=peer)
        self._feed(m.VoteReceived(vote))

    def _on_proposal(self, peer: e.PeerId, message: ProposalMessage, received_ms: int) -> None:
        proposal, machine = message.proposal, self.machine
        if proposal.height != machine.height or proposal.round < machine.round:
            return
        if machine.proposal(proposal.round) is not None and machine.is_judged(proposal.block_id):
            return
        if machine.validators.proposer(proposal.height, proposal.round) != proposal.proposer:
            raise Rejected(f"{proposal.proposer.hex()} does not propose in round {proposal.round}")
        entry = machine.validators.get(proposal.proposer)
        assert entry is not None, "proposers are in the set"
        if not is_signature(entry.consensus_key, sign_bytes_of(proposal, self.store.genesis_hash), proposal.signature):
            raise Rejected("a proposal's signature does not verify")
        header = message.block.header
        if block_id_of(header, self.store.genesis_hash) != proposal.block_id:
            raise Rejected("the block is not the proposal's")
        if proposal.valid_round >= 0:
            self._take_polka(proposal, message.polka)
        timely = proposal.valid_round >= 0 or (
            header.proposer == proposal.proposer and is_timely(proposal, header.time_ms, received_ms)
        )
        if not timely:
            self._notice("untimely", "warning", height=proposal.height, time_ms=header.time_ms, received_ms=received_ms)
        if len(self.sync.peers) < len(machine.validators) - 1:
            self._broadcast(message, besides=peer)
        self._feed(m.ProposalReceived(proposal, timely))
        if self.machine.height == proposal.height:
            self._take_body(message.block, proposal.block_id)

    def _take_polka(self, proposal: Proposal, polka: tuple[Vote, ...]) -> None:
        """A bad polka is the sending peer's fault. Raises `Rejected`."""
        validators, power = self.machine.validators, 0
        voters: set[bytes] = set()
        for vote in polka:
            entry = validators.get(vote.validator)
            expected = ("prevote", proposal.height, proposal.valid_round, proposal.block_id)
            if entry is None or (vote.kind, vote.height, vote.round, vote.block_id) != expected:
                raise Rejected("a polka holds a vote for something else")
            if not is_signature(entry.consensus_key, sign_bytes_of(vote, self.store.genesis_hash), vote.signature):
                raise Rejected("a polka's signature does not verify")
            if vote.validator not in voters:
                voters.add(vote.validator)
                power += entry.power
        if validators.is_quorum(power):
            self._feed(m.QuorumProved("prevote", proposal.valid_round, proposal.block_id))

    def _on_presence(self, peer: e.PeerId, message: Presence) -> None:
        entry = self.store.head().validators.get(message.validator)
        key = entry.consensus_key if entry else b""
        signer = self._signer
        if signer is not None and message.validator == signer.address:
            key = signer.public
        known = (message.validator, message.instance)
        if not key or self._presence_relayed.get(known, -1_000) > self._now - 300:
            return
        if not is_genuine(message, key, self.store.genesis_hash):
            raise Rejected("a presence's signature does not verify")
        if len(self._presence_relayed) > 1_000:
            self._presence_relayed.clear()
        self._presence_relayed[known] = self._now
        self._broadcast(message, besides=peer)
        if signer is not None and message.validator == signer.address and self.doppelganger is not None:
            before = self.doppelganger.duty
            answer = self.doppelganger.heard(message)
            if answer is not None:
                self._broadcast(answer)
            if self.doppelganger.duty is not before:
                self._notice("duty", "error", duty="stopped", why=self.doppelganger.why)

    def _take_evidence(self, evidence: Evidence) -> None:
        ident = evidence_id(evidence)
        if ident in self._evidence or len(self._evidence) >= EVIDENCE_POOL_MAX:
            return
        head = self.store.head()
        if evidence.first.height == head.height + 1:  # usable one height later
            entry = head.validators.get(evidence.first.validator)
            if entry is None or not all(
                is_signature(entry.consensus_key, sign_bytes_of(vote, self.store.genesis_hash), vote.signature)
                for vote in (evidence.first, evidence.second)
            ):
                return
        else:
            try:
                check_evidence(evidence, self.store.state, head.height + 1, head.params, self.store.genesis_hash)
            except InvalidBlock:
                return
        self._evidence[ident] = evidence
        self._broadcast(EvidenceMessage(evidence))

    # ==================================================================================================
    # bodies and verification
    # ==================================================================================================
    def _take_body(self, block: Block, block_id: bytes) -> None:
        """Judge a block that a proposal or a quorum names; answers the machine when it is done."""
        if self._bodies.get(block_id) is not None:
            return
        candidate = Candidate(block)
        machine = self.machine
        keep = {lock.block_id for lock in (machine.locked, machine.valid) if lock}
        self._bodies.add(block_id, candidate, keep)
        self._needed.pop(block_id, None)
        try:
            self._maker.check_frame(block)
            candidate.transactions, unknown = self._desk.decode_block(block.transactions)
        except InvalidBlock as error:
            self._judged(block_id, candidate, error)
            return
        except Rejected as error:
            self._judged(block_id, candidate, InvalidBlock(error.code, str(error)))
            return
        if unknown:
            self._verify(BodyJob(machine.height, block_id), unknown)
        else:
            self._execute(block_id, candidate)

    def _execute(self, block_id: bytes, candidate: Candidate) -> None:
        transactions = [tx for tx in candidate.transactions if tx is not None]
        assert len(transactions) == len(candidate.block.transactions), "all are verified by now"
        try:
            candidate.result = self._maker.execute(candidate.block, transactions)
        except InvalidBlock as error:
            self._judged(block_id, candidate, error)
            return
        self._feed(m.BlockJudged(block_id, True))

    def _judged(self, block_id: bytes, candidate: Candidate, fault: InvalidBlock) -> None:
        candidate.fault = fault
        self._notice("invalid_block", "error", height=self.machine.height, id=block_id.hex(), why=str(fault))
        self._feed(m.BlockJudged(block_id, False))

    def _ask_for_needed(self) -> None:
        self._need_again_at = self._now + NEED_RETRY_MS
        for block_id in self._needed:
            self._broadcast(GetBody(self.machine.height, block_id))

    def _verify(self, purpose: Job, transactions: list[SignedTx]) -> int:
        self._next_job += 1
        self._jobs[self._next_job] = (purpose, transactions)
        self._actions.append(e.Verify(self._next_job, tuple(transactions)))
        return self._next_job

    def _on_verified(self, job: int, results: tuple[bool, ...]) -> None:
        if job not in self._jobs:
            return
        purpose, transactions = self._jobs.pop(job)
        checked = []
        for signed, is_good in zip(transactions, results, strict=True):
            if is_good:
                tx = CheckedTx(signed)
                self._desk.note_verified(tx)
                checked.append(tx)
            else:
                self._desk.refuse(signed.wire_id)
        match purpose:
            case PoolJob(peer):
                if not all(results):
                    self._actions.append(e.Misbehaved(peer, "bad_signature", "a transaction's signature is wrong"))
                for tx in checked:
                    self._admit(tx)
            case BodyJob(height, block_id):
                self._on_body_verified(height, block_id, is_good=all(results))
            case SyncJob():
                self._on_sync_verified(job, is_good=all(results))
            case _:
                assert_never(purpose)

    def _on_body_verified(self, height: int, block_id: bytes, *, is_good: bool) -> None:
        candidate = self._bodies.get(block_id)
        if height != self.machine.height or candidate is None or candidate.is_judged:
            return
        if not is_good:
            self._judged(block_id, candidate, InvalidBlock("bad_signature", "a transaction's signature is wrong"))
            return
        candidate.transactions = [
            self._desk.known(raw) if tx is None else tx
            for raw, tx in zip(candidate.block.transactions, candidate.transactions, strict=True)
        ]
        self._execute(block_id, candidate)

    # ==================================================================================================
    # admission
    # ==================================================================================================
    def _judging_run(self) -> BlockRun:
        if self._judging is None:
            self._judging = self._maker.run(max(self._now, self.store.head().time_ms + 1))
        return self._judging

    def judge(self, tx: CheckedTx) -> tuple[Unmet, ...]:
        """Every guard that does not hold over the head."""
        return tuple(self._judging_run().judge(tx).unmet_guards)

    def _admit(self, tx: CheckedTx) -> tuple[Unmet, ...] | str:
        self._desk.note_verified(tx)
        return self._desk.admit(tx, self._judging_run())

    # ==================================================================================================
    # catching up
    # ==================================================================================================
    def _status(self) -> Status:
        return Status(self.store.height(), min(self.machine.round, limits.ROUND_CAP), self.config.serves_from)

    def _serve_blocks(self, peer: e.PeerId, first: int) -> None:
        found: list[Committed] = []
        size = 0
        for height in range(first, min(first + limits.SYNC_BATCH_BLOCKS, self.store.height() + 1)):
            raw = self.store.block_bytes(height)
            committed = self.store.committed(height)
            if raw is None or committed is None:
                break
            size += len(raw) + 4096
            if found and size > limits.SYNC_BATCH_BYTES:
                break
            found.append(committed)
        self._send(peer, Blocks(tuple(found)))

    def _advance_sync(self) -> None:
        """Ask for blocks where we are behind; verify and execute the next one that was delivered."""
        head = self.store.height()
        if self._sync_job:
            return
        while self.sync.queue and self.sync.queue[0][1].block.header.height <= head:
            self.sync.queue.popleft()
        if not self.sync.queue:
            peer = self.sync.whom_to_ask(head, self._now)
            if peer is not None:
                self._send(peer, GetBlocks(head + 1))
            return
        peer, committed = self.sync.queue[0]
        try:
            self._check_delivered(committed)
            _, unknown = self._desk.decode_block(committed.block.transactions)
        except Rejected as error:
            self._refuse_delivery(peer, error)
            return
        if unknown:
            self._sync_job = self._verify(SyncJob(), unknown)
        else:
            self._take_delivered()

    def _check_delivered(self, committed: Committed) -> None:
        """A commit from a peer is checked in full. Raises `Rejected`."""
        block, commit = committed.block, committed.commit
        if commit.height != block.header.height:
            raise InvalidCertificate("the certificate is for another height")
        if commit.block_id != block_id_of(block.header, self.store.genesis_hash):
            raise InvalidCertificate("the certificate is for another block")
        verify_commit(commit, self.store.genesis_hash, self.store.head().validators)
        self.sync.verified(block.header.height, self._now)
        self._maker.check_frame(block)

    def _on_sync_verified(self, job: int, *, is_good: bool) -> None:
        if job != self._sync_job:
            return
        self._sync_job = 0
        if not self.sync.queue:
            return
        if not is_good:
            # More than two thirds signed the block, so its id stands; only the body can be somebody's forgery,
            # and the id commits to the body: a certified block with a bad signature is a decided invalid block.
            self._halt(f"block {self.store.height() + 1} was decided with a transaction whose signature is wrong")
            return
        self._take_delivered()

    def _take_delivered(self) -> None:
        _, committed = self.sync.queue.popleft()
        block = committed.block
        transactions = [tx for raw in block.transactions if (tx := self._desk.known(raw)) is not None]
        if len(transactions) != len(block.transactions):
            return  # so many were verified meanwhile that some fell out of the memory: asked for again
        try:
            result = self._maker.execute(block, transactions)
        except InvalidBlock as error:
            self._halt(f"block {block.header.height} was decided but does not execute here: {error}")
            return
        signer = self._signer
        self._commit(block, result, committed.commit)
        height = block.header.height
        if signer is not None and signer.state.height < height and self._signed_commit(height):
            signer.raise_floor(height + 3)  # we signed it before our signing state was lost

    def _refuse_delivery(self, peer: e.PeerId, error: Rejected) -> None:
        self.sync.lied(peer, self._now)
        self._actions.append(e.Misbehaved(peer, error.code, f"delivered a bad block: {error}", 100))

    # ==================================================================================================
    # small things
    # ==================================================================================================
    def _send(self, peer: e.PeerId, message: Message) -> None:
        self._actions.append(e.Send(peer, message))

    def _broadcast(self, message: Message, besides: e.PeerId | None = None) -> None:
        self._actions.append(e.Broadcast(message, besides))

    def _notice(self, name: str, level: str, **fields: object) -> None:
        self._actions.append(e.Notice(name, level, fields))

    def _halt(self, reason: str) -> None:
        self.halted = reason
        self._notice("halt", "critical", why=reason)
        self._actions.append(e.Halt(reason))
