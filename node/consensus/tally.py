"""Votes of one height, counted. Knows powers and ids, no keys: only verified votes come in.

Both votes of an equivocator count, each for its own id, as messages do in the paper; where "any" votes are counted,
senders count once. Certificates stand beside the votes as a unit, with their own copies of their votes: a quorum that
somebody proved is a quorum, and can be shown on, whatever single votes an equivocator has shown us before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from node.chain.validators import ValidatorSet
from node.chain.vote import NIL, Evidence, Vote, VoteKind

VOTES_PER_STEP_MAX = 2
"""A third vote of one validator in one step adds no evidence that two do not give."""


@dataclass
class _Step:
    """One round's votes of one kind."""

    votes: dict[bytes, dict[bytes, Vote]] = field(default_factory=dict)
    """validator to block id to vote"""
    power_by_id: dict[bytes, int] = field(default_factory=dict)
    power_any: int = 0
    certified: dict[bytes, dict[bytes, Vote]] = field(default_factory=dict)
    """block id to validator to vote, of a certificate"""


class Tally:
    """Every vote and certificate of one height, and each validator's newest round for the skip rule."""

    def __init__(self, validators: ValidatorSet) -> None:
        self._validators = validators
        self._steps: dict[tuple[VoteKind, int], _Step] = {}
        self._newest: dict[bytes, int] = {}

    # --- in ---
    def add(self, vote: Vote) -> Evidence | None:
        """Count a verified vote; returns evidence where it conflicts with an earlier one. Repeats change nothing."""
        self.note_round(vote.validator, vote.round)
        step = self._steps.setdefault((vote.kind, vote.round), _Step())
        known = step.votes.setdefault(vote.validator, {})
        if vote.block_id in known or len(known) >= VOTES_PER_STEP_MAX:
            return None
        power = self._validators.power(vote.validator)
        if not known:
            step.power_any += power
        step.power_by_id[vote.block_id] = step.power_by_id.get(vote.block_id, 0) + power
        known[vote.block_id] = vote
        if len(known) == 1:
            return None
        first, second = sorted(known.values(), key=lambda v: v.block_id)
        return Evidence(first, second)

    def add_certificate(self, kind: VoteKind, round_: int, block_id: bytes, votes: Iterable[Vote] = ()) -> None:
        """Keep a verified quorum of `kind` votes for `block_id`."""
        certified = self._steps.setdefault((kind, round_), _Step()).certified
        certified.setdefault(block_id, {}).update((vote.validator, vote) for vote in votes)

    def note_round(self, validator: bytes, round_: int) -> None:
        """A verified message of `validator` in `round_`; all that is kept of rounds beyond the window."""
        self._newest[validator] = max(round_, self._newest.get(validator, -1))

    def forget_rounds_below(self, round_: int, keep: set[int]) -> None:
        """Prevotes of passed rounds are needed for polkas we may still refer to; all others go."""
        for kind, old in list(self._steps):
            if kind == "prevote" and old < round_ and old not in keep:
                del self._steps[kind, old]

    # --- out ---
    def is_news(self, vote: Vote, window_end: int) -> bool:
        """Whether taking the vote would change anything here. What is no news is not relayed: it would never end.

        Beyond the window only the newest round of each validator is kept; within it two votes of each in one step.
        """
        if vote.round > window_end:
            return vote.round > self._newest.get(vote.validator, -1)
        step = self._steps.get((vote.kind, vote.round))
        known = step.votes.get(vote.validator, {}) if step is not None else {}
        return vote.block_id not in known and len(known) < VOTES_PER_STEP_MAX

    def has_quorum(self, kind: VoteKind, round_: int, block_id: bytes) -> bool:
        """More than two thirds of power for `block_id` (nil included)."""
        step = self._steps.get((kind, round_))
        if step is None:
            return False
        return block_id in step.certified or self._validators.is_quorum(step.power_by_id.get(block_id, 0))

    def has_quorum_of_any(self, kind: VoteKind, round_: int) -> bool:
        """More than two thirds of power have voted, for whatever."""
        step = self._steps.get((kind, round_))
        return step is not None and (bool(step.certified) or self._validators.is_quorum(step.power_any))

    def quorum_ids(self, kind: VoteKind) -> list[tuple[int, bytes]]:
        """(round, block id) of every quorum for a block."""
        return [
            (round_, block_id)
            for (k, round_), step in self._steps.items()
            if k == kind
            for block_id in {*step.power_by_id, *step.certified}
            if block_id != NIL and self.has_quorum(kind, round_, block_id)
        ]

    def votes_for(self, kind: VoteKind, round_: int, block_id: bytes) -> dict[bytes, Vote]:
        """validator to vote for `block_id`, heard alone or in a certificate."""
        step = self._steps.get((kind, round_))
        if step is None:
            return {}
        heard = {v: votes[block_id] for v, votes in step.votes.items() if block_id in votes}
        return step.certified.get(block_id, {}) | heard

    def skip_round(self) -> int:
        """The highest round that at least a third of power has reached or passed; -1 for none (line 55)."""
        power = 0
        for round_, validator in sorted(((r, v) for v, r in self._newest.items()), reverse=True):
            power += self._validators.power(validator)
            if self._validators.is_third(power):
                return round_
        return -1

    def power_seen(self) -> int:
        """Power of everyone we have a message of, in whatever round of this height."""
        return sum(self._validators.power(validator) for validator in self._newest)

    def votes_of_round(self, round_: int) -> list[Vote]:
        """Every vote we hold of one round."""
        found: list[Vote] = []
        kinds: tuple[VoteKind, ...] = ("prevote", "precommit")
        for kind in kinds:
            step = self._steps.get((kind, round_))
            if step is not None:
                found.extend(vote for votes in step.votes.values() for vote in votes.values())
        return found
