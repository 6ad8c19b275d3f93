"""Replay of ranges on a Dask cluster, with the package `distributed` of the extra `cluster`.

A worker that dies is no error: the scheduler gives its range to another one, as often as its setting `allowed-failures`
says.
"""

from __future__ import annotations

from concurrent.futures import Future
from importlib import import_module
from typing import Any

from node.audit.range_replay import replay_range
from node.errors import OperatorError
from node.worker_pool import WorkerLost

CONNECT_S = 10


class DaskPool:
    """Implements `RangePool`."""

    def __init__(self, address: str) -> None:
        """`address`: the scheduler's, such as tcp://10.0.0.1:8786. Raises `OperatorError`."""
        try:
            distributed: Any = import_module("distributed")
        except ImportError:
            raise OperatorError("--dask needs the package 'distributed': install bmw-chain[cluster]") from None
        try:
            self._client: Any = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise OperatorError(f"the scheduler {address} can't be reached ({error}): check --dask") from None
        self._lost: type[Exception] = distributed.KilledWorker
        self._running: list[Any] = []
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
            self.size: int = sum(self._client.nthreads().values())
        except (OSError, TimeoutError):
            self.close()
            raise OperatorError(f"the scheduler {address} has no workers: start some with 'dask worker'") from None

    def submit(self, work: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        running = self._client.submit(replay_range, work, pure=False)
        self._running.append(running)  # the cluster forgets what nobody holds
        running.add_done_callback(lambda done: self._settle(done, future))
        return future

    def _settle(self, done: Any, future: Future[bytes]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(done.result())
        except self._lost as error:
            future.set_exception(WorkerLost(str(error)))
        except Exception as error:  # the connection is gone, or the job was cancelled
            future.set_exception(OperatorError(f"the cluster has failed ({type(error).__name__}: {error}): try again"))

    def close(self) -> None:
        """Drop what is not finished; a range that is under way ends on its own."""
        self._client.cancel(self._running)
        self._client.close()
