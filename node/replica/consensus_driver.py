"""Consensus driver of one height: runs the machine, its timeouts and block bodies until the height is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from node import limits
from node.chain.block import Block, Commit, block_id_of, check_contents
from node.chain.vote import Proposal, Vote, VoteKind
from node.consensus import messages as m
from node.consensus.machine import Machine
from node.consensus.messages import Lock, Step
from node.consensus.safety import last_step
from node.errors import InvalidBlock, Rejected
from node.replica import events as e
from node.replica.block_requests import BlockRequests
from node.replica.compact_blocks import CompactBlocks, Whole
from node.replica.height_messages import HeightMessages
from node.replica.messages import CompactProposal, Parts, VoteMessage
from node.replica.pause import Pause
from node.replica.pending_verifications import BodyJob
from node.replica.services import Services
from node.replica.signer import NO_PROMISE, Promise
from node.replica.slices import Slices
from node.replica.undecided_blocks import Candidate, UndecidedBlocks
from node.txtypes.rulesets import unknown_ruleset

PROPOSE_TIMEOUT_MS = 1_000
TIMEOUT_STEP_MS = 500


class ConsensusDriver:
    """Feeds the machine and carries out its effects. Each height has a new driver; a decided one does nothing."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._context = services.context
        head, now_ms = services.store.head(), services.context.now_ms
        self.machine = Machine(head.height + 1, head.validators, services.signing_duty.address)
        self.undecided = UndecidedBlocks()
        self.messages = HeightMessages(self.machine, self.undecided, services.signing_duty, services.store.genesis_hash)
        self._compact_blocks = CompactBlocks(
            self.height, services.tx_gossip, services.store.genesis_hash, services.context
        )
        self._genesis_hash = services.store.genesis_hash
        self._parent_time_ms = head.time_ms
        self._timeout_cap_ms = head.params.timeout_cap_ms
        self._pause = Pause(services.config, now_ms)
        self._resend_at = now_ms + limits.RESEND_MS
        self._timeouts: dict[Step, tuple[int, int]] = {}
        self._build_at: tuple[int, int] | None = None
        self.requests = BlockRequests(self.height, services.context)
        self._slices = Slices()
        """Blocks that are being built and executed. Only a `Tick` goes on with them, so that several events that are
        looked at together have one slice between them."""
        self._held_back: list[tuple[VoteKind, int, bytes]] = []

    @property
    def height(self) -> int:
        return self.machine.height

    @property
    def is_over(self) -> bool:
        return self._services.store.height() >= self.height or bool(self._context.halted)

    # --- after a restart ------------------------------------------------------------------------------
    def restore(self) -> None:
        """Restore machine and bodies from the signer's hard state."""
        signer = self._services.signing_duty.signer
        assert signer is not None, "only a signer has hard state"
        state = signer.state
        for block in state.bodies:
            self.take_body(block, block_id_of(block.header, self._genesis_hash))
        locked = Lock(state.locked.round, state.locked.block_id) if state.locked else None
        valid = Lock(state.valid.round, state.valid.block_id) if state.valid else None
        step = max(last_step(state)[2], Step.PROPOSE)
        self._apply(self.machine.restore(state.round, step, locked, valid))
        if valid is not None:
            self.feed(m.QuorumProved("prevote", valid.round, valid.block_id, state.polka))
        for message in self._services.signing_duty.signed_at(self.height):
            if isinstance(message, Proposal):
                self.feed(m.ProposalReceived(message, True))
            else:
                self.feed(m.VoteReceived(message))

    # --- time -----------------------------------------------------------------------------------------
    def deadline_ms(self) -> int:
        if self._slices and not self.is_over:
            return self._context.now_ms
        deadlines = [self._resend_at, *(at for at, _ in self._timeouts.values())]
        if self._may_start():
            deadlines.append(self._pause_end_ms())
        if self._build_at is not None:
            deadlines.append(self._build_at[0])
        for others in (self.requests.deadline_ms(), self._compact_blocks.deadline_ms()):
            if others is not None:
                deadlines.append(others)
        return min(deadlines)

    def on_time(self) -> None:
        now = self._context.now_ms
        if self._may_start() and (now >= self._pause_end_ms() or self.machine.wants_start()):
            self.feed(m.StartHeight())
        # A block that is here and being executed is not late.
        for step, (at, round_) in [] if self._slices else list(self._timeouts.items()):
            if now >= at and self._timeouts.get(step) == (at, round_):
                del self._timeouts[step]
                self.feed(m.TimeoutFired(step, round_))
        if self._build_at is not None and now >= self._build_at[0]:
            round_ = self._build_at[1]
            wait_ms = self._wait_for_clock_ms()  # the clock may have been set back meanwhile
            self._build_at = (now + wait_ms, round_) if wait_ms else None
            if not wait_ms:
                self._build(round_)
        if self._held_back and self._services.signing_duty.may_sign():
            self._sign_held_back()
        if now >= self._resend_at and not self.is_over:
            self._resend_at = now + limits.RESEND_MS
            if self.machine.step_now is not Step.NEW:
                for message in self.messages.own() + self.messages.of_others():
                    self._context.broadcast(message)
        for block_id in self._compact_blocks.overdue():
            if self.undecided.get(block_id) is None:
                self.requests.add(block_id)
        if self.requests.is_due() and not self.is_over:
            for block_id in self.requests.again(self.machine.bodies_wanted()):
                self.machine.body_dropped(block_id)

    def _wait_for_clock_ms(self) -> int:
        """Milliseconds until our clock passes the parent's time and a block may have its time."""
        return max(0, self._parent_time_ms + 1 - self._context.wall_ms)

    def _may_start(self) -> bool:
        """Whether round 0 may start. A listening validator can't vote: it decides by certificates only."""
        return self.machine.step_now is Step.NEW and not self._services.signing_duty.is_listening and not self.is_over

    def _pause_end_ms(self) -> int:
        pending = len(self._services.pool)
        has_work = pending > 0 or self._services.evidence.has_usable()
        return self._pause.end_ms(pending) if has_work else self._pause.end_of_empty_ms()

    def work(self) -> None:
        """A slice of what is being built or executed."""
        if not self.is_over:
            self._slices.go_on()

    # --- the machine ----------------------------------------------------------------------------------
    def feed(self, event: m.Input) -> None:
        if not self.is_over:
            self._apply(self.machine.step(event))

    def _apply(self, effects: list[m.Effect]) -> None:
        for effect in effects:
            if self.is_over:
                return
            match effect:
                case m.RoundStarted(round_):
                    self._timeouts.clear()
                    self._build_at = None
                    if round_ > 0:
                        self._context.notice("round", "info", height=self.height, round=round_)
                case m.ScheduleTimeout(step, round_):
                    delay = min(PROPOSE_TIMEOUT_MS + TIMEOUT_STEP_MS * round_, self._timeout_cap_ms)
                    self._timeouts[step] = (self._context.now_ms + delay, round_)
                case m.BuildBlock(round_):
                    self._build_at = (self._context.now_ms + self._wait_for_clock_ms(), round_)
                case m.SignProposal(round_, block_id, valid_round):
                    self._propose(round_, block_id, valid_round)
                case m.SignVote(kind, round_, block_id):
                    self._vote(kind, round_, block_id)
                case m.NeedBlock(block_id):
                    if self.undecided.get(block_id) is None:  # else it is being verified
                        self.requests.add(block_id)
                case m.FoundEvidence(evidence):
                    self._context.notice("equivocation", "error", validator=evidence.first.validator.hex())
                    self._services.evidence.take(evidence)
                case m.Decide(round_, block_id):
                    self._decide(round_, block_id)
                case m.DecidedInvalid(_, block_id):
                    self._halt_decided(self.undecided.get(block_id))
                case _:
                    assert_never(effect)

    def _halt_decided(self, candidate: Candidate | None) -> None:
        """More than two thirds decided a block that is invalid here, or judged it by rules that are unknown here."""
        header, fault = (candidate.block.header, candidate.fault) if candidate else (None, "")
        unknown = unknown_ruleset(self.height, header.ruleset_hash) if header else ""
        self._context.halt(unknown or f"block {self.height} was decided but is invalid here: {fault}")

    def _decide(self, round_: int, block_id: bytes) -> None:
        candidate = self.undecided.get(block_id)
        assert candidate is not None and candidate.result is not None, "the machine decides executed blocks only"
        votes = self.machine.tally.votes_for("precommit", round_, block_id)
        entries = self.machine.validators.entries
        signatures = tuple(votes[v.address].signature if v.address in votes else b"" for v in entries)
        self._services.commit(candidate.block, candidate.result, Commit(self.height, round_, block_id, signatures))

    # --- signing --------------------------------------------------------------------------------------
    def _promise(self, *block_ids: bytes) -> Promise:
        """State to persist with a signature: locked and valid value, the valid one's polka, and their bodies."""
        machine, signer = self.machine, self._services.signing_duty.signer
        block_ids_kept = dict.fromkeys(block_ids)
        polka: tuple[Vote, ...] = ()
        for lock in (machine.locked, machine.valid):
            if lock is not None:
                block_ids_kept[lock.block_id] = None
        if machine.valid is not None:
            polka = self.messages.polka(machine.valid.round, machine.valid.block_id)
        bodies = [candidate.block for i in block_ids_kept if (candidate := self.undecided.get(i)) is not None]
        assert len(bodies) == len(block_ids_kept), "we have the body of every block that we propose or are locked on"
        if not block_ids_kept:
            return NO_PROMISE
        assert signer is not None, "only a signer promises"
        return Promise(machine.locked, machine.valid, polka, tuple(bodies))

    def _vote(self, kind: VoteKind, round_: int, block_id: bytes) -> None:
        signing_duty = self._services.signing_duty
        if signing_duty.signer is None:
            return
        if not signing_duty.may_sign():
            self._held_back.append((kind, round_, block_id))
            return
        own = [p for p in signing_duty.signed_at(self.height) if isinstance(p, Proposal) and p.round == round_]
        vote = signing_duty.vote(kind, self.height, round_, block_id, self._promise(*(p.block_id for p in own)))
        if vote is not None:
            self._context.broadcast(VoteMessage(vote))
            self.feed(m.VoteReceived(vote))

    def _sign_held_back(self) -> None:
        """Sign votes of the current round that were held back while we listened or synced."""
        held_back, self._held_back = self._held_back, []
        for kind, round_, block_id in held_back:
            if round_ == self.machine.round and not self.is_over:
                self._vote(kind, round_, block_id)

    def _propose(self, round_: int, block_id: bytes, valid_round: int) -> None:
        signing_duty = self._services.signing_duty
        if signing_duty.signer is None or not signing_duty.may_sign():
            return
        proposal = signing_duty.propose(self.height, round_, block_id, valid_round, self._promise(block_id))
        if proposal is None:
            return
        message = self.messages.of_proposal(proposal)
        if message is not None:
            self._context.broadcast(message)
        self.feed(m.ProposalReceived(proposal, True))

    def _build(self, round_: int) -> None:
        if (address := self._proposer(round_)) is not None:
            self._slices.begin(self._building(round_, address))

    def _proposer(self, round_: int) -> bytes | None:
        """Our own address if we may propose a new block in this round."""
        duty, machine = self._services.signing_duty, self.machine
        is_now = round_ == machine.round and machine.step_now is Step.PROPOSE and not self.is_over
        return duty.address if is_now and duty.may_sign() else None

    def _building(self, round_: int, address: bytes) -> Iterator[None]:
        services = self._services
        for built in services.builder.building(
            services.pool.in_turns, services.evidence.pieces(), address, self._context.wall_ms
        ):
            if built is None:
                yield
                if self._proposer(round_) != address:
                    return
                continue
            services.on_built(built)
            self._keep(built.block_id, Candidate(built.block, list(built.result.transactions), built.result))
            self.feed(m.BlockBuilt(round_, built.block_id))

    # --- bodies ---------------------------------------------------------------------------------------
    def on_body(self, block: Block) -> None:
        """Take a requested block. Raises `Rejected` if its contents do not match its header."""
        block_id = block_id_of(block.header, self._genesis_hash)
        if block_id in self.requests:
            check_contents(block)
            self.take_body(block, block_id)

    def on_compact(self, peer: e.PeerId, message: CompactProposal, *, is_new: bool) -> None:
        """Reconstruct the block; relay a new proposal once its block is complete and so proves the transaction list.

        Raises `Rejected` if the block does not match its header.
        """
        block_id = message.proposal.block_id
        if self.is_over or self.undecided.get(block_id) is not None:
            return
        self._assembled(block_id, lambda: self._compact_blocks.begin(peer, message, is_new=is_new))

    def on_parts(self, peer: e.PeerId, parts: Parts) -> None:
        """Take requested transactions of a compact block. Raises `Rejected` as `on_compact` does."""
        if parts.height == self.height and not self.is_over:
            self._assembled(parts.block_id, lambda: self._compact_blocks.take(peer, parts))

    def _assembled(self, block_id: bytes, attempt: Callable[[], Whole | None]) -> None:
        try:
            whole = attempt()
        except Rejected:
            self.requests.add(block_id)
            raise
        if whole is not None:
            if whole.is_new:
                self._services.relay(whole.message, whole.peer)
            self.take_body(whole.block, block_id)

    def parts(self, height: int, block_id: bytes, wire_ids: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Requested transactions of an undecided block, as many as fit into one answer."""
        candidate = self.undecided.get(block_id) if height == self.height else None
        if candidate is None:
            return ()
        by_wire_id = dict(zip(candidate.wire_ids(self._genesis_hash), candidate.block.transactions, strict=True))
        raws, size = [], 0
        for wire_id in wire_ids:
            raw = by_wire_id.get(wire_id)
            if raw is not None and (size := size + len(raw)) <= limits.PARTS_BYTES_MAX:
                raws.append(raw)
        return tuple(raws)

    def take_body(self, block: Block, block_id: bytes) -> None:
        """Verify and execute a proposed or requested block, and report the result to the machine."""
        if self.is_over or self.undecided.get(block_id) is not None:
            return
        services = self._services
        candidate = Candidate(block)
        self._keep(block_id, candidate)
        self.requests.came(block_id)
        try:
            services.builder.check_frame(block)
            candidate.transactions, unknown = services.tx_gossip.decode_block(block.transactions)
        except InvalidBlock as error:
            self._judged_invalid(block_id, candidate, error)
            return
        except Rejected as error:
            self._judged_invalid(block_id, candidate, InvalidBlock(error.code, str(error)))
            return
        if unknown:
            services.verifications.start(BodyJob(self.height, block_id), unknown)
        else:
            self._execute(block_id, candidate)

    def _keep(self, block_id: bytes, candidate: Candidate) -> None:
        for dropped in self.undecided.add(block_id, candidate, self.machine.bodies_wanted()):
            self.machine.body_dropped(dropped)

    def on_body_verified(self, job: BodyJob, *, is_good: bool) -> None:
        candidate = self.undecided.get(job.block_id)
        if job.height != self.height or candidate is None or candidate.is_judged or candidate.is_executing:
            return
        if not is_good:
            fault = InvalidBlock("bad_signature", "a transaction's signature does not verify")
            self._judged_invalid(job.block_id, candidate, fault)
            return
        tx_gossip, raws = self._services.tx_gossip, candidate.block.transactions
        candidate.transactions = [
            tx_gossip.verified(raw) if tx is None else tx for raw, tx in zip(raws, candidate.transactions, strict=True)
        ]
        # The job may belong to an earlier candidate with the same id, whose transactions may be evicted by now.
        missing = tuple(raw for raw, tx in zip(raws, candidate.transactions, strict=True) if tx is None)
        if missing:
            self._services.verifications.start(BodyJob(self.height, job.block_id), tx_gossip.decode_block(missing)[1])
        else:
            self._execute(job.block_id, candidate)

    def _execute(self, block_id: bytes, candidate: Candidate) -> None:
        candidate.is_executing = True
        self._slices.begin(self._executing(block_id, candidate))

    def _executing(self, block_id: bytes, candidate: Candidate) -> Iterator[None]:
        transactions = [tx for tx in candidate.transactions if tx is not None]
        assert len(transactions) == len(candidate.block.transactions), "every transaction is verified"
        try:
            for result in self._services.builder.executing(candidate.block, transactions):
                if result is None:
                    yield
                    if self.undecided.get(block_id) is not candidate:
                        return  # dropped meanwhile
                candidate.result = result
        except InvalidBlock as error:
            self._judged_invalid(block_id, candidate, error)
            return
        self.feed(m.BlockJudged(block_id, True))

    def _judged_invalid(self, block_id: bytes, candidate: Candidate, fault: InvalidBlock) -> None:
        candidate.fault = fault
        self._context.notice("invalid_block", "error", height=self.height, id=block_id.hex(), why=str(fault))
        self.feed(m.BlockJudged(block_id, False))

    def body(self, height: int, block_id: bytes) -> Block | None:
        """The body of an undecided block of this height, for a peer."""
        candidate = self.undecided.get(block_id) if height == self.height else None
        return candidate.block if candidate is not None else None
