"""Replays over ranges in this process, whose work is done in an order that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from node.audit.parallel_replay import ParallelReplay
from node.audit.range_replay import replay_range
from node.audit.report import ReplayReport
from node.audit.sources import Kind
from node.audit.work_folder import WorkFolder
from node.chain.genesis import Genesis
from support.replaying import GENESIS


class Ordered:
    """Threads that do the first `size` pieces of work in `order`, and what comes later as it comes. Implements
    `RangePool`."""

    def __init__(self, order: Sequence[int]) -> None:
        self.size = len(order)
        self.done: list[bytes] = []
        self._before = {place: before for before, place in zip(order, order[1:], strict=False)}
        self._finished = [threading.Event() for _ in order]
        self._number = count()
        self._threads = ThreadPoolExecutor(self.size)

    def submit(self, work: bytes) -> Future[bytes]:
        return self._threads.submit(self._do, next(self._number), work)

    def _do(self, place: int, work: bytes) -> bytes:
        if place in self._before:
            assert self._finished[self._before[place]].wait(20), "as many pieces of work as the order has"
        try:
            return replay_range(work)
        finally:
            self.done.append(work)
            if place < self.size:
                self._finished[place].set()

    def close(self) -> None:
        self._threads.shutdown()


def replay_over_ranges(
    kind: Kind,
    place: Path | str,
    *snapshots: Path,
    order: Sequence[int] = (),
    work: Path | None = None,
    genesis: Genesis = GENESIS,
    every: int = 0,
    to: int | None = None,
) -> ReplayReport:
    """`order`: that of the pieces of work, each one segment between two snapshots; without, all is done in one go."""
    pool = Ordered(order) if order else None
    with TemporaryDirectory() as folder:
        replay = ParallelReplay(
            genesis, kind, str(place), WorkFolder(work or Path(folder)),
            snapshots=snapshots, snapshot_every=every, cluster=pool,
        )  # fmt: skip
        try:
            return replay.run(to)
        finally:
            if pool is not None:
                pool.close()
