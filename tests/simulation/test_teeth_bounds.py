"""Teeth: what grows without its bound is noticed. The bound stands in the simulator once more, in its own numbers."""

from __future__ import annotations

import pytest
from support.simulation.teeth import LONG, first_violation

from node.consensus.machine import Machine
from node.replica import evidence_pool, signing_duty, tx_fetcher, undecided_blocks

pytestmark = pytest.mark.slow

WITHOUT = 10**9


def one(behaviour: str) -> tuple[str, ...]:
    return (LONG, f"faulty=((1,'{behaviour}'),)")


STALLED = ("faulty=((0,'spammer'),)", "fault_ms=400000", "interval_empty_ms=20000", "stalls=1")
"""One height goes on for dozens of rounds, and each brings another block."""


@pytest.mark.parametrize("behaviour", ["spammer", "flooder", "self_accuser"])
def test_the_bounds_hold_of_what_is_to_break_them(behaviour: str) -> None:
    assert first_violation(*one(behaviour), seeds=range(1)) == ""


def test_bodies_without_a_bound_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_violation(*STALLED, seeds=range(1)) == ""

    def keep_all(
        self: undecided_blocks.UndecidedBlocks, block_id: bytes, candidate: undecided_blocks.Candidate, keep: set[bytes]
    ) -> list[bytes]:
        self._candidates[block_id] = candidate
        return []

    monkeypatch.setattr(undecided_blocks.UndecidedBlocks, "add", keep_all)

    assert "bodies of one height" in first_violation(*STALLED, seeds=range(1))


def test_evidence_without_a_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_pool, "EVIDENCE_PER_VALIDATOR_MAX", WITHOUT)
    monkeypatch.setattr(evidence_pool, "EVIDENCE_POOL_MAX", WITHOUT)

    assert "pieces of evidence" in first_violation(*one("self_accuser"), seeds=range(1))


def test_votes_of_any_round_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "_on_vote", lambda self, vote: self.tally.add(vote))

    assert "rounds ahead in votes" in first_violation(*one("flooder"), seeds=range(1))


def test_instances_without_a_bound_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_duty, "INSTANCES_MAX", WITHOUT)

    assert "instances of one validator" in first_violation(*one("spammer"), seeds=range(1))


def test_what_is_being_fetched_without_a_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tx_fetcher, "FETCHING_SPARE", WITHOUT)
    monkeypatch.setattr(tx_fetcher, "FETCHING_MAX", WITHOUT)

    assert "transactions being fetched" in first_violation(*one("flooder"), "fault_ms=60000", seeds=range(2))
