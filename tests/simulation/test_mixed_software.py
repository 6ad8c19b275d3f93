"""A network of two softwares across the activation of a ruleset that only one of them knows, with faults on the way.

The simulator itself raises where an honest node accuses another of anything, where two nodes commit different blocks or
roots, and where anybody halts who should not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgpack
import pytest
from support.life import accident, km, register
from support.newer_software import NEWER_SERVICE, FirmwareCheck, newer_software, older_software, ruleset_2
from support.simulation.faults import planned
from support.simulation.lives import WORKSHOP, Now
from support.simulation.node import SimulatedNode
from support.simulation.observing import signatures_remembered
from support.simulation.teeth import MILD
from support.simulation.world import World

from node.ledger.body import TransactionBody
from node.storage import schema
from node.txtypes.chain.actions import RulesetActivate
from node.txtypes.history import decode_record
from node.txtypes.rulesets import RULESETS
from node.txtypes.vehicle.readings import ODOMETER

FAULTS: dict[str, Any] = {"loss": 0.02, "crashes": 3, "power_cuts": 2, "transactions": 4, "fault_ms": 60_000}


@pytest.fixture(autouse=True)
def _newer() -> Iterator[None]:
    """The test itself is newer software: it reads what the newer nodes make."""
    with newer_software(), signatures_remembered():
        yield


class MixedWorld(World):
    """`older`: the indexes of the validators with the present software; all others have the newer one."""

    def __init__(self, validators: int, older: tuple[int, ...], **options: Any) -> None:
        super().__init__(1, replace(MILD, powers=(1,) * validators, **options))
        for node in self.nodes:
            node.software = older_software if node.index in older else newer_software
        self.older = [node for node in self.nodes if node.index in older]
        self.newer = [node for node in self.nodes if node.index not in older]
        self.vin = self.submissions.new_vin()
        self.injector.schedule(planned(self.seed, self.options), frozenset())

    def activate(self, after: int) -> int:
        """Carry the activation of ruleset 2 so many heights from now; the height at which it is in force."""
        self.until(lambda: self.checks.top >= 1, "a first block")
        height = self.checks.top + after
        self.governance.campaign_for(RulesetActivate(2, height, ruleset_2().hash))
        self.until(lambda: self.best().store.head().params.next_ruleset == 2, "the decision to activate")
        return height

    def until(self, condition: Any, what: str, within_ms: int = 60_000) -> None:
        assert self.clock.run_until(self.now + within_ms, condition), f"{what} did not come: {self.lines[-20:]}"

    def sign(self, body: TransactionBody, sender: str = WORKSHOP) -> bytes:
        return self.submissions.sign_for(body, sender)

    def commit(self, raw: bytes, node: SimulatedNode) -> bytes:
        """The id of a transaction that `node` is handed until it is committed."""
        txid = self.checked(raw).txid

        def is_committed() -> bool:
            if node.is_up and txid not in self.checks.committed and self.clock.events % 50 == 0:
                self.submissions.submit(node, raw)
            return txid in self.checks.committed

        self.until(is_committed, "the commit of a transaction")
        return txid

    def inspection(self, value: int) -> bytes:
        return self.sign(FirmwareCheck(self.vin, NEWER_SERVICE, km(value), self.now))

    def accident(self, value: int) -> bytes:
        return self.sign(accident(Now(self), value, self.vin))  # type: ignore[arg-type]

    def value_version(self) -> int:
        """The version in which the car's readings are stored at the head: the tag of the value."""
        raw = self.best().store.state.get(ODOMETER.key(self.vin))
        assert raw is not None, "the car has readings"
        return int(msgpack.unpackb(raw)[0])

    def outcome(self, sequence: int) -> tuple[str, ...]:
        raw = self.best().store.record(self.vin, sequence)
        assert raw is not None, "the record is there"
        return decode_record(raw).content.outcome

    def upgrade(self, node: SimulatedNode) -> None:
        """The operator installs the newer software and starts again."""
        node.crash()
        node.software = newer_software
        node.boot()


def indexed(node: SimulatedNode) -> int:
    """Entries of the index that only the newer software has."""
    return sum(1 for _ in node.disk.kv.scan(b"Xvehicle/model/", b"Xvehicle/model0"))


def test_less_than_a_third_of_older_software_stops_at_the_height_and_the_others_go_on() -> None:
    world = MixedWorld(7, older=(5, 6), **FAULTS)
    node, (old, late) = world.newer[0], world.older
    world.until(lambda: all(n.is_up for n in world.nodes), "the start of all")
    world.commit(world.sign(register(world.vin), node.name), old)
    world.commit(world.accident(100), old)
    assert "severity:minor" in world.outcome(1)
    assert world.value_version() == 1, "both softwares write version 1 of the value"
    early = world.inspection(110)
    for one in world.nodes:
        world.submissions.submit(one, early)
    assert world.checked(early).txid not in world.submissions.accepted, "of a type that is not active"

    height = world.activate(after=14)
    late.crash()
    late.is_banished = True
    world.until(lambda: world.checks.heights[node.index] > height + 2, "the newer nodes beyond the activation")
    world.until(lambda: old.stopped != "", "the stop of the older one")
    assert f"from height {height} on the chain is judged by ruleset 2" in old.stopped
    assert "install a newer version and start again; the store is intact" in old.stopped
    assert old.running.store.height() == height - 1
    assert world.value_version() == 1, "rewritten when it is next touched"
    world.commit(world.inspection(120), node)
    world.commit(world.accident(130), node)
    assert world.value_version() == 2
    assert "severity:moderate" in world.outcome(3)
    assert world.best().store.block(height).header.ruleset_hash == ruleset_2().hash

    late.is_banished = False
    late.boot()
    world.until(lambda: late.stopped != "", "the stop of one that was away: blocks ahead hold what it cannot decode")
    assert late.running.store.height() == height - 1
    assert (indexed(old), indexed(node)) == (0, indexed(world.newer[1])) and indexed(node) > 0

    world.injector.is_over = True
    world.network.heal()
    for one in world.older:
        world.upgrade(one)
    for one in world.nodes:
        one.boot()
    world._demand(world.nodes, 4, "all have the newer software")
    assert indexed(old) == indexed(late) == indexed(node), "built when the store opened"
    assert all(one.disk.kv.get(schema.META_SCHEMA) == (2).to_bytes(4, "big") for one in world.older)
    world._replay()


def test_more_than_a_third_of_older_software_stops_the_chain_cleanly_before_the_height() -> None:
    world = MixedWorld(4, older=(2, 3), transactions=4, fault_ms=30_000)
    height = world.activate(after=12)
    world.until(lambda: all(node.stopped for node in world.older), "the stop of the older ones")
    world.clock.run_until(world.now + 30_000)
    assert world.checks.top == height - 1, "nobody decides without them"
    assert not any(node.stopped or node.running.halted for node in world.newer)

    for node in world.older:
        world.upgrade(node)
    world._demand(world.nodes, 4, "all have the newer software")
    assert world.checks.top > height
    world._replay()


def test_two_softwares_agree_on_every_root_before_the_activation() -> None:
    """Same hash of ruleset 1, same genesis, same state values: nothing of ruleset 2 shows before its height."""
    with older_software():
        older = World(1, MILD)
        hashes, genesis = RULESETS[1].hash, older.genesis_hash
    assert (RULESETS[1].hash, World(1, MILD).genesis_hash) == (hashes, genesis)
    world = MixedWorld(4, older=(1, 3), lives=1, **FAULTS)
    world.until(lambda: world.faults["life_done"] == 1, "the whole life of a car", 120_000)
    world._replay()
    with older_software():
        world._checked.clear()
        world._replay()
