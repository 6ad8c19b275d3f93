"""`bmw-audit replay` over ranges is killed: whatever process dies, and whenever, the same command ends with the same
result, and does not do again what was finished."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.load import LoadChain
from support.processes import started, wait_for

from node.chain.genesis import genesis_to_json
from node.storage.leveldb import LevelStore

BLOCKS, TXS, EVERY = 24, 100, 4

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and its genesis file."""
    folder = tmp_path_factory.mktemp("chain")
    load = LoadChain(LevelStore(folder / "store"), seed=12, depth=8)
    load.grow(BLOCKS * TXS, TXS)
    load.store.kv.close()
    (folder / "genesis.json").write_text(genesis_to_json(load.genesis))
    return folder


class Whole(NamedTuple):
    work: Path
    report: dict[str, Any]


@pytest.fixture(scope="module")
def whole(chain: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A replay that was killed twice and then ended: with a snapshot after every fourth block in its work folder."""
    work = tmp_path_factory.mktemp("first") / "work"
    for finished in (1, 3):
        with replaying(chain, work) as process:
            wait_for_results(work, finished)
            process.kill()
    resumed = len(results(work))
    report = ended(chain, work)
    assert (BLOCKS // EVERY, resumed) == (report["ranges"], report["ranges_resumed"])
    assert (BLOCKS * TXS, BLOCKS) == (report["transactions"], report["height"])
    return Whole(work, report)


def command(chain: Path, work: Path, *more: str) -> list[str]:
    """A first pass leaves snapshots; `more` may have other options."""
    place = ["--store", str(chain / "store"), "--genesis", str(chain / "genesis.json"), "--work", str(work)]
    return [sys.executable, "-m", "node.cli.audit", "replay", *place, "--snapshot-every", str(EVERY), "--json", *more]


@contextmanager
def replaying(chain: Path, work: Path, *more: str) -> Iterator[subprocess.Popen[Any]]:
    process = started(command(chain, work, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def ended(chain: Path, work: Path, *more: str) -> dict[str, Any]:
    """The report of a replay that is left alone."""
    done = subprocess.run(command(chain, work, *more), capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    report = json.loads(done.stdout)
    assert "ok" == report["result"]
    return report


def results(work: Path) -> list[str]:
    folder = work / "ranges"
    return [path.name for path in folder.iterdir() if not path.suffix] if folder.is_dir() else []


def wait_for_results(work: Path, count: int) -> None:
    wait_for(lambda: len(results(work)) >= count, 60, f"{count} finished ranges")


def without_results(whole: Whole, work: Path) -> Path:
    """A work folder with snapshots alone."""
    shutil.copytree(whole.work, work)
    shutil.rmtree(work / "ranges")
    return work


def check_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in ("height", "state_root", "block_id", "types", "keys_compared", "transactions"):
        assert one[name] == other[name], name


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_replay_of_ranges_at_the_same_time_is_killed(chain: Path, whole: Whole, tmp_path: Path) -> None:
    work = without_results(whole, tmp_path / "work")
    with replaying(chain, work, "--workers", "2") as process:
        wait_for_results(work, 1)
        workers = children(process.pid)
        process.kill()
    assert len(workers) >= 2
    wait_for(lambda: all(has_ended(pid) for pid in workers), 60, "the end of processes that work for nobody")
    kept = len(results(work))
    report = ended(chain, work, "--workers", "2")
    assert (BLOCKS // EVERY, kept) == (report["ranges"], report["ranges_resumed"])
    check_same(whole.report, report)


def test_a_process_that_dies_is_replaced(chain: Path, whole: Whole, tmp_path: Path) -> None:
    work = without_results(whole, tmp_path / "work")
    with replaying(chain, work, "--workers", "2") as process:
        wait_for_results(work, 1)
        for pid in children(process.pid):
            if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        out, error = process.communicate(timeout=120)
    assert 0 == process.returncode, error.decode()
    assert BLOCKS // EVERY == json.loads(out)["ranges"]


def test_a_worker_of_a_cluster_is_killed_midway(chain: Path, whole: Whole, tmp_path: Path) -> None:
    """A real scheduler and two real workers; the one that dies has a range under way."""
    work, place = without_results(whole, tmp_path / "work"), tmp_path / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    processes = [started([*dask, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show",
                          "--scheduler-file", str(place)], **quiet)]  # fmt: skip
    try:
        wait_for(place.exists, 60, "the scheduler")
        for name in ("one", "two"):
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name]
            worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(place)]
            processes.append(started([*worker, *options], **quiet))
        address = json.loads(place.read_text())["address"]
        with replaying(chain, work, "--dask", address) as process:
            # Each worker has one range under way while more than two are left.
            wait_for(lambda: len(list((work / "scratch").glob("range-*"))) == 2, 60, "two ranges under way")
            processes[1].kill()
            out, error = process.communicate(timeout=240)
        assert 0 == process.returncode, error.decode()
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()
    report = json.loads(out)
    assert BLOCKS // EVERY == report["ranges"]
    check_same(whole.report, report)
