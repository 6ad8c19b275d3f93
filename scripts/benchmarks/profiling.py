"""Where each microsecond of a transaction goes: in a replay, and in a validator of a loaded network."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.processes import running_network, wait_for, wait_height

from benchmarks import profiled_node
from benchmarks.feeding import Workload, hand_in
from benchmarks.measure import verifications_per_second
from benchmarks.replaying import store_of
from benchmarks.sampler import Profile, Sampler
from node.audit.replay import Replay
from node.audit.sources import StoreSource
from node.audit.workers import InProcess
from node.chain.genesis import genesis_hash, parse_genesis
from node.cli.local_network import LocalNetwork, LocalNode

SCRIPTS = Path(__file__).resolve().parents[1]
REPLAY_INTERVAL_S = 0.001
SHOWN_SHARE = 0.002
"""Rows with less are added up in one."""


@dataclass(frozen=True)
class Profiled:
    """A profile of so many transactions, and of so many processes, each of which has worked on all of them."""

    name: str
    title: str
    profile: Profile
    transactions: int
    processes: int
    plain_us: float = 0.0
    """Processor time for a transaction in the same run without the sampler; 0 where there was none."""
    execution_us: float = 0.0
    """The same without verification: what the process does that executes the blocks while others verify."""

    def us(self, ns: int) -> float:
        """Microseconds for one transaction in one process."""
        return ns / 1_000 / self.transactions / self.processes

    @property
    def sum_ns(self) -> int:
        return sum(self.profile.spent.values())

    def to_json(self) -> dict[str, Any]:
        profile = self.profile
        return {
            "profile": self.name,
            "title": self.title,
            "transactions": self.transactions,
            "processes": self.processes,
            "samples": profile.samples,
            "us": {
                "sum": self.us(self.sum_ns),
                "sampler": self.us(profile.sampler_ns),
                "process": self.us(profile.process_ns),
                "wall": self.us(profile.wall_ns),
                "plain": self.plain_us,
                "execution": self.execution_us,
            },
            "stages": [
                {"activity": activity, "step": step, "us": self.us(ns), "share": ns / self.sum_ns}
                for (activity, step), ns in sorted(profile.spent.items(), key=lambda item: -item[1])
            ],
        }

    def lines(self) -> list[str]:
        """Activities with their steps, the steps over all activities, and whether the sum is what was measured."""
        spent, us = self.profile.spent, self.profile
        activities = _summed((activity, ns) for (activity, _), ns in spent.items())
        found = [self.title, f"{'activity, and in it the step':<40} {'us/tx':>8} {'share':>8}"]
        for activity, ns in activities:
            found.append(self._line(activity, ns))
            steps = _summed((step or "rest", ns) for (of, step), ns in spent.items() if of == activity)
            found += self._short([(f"  {step}", ns) for step, ns in steps]) if len(steps) > 1 else []
        found += ["", f"{'step, in all activities':<40} {'us/tx':>8} {'share':>8}"]
        found += self._short(_summed((step, ns) for (_, step), ns in spent.items() if step))
        counted = self.sum_ns + us.sampler_ns
        found += [
            "",
            f"sum {self.us(self.sum_ns):.1f} us and sampler {self.us(us.sampler_ns):.1f} us of "
            f"{self.us(us.process_ns):.1f} us of processor time ({100 * counted / us.process_ns:.1f} %), "
            f"{us.samples:,} samples; wall {self.us(us.wall_ns):.1f} us"
            + (f"; without the sampler {self.plain_us:.1f} us" if self.plain_us else "")
            + (f", and without verification {self.execution_us:.1f} us" if self.execution_us else ""),
        ]
        return found

    def _line(self, name: str, ns: int) -> str:
        return f"{name:<40} {self.us(ns):>8.1f} {100 * ns / self.sum_ns:>6.1f} %"

    def _short(self, rows: list[tuple[str, int]]) -> list[str]:
        small = [ns for _, ns in rows if ns < SHOWN_SHARE * self.sum_ns]
        shown = [self._line(name, ns) for name, ns in rows if ns >= SHOWN_SHARE * self.sum_ns]
        return [*shown, self._line("  less than 0.2 % each", sum(small))] if small else shown


def _summed(parts: Any) -> list[tuple[str, int]]:
    """Largest first."""
    found: dict[str, int] = {}
    for name, ns in parts:
        found[name] = found.get(name, 0) + ns
    return sorted(found.items(), key=lambda item: -item[1])


# --- a replay -----------------------------------------------------------------------------------------------
class TimedVerifiers(InProcess):
    """Measures the processor time of verification, which `bmw-audit replay` leaves to other processes."""

    def __init__(self) -> None:
        self.spent_ns = 0

    def submit(self, work: bytes) -> Future[bytes]:
        started = time.process_time_ns()
        try:
            return super().submit(work)
        finally:
            self.spent_ns += time.process_time_ns() - started


def replay(folder: Path, transactions: int, seed: int, runs: int = 1, workload: str = "mixed") -> Profiled:
    """The store of `scripts/bench --only replay`; signatures are verified in the same process, so that their time is
    in the table too. `runs`: so many replays, each once with and once without the sampler."""
    place = store_of(folder, transactions, seed, workload=workload)
    profiles, plain_ns, verifiers = [], 0, TimedVerifiers()
    for _ in range(runs):
        plain_ns += _replayed(place, transactions, None, verifiers).process_ns
        profiles.append(_replayed(place, transactions, Sampler(REPLAY_INTERVAL_S, is_busy=True), InProcess()))
    return Profiled(
        "replay",
        f"replay of {transactions:,} {workload} transactions in one process, verification included",
        Profile.total(profiles),
        transactions * runs,
        1,
        plain_ns / 1_000 / transactions / runs,
        (plain_ns - verifiers.spent_ns) / 1_000 / transactions / runs,
    )


def _replayed(place: Path, transactions: int, sampler: Sampler | None, verifiers: InProcess) -> Profile:
    source = StoreSource(place / "store")
    try:
        run = Replay(parse_genesis((place / "genesis.json").read_bytes()), source, verifiers)
        if sampler is not None:
            sampler.start()
        started = time.process_time_ns()
        report = run.run()
        taken = time.process_time_ns() - started
        profile = sampler.stop() if sampler is not None else Profile(process_ns=taken)
    finally:
        source.close()
    assert report.divergence is None and report.transactions == transactions, report
    return profile


# --- a validator --------------------------------------------------------------------------------------------
def _start(node: LocalNode, result: Path) -> None:
    """As `LocalNode.start` does, by the launcher with the sampler."""
    launcher = [sys.executable, "-m", profiled_node.__name__, str(result)]
    with node.log.open("ab") as log:
        node.process = subprocess.Popen(
            [*launcher, "start", "--home", str(node.home.path), "--dev"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        )  # fmt: skip


def _signal(network: LocalNetwork, number: int) -> None:
    for node in network.nodes:
        assert node.process is not None, "all are started"
        os.kill(node.process.pid, number)


def _is_idle(network: LocalNetwork) -> bool:
    return all(node.get("/v1/status")["pool"]["transactions"] == 0 for node in network.nodes)


def validator(workload: str, seconds: float, seed: int, validators: int = 4) -> Profiled:
    """The mean of all validators while as much is handed in over RPC as they take, to all of them in turn.

    From the first transaction of the load until the last is committed everywhere.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        with running_network(results / "net", validators, start=False) as network:
            files = [results / f"{node.name}.json" for node in network.nodes]
            for node, file in zip(network.nodes, files, strict=True):
                _start(node, file)
            network.wait_ready()
            wait_height(network.nodes, 1)
            work = Workload(workload, genesis_hash(network.genesis), seed)
            urls = [node.url for node in network.nodes]
            count = int(seconds * verifications_per_second(1, 1.0) * 0.12)
            births = work.births(work.cars_needed(count))
            asyncio.run(hand_in(urls, births, time.monotonic() + 120))
            wait_for(lambda: _is_idle(network), 120, "the cars are born")
            raws = list(work.stream(len(births), count))
            _signal(network, profiled_node.BEGIN)
            started = time.monotonic()
            accepted = asyncio.run(hand_in(urls, raws, time.monotonic() + seconds))
            wait_for(lambda: _is_idle(network), 120, "all are committed")
            rate = accepted / (time.monotonic() - started)
            _signal(network, profiled_node.END)
            wait_for(lambda: all(file.exists() for file in files), 30, "the profiles are written")
            profiles = [Profile.from_json(json.loads(file.read_text())) for file in files]
    return Profiled(
        "validator",
        f"{validators} validators, {accepted:,} {workload} transactions over RPC, {rate:,.0f}/s; each validator's mean",
        Profile.total(profiles),
        accepted,
        len(profiles),
    )
