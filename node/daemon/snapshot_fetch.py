"""Fetches the chunks of one snapshot from all peers that offer it, and hands them on in order.

Chunks are known to hold the header's state only once all are there, so a made-up manifest could keep a node busy for
days: the caller is told when an offer is slow, and may have another way. A peer can repeat another's offer and then
stay silent, so friends are asked before strangers, and a late chunk is asked of a peer that has delivered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from typing import NamedTuple

from node.errors import InvalidCertificate, Rejected
from node.log import log
from node.p2p.wire import Chunk
from node.storage.snapshot import Manifest, chunk_hash, manifest_id

CHUNK_S = 10.0
FRIENDS_TIMEOUTS, STRANGERS_TIMEOUTS = 3, 1
"""Timeouts after which a peer is asked for no more chunks."""
HEDGE_S = 2.0
"""After this time the next chunk in order is also asked of a second peer."""
CHUNKS_AHEAD = 8
"""Chunks that may wait in memory for an earlier one."""
PACE_S, PACE_CHUNKS = 60.0, 12
"""An offer is slow if fewer than `PACE_CHUNKS` chunks arrive in `PACE_S` of waiting."""
LOG_EVERY_S = 5.0

AskChunk = Callable[[int, bytes, int, float], Awaitable[Chunk]]
"""(peer, manifest id, index, seconds): raises `TimeoutError`, or `Rejected` where the peer disconnects."""


class TooSlow(Exception):
    """The offer is slow; nothing else is wrong with it so far."""


class GaveWay(Exception):
    """There may be a better offer, or blocks, now."""


class SnapshotProgress(NamedTuple):
    """Progress of fetching the snapshot at `height`."""

    height: int
    chunk: int
    of: int
    left_s: float


class SnapshotFetch:
    """The chunks of one offer, passed to `take` in order."""

    def __init__(
        self,
        manifest: Manifest,
        ask: AskChunk,
        name: Callable[[int], str],
        on_progress: Callable[[SnapshotProgress], None],
        check: Callable[[str], None],
    ) -> None:
        """`check`: called regularly with why the offer is slow, or empty; may raise `TooSlow` or `GaveWay`."""
        self._height = manifest.header.height
        self._hashes = manifest.chunks
        self._ident = manifest_id(manifest)
        self._ask = ask
        self._name = name
        self._on_progress = on_progress
        self._check = check
        self._wanted = list(range(len(self._hashes)))
        """A heap."""
        self._arrived: dict[int, bytes] = {}
        self._asked: dict[int, tuple[float, int]] = {}
        """Chunk to (time, peer) of its last request."""
        self._changed = asyncio.Event()
        self._next = 0
        self._waited_s = 0.0
        self._came_after: deque[float] = deque(maxlen=PACE_CHUNKS)
        """Total waiting time when each of the newest chunks came. Time for our own work makes no peer slow."""
        self._delivered: set[int] = set()
        self._logged_at = 0.0

    async def run(self, friends: set[int], strangers: set[int], take: Callable[[bytes], Awaitable[None]]) -> None:
        """Strangers are asked for what friends do not deliver. Raises `Rejected` where no peer delivers a chunk."""
        loop = asyncio.get_running_loop()
        started = self._logged_at = loop.time()
        fetching: list[asyncio.Task[None]] = []
        waves = [(friends, FRIENDS_TIMEOUTS), (strangers, STRANGERS_TIMEOUTS)]
        try:
            while self._next < len(self._hashes):
                self._check(self._why_slow())
                if self._next in self._arrived:
                    data = self._arrived.pop(self._next)
                    self._next += 1
                    await take(data)
                    self._changed.set()
                    self._report(started)
                    continue
                if all(task.done() for task in fetching):
                    if not waves:
                        raise InvalidCertificate(f"no peer delivers chunk {self._next}")
                    peers, patience = waves.pop(0)
                    fetching += [asyncio.create_task(self._fetch_from(peer, patience)) for peer in sorted(peers)]
                    continue
                self._changed.clear()
                waiting, since = asyncio.create_task(self._changed.wait()), loop.time()
                await asyncio.wait({waiting, *fetching}, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                self._waited_s += loop.time() - since
                waiting.cancel()
        finally:
            for task in fetching:
                task.cancel()
            await asyncio.gather(*fetching, return_exceptions=True)

    def _why_slow(self) -> str:
        since = self._came_after[0] if len(self._came_after) == PACE_CHUNKS else 0.0
        if self._waited_s - since <= PACE_S:
            return ""
        return f"fewer than {PACE_CHUNKS} chunks came in {PACE_S:.0f} s, and {len(self._hashes) - self._next} are left"

    def _report(self, started: float) -> None:
        total, now = len(self._hashes), asyncio.get_running_loop().time()
        progress = SnapshotProgress(
            self._height, self._next, total, (now - started) / self._next * (total - self._next)
        )
        self._on_progress(progress)
        if now - self._logged_at >= LOG_EVERY_S or self._next == total:
            self._logged_at = now
            fields = {"height": self._height, "chunk": self._next, "of": total, "left_s": int(progress.left_s)}
            log("snapshot_sync", "info", fields)

    def _choose(self, peer: int) -> int | None:
        """The next chunk to request from the peer: one that was not requested yet, or the late one."""
        now = asyncio.get_running_loop().time()
        while self._wanted and (self._wanted[0] < self._next or self._wanted[0] in self._arrived):
            heappop(self._wanted)
        if self._wanted and self._wanted[0] < self._next + CHUNKS_AHEAD:
            return heappop(self._wanted)
        asked_at, asked = self._asked.get(self._next, (now, peer))
        is_late = self._next not in self._arrived and now - asked_at >= HEDGE_S and asked != peer
        return self._next if is_late and (peer in self._delivered or not self._delivered) else None

    async def _fetch_from(self, peer: int, patience: int) -> None:
        """Fetch chunks from one peer until it fails; what it did not deliver goes to the others."""
        loop, timeouts = asyncio.get_running_loop(), 0
        while self._next + len(self._arrived) < len(self._hashes):
            index = self._choose(peer)
            if index is None:
                await asyncio.sleep(0.02)
                continue
            self._asked[index] = loop.time(), peer
            try:
                data = (await self._ask(peer, self._ident, index, CHUNK_S)).data
                if chunk_hash(data) != self._hashes[index]:
                    raise InvalidCertificate("its data does not match the manifest")
            except (Rejected, TimeoutError) as error:
                why = str(error) or "no answer in time"
                log("snapshot_chunk", "warning", {"peer": self._name(peer), "chunk": index, "why": why})
                heappush(self._wanted, index)
                timeouts += 1
                if isinstance(error, Rejected) or timeouts == patience:
                    return
                continue
            self._delivered.add(peer)
            if index >= self._next and index not in self._arrived:
                self._arrived[index] = data
                self._came_after.append(self._waited_s)
            self._changed.set()
