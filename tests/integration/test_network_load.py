"""`bmw-node load` on four real processes: its numbers are those of the chain, also if a node is killed meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.processes import check_no_fork, running_network, started, wait_for, wait_height

from node.cli.local_network import LocalNetwork, LocalNode
from node.load.writers import MODEL

pytestmark = pytest.mark.network


@pytest.fixture
def network(tmp_path: Path) -> Iterator[LocalNetwork]:
    with running_network(tmp_path / "net") as found:
        yield found


@contextmanager
def loading(nodes: list[LocalNode], *options: str) -> Iterator[subprocess.Popen[str]]:
    """A load over the nodes, with the keys of those members that can send something of its mix."""
    able = nodes if "--mix" in options else nodes[:1]
    keys = [word for node in able for word in ("--key", str(node.home.key_file("account")))]
    words = ["load", *(node.url for node in nodes), "--chain-id", "bmw-dev-1", *keys, *options, "--json"]
    program = Path(sys.executable).with_name("bmw-node")
    with started([program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def reported(process: subprocess.Popen[str], code: int = 0) -> Any:
    """The report of a load, once it has ended with `code`."""
    out, err = process.communicate(timeout=120)
    assert code == process.returncode, (out, err)
    assert (err == "") == (code == 0) and "Traceback" not in err
    return json.loads(out)


def begun(process: subprocess.Popen[str], network: LocalNetwork) -> None:
    """Wait until blocks have transactions of the load."""
    wait_for(lambda: process.poll() is not None or on_chain(network.nodes[0]).total() > 10, 30, "transactions")
    assert process.poll() is None, process.communicate()


def on_chain(node: LocalNode, first: int = 1) -> Counter[str]:
    """How many transactions of each type the node's blocks have, from the height `first` on."""
    found, last = Counter[str](), node.height()
    while first <= last:
        blocks = node.get(f"/v1/blocks?from={first}&limit=20")["blocks"]
        bodies = [tx["body"] for block in blocks for tx in block["transactions"]]
        assert all(body.get("model", MODEL) == MODEL for body in bodies), "nothing but test cars"
        found.update(body["type"] for body in bodies)
        first += len(blocks)
    return found


def test_the_numbers_are_those_of_the_chain(network: LocalNetwork) -> None:
    with loading(network.nodes, "--mix", "births=1,maintenance=2,odometer=1", "--rate", "20", "--duration", "4") as it:
        found = reported(it)
    assert (found["offered"], found["accepted"], found["committed"], found["missed"]) == (80, 80, 80, 0)
    assert found["registered_first"] == 8, "60 records, eight for each car"
    wait_height(network.nodes, found["blocks"]["last"])
    for node in network.nodes:
        assert on_chain(node) == {"vehicle.register": 8 + 20, "maintenance.record": 40, "odometer.read": 20}
    assert on_chain(network.nodes[0], found["blocks"]["first"]).total() == 80
    assert [told["accepted"] for told in found["nodes"]] == [20, 20, 20, 20]
    assert found["finality_ms"]["p50"] > found["answer_ms"]["p50"]


def test_ctrl_c_ends_the_offering(network: LocalNetwork) -> None:
    """The report is of what was offered until then."""
    with loading(network.nodes, "--rate", "20", "--duration", "600") as process:
        begun(process, network)
        process.send_signal(signal.SIGINT)
        found = reported(process)
    assert 0 < found["offered"] == found["committed"] < 12_000
    wait_height(network.nodes, found["blocks"]["last"])
    assert on_chain(network.nodes[3]) == {"vehicle.register": found["committed"]}


def test_a_node_that_is_killed_is_reported_and_the_others_go_on(network: LocalNetwork) -> None:
    killed, others = network.nodes[2], [*network.nodes[:2], network.nodes[3]]
    with loading(network.nodes, "--rate", "20", "--duration", "8") as process:
        begun(process, network)
        killed.kill()
        found = reported(process)
    assert (found["offered"] + found["missed"], found["unanswered"], found["undecided"]) == (160, 0, 0)
    assert found["committed"] == found["accepted"] == found["offered"] >= 150
    told = {node["url"]: node for node in found["nodes"]}
    assert [url for url, node in told.items() if node["failed"]] == [killed.url]
    assert set(told[killed.url]["failed"]) <= {"connection refused", "connection lost"}
    assert all(told[node.url]["accepted"] > told[killed.url]["accepted"] for node in others)
    wait_height(others, found["blocks"]["last"])
    assert on_chain(others[0]) == on_chain(others[2]) == {"vehicle.register": found["committed"]}
    killed.start()
    network.wait_ready()
    wait_height(network.nodes, found["blocks"]["last"])
    check_no_fork(network)


def test_a_network_without_a_quorum_commits_nothing(network: LocalNetwork) -> None:
    """Accepted and not decided: exit code 1."""
    wait_height(network.nodes, 1)
    for node in network.nodes[2:]:
        node.kill()
    with loading(network.nodes[:2], "--rate", "10", "--duration", "1", "--timeout", "2") as process:
        found = reported(process, code=1)
    assert (found["accepted"], found["undecided"], found["committed"]) == (10, 10, 0)
