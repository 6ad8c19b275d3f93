"""The memory of a replay does not grow with its chain. The long form is scripts/bench --only memory."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from statistics import linear_regression

import pytest
from support.load import LoadChain

from node.audit.pipeline import Pipeline
from node.audit.replay_store import ReplayStore
from node.audit.sources import StoreSource
from node.audit.workers import InProcess
from node.storage.leveldb import LevelStore, WriteBackStore

pytestmark = pytest.mark.slow

TRANSACTIONS, BLOCK_TXS = 1_600, 25
BYTES_MAX = 50
"""Growth for each transaction: 10 were measured, and 85 where the replay keeps nothing but its txid."""


def test_memory_is_flat_over_the_length_of_the_chain(tmp_path: Path) -> None:
    """Python's own, the second time that the same chain is replayed: bounded caches of keys have been filled before."""
    load = LoadChain(LevelStore(tmp_path / "store"), seed=5, depth=8)
    load.grow(TRANSACTIONS, BLOCK_TXS)
    load.store.kv.close()
    samples: list[tuple[int, int]] = []

    def note(_: int, transactions: int) -> None:
        gc.collect()
        samples.append((transactions, tracemalloc.get_traced_memory()[0]))

    source = StoreSource(tmp_path / "store")
    for name in ("first", "second"):
        if name == "second":
            tracemalloc.start()
        kv = WriteBackStore(LevelStore(tmp_path / name, is_temporary=True), flush_bytes=200_000)
        try:
            store = ReplayStore(kv, load.genesis)
            pipeline = Pipeline(source, store, InProcess(), on_progress=note if name == "second" else None)
            for height in range(2, source.last + 1, 2):
                pipeline.run(height)
        finally:
            kv.close()
    tracemalloc.stop()
    source.close()
    later = samples[len(samples) // 3 :]
    slope = linear_regression([at for at, _ in later], [size for _, size in later]).slope
    assert len(later) > 15 and abs(slope) < BYTES_MAX, (slope, later)
