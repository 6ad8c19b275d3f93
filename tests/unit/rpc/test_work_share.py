"""Long answers, however many at a time, leave the node its time."""

from __future__ import annotations

import asyncio
from time import perf_counter

from node.rpc.moments import PACE_S, SHARE, WorkShare


def test_many_long_answers_keep_to_one_share_and_all_come_to_their_end() -> None:
    work_s = 2 * PACE_S
    ended: list[int] = []

    async def a_long_answer(index: int) -> None:
        share = WorkShare()
        for _ in range(3):
            until = perf_counter() + work_s
            while perf_counter() < until:
                pass
            await share.rest()
        ended.append(index)

    async def play() -> tuple[float, int]:
        began, turns = perf_counter(), 0
        answers = [asyncio.create_task(a_long_answer(index)) for index in range(8)]
        while len(ended) < len(answers):
            await asyncio.sleep(0)
            turns += 1
        return perf_counter() - began, turns

    took, turns = asyncio.run(play())
    worked = 8 * 3 * work_s
    assert took >= 0.9 * worked / SHARE - work_s * 8, "the rest of the time was for others"
    assert turns > 24
    assert set(range(8)) == set(ended)


def test_a_short_answer_waits_for_nobody() -> None:
    WorkShare._free_at = perf_counter() + 3_600
    try:
        asyncio.run(asyncio.wait_for(WorkShare().rest(), 10))
    finally:
        WorkShare._free_at = 0.0
