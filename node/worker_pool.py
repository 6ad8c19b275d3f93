"""A pool of processes that compute bytes from bytes; a process that dies or falls silent is replaced.

Processes are spawned, and ignore SIGINT and SIGTERM: they end when their pipe closes. Start a pool before sockets and
databases are opened.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

Job = Callable[[bytes], bytes]


class WorkerLost(Exception):
    """Every process that a piece of work was given to died or fell silent."""


GC_THRESHOLD: Final = 100_000
"""Allocations between two garbage collections of a process that decodes and executes blocks: these make no reference
cycles, and with Python's default of 700 the collector takes a twentieth of the time."""


LOOKS: Final = 10
"""Times that a process is looked at until it counts as silent."""


def _serve(pipe: Connection, job: Job) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.set_threshold(GC_THRESHOLD)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(job(pipe.recv_bytes()))


class _Worker:
    def __init__(self, job: Job) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()
        self.busy_since: float | None = None
        """Steady time since which it has had work, None while it has none."""

    def do(self, work: bytes) -> bytes:
        """Raises EOFError or OSError where the process has died, also of being silent."""
        self.busy_since = time.monotonic()
        try:
            self.pipe.send_bytes(work)
            return self.pipe.recv_bytes()
        finally:
            self.busy_since = None

    def end_if_silent(self, silence_s: float) -> None:
        """No time-out of the pipe would do: a process may also not read what is sent."""
        if (since := self.busy_since) is not None and time.monotonic() - since > silence_s:
            self.process.kill()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class WorkerPool:
    """`attempts`: the processes that one piece of work may cost. `replaced` counts the processes that were."""

    def __init__(self, count: int, job: Job, *, silence_s: float, attempts: int) -> None:
        assert count >= 1, "a pool has at least one process"
        self.replaced = 0
        self._job = job
        self._silence_s = silence_s
        self._attempts = attempts
        self._queue: queue.SimpleQueue[tuple[bytes, Future[bytes]] | None] = queue.SimpleQueue()
        self._is_closing = False
        self._workers = [_Worker(job) for _ in range(count)]
        self._threads = [threading.Thread(target=self._feed, args=(i,), daemon=True) for i in range(count)]
        self._is_closed = threading.Event()
        self._watch_thread = threading.Thread(target=self._watch, daemon=True)
        for thread in (*self._threads, self._watch_thread):
            thread.start()
        # A program that ends without `close` (an error while it starts) would wait for its processes without end.
        atexit.register(self._kill)

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid or 0 for worker in self._workers]

    def submit(self, work: bytes) -> Future[bytes]:
        """Work is done in order. The future fails with `WorkerLost`; it is cancelled when the pool closes."""
        future: Future[bytes] = Future()
        self._queue.put((work, future))
        return future

    def _feed(self, place: int) -> None:
        while (item := self._queue.get()) is not None:
            work, future = item
            if self._is_closing:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._do(place, work))
            except WorkerLost as error:
                future.set_exception(error)

    def _watch(self) -> None:
        while not self._is_closed.wait(self._silence_s / LOOKS):
            for worker in self._workers:
                worker.end_if_silent(self._silence_s)

    def _do(self, place: int, work: bytes) -> bytes:
        for _ in range(self._attempts):
            try:
                return self._workers[place].do(work)
            except (EOFError, OSError):
                if self._is_closing:
                    break
                self._replace(place)
        raise WorkerLost(f"{self._attempts} processes died or fell silent on the same work")

    def _replace(self, place: int) -> None:
        """Where the system gives no process now, the dead one stays and is replaced at the next attempt."""
        self._workers[place].end()
        with contextlib.suppress(OSError):
            self._workers[place] = _Worker(self._job)
            self.replaced += 1

    def close(self) -> None:
        """Drop what is queued and end the processes."""
        self._is_closing = True
        for _ in self._threads:
            self._queue.put(None)
        self._kill()
        self._is_closed.set()
        for thread in (*self._threads, self._watch_thread):
            thread.join()
        for worker in self._workers:
            worker.end()
        atexit.unregister(self._kill)

    def _kill(self) -> None:
        self._is_closing = True  # so that no thread replaces one
        for worker in self._workers:
            worker.process.kill()
