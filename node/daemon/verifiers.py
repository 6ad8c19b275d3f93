"""Processes that verify transaction signatures, so that the node's own thread never waits for them.

Started (spawn) before any socket or database is opened; they ignore SIGINT and SIGTERM and end when their pipe closes.
One that dies or falls silent is replaced and its chunk done again.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from node.txtypes.envelope import verify_raw

INLINE_MAX = 24
"""Up to so many signatures are verified in the node itself: handing them over would cost more."""
CHUNK = 256
SILENT_S = 20.0


def _serve(pipe: Connection, genesis_hash: bytes) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            raws: list[bytes] = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send([verify_raw(raw, genesis_hash) for raw in raws])


class _Worker:
    def __init__(self, genesis_hash: bytes) -> None:
        context: Any = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, genesis_hash), daemon=True)
        self.process.start()
        theirs.close()

    async def verify(self, raws: list[bytes]) -> list[bool]:
        """Raises `OSError` or `TimeoutError` where the process is gone or silent."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self.pipe.fileno(), ready.set)
        try:
            async with asyncio.timeout(SILENT_S):
                await asyncio.to_thread(self.pipe.send, raws)  # one that does not read must not hold up the node
                await ready.wait()
            found: list[bool] = self.pipe.recv()
            assert len(found) == len(raws), "one answer for each"
            return found
        except EOFError:
            raise OSError("the verifier process has died") from None
        finally:
            loop.remove_reader(self.pipe.fileno())

    def close(self) -> None:
        with suppress(OSError):
            self.pipe.close()
        self.process.join(timeout=0.5)
        if self.process.is_alive():
            self.process.kill()


class Verifiers:
    """`verify` gives one bool for each transaction. With no workers everything is done in small pieces inline."""

    def __init__(self, count: int, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        self._workers = [_Worker(genesis_hash) for _ in range(count)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        for worker in self._workers:
            self._idle.put_nowait(worker)
        self._under_way: set[asyncio.Task[list[bool]]] = set()
        self._inline_turn = asyncio.Lock()
        self._gossip_turn = asyncio.Semaphore(max(1, count))
        self.replaced = 0

    async def verify(self, raws: Sequence[bytes], signatures: int = 0, *, is_gossip: bool = False) -> tuple[bool, ...]:
        """`signatures`: how many all have together, where more than one each. Gossip is verified piece by piece, so
        that a block, or what was handed in here, waits for one piece of it at the most."""
        if not is_gossip:
            return await self._verify(raws, signatures)
        each = max(1, CHUNK * len(raws) // max(len(raws), signatures, 1))
        found: list[bool] = []
        for at in range(0, len(raws), each):
            piece = raws[at : at + each]
            async with self._gossip_turn:
                found += await self._verify(piece, signatures * len(piece) // len(raws))
        return tuple(found)

    async def _verify(self, raws: Sequence[bytes], signatures: int) -> tuple[bool, ...]:
        if max(len(raws), signatures) <= INLINE_MAX or not self._workers:
            return await self._inline(raws)
        chunks = [list(raws[at : at + CHUNK]) for at in range(0, len(raws), CHUNK)]
        results = await asyncio.gather(*(self._chunk(chunk) for chunk in chunks))
        return tuple(good for chunk in results for good in chunk)

    async def _inline(self, raws: Sequence[bytes]) -> tuple[bool, ...]:
        """One transaction at a time, whoever asks: all else goes on between them."""
        found: list[bool] = []
        async with self._inline_turn:
            for raw in raws:
                found.append(verify_raw(raw, self._genesis_hash))
                await asyncio.sleep(0)
        return tuple(found)

    async def _chunk(self, raws: list[bytes]) -> list[bool]:
        """In a task of its own: were it cancelled with its caller, the answer would come to whoever asks next."""
        work = asyncio.create_task(self._ask_one(raws))
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        return await asyncio.shield(work)

    async def _ask_one(self, raws: list[bytes]) -> list[bool]:
        worker = await self._idle.get()
        try:
            return await worker.verify(raws)
        except (OSError, TimeoutError):
            worker = self._replaced(worker)
            return list(await self._inline(raws))
        finally:
            self._idle.put_nowait(worker)

    def _replaced(self, dead: _Worker) -> _Worker:
        """A fresh process in its place; where the system gives none now, the dead one stays and is tried again."""
        dead.process.kill()
        dead.close()
        try:
            fresh = _Worker(self._genesis_hash)
        except OSError:
            return dead
        self._workers[self._workers.index(dead)] = fresh
        self.replaced += 1
        return fresh

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
