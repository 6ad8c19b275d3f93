"""Validators on this machine: committed transactions a second, what each node does for one of them, and the time to
finality at a quiet rate."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Final

import aiohttp
from support.processes import running_network, wait_for, wait_height

from benchmarks.feeding import BATCH, Workload, hand_in
from benchmarks.measure import Measure, verifications_per_second
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNetwork
from node.load.pace import Pace
from node.load.percentiles import percentile

COMMITTED_BAR: Final = 0.13
SINGLE_BAR: Final = 0.25
"""Of one validator alone."""
VERIFICATIONS_BAR: Final = 1.05
P50_BAR_MS, P99_BAR_MS = 40.0, 60.0
PROCESSOR_BAR: Final = 1.3
FORMER: Final = 5_073.0
"""What a second of four quiet validators took when each block had a pause of 200 ms, in libsodium verifications: the
median of 4,731, 5,073 and 5,263, measured in turns with the version after it."""
WORK: Final = ("decoded", "verified", "judged", "executed")


def _count(network: LocalNetwork, first: int, last: int) -> tuple[int, float]:
    """Transactions of the blocks above `first` up to `last`, and the seconds between those two blocks."""
    from datetime import datetime

    node, total = network.nodes[0], 0
    times = [
        datetime.fromisoformat(node.get(f"/v1/blocks/{h}")["header"]["time"].replace("Z", "+00:00"))
        for h in (first, last)
    ]
    start = first + 1
    while start <= last:
        blocks = node.get(f"/v1/blocks?from={start}&limit=20")["blocks"]
        total += sum(len(block["transactions"]) for block in blocks if block["header"]["height"] <= last)
        start += len(blocks)
    return total, (times[1] - times[0]).total_seconds()


def metrics_of(network: LocalNetwork) -> Counter[str]:
    """The metrics without labels, by name without prefix, summed over all nodes."""
    total: Counter[str] = Counter()
    for node in network.nodes:
        with urllib.request.urlopen(node.url + "/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        for name, value in (line.split() for line in lines if line.startswith("bmw_") and "{" not in line):
            total[name.removeprefix("bmw_")] += float(value)  # type: ignore[assignment]
    return total


def work_of(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """How many transactions the nodes have decoded, verified, judged, executed and committed in between."""
    return {name: after[f"txs_{name}_total"] - before[f"txs_{name}_total"] for name in (*WORK, "committed")}


def _is_idle(network: LocalNetwork) -> bool:
    return metrics_of(network)["pool_txs"] == 0


def committed(workload: str, seconds: float, seed: int, validators: int = 4, yardstick_s: float = 3.0) -> list[Measure]:
    """For `seconds` as many signed transactions over RPC as the network takes. `yardstick_s`: how long libsodium is
    measured, before and after. A validator alone verifies in another process, as is the default; several have no
    processor left for one each."""
    workers = {"node__verify_workers": int(validators == 1)}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_network(Path(folder) / "net", validators, **workers) as network,
    ):
        ident = genesis_hash(network.genesis)
        work = Workload(workload, ident, seed)
        urls = [node.url for node in network.nodes]
        yardstick = verifications_per_second(1, yardstick_s)
        wait_height(network.nodes, 1)
        count = int(seconds * yardstick * (0.24 if validators > 1 else 0.5))
        births = work.births(work.cars_needed(count))
        asyncio.run(hand_in(urls, births, time.monotonic() + 120))
        wait_for(lambda: _is_idle(network), 60, "the cars are born")
        raws = list(work.stream(len(births), count))
        before = metrics_of(network)
        first = network.nodes[0].height()
        accepted = asyncio.run(hand_in(urls, raws, time.monotonic() + seconds))
        last = network.nodes[0].height()
        total, span = _count(network, first, last)
        wait_for(lambda: _is_idle(network), 120, "all are committed")
        done = work_of(before, metrics_of(network))
        each = {name: round(done[name] / done["committed"], 4) for name in WORK}
        yardstick = (yardstick + verifications_per_second(1, yardstick_s)) / 2
        details = {"seed": seed, "workload": workload, "accepted": accepted, "committed": total, "seconds": span,
                   "blocks": last - first, "batch": BATCH, "per_transaction_and_node": each}  # fmt: skip
    who = {1: "one validator", 4: "four validators"}.get(validators, f"{validators} validators")
    return [
        Measure(
            f"{who}, {workload}, {seconds:.0f} s over RPC",
            total / span / yardstick,
            COMMITTED_BAR if validators > 1 else SINGLE_BAR,
            total / span,
            yardstick,
            "committed transactions/s over one process's libsodium verifications/s",
            details=details,
        ),
        Measure(
            f"verifications per transaction and node, {who}",
            done["verified"] / done["committed"],
            VERIFICATIONS_BAR,
            done["verified"],
            done["committed"],
            "transactions that all nodes verified over those that they committed",
            bar_is_upper=True,
            details=details,
        ),
    ]


async def latencies(urls: list[str], raws: list[bytes], per_second: float) -> list[float]:
    """Milliseconds from handing in to the answer that it is committed; arrivals keep their pace whatever happens."""
    found: list[float] = []

    async def one(http: aiohttp.ClientSession, url: str, raw: bytes) -> None:
        started = time.perf_counter()
        query = "/v1/transactions?wait=commit&timeout_ms=20000"
        async with http.post(url + query, json={"transaction": raw.hex()}) as answer:
            shown = await answer.json()
        assert shown.get("status") == "committed", shown
        found.append((time.perf_counter() - started) * 1000)

    async with aiohttp.ClientSession() as http:
        tasks, started, pace = [], time.monotonic(), Pace(per_second, len(raws))
        for index, raw in enumerate(raws):
            await asyncio.sleep(max(0.0, started + pace.due_s - time.monotonic()))
            pace.take()
            tasks.append(asyncio.create_task(one(http, urls[index % len(urls)], raw)))
        await asyncio.gather(*tasks)
    return sorted(found)


def _processor_s(network: LocalNetwork) -> float:
    """Seconds of processor time that all validators have taken, with their verifiers."""
    ticks = 0
    waiting = [node.process.pid for node in network.nodes if node.process is not None]
    while waiting:
        place = Path(f"/proc/{waiting.pop()}")
        ticks += sum(map(int, (place / "stat").read_text().rpartition(") ")[2].split()[11:13]))
        waiting += [int(pid) for each in place.glob("task/*/children") for pid in each.read_text().split()]
    return ticks / os.sysconf("SC_CLK_TCK")


def _quiet(seconds: float, seed: int, per_second: float, **settings: Any) -> tuple[list[float], float]:
    """The times to finality in ms, ascending, and the processor seconds a second of all validators meanwhile."""
    with tempfile.TemporaryDirectory() as folder, running_network(Path(folder) / "net", **settings) as network:
        work = Workload("register", genesis_hash(network.genesis), seed)
        urls = [node.url for node in network.nodes]
        wait_height(network.nodes, 1)
        births = work.births(int(seconds * per_second))
        began, taken = time.monotonic(), _processor_s(network)
        found = asyncio.run(latencies(urls, births, per_second))
        return found, (_processor_s(network) - taken) / (time.monotonic() - began)


def finality(seconds: float, seed: int, per_second: float = 10.0) -> list[Measure]:
    """With the default settings."""
    yardstick = verifications_per_second(1)
    found, taken = _quiet(seconds, seed, per_second)
    yardstick = (yardstick + verifications_per_second(1)) / 2
    unit = f"ms from POST to committed, {per_second:.0f} transactions/s, four validators"
    details = {"seed": seed, "count": len(found), "max_ms": found[-1]}

    p50, p99 = percentile(found, 0.5), percentile(found, 0.99)
    return [
        Measure("finality p50", p50, P50_BAR_MS, p50, 1, unit, bar_is_upper=True, details=details),
        Measure("finality p99", p99, P99_BAR_MS, p99, 1, unit, bar_is_upper=True, details=details),
        Measure(
            "processor time of quiet validators", taken * yardstick / FORMER, PROCESSOR_BAR, taken * yardstick, FORMER,
            "libsodium verifications that the processor time of a second is worth, over those when a pause of 200 ms "
            "was the default", bar_is_upper=True, details={"processor_s": taken},
        ),
    ]  # fmt: skip
