"""Every turn of the event loop is measured, by the processor's clock and by the wall's."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

import pytest

from node.daemon.loop_turns import BLOCKED_S, PARTS_MAX, SPAN_S, LoopTurns

LONG_S = 1.5 * BLOCKED_S


def work(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def wait(seconds: float) -> None:
    """As for a disk: without the processor."""
    threading.Event().wait(seconds)


def after(*steps: Callable[[], None]) -> LoopTurns:
    """The turns of a loop that takes each step in a turn of its own."""
    turns = LoopTurns()

    async def play() -> None:
        await asyncio.sleep(0)
        turns.begin()
        for step in steps:
            await asyncio.sleep(0)
            step()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=turns.loop) as runner:
        runner.run(play())
    return turns


def of(turns: LoopTurns, name: str, clock: str) -> float:
    return turns.samples()[f'event_loop_{name}{{clock="{clock}"}}']


def test_work_counts_by_both_clocks() -> None:
    turns = after(lambda: work(LONG_S), lambda: work(LONG_S))
    assert 2 == of(turns, "blocks_total", "processor")
    processor_s, wall_s = (of(turns, "blocked_seconds_max", clock) for clock in ("processor", "wall"))
    assert LONG_S <= processor_s < wall_s + 0.01, "the processor's clock is read a little later"


def test_waiting_for_a_disk_is_no_work_of_ours() -> None:
    turns = after(lambda: wait(LONG_S))
    assert (0, 1) == tuple(of(turns, "blocks_total", clock) for clock in ("processor", "wall"))
    assert of(turns, "blocked_seconds_max", "processor") < LONG_S <= of(turns, "blocked_seconds_max", "wall")


def test_many_short_turns_are_no_block() -> None:
    assert 0 == of(after(*[lambda: work(BLOCKED_S / 10)] * 15), "blocks_total", "processor")


def test_what_is_done_before_anybody_can_wait_does_not_count() -> None:
    turns = LoopTurns()

    async def start() -> None:
        work(LONG_S)
        await asyncio.sleep(0)
        turns.begin()

    with asyncio.Runner(loop_factory=turns.loop) as runner:
        runner.run(start())
    assert 0 == of(turns, "blocks_total", "wall")


def test_a_block_is_logged_with_its_long_parts(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("bmw-node"), "propagate", True)
    turns = LoopTurns()
    turns.begin()
    turns.part("Parts", 40)
    turns.ended(1.0, BLOCKED_S / 2, time.thread_time())
    for _ in range(PARTS_MAX + 1):
        turns.part("Tick", 7)
    turns.ended(2.0, 2.0, time.thread_time() - LONG_S)
    noted = [vars(record)["fields"] for record in caplog.records if record.message == "event_loop_blocked"]
    told = [tuple(fields[name] for name in ("processor_ms", "wall_ms", "parts")) for fields in noted]
    assert (75, 2_000, ", ".join(["Tick 7 ms"] * PARTS_MAX)) in told
    assert not [parts for *_, parts in told if "Parts" in parts], "of a turn that was no block"


def test_the_longest_turn_is_told_for_a_span_and_the_next() -> None:
    turns = LoopTurns()
    turns.begin()
    told = []
    for now, wall_s in ((1.0, 0.04), (2.0, 0.01), (SPAN_S + 2, 0.02), (2 * SPAN_S + 3, 0.01)):
        turns.ended(now, wall_s, time.thread_time())
        told.append(of(turns, "blocked_seconds_max", "wall"))
    assert [0.04, 0.04, 0.04, 0.02] == told
