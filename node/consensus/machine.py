"""One height of Tendermint consensus (arXiv:1807.04938, algorithm 1) as a pure state machine.

`step(input) -> list[Effect]`; Lnn are the paper's lines. No I/O, no clock, no keys. Deviations, each justified in
docs/PROTOCOL.md: a polka and the block's body suffice to lock, without the proposal message; a certificate counts as a
quorum; and a round skip goes to the highest round that a third has reached.
"""

from __future__ import annotations

from typing import Final, assert_never

from node import limits
from node.chain.validators import ValidatorSet
from node.chain.vote import NIL, Proposal, Vote, VoteKind
from node.consensus.messages import (
    BlockBuilt,
    BlockJudged,
    BuildBlock,
    Decide,
    DecidedInvalid,
    Effect,
    FoundEvidence,
    Input,
    Lock,
    NeedBlock,
    ProposalReceived,
    QuorumProved,
    RoundStarted,
    ScheduleTimeout,
    SignProposal,
    SignVote,
    StartHeight,
    Step,
    TimeoutFired,
    VoteReceived,
)
from node.consensus.tally import Tally

KINDS: Final[tuple[VoteKind, ...]] = ("prevote", "precommit")


class Machine:
    """`own` is this validator's address; None for a follower, which decides like a validator but signs nothing."""

    def __init__(self, height: int, validators: ValidatorSet, own: bytes | None) -> None:
        self.height = height
        self.validators = validators
        self.own = own if own is not None and own in validators else None
        self.round = 0
        self.step_now = Step.NEW
        self.locked: Lock | None = None
        self.valid: Lock | None = None
        self.tally = Tally(validators)
        self._proposals: dict[int, ProposalReceived] = {}
        self._judged: dict[bytes, bool] = {}
        self._once: set[tuple[str, int]] = set()
        self._asked: set[bytes] = set()
        self._effects: list[Effect] = []

    # --- after a restart --------------------------------------------------------------------------------
    def restore(self, round_: int, step: Step, locked: Lock | None, valid: Lock | None) -> list[Effect]:
        """Resume at the round and step of the hard state. Own messages must be fed as inputs afterwards."""
        assert self.step_now is Step.NEW, "only a fresh machine can be restored"
        self.round, self.step_now, self.locked, self.valid = round_, step, locked, valid
        self._effects = [RoundStarted(round_)]
        if step is Step.PROPOSE:
            self._effects.append(ScheduleTimeout(Step.PROPOSE, round_))
        return self._take()

    # --- step -------------------------------------------------------------------------------
    def step(self, event: Input) -> list[Effect]:
        """Process one input, then apply the rules until none fires."""
        if self.step_now is Step.DECIDED:
            return []
        match event:
            case StartHeight():
                if self.step_now is Step.NEW:
                    self._start_round(0)
            case BlockBuilt(round_, block_id):
                self._judged[block_id] = True
                if round_ == self.round and self.step_now is Step.PROPOSE:
                    self._effects.append(SignProposal(round_, block_id, -1))
            case ProposalReceived():
                self._on_proposal(event)
            case BlockJudged(block_id, is_valid):
                self._judged.setdefault(block_id, is_valid)
            case VoteReceived(vote):
                self._on_vote(vote)
            case QuorumProved(kind, round_, block_id, votes):
                for vote in votes:
                    self._on_vote(vote)
                self.tally.add_certificate(kind, round_, block_id, votes)
            case TimeoutFired(step, round_):
                self._on_timeout(step, round_)
            case _:
                assert_never(event)
        self._apply_rules()
        return self._take()

    def _take(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    # --- inputs -----------------------------------------------------------------------------------------
    def _on_proposal(self, event: ProposalReceived) -> None:
        proposal = event.proposal
        assert proposal.proposer == self.validators.proposer(self.height, proposal.round), "the caller checks it"
        self.tally.note_round(proposal.proposer, proposal.round)
        if proposal.round <= self.round + limits.ROUNDS_AHEAD_MAX:
            self._proposals.setdefault(proposal.round, event)

    def _on_vote(self, vote: Vote) -> None:
        if vote.round > self.round + limits.ROUNDS_AHEAD_MAX:
            self.tally.note_round(vote.validator, vote.round)
            return
        evidence = self.tally.add(vote)
        if evidence is not None:
            self._effects.append(FoundEvidence(evidence))

    def _on_timeout(self, step: Step, round_: int) -> None:
        if round_ != self.round:
            return
        if step is Step.PROPOSE and self.step_now is Step.PROPOSE:  # L57
            self._prevote(NIL)
        elif step is Step.PREVOTE and self.step_now is Step.PREVOTE:  # L61
            self._precommit(NIL)
        elif step is Step.PRECOMMIT and self.step_now is not Step.NEW:  # L65
            self._start_round(round_ + 1)

    # --- transitions ------------------------------------------------------------------------------------
    def _start_round(self, round_: int) -> None:  # L11-L21
        self.round, self.step_now = round_, Step.PROPOSE
        keep = {round_ for lock in (self.locked, self.valid) if lock for round_ in (lock.round,)}
        keep |= {p.proposal.valid_round for p in self._proposals.values()}
        self.tally.forget_rounds_below(round_ - limits.ROUNDS_AHEAD_MAX, keep)
        self._proposals = {r: p for r, p in self._proposals.items() if r >= round_}
        self._effects.append(RoundStarted(round_))
        self._effects.append(ScheduleTimeout(Step.PROPOSE, round_))
        if self.own is not None and self.validators.proposer(self.height, round_) == self.own:
            if self.valid is not None:
                self._effects.append(SignProposal(round_, self.valid.block_id, self.valid.round))
            else:
                self._effects.append(BuildBlock(round_))

    def _prevote(self, block_id: bytes) -> None:
        self.step_now = Step.PREVOTE
        if self.own is not None:
            self._effects.append(SignVote("prevote", self.round, block_id))

    def _precommit(self, block_id: bytes) -> None:
        self.step_now = Step.PRECOMMIT
        if self.own is not None:
            self._effects.append(SignVote("precommit", self.round, block_id))

    # --- the upon rules -----------------------------------------------------------------------------------
    def _apply_rules(self) -> None:
        """Apply the rules until none fires. Each one advances step or round, or is marked to fire only once."""
        while self.step_now is not Step.DECIDED and self._fire_one():
            pass

    def _fire_one(self) -> bool:
        if self._decide_on_certificate():
            return True
        if self.step_now is Step.NEW:
            return False
        return (
            self._skip_round()
            or self._answer_proposal()
            or self._on_any_prevotes()
            or self._on_polka()
            or self._on_nil_polka()
            or self._on_any_precommits()
        )

    def _first(self, rule: str, round_: int) -> bool:
        if (rule, round_) in self._once:
            return False
        self._once.add((rule, round_))
        return True

    def _answer_proposal(self) -> bool:  # L22, L28
        received = self._proposals.get(self.round)
        if self.step_now is not Step.PROPOSE or received is None:
            return False
        proposal = received.proposal
        is_valid = self._judged.get(proposal.block_id)
        if is_valid is None:
            return False
        if proposal.valid_round == -1:
            free = self.locked is None or self.locked.block_id == proposal.block_id
            self._prevote(proposal.block_id if is_valid and received.is_timely and free else NIL)
            return True
        if not proposal.valid_round < self.round:
            self._prevote(NIL)
            return True
        if not self.tally.has_quorum("prevote", proposal.valid_round, proposal.block_id):
            return False
        free = (
            self.locked is None
            or self.locked.round <= proposal.valid_round
            or self.locked.block_id == proposal.block_id
        )
        self._prevote(proposal.block_id if is_valid and free else NIL)
        return True

    def _on_any_prevotes(self) -> bool:  # L34
        if self.step_now is not Step.PREVOTE or not self.tally.has_quorum_of_any("prevote", self.round):
            return False
        if not self._first("any_prevotes", self.round):
            return False
        self._effects.append(ScheduleTimeout(Step.PREVOTE, self.round))
        return True

    def _on_polka(self) -> bool:  # L36
        if self.step_now < Step.PREVOTE:
            return False
        for round_, block_id in self.tally.quorum_ids("prevote"):
            if round_ != self.round:
                continue
            if self._judged.get(block_id) is None:
                self._need(block_id)
            elif self._judged[block_id] and self._first("polka", round_):
                # L38-L39: lock at our own round, not at the proposal's valid round.
                if self.step_now is Step.PREVOTE:
                    self.locked = Lock(round_, block_id)
                    self.valid = Lock(round_, block_id)
                    self._precommit(block_id)
                else:
                    self.valid = Lock(round_, block_id)
                return True
        return False

    def _on_nil_polka(self) -> bool:  # L44
        if self.step_now is not Step.PREVOTE or not self.tally.has_quorum("prevote", self.round, NIL):
            return False
        self._precommit(NIL)
        return True

    def _on_any_precommits(self) -> bool:  # L47
        if not self.tally.has_quorum_of_any("precommit", self.round) or not self._first("any_precommits", self.round):
            return False
        self._effects.append(ScheduleTimeout(Step.PRECOMMIT, self.round))
        return True

    def _decide_on_certificate(self) -> bool:  # L49
        for round_, block_id in self.tally.quorum_ids("precommit"):
            is_valid = self._judged.get(block_id)
            if is_valid is None:
                self._need(block_id)
                continue
            self.step_now = Step.DECIDED
            self._effects.append(Decide(round_, block_id) if is_valid else DecidedInvalid(round_, block_id))
            return True
        return False

    def _skip_round(self) -> bool:  # L55
        round_ = self.tally.skip_round()
        if round_ <= self.round:
            return False
        self._start_round(round_)
        return True

    def _need(self, block_id: bytes) -> None:
        if block_id not in self._asked:
            self._asked.add(block_id)
            self._effects.append(NeedBlock(block_id))

    # --- queries ----------------------------------------------------------------------------
    def is_news(self, vote: Vote) -> bool:
        """Whether the vote would change the state."""
        return self.tally.is_news(vote, self.round + limits.ROUNDS_AHEAD_MAX)

    def is_judged(self, block_id: bytes) -> bool:
        return block_id in self._judged

    def body_dropped(self, block_id: bytes) -> None:
        """The block's body was dropped: request it again if a quorum names it."""
        self._judged.pop(block_id, None)
        self._asked.discard(block_id)

    def bodies_wanted(self) -> set[bytes]:
        """Blocks whose bodies must be kept: locked, valid, proposed in this round or later, or named by a quorum."""
        block_ids = {lock.block_id for lock in (self.locked, self.valid) if lock is not None}
        block_ids |= {event.proposal.block_id for event in self._proposals.values()}
        return block_ids | {i for kind in KINDS for _, i in self.tally.quorum_ids(kind)}

    def proposal(self, round_: int) -> Proposal | None:
        received = self._proposals.get(round_)
        return received.proposal if received else None

    def wants_start(self) -> bool:
        """Whether others have started this height: we have the first proposal, or messages of a third of the power."""
        return self.step_now is Step.NEW and (0 in self._proposals or self.validators.is_third(self.tally.power_seen()))
