"""Four real processes under load, and `kill -9`: of one, of two, of all at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.processes import (
    Ear,
    Fleet,
    Load,
    check_no_fork,
    heights,
    running_network,
    status_of,
    submit_batch,
    wait_for,
    wait_height,
)

from node.chain.genesis import genesis_hash

pytestmark = pytest.mark.network


def test_one_is_killed_under_load_and_catches_up(tmp_path: Path) -> None:
    with running_network(tmp_path) as network:
        ident = genesis_hash(network.genesis)
        victim, others = network.nodes[1], [network.nodes[i] for i in (0, 2, 3)]
        with Load(others, ident) as load:
            wait_height(network.nodes, 3)
            victim.kill()
            at_kill = max(node.height() for node in others)
            wait_height(others, at_kill + 5)
            victim.start()
            target = max(node.height() for node in others)
            took = wait_height([victim], target, 20)
            assert took < 10, f"catching up took {took:.1f} s"
            wait_for(lambda: victim.get("/v1/status")["signing"] == "signing", 15, "signing again")
        wait_for(lambda: all(status_of(others[0], t) == "committed" for t in load.accepted), 30, "all are committed")
        check_no_fork(network)


def test_two_down_stand_still_and_one_back_goes_on(tmp_path: Path) -> None:
    with running_network(tmp_path) as network:
        ident = genesis_hash(network.genesis)
        first, second, third, fourth = network.nodes
        with Load([first, second], ident) as load:
            wait_height(network.nodes, 3)
            third.kill()
            fourth.kill()
            wait_for(lambda: first.height() == second.height(), 10, "the same height")
            stood_at = first.height()
            before = len(load.accepted)
            wait_for(lambda: len(load.accepted) > before + 60, 20, "more transactions accepted")
            assert first.height() <= stood_at + 1
            stood_at = first.height()
            third.start()
            took = wait_height([first, second, third], stood_at + 2, 30)
            assert took < 15, f"blocks came after {took:.1f} s"
            fourth.start()
            wait_height(network.nodes, stood_at + 3)
        wait_for(lambda: all(status_of(first, t) == "committed" for t in load.accepted), 30, "all are committed")
        check_no_fork(network)


def test_all_are_killed_at_once_under_load(tmp_path: Path) -> None:
    with running_network(tmp_path) as network:
        ident = genesis_hash(network.genesis)
        with Ear(network.nodes, ident) as ear:
            with Load(network.nodes, ident) as load:
                wait_height(network.nodes, 4)
                for _ in range(2):
                    before = len(load.accepted)
                    wait_for(lambda before=before: len(load.accepted) > before, 20, "more accepted")
                    reached = max(heights(network))
                    for node in network.nodes:
                        node.process.kill()
                    for node in network.nodes:
                        node.process.wait()
                    for node in network.nodes:
                        node.start()
                    wait_height(network.nodes, reached + 2, 30)
            wait_for(lambda: all(status_of(n, t) == "committed" for t, n in load.accepted.items()), 30, "committed")
            assert len(ear.votes) > 20
            assert [] == ear.contradictions
        height = check_no_fork(network)
        for at in range(1, height + 1):
            assert [] == network.nodes[0].get(f"/v1/blocks/{at}")["evidence"]


def test_a_batch_that_was_answered_is_never_forgotten(tmp_path: Path) -> None:
    """1,000 in one batch, all four killed at the last 202: no 404, and after expiry only final states."""
    with running_network(tmp_path) as network:
        fleet = Fleet(genesis_hash(network.genesis), "B", lifetime_ms=25_000)
        node = network.nodes[0]
        wait_height(network.nodes, 1)
        results = submit_batch(node, fleet.births(1_000))
        for each in network.nodes:
            each.process.kill()
        txids = [result["txid"] for result in results]
        assert {"pending"} == {result["status"] for result in results}
        for each in network.nodes:
            each.process.wait()
            each.start()
        network.wait_ready()
        assert "unknown" not in {status_of(node, txid) for txid in txids}
        expired_at = time.monotonic() + 25
        wait_for(
            lambda: time.monotonic() > expired_at and {status_of(node, t) for t in txids} <= {"committed", "expired"},
            60,
            "every fate is final",
        )
        committed = [txid for txid in txids if status_of(node, txid) == "committed"]
        height = max(node.height(), 1)
        wait_height(network.nodes, height)
        source = ["--node", network.nodes[2].url, "--genesis", str(network.genesis_file), "--workers", "0", "--json"]
        replayed = subprocess.run(
            [sys.executable, "-m", "node.cli.audit", "replay", *source], capture_output=True, text=True, check=True
        )
        assert committed
        assert len(committed) == json.loads(replayed.stdout)["transactions"]


def test_what_had_no_room_in_the_pool_at_restart_is_admitted_later(tmp_path: Path) -> None:
    """The journal may hold more than a pool that has become smaller: nothing of it is forgotten."""
    with running_network(tmp_path) as network:
        fleet = Fleet(genesis_hash(network.genesis), "S")
        node, others = network.nodes[0], network.nodes[1:]
        wait_height(network.nodes, 1)
        for other in others:
            other.kill()  # nothing is decided any more
        results = submit_batch(node, fleet.births(300))
        node.kill()
        node.start(environment={"BMW_NODE_MEMPOOL_TXS_MAX": "50"})
        for other in others:
            other.start()
        network.wait_ready()
        txids = [result["txid"] for result in results]
        wait_for(lambda: {status_of(node, txid) for txid in txids} == {"committed"}, 40, "all are committed")
