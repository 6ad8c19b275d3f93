"""The simulator finds what is planted: each test breaks one rule of the production code and a seed must notice."""

from __future__ import annotations

import pytest
from support.simulation.byzantine import twins
from support.simulation.teeth import LONG, first_violation

from node.chain.validators import ValidatorSet
from node.chain.vote import Proposal, Vote
from node.consensus.machine import Machine
from node.consensus.messages import QuorumProved
from node.consensus.tally import Tally
from node.execution.block_run import BlockRun
from node.replica.consensus_driver import ConsensusDriver
from node.replica.doppelganger import Doppelganger
from node.replica.evidence_pool import EvidencePool
from node.replica.proposals_and_votes import ProposalsAndVotes
from node.replica.relay_limit import RelayLimit
from node.replica.signer import LocalSigner

pytestmark = pytest.mark.slow

SPLIT = (LONG, "split_views=6")


def test_a_quorum_of_exactly_two_thirds_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ValidatorSet, "is_quorum", lambda self, power: 3 * power >= 2 * self.total)

    violation = first_violation("powers=(1,1,1)", seeds=range(5))

    assert "without a polka" in violation or "without a certificate that holds" in violation


def test_a_signature_that_is_not_on_disk_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalSigner, "_persist", lambda *_: None)

    assert "before it was on disk" in first_violation(seeds=range(1))


@pytest.mark.parametrize("is_again", [False, True], ids=["new proposal", "proposed again"])
def test_a_lock_that_does_not_hold_is_noticed(monkeypatch: pytest.MonkeyPatch, is_again: bool) -> None:
    """L22 and L28, each by itself: the split view puts both to the test."""
    answer = Machine._answer_proposal

    def forget_and_answer(self: Machine) -> bool:
        proposal = self.proposal(self.round)
        if proposal is not None and (proposal.valid_round >= 0) is is_again:
            self.locked = None
        return answer(self)

    monkeypatch.setattr(Machine, "_answer_proposal", forget_and_answer)

    assert "broke its lock" in first_violation(*SPLIT, seeds=range(3))


def test_the_split_view_harms_nobody_who_keeps_its_locks() -> None:
    assert first_violation(*SPLIT, seeds=range(3)) == ""


def test_a_shown_polka_that_cannot_be_shown_on_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One validator locks by a vote that nobody else has: where it forgets that vote, the chain stands for good."""
    settings = (LONG, "faulty=((0,'polka_hider'),)")
    assert first_violation(*settings, seeds=range(5, 7)) == ""

    keep = Tally.add_certificate
    monkeypatch.setattr(Tally, "add_certificate", lambda self, *quorum: keep(self, *quorum[:3]))

    assert "no progress" in first_violation(*settings, seeds=range(5, 7))


def test_a_polka_that_is_none_and_is_believed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (*SPLIT, "faulty=((0,'false_reproposer'),)")
    assert first_violation(*settings, seeds=range(2)) == ""

    def believe(self: ProposalsAndVotes, proposal: Proposal, polka: tuple[Vote, ...], driver: ConsensusDriver) -> None:
        driver.feed(QuorumProved("prevote", proposal.valid_round, proposal.block_id, polka))

    monkeypatch.setattr(ProposalsAndVotes, "_take_polka", believe)

    assert "without a polka" in first_violation(*settings, seeds=range(2))


def test_a_floor_that_does_not_hold_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalSigner, "_check_floor", lambda *_: None)

    settings = (
        LONG,
        "powers=(1,1,1,1,1,1)",
        "faulty=((0,'lost_hard_state'),)",
        "delay=(20,400)",
        "crashes=3",
        "outages=1",
        "partitions=3",
        "stalls=1",
    )
    assert "signed two" in first_violation(*settings, seeds=range(1))


def test_evidence_that_is_dropped_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EvidencePool, "take", lambda *_: None)

    settings = ("faulty=((1,'equivocating_voter'),)",)
    assert "not punished" in first_violation(*settings, seeds=range(3))


def test_a_root_that_depends_on_the_node_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = BlockRun.finish
    calls = iter(range(10**9))

    def sometimes_without_evidence(self: BlockRun, evidence: tuple = ()) -> object:
        return finish(self, () if next(calls) % 5 == 0 else evidence)

    monkeypatch.setattr(BlockRun, "finish", sometimes_without_evidence)

    assert "was decided but is invalid here: state_root" in first_violation(
        "faulty=((1,'equivocating_voter'),)", seeds=range(6)
    )


def test_relaying_without_a_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Honest nodes that pass everything on exceed what they allow each other."""
    settings = ("faulty=((0,'spammer'),)",)
    assert first_violation(*settings, seeds=range(2)) == ""

    monkeypatch.setattr(RelayLimit, "may", lambda *_: True)

    assert "than its peers allow" in first_violation(*settings, seeds=range(2))


def test_twins_that_both_sign_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ("faulty=((2,'twins'),)",)
    assert first_violation(*settings, seeds=range(2)) == ""

    monkeypatch.setattr(Doppelganger, "stop", lambda *_: None)

    assert "both sign with one key" in first_violation(*settings, seeds=range(1))


def test_twins_that_never_meet_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check of a pair that is not there would hold of anything."""
    monkeypatch.setattr(twins, "MEETING_MS", twins.TOGETHER_MS - 1)

    assert "twins are not up together" in first_violation("faulty=((2,'twins'),)", seeds=range(1))
