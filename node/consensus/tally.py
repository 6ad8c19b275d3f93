"""Vote tally of one height. Votes are verified before.

Both votes of an equivocator count, each for its own block id, as messages do in the paper; quorums of "any" votes count
senders once. Certificates are kept apart, with copies of their votes: a proved quorum is a quorum, and can be proved to
others, whatever single votes of an equivocator we have received.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from node.chain.validators import ValidatorSet
from node.chain.vote import NIL, Evidence, Vote, VoteKind

VOTES_PER_STEP_MAX = 2
"""Votes kept of one validator in one step: two prove the equivocation."""


@dataclass
class _Step:
    """Votes of one round and kind."""

    votes: dict[bytes, dict[bytes, Vote]] = field(default_factory=dict)
    """Validator to block id to vote."""
    power_by_id: dict[bytes, int] = field(default_factory=dict)
    power_any: int = 0
    certified: dict[bytes, dict[bytes, Vote]] = field(default_factory=dict)
    """Votes of certificates: block id to validator to vote."""


class Tally:
    """Votes and certificates of one height, and each validator's newest round for the skip rule (L55)."""

    def __init__(self, validators: ValidatorSet) -> None:
        self._validators = validators
        self._steps: dict[tuple[VoteKind, int], _Step] = {}
        self._newest: dict[bytes, int] = {}

    # --- adding ---
    def add(self, vote: Vote) -> Evidence | None:
        """Count a verified vote; returns evidence if it conflicts with an earlier one. Duplicates are ignored."""
        self.note_round(vote.validator, vote.round)
        step = self._steps.setdefault((vote.kind, vote.round), _Step())
        votes = step.votes.setdefault(vote.validator, {})
        if vote.block_id in votes or len(votes) >= VOTES_PER_STEP_MAX:
            return None
        power = self._validators.power(vote.validator)
        if not votes:
            step.power_any += power
        step.power_by_id[vote.block_id] = step.power_by_id.get(vote.block_id, 0) + power
        votes[vote.block_id] = vote
        if len(votes) == 1:
            return None
        first, second = sorted(votes.values(), key=lambda v: v.block_id)
        return Evidence(first, second)

    def add_certificate(self, kind: VoteKind, round_: int, block_id: bytes, votes: Iterable[Vote] = ()) -> None:
        """Add a verified certificate: a quorum of `kind` votes for `block_id`."""
        certified = self._steps.setdefault((kind, round_), _Step()).certified
        certified.setdefault(block_id, {}).update((vote.validator, vote) for vote in votes)

    def note_round(self, validator: bytes, round_: int) -> None:
        """Note a verified message of `validator` in `round_`. Beyond the window of rounds nothing else is kept."""
        self._newest[validator] = max(round_, self._newest.get(validator, -1))

    def forget_rounds_below(self, round_: int, keep: set[int]) -> None:
        """Drop prevotes of rounds below `round_`, except of rounds whose polka may still be needed (`keep`)."""
        for kind, old in list(self._steps):
            if kind == "prevote" and old < round_ and old not in keep:
                del self._steps[kind, old]

    # --- queries ---
    def is_news(self, vote: Vote, window_end: int) -> bool:
        """Whether adding the vote would change the tally. Other votes are not relayed, so that relaying ends.

        Beyond the window only each validator's newest round is kept; within it two votes of each validator and step.
        """
        if vote.round > window_end:
            return vote.round > self._newest.get(vote.validator, -1)
        step = self._steps.get((vote.kind, vote.round))
        votes = step.votes.get(vote.validator, {}) if step is not None else {}
        return vote.block_id not in votes and len(votes) < VOTES_PER_STEP_MAX

    def has_quorum(self, kind: VoteKind, round_: int, block_id: bytes) -> bool:
        """Whether votes for `block_id` (may be nil) have more than two thirds of the power."""
        step = self._steps.get((kind, round_))
        if step is None:
            return False
        return block_id in step.certified or self._validators.is_quorum(step.power_by_id.get(block_id, 0))

    def has_quorum_of_any(self, kind: VoteKind, round_: int) -> bool:
        """Whether more than two thirds of the power have voted, for any value."""
        step = self._steps.get((kind, round_))
        return step is not None and (bool(step.certified) or self._validators.is_quorum(step.power_any))

    def quorum_ids(self, kind: VoteKind) -> list[tuple[int, bytes]]:
        """(round, block id) of every quorum for a block, nil excluded."""
        return [
            (round_, block_id)
            for (k, round_), step in self._steps.items()
            if k == kind
            for block_id in {*step.power_by_id, *step.certified}
            if block_id != NIL and self.has_quorum(kind, round_, block_id)
        ]

    def votes_for(self, kind: VoteKind, round_: int, block_id: bytes) -> dict[bytes, Vote]:
        """Votes for `block_id` by validator, single or from a certificate."""
        step = self._steps.get((kind, round_))
        if step is None:
            return {}
        single = {v: votes[block_id] for v, votes in step.votes.items() if block_id in votes}
        return step.certified.get(block_id, {}) | single

    def skip_round(self) -> int:
        """The highest round that validators with a third of the power have reached; -1 if none (L55)."""
        power = 0
        for round_, validator in sorted(((r, v) for v, r in self._newest.items()), reverse=True):
            power += self._validators.power(validator)
            if self._validators.is_third(power):
                return round_
        return -1

    def power_seen(self) -> int:
        """Power of all validators that sent a message of this height."""
        return sum(self._validators.power(validator) for validator in self._newest)

    def votes_of_round(self, round_: int) -> list[Vote]:
        """All single votes of one round."""
        votes: list[Vote] = []
        kinds: tuple[VoteKind, ...] = ("prevote", "precommit")
        for kind in kinds:
            step = self._steps.get((kind, round_))
            if step is not None:
                votes.extend(vote for by_id in step.votes.values() for vote in by_id.values())
        return votes
