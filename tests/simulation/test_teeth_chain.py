"""Teeth: what is wrong with a chain, its state or its certificates is noticed, and called what it is."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace
from support.simulation import node as simulated_node
from support.simulation.disk import SimulatedStore
from support.simulation.teeth import LONG, MILD, first_violation
from support.simulation.world import World

from node.chain.validators import ValidatorSet
from node.chain.vote import Evidence
from node.codec import encode
from node.consensus.tally import Tally
from node.crypto.hashing import ZERO32
from node.execution import evidence as evidence_rules
from node.execution.block_run import BlockResult
from node.mempool.pool import Pool
from node.replica import consensus_driver, proposals_and_votes
from node.replica.admission import Admission
from node.replica.block_builder import BlockBuilder
from node.replica.consensus_driver import ConsensusDriver
from node.replica.doppelganger import Doppelganger
from node.replica.evidence_pool import EvidencePool
from node.replica.proposals_and_votes import ProposalsAndVotes
from node.storage.chain_store import ChainStore, StateView
from node.txtypes.vehicle import record

pytestmark = pytest.mark.slow

LIVING = (LONG, "lives=2", "replays=30", "transactions=0")


def with_a(behaviour: str) -> tuple[str, ...]:
    return (f"faulty=((1,'{behaviour}'),)",)


def a_played_world() -> World:
    world = World(0, MILD)
    world.play(1)
    return world


# --- the chain ---
def test_a_fork_is_noticed() -> None:
    """Nothing is broken here but the assumption: half of the power lies to both halves of the rest."""
    settings = (
        "powers=(2,1,1)",
        "faulty=((0,'equivocating_proposer'),)",
    )
    assert "fork at height" in first_violation(*settings, seeds=range(3))


def test_a_certificate_of_too_few_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    has_quorum = Tally.has_quorum

    def lax(self: Tally, kind: str, round_: int, block_id: bytes) -> bool:
        return has_quorum(self, kind, round_, block_id) or (kind == "precommit" and bool(block_id))

    monkeypatch.setattr(Tally, "has_quorum", lax)

    assert "without a certificate that holds" in first_violation(seeds=range(1))


def test_a_certificate_of_another_length_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = consensus_driver.Commit
    monkeypatch.setattr(consensus_driver, "Commit", lambda *fields: commit(*fields[:3], fields[3][:-1]))

    assert "certificate of 3 signatures of 4 validators" in first_violation(seeds=range(1))


def test_another_validator_set_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One store of four answers with another power above its head."""
    validators, stores = ChainStore.validators, list[int]()

    def sometimes_another(self: ChainStore, height: int) -> ValidatorSet:
        actual = validators(self, height)
        if id(self) not in stores:
            stores.append(id(self))
        if len(actual) < 4 or stores.index(id(self)) != 3 or height < 3:
            return actual
        first, *others = actual.entries
        return ValidatorSet((replace(first, power=first.power + 1), *others))

    monkeypatch.setattr(ChainStore, "validators", sometimes_another)

    assert "has another validator set above height" in first_violation(seeds=range(3))


def test_another_state_root_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    commit_block = ChainStore.commit_block

    def with_another_root(self: ChainStore, block, result: BlockResult, commit) -> None:  # type: ignore[no-untyped-def]
        commit_block(self, block, result, commit)
        self._head = dataclasses.replace(self._head, state_root=ZERO32)

    monkeypatch.setattr(ChainStore, "commit_block", with_another_root)

    assert "has another state root than the header" in first_violation(seeds=range(1))


def test_a_block_that_was_changed_since_is_noticed() -> None:
    world = a_played_world()
    world.checks.chain[1] += b"\x00"

    with pytest.raises(AssertionError, match="the block of height 1 is not the one that was committed"):
        world._replay()


def test_a_rule_that_only_a_replay_applies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockBuilder, "check_frame", lambda *_: None)

    assert "a replay from genesis refuses block" in first_violation(*with_a("invalid_proposer"), seeds=range(3))


def test_a_state_that_contradicts_itself_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BlockResult, "state_root", property(lambda self: ZERO32))

    assert "has a state that contradicts itself" in first_violation(seeds=range(1))


def test_a_car_whose_history_is_not_its_records_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the audit of the state looks at that: every node makes the same mistake."""
    assert first_violation(*LIVING, seeds=range(1)) == ""

    monkeypatch.setattr(record, "next_history_head", lambda head, *_: head)

    assert "has a state that contradicts itself" in first_violation(*LIVING, seeds=range(1))


def test_a_transaction_that_is_committed_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StateView, "was_committed", lambda *_: False)

    assert "is committed twice" in first_violation(*LIVING, seeds=range(2))


def test_a_committed_block_that_is_undone_is_noticed() -> None:
    world = a_played_world()
    node = world.nodes[2]
    node.crash()
    node.disk.restore_store({})

    with pytest.raises(AssertionError, match="went back from"):
        node.boot()


@pytest.mark.parametrize(
    ("what", "sentence"), [("store", "went back from"), ("journal", "accepted, and neither committed nor impossible")]
)
def test_what_is_not_synced_is_noticed(monkeypatch: pytest.MonkeyPatch, what: str, sentence: str) -> None:
    """A power cut takes it away."""
    write = SimulatedStore.write

    def unsynced(self: SimulatedStore, puts: dict[bytes, bytes], deletes: list[bytes], *, sync: bool = True) -> None:
        is_journal = self is self._disk.journal_kv
        write(self, puts, deletes, sync=sync and is_journal is not (what == "journal"))

    monkeypatch.setattr(SimulatedStore, "write", unsynced)

    assert sentence in first_violation("power_cuts=10", "transactions=20", "loss=0.3", seeds=range(3))


def test_untimely_blocks_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_violation(*with_a("mistimer"), seeds=range(3)) == ""

    monkeypatch.setattr(proposals_and_votes, "is_timely", lambda *_: True)

    assert "the block time of height" in first_violation(*with_a("mistimer"), seeds=range(3))


# --- others ---
def test_slander_that_is_believed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_violation(*with_a("slanderer"), seeds=range(3)) == ""

    monkeypatch.setattr(evidence_rules, "is_signature", lambda *_: True)

    assert "evidence against a validator that never equivocated" in first_violation(
        *with_a("slanderer"), seeds=range(3)
    )


def test_an_honest_node_that_is_accused_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProposalsAndVotes, "_is_signed", lambda *_: False)

    assert "accuses the honest" in first_violation(seeds=range(1))


def test_a_node_that_stops_without_a_double_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Doppelganger, "heard", lambda self, message: self.stop("an echo of its own"))

    assert "stopped signing, though it is the only one with its key" in first_violation(seeds=range(1))


def test_a_transaction_that_is_accepted_and_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Admission, "_pooled", lambda self, tx, judged, if_new: judged.unmet)

    assert "accepted, and neither committed nor impossible" in first_violation(seeds=range(1))


def test_an_equivocation_that_is_none_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tally, "add", lambda self, vote: Evidence(vote, vote))
    monkeypatch.setattr(EvidencePool, "take", lambda *_: None)

    assert "saw an equivocation of a validator that never equivocated" in first_violation(seeds=range(1))


def test_bytes_that_do_not_decode_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_node, "encode", lambda message: encode(message) + b"\x00")

    assert "sent bytes that do not decode" in first_violation(seeds=range(1))


def test_a_node_that_halts_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConsensusDriver, "_decide", lambda self, *_: self._context.halt("it does not like it"))

    assert "halted: it does not like it" in first_violation(seeds=range(1))


def test_a_block_without_its_certificate_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChainStore, "commit", lambda *_: None)

    assert "has no block or no certificate of height" in first_violation(seeds=range(1))


def test_a_transaction_that_expires_too_soon_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "expired", lambda self, _: list(self))

    assert "expired, though every transaction lives longer than the play" in first_violation(
        "transactions=60", seeds=range(3)
    )
