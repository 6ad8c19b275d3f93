"""What a state history costs: processor time of taking the same blocks with one and without, bytes, and past proofs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from time import process_time

from support.load import LoadChain

from benchmarks.measure import Measure
from node.chain.block import Block, Commit
from node.execution.block_run import BlockResult
from node.execution.head import ChainHead
from node.storage.chain_store import ChainStore
from node.storage.leveldb import LevelStore
from node.storage.rebuild import rebuild
from node.storage.store_dirs import bytes_in

BAR = 1.5
"""Processor time of a block that is verified, executed and written, over the same without a history."""
PROOFS = 500


class TimedStore(ChainStore):
    """`commit_s`: processor time of all commits so far."""

    commit_s = 0.0

    def commit_block(self, block: Block, result: BlockResult, commit: Commit) -> ChainHead:
        started = process_time()
        head = super().commit_block(block, result, commit)
        self.commit_s += process_time() - started
        return head


def _taken(source: LoadChain, folder: Path, state_history: int) -> tuple[float, int, TimedStore]:
    """(processor seconds, bytes on disk, store) of taking all blocks of `source` into a new store."""
    kv = LevelStore(folder)
    store = TimedStore(kv, source.genesis, state_history)
    started = process_time()
    rebuild(source.store.kv, store, source.store.height())
    seconds = process_time() - started
    kv.compact()
    return seconds, bytes_in(folder), store


def _proof_us(store: ChainStore, heights: range, chance: Random) -> float:
    """Processor time of a proof of a random key at a random height."""
    keys = [key[1:] for key, _ in store.kv.scan(b"S", b"T")]
    wanted = [(chance.choice(keys), chance.choice(heights)) for _ in range(PROOFS)]
    started = process_time()
    for key, height in wanted:
        store.proof(key, height)
    return (process_time() - started) / PROOFS * 1e6


def measure(transactions: int, block_txs: int, seed: int) -> Measure:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = LoadChain(LevelStore(folder / "source"), seed=seed)
        source.grow(transactions, block_txs)
        blocks, chance = source.store.height(), Random(seed)
        without_s, without_bytes, plain = _taken(source, folder / "without", 0)
        _, with_bytes, store = _taken(source, folder / "with", blocks)
        more_s = store.commit_s - plain.commit_s  # the rest of the work is the same
        rows = [len(k) + len(v) for start, stop in ((b"H", b"I"), (b"U", b"V")) for k, v in store.kv.scan(start, stop)]
        head = range(blocks, blocks + 1)
        details = {
            "seed": seed, "transactions": transactions, "blocks": blocks,
            "commit_ms_of_a_block": round(store.commit_s / blocks * 1e3, 2),
            "commit_ms_without": round(plain.commit_s / blocks * 1e3, 2),
            "rows_of_a_block": round(len(rows) / blocks), "bytes_of_a_block": round(sum(rows) / blocks),
            "bytes_of_a_transaction": round(sum(rows) / transactions),
            "disk_bytes_of_a_block": round((with_bytes - without_bytes) / blocks),
            "disk_bytes_of_a_transaction": round((with_bytes - without_bytes) / transactions),
            "proof_us": round(_proof_us(store, range(1, blocks), chance)),
            "proof_at_the_head_us": round(_proof_us(store, head, chance)),
        }  # fmt: skip
        for one in (source.store, plain, store):
            one.kv.close()
    return Measure(
        f"state history, blocks of {block_txs:,}", 1 + more_s / without_s, BAR,
        (without_s + more_s) / transactions * 1e6, without_s / transactions * 1e6,
        "us of a transaction over us without a history", bar_is_upper=True,
        details=details,
    )  # fmt: skip
