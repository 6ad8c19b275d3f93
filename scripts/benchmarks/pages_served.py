"""How long a reader waits for the server at 50 requests a second, with the pages on one core and a node on another."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Final

import aiohttp
from support.browsing import serving_pages
from support.killed_pages import progress
from support.processes import wait_for

from benchmarks.measure import Measure
from benchmarks.pages_market import made_store, node_of

CARS: Final = 3_000
PER_S: Final = 50
P50_MS, P99_MS = 15, 80
SEARCHES: Final = ("/en/cars", "/de/cars?sort=cheapest", "/zh/cars?country=DE&powertrain=bev", "/en/cars?q=330i")


def _paths(known: dict[str, list[str]], count: int, seed: int) -> list[str]:
    """What people read: mostly searches, then cars and offers, now and then the explorer."""
    draw, found = random.Random(seed), list[str]()
    for _ in range(count):
        kind = draw.random()
        if kind < 0.6:
            found.append(draw.choice(SEARCHES))
        elif kind < 0.8:
            found.append(f"/en/car/{draw.choice(known['vin'])}")
        elif kind < 0.95:
            found.append(f"/de/listing/{draw.choice(known['id'])}")
        else:
            found.append("/en/explorer")
    return found


async def _asked(url: str, paths: list[str]) -> list[float]:
    """Milliseconds of each request, sent at its moment whether those before have been answered or not."""
    taken = list[float]()

    async def one(session: aiohttp.ClientSession, path: str) -> None:
        began = time.perf_counter()
        async with session.get(url + path) as answer:
            await answer.read()
            assert answer.status == 200, f"{answer.status} for {path}"
        taken.append(1_000 * (time.perf_counter() - began))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number, path in enumerate(paths):
            await asyncio.sleep(max(0.0, began + number / PER_S - time.perf_counter()))
            group.create_task(one(session, path))
    return taken


def served(folder: Path, seconds: int, seed: int) -> list[Measure]:
    """So many seconds of requests, after a quarter as many that warm up what the process keeps."""
    made = made_store(folder, CARS)
    with (
        node_of(made) as node, tempfile.TemporaryDirectory() as name,
        serving_pages(Path(name) / "home", made / "genesis.json", [node.url], tier="open",
                      node_requests_per_second=10_000) as pages,
    ):  # fmt: skip
        os.sched_setaffinity(pages.process.pid, {0})
        os.sched_setaffinity(node.pid, set(os.sched_getaffinity(0)) - {0} or {0})
        wait_for(lambda: progress(Path(name) / "home").is_complete, 60, "the rows")
        asyncio.run(_asked(pages.url, _paths(node.known, PER_S * seconds // 4, seed + 1)))
        taken = quantiles(asyncio.run(_asked(pages.url, _paths(node.known, PER_S * seconds, seed))), n=100)
    what = f"server at {PER_S} requests/s"
    return [Measure(f"{what}, p50", taken[49], P50_MS, taken[49], 1, "ms", True),
            Measure(f"{what}, p99", taken[98], P99_MS, taken[98], 1, "ms", True)]  # fmt: skip
