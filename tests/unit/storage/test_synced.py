"""Whatever a validator must find again after a power cut is written with a sync. Nothing else can tell: a process that
is killed loses nothing that the system has. The hard state's file: test_safety_store.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chain import Chain
from support.life import register

from node.storage.journal import Ended, Journal, open_journal
from node.storage.leveldb import LevelStore


class Recording:
    """A database that notes how each of its batches is written."""

    def __init__(self, database: Any, batches: list[dict[str, Any]]) -> None:
        self._database = database
        self._batches = batches

    def write_batch(self, **how: Any) -> Any:
        self._batches.append(how)
        return self._database.write_batch(**how)

    def put(self, *_: Any, **__: Any) -> None:
        raise AssertionError("written beside the one batch")

    delete = put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


@pytest.fixture
def batches() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def store(tmp_path: Path, batches: list[dict[str, Any]]) -> Iterator[LevelStore]:
    store = LevelStore(tmp_path)
    store._db = Recording(store._db, batches)
    yield store
    store.close()


SYNCED = {"transaction": True, "sync": True}


def test_a_batch_is_synced(store: LevelStore, batches: list[dict[str, Any]]) -> None:
    store.write({b"key": b"value"}, [b"other"])

    assert batches == [SYNCED]


def test_genesis_and_every_block_are_one_synced_batch_each(store: LevelStore, batches: list[dict[str, Any]]) -> None:
    chain = Chain(kv=store)
    chain.do("bmw", register())
    chain.produce()

    assert batches == [SYNCED] * 3


def test_what_is_pruned_is_synced(store: LevelStore, batches: list[dict[str, Any]]) -> None:
    chain = Chain(kv=store)
    for _ in range(3):
        chain.produce()
    batches.clear()

    assert chain.store.prune(3, 10) == 2
    assert batches == [SYNCED]


def test_the_journal_is_synced(tmp_path: Path, batches: list[dict[str, Any]]) -> None:
    kv = open_journal(tmp_path)
    kv._db = Recording(kv._db, batches)
    journal = Journal(kv)
    journal.accept({b"1" * 32: b"one", b"2" * 32: b"two"})
    journal.finish([b"1" * 32], {b"2" * 32: Ended(1, ())}, 1)
    journal.close()

    assert batches == [SYNCED] * 2
