"""A pool of processes: one that dies or falls silent is replaced."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from node.worker_pool import WorkerLost, WorkerPool


def _die(work: bytes) -> bytes:
    os._exit(3)


def _fall_silent(work: bytes) -> bytes:
    time.sleep(60)
    return work


def _echo_slowly(work: bytes) -> bytes:
    time.sleep(0.05)
    return work


def test_a_killed_worker_is_replaced_and_its_work_redone() -> None:
    pool = WorkerPool(2, _echo_slowly, silence_s=30.0, attempts=3)
    try:
        futures = [pool.submit(bytes([i])) for i in range(20)]
        assert b"\x00" == futures[0].result(30)
        for pid in pool.pids:
            os.kill(pid, 9)
        assert [bytes([i]) for i in range(20)] == [f.result(30) for f in futures]
    finally:
        pool.close()


@pytest.mark.parametrize("job", [_die, _fall_silent])
def test_work_that_no_worker_survives_fails(job: object) -> None:
    pool = WorkerPool(1, job, silence_s=1.0, attempts=3)  # type: ignore[arg-type]
    try:
        with pytest.raises(WorkerLost, match="3 processes died"):
            pool.submit(b"").result(30)
    finally:
        pool.close()


LEFT_OPEN = """
from node.worker_pool import WorkerPool
if __name__ == "__main__":
    pool = WorkerPool(1, bytes, silence_s=30.0, attempts=1)
    assert pool.submit(b"x").result() == b"x"
    raise SystemExit(3)
"""


def test_a_program_that_ends_without_closing_its_pool_ends(tmp_path: Path) -> None:
    """As `bmw-node start` does when its store is refused."""
    program = tmp_path / "program.py"
    program.write_text(LEFT_OPEN)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (3, "")
