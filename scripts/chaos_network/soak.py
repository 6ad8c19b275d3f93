"""Four validators that cut snapshots, the last of which prunes, and a changing pace of transactions, for hours if need
be: does memory grow, is an event loop ever blocked?"""

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
SNAPSHOT_EVERY = 100
KEPT_BLOCKS = 150
PRUNING = {"BMW_NODE_STORAGE_KEEP_BLOCKS": str(KEPT_BLOCKS), "BMW_NODE_STORAGE_KEEP_DAYS": "0"}
"""Settings of the last validator."""
PRUNED_AFTER_MINUTES = 5
LONGEST_TURN = 'bmw_event_loop_blocked_seconds_max{clock="processor"}'
KINDS = ("anonymous", "mapped", "leveldb")


@dataclass
class Soak:
    minutes: float
    seed: int
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Of each process: (hours since the start, megabytes)."""
    parts: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Of the first process, by kind of memory, and its Python objects in thousands."""
    turn_ms_max: dict[str, float] = field(default_factory=dict)
    """Of each process: the longest turn of its event loop, in ms of processor time."""
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
            "turn_ms_max": self.turn_ms_max,
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


def metrics_of(node: LocalNode) -> dict[str, float]:
    """Empty while it does not answer."""
    try:
        with urllib.request.urlopen(node.url + "/metrics", timeout=ANSWER_S) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def parts_of(metrics: dict[str, float]) -> dict[str, float]:
    """Memory by kind in megabytes, and the Python objects in thousands."""
    if not metrics:
        return {}
    found = {kind: round(metrics[f'bmw_memory_bytes{{kind="{kind}"}}'] / 1e6, 2) for kind in KINDS}
    found["thousand Python blocks"] = round(metrics["bmw_python_blocks"] / 1e3, 1)
    return found


def soak(minutes: float, seed: int, folder: Path, tell: Callable[[str], None]) -> Soak:
    found = Soak(minutes, seed)
    chance = random.Random(seed)
    with running_network(folder, start=False, storage__snapshot_interval=SNAPSHOT_EVERY) as network:
        *keeping, pruning = network.nodes
        for node in keeping:
            node.start()
        pruning.start(environment=PRUNING)
        network.wait_ready()
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
                    metrics = metrics_of(node)
                    turn_ms = round(metrics.get(LONGEST_TURN, 0.0) * 1_000, 1)
                    found.turn_ms_max[node.name] = max(turn_ms, found.turn_ms_max.get(node.name, 0.0))
                    for name, number in parts_of(metrics).items() if node is network.nodes[0] else ():
                        found.parts.setdefault(name, []).append((now / 3_600, number))
                if int(now // 60) > int((now - SAMPLE_S) // 60):
                    shown = " ".join(f"{points[-1][1]:.0f}" for points in found.samples.values())
                    parts = ", ".join(f"{name} {points[-1][1]:.0f}" for name, points in found.parts.items())
                    tell(f"{now / 60:5.1f} min  height {network.nodes[0].height()}, MB: {shown}; {parts}")
                time.sleep(SAMPLE_S)
        # one that prunes forgets transactions whose replay window has passed
        accepted = [one for one in traffic.accepted() if one.node != len(keeping)]
        if problem := verdict.settled(network.nodes):
            found.violations.append(problem)
        found.fates, problems = verdict.account(network, accepted, {})
        whole, more = verdict.compare_chains(network, {len(keeping)})
        found.violations += problems + more + verdict.lost_from_chain(whole, accepted, found.fates)
        if minutes >= PRUNED_AFTER_MINUTES and pruning.get("/v1/status")["first_height"] == 1:
            found.violations.append(f"{pruning.name} has pruned nothing")
        found.height = max(whole.ids, default=0)
        for node in network.nodes:
            asked = time.monotonic()
            code = node.stop()
            found.violations += verdict.blocked(node)
            if code != 0 or time.monotonic() - asked > STOP_BAR_S:
                found.violations.append(f"{node.name} took {time.monotonic() - asked:.1f} s to stop, code {code}")
    return found
