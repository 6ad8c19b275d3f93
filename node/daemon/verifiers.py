"""Verification of transaction signatures in processes, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from node.ledger.signed import verify_raw
from node.worker_pool import WorkerLost, WorkerPool

INLINE_MAX: Final = 24
"""Up to this many signatures of a block or a submission are verified in the event loop: handing over takes longer."""
INLINE_GOSSIP_MAX: Final = 4
"""The same of gossip, which nobody waits for: handing over costs the event loop as much as this many."""
TURN_S: Final = 0.001
"""How long the event loop verifies before it looks at everything else."""
CHUNK: Final = 256
SILENCE_S: Final = 20.0
"""A process that has not answered by then is replaced, and its chunk is verified in the event loop."""

_decode_raws = msgspec.msgpack.Decoder(list[bytes])


def verify_chunk(genesis_hash: bytes, work: bytes) -> bytes:
    """From an array of transactions to one byte for each: 1 where all its signatures verify, else 0."""
    return bytes(verify_raw(raw, genesis_hash) for raw in _decode_raws.decode(work))


class _Piece(NamedTuple):
    """Gossiped transactions that wait for a verifier, and who waits for them."""

    raws: Sequence[bytes]
    signatures: int
    done: asyncio.Future[tuple[bool, ...]]


class Verifiers:
    """Transactions to one bool for each. `count` 0: everything is verified in the event loop, one at a time."""

    def __init__(self, count: int, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        job = partial(verify_chunk, genesis_hash)
        self.pool = WorkerPool(count, job, silence_s=SILENCE_S, attempts=1) if count else None
        self._inline_lock = asyncio.Lock()
        self._gossip: deque[_Piece] = deque()
        self._gatherers: set[asyncio.Task[None]] = set()
        self._gatherers_max = max(1, count)
        self.verified = 0
        """Transactions whose signatures were verified."""

    @property
    def replaced(self) -> int:
        """Processes that died or fell silent and were replaced."""
        return self.pool.replaced if self.pool is not None else 0

    async def verify(self, raws: Sequence[bytes], signatures: int = 0, *, is_gossip: bool = False) -> tuple[bool, ...]:
        """`signatures`: their number over all transactions, where some have several. Gossip comes in small pieces from
        every peer: what waits is gathered into one chunk, as soon as a process is free. A block or a submitted
        transaction waits for at most one such chunk."""
        self.verified += len(raws)
        if not is_gossip:
            return await self._verify(raws, signatures, INLINE_MAX)
        signatures = max(len(raws), signatures, 1)
        each = max(1, CHUNK * len(raws) // signatures)
        parts = [raws[at : at + each] for at in range(0, len(raws), each)]
        pieces = [_Piece(part, signatures * len(part) // len(raws), asyncio.Future()) for part in parts]
        self._gossip += pieces
        if len(self._gatherers) < self._gatherers_max:
            task = asyncio.create_task(self._gather())
            self._gatherers.add(task)
            task.add_done_callback(self._gatherers.discard)
        results = await asyncio.gather(*(piece.done for piece in pieces))
        return tuple(good for result in results for good in result)

    async def _gather(self) -> None:
        while self._gossip:
            pieces = [self._gossip.popleft()]
            total = pieces[0].signatures
            while self._gossip and total + self._gossip[0].signatures <= CHUNK:
                pieces.append(self._gossip.popleft())
                total += pieces[-1].signatures
            raws = [raw for piece in pieces for raw in piece.raws]
            try:
                results = iter(await self._verify(raws, total, INLINE_GOSSIP_MAX))
            except Exception as error:
                for piece in pieces:
                    if not piece.done.done():
                        piece.done.set_exception(error)
                continue
            for piece in pieces:
                found = tuple(islice(results, len(piece.raws)))
                if not piece.done.done():  # who waited for it may have been cancelled
                    piece.done.set_result(found)

    async def _verify(self, raws: Sequence[bytes], signatures: int, inline_max: int) -> tuple[bool, ...]:
        if max(len(raws), signatures) <= inline_max or self.pool is None:
            return await self._inline(raws)
        chunks = [list(raws[at : at + CHUNK]) for at in range(0, len(raws), CHUNK)]
        results = await asyncio.gather(*(self._chunk(self.pool, chunk) for chunk in chunks))
        return tuple(good for chunk in results for good in chunk)

    async def _inline(self, raws: Sequence[bytes]) -> tuple[bool, ...]:
        """One transaction at a time over all callers. The event loop goes on after `TURN_S`."""
        results: list[bool] = []
        async with self._inline_lock:
            began = time.monotonic()
            for raw in raws:
                if time.monotonic() - began > TURN_S:
                    await asyncio.sleep(0)
                    began = time.monotonic()
                results.append(verify_raw(raw, self._genesis_hash))
        return tuple(results)

    async def _chunk(self, pool: WorkerPool, raws: list[bytes]) -> tuple[bool, ...]:
        try:
            answer = await asyncio.wrap_future(pool.submit(msgspec.msgpack.encode(raws)))
        except WorkerLost:
            return await self._inline(raws)
        assert len(answer) == len(raws), "one answer for each"
        return tuple(map(bool, answer))

    def close(self) -> None:
        for task in self._gatherers:
            task.cancel()
        if self.pool is not None:
            self.pool.close()
