"""Verification of transaction signatures in processes, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import msgspec

from node.ledger.signed import verify_raw
from node.worker_pool import WorkerLost, WorkerPool

INLINE_MAX = 24
"""Up to this many signatures are verified in the event loop: handing them over would cost more."""
CHUNK = 256
SILENCE_S = 20.0
"""A process that has not answered by then is replaced, and its chunk is verified in the event loop."""

_decode_raws = msgspec.msgpack.Decoder(list[bytes])


def verify_chunk(genesis_hash: bytes, work: bytes) -> bytes:
    """From an array of transactions to one byte for each: 1 where all its signatures verify, else 0."""
    return bytes(verify_raw(raw, genesis_hash) for raw in _decode_raws.decode(work))


class Verifiers:
    """Transactions to one bool for each. `count` 0: everything is verified in the event loop, one at a time."""

    def __init__(self, count: int, genesis_hash: bytes) -> None:
        self._genesis_hash = genesis_hash
        job = partial(verify_chunk, genesis_hash)
        self.pool = WorkerPool(count, job, silence_s=SILENCE_S, attempts=1) if count else None
        self._inline_lock = asyncio.Lock()
        self._gossip_slots = asyncio.Semaphore(max(1, count))

    @property
    def replaced(self) -> int:
        """Processes that died or fell silent and were replaced."""
        return self.pool.replaced if self.pool is not None else 0

    async def verify(self, raws: Sequence[bytes], signatures: int = 0, *, is_gossip: bool = False) -> tuple[bool, ...]:
        """`signatures`: their number over all transactions, where some have several. Gossip is verified in chunks, so
        that a block or a submitted transaction waits for at most one chunk of it."""
        if not is_gossip:
            return await self._verify(raws, signatures)
        each = max(1, CHUNK * len(raws) // max(len(raws), signatures, 1))
        results: list[bool] = []
        for at in range(0, len(raws), each):
            piece = raws[at : at + each]
            async with self._gossip_slots:
                results += await self._verify(piece, signatures * len(piece) // len(raws))
        return tuple(results)

    async def _verify(self, raws: Sequence[bytes], signatures: int) -> tuple[bool, ...]:
        if max(len(raws), signatures) <= INLINE_MAX or self.pool is None:
            return await self._inline(raws)
        chunks = [list(raws[at : at + CHUNK]) for at in range(0, len(raws), CHUNK)]
        results = await asyncio.gather(*(self._chunk(self.pool, chunk) for chunk in chunks))
        return tuple(good for chunk in results for good in chunk)

    async def _inline(self, raws: Sequence[bytes]) -> tuple[bool, ...]:
        """One transaction at a time over all callers, so that the event loop goes on between two."""
        results: list[bool] = []
        async with self._inline_lock:
            for raw in raws:
                results.append(verify_raw(raw, self._genesis_hash))
                await asyncio.sleep(0)
        return tuple(results)

    async def _chunk(self, pool: WorkerPool, raws: list[bytes]) -> tuple[bool, ...]:
        try:
            answer = await asyncio.wrap_future(pool.submit(msgspec.msgpack.encode(raws)))
        except WorkerLost:
            return await self._inline(raws)
        assert len(answer) == len(raws), "one answer for each"
        return tuple(map(bool, answer))

    def close(self) -> None:
        if self.pool is not None:
            self.pool.close()
