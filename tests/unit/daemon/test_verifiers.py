"""Processes that verify: the same answers as here, also when one of them dies."""

from __future__ import annotations

import asyncio
import errno
import os
import signal

import pytest
from support.chain import Chain
from support.life import register

from node.daemon.verifiers import CHUNK, INLINE_MAX, Verifiers
from node.worker_pool import WorkerPool

CHAIN = Chain()


def signed(count: int) -> tuple[list[bytes], list[bool]]:
    """(transactions, whether each is good): every third has a flipped signature."""
    raws, good = [], []
    for index in range(count):
        raw = CHAIN.sign("bmw", register(f"WBA8E9G50GNU{index:05d}"))
        is_good = index % 3 != 0
        raws.append(raw if is_good else raw[:-1] + bytes([raw[-1] ^ 1]))
        good.append(is_good)
    return raws, good


def pool_of(verifiers: Verifiers) -> WorkerPool:
    assert verifiers.pool is not None
    return verifiers.pool


def kill(verifiers: Verifiers) -> None:
    """Its one process is dead when this returns."""
    process = pool_of(verifiers)._workers[0].process
    process.kill()
    process.join()


@pytest.mark.parametrize("count", [0, 1, INLINE_MAX, 2 * INLINE_MAX])
def test_without_workers_everything_is_verified_here(count: int) -> None:
    raws, good = signed(count)
    verifiers = Verifiers(0, CHAIN.genesis_hash)
    assert tuple(good) == asyncio.run(verifiers.verify(raws))
    verifiers.close()


def test_a_worker_answers_the_same_in_order_and_a_dead_one_is_replaced() -> None:
    raws, good = signed(2 * CHUNK + 10)

    async def play() -> None:
        verifiers = Verifiers(1, CHAIN.genesis_hash)
        try:
            assert tuple(good) == await verifiers.verify(raws)
            assert 0 == verifiers.replaced
            kill(verifiers)
            assert tuple(good) == await verifiers.verify(raws)
            assert 1 == verifiers.replaced
        finally:
            verifiers.close()

    asyncio.run(play())


def test_signatures_count_and_not_transactions() -> None:
    """One of 16 signatures costs 16 times as much: many of those must not hold the node's own thread up."""
    raws, good = signed(3)

    async def play() -> None:
        verifiers = Verifiers(1, CHAIN.genesis_hash)
        try:
            kill(verifiers)
            assert tuple(good) == await verifiers.verify(raws, INLINE_MAX)
            assert 0 == verifiers.replaced, "done here"
            assert tuple(good) == await verifiers.verify(raws, INLINE_MAX + 1)
            assert 1 == verifiers.replaced, "handed over"
        finally:
            verifiers.close()

    asyncio.run(play())


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_urgent_waits_for_one_piece_of_gossip_at_the_most(workers: int) -> None:
    raws, good = signed(2 * CHUNK)

    async def play() -> None:
        verifiers = Verifiers(workers, CHAIN.genesis_hash)
        try:
            floods = [asyncio.create_task(verifiers.verify(raws, 16 * len(raws), is_gossip=True)) for _ in range(4)]
            await asyncio.sleep(0)
            assert tuple(good[:30]) == await verifiers.verify(raws[:30])
            assert not any(flood.done() for flood in floods)
            assert [tuple(good)] * 4 == await asyncio.gather(*floods)
        finally:
            verifiers.close()

    asyncio.run(play())


def test_between_two_turns_of_verification_here_all_else_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.daemon.verifiers.TURN_S", 0.0)
    raws, _ = signed(12)

    async def play() -> None:
        verifiers = Verifiers(0, CHAIN.genesis_hash)
        jobs = [asyncio.create_task(verifiers.verify(raws)) for _ in range(3)]
        turns = 0
        while not all(job.done() for job in jobs):
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 3 * (len(raws) - 1)

    asyncio.run(play())


def test_gossip_that_waits_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces of many peers, each with the answer to its own; a few signatures are verified here."""
    raws, good = signed(90)

    async def play() -> None:
        verifiers = Verifiers(1, CHAIN.genesis_hash)
        handed: list[bytes] = []
        submit = pool_of(verifiers).submit
        monkeypatch.setattr(pool_of(verifiers), "submit", lambda work: (handed.append(work), submit(work))[1])
        try:
            pieces = [verifiers.verify(raws[at : at + 3], is_gossip=True) for at in range(0, 90, 3)]
            found = await asyncio.gather(*pieces)
            assert [tuple(good[at : at + 3]) for at in range(0, 90, 3)] == found
            assert 1 == len(handed)
            assert tuple(good[:3]) == await verifiers.verify(raws[:3], is_gossip=True)
            assert (1, 93) == (len(handed), verifiers.verified)
        finally:
            verifiers.close()

    asyncio.run(play())


def test_gossip_that_cannot_be_verified_fails_only_who_still_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer may be gone by then, and the next piece is verified as ever."""
    raws, good = signed(3)

    async def play() -> None:
        verifiers = Verifiers(0, CHAIN.genesis_hash)
        with monkeypatch.context() as patch:
            patch.setattr("node.daemon.verifiers.verify_raw", lambda *_: 1 // 0)
            gone, waiting = (asyncio.create_task(verifiers.verify(raws, is_gossip=True)) for _ in range(2))
            await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(ZeroDivisionError):
                await waiting
        assert tuple(good) == await verifiers.verify(raws, is_gossip=True)
        verifiers.close()

    asyncio.run(play())


def test_a_caller_that_hangs_up_leaves_no_answer_behind_for_the_next_one() -> None:
    """Whoever asks next would else be told that bad signatures are good."""
    good, bad = signed(3 * (INLINE_MAX + 1)), signed(2 * (INLINE_MAX + 1))

    async def play() -> None:
        verifiers = Verifiers(1, CHAIN.genesis_hash)
        try:
            first = asyncio.create_task(verifiers.verify(good[0]))
            await asyncio.sleep(0)
            first.cancel()
            assert tuple(bad[1]) == await verifiers.verify(bad[0])
            assert 0 == verifiers.replaced
        finally:
            verifiers.close()

    asyncio.run(play())


def test_a_process_that_does_not_read_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.daemon.verifiers.SILENCE_S", 0.5)
    monkeypatch.setattr("node.daemon.verifiers.CHUNK", 3_000)
    raws, good = signed(50)
    raws, good = 60 * raws, 60 * good  # more than a pipe holds

    async def play() -> None:
        verifiers = Verifiers(1, CHAIN.genesis_hash)
        try:
            os.kill(pool_of(verifiers).pids[0], signal.SIGSTOP)
            asked = asyncio.create_task(verifiers.verify(raws))
            turns = 0
            while not asked.done():
                await asyncio.sleep(0.01)
                turns += 1
            assert tuple(good) == await asked
            assert turns > 10, "the node goes on meanwhile"
            assert 1 == verifiers.replaced
        finally:
            verifiers.close()

    asyncio.run(play())


def test_where_no_process_can_be_had_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    raws, good = signed(CHUNK + 10)

    async def play() -> None:
        verifiers = Verifiers(1, CHAIN.genesis_hash)
        try:
            kill(verifiers)

            def none(*_: object) -> None:
                raise OSError(errno.EAGAIN, "no more processes")

            with monkeypatch.context() as patch:
                patch.setattr("node.worker_pool._Worker", none)
                assert tuple(good) == await verifiers.verify(raws)
                assert tuple(good) == await verifiers.verify(raws)
            assert 0 == verifiers.replaced
            assert tuple(good) == await verifiers.verify(raws)
            assert 1 == verifiers.replaced
        finally:
            verifiers.close()

    asyncio.run(play())
