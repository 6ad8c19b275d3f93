"""Four validators, a changing pace of transactions, hours if need be: does memory grow?"""

from __future__ import annotations

import random
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.processes import running_network, wait_height

from chaos_network import verdict
from chaos_network.faults import STOP_BAR_S
from chaos_network.traffic import Traffic
from chaos_network.watch import ANSWER_S, resident_bytes
from node.chain.genesis import genesis_hash
from node.cli.local_network import LocalNode

SAMPLE_S = 5.0
PACE_S = 30.0
PACE = (10.0, 50.0)
"""Transactions a second, between these."""
KINDS = ("anonymous", "mapped", "leveldb")


@dataclass
class Soak:
    minutes: float
    seed: int
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Of each process: (hours since the start, megabytes)."""
    parts: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Of the first process, by kind of memory, and its Python objects in thousands."""
    fates: dict[str, int] = field(default_factory=dict)
    height: int = 0
    violations: list[str] = field(default_factory=list)

    def slopes(self) -> dict[str, float]:
        """Megabytes an hour over the second half."""
        return {name: slope(points[len(points) // 2 :]) for name, points in self.samples.items()}

    def to_json(self) -> dict[str, Any]:
        return {
            "minutes": self.minutes,
            "seed": self.seed,
            "height": self.height,
            "fates": self.fates,
            "mb_per_hour": {name: round(value, 1) for name, value in self.slopes().items()},
            "parts_per_hour": {
                name: round(slope(points[len(points) // 2 :]), 1) for name, points in self.parts.items()
            },
            "parts_at_half": {name: points[len(points) // 2][1] for name, points in self.parts.items()},
            "parts_at_end": {name: points[-1][1] for name, points in self.parts.items()},
            "mb_at_start": {name: points[0][1] for name, points in self.samples.items()},
            "mb_at_half": {name: points[len(points) // 2][1] for name, points in self.samples.items()},
            "mb_at_end": {name: points[-1][1] for name, points in self.samples.items()},
            "violations": self.violations,
        }


def slope(points: list[tuple[float, float]]) -> float:
    """Of the straight line with the least squares; 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def parts_of(node: LocalNode) -> dict[str, float]:
    """From its metrics, megabytes; empty while it does not answer."""
    try:
        with urllib.request.urlopen(node.url + "/metrics", timeout=ANSWER_S) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    numbers = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    found = {kind: round(int(numbers[f'bmw_memory_bytes{{kind="{kind}"}}']) / 1e6, 2) for kind in KINDS}
    found["thousand Python blocks"] = round(int(numbers["bmw_python_blocks"]) / 1e3, 1)
    return found


def soak(minutes: float, seed: int, folder: Path, tell: Callable[[str], None]) -> Soak:
    found = Soak(minutes, seed)
    chance = random.Random(seed)
    with running_network(folder) as network:
        wait_height(network.nodes, 1, 60)
        started = time.monotonic()
        with Traffic(network.nodes, genesis_hash(network.genesis), PACE[0]) as traffic:
            paced_at = 0.0
            while (now := time.monotonic() - started) < minutes * 60:
                if now >= paced_at:
                    paced_at = now + PACE_S
                    traffic.set_pace(chance.uniform(*PACE))
                for node in network.nodes:
                    megabytes = round(resident_bytes(node) / 1e6, 2)
                    found.samples.setdefault(node.name, []).append((now / 3_600, megabytes))
                    if not node.is_running:
                        found.violations.append(f"{node.name} ended by itself: {node.log_tail(3)}")
                        return found
                for name, number in parts_of(network.nodes[0]).items():
                    found.parts.setdefault(name, []).append((now / 3_600, number))
                if int(now // 60) > int((now - SAMPLE_S) // 60):
                    shown = " ".join(f"{points[-1][1]:.0f}" for points in found.samples.values())
                    parts = ", ".join(f"{name} {points[-1][1]:.0f}" for name, points in found.parts.items())
                    tell(f"{now / 60:5.1f} min  height {network.nodes[0].height()}, MB: {shown}; {parts}")
                time.sleep(SAMPLE_S)
        accepted = traffic.accepted()
        if problem := verdict.settled(network.nodes):
            found.violations.append(problem)
        found.fates, problems = verdict.account(network, accepted, {})
        whole, more = verdict.compare_chains(network, set())
        found.violations += problems + more + verdict.lost_from_chain(whole, accepted, found.fates)
        found.height = max(whole.ids, default=0)
        for node in network.nodes:
            asked = time.monotonic()
            code = node.stop()
            if code != 0 or time.monotonic() - asked > STOP_BAR_S:
                found.violations.append(f"{node.name} took {time.monotonic() - asked:.1f} s to stop, code {code}")
    return found
