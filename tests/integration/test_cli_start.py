"""`bmw-node start` as an operator's service manager sees it: comes up, serves, and ends within five seconds."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from support.processes import Fleet, free_base_port, running_network, submit, wait_for
from support.prometheus import prometheus

from node.cli.local_network import LocalNetwork

pytestmark = pytest.mark.network

STOP_S = 5.0


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory):
    with running_network(tmp_path_factory.mktemp("service"), 1, node__log_format="json") as started:
        yield started


def raw_connection(network: LocalNetwork, request: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", network.nodes[0].rpc_port), timeout=20)
    connection.sendall(request)
    return connection


def test_metrics_health_and_status_of_the_running_node(network: LocalNetwork) -> None:
    node = network.nodes[0]
    with urllib.request.urlopen(node.url + "/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        found = prometheus(answer.read().decode())
    assert {
        "bmw_height",
        "bmw_peers",
        "bmw_pool_txs",
        "bmw_is_syncing",
        "bmw_is_halted",
        "bmw_blocks_committed_total",
    } <= {name for name, _ in found}
    assert found["bmw_is_validator", ""] == 1
    assert {"ready": True, "reasons": []} == node.get("/health/ready")
    assert [] == node.get("/v1/peers")["peers"]


def test_it_stops_within_five_seconds_whatever_is_open_and_goes_on_after(network: LocalNetwork) -> None:
    """A stream, a request that waits, half a request, and a transaction that was answered 202."""
    node = network.nodes[0]
    fleet = Fleet(_hash(network))
    status, first = submit(node, fleet.births(1)[0], "?wait=commit&timeout_ms=10000")
    assert (200, "committed") == (status, first["status"])
    stream = raw_connection(network, b"GET /v1/stream HTTP/1.1\r\nHost: a\r\n\r\n")
    assert stream.recv(12) == b"HTTP/1.1 200"
    half = raw_connection(network, b"POST /v1/transactions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n")
    status, accepted = submit(node, fleet.births(1, 1)[0])
    assert 202 == status

    assert node.process is not None
    node.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert 0 == node.process.wait(STOP_S + 5)
    assert time.monotonic() - began < STOP_S
    ended = b""
    while piece := stream.recv(65_536):
        ended += piece
    assert b"shutting_down" in ended
    stream.close()
    half.close()

    lines = node.log.read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line]
    shown = [json.loads(line) for line in lines]
    assert "stopping" == shown[-1]["event"], shown[-1]
    assert "listening" in {line["event"] for line in shown}
    assert not (node.home.path / "data" / "admin.sock").exists()

    node.start()
    network.wait_ready()
    wait_for(lambda: node.get(f"/v1/transactions/{accepted['txid']}")["status"] == "committed", 20, "the commit")
    assert first["height"] == node.get(f"/v1/transactions/{first['txid']}")["height"]


def _hash(network: LocalNetwork) -> bytes:
    return bytes.fromhex(network.nodes[0].get("/v1/status")["genesis_hash"])


def test_ctrl_c_ends_it_as_well(network: LocalNetwork) -> None:
    node = network.nodes[0]
    assert node.process is not None
    node.process.send_signal(signal.SIGINT)
    assert 0 == node.process.wait(STOP_S + 5)
    node.start()
    network.wait_ready()


def test_a_second_start_of_the_same_home_names_the_first(network: LocalNetwork, tmp_path: Path) -> None:
    node = network.nodes[0]
    assert node.process is not None
    first, before = node.process, node.height()
    log = node.log.read_text()
    base = free_base_port()
    node.start("--rpc-port", str(base), "--p2p-port", str(base + 1))
    second, node.process = node.process, first
    assert 3 == second.wait(20)
    said = node.log.read_text()[len(log) :]
    assert f"process {first.pid}" in said and "Traceback" not in said
    wait_for(lambda: node.height() > before, 20, "the first goes on")


def test_an_environment_variable_and_a_flag_are_taken(network: LocalNetwork) -> None:
    node = network.nodes[0]
    node.stop()
    port = free_base_port()
    node.start("--rpc-port", str(port), environment={"BMW_NODE_NODE_MONIKER": "from-the-environment"})
    own, node.rpc_port = node.rpc_port, port
    try:
        network.wait_ready()
        assert "from-the-environment" == node.get("/v1/status")["moniker"]
    finally:
        node.stop()
        node.rpc_port = own
