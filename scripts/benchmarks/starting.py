"""A validator whose store holds many vehicles: seconds until it answers, its memory then and after load, its disk."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import cycle, islice
from pathlib import Path
from random import Random
from statistics import median_low
from typing import Final, NamedTuple

from support.processes import wait_for

from benchmarks.feeding import Workload, hand_in
from benchmarks.grown import grown_genesis, network_at, signed_bytes_of, store_with, vin_of
from benchmarks.measure import Measure
from benchmarks.memory_limit import MemoryGroup, forget_pages
from benchmarks.network import metrics_of
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNode
from node.storage.store_dirs import bytes_in

START_BAR_S: Final = 3.0
MEMORY_BAR_MIB: Final = 300.0
DISK_BAR: Final = 1.7
STARTS: Final = 3
"""The median of so many starts counts."""
POLL_S: Final = 0.01
CHUNK: Final = 10_000
"""Transactions that are signed ahead."""
READY_MAX_S: Final = 120.0
WITHIN_BAR: Final = 0.9
FREE_MINUTES: Final = 3.0
"""At most so long the rate without a limit is measured."""


class Memory(NamedTuple):
    """Resident memory of a process in MiB."""

    all: float
    anonymous: float
    """What the system can't reclaim; the rest is the program and the parts of the store's files that were read."""

    @staticmethod
    def of(pid: int) -> Memory:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return Memory(*(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")))


def _answers(node: LocalNode) -> bool:
    try:
        with urllib.request.urlopen(node.url + "/v1/status", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def start_s(node: LocalNode) -> float:
    """Start the process; seconds until `/v1/status` answers."""
    began = time.perf_counter()
    node.start()
    while not _answers(node):
        passed = time.perf_counter() - began
        assert node.is_running and passed < READY_MAX_S, f"{node.name} did not start:\n{node.log_tail(20)}"
        time.sleep(POLL_S)
    return time.perf_counter() - began


def _pid(node: LocalNode) -> int:
    assert node.process is not None, "it was started"
    return node.process.pid


def measure(folder: Path, vehicles: int, seed: int, starts: int = STARTS) -> list[Measure]:
    """Start, memory and disk. Measured are starts after a stop; the details have one as after a crash, which finds no
    tree file (node/storage/tree_file.py)."""
    place = store_with(folder, vehicles, seed)
    seconds, memory = [], []
    with network_at(place) as network:
        node = network.nodes[0]
        crashed_s, crashed_memory = start_s(node), Memory.of(_pid(node))
        assert node.stop() == 0, node.log_tail(20)
        for _ in range(starts):
            seconds.append(start_s(node))
            memory.append(Memory.of(_pid(node)))
            assert node.stop() == 0, node.log_tail(20)
    disk, signed = bytes_in(place / "store"), signed_bytes_of(place)
    resident = median_low(one.all for one in memory)
    details = {
        "seed": seed,
        "vehicles": vehicles,
        "starts_s": seconds,
        "all_and_anonymous_mib": memory,
        "after_a_crash_s": crashed_s,
        "after_a_crash_mib": crashed_memory,
    }
    return [
        Measure(
            f"start at {vehicles:,} vehicles", median_low(seconds), START_BAR_S, median_low(seconds), 1,
            "seconds from the process's start until /v1/status answers", bar_is_upper=True, details=details,
        ),
        Measure(
            f"memory after the start at {vehicles:,} vehicles", resident, MEMORY_BAR_MIB, resident, 1,
            "MiB resident in the node's process", bar_is_upper=True, details=details,
        ),
        Measure(
            f"disk / signed bytes at {vehicles:,} vehicles", disk / signed, DISK_BAR, disk, signed,
            "bytes of the store over those of all signed transactions", bar_is_upper=True,
            details={"seed": seed, "disk_of_a_transaction": disk / vehicles, "signed_of_one": signed / vehicles},
        ),
    ]  # fmt: skip


class AmongAll(Workload):
    """The mixed workload, with its records on cars chosen at random among those of a grown state: on each one before
    any has a second, for an author may read a car only so often in a day."""

    def __init__(self, vehicles: int, seed: int) -> None:
        super().__init__("mixed", genesis_hash(grown_genesis()), seed)
        self._vehicles = vehicles
        self._chosen = cycle(Random(seed).sample(range(vehicles), vehicles))

    def _vin(self, index: int) -> str:
        return vin_of(index)

    def _record(self, kind: int, car: int, value: int) -> bytes:
        return super()._record(kind, next(self._chosen), value)

    def endless(self) -> Iterator[bytes]:
        return self.stream(self._vehicles, 1 << 40)


class Load(NamedTuple):
    """A validator under load: the transactions that it has committed, the seconds, and samples of its memory."""

    committed: int
    seconds: float
    samples: list[tuple[int, int, float, float]]
    """(seconds since the beginning, accepted until then, all resident memory in MiB, the anonymous part)"""

    @property
    def rate(self) -> float:
        return self.committed / self.seconds


def _loaded(place: Path, vehicles: int, seed: int, minutes: float, group: MemoryGroup | None = None) -> Load:
    transactions = AmongAll(vehicles, seed).endless()
    accepted, samples = 0, []
    with network_at(place) as network:
        node = network.nodes[0]
        if group is not None:
            forget_pages(node.home.store)
        with nullcontext() if group is None else group.joined():
            start_s(node)
        wait_for(lambda: metrics_of(network)["is_signing"] == 1, 60, "the validator signs")
        began = time.monotonic()
        until = began + minutes * 60
        while time.monotonic() < until:
            accepted += asyncio.run(hand_in([node.url], list(islice(transactions, CHUNK)), until))
            samples.append((round(time.monotonic() - began), accepted, *Memory.of(_pid(node))))
        wait_for(lambda: metrics_of(network)["txs_committed_total"] >= accepted, 60, "what is accepted is committed")
        seconds = time.monotonic() - began
    return Load(accepted, seconds, samples)


def under_load(folder: Path, vehicles: int, seed: int, minutes: float) -> list[Measure]:
    """As many mixed transactions as one validator takes, for so many minutes: its memory at the end, with the mapped
    pages of files and without them, and its rate where it has no more memory than the bar. The last only where the
    system lets us limit it; then what is resident is that of the run without a limit."""
    place = store_with(folder, vehicles, seed)
    free = _loaded(place, vehicles, seed, min(minutes, FREE_MINUTES))
    group = MemoryGroup.make(int(MEMORY_BAR_MIB))
    limited = None
    if group is not None:
        try:
            limited = _loaded(place, vehicles, seed, minutes, group)
            peak_mib = group.peak_mib()
        finally:
            group.remove()
    loaded = limited or free
    shown = loaded.samples[:: max(1, len(loaded.samples) // 20)]
    details = {"seed": seed, "committed": loaded.committed, "without_a_limit": free.rate,
               "seconds_accepted_all_anonymous": shown}  # fmt: skip
    resident, anonymous = free.samples[-1][2], loaded.samples[-1][3]
    free_minutes = min(minutes, FREE_MINUTES)
    found = [
        Measure(
            f"{name} memory after {after:g} min of mixed load at {vehicles:,} vehicles", value, MEMORY_BAR_MIB,
            value, 1, unit, bar_is_upper=True, details=details,
        )
        for name, after, value, unit in (
            ("resident", free_minutes, resident, "MiB of the process of a validator, mapped pages of files included"),
            ("own", minutes, anonymous, "MiB of the process of a validator that are no pages of files"),
        )
    ]  # fmt: skip
    if limited is not None:
        found.append(Measure(
            f"rate within {MEMORY_BAR_MIB:g} MiB / without a limit, {vehicles:,} vehicles", limited.rate / free.rate,
            WITHIN_BAR, limited.rate, free.rate,
            "committed transactions/s where the validator, its verifier and their pages of files have so much memory",
            details=details | {"peak_mib": peak_mib},
        ))  # fmt: skip
    return found
