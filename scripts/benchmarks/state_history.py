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
    """`commit_s`: processor time of the commits above height `timed_above`."""

    commit_s, timed_above = 0.0, 0

    def commit_block(self, block: Block, result: BlockResult, commit: Commit) -> ChainHead:
        started = process_time()
        head = super().commit_block(block, result, commit)
        if block.header.height > self.timed_above:
            self.commit_s += process_time() - started
        return head


def _taken(source: LoadChain, folder: Path, state_history: int) -> tuple[float, int, TimedStore]:
    """(processor seconds, bytes on disk, store) of taking all blocks of `source` into a new store. Timed are the
    commits of the second half, where a history of half the blocks is as long as it gets."""
    kv = LevelStore(folder)
    store = TimedStore(kv, source.genesis, state_history)
    store.timed_above = source.store.height() // 2
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
        kept = blocks // 2
        all_s, without_bytes, plain = _taken(source, folder / "without", 0)
        _, with_bytes, store = _taken(source, folder / "with", kept)
        of_commit, of_commit_without = (each.commit_s / (blocks - kept) * 1e3 for each in (store, plain))
        without = all_s / blocks * 1e3
        rows = [len(k) + len(v) for start, stop in ((b"H", b"I"), (b"U", b"V")) for k, v in store.kv.scan(start, stop)]
        head = range(blocks, blocks + 1)
        details = {
            "seed": seed, "transactions": transactions, "blocks": blocks,
            "commit_ms": round(of_commit, 2), "commit_ms_without": round(of_commit_without, 2),
            "rows_of_a_block": round(len(rows) / kept), "bytes_of_a_block": round(sum(rows) / kept),
            "disk_bytes_of_a_block": round((with_bytes - without_bytes) / kept),
            "disk_bytes_of_a_transaction": round((with_bytes - without_bytes) / kept / block_txs),
            "proof_us": round(_proof_us(store, range(blocks - kept, blocks), chance)),
            "proof_at_the_head_us": round(_proof_us(store, head, chance)),
        }  # fmt: skip
        for one in (source.store, plain, store):
            one.kv.close()
    return Measure(
        f"state history, blocks of {block_txs:,}", 1 + (of_commit - of_commit_without) / without, BAR,
        without + of_commit - of_commit_without, without, "ms of a block over ms without a history",
        bar_is_upper=True, details=details,
    )  # fmt: skip
