"""What is answered as pending is on disk, however this node came to know it."""

from __future__ import annotations

import asyncio

import pytest
from support.chain import Chain
from support.life import register
from support.memory_store import MemoryStore

from node.daemon import submissions
from node.daemon.pump import Pump
from node.daemon.submissions import Submissions
from node.daemon.tx_status import TxStatuses
from node.daemon.verifiers import Verifiers
from node.mempool.pool import PoolLimits
from node.replica import events as e
from node.replica.replica import Replica, ReplicaConfig
from node.storage.journal import Journal


class Harness:
    """A follower without network whose callers submit; its journal is looked at."""

    def __init__(self, pool_txs: int = 100) -> None:
        self.chain = Chain()
        self.journal = Journal(MemoryStore())
        config = ReplicaConfig(pool=PoolLimits(txs_max=pool_txs))
        replica = Replica(self.chain.store, None, config, bytes(16))
        verifiers = Verifiers(0, self.chain.genesis_hash)
        self.pump = Pump(replica, verifiers, lambda: self.chain.now, lambda: self.chain.now)
        self.tx_statuses = TxStatuses(self.journal, self.chain.store)
        self.submissions = Submissions(self.chain.store, self.pump, verifiers, self.tx_statuses)
        self.pump.on_admitted = self.submissions.admitted

    def birth(self, index: int) -> bytes:
        return self.chain.sign("bmw", register(f"WBA8E9G50GNU{index:05d}"))

    def journalled(self) -> set[bytes]:
        return {raw for _, raw in self.journal.pending()}


def run(play) -> None:
    async def go() -> None:
        harness = Harness()
        harness.pump.start()
        try:
            await play(harness)
        finally:
            harness.pump.stop()

    asyncio.run(go())


def test_what_is_new_is_journalled_before_the_answer() -> None:
    async def play(harness: Harness) -> None:
        raws = [harness.birth(index) for index in range(3)]
        assert ["pending"] * 3 == [outcome.status.status for outcome in await harness.submissions.submit(raws)]
        assert set(raws) == harness.journalled()

    run(play)


def test_what_gossip_has_brought_is_journalled_too() -> None:
    """The peer that it came from may lose it, and so may this node's pool: the answer was given here."""

    async def play(harness: Harness) -> None:
        raw = harness.birth(1)
        harness.pump.post(e.Admit(0, (harness.chain.check(raw),)))
        assert set() == harness.journalled()
        (outcome,) = await harness.submissions.submit([raw])
        assert "pending" == outcome.status.status
        assert {raw} == harness.journalled()

    run(play)


def test_a_second_caller_does_not_overtake_the_disk() -> None:
    """Both ask at once: neither is answered before the bytes are written."""

    async def play(harness: Harness) -> None:
        raw = harness.birth(1)
        tasks = [asyncio.create_task(harness.submissions.submit([raw])) for _ in range(3)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert done
        assert {raw} == harness.journalled()
        for task in tasks:
            assert ["pending"] == [outcome.status.status for outcome in await task]

    run(play)


def test_an_expired_one_answers_what_it_is() -> None:
    async def play(harness: Harness) -> None:
        raw = harness.birth(1)
        txid = harness.chain.check(raw).txid
        await harness.submissions.submit([raw])
        harness.pump.replica.pool.remove(txid)
        await harness.tx_statuses.settle(harness.chain.now + 48 * 3_600_000)
        (outcome,) = await harness.submissions.submit([raw])
        assert "expired" == outcome.status.status

    run(play)


def test_what_is_committed_while_the_journal_is_read_is_open_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica runs already, and blocks come in between."""
    monkeypatch.setattr(submissions, "RELOADED_AT_ONCE", 2)

    async def play(harness: Harness) -> None:
        raws = [harness.birth(index) for index in range(5)]
        await harness.submissions.submit(raws)
        again = Harness()
        again.tx_statuses._journal = harness.journal
        reload = again.tx_statuses.load

        def load() -> list[bytes]:
            found = reload()
            again.chain.now = harness.chain.now
            again.chain.produce(*found)  # after the journal was read
            return found

        monkeypatch.setattr(again.tx_statuses, "load", load)
        again.pump.start()
        await again.submissions.reload()
        assert not again.tx_statuses._open, "or they would wait until they expire"
        await again.tx_statuses.settle(harness.chain.now + 48 * 3_600_000)
        txids = [harness.chain.check(raw).txid for raw in raws]
        assert ["committed"] * 5 == [again.submissions.tx_status(txid).status for txid in txids]
        assert set() == {raw for _, raw in harness.journal.pending()}
        again.pump.stop()

    run(play)


def test_the_journal_is_admitted_again_as_the_pool_has_room() -> None:
    async def play(harness: Harness) -> None:
        raws = [harness.birth(index) for index in range(6)]
        await harness.submissions.submit(raws)
        again = Harness(pool_txs=4)
        again.chain, again.journal = harness.chain, harness.journal
        again.tx_statuses._journal = harness.journal
        again.pump.start()
        await again.submissions.reload()
        pool = again.pump.replica.pool
        assert 4 == len(pool)
        for tx in list(pool)[:3]:
            pool.remove(tx.txid)
        again.submissions.admit_left_over()
        assert 3 == len(pool)
        assert set(raws) == again.journalled()
        again.pump.stop()

    run(play)


def test_a_large_batch_leaves_turns_to_others_and_is_answered_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submissions, "AT_ONCE", 3)

    async def play(harness: Harness) -> None:
        raws = [harness.birth(index) for index in range(10)]
        sizes = []
        answer = asyncio.ensure_future(harness.submissions.submit(raws))
        while not answer.done():
            sizes.append(len(harness.pump.replica.pool))
            await asyncio.sleep(0)
        txids = [harness.chain.check(raw).txid for raw in raws]
        assert txids == [outcome.txid for outcome in answer.result()]
        assert {0, 3, 6, 9, 10} == set(sizes)
        assert set(raws) == harness.journalled()

    run(play)
