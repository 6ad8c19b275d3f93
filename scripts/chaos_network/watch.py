"""Looks at every process a few times a second: height, duty, memory; notes whoever ends unasked or halts."""

from __future__ import annotations

import concurrent.futures
import http.client
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.cli.local_network import LocalNode

LOOK_S = 0.3
ANSWER_S = 2.0
WIPES = ("wipe_store", "wipe_data")
REPLAYED_PER_S = 20.0
"""Blocks that a node executes in a second at least, while all others of its network work on the same machine."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(node: LocalNode) -> int:
    """Memory that the process has in RAM; 0 while there is none."""
    if not node.is_running or node.process is None:
        return 0
    try:
        return int(Path(f"/proc/{node.process.pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def status_of_node(node: LocalNode, timeout_s: float = ANSWER_S) -> dict[str, Any] | None:
    """None while it does not answer."""
    try:
        found: dict[str, Any] = node.get("/v1/status", timeout_s)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return found


@dataclass
class Recovery:
    """From the moment a fault ends: until its nodes stand above the height that the others had then, and until they
    sign again, with that: who was cut off never knew that it could not."""

    kind: str
    nodes: tuple[int, ...]
    is_single: bool
    healed_at: float
    target: int
    caught_up_s: float = -1.0
    signing_s: float = -1.0

    def allowed_s(self, bar_s: float) -> float:
        """Whoever has lost its store has all blocks to replay besides."""
        return bar_s + (self.target / REPLAYED_PER_S if self.kind in WIPES else 0.0)


@dataclass
class Seen:
    height: int = -1
    signing: str = ""
    asked_at: float = 0.0
    rss_max: int = 0


@dataclass
class Watch:
    nodes: list[LocalNode]
    down: set[int] = field(default_factory=set)
    """Those that are not expected to run, or to run on, now."""
    problems: list[str] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    top: int = -1
    top_at: float = 0.0
    longest_pause_s: float = 0.0

    def __post_init__(self) -> None:
        self.seen = [Seen() for _ in self.nodes]
        self._halt = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._look, args=(i,), daemon=True) for i in range(len(self.nodes))]

    def __enter__(self) -> Watch:
        self.top_at = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        for thread in self._threads:
            thread.join(ANSWER_S * 3)

    def _look(self, index: int) -> None:
        node, seen = self.nodes[index], self.seen[index]
        is_told = False
        while not self._halt.wait(LOOK_S):
            if not node.is_running:
                if index not in self.down and not is_told and node.process is not None:
                    is_told = True
                    code = node.process.poll()
                    self.problem(f"{node.name} ended by itself with {code}: {node.log_tail(3)}")
                continue
            is_told = False
            seen.rss_max = max(seen.rss_max, resident_bytes(node))
            asked_at = time.monotonic()
            status = status_of_node(node)
            if status is None:
                continue
            with self._lock:
                self._note(index, status, asked_at)

    def _note(self, index: int, status: dict[str, Any], asked_at: float) -> None:
        seen, now = self.seen[index], time.monotonic()
        seen.height, seen.signing, seen.asked_at = status["head"]["height"], status["signing"], asked_at
        if status["halted"] and index not in self.down:
            self.problem(f"{self.nodes[index].name} halted: {status['halted']}")
        if seen.height > self.top:
            self.longest_pause_s = max(self.longest_pause_s, now - self.top_at)
            self.top, self.top_at = seen.height, now
        for recovery in self.recoveries:
            self._advance(recovery, now)

    def _advance(self, recovery: Recovery, now: float) -> None:
        # what a look begun before the end of the fault has brought says nothing of the time after it
        fresh = [self.seen[i] for i in recovery.nodes if self.seen[i].asked_at > recovery.healed_at]
        if len(fresh) < len(recovery.nodes):
            return
        if recovery.caught_up_s < 0 and all(seen.height > recovery.target for seen in fresh):
            recovery.caught_up_s = now - recovery.healed_at
        if recovery.signing_s < 0 <= recovery.caught_up_s and all(seen.signing == "signing" for seen in fresh):
            recovery.signing_s = now - recovery.healed_at

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def disturbed(self, bar_s: float) -> None:
        """Another fault begins: a recovery that still has time is no single fault's any more, a late one stays late."""
        with self._lock:
            for recovery in self.recoveries:
                is_over = recovery.caught_up_s >= 0 and recovery.signing_s >= 0
                if not is_over and time.monotonic() - recovery.healed_at < recovery.allowed_s(bar_s):
                    recovery.is_single = False

    def healed(self, kind: str, nodes: tuple[int, ...], is_single: bool) -> None:
        """The clock of a recovery runs from now; its target is what the nodes say now, not at the last look."""
        now = time.monotonic()
        running = [node for node in self.nodes if node.is_running]
        with concurrent.futures.ThreadPoolExecutor(len(self.nodes)) as pool:
            heights = [s["head"]["height"] for s in pool.map(status_of_node, running) if s is not None]
        with self._lock:
            self.recoveries.append(Recovery(kind, nodes, is_single, now, max([*heights, self.top])))
