"""The cost of a transaction as the state grows: processor time of the same mixed life among more and more vehicles."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from statistics import fmean, median_low
from typing import Final

from benchmarks.grown import copied, grown_genesis, mixed_blocks, store_with
from benchmarks.measure import Measure, verification_us
from node.chain.block import decode_committed
from node.execution.block_validation import check_frame, execute_block
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore
from node.txtypes.envelope import CheckedTx, check_signatures, decode_signed_tx

BAR: Final = 1.25
ROUNDS: Final = 3
"""The sizes are measured in turn, so often; the median counts."""
TRANSACTIONS: Final = 20_000
YARDSTICK_S: Final = 0.05
"""Processor time of libsodium after each block: a machine that is slow for a while is slow for both."""


@dataclass(frozen=True)
class Cost:
    """Microseconds of processor time of one transaction."""

    decode: float
    execute: float
    commit: float
    background: float
    """Of LevelDB's thread, which writes and compacts tables meanwhile."""
    verify: float
    """Of its signatures; in none of the others."""
    libsodium: float
    """Of one verification of `measure.MESSAGE_BYTES` by libsodium, in the same process."""

    @property
    def own(self) -> float:
        """In verifications of libsodium, what the thread does that executes: it bounds the rate."""
        return (self.decode + self.execute + self.commit) / self.libsodium

    @property
    def whole(self) -> float:
        """In verifications of libsodium, with LevelDB's thread."""
        return self.own + self.background / self.libsodium


def cost(store_folder: Path, blocks: list[bytes]) -> Cost:
    """Take the blocks into a copy of the store, as a node does with those of others."""
    libsodium = []
    spent = [0.0] * 4
    with copied(store_folder) as copy, closing(LevelStore(copy)) as kv:
        store = ChainStore(kv, grown_genesis())
        ident, transactions = store.genesis_hash, 0
        background = time.thread_time() - time.process_time()
        for raw in blocks:
            marks = [time.thread_time()]
            committed = decode_committed(raw)
            block = committed.block
            decoded = [decode_signed_tx(one, ident) for one in block.transactions]
            marks.append(time.thread_time())
            for signed in decoded:
                check_signatures(signed, ident)
            marks.append(time.thread_time())
            check_frame(block, store.head(), ident)
            checked = [CheckedTx(signed) for signed in decoded]
            result = execute_block(block, checked, store.state, store.tree, store.head(), ident)
            marks.append(time.thread_time())
            store.commit_block(block, result, committed.commit)
            marks.append(time.thread_time())
            libsodium.append(verification_us(YARDSTICK_S))
            spent = [total + after - before for total, (before, after) in zip(spent, pairwise(marks), strict=True)]
            transactions += len(decoded)
        background += time.process_time() - time.thread_time()
    decode, verify, execute, commit, others = (1e6 * seconds / transactions for seconds in (*spent, background))
    return Cost(decode, execute, commit, others, verify, fmean(libsodium))


def cost_at(folder: Path, vehicles: int, transactions: int, seed: int) -> Cost:
    """In a process of its own; the state and the blocks are made before, where they are missing."""
    place = store_with(folder, vehicles, seed)
    blocks = mixed_blocks(folder, vehicles, transactions, seed)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(cost, place / "store", blocks).result()


def _middle(costs: list[Cost], value_of: Callable[[Cost], float]) -> Cost:
    value = median_low(map(value_of, costs))
    return next(one for one in costs if value_of(one) == value)


def measures(found: dict[int, list[Cost]], seed: int, transactions: int) -> list[Measure]:
    """Of each size but the smallest, over the smallest, without and with LevelDB's thread. `found`: the costs by number
    of vehicles, round by round."""
    smallest, *others = sorted(found)
    by_size = {}
    for size, costs in found.items():
        one = _middle(costs, attrgetter("whole"))
        by_size[size] = {
            "own": round(one.own, 3), "whole": round(one.whole, 3), "rounds": [round(each.whole, 3) for each in costs],
            **{f"{name}_us": round(value, 1) for name, value in asdict(one).items()},
        }  # fmt: skip
    details = {"seed": seed, "transactions": transactions, "by_vehicles": by_size}
    values: dict[str, Callable[[Cost], float]] = {
        "": attrgetter("own"),
        ", LevelDB's thread included": attrgetter("whole"),
    }
    result = []
    for more, value_of in values.items():
        base = value_of(_middle(found[smallest], value_of))
        for size in others:
            value = value_of(_middle(found[size], value_of))
            result.append(Measure(
                f"cost at {size:,} vehicles / {smallest:,}{more}", value / base, BAR, value, base,
                "processor time of a mixed transaction, in verifications of libsodium", bar_is_upper=True,
                details=details,
            ))  # fmt: skip
    return result


def measure(
    folder: Path, sizes: tuple[int, ...], seed: int, transactions: int = TRANSACTIONS, rounds: int = ROUNDS
) -> list[Measure]:
    found: dict[int, list[Cost]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            found[size].append(cost_at(folder, size, transactions, seed))
    return measures(found, seed, transactions)
