"""What becomes of accepted transactions: on disk before anybody is told, never forgotten, final only when it is."""

from __future__ import annotations

import asyncio
from functools import wraps

import pytest
from support.chain import HOUR_MS, Chain
from support.life import register
from support.memory_store import MemoryStore

from node.daemon.tx_status import TxStatuses
from node.errors import OperatorError
from node.ledger.guards import Unmet
from node.storage.journal import Journal

WHY = (Unmet("vehicle_exists", "WBA8E9G50GNU12345", "", ""),)


def in_a_loop(test):
    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    del run.__wrapped__
    return run


class Accepted:
    """A chain, fates over an empty journal, and one signed transaction."""

    def __init__(self) -> None:
        self.chain = Chain()
        self.kv = MemoryStore()
        self.tx_statuses = TxStatuses(Journal(self.kv), self.chain.store)
        self.raw = self.chain.sign("bmw", register())
        self.tx = self.chain.check(self.raw)
        self.expires = self.tx.payload.expires_at_ms

    async def accept(self) -> None:
        await self.tx_statuses.accept({self.tx.txid: (self.raw, self.expires)}, self.chain.store.height())

    def status(self, *, is_pooled: bool = False) -> str:
        tx_status = self.tx_statuses.tx_status(
            self.tx.txid, self.expires if is_pooled else 0, self.chain.store.head().time_ms
        )
        return "unknown" if tx_status is None else tx_status.status

    def reopened(self) -> TxStatuses:
        """As after a restart."""
        return TxStatuses(Journal(self.kv), self.chain.store)


@in_a_loop
async def test_accepted_is_on_disk_when_accept_returns() -> None:
    it = Accepted()
    assert "unknown" == it.status()
    await it.accept()
    assert "pending" == it.status()
    assert [it.raw] == it.reopened().load()


@in_a_loop
async def test_many_at_once_are_written_together_and_each_waits_for_the_disk() -> None:
    it = Accepted()
    raws = [it.chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")) for i in range(20)]
    txids = [it.chain.check(raw).txid for raw in raws]
    await asyncio.gather(
        *(it.tx_statuses.accept({txid: (raw, it.expires)}, 0) for txid, raw in zip(txids, raws, strict=True))
    )
    assert sorted(raws) == sorted(it.reopened().load())


@in_a_loop
async def test_a_disk_that_takes_nothing_is_told_to_everyone_who_waits() -> None:
    class Full(MemoryStore):
        def write(self, puts, deletes, *, sync=True) -> None:
            raise OperatorError("the disk is full: make room")

    it = Accepted()
    it.tx_statuses = TxStatuses(Journal(Full()), it.chain.store)
    found = await asyncio.gather(it.accept(), it.accept(), return_exceptions=True)
    assert ["the disk is full: make room"] * 2 == [str(error) for error in found]


@in_a_loop
async def test_a_commit_leaves_the_journal_and_wakes_who_waits() -> None:
    it = Accepted()
    await it.accept()
    waiting = asyncio.create_task(it.tx_statuses.wait(it.tx.txid, 60_000))
    await asyncio.sleep(0)
    it.chain.produce(it.raw)
    it.tx_statuses.committed([it.tx.txid])
    await waiting
    assert "committed" == it.status()
    await it.tx_statuses.settle(it.chain.store.head().time_ms)
    assert [] == it.reopened().load()


@in_a_loop
async def test_what_committed_while_the_journal_was_written_is_not_kept_in_it() -> None:
    it = Accepted()
    it.chain.produce(it.raw)
    await it.accept()
    await it.tx_statuses.settle(it.chain.store.head().time_ms)
    assert ("committed", []) == (it.status(), it.reopened().load())


@in_a_loop
async def test_a_commit_that_a_crash_kept_in_the_journal_is_not_loaded_again() -> None:
    it = Accepted()
    await it.accept()
    it.chain.produce(it.raw)
    again = it.reopened()
    assert [] == again.load() == it.reopened().load()


@in_a_loop
async def test_a_rejection_is_not_final_until_it_expires_and_says_why_then() -> None:
    it = Accepted()
    await it.accept()
    it.tx_statuses.rejected(it.tx.txid, it.expires, WHY)
    assert ("rejected", "pending") == (it.status(), it.status(is_pooled=True))
    await it.tx_statuses.settle(it.chain.store.head().time_ms)
    assert [it.raw] == it.reopened().load(), "it may still get into a block"
    it.chain.now += 2 * HOUR_MS
    it.chain.produce()
    await it.tx_statuses.settle(it.chain.store.head().time_ms)
    tx_status = it.tx_statuses.tx_status(it.tx.txid, 0, it.chain.store.head().time_ms)
    assert ("expired", WHY) == (tx_status.status, tx_status.unmet)
    assert "expired" == it.reopened().tx_status(it.tx.txid, 0, it.chain.store.head().time_ms).status
    assert [] == it.reopened().load()


@in_a_loop
async def test_a_rejection_that_comes_before_the_admission_is_heard_of_stands() -> None:
    """A lone validator admits, builds, commits another and drops this one before the caller's turn comes."""
    it = Accepted()
    assert it.tx_statuses.readmitting(it.tx.txid) is None
    it.tx_statuses.rejected(it.tx.txid, it.expires, WHY)
    await it.accept()
    assert "rejected" == it.status()
    async with asyncio.timeout(5):
        assert (it.expires, WHY) == it.tx_statuses.readmitting(it.tx.txid)
    assert "pending" == it.status()


@in_a_loop
async def test_waiting_ends_at_its_timeout_and_leaves_nothing_behind() -> None:
    it = Accepted()
    await it.accept()
    await it.tx_statuses.wait(it.tx.txid, 1)
    assert {} == it.tx_statuses._waiters
    waiting = [asyncio.create_task(it.tx_statuses.wait(it.tx.txid, 60_000)) for _ in range(3)]
    await asyncio.sleep(0)
    it.tx_statuses.rejected(it.tx.txid, it.expires, WHY)
    await asyncio.gather(*waiting)
    assert {} == it.tx_statuses._waiters


def test_rejections_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.daemon.tx_status.REJECTED_MAX", 2)
    it = Accepted()
    for index in range(3):
        it.tx_statuses.rejected(bytes([index]) * 32, it.expires, WHY)
    known = [it.tx_statuses.tx_status(bytes([i]) * 32, 0, 0) for i in range(3)]
    assert [False, True, True] == [tx_status is not None for tx_status in known]


@in_a_loop
async def test_a_caller_that_hangs_up_takes_nothing_from_the_others_of_its_group() -> None:
    it = Accepted()
    raws = [it.chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")) for i in range(3)]
    txs = [it.chain.check(raw) for raw in raws]
    async with it.tx_statuses._lock:  # the journal is busy, so that the three come together
        callers = [asyncio.create_task(it.tx_statuses.accept({tx.txid: (tx.raw, it.expires)}, 0)) for tx in txs]
        for _ in range(3):
            await asyncio.sleep(0)
        callers[0].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)

    assert [asyncio.CancelledError, type(None), type(None)] == [type(result) for result in results]
    assert sorted(raws) == sorted(raw for _, raw in Journal(it.kv).pending())
    assert all(it.tx_statuses.is_journalled(tx.txid) for tx in txs)


def test_what_was_committed_keeps_no_expiry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a busy node that takes transactions of a day's life holds a whole day of them in memory."""
    monkeypatch.setattr("node.daemon.tx_status.EXPIRIES_SPARE", 10)
    it = Accepted()
    it.tx_statuses.opened(it.tx.txid, it.expires)
    for index in range(100):
        it.tx_statuses.opened(index.to_bytes(32, "big"), it.expires)
        it.tx_statuses.committed([index.to_bytes(32, "big")])
    assert len(it.tx_statuses._expiries) <= 13
    assert (it.expires, it.tx.txid) in it.tx_statuses._expiries


@in_a_loop
async def test_at_no_moment_between_open_and_ended_is_it_unknown() -> None:
    """The journal is busy while the transaction expires: whoever asks meanwhile is told what it is."""
    it = Accepted()
    await it.accept()
    async with it.tx_statuses._lock:
        settling = asyncio.create_task(it.tx_statuses.settle(it.expires + HOUR_MS))
        for _ in range(3):
            await asyncio.sleep(0)
            assert "expired" == it.status() or "pending" == it.status()
        assert "expired" == it.status()
    await settling
    assert "expired" == it.status()
