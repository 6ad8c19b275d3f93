"""The model allows whatever the production machine does: what an input changes in a validator is a walk of the model.

So what the model shows of every state holds for the code too, as far as these runs and the model's bound reach. Three
production machines with the production rule of what may be signed; a faulty fourth; chance decides what arrives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from support.traces import HEIGHT, NO_SIGNATURE, block_id, block_name, validator_name, validator_set
from voting_model import Lock, Model, Proposed, Rules, Step, Validator

from node.chain.vote import NIL, Proposal, Vote, VoteKind
from node.consensus import messages as m
from node.consensus.machine import Machine
from node.consensus.safety import EMPTY, SignedProposal, SignedVote, StoredLock, extended, last_step, signed_before

ROUNDS = 6
SEEDS = 100
INPUTS = 400
WALK_MAX = 8
"""Moves of the model that one input may cause: at most all steps of a round, a skip, and those of the next."""
VALIDATORS = validator_set(a=1, b=1, c=1, d=1)
BLOCKS = [block_id("A"), block_id("B")]
KINDS: tuple[VoteKind, VoteKind] = ("prevote", "precommit")


class Departed(AssertionError):
    """The code did what the model does not allow."""


class Node:
    """A production machine and its hard state; `signed` is what has left it, ever."""

    def __init__(self, address: bytes, ring: Ring) -> None:
        self.address, self.ring = address, ring
        self.state = EMPTY
        self.signed: list[Vote | Proposal] = []
        self.decided: str | None = None
        self.restart()

    def restart(self) -> None:
        """As `ConsensusDriver.restore`."""
        self.machine = Machine(HEIGHT, VALIDATORS, self.address)
        self.timers: list[m.TimeoutFired] = []
        if not self.state.messages:
            self.feed(m.StartHeight())
            return
        locked, valid = (lock and m.Lock(lock.round, lock.block_id) for lock in (self.state.locked, self.state.valid))
        own = [each.proposal if isinstance(each, SignedProposal) else each.vote for each in self.state.messages]
        for ident in {lock.block_id for lock in (locked, valid) if lock}:
            self.feed(m.BlockJudged(ident, True))
        self.apply(self.machine.restore(self.state.round, max(last_step(self.state)[2], m.Step.PROPOSE), locked, valid))
        if valid is not None:
            self.feed(m.QuorumProved("prevote", valid.round, valid.block_id))
        for message in own:
            self.take(message)

    def take(self, message: Vote | Proposal, *, is_timely: bool = True) -> None:
        if isinstance(message, Vote):
            self.feed(m.VoteReceived(message))
            return
        if self.ring.has_polka(message):
            self.feed(m.QuorumProved("prevote", message.valid_round, message.block_id))
        self.feed(m.ProposalReceived(message, is_timely or message.valid_round >= 0))

    def feed(self, event: m.Input) -> None:
        self.apply(self.machine.step(event))

    def apply(self, effects: list[m.Effect]) -> None:
        for effect in effects:
            match effect:
                case m.RoundStarted():
                    self.timers.clear()
                case m.ScheduleTimeout(step, round_):
                    self.timers.append(m.TimeoutFired(step, round_))
                case m.BuildBlock(round_):
                    self.feed(m.BlockBuilt(round_, self.ring.chance.choice(BLOCKS)))
                case m.SignVote(kind, round_, ident):
                    self.sign(Vote(kind, HEIGHT, round_, ident, self.address, NO_SIGNATURE))
                case m.SignProposal(round_, ident, valid_round):
                    self.sign(Proposal(HEIGHT, round_, ident, valid_round, self.address, NO_SIGNATURE))
                case m.Decide(_, ident):
                    self.decided = block_name(ident)
                case m.NeedBlock() | m.FoundEvidence():
                    pass
                case _:
                    raise AssertionError(f"no run leads here: {effect}")

    def sign(self, message: Vote | Proposal) -> None:
        """Hard state, then out, then back into the own machine; now and then the signer is away or we catch up."""
        if self.ring.chance.random() < self.ring.muteness:
            return
        step = m.Step.PROPOSE if isinstance(message, Proposal) else m.Step(KINDS.index(message.kind) + m.Step.PREVOTE)
        known = signed_before(self.state, HEIGHT, message.round, step)
        signed = SignedProposal(message) if isinstance(message, Proposal) else SignedVote(message)
        assert known in (None, signed), "the machine never asks for a second signature of a step"
        if known is None:
            machine = self.machine
            self.state = extended(self.state, HEIGHT, message.round, signed, machine.locked, machine.valid, (), ())
            self.signed.append(message)
        self.take(message)


class Ring:
    """Who is where, what was said, and the walk of the model that it must be."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.chance = Random(seed)
        self.faulty = VALIDATORS.entries[seed % len(VALIDATORS)].address
        self.honest = frozenset(r for r in range(ROUNDS) if VALIDATORS.proposer(HEIGHT, r) != self.faulty)
        self.model = Model(replace(rules, rounds=ROUNDS, honest_rounds=self.honest))
        self.muteness = self.chance.choice([0, 0, 0.1, 0.3])
        self.seen = Counter[str]()
        self.nodes: list[Node] = []
        for entry in VALIDATORS.entries:
            if entry.address != self.faulty:
                self.nodes.append(Node(entry.address, self))

    def votes(self) -> list[Vote]:
        return [message for node in self.nodes for message in node.signed if isinstance(message, Vote)]

    def proposals(self) -> list[Proposal]:
        return [message for node in self.nodes for message in node.signed if isinstance(message, Proposal)]

    def has_polka(self, proposal: Proposal) -> bool:
        return ("prevote", proposal.valid_round, proposal.block_id) in self.certificates()

    def certificates(self) -> list[tuple[str, int, bytes]]:
        """Quorums that exist, the faulty one having signed everything."""
        counted = Counter((vote.kind, vote.round, vote.block_id) for vote in self.votes())
        return [key for key, count in counted.items() if key[2] != NIL and VALIDATORS.is_quorum(count + 1)]

    # --- chance -----------------------------------------------------------------------------------------
    def run(self) -> None:
        """Raises `Departed`."""
        first = [self.as_modelled(node) for node in self.nodes]
        for number in range(INPUTS):
            waiting = [node for node in self.nodes if node.decided is None]
            if not waiting or max(node.machine.round for node in self.nodes) >= ROUNDS - 1:
                return
            node = self.chance.choice(waiting)
            said = self.happens(node)
            first = self.check(node, first, f"input {number}, {validator_name(node.address)}: {said}")

    def happens(self, node: Node) -> str:
        chance, round_ = self.chance, node.machine.round
        match chance.choices(
            ["vote", "lie", "proposal", "faulty proposal", "judged", "timer", "certificate", "restart"],
            [10, 6, 4, 8, 4, 2, 1, 0.5],
        )[0]:
            case "vote" if votes := [
                vote for vote in self.votes() if vote not in node.machine.tally.votes_of_round(vote.round)
            ]:
                node.take(vote := chance.choice(votes))
                return f"{vote.kind} {block_name(vote.block_id)} round {vote.round}"
            case "lie":  # prevotes for values and precommits for nil make many locks and few decisions
                named = max(0, min(ROUNDS - 2, round_ + chance.choice([-1, 0, 0, 0, 0, 1])))
                kind, weights = chance.choice([("prevote", [1, 4, 4]), ("precommit", [8, 1, 1])])
                ident = chance.choices([NIL, *BLOCKS], weights)[0]
                node.take(Vote(kind, HEIGHT, named, ident, self.faulty, NO_SIGNATURE))
                return f"a faulty {kind} in round {named}"
            case "proposal" if proposals := [p for p in self.proposals() if p.round >= round_]:
                node.take(proposal := chance.choice(proposals), is_timely=chance.random() < 0.8)
                return f"proposal {block_name(proposal.block_id)} round {proposal.round}"
            case "faulty proposal" if round_ not in self.honest and node.machine.proposal(round_) is None:
                locked, named = node.machine.locked, chance.randrange(-1, round_ + 1)
                ident = chance.choice([block for block in BLOCKS if locked is None or block != locked.block_id])
                node.feed(m.BlockJudged(ident, True))
                proposal = Proposal(HEIGHT, round_, ident, named, self.faulty, NO_SIGNATURE)
                node.take(proposal, is_timely=chance.random() < 0.8)
                return f"a faulty proposal with valid round {named}"
            case "judged":
                node.feed(m.BlockJudged(ident := chance.choice(BLOCKS), True))
                return f"body of {block_name(ident)}"
            case "timer" if node.timers:
                node.feed(timer := node.timers.pop(chance.randrange(len(node.timers))))
                return f"timer {timer.step.name}"
            case "certificate" if known := self.certificates():
                kind, named, ident = chance.choice(known)
                node.feed(m.QuorumProved("prevote" if kind == "prevote" else "precommit", named, ident))
                return f"certificate of {kind}s for {block_name(ident)} round {named}"
            case "restart":
                node.restart()
                return "restart"
        return "nothing"

    # --- the model --------------------------------------------------------------------------------------
    def as_modelled(self, node: Node, before: Validator | None = None) -> Validator:
        """A decided machine moves no more and has forgotten its step: it is where it was."""
        machine = node.machine
        votes = [[frozenset[str]() for _ in KINDS] for _ in range(ROUNDS)]
        for message in node.signed:
            if isinstance(message, Vote):
                votes[message.round][KINDS.index(message.kind)] |= {block_name(message.block_id)}
        step = before.step if before and node.decided else Step(machine.step_now)
        return Validator(
            machine.round,
            step,
            named(machine.locked),
            named(machine.valid),
            tuple(tuple(kinds) for kinds in votes),
            frozenset(message.round for message in node.signed if isinstance(message, Proposal)),
            named(node.state.locked),
            named(node.state.valid),
        )

    def modelled_proposals(self) -> tuple[Proposed | None, ...]:
        known = {p.round: Proposed(block_name(p.block_id), p.valid_round) for p in self.proposals()}
        return tuple(known.get(round_) for round_ in range(ROUNDS))

    def check(self, node: Node, before: list[Validator], what: str) -> list[Validator]:
        """The state now, if the model has a walk of `node` that leads to it. Raises `Departed`."""
        i = self.nodes.index(node)
        proposals = self.modelled_proposals()
        if node.decided is not None:
            if node.decided not in self.model.decidable(
                (*before[:i], *before[i + 1 :], self.as_modelled(node, before[i]))
            ):
                raise Departed(f"{what}: {node.decided} was decided without a quorum")
            self.seen["decide"] += 1
        goal = self.as_modelled(node, before[i])
        ways: dict[Validator, tuple[str, ...]] = {before[i]: ()}
        layer = [before[i]]
        for _ in range(WALK_MAX):
            if goal in ways:
                break
            layer = [after for at in layer for after in self.moves(at, i, before, proposals, ways)]
        if goal not in ways and not (node.decided and any(is_on_the_way(at, goal) for at in ways)):
            raise Departed(f"{what}\nfrom {before[i]}\n  to {goal}")
        self.seen.update(ways.get(goal, ()))
        return [*before[:i], goal, *before[i + 1 :]]

    def moves(
        self,
        own: Validator,
        i: int,
        before: list[Validator],
        proposals: tuple[Proposed | None, ...],
        ways: dict[Validator, tuple[str, ...]],
    ) -> Iterator[Validator]:
        """States that are new, each one move after `own`; proposals of the goal are there, or not signed yet."""
        soup = self.model.soup((*before[:i], own, *before[i + 1 :]), proposals, i)
        unsaid = soup._replace(proposals=tuple(None if r not in own.proposed else p for r, p in enumerate(proposals)))
        for view in (soup, unsaid):
            for move in self.model.moves(own, view):
                if move.proposal is not None and move.proposal != proposals[own.round]:
                    continue
                if move.after not in ways:
                    ways[move.after] = (*ways[own], move.name)
                    yield move.after


def named(lock: m.Lock | StoredLock | None) -> Lock | None:
    return lock and Lock(lock.round, block_name(lock.block_id))


def is_on_the_way(at: Validator, goal: Validator) -> bool:
    """All but the step, which a decided machine no longer tells."""
    return at._replace(step=goal.step) == goal


def run_all(rules: Rules) -> Counter[str]:
    """How often each move was made. Raises `Departed`."""
    seen = Counter[str]()
    for seed in range(SEEDS):
        ring = Ring(seed, rules)
        ring.run()
        seen += ring.seen
    return seen


def test_every_step_of_the_production_machine_is_a_walk_of_the_model() -> None:
    seen = run_all(Rules())
    for name in ("prevote A", "prevote nil", "precommit A", "precommit nil", "valid A", "round 1", "decide"):
        assert seen[name], f"the runs are too tame: no {name}"
    for part in ("(prevote", "(precommit", "valid_round -1", "valid_round 0", "crash and restart"):
        assert any(part in name for name in seen), f"the runs are too tame: no {part}"


@pytest.mark.parametrize(
    "narrowed", [Rules(quorum=4), Rules(crashes=False, mute=False)], ids=["a larger quorum", "no silence"]
)
def test_the_code_departs_from_a_model_that_allows_less(narrowed: Rules) -> None:
    with pytest.raises(Departed):
        run_all(narrowed)
