"""Real processes for tests: a network on free ports, load for it, links that can be cut, an ear on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from node.chain.vote import Vote
from node.cli.local_network import BASE_PORT, P2P_OFFSET, LocalNetwork, LocalNode
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.crypto.signing import PrivateKey
from node.p2p.network import Events, Network, NetworkConfig
from node.replica.messages import VoteMessage
from node.txtypes.vehicle.title import VehicleRegister
from support.life import km, read
from support.signing import sign_transaction

NODES_MAX = 20

PRODUCED_ON = (datetime.now(UTC).date() - timedelta(days=31)).isoformat()
"""The birthday of cars on chains of today: who is older than 400 days is imported."""


def wait_for(condition, timeout_s: float = 30.0, what: str = "the condition") -> float:
    """Ask until it holds; seconds it took. A deadline that passes is a failure with a name, never a silent one."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout_s, f"{what} did not come within {timeout_s} s"
        time.sleep(0.1)
    return time.monotonic() - begun


def free_base_port() -> int:
    """A port from which on RPC and p2p ports of a network are free now, none of them a default: those are for who tries
    the documents by hand, and stand for others where a test does."""
    chance = random.Random(secrets.randbits(64))
    for _ in range(200):
        base = chance.randrange(20_000, 32_000, 2 * P2P_OFFSET)
        if abs(base - BASE_PORT) <= 2 * P2P_OFFSET:
            continue
        with contextlib.ExitStack() as stack:
            try:
                for port in [base + i + offset for i in range(NODES_MAX) for offset in (0, P2P_OFFSET)]:
                    probe = stack.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise AssertionError("no range of ports is free")


ENDING_WITH_PARENT = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


def started(command: Sequence[str | Path], **how: Any) -> subprocess.Popen[Any]:
    """A process that is killed when the calling thread ends, however that happens. `how`: arguments of `Popen`."""
    return subprocess.Popen([sys.executable, "-c", ENDING_WITH_PARENT, str(os.getpid()), *command], **how)


@contextlib.contextmanager
def running_network(folder: Path, validators: int = 4, *, start: bool = True, **overrides):
    """A started `LocalNetwork`; whatever happens, no process is left."""
    settings = {"consensus.block_interval_empty_ms": 1_000} | {k.replace("__", "."): v for k, v in overrides.items()}
    network = LocalNetwork(folder, validators, free_base_port(), settings)
    try:
        if start:
            network.start()
        yield network
    finally:
        for node in network.nodes:
            node.kill()


def heights(network: LocalNetwork) -> list[int]:
    return [node.height() for node in network.nodes]


def wait_height(nodes: list[LocalNode], height: int, timeout_s: float = 30.0) -> float:
    return wait_for(lambda: all(n.height() >= height for n in nodes), timeout_s, f"height {height}")


def check_no_fork(network: LocalNetwork) -> int:
    """Every block that two nodes both have is the same; the lowest head."""
    height = min(heights(network))
    for at in range(1, height + 1):
        ids = {node.get(f"/v1/blocks/{at}")["id"] for node in network.nodes}
        assert len(ids) == 1, f"fork at height {at}: {ids}"
    return height


# --- transactions ---------------------------------------------------------------------------------------
class Fleet:
    """Signed transactions without end: cars that are born, and readings of them. Every one holds."""

    def __init__(self, genesis_hash: bytes, tag: str = "A", lifetime_ms: int = 30 * 60_000) -> None:
        self._genesis_hash = genesis_hash
        self._tag = tag
        self._lifetime_ms = lifetime_ms
        self._made = 0

    def sign(self, name: str, body, *cosigners: str) -> bytes:
        self._made += 1
        keys = [dev_key("account", n) for n in (name, *cosigners)]
        signers = [(address_of(key.public), key) for key in keys]
        salt = int.from_bytes(f"{self._tag}{self._made}".encode()[-8:], "big")
        return sign_transaction(
            signers[0][0], body, signers, self._genesis_hash, salt=salt, expires_at_ms=self.expires_at_ms()
        )

    def expires_at_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._lifetime_ms

    def vin(self, index: int) -> str:
        return f"WBA8E9G5{self._tag}{index:08d}"

    def births(self, count: int, first: int = 0) -> list[bytes]:
        return [
            self.sign("bmw", VehicleRegister(self.vin(i), "330I", (), "MUC", PRODUCED_ON, "petrol", "km", "EU", ""))
            for i in range(first, first + count)
        ]

    def reading(self, index: int, value: int, event_at_ms: int) -> bytes:
        return self.sign("workshop-berlin", read(self.vin(index), km(value), event_at_ms, "reading"))


def post(url: str, path: str, document, timeout_s: float = 30.0):
    """(status, JSON)."""
    request = urllib.request.Request(
        url + path, json.dumps(document).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    return answered(request, timeout_s)


def answered(request: urllib.request.Request | str, timeout_s: float = 30.0):
    """(status, JSON), also of an error."""
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def submit(node: LocalNode, raw: bytes, query: str = ""):
    return post(node.url, "/v1/transactions" + query, {"transaction": raw.hex()})


def submit_batch(node: LocalNode, raws: list[bytes]) -> list[dict]:
    status, answer = post(node.url, "/v1/transactions/batch", {"transactions": [raw.hex() for raw in raws]})
    assert status == 200, answer
    return answer["results"]


class Load(threading.Thread):
    """Births without a pause, in small batches, to nodes that answer; remembers what was accepted."""

    def __init__(self, nodes: list[LocalNode], genesis_hash: bytes, tag: str = "L", batch: int = 20) -> None:
        super().__init__(daemon=True)
        self._nodes = nodes
        self._fleet = Fleet(genesis_hash, tag)
        self._batch = batch
        self._halt = threading.Event()
        self.accepted: dict[str, LocalNode] = {}

    def run(self) -> None:
        index = 0
        while not self._halt.wait(0.1):
            node = self._nodes[(index // self._batch) % len(self._nodes)]
            raws = self._fleet.births(self._batch, index)
            index += self._batch
            with contextlib.suppress(OSError, ValueError, AssertionError):
                for result in submit_batch(node, raws):
                    if result["status"] in ("pending", "committed"):
                        self.accepted[result["txid"]] = node

    def stop(self) -> None:
        self._halt.set()
        self.join(30)

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def status_of(node: LocalNode, txid: str) -> str:
    """pending, committed, rejected, expired; `unknown` for 404."""
    try:
        return node.get(f"/v1/transactions/{txid}")["status"]
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return "unknown"


# --- listening ----------------------------------------------------------------------------------------
class Ear:
    """A stranger's node that only listens: every vote it hears, and each one that contradicts another."""

    def __init__(self, nodes: list[LocalNode], genesis_hash: bytes) -> None:
        self.votes: dict[tuple[bytes, int, int, str], bytes] = {}
        self.contradictions: list[Vote] = []
        self._loop = asyncio.new_event_loop()
        settings = NetworkConfig(
            port=0, peers=tuple(f"127.0.0.1:{node.p2p_port}" for node in nodes), moniker="ear", exchange=False
        )
        nothing = Events(
            connected=self._connected,
            lost=lambda *_: None,
            received=self._received,
            key_in_use=lambda: None,
            notice=lambda *_: None,
            members=dict,
        )
        clock = lambda: time.time_ns() // 1_000_000  # noqa: E731
        self._network = Network(settings, PrivateKey(secrets.token_bytes(32)), genesis_hash, nothing, clock)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def _connected(self, *_) -> None:
        """Not the ear's business."""

    def _received(self, _: int, message, __: int) -> None:
        if isinstance(message, VoteMessage):
            vote = message.vote
            step = (vote.validator, vote.height, vote.round, vote.kind)
            if self.votes.setdefault(step, vote.block_id) != vote.block_id:
                self.contradictions.append(vote)

    def __enter__(self) -> Ear:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._network.start(), self._loop).result(10)
        return self

    def __exit__(self, *_) -> None:
        asyncio.run_coroutine_threadsafe(self._network.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
