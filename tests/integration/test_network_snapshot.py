"""A new node joins a long, pruned chain: from a snapshot where its root may be trusted, and says why where not."""

from __future__ import annotations

import urllib.error
from pathlib import Path

import pytest
from support.processes import Load, check_no_fork, running_network, status_of, wait_for, wait_height

from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork, LocalNode

pytestmark = pytest.mark.network

SETTINGS = {
    "storage__snapshot_interval": 4,
    "storage__snapshot_gap": 6,
    "consensus__block_interval_min_ms": 50,
}


def grown(network: LocalNetwork, height: int) -> Load:
    """Three validators bring the chain to `height`; the fourth has not been there yet."""
    for node in network.nodes[:3]:
        node.start()
    wait_for(lambda: all(node.is_ready() for node in network.nodes[:3]), 60, "three are ready")
    load = Load(network.nodes[:3], genesis_hash(network.genesis))
    with load:
        wait_height(network.nodes[:3], height, 60)
    wait_for(lambda: all(status_of(network.nodes[0], t) == "committed" for t in load.accepted), 30, "committed")
    return load


def has_block(node: LocalNode, height: int) -> bool:
    try:
        return bool(node.get(f"/v1/blocks/{height}"))
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return False


def test_a_new_node_starts_from_a_snapshot_of_a_pruned_chain(tmp_path: Path) -> None:
    pruning = {"storage__keep_blocks": 8, "storage__keep_days": 0}
    with running_network(tmp_path, start=False, **SETTINGS, **pruning) as network:
        load = grown(network, 20)
        others, newcomer = network.nodes[:3], network.nodes[3]
        wait_for(lambda: not any(has_block(node, 1) for node in others), 30, "old blocks are forgotten")
        newcomer.start("--accept-old-root")
        wait_height([newcomer], others[0].height(), 30)
        assert "snapshot_used" in newcomer.log.read_text()
        assert not has_block(newcomer, 2)
        wait_for(lambda: newcomer.get("/v1/status")["signing"] == "signing", 20, "it signs")
        assert {"committed"} == {status_of(newcomer, txid) for txid in load.accepted}
        height = newcomer.height()
        wait_height(others, height)
        vehicles = {
            node.get(f"/v1/vehicles/WBA8E9G5L{7:08d}/history")["records"][0]["digest"] for node in network.nodes
        }
        assert 1 == len(vehicles)
        network.nodes[0].kill()  # with three of four left, the newcomer is needed
        wait_height([*others[1:], newcomer], height + 2, 30)
        newcomer.kill()
        newcomer.start()
        wait_height([newcomer], height + 3, 30)
        network.nodes[0].start()
        wait_height(network.nodes, height + 3, 30)


def test_a_node_that_was_away_for_too_long_begins_again_from_a_snapshot(tmp_path: Path) -> None:
    """Its peers have forgotten the blocks after its own. Its own head is the root, so that nothing has to be said."""
    pruning = {"storage__keep_blocks": 8, "storage__keep_days": 0}
    with running_network(tmp_path, **SETTINGS, **pruning) as network:
        others, away = network.nodes[:3], network.nodes[3]
        wait_height(network.nodes, 2, 60)
        away.kill()
        left_at = max(node.height() for node in others)
        load = Load(others, genesis_hash(network.genesis))
        with load:
            wait_height(others, left_at + 20, 60)
        wait_for(lambda: not any(has_block(node, left_at + 2) for node in others), 30, "the next blocks are forgotten")
        away.start()
        wait_height([away], others[0].height(), 30)
        assert "snapshot_used" in away.log.read_text()
        wait_for(lambda: away.get("/v1/status")["signing"] == "signing", 20, "it signs")
        others[0].kill()  # with three of four left, it is needed
        wait_height([*others[1:], away], away.height() + 2, 30)
        check_no_fork(network)


def test_without_trust_in_an_old_root_a_new_node_syncs_by_blocks(tmp_path: Path) -> None:
    """The development genesis is older than the trusting period."""
    with running_network(tmp_path, start=False, **SETTINGS) as network:
        grown(network, 10)
        newcomer = network.nodes[3]
        newcomer.start()
        wait_height([newcomer], 10, 30)
        text = newcomer.log.read_text()
        assert "snapshot_root" in text
        assert "--accept-old-root" in text
        assert has_block(newcomer, 1)
        check_no_fork(network)


@pytest.mark.parametrize("is_right", [True, False])
def test_the_operator_names_the_block_to_trust(tmp_path: Path, is_right: bool) -> None:
    with running_network(tmp_path, start=False, **SETTINGS) as network:
        grown(network, 10)
        newcomer = network.nodes[3]
        block_id = network.nodes[0].get("/v1/blocks/5")["id"]
        named = block_id if is_right else "00" * 32
        newcomer.start("--trust", f"5:{named}")
        if is_right:
            wait_height([newcomer], 10, 30)
            assert "snapshot_used" in newcomer.log.read_text()
        else:
            wait_for(lambda: not newcomer.is_running, 30, "it stops")
            assert "compare --trust again" in newcomer.log_tail(1)
            assert not newcomer.home.incoming.exists()
