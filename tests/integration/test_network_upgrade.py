"""A coordinated upgrade: governance sets a version at a height; software that does not know it stops there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.council import Council
from support.processes import check_no_fork, running_network, wait_for, wait_height

from node.txtypes.chain.actions import RulesetActivate

pytestmark = pytest.mark.network

NEWER = """
from node.rules import ruleset
ruleset._TABLES[2] = ruleset._TABLES[1] | {"upgraded": ("yes",)}
ruleset.RULESET_VERSIONS = frozenset({1, 2})
"""
"""Stands for the next version of the software: it judges by one more ruleset."""


def test_an_old_node_stops_at_the_height_and_goes_on_once_upgraded(tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "sitecustomize.py").write_text(NEWER)
    upgraded = {"PYTHONPATH": str(newer)}
    with running_network(tmp_path / "net", start=False) as network:
        old, others = network.nodes[3], network.nodes[:3]
        for node in others:
            node.start(environment=upgraded)
        old.start()
        network.wait_ready()
        wait_height(network.nodes, 1)
        height = network.nodes[0].height() + 12
        Council(network).carry(RulesetActivate(2, height))
        wait_for(lambda: bool(old.get("/v1/status")["halted"]), 60, "the old node stops")
        assert old.height() == height - 1
        reason = old.get("/v1/status")["halted"]
        assert f"from height {height} on the chain is judged by ruleset 2" in reason
        assert "install a newer version" in reason
        assert reason in old.log.read_text()
        wait_height(others, height + 3, 40)
        assert old.height() == height - 1, "and its store is readable where it stopped"

        source = ["--node", others[0].url, "--genesis", str(network.genesis_file), "--workers", "0"]
        audit = [sys.executable, "-m", "node.cli.audit", "replay", *source]
        done = subprocess.run(audit, capture_output=True, text=True, check=False)
        assert 3 == done.returncode, done
        assert "install a newer version" in done.stderr

        assert 0 == old.stop()
        old.start(environment=upgraded)
        wait_height([old], others[0].height(), 30)
        wait_for(lambda: old.get("/v1/status")["signing"] == "signing", 30, "it signs again")
        check_no_fork(network)
