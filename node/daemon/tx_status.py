"""Status of every transaction that was accepted here: journal, rejections, and callers that wait."""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Iterable

from node.ledger.guards import Unmet
from node.rpc.backend import TxStatus, TxStatusName
from node.storage.chain_store import ChainReader
from node.storage.journal import Ended, Journal

REJECTED_MAX = 100_000
EXPIRIES_SPARE = 10_000
"""Expiries of transactions that are committed are dropped once there are more of them than this."""


class TxStatuses:
    """Open transactions are in memory, all are on disk. Writes are grouped, and each group is synced once."""

    def __init__(self, journal: Journal, reader: ChainReader) -> None:
        self._journal = journal
        self._reader = reader
        self._open: dict[bytes, int] = {}
        self._expiries: list[tuple[int, bytes]] = []
        self._rejected: OrderedDict[bytes, tuple[int, tuple[Unmet, ...]]] = OrderedDict()
        self._accepting: dict[bytes, bytes] = {}
        self._unsynced: dict[bytes, bytes] = {}
        self._ending: dict[bytes, Ended] = {}
        self._accepted: list[asyncio.Future[None]] = []
        self._committed: list[bytes] = []
        self._waiters: dict[bytes, list[asyncio.Future[None]]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    # --- at start ---
    def load(self) -> list[bytes]:
        """Signed bytes of everything accepted that is not on the chain; what is on it leaves the journal."""
        open_raws, done = [], []
        for txid, raw in self._journal.pending():
            if self._reader.place(txid) is not None:
                done.append(txid)
            else:
                open_raws.append(raw)
        if done:
            self._journal.finish(done, {}, 0)
        return open_raws

    def opened(self, txid: bytes, expires_at_ms: int) -> None:
        """The transaction is in the journal."""
        if txid not in self._open:
            self._open[txid] = expires_at_ms
            heapq.heappush(self._expiries, (expires_at_ms, txid))

    # --- accepting ---
    async def accept(self, entries: dict[bytes, tuple[bytes, int]], since: int) -> None:
        """txid to (signed bytes, expiry): on disk, synced, when this returns. No block up to height `since` has one of
        them."""
        for txid, (raw, expires) in entries.items():
            self._accepting[txid] = self._unsynced[txid] = raw
            self.opened(txid, expires)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._accepted.append(done)
        if self._writing is None or self._writing.done():
            # A task of its own: a caller that disconnects does not affect the others of its group.
            self._writing = asyncio.create_task(self._write_groups())
        await done
        if self._reader.height() > since:
            self.committed([txid for txid in entries if self._reader.place(txid) is not None])

    def is_journalled(self, txid: bytes) -> bool:
        """Whether the transaction would survive a power cut now."""
        return txid in self._open and txid not in self._unsynced

    async def _write_groups(self) -> None:
        """A group is what was accepted while the one before was written."""
        while self._accepted:
            async with self._lock:
                entries, self._accepting = self._accepting, {}
                waiting, self._accepted = self._accepted, []
                failure: Exception | None = None
                try:
                    await asyncio.to_thread(self._journal.accept, entries)
                    for txid in entries:
                        self._unsynced.pop(txid, None)
                except Exception as error:  # raised to every caller that waits for it
                    failure = error
            for future in waiting:
                if future.done():
                    continue
                if failure is None:
                    future.set_result(None)
                else:
                    future.set_exception(failure)

    async def stop(self) -> None:
        """Finish what is being written."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=2)

    # --- changes of status ---
    def committed(self, txids: Iterable[bytes]) -> None:
        for txid in txids:
            if self._open.pop(txid, None) is not None:
                self._committed.append(txid)
            self._rejected.pop(txid, None)
            self._wake(txid)
        if len(self._expiries) > 2 * len(self._open) + EXPIRIES_SPARE:  # committed ones need not expire
            self._expiries = [(expires, txid) for txid, expires in self._open.items()]
            heapq.heapify(self._expiries)

    def rejected(self, txid: bytes, expires_at_ms: int, unmet: tuple[Unmet, ...]) -> None:
        """Not final: until it expires it may be in another node's pool."""
        self._rejected[txid] = (expires_at_ms, unmet)
        if len(self._rejected) > REJECTED_MAX:
            self._rejected.popitem(last=False)
        self._wake(txid)

    def readmitting(self, txid: bytes) -> tuple[int, tuple[Unmet, ...]] | None:
        """The transaction is submitted again: forget its rejection, and return it in case it is rejected again.

        Call this before the pool is asked: a block may drop the transaction before its admission is reported, and that
        rejection must not be forgotten.
        """
        return self._rejected.pop(txid, None)

    async def settle(self, head_time_ms: int) -> None:
        """Persist what has become final: committed transactions leave the journal, expired ones leave their outcome."""
        expired: dict[bytes, Ended] = {}
        while self._expiries and self._expiries[0][0] < head_time_ms:
            expires, txid = heapq.heappop(self._expiries)
            if self._open.pop(txid, None) is not None:
                expired[txid] = Ended(expires, self._rejected.pop(txid, (0, ()))[1])
        committed, self._committed = self._committed, []
        if committed or expired:
            self._ending.update(expired)  # `tx_status` reads it here until the journal has it
            async with self._lock:
                await asyncio.to_thread(self._journal.finish, committed, expired, head_time_ms)
            for txid in expired:
                del self._ending[txid]
                self._wake(txid)

    # --- queries ---
    def tx_status(self, txid: bytes, pooled_until: int, head_time_ms: int) -> TxStatus | None:
        """`pooled_until`: the expiry of the transaction in the pool, 0 if it is not there."""
        place = self._reader.place(txid)
        if place is not None:
            return TxStatus(txid, "committed", 0, place.height, place.index)
        if txid in self._rejected and not pooled_until:
            expires, unmet = self._rejected[txid]
            status: TxStatusName = "rejected" if expires >= head_time_ms else "expired"
            return TxStatus(txid, status, expires, unmet=unmet)
        if expires := self._open.get(txid, pooled_until):
            return TxStatus(txid, "pending", expires)
        ended = self._ending.get(txid) or self._journal.ended(txid)
        return None if ended is None else TxStatus(txid, "expired", ended.expires_at_ms, unmet=ended.unmet)

    async def wait(self, txid: bytes, timeout_ms: int) -> None:
        """Until the status of the transaction changes, or the timeout."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(txid, []).append(future)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await future
        except TimeoutError:
            pass
        finally:
            waiting = self._waiters.get(txid, [])
            if future in waiting:
                waiting.remove(future)
            if not waiting:
                self._waiters.pop(txid, None)

    def _wake(self, txid: bytes) -> None:
        for future in self._waiters.pop(txid, []):
            if not future.done():
                future.set_result(None)
