"""Verifier processes for a replay: started before anything is opened, replaced when they die or fall silent."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Protocol

from node.audit.signatures import verify_range
from node.errors import OperatorError

SILENCE_S = 120.0
"""No range takes this long: a process that has not answered by then is replaced."""
ATTEMPTS = 3
"""Processes that one range may cost before we give up and say so."""

Job = Callable[[bytes], bytes]


class RangeVerifiers(Protocol):
    """Somebody who verifies ranges."""

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


def _serve(pipe: Connection, job: Job) -> None:
    """Life of a verifier process: until its pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(job(pipe.recv_bytes()))


class _RangeWorker:
    def __init__(self, job: Job) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()

    def do(self, work: bytes, silence_s: float) -> bytes:
        """Raises EOFError or OSError where the process has died or is silent."""
        self.pipe.send_bytes(work)
        if not self.pipe.poll(silence_s):
            raise TimeoutError
        return self.pipe.recv_bytes()

    def end(self) -> None:
        self.pipe.close()
        self.process.join(0.5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


class VerifierPool:
    """Processes, each fed by a thread that does nothing but wait. Implements `RangeVerifiers`."""

    def __init__(self, count: int, job: Job = verify_range, silence_s: float = SILENCE_S) -> None:
        assert count >= 1, "a pool has at least one process"
        self.ahead = 2 * count + 2
        self._job = job
        self._silence_s = silence_s
        self._queue: queue.SimpleQueue[tuple[bytes, Future[bytes]] | None] = queue.SimpleQueue()
        self._is_closing = False
        self._workers = [_RangeWorker(job) for _ in range(count)]
        self._threads = [threading.Thread(target=self._feed, args=(i,), daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid or 0 for worker in self._workers]

    def submit(self, work: bytes) -> Future[bytes]:
        """The future fails with `OperatorError` where no process survives the range."""
        future: Future[bytes] = Future()
        self._queue.put((work, future))
        return future

    def _feed(self, place: int) -> None:
        while (item := self._queue.get()) is not None:
            work, future = item
            if self._is_closing:
                future.cancel()
                continue
            try:
                future.set_result(self._do(place, work))
            except OperatorError as error:
                future.set_exception(error)

    def _do(self, place: int, work: bytes) -> bytes:
        for _ in range(ATTEMPTS):
            try:
                return self._workers[place].do(work, self._silence_s)
            except (EOFError, OSError):
                if self._is_closing:
                    break
                self._workers[place].process.kill()
                self._workers[place].end()
                self._workers[place] = _RangeWorker(self._job)
        raise OperatorError(
            f"{ATTEMPTS} verifier processes died or fell silent on the same blocks: free memory, or use --workers 0"
        )

    def close(self) -> None:
        """Drop what is queued and end the processes."""
        self._is_closing = True
        for _ in self._threads:
            self._queue.put(None)
        for worker in self._workers:
            with contextlib.suppress(ValueError):  # just being replaced
                worker.process.kill()
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.end()


def start_verifiers(count: int) -> RangeVerifiers:
    """`count` processes, or none with 0."""
    return VerifierPool(count) if count else InProcess()
