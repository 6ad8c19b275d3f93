"""A coordinated upgrade: real processes of two softwares across the activation of a ruleset that one does not know.

`support.newer_software` is the next version. What belongs to this process, the commands called in it included, is the
present one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.commands import process
from support.council import Council
from support.life import accident, km, read
from support.newer_chain import WORKSHOP, activation
from support.newer_software import NEWER_SERVICE, FirmwareCheck, environment, ruleset_2
from support.processes import answered, check_no_fork, running_network, submit, wait_for, wait_height
from support.stores import entries

from node.cli.local_network import LocalNetwork, LocalNode

pytestmark = pytest.mark.network

SENTENCE = "which this software does not know: install a newer version and start again; the store is intact"
SETTINGS = {
    "storage__snapshot_interval": 4,
    "storage__snapshot_gap": 6,
    "consensus__block_interval_empty_ms": 400,
    "node__verify_workers": 1,
}


@dataclass(frozen=True)
class Upgrade:
    """Three validators have the newer software, the fourth the present one."""

    network: LocalNetwork
    council: Council
    newer: dict[str, str]
    vin: str

    @property
    def others(self) -> list[LocalNode]:
        return self.network.nodes[:3]

    @property
    def old(self) -> LocalNode:
        return self.network.nodes[3]

    @property
    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def inspection(self, value: int) -> bytes:
        body = FirmwareCheck(self.vin, NEWER_SERVICE, km(value), self.now)
        return self.council.fleet.sign(WORKSHOP, body)

    def accident(self, value: int) -> bytes:
        body: Any = accident(self, value, self.vin)  # type: ignore[arg-type]
        return self.council.fleet.sign(WORKSHOP, body)

    def severities(self, node: LocalNode) -> list[str]:
        records = node.get(f"/v1/vehicles/{self.vin}/history")["records"]
        return [code for record in records for code in record["outcome"] if code.startswith("severity:")]


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[Upgrade]:
    newer = environment(tmp_path / "newer")
    with running_network(tmp_path / "net", start=False, **SETTINGS) as network:
        for node in network.nodes[:3]:
            node.start(environment=newer)
        network.nodes[3].start()
        network.wait_ready()
        wait_height(network.nodes, 1)
        council = Council(network)
        yield Upgrade(network, council, newer, council.fleet.vin(0))


def refused_on(node: LocalNode, raw: bytes) -> list[str]:
    """Codes of unmet guards that a node answers."""
    status, problem = submit(node, raw)
    assert status == 422, problem
    return [guard["code"] for guard in problem["unmet"]]


def test_old_software_stops_at_the_height_and_newer_goes_on(upgrade: Upgrade, tmp_path: Path) -> None:
    network, council, others, old = upgrade.network, upgrade.council, upgrade.others, upgrade.old
    reading = council.fleet.sign(WORKSHOP, read(upgrade.vin, km(100), upgrade.now, "reading"))
    for raw in (*council.fleet.births(1), reading, upgrade.accident(110)):
        council.commit(old, raw)
    for node in (old, others[0]):
        assert ["type_not_active"] == refused_on(node, upgrade.inspection(120)), "whether it has a class for it or not"

    height = others[0].height() + 16
    council.carry(activation(height))
    assert "upgrade_needed" in old.log.read_text()
    wait_for(lambda: bool(old.get("/v1/status")["halted"]), 60, "the old node stops")
    reason = old.get("/v1/status")["halted"]
    assert (
        reason
        == f"from height {height} on the chain is judged by ruleset 2 with hash {ruleset_2().hash.hex()}, {SENTENCE}"
    )
    assert (old.height(), old.get("/v1/status")["signing"]) == (height - 1, "halted")
    status, not_ready = answered(old.url + "/health/ready")
    assert (status, reason in str(not_ready)) == (503, True)
    assert reason in old.log.read_text()
    status, problem = submit(old, upgrade.inspection(130))
    assert (status, problem["code"]) == (503, "syncing") and reason in problem["detail"]

    wait_height(others, height + 2, 40)
    network.nodes[:] = others  # the council waits for these
    for raw in (upgrade.inspection(140), upgrade.accident(150)):
        council.commit(others[0], raw)
    assert ["severity:minor", "severity:moderate"] == upgrade.severities(others[1])
    found = others[1].get("/v1/vehicles?model=330I")
    assert [upgrade.vin] == [vehicle["vin"] for vehicle in found["vehicles"]], found
    assert old.height() == height - 1, "and its store is readable where it stopped"
    network.nodes[:] = [*others, old]

    _others_read_it(upgrade, height, tmp_path)
    _a_snapshot_is_refused(upgrade, height)

    assert 0 == old.stop()
    old.start(environment=upgrade.newer)
    wait_height([old], others[0].height(), 30)
    wait_for(lambda: old.get("/v1/status")["signing"] == "signing", 30, "it signs again")
    assert upgrade.severities(old) == upgrade.severities(others[0])
    assert old.get("/v1/vehicles?model=330I")["vehicles"], "the index was built when the store opened"
    check_no_fork(network)


def _others_read_it(upgrade: Upgrade, height: int, tmp_path: Path) -> None:
    """Audits and the wallet over HTTP; then the stopped store of a newer node."""
    genesis, node = upgrade.network.genesis_file, upgrade.others[2]
    source = ("replay", "--node", node.url, "--genesis", genesis, "--workers", "1")
    done = process("bmw-audit", *source, **upgrade.newer)
    assert done.code == 0, done.err
    process("bmw-audit", *source).refused(3, f"from height {height} on", SENTENCE)
    assert process("bmw-audit", *source, "--to", str(height - 1)).code == 0
    wallet = ("--home", tmp_path / "wallet", "--node", node.url, "--genesis", genesis, "vehicle", upgrade.vin)
    verify = ("--verify", "--accept-old-root")
    process("bmw-wallet", *wallet, *verify).refused(3, SENTENCE)
    done = process("bmw-wallet", *wallet, *verify, **upgrade.newer)
    assert done.code == 0, done.err

    assert 0 == node.stop()
    home, store, archive = node.home.path, node.home.store, tmp_path / "blocks.bmw"
    before = entries(store, tmp_path / "copy")
    for command in (
        ("bmw-audit", "replay", "--store", home, "--genesis", genesis, "--workers", "0"),
        ("bmw-node", "verify-store", "--home", home),
        ("bmw-node", "reindex", "--home", home),
        ("bmw-node", "export", "--home", home, archive),
        ("bmw-node", "start", "--home", home, "--dev"),
    ):
        process(*command).refused(3, "install a newer version and start again; the store is intact")
    assert before == entries(store, tmp_path / "copy"), "intact"
    for command in (
        ("bmw-audit", "replay", "--store", home, "--genesis", genesis, "--workers", "1"),
        ("bmw-node", "verify-store", "--home", home),
        ("bmw-node", "export", "--home", home, archive),
    ):
        done = process(*command, **upgrade.newer)
        assert done.code == 0, done.err
    process("bmw-audit", "replay", "--archive", archive, "--genesis", genesis).refused(3, SENTENCE)
    node.start(environment=upgrade.newer)
    wait_height([node], upgrade.others[0].height(), 30)


def _a_snapshot_is_refused(upgrade: Upgrade, height: int) -> None:
    """The old software again, on an empty disk: it goes by blocks, as far as it can judge them."""
    old = upgrade.old
    assert 0 == old.stop()
    shutil.rmtree(old.home.store)
    old.start("--accept-old-root")
    wait_for(lambda: old.height() == height - 1, 40, "all blocks before the activation")
    refused = [line for line in old.log.read_text().splitlines() if "snapshot_refused" in line]
    assert refused and SENTENCE in refused[-1]
