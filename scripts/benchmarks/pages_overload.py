"""An overload of the pages over a network of four: what of it reaches the node, and what that does to finality.

Three parts, one after the other, again and again: nothing; pages that are overloaded; the same overload of pages which
may ask next to nothing, while the requests that got through in the part before are sent to the node directly. So the
two last parts use this machine alike, and differ in the way that requests take to the node.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import multiprocessing
import os
import random
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from support.browsing import serving_pages
from support.processes import running_network, wait_height
from support.prometheus import prometheus

from benchmarks.feeding import Workload
from benchmarks.measure import Measure
from benchmarks.network import latencies
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork
from web.settings import WebSettings
from web.share import BURST_S

LOADERS, ROUNDS, PER_S = 4, 3, 10.0
"""Processes that make the overload; how often the parts are repeated; transactions handed in each second."""
DIFFERENCE_MAX = 0.10


class Part(NamedTuple):
    """What was seen in a part. `asked`: requests that the loaders have sent; `reached`: that the node has answered."""

    finality_ms: list[float]
    asked: int
    reached: int
    seconds: float


def _load(urls: Sequence[str], seed: int, per_s: float, stopping: Event, asked: multiprocessing.Queue[int]) -> None:
    """Ask as fast as the answers come, or `per_s` times a second, until `stopping`."""
    os.nice(5)
    draw, count, began = random.Random(seed), 0, time.monotonic()
    connections = {url: http.client.HTTPConnection(urlsplit(url).netloc, timeout=30) for url in urls}
    while not stopping.is_set():
        if per_s and (ahead := began + count / per_s - time.monotonic()) > 0:
            stopping.wait(ahead)
            continue
        url = draw.choice(urls)
        connections[url].request("GET", path(draw))
        connections[url].getresponse().read()
        count += 1
    asked.put(count)


def path(draw: random.Random) -> str:
    """Answers of the nodes, which the pages pass through and do not keep."""
    return draw.choice((
        "/v1/members?limit=20", "/v1/validators", f"/v1/blocks?from={draw.randrange(1, 9)}&limit=3", "/v1/genesis",
        f"/v1/blocks/{draw.randrange(1, 9)}", "/v1/sites", f"/v1/headers/{draw.randrange(1, 9)}",
    ))  # fmt: skip


@contextmanager
def _loaded(urls: Sequence[str], seed: int, loaders: int, per_s: float = 0.0) -> Iterator[list[int]]:
    """Loaders while the block runs; afterwards, how often they have asked."""
    spawn, told = multiprocessing.get_context("spawn"), list[int]()
    stopping, asked = spawn.Event(), spawn.Queue()
    processes = [
        spawn.Process(target=_load, args=(urls, seed + place, per_s / loaders, stopping, asked))
        for place in range(loaders)
    ]
    for process in processes:
        process.start()
    try:
        yield told
    finally:
        stopping.set()
        told.extend(asked.get() for _ in processes)
        for process in processes:
            process.join()


def reached(network: LocalNetwork) -> int:
    """Requests that the first node has answered, but for those of the two processes of pages on their own account."""
    with urllib.request.urlopen(network.nodes[0].url + "/metrics") as answer:
        samples = prometheus(answer.read().decode())
    return int(sum(value for (name, labels), value in samples.items()
                   if name == "bmw_rpc_requests_total" and '"/v1/' in labels and "/v1/status" not in labels
                   and "/v1/transactions" not in labels))  # fmt: skip


def _part(network: LocalNetwork, raws: list[bytes], told: list[int]) -> Part:
    before, began = reached(network), time.monotonic()
    found = asyncio.run(latencies([network.nodes[1].url], raws, PER_S))
    return Part(found, sum(told), reached(network) - before, time.monotonic() - began)


def overload(seconds: float, seed: int) -> list[Measure]:
    settings, count = WebSettings(), int(seconds * PER_S)
    quiet, through, direct = list[Part](), list[Part](), list[Part]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = stack.enter_context(running_network(folder / "net"))
        genesis, urls = network.nodes[0].home.path / "genesis.json", [network.nodes[0].url]
        wait_height(network.nodes, 10, 60)
        pages = stack.enter_context(serving_pages(folder / "pages", genesis, urls, tier="open"))
        idle = stack.enter_context(
            serving_pages(folder / "idle", genesis, urls, tier="open", node_requests_per_second=1)
        )
        work = Workload("register", genesis_hash(network.genesis), seed)
        raws = work.births(3 * ROUNDS * count)
        parts = [raws[at : at + count] for at in range(0, len(raws), count)]
        for turn in range(ROUNDS):
            quiet.append(_part(network, parts[3 * turn], []))
            with _loaded([pages.url], seed, LOADERS) as told:
                part = _part(network, parts[3 * turn + 1], told)
            through.append(part._replace(asked=sum(told)))
            rate = through[-1].reached / through[-1].seconds
            with _loaded([idle.url], seed, LOADERS) as told, _loaded(urls, seed, 1, rate):
                part = _part(network, parts[3 * turn + 2], told)
            direct.append(part._replace(asked=sum(told)))
    most = max(part.reached / (part.seconds + BURST_S) for part in through)
    medians = [median(median(part.finality_ms) for part in parts) for parts in (quiet, through, direct)]
    details = {
        "seed": seed, "finality_p50_ms": dict(zip(("quiet", "through", "direct"), map(round, medians), strict=True)),
        "asked_per_s": round(sum(part.asked / part.seconds for part in through) / ROUNDS),
        "reached_per_s": [round(part.reached / part.seconds) for part in through],
        "reached_per_s_directly": [round(part.reached / part.seconds) for part in direct],
    }  # fmt: skip
    print(json.dumps(details))
    bar = settings.node_requests_per_second
    return [
        Measure("requests that reach the node of an overload", most, bar, most, 1, "a second", True, details),
        Measure(
            "finality p50 under it, more than under the same sent directly",
            medians[1] / medians[2] - 1, DIFFERENCE_MAX, medians[1], medians[2], "share", True,
        ),
    ]  # fmt: skip
