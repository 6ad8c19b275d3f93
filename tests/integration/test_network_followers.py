"""A follower, a full node without a validator's key: it follows the chain, answers reads and passes transactions on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import run
from support.processes import Fleet, check_no_fork, running_network, submit, wait_for, wait_height

from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNode
from node.daemon.home import Home

pytestmark = pytest.mark.network


def test_a_follower_answers_like_a_validator_and_signs_nothing(tmp_path: Path) -> None:
    with running_network(tmp_path / "net", 1) as network:
        validator = network.nodes[0]
        home = Home(tmp_path / "follower")
        made = run("bmw-node", "init", home.path, "--genesis", network.genesis_file, "--follower")
        assert made.code == 0, made.err
        follower = LocalNode("follower", home, validator.rpc_port + 1, validator.p2p_port + 1)
        network.nodes.append(follower)
        ports = ("--rpc-port", str(follower.rpc_port), "--p2p-port", str(follower.p2p_port))
        follower.start("--peer", f"127.0.0.1:{validator.p2p_port}", *ports)
        wait_for(follower.is_ready, 60, "it is ready")

        fleet = Fleet(genesis_hash(network.genesis))
        status, answer = submit(follower, fleet.births(1)[0], "?wait=commit&timeout_ms=20000")

        assert (status, answer["status"]) == (200, "committed")
        wait_height(network.nodes, answer["height"])
        path = f"/v1/vehicles/{fleet.vin(0)}/history"
        assert follower.get(path)["records"] == validator.get(path)["records"]
        found = follower.get("/v1/status")
        assert (found["validator"], found["signing"]) == (False, "not_a_validator")
        check_no_fork(network)
        assert follower.stop() == 0
        assert not home.hard_state.exists()
