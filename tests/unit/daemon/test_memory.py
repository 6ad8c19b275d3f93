"""Memory that was freed is given back to the system, now and then for as long as the node runs."""

from __future__ import annotations

import asyncio
import ctypes

import pytest

from node.daemon import memory


def test_where_the_c_library_can_not_trim_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    class AnotherLibrary:
        pass

    monkeypatch.setattr(ctypes, "CDLL", lambda _: AnotherLibrary())
    assert memory.trim() is False


def test_it_goes_on_until_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "TRIM_S", 0.001)
    trimmed: list[int] = []
    monkeypatch.setattr(memory, "trim", lambda: trimmed.append(1))

    async def play() -> None:
        task = asyncio.create_task(memory.trim_for_ever())
        async with asyncio.timeout(10):
            while len(trimmed) < 3:
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(play())
