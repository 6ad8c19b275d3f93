"""The auditor's bench: two ranges on two processes against one, the memory of a replay over the length of its chain,
and the time in which a planted divergence is named.

Times of the first are processor times, so that other programs on the machine count less: of the process that plans and
joins, and of the busier of the two that replay.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from multiprocessing import get_context
from pathlib import Path
from statistics import linear_regression
from typing import TypeVar

from msgspec.structs import replace
from support.load import LoadChain

from benchmarks.measure import Measure, processor_s, verifications_per_second
from benchmarks.replaying import WORKERS, replayed, rules_name, store_of
from node.audit.parallel_replay import LocalPool, ParallelReplay
from node.audit.replay import Replay
from node.audit.sources import StoreSource
from node.audit.work_folder import WorkFolder
from node.audit.workers import InProcess
from node.chain.genesis import genesis_to_json, parse_genesis
from node.execution.block_run import BlockResult, BlockRun
from node.storage.archive import write_archive
from node.storage.leveldb import LevelStore
from node.storage.snapshot_files import write_snapshot
from node.txtypes.vehicle.vehicle import VEHICLE

T = TypeVar("T")
RANGES_BAR = 1.7
BY_RANGES_BAR = 0.30
MEMORY_BAR_BYTES = 100.0
FIND_BAR_S = 10.0
BLOCK_TXS = 1_000


def _alone(function: Callable[[Path], T], argument: Path) -> T:
    """The result of a function in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, argument).result()


def _in_order(place: Path) -> float:
    """Processor seconds of a replay in one process."""
    started = time.process_time()
    source = StoreSource(place / "store")
    report = Replay(parse_genesis((place / "genesis.json").read_bytes()), source, InProcess()).run()
    assert report.divergence is None, report.divergence
    return time.process_time() - started


def _in_two(place: Path) -> float:
    """Processor seconds of the longest path of a replay of two ranges in two processes."""
    genesis = parse_genesis((place / "genesis.json").read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        pool = LocalPool(2)
        try:
            replay = ParallelReplay(
                genesis, "store", str(place / "store"), WorkFolder(Path(folder)),
                snapshots=[place / "middle" / "snapshots"], cluster=pool,
            )  # fmt: skip
            report = replay.run()
            busier = max(map(processor_s, pool.pids))
        finally:
            pool.close()
        assert (report.divergence, report.ranges) == (None, 2), report
        return time.process_time() - started + busier


def _with_snapshot(folder: Path, transactions: int, seed: int) -> tuple[Path, int]:
    """The place of a store of mixed transactions with a snapshot of its middle, and the snapshot's height."""
    place = store_of(folder, transactions, seed)
    middle = transactions // BLOCK_TXS * 58 // 100  # the second range restores a state, and compares the store
    if not (place / "middle" / "snapshots" / str(middle)).exists():
        genesis = parse_genesis((place / "genesis.json").read_bytes())
        work = WorkFolder(place / "middle")
        ParallelReplay(genesis, "store", str(place / "store"), work, snapshot_every=middle).run(middle + 1)
    return place, middle


def by_ranges(folder: Path, transactions: int, seed: int, yardstick_s: float = 3.0) -> Measure:
    """A replay of two ranges at the same time, against libsodium on two processes. `yardstick_s`: how long libsodium is
    measured, before and after."""
    place, middle = _with_snapshot(folder, transactions, seed)
    before = verifications_per_second(WORKERS, yardstick_s)
    report = replayed(place, "--snapshots", str(place / "middle" / "snapshots"))
    assert (report["transactions"], report["ranges"]) == (transactions, 2), report
    yardstick = (before + verifications_per_second(WORKERS, yardstick_s)) / 2
    rate = transactions / report["seconds"]
    return Measure(
        f"replay by ranges of {transactions:,} mixed transactions, 2 workers", rate / yardstick, BY_RANGES_BAR, rate,
        yardstick, "transactions/s over libsodium verifications/s, both on 2 processes",
        details={"seed": seed, "transactions": transactions, "snapshot": middle},
    )  # fmt: skip


def ranges(folder: Path, transactions: int, seed: int) -> Measure:
    place, middle = _with_snapshot(folder, transactions, seed)
    one, two = _alone(_in_order, place), _alone(_in_two, place)
    return Measure(
        f"replay of {transactions:,} transactions, two ranges over one", one / two, RANGES_BAR, one, two,
        "processor seconds of one process over those of the longest path with two",
        details={"seed": seed, "transactions": transactions, "snapshot": middle},
    )  # fmt: skip


# --- memory -----------------------------------------------------------------------------------------------
def _memory(place: Path) -> list[tuple[int, int, int]]:
    """(transactions, anonymous memory, all resident memory) in bytes, as a replay goes on."""
    found = []

    def note(_: int, transactions: int) -> None:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        sizes = [1024 * int(lines[name].split()[0]) for name in ("RssAnon", "VmRSS")]
        found.append((transactions, *sizes))

    source = StoreSource(place / "store")
    try:
        Replay(parse_genesis((place / "genesis.json").read_bytes()), source, InProcess(), note).run()
    finally:
        source.close()
    return found


def memory(folder: Path, transactions: int, seed: int) -> Measure:
    """The slope of the memory over the last third of the chain: before, caches fill."""
    place = store_of(folder, transactions, seed)
    samples = _alone(_memory, place)
    last = [sample for sample in samples if sample[0] > transactions * 2 / 3]
    anonymous, resident = (linear_regression([s[0] for s in last], [s[at] for s in last]).slope for at in (1, 2))
    return Measure(
        f"memory of a replay of {transactions:,} transactions", anonymous, MEMORY_BAR_BYTES, anonymous, 1,
        "bytes for each transaction of the last third, without the store's mapped files", bar_is_upper=True,
        details={"seed": seed, "resident_slope": resident, "samples": samples[:: max(1, len(samples) // 20)]},
    )  # fmt: skip


# --- a planted divergence ---------------------------------------------------------------------------------
class _OneWrong(BlockRun):
    """Software with an error: the car has one transfer too many after the block."""

    vin = ""

    def finish(self, evidence=()) -> BlockResult:
        key = VEHICLE.key(self.vin)
        vehicle = self._overlay.get(VEHICLE, key)
        self._overlay.put(VEHICLE, key, replace(vehicle, transfer_count=vehicle.transfer_count + 1))
        return super().finish(evidence)


class PlantedChain(LoadChain):
    """At height `wrong_at` the first car that is born in the block has another value than the transactions lead to."""

    wrong_at = 0
    planted = ""
    """The car."""

    def run(self, *, records_reads: bool = False) -> BlockRun:
        head = self.store.head()
        kind = _OneWrong if head.height + 1 == self.wrong_at else BlockRun
        return kind(self.store.state, self.store.tree, head, self.genesis_hash, self.now)

    def _step(self, run: BlockRun) -> None:
        cars = len(self.cars)
        super()._step(run)
        if isinstance(run, _OneWrong) and len(self.cars) > cars and not run.vin:
            run.vin = self.planted = self.cars[-1].vin

    def writer_of(self, vin: str) -> str:
        """The txid of the last transaction of the newest block that has changed the car."""
        assert self.last_result is not None, "there is a block"
        both = zip(self.last_result.receipts.transactions, self.last_result.transactions, strict=True)
        txids = [tx.txid for receipt, tx in both if f"vehicle/{vin}" in {change.key for change in receipt.changes}]
        return txids[-1].hex()


def _grow(chain: PlantedChain, place: Path, blocks: int, every: int, block_txs: int) -> None:
    for _ in range(blocks):
        chain.load_block(block_txs)
        if chain.store.height() % every == 0:
            write_snapshot(place / "snapshots", chain.store.height(), chain.store.kv.snapshot(), chain.genesis_hash)


def _finished(chain: PlantedChain, place: Path) -> None:
    write_archive(place / "blocks.bmw", chain.store, 1, chain.store.height(), chain.genesis_hash)
    chain.store.kv.close()


def planted_in(folder: Path, blocks: int, every: int, seed: int, block_txs: int) -> Path:
    """Archives and snapshots of two chains that differ from one block on, and what was planted there."""
    place = folder / f"planted-{blocks * block_txs}-{every}-{seed}-{rules_name()}"
    if (place / "planted.json").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    one, other = place / "one", place / "other"
    at = blocks * 59 // 100  # almost as far from the snapshot before it as it can be
    chain = PlantedChain(LevelStore(one / "store"), seed=seed)
    _grow(chain, one, at - 1, every, block_txs)
    made = (chain.random, chain.cars, chain._selling, chain.now, chain._salt)
    chain.store.kv.close()
    shutil.copytree(one, other)
    planted: dict[str, object] = {}
    for target, wrong_at in ((one, 0), (other, at)):
        chain = PlantedChain(LevelStore(target / "store"), seed=seed)
        chain.random, chain.cars, chain._selling, chain.now, chain._salt = deepcopy(made)
        chain.wrong_at = wrong_at
        _grow(chain, target, 1, every, block_txs)
        if wrong_at:
            planted |= {"key": f"vehicle/{chain.planted}", "height": at, "txid": chain.writer_of(chain.planted)}
        _grow(chain, target, blocks - at, every, block_txs)
        _finished(chain, target)
    (place / "genesis.json").write_text(genesis_to_json(chain.genesis))
    (place / "planted.json").write_text(json.dumps(planted))
    return place


def finding(folder: Path, transactions: int, seed: int, block_txs: int = BLOCK_TXS) -> Measure:
    blocks = transactions // block_txs
    place = planted_in(folder, blocks, max(1, blocks // 10), seed, block_txs)
    planted = json.loads((place / "planted.json").read_text())
    command = [sys.executable, "-m", "node.cli.audit", "compare", "--genesis", str(place / "genesis.json"), "--json"]
    for name in ("one", "other"):
        command += [str(place / name / "blocks.bmw"), "--snapshots", str(place / name / "snapshots")]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["same_to"] == planted["height"] - 1, report
    first = report["state"]["keys"][0]
    assert (first["key"], {writer["txid"] for writer in first["writers"]}) == (planted["key"], {planted["txid"]}), first
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measure(
        f"a planted divergence in {transactions:,} transactions", used, FIND_BAR_S, used, 1,
        "seconds of processor time until key and transaction are named", bar_is_upper=True,
        details={"seed": seed, "wall_s": seconds, "keys": len(report["state"]["keys"]), **planted},
    )  # fmt: skip
