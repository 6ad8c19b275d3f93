"""The cost of each transaction type: processor time of its execution over the weight that it is charged.

Blocks are bounded by weight, and so are quotas: a type that costs more than its weight says makes a full block slow.
"""

from __future__ import annotations

import time
from collections import defaultdict
from statistics import fmean
from typing import Final

from support.memory_store import MemoryStore
from support.vectors import story

from benchmarks.measure import Measure
from node.execution.block_run import BlockRun
from node.execution.block_validation import execute_block
from node.ledger.body import type_of
from node.storage.chain_store import ChainStore
from node.txtypes.envelope import CheckedTx, decode_signed_tx
from node.txtypes.vehicle.record import VehicleRecord

BAR: Final = 1.2
TIMES: Final = 30
"""Each transaction is executed so often at its place; the least counts."""


class Costs(defaultdict[str, list[float]]):
    """Microseconds for 100 of weight, by transaction type: one for each transaction of the story."""

    def __init__(self) -> None:
        super().__init__(list)
        self.records: set[str] = set()
        """The types that append a record to a car's history."""

    def of(self, tag: str) -> float:
        return fmean(self[tag])


def _execution_us(run: BlockRun, tx: CheckedTx, times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.thread_time_ns()
        ledger = run.carry_out(tx)
        taken.append(time.thread_time_ns() - began)
    ledger.check_guards()
    return min(taken) / 1_000


def costs(times: int = TIMES) -> Costs:
    """Execute the transactions of the vectors' story, which has every type, each at its place in the chain."""
    source, found = story().chain, Costs()
    store = ChainStore(MemoryStore(), source.genesis)
    for height in range(1, source.store.height() + 1):
        committed = source.store.committed(height)
        assert committed is not None, "every block is kept"
        block, ident = committed.block, store.genesis_hash
        transactions = [CheckedTx(decode_signed_tx(raw, ident)) for raw in block.transactions]
        run = BlockRun(store.state, store.tree, store.head(), ident, block.header.time_ms)
        for tx in transactions:
            body, tag = tx.payload.body, type_of(tx.payload.body)
            found[tag].append(100 * _execution_us(run, tx, times) / (body.weigh() + len(tx.raw) // 64))
            if isinstance(body, VehicleRecord):
                found.records.add(tag)
            run.add(tx)
        result = execute_block(block, transactions, store.state, store.tree, store.head(), ident)
        store.commit_block(block, result, committed.commit)
    return found


def measure(seed: int, times: int = TIMES) -> Measure:
    """The dearest record over the mean of all. The details have every type."""
    found = costs(times)
    mean = fmean(found.of(tag) for tag in found.records)
    dearest = max(found.records, key=found.of)
    return Measure(
        "execution of the dearest record / mean of all records", found.of(dearest) / mean, BAR,
        found.of(dearest), mean, "microseconds of processor time for 100 of weight", bar_is_upper=True,
        details={"seed": seed, "dearest": dearest, "records": sorted(found.records),
                 "us_for_100_of_weight": {tag: round(found.of(tag), 1) for tag in sorted(found)}},
    )  # fmt: skip
