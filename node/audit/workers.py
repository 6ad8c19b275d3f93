"""Verification of ranges of blocks for a replay: in processes, or in this one."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from node.audit.signatures import verify_range
from node.worker_pool import WorkerPool

SILENCE_S = 120.0
"""No range takes this long: a process that has not answered by then is replaced."""
ATTEMPTS = 3
"""Processes that one range may cost before the replay fails."""


class RangeVerifiers(Protocol):
    """Verifies ranges: bytes of a `Range` to bytes of its `Findings`."""

    ahead: int
    """How many ranges to hand out before the first has to be back."""

    def submit(self, work: bytes) -> Future[bytes]: ...

    def close(self) -> None: ...


class InProcess:
    """`--workers 0`. Implements `RangeVerifiers`."""

    ahead = 1

    def submit(self, work: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        future.set_result(verify_range(work))
        return future

    def close(self) -> None:
        pass


class InProcesses(WorkerPool):
    """Implements `RangeVerifiers`; a future fails with `WorkerLost` where no process survives its range."""

    def __init__(self, count: int) -> None:
        super().__init__(count, verify_range, silence_s=SILENCE_S, attempts=ATTEMPTS)
        self.ahead = 2 * count + 2


def start_verifiers(count: int) -> RangeVerifiers:
    """`count` processes, or none with 0."""
    return InProcesses(count) if count else InProcess()
