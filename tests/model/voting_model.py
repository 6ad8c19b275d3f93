"""The voting of one height, abstracted so that every run within a bound can be looked at.

A run is seen as a soup: what correct validators have signed stays readable for ever, each of them acts on whatever part
of it has reached it so far, and the faulty one has always signed everything that its key can sign. No rule of
`node.consensus.machine` waits for the absence of a message, so "has received enough" becomes "enough exists", and loss,
delay, repetition, reordering, certificates and lies are all covered without being stored: a certificate adds nothing
that its votes do not give. Timers may fire whenever they may have been started. A proposal of a faulty proposer names
any value and any valid round; timeliness, invalid blocks and missing bodies only make a validator prevote nil or wait,
and both it may always do here. Whoever has decided goes on voting, which it does not in the code: more runs, not fewer.

`tendermint.pml` says the same for spin; docs/MODEL.md says what each of the two is run for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

NIL = "nil"
VALUES = ("A", "B")
KINDS = ("prevote", "precommit")
ROUND_OF_NONE = -1


class Step(IntEnum):
    PROPOSE = 1
    PREVOTE = 2
    PRECOMMIT = 3


@dataclass(frozen=True)
class Rules:
    """What is explored. The defaults are the protocol; the last block of switches breaks it on purpose."""

    rounds: int = 2
    """Rounds 0 to rounds - 1."""
    correct: int = 3
    faulty: int = 1
    quorum: int = 3
    """Validators, of equal power: 3 * 3 > 2 * 4."""
    third: int = 2
    """3 * 2 >= 4."""
    honest_rounds: frozenset[int] = frozenset()
    """Rounds whose proposer is correct (some validator, any of them). In all others the faulty one proposes."""
    crashes: bool = True
    mute: bool = True
    """A step may be taken without a signature leaving: while catching up or listening, or as the signer refused."""

    checks_lock: bool = True
    """L22, L28: prevote another value than the locked one only with a polka not older than the lock."""
    remembers_votes: bool = True
    remembers_lock: bool = True
    """What the hard state brings back after a crash."""
    locks_at_own_round: bool = True
    """L38-L39; otherwise at the oldest round with a polka for the value."""

    @property
    def is_proposing_open(self) -> bool:
        """No correct proposer anywhere: then nobody ever uses its valid value, and it need not be kept."""
        return not self.honest_rounds


class Lock(NamedTuple):
    round: int
    value: str


class Proposed(NamedTuple):
    value: str
    valid_round: int


Votes = tuple[tuple[frozenset[str], ...], ...]
"""By round, then by kind: what was signed there. More than one value is what must never be."""


class Validator(NamedTuple):
    """A correct one. The second half is on its disk."""

    round: int
    step: Step
    lock: Lock | None
    valid: Lock | None
    votes: Votes
    proposed: frozenset[int]
    stored_lock: Lock | None
    stored_valid: Lock | None

    @property
    def signed_up_to(self) -> tuple[int, int]:
        """(round, step) of the newest own message; as `node.consensus.safety.last_step`, without the height."""
        steps = [(round_, Step.PROPOSE) for round_ in self.proposed]
        for round_, kinds in enumerate(self.votes):
            steps += [(round_, step) for step, ids in zip((Step.PREVOTE, Step.PRECOMMIT), kinds, strict=True) if ids]
        return max(steps, default=(0, Step.PROPOSE))


class Soup(NamedTuple):
    """What one validator could have seen by now, as far as a rule asks for it."""

    polkas: frozenset[Lock]
    """Prevotes for a value of a quorum, or nil."""
    any_prevotes: frozenset[int]
    any_precommits: frozenset[int]
    reached: int
    """The highest round that enough validators have reached, the faulty ones going along (L55)."""
    proposals: tuple[Proposed | None, ...]
    """Of correct proposers, by round."""


class Move(NamedTuple):
    name: str
    after: Validator
    proposal: Proposed | None = None
    """A new one, of `after.round`."""


def fresh(rules: Rules) -> Validator:
    votes = tuple((frozenset[str](), frozenset[str]()) for _ in range(rules.rounds))
    return Validator(0, Step.PROPOSE, None, None, votes, frozenset(), None, None)


# --- the rules ----------------------------------------------------------------------------------------
class Model:
    """Moves of one correct validator, and what must hold of all together."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def moves(self, own: Validator, soup: Soup) -> Iterator[Move]:
        """Everything that `own` may do next, given what exists."""
        match own.step:
            case Step.PROPOSE:
                yield from self._propose(own, soup)
                for value in VALUES:
                    if self._may_prevote(own, soup, value):
                        yield from self._vote(own, Step.PREVOTE, value, own.lock, own.valid)
                yield from self._vote(own, Step.PREVOTE, NIL, own.lock, own.valid)  # L57, or L22 says no
            case Step.PREVOTE:
                for value in VALUES:
                    polka = Lock(own.round, value)
                    if polka in soup.polkas:  # L36: with the body, without asking for the proposal
                        lock = polka if self.rules.locks_at_own_round else self._oldest_polka(value, soup)
                        yield from self._vote(own, Step.PRECOMMIT, value, lock, self._kept(polka))
                if own.round in soup.any_prevotes:  # L44, L61
                    yield from self._vote(own, Step.PRECOMMIT, NIL, own.lock, own.valid)
            case Step.PRECOMMIT:
                for value in VALUES:
                    polka = Lock(own.round, value)
                    if polka in soup.polkas and self._kept(polka) != own.valid:  # L42
                        yield Move(f"valid {value}", own._replace(valid=polka))
        if own.round in soup.any_precommits and own.round + 1 < self.rules.rounds:  # L47, L65
            yield self._enter(own, own.round + 1)
        for round_ in range(own.round + 1, soup.reached + 1):  # L55: the faulty one may stand anywhere up to there
            yield self._enter(own, round_)
        if self.rules.crashes:
            yield self._restart(own)

    def _propose(self, own: Validator, soup: Soup) -> Iterator[Move]:  # L14-L19
        if own.round not in self.rules.honest_rounds or soup.proposals[own.round] is not None:
            return
        if own.valid is not None:
            choices = [Proposed(own.valid.value, own.valid.round)]
        else:
            choices = [Proposed(value, ROUND_OF_NONE) for value in VALUES]
        for proposal in choices:
            name = f"propose {proposal.value} valid_round {proposal.valid_round}"
            proposed = own._replace(proposed=own.proposed | {own.round}, stored_lock=own.lock, stored_valid=own.valid)
            yield Move(name, proposed, proposal)

    def _may_prevote(self, own: Validator, soup: Soup, value: str) -> bool:
        is_free = own.lock is None or own.lock.value == value or not self.rules.checks_lock
        if own.round in self.rules.honest_rounds:
            proposal = soup.proposals[own.round]
            proposals = [proposal] if proposal is not None and proposal.value == value else []
        else:
            proposals = [Proposed(value, valid_round) for valid_round in range(ROUND_OF_NONE, own.round)]
        for _, valid_round in proposals:
            if valid_round == ROUND_OF_NONE:  # L22
                if is_free:
                    return True
            elif Lock(valid_round, value) in soup.polkas and (  # L28
                is_free or (own.lock is not None and own.lock.round <= valid_round)
            ):
                return True
        return False

    def _vote(self, own: Validator, step: Step, value: str, lock: Lock | None, valid: Lock | None) -> Iterator[Move]:
        """Take the step; the vote is out and lock and valid value on disk, or (mute, refused) neither."""
        silent = own._replace(step=step, lock=lock, valid=valid)
        may_sign = not self.rules.remembers_votes or (own.round, step) > own.signed_up_to
        name = f"{step.name.lower()} {value}"
        if may_sign:
            kinds = list(own.votes[own.round])
            kinds[step - Step.PREVOTE] |= {value}
            votes = (*own.votes[: own.round], tuple(kinds), *own.votes[own.round + 1 :])
            yield Move(name, silent._replace(votes=votes, stored_lock=lock, stored_valid=valid))
        if self.rules.mute or not may_sign:
            yield Move(f"({name})", silent)

    def _enter(self, own: Validator, round_: int) -> Move:
        return Move(f"round {round_}", own._replace(round=round_, step=Step.PROPOSE))

    def _restart(self, own: Validator) -> Move:
        """As `ConsensusDriver.restore`: round and step of the newest own message, lock and valid value as stored."""
        round_, step = own.signed_up_to if self.rules.remembers_votes else (0, Step.PROPOSE)
        lock = own.stored_lock if self.rules.remembers_lock else None
        valid = own.stored_valid if self.rules.remembers_lock else None
        after = own._replace(round=round_, step=Step(step), lock=lock, valid=valid)
        return Move("crash and restart", after)

    def _kept(self, valid: Lock) -> Lock | None:
        return None if self.rules.is_proposing_open else valid

    def _oldest_polka(self, value: str, soup: Soup) -> Lock:
        return min(polka for polka in soup.polkas if polka.value == value)

    # --- what exists ------------------------------------------------------------------------------------
    def soup(self, validators: tuple[Validator, ...], proposals: tuple[Proposed | None, ...], own: int) -> Soup:
        """What validator `own` may have seen."""
        rounds, faulty = range(self.rules.rounds), self.rules.faulty

        def have(round_: int, kind: int, value: str) -> bool:
            return sum(value in v.votes[round_][kind] for v in validators) + faulty >= self.rules.quorum

        def have_any(round_: int, kind: int) -> bool:
            return sum(bool(v.votes[round_][kind]) for v in validators) + faulty >= self.rules.quorum

        newest = sorted((newest_round(v) for i, v in enumerate(validators) if i != own), reverse=True)
        needed = max(self.rules.third - faulty, 0)
        reached = newest[needed - 1] if needed else self.rules.rounds - 1
        return Soup(
            frozenset(Lock(r, v) for r in rounds for v in (NIL, *VALUES) if have(r, 0, v)),
            frozenset(r for r in rounds if have_any(r, 0)),
            frozenset(r for r in rounds if have_any(r, 1)),
            reached,
            proposals,
        )

    def decidable(self, validators: tuple[Validator, ...]) -> set[str]:
        """Values for which a commit certificate exists or can be made by the faulty: somebody may decide them (L49)."""
        return {
            value
            for value in VALUES
            for round_ in range(self.rules.rounds)
            if sum(value in v.votes[round_][1] for v in validators) + self.rules.faulty >= self.rules.quorum
        }

    # --- what must hold ---------------------------------------------------------------------------------
    def broken_together(self, validators: tuple[Validator, ...], proposals: tuple[Proposed | None, ...]) -> str:
        """The first promise about all votes together that this state breaks, or nothing."""
        decidable = self.decidable(validators)
        if len(decidable) > 1:
            return "agreement: two values can be decided"
        is_all_honest = len(self.rules.honest_rounds) == self.rules.rounds
        if is_all_honest and not decidable <= {p.value for p in proposals if p is not None}:
            return "validity: a value can be decided that nobody proposed"
        polkas = self.soup(validators, proposals, 0).polkas
        for proposal in proposals:
            if proposal and proposal.valid_round >= 0 and Lock(proposal.valid_round, proposal.value) not in polkas:
                return "honest proposals: a valid round without a polka"
        return ""

    def broken_alone(self, own: Validator) -> str:
        """The first promise that one correct validator breaks by itself, or nothing."""
        if any(len(ids) > 1 for kinds in own.votes for ids in kinds):
            return "one vote a step: a correct validator signed two"
        promised = [Lock(r, each) for r, (_, precommits) in enumerate(own.votes) for each in precommits if each != NIL]
        for lock in (own.lock, own.stored_lock):
            for each in promised:
                if lock is None or lock.round < each.round or (lock.round == each.round and lock != each):
                    return "lock: a precommit is not covered by the lock"
        return ""

    def step_broken(self, before: Validator, after: Validator) -> str:
        """Locks only rise. A lock that no signature ever stood for may be lost, so only where nothing is mute."""
        if not self.rules.mute and before.lock and (after.lock is None or after.lock.round < before.lock.round):
            return "lock monotonicity: a lock was lost or went back"
        return ""


def newest_round(own: Validator) -> int:
    """The highest round that `own` has signed a message of; -1 for none."""
    voted = [round_ for round_, kinds in enumerate(own.votes) if any(kinds)]
    return max([*voted, *own.proposed], default=-1)
