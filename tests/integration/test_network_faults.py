"""Four real processes: a cut network, a wrong clock, a second copy, a full disk."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
import time
from pathlib import Path

import pytest
from support.links import Proxy
from support.processes import (
    Ear,
    Fleet,
    Load,
    answered,
    check_no_fork,
    heights,
    running_network,
    started,
    status_of,
    submit,
    wait_for,
    wait_height,
)

from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNode
from node.crypto.signing import PrivateKey
from node.daemon.home import Home

VIN = "WBA8E9G50GNU12345"
pytestmark = pytest.mark.network


def test_a_network_cut_in_two_stands_still_and_heals(tmp_path: Path) -> None:
    with running_network(tmp_path, start=False, p2p__exchange=False) as network, contextlib.ExitStack() as stack:
        between: list[tuple[int, int, Proxy]] = []
        for i, node in enumerate(network.nodes):
            peers = []
            for j, other in enumerate(network.nodes):
                if i < j:
                    proxy = Proxy(other.p2p_port)
                    stack.callback(proxy.stop)
                    between.append((i, j, proxy))
                    peers += ["--peer", f"127.0.0.1:{proxy.port}"]
            node.start(*(peers or ["--peer", f"127.0.0.1:{between[-1][2].port}"]))
        network.wait_ready()
        with Load(network.nodes, genesis_hash(network.genesis)) as load:
            wait_height(network.nodes, 3)
            for i, j, proxy in between:
                if (i < 2) != (j < 2):
                    proxy.cut()
            wait_for(lambda: all(len(n.get("/v1/peers")["peers"]) == 1 for n in network.nodes), 10, "the cut")
            time_at_cut, stood_at = time.monotonic(), max(heights(network))
            wait_for(lambda: time.monotonic() > time_at_cut + 8, 10, "eight seconds of cut")
            assert max(heights(network)) <= stood_at + 1
            stood_at = max(heights(network))
            for _, _, proxy in between:
                proxy.heal()
            took = wait_height(network.nodes, stood_at + 2, 30)
            assert took < 15, f"healed after {took:.1f} s"
        wait_for(lambda: all(status_of(network.nodes[0], t) == "committed" for t in load.accepted), 40, "committed")
        check_no_fork(network)
        assert all(VIN[:8].encode() not in proxy.passed and proxy.passed for _, _, proxy in between if proxy.passed)


@pytest.mark.parametrize("offset_ms", [3_600_000, -3_600_000])
def test_a_validator_whose_clock_is_an_hour_off(tmp_path: Path, offset_ms: int) -> None:
    with running_network(tmp_path, start=False) as network:
        ident = genesis_hash(network.genesis)
        for node in network.nodes[:3]:
            node.start()
        wrong = network.nodes[3]
        wrong.start(environment={"BMW_NODE_NODE_CLOCK_OFFSET_MS": str(offset_ms)})
        network.wait_ready()
        with Load(network.nodes[:3], ident) as load:
            wait_height(network.nodes, 8, 60)
            wait_for(lambda: "clock" in _reasons(wrong), 60, "the node says that its clock is off")
        assert "" == _reasons(network.nodes[0])
        status, answer = submit(wrong, Fleet(ident, "W").births(1)[0], "?wait=commit&timeout_ms=20000")
        assert (200, "committed") == (status, answer["status"]), "its callers are served all the same"
        wait_for(lambda: all(status_of(network.nodes[0], t) == "committed" for t in load.accepted), 40, "committed")
        height = check_no_fork(network)
        now = time.time() * 1000
        times = [network.nodes[0].get(f"/v1/blocks/{at}")["header"]["time"] for at in range(1, height + 1)]
        assert times == sorted(times)
        last = network.nodes[0].get("/v1/status")["head"]["time"]
        assert abs(_ms(last) - now) < 60_000, f"the chain's clock {last} follows the wrong validator"


def _reasons(node: LocalNode) -> str:
    """Why it is not ready."""
    return "; ".join(answered(node.url + "/health/ready")[1].get("reasons", []))


def _ms(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


@pytest.mark.parametrize("kind", ["same_node_key", "other_node_key", "copied_with_its_data"])
def test_a_second_copy_of_a_validator_does_not_sign(tmp_path: Path, kind: str) -> None:
    with running_network(tmp_path / "net") as network:
        ident = genesis_hash(network.genesis)
        original = network.nodes[2]
        with Ear(network.nodes, ident) as ear, Load(network.nodes[:2], ident):
            wait_height(network.nodes, 3)
            copy = _copy_of(original, tmp_path / "copy", kind)
            try:
                copy.start("--rpc-port", str(copy.rpc_port), "--p2p-port", str(copy.p2p_port))
                if kind == "other_node_key":
                    wait_for(lambda: "stopped" in _signing(copy), 40, "the copy stops")
                    assert "another process" in _signing(copy)
                    assert "duty" in copy.log.read_text()
                else:  # nobody takes it in, so that it hears nobody; it listens for as long as that is so
                    wait_for(lambda: "node_key_in_use" in copy.log.read_text(), 40, "the copy is told")
                    wait_for(lambda: _signing(copy) == "listening", 40, "the copy listens")
                reached = max(heights(network))
                wait_height(network.nodes, reached + 4)
                assert "signing" == _signing(original)
                assert "signing" != _signing(copy)
                assert [] == ear.contradictions
            finally:
                copy.kill()
        height = check_no_fork(network)
        assert all([] == original.get(f"/v1/blocks/{at}")["evidence"] for at in range(1, height + 1))


def _signing(node: LocalNode) -> str:
    try:
        return str(node.get("/v1/status")["signing"])
    except OSError:
        return ""


def _copy_of(node: LocalNode, folder: Path, kind: str) -> LocalNode:
    """Another process's home with the same consensus key; ports of its own."""
    shutil.copytree(node.home.path, folder, ignore=shutil.ignore_patterns("*.sock", "LOCK", "node.log"))
    home = Home(folder)
    if kind != "copied_with_its_data":
        shutil.rmtree(folder / "data")
        (folder / "data").mkdir(mode=0o700)
    else:  # while it runs its store changes under the copy: only what signs is taken over
        shutil.rmtree(home.store)
        shutil.rmtree(home.journal)
    if kind == "other_node_key":
        home.key_file("node").unlink()
        home.write_key("node", PrivateKey(secrets.token_bytes(32)))
    return LocalNode("copy", home, node.rpc_port + 10, node.p2p_port + 10)


def test_a_full_disk_stops_a_node_with_a_clear_word_and_its_store_intact(tmp_path: Path) -> None:
    """`ulimit -f` stands for the full disk: writes beyond it fail as they would there."""
    with running_network(tmp_path) as network:
        ident = genesis_hash(network.genesis)
        victim = network.nodes[3]
        with Load(network.nodes[:3], ident) as load:
            wait_height(network.nodes, 3)
            victim.stop()
            _start_on_a_small_disk(victim, 64)
            wait_for(lambda: not victim.is_running, 60, "the node stops")
            assert 3 == victim.process.returncode
            assert "Error: " in victim.log_tail(1)
            assert "disk" in victim.log_tail(1), victim.log_tail()
            reached = max(heights(network))
            wait_height(network.nodes[:3], reached + 2)
            victim.start()
            wait_height([victim], reached + 2, 30)
        wait_for(lambda: all(status_of(victim, t) == "committed" for t in load.accepted), 40, "committed")
        check_no_fork(network)


def test_what_a_node_accepted_before_its_disk_was_full_is_committed_afterwards(tmp_path: Path) -> None:
    with running_network(tmp_path, 1, start=False) as network:
        (node,) = network.nodes
        _start_on_a_small_disk(node, 400)
        with Load(network.nodes, genesis_hash(network.genesis)) as load:
            wait_for(lambda: not node.is_running, 60, "the node stops")
        assert 3 == node.process.returncode
        assert "make room on the disk, then start again" in node.log_tail(1), node.log_tail()
        assert 100 < len(load.accepted)
        node.start()
        network.wait_ready()
        assert "unknown" not in {status_of(node, txid) for txid in load.accepted}
        wait_for(lambda: all(status_of(node, txid) == "committed" for txid in load.accepted), 60, "all are committed")


def _start_on_a_small_disk(node: LocalNode, file_kib_max: int) -> None:
    with node.log.open("ab") as log:
        command = (
            f"ulimit -f {file_kib_max}; exec {sys.executable} -m node.cli.node start --home {node.home.path} --dev"
        )
        node.process = started(["bash", "-c", command], stdout=log, stderr=log)
