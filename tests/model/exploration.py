"""Breadth first through every state of `voting_model`, up to renaming the correct validators and swapping the values.

Both are symmetries of the rules, so one state of each class is enough. Breadth first makes a counterexample a shortest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from voting_model import NIL, VALUES, Lock, Model, Move, Proposed, Rules, Validator, fresh, newest_round

Proposals = tuple[Proposed | None, ...]
State = tuple[int, ...]
"""The correct validators' numbers, ascending, then the proposals' number: the smaller of the two namings of values."""
OTHER = {VALUES[0]: VALUES[1], VALUES[1]: VALUES[0], NIL: NIL}
COUNT_BITS = 3


class TooManyStates(Exception):
    """The bound is too large for this machine: nothing has been shown."""


@dataclass(frozen=True)
class Explored:
    states: int
    """Different ones, up to symmetry."""
    depth: int
    """Moves to the farthest state, or to the broken one."""
    broken: str = ""
    """The promise that does not hold, or nothing."""
    trace: tuple[str, ...] = ()
    """The moves that break it, one validator named the same throughout."""


T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """Equal values, one number; smaller to keep and faster to compare."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}
        self._values: list[T] = []

    def number(self, value: T) -> int:
        known = self._numbers.setdefault(value, len(self._values))
        if known == len(self._values):
            self._values.append(value)
        return known

    def value(self, number: int) -> T:
        return self._values[number]


class Exploration:
    """Validators, proposals and soups are interned, so that every local move is computed once."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.model = rules, Model(rules)
        self._validators = Interned[Validator]()
        self._proposals = Interned[Proposals]()
        self._swaps: dict[int, int] = {}
        self._proposal_swaps: dict[int, int] = {}
        self._counts: dict[int, tuple[int, int]] = {}
        self._moves: dict[tuple[int, int, int, int], list[tuple[str, int, int, str]]] = {}
        self._verdicts: dict[tuple[int, int], str] = {}

    def run(self, watched: str = "", states_max: int = 3_000_000) -> Explored:
        """Ends at the first broken promise whose text starts with `watched`. Raises `TooManyStates`."""
        start = self._start()
        parents: dict[State, State] = {start: start}
        layer, depth = [start], 0
        while True:
            found: list[State] = []
            for state in layer:
                for _, moved, broken in self._after(state):
                    after = self._canonical(moved)
                    if after not in parents:
                        parents[after] = state
                        found.append(after)
                        broken = broken or self._broken(after)
                    if broken and broken.startswith(watched):
                        trace = self._trace(parents, state, broken)
                        return Explored(len(parents), len(trace), broken, trace)
            if not found:
                return Explored(len(parents), depth)
            if len(parents) > states_max:
                raise TooManyStates(f"more than {states_max} states after {depth + 1} moves")
            layer, depth = found, depth + 1

    def _start(self) -> State:
        own = self._validators.number(fresh(self.rules))
        return (*(own for _ in range(self.rules.correct)), self._proposals.number((None,) * self.rules.rounds))

    # --- moves --------------------------------------------------------------------------------------------
    def _after(self, state: State) -> Iterator[tuple[str, State, str]]:
        """(what happened, the state after it, the promise that the move itself broke) for every possible move."""
        *correct, proposals = state
        counts = [self._counted(each) for each in correct]
        total = sum(count for count, _ in counts)
        for i, own in enumerate(correct):
            others = sorted((newest for j, (_, newest) in enumerate(counts) if j != i), reverse=True)
            needed = self.rules.third - self.rules.faulty
            reached = others[needed - 1] if needed > 0 else self.rules.rounds - 1
            key = (own, total, reached, proposals)
            if key not in self._moves:
                self._moves[key] = self._local_moves(state, i)
            for name, after, proposals_after, broken in self._moves[key]:
                yield f"{'pqrs'[i]}: {name}", (*correct[:i], after, *correct[i + 1 :], proposals_after), broken

    def _local_moves(self, state: State, i: int) -> list[tuple[str, int, int, str]]:
        validators, proposals = self._told(state)
        own, moves = validators[i], []
        for move in self.model.moves(own, self.model.soup(validators, proposals, i)):
            if move.after != own or move.proposal is not None:
                known = self._proposals.number(proposed(proposals, move))
                broken = self.model.step_broken(own, move.after)
                moves.append((move.name, self._validators.number(move.after), known, broken))
        return moves

    def _told(self, state: State) -> tuple[tuple[Validator, ...], Proposals]:
        *correct, proposals = state
        return tuple(self._validators.value(each) for each in correct), self._proposals.value(proposals)

    def _counted(self, number: int) -> tuple[int, int]:
        """A validator's votes as a number whose digits add up over validators, and its newest round."""
        if number not in self._counts:
            own, count = self._validators.value(number), 0
            for kinds in own.votes:
                for ids in kinds:
                    for one in (bool(ids), *(value in ids for value in (NIL, *VALUES))):
                        count = count << COUNT_BITS | one
            self._counts[number] = (count, newest_round(own))
        return self._counts[number]

    # --- promises -----------------------------------------------------------------------------------------
    def _broken(self, state: State) -> str:
        *correct, proposals = state
        together = (sum(self._counted(each)[0] for each in correct), proposals)
        if together not in self._verdicts:
            self._verdicts[together] = self.model.broken_together(*self._told(state))
        return self._verdicts[together] or next(filter(None, map(self._broken_alone, correct)), "")

    def _broken_alone(self, number: int) -> str:
        key = (number, -1)
        if key not in self._verdicts:
            self._verdicts[key] = self.model.broken_alone(self._validators.value(number))
        return self._verdicts[key]

    def _trace(self, parents: dict[State, State], last: State, broken: str) -> tuple[str, ...]:
        """The way to `last` and one move that breaks, walked anew so that every validator keeps its name."""
        way = [last]
        while parents[way[-1]] != way[-1]:
            way.append(parents[way[-1]])
        state, trace = self._start(), []
        for wanted in way[-2::-1]:
            name, state = next((n, s) for n, s, _ in self._after(state) if self._canonical(s) == wanted)
            trace.append(name)
        moved = (n for n, s, b in self._after(state) if broken in (b, self._broken(s)))
        return (*trace, next(moved))

    # --- symmetry -----------------------------------------------------------------------------------------
    def _canonical(self, state: State) -> State:
        *correct, proposals = state
        swapped = [self._swapped(each) for each in correct]
        here = (*sorted(correct), proposals)
        return min(here, (*sorted(swapped), self._swapped_proposals(proposals)))

    def _swapped(self, number: int) -> int:
        if number not in self._swaps:
            own = self._validators.value(number)
            locks = {name: swap(getattr(own, name)) for name in ("lock", "valid", "stored_lock", "stored_valid")}
            votes = tuple(tuple(frozenset(map(OTHER.__getitem__, ids)) for ids in kinds) for kinds in own.votes)
            self._swaps[number] = self._validators.number(own._replace(votes=votes, **locks))
        return self._swaps[number]

    def _swapped_proposals(self, number: int) -> int:
        if number not in self._proposal_swaps:
            known = self._proposals.value(number)
            other = tuple(p and p._replace(value=OTHER[p.value]) for p in known)
            self._proposal_swaps[number] = self._proposals.number(other)
        return self._proposal_swaps[number]


def swap(lock: Lock | None) -> Lock | None:
    return lock and lock._replace(value=OTHER[lock.value])


def proposed(proposals: Proposals, move: Move) -> Proposals:
    if move.proposal is None:
        return proposals
    round_ = move.after.round
    return (*proposals[:round_], move.proposal, *proposals[round_ + 1 :])
