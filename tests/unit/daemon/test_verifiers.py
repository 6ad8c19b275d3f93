"""Processes that verify: the same answers as here, also when one of them dies."""

from __future__ import annotations

import asyncio

import pytest
from support.chain import Chain
from support.life import register

from node.daemon.verifiers import CHUNK, INLINE_MAX, Verifiers

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
            process = verifiers._workers[0].process
            process.kill()
            process.join()
            assert tuple(good) == await verifiers.verify(raws)
            assert 1 == verifiers.replaced
        finally:
            verifiers.close()

    asyncio.run(play())
