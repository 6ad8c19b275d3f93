"""Memory is counted by kind; what was freed goes back to the system, now and then for as long as the node runs."""

from __future__ import annotations

import asyncio
import ctypes
from pathlib import Path

import pytest

from node.daemon import memory
from node.storage.leveldb import LevelStore


def test_where_the_c_library_can_not_trim_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    class AnotherLibrary:
        pass

    monkeypatch.setattr(ctypes, "CDLL", lambda _: AnotherLibrary())
    assert memory.trim() is False
    assert memory.settle_allocator() is False


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


def test_what_leveldb_holds_is_told(tmp_path: Path) -> None:
    first, second = LevelStore(tmp_path / "first"), LevelStore(tmp_path / "second")
    try:
        before = memory.memory_numbers(first, second)
        second.write({b"key": bytes(1_000_000)}, [])
        after = memory.memory_numbers(first, second)
    finally:
        first.close()
        second.close()
    kind = 'memory_bytes{kind="leveldb"}'
    assert after[kind] - before[kind] >= 1_000_000
    assert after["python_blocks"] > 10_000


def test_anonymous_and_mapped_memory_are_the_systems_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "VmRSS:\t   79900 kB\nRssAnon:\t   56172 kB\nRssFile:\t   23728 kB\nRssShmem:\t 0 kB\nThreads:\t9\n"
    )
    monkeypatch.setattr(memory, "STATUS_FILE", status)
    found = memory.memory_numbers()
    assert found['memory_bytes{kind="anonymous"}'] == 56_172 * 1024
    assert found['memory_bytes{kind="mapped"}'] == 23_728 * 1024


def test_a_system_that_does_not_tell_leaves_them_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "STATUS_FILE", tmp_path / "missing")
    assert set(memory.memory_numbers()) == {'memory_bytes{kind="leveldb"}', "python_blocks"}
