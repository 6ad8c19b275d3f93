"""How long a validator's vote takes until another one has counted it: at full committed load and in a quiet network.

A listener has a link to each of four validators. It hears a vote from the one that signed it, when it is sent; and from
each of the others, which pass a vote on when they have verified it, in the step that counts it. What lies between the
two is the delay. Both come over the same kind of link into the same loop, so what the listener itself takes is in
neither. The load is made in a process of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

from support.processes import Ear, running_network, wait_for, wait_height

from benchmarks.feeding import Workload, hand_in
from benchmarks.measure import Measure, verifications_per_second
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork
from node.crypto.addresses import address_of
from node.load.percentiles import percentile
from node.replica.messages import VoteMessage

SHORTEST_TIMER_MS = 1_000.0
"""A round's first timers (node/replica/consensus_driver.py): a later vote may come too late for its round."""
TIMER_BAR = 0.5
"""Half of it, for 99 of 100 votes."""
QUIET_BAR = 30.0
"""On a machine that has a core for each validator the two differ by little; here four share two with the load."""
VALIDATORS = 5
"""With the one that is never started."""
ENOUGH = 24
"""The votes of one height, of both kinds, from four validators to three others each. A slow machine decides fewer."""
EMPTY_MS = 250
"""The quiet network decides empty blocks so often: votes enough, and next to no work."""

Step = tuple[bytes, int, int, str]


class VoteEar(Ear):
    """Notes when each of the nodes first said a vote."""

    def __init__(self, network: LocalNetwork) -> None:
        self._names = {node.home.read_key("node").public: node.name for node in network.nodes}
        self._signers = {address_of(node.home.read_key("account").public): node.name for node in network.nodes}
        self._peers: dict[int, str] = {}
        self.said: dict[Step, dict[str, float]] = {}
        super().__init__(network.nodes, genesis_hash(network.genesis))

    def _connected(self, peer: int, node_key: bytes, *_: object) -> None:
        if node_key in self._names:
            self._peers[peer] = self._names[node_key]

    def _received(self, peer: int, message: Any, received_ms: int) -> None:
        now = time.perf_counter()
        super()._received(peer, message, received_ms)
        if isinstance(message, VoteMessage) and peer in self._peers:
            vote = message.vote
            step = (vote.validator, vote.height, vote.round, vote.kind)
            self.said.setdefault(step, {}).setdefault(self._peers[peer], now)

    def hears_all(self) -> bool:
        return len(set(self._peers.values())) == len(self._names)

    def delays_ms(self, since: float, until: float) -> list[float]:
        """Of every vote that was sent in between, for each of the others; ascending."""
        found = []
        for (validator, *_), said in list(self.said.items()):
            sent = said.get(self._signers.get(validator, ""))
            if sent is not None and since <= sent < until:
                found += [(at - sent) * 1_000 for name, at in said.items() if name != self._signers[validator]]
        return sorted(found)


def _feed(urls: list[str], raws: list[bytes], seconds: float) -> None:
    asyncio.run(hand_in(urls, raws, time.monotonic() + seconds))


def _load(network: LocalNetwork, workload: str, seconds: float, seed: int, ear: VoteEar) -> tuple[list[float], float]:
    """The delays while as much is handed in as the network takes, and committed transactions a second."""
    node = network.nodes[0]
    urls = [each.url for each in network.nodes]
    work = Workload(workload, genesis_hash(network.genesis), seed)
    count = int(seconds * verifications_per_second(1, 1.0) * 0.12)
    births = work.births(work.cars_needed(count))
    asyncio.run(hand_in(urls, births, time.monotonic() + 120))
    wait_for(lambda: node.get("/v1/status")["pool"]["transactions"] == 0, 60, "the cars are born")
    raws = list(work.stream(len(births), count))

    def committed() -> int:
        with urllib.request.urlopen(node.url + "/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        return next(int(float(line.split()[1])) for line in lines if line.startswith("bmw_txs_committed_total "))

    feeder = multiprocessing.get_context("spawn").Process(target=_feed, args=(urls, raws, seconds))
    before = committed()
    feeder.start()
    try:
        wait_for(lambda: committed() > before, 60, "the first of the load is committed")
        first, since = committed(), time.perf_counter()
        feeder.join(seconds + 60)
        wait_for(lambda: committed() > first, 60, "more of the load is committed")
        wait_for(lambda: len(ear.delays_ms(since, time.perf_counter())) >= ENOUGH, 60, "votes are heard under load")
        until = time.perf_counter()
        rate = (committed() - first) / (until - since)
    finally:
        feeder.kill()
        feeder.join()
    return ear.delays_ms(since, until), rate


def measure(workload: str, seconds: float, seed: int) -> list[Measure]:
    with tempfile.TemporaryDirectory() as folder:
        overrides = {"consensus__block_interval_empty_ms": EMPTY_MS}
        with running_network(Path(folder) / "net", VALIDATORS, start=False, **overrides) as network:
            network.nodes.pop()
            network.start()
            with VoteEar(network) as ear:
                wait_height(network.nodes, 2)
                wait_for(ear.hears_all, 30, "the ear is linked to all")
                since, reached = time.perf_counter(), network.nodes[0].height()
                wait_height(network.nodes, reached + int(seconds * 1_000 / EMPTY_MS / 2), 60 + seconds * 8)
                wait_for(lambda: len(ear.delays_ms(since, time.perf_counter())) >= ENOUGH, 60, "votes are heard")
                quiet = ear.delays_ms(since, time.perf_counter())
                loaded, rate = _load(network, workload, seconds, seed, ear)
    details = {
        "seed": seed, "workload": workload, "committed_per_second": rate,
        "quiet": _shown(quiet), "loaded": _shown(loaded),
    }  # fmt: skip
    unit = "ms from sent to counted, four validators"

    def over(name: str, share: float, denominator: float, bar: float) -> Measure:
        found = percentile(loaded, share)
        return Measure(name, found / denominator, bar, found, denominator, unit, bar_is_upper=True, details=details)

    return [
        over("vote delay p50, full load over quiet", 0.5, percentile(quiet, 0.5), QUIET_BAR),
        over("vote delay p99, full load over quiet", 0.99, percentile(quiet, 0.99), QUIET_BAR),
        over("vote delay p99 at full load, of the shortest timer", 0.99, SHORTEST_TIMER_MS, TIMER_BAR),
    ]


def _shown(delays: list[float]) -> dict[str, float]:
    return {"votes": len(delays), "p50_ms": median(delays), "p99_ms": percentile(delays, 0.99), "max_ms": delays[-1]}
