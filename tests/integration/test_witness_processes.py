"""Witnesses and watches as their operators run them: processes over real nodes, killed, doubled and lied to."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.chain import Chain
from support.commands import process, run
from support.processes import (
    Fleet,
    answered,
    running_network,
    started,
    status_of,
    submit,
    wait_for,
    wait_height,
)
from support.wallet_node import wallet_node
from support.witnessing import long_chain, two_views

from node.certificates.cosignature import Cosignature
from node.certificates.roots import root_of_genesis
from node.certificates.verifier import verify
from node.chain.genesis import genesis_to_json
from node.daemon.home import Home
from node.ledger.json_form import from_json

pytestmark = pytest.mark.slow

UNBORN = "WBA8E9G50GNU99999"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class WitnessProcess:
    """`bmw-audit witness` with a home and a port of its own."""

    home: Path
    genesis: Path
    port: int
    nodes: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def arguments(self) -> list[str]:
        nodes = [word for node in self.nodes for word in ("--nodes", node)]
        return ["witness", "--home", str(self.home), "--genesis", str(self.genesis), *nodes, "--interval", "0.1",
                "--listen", f"127.0.0.1:{self.port}", "--accept-old-root"]  # fmt: skip

    def start(self, *more: str) -> None:
        self.home.parent.mkdir(exist_ok=True)
        with (self.home.parent / f"{self.home.name}.log").open("ab") as log:
            program = Path(sys.executable).with_name("bmw-audit")
            self.process = started([program, *self.arguments, *more], stderr=log, stdout=log)
        wait_for(lambda: self.answers(), what="the witness")

    def answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, "the witness has ended"
        with contextlib.suppress(OSError):
            return self.get("0")[0] in (404, 409)
        return False

    def get(self, height: int | str) -> tuple[int, Any]:
        return answered(f"{self.url}/v1/witness/{height}")

    def cosigned(self, height: int | str) -> Cosignature:
        status, document = self.get(height)
        assert 200 == status, document
        found: Cosignature = from_json(Cosignature, document)
        assert found.is_signed() and found.key == Home(self.home).read_key("witness").public
        return found

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def witnesses(folder: Path, genesis: Path, *ports: int) -> Iterator[list[WitnessProcess]]:
    """Not started yet; whatever happens, no process is left."""
    made = [WitnessProcess(folder / f"witness-{number}", genesis, port) for number, port in enumerate(ports)]
    try:
        yield made
    finally:
        for each in made:
            if each.process is not None and each.process.poll() is None:
                each.end(signal.SIGKILL)


@pytest.mark.network
def test_certificates_of_a_node_carry_the_cosignatures_of_its_witnesses(tmp_path: Path) -> None:
    ports = (free_port(), free_port())
    urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
    with running_network(tmp_path / "net", 1, rpc__witnesses=urls) as network:
        (node,) = network.nodes
        with witnesses(tmp_path, node.home.genesis, *ports) as (one, other):
            wait_height([node], 2)
            one.nodes = other.nodes = (node.url,)
            one.start()
            other.start("--full")
            root = root_of_genesis(node.home.read_genesis())
            keys = [Home(each.home).read_key("witness").public for each in (one, other)]

            def certified() -> dict[str, Any]:
                with urllib.request.urlopen(f"{node.url}/v1/absence/{UNBORN}", timeout=10) as answer:
                    now_ms = time.time_ns() // 1_000_000
                    return verify(answer.read(), root, now_ms, witnesses=keys, accept_old_root=True)["trust"]

            assert 2 == certified()["witnesses"]
            assert ["full", "light"] == sorted(each.cosigned("latest").mode for each in (one, other))
            said: dict[int, Cosignature] = {}
            for number in range(2):
                for height in range(max(1, node.height() - 3), node.height() + 1):
                    said[height] = one.cosigned(height)
                one.end(signal.SIGKILL)
                if number == 0:  # the node keeps what it was given of a head
                    wait_for(lambda: certified()["witnesses"] == 1, what="a head that one of them has signed")
                one.start()
                assert said == {height: one.cosigned(height) for height in said}
            second = process("bmw-audit", *one.arguments[:-3], "--accept-old-root", "--listen", "127.0.0.1:0")
            assert 3 == second.code and "signs with the key" in second.err
            assert 0 == one.end(signal.SIGTERM)
            shutil.rmtree(one.home / "data" / "cosigned")
            lost = process("bmw-audit", *one.arguments)
            assert 3 == lost.code and "hard state of this home is gone" in lost.err
            raw = Fleet(root.genesis_hash).births(1)[0]
            status, receipt = submit(node, raw)
            assert (202, node.get("/v1/status")["node_key"]) == (status, receipt["acceptance"]["node_key"])
            wait_for(lambda: status_of(node, receipt["txid"]) == "committed", what="the commit")
            (tmp_path / "receipt.json").write_text(json.dumps(receipt))
            (tmp_path / "signed.hex").write_text(raw.hex())
            found = run("bmw-audit", "censorship", tmp_path / "receipt.json", "--transaction", tmp_path / "signed.hex",
                        "--node", node.url, "--genesis", node.home.genesis, "--json")  # fmt: skip
            assert ["committed"] == [each["verdict"] for each in found.json["inquiries"]]
            done = run("bmw-audit", "watch", node.url, "--genesis", node.home.genesis, "--once", "--accept-old-root")
            assert (0, "") == (done.code, done.out), done.err


def test_a_split_view_halts_witness_and_watch_with_the_evidence(tmp_path: Path) -> None:
    first, second = two_views(2)
    genesis = tmp_path / "genesis.json"
    genesis.write_text(genesis_to_json(first.genesis))
    watching = ("--genesis", genesis, "--accept-old-root", "--stalled-after", "999999999")
    with wallet_node(first) as one, wallet_node(second) as other, witnesses(tmp_path, genesis, free_port()) as (runs,):
        runs.nodes = (one.url,)
        runs.start()
        before = runs.cosigned(200)
        assert 0 == runs.end(signal.SIGTERM)
        runs.nodes = (one.url, other.url)
        runs.start()
        status, problem = runs.get("latest")
        assert (409, "halted") == (status, problem["code"])
        headers = problem["evidence"]["headers"]
        assert {one.url, other.url} == {each["source"] for each in headers}
        assert {each.store.head().block_id.hex() for each in (first, second)} == {each["block_id"] for each in headers}
        assert 1 == runs.end(signal.SIGTERM)
        runs.nodes = (one.url,)
        runs.start()
        assert 409 == runs.get(first.store.height())[0]
        assert before.height == 200 and 1 == runs.end(signal.SIGTERM)

        done = process("bmw-audit", "watch", one.url, other.url, *watching)
        (line,) = map(json.loads, done.out.splitlines())
        assert (1, "split_view", 2) == (done.code, line["alarm"], len(line["evidence"]["headers"]))
        assert 4 == len(line["evidence"]["signed_both"])
        alone = run("bmw-audit", "watch", one.url, *watching, "--once")
        assert (0, "") == (alone.code, alone.out), alone.err
        old = run("bmw-audit", "watch", one.url, "http://127.0.0.1:1", "--genesis", genesis, "--accept-old-root",
                      "--once")  # fmt: skip
        assert (1, {"stalled", "unreachable"}) == (old.code, {json.loads(x)["alarm"] for x in old.out.splitlines()})
    assert 3 == run("bmw-audit", "watch", "http://127.0.0.1:1", *watching, "--once").code
    refused = run("bmw-audit", "watch", "http://127.0.0.1:1", "--genesis", genesis, "--once")
    assert 1 == refused.code and "180" not in refused.out and "days old" in refused.err


def test_a_witness_that_is_killed_while_it_signs_never_signs_anything_else(tmp_path: Path) -> None:
    """Its answers are asked for without a pause, and it is killed between any two; nodes show another view later."""
    first, second = two_views(30)
    genesis = tmp_path / "genesis.json"
    genesis.write_text(genesis_to_json(first.genesis))
    said: dict[int, Cosignature] = {}
    with wallet_node(first) as one, wallet_node(second) as other, witnesses(tmp_path, genesis, free_port()) as (runs,):
        for number in range(3):
            runs.nodes = (one.url,)
            runs.start()
            assert said == {height: runs.cosigned(height) for height in said}
            killer = threading.Timer(0.1, lambda: runs.end(signal.SIGKILL))
            killer.start()
            with contextlib.suppress(OSError, http.client.HTTPException):
                for height in range(first.store.height() - 29 + 9 * number, first.store.height() + 1):
                    found = runs.cosigned(height)
                    assert said.setdefault(height, found) == found
            killer.join()
        runs.start()
        head = first.store.height()  # whenever it was killed, it has signed something that the other view has not
        assert said.setdefault(head, runs.cosigned(head)) == runs.cosigned(head)
        runs.end(signal.SIGKILL)
        runs.nodes = (other.url,)
        runs.start()
        for height in range(first.store.height() - 29, first.store.height() + 1):
            status, document = runs.get(height)
            assert status in (200, 404, 409)
            if status == 200:
                said.setdefault(height, from_json(Cosignature, document))
        wait_for(lambda: runs.get("latest")[0] == 409, what="the halt")
        assert said and all(each.block_id == block_id(first, height) for height, each in said.items())


def block_id(chain: Chain, height: int) -> bytes:
    committed = chain.store.committed(height)
    assert committed is not None
    return committed.commit.block_id


def test_a_witness_bounds_what_it_is_asked(tmp_path: Path) -> None:
    chain = long_chain()
    genesis = tmp_path / "genesis.json"
    genesis.write_text(genesis_to_json(chain.genesis))
    with wallet_node(chain) as node, witnesses(tmp_path, genesis, free_port()) as (runs,):
        runs.nodes = (node.url,)
        runs.start()
        for text, status, code in (
            ("x", 400, "malformed"), ("9" * 17, 400, "malformed"), ("9" * 15, 404, "not_signed"),
            (chain.store.height() + 1, 404, "not_signed"), ("-1", 400, "malformed"),
        ):  # fmt: skip
            found = runs.get(text)
            assert (status, code) == (found[0], found[1]["code"])
        assert runs.cosigned("latest") == runs.cosigned(chain.store.height())
        assert 0o600 == Home(runs.home).key_file("witness").stat().st_mode & 0o777
