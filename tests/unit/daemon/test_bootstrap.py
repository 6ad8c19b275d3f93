"""Before a node runs: does it want a snapshot, from whom, and what a kill leaves behind while one is put in place."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.chain import Chain

from node.chain.genesis import genesis_to_json
from node.daemon import bootstrap
from node.daemon.home import Home
from node.errors import OperatorError
from node.storage.leveldb import LevelStore
from node.storage.store_dirs import Rebuilt, finish_rebuilt, rebuilt_folder


# --- putting it in place ---------------------------------------------------------------------------------
@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a store that stands at 2, and one at 5 that has just come in."""
    found, chain = Home(tmp_path / "home"), Chain()
    found.make()
    found.genesis.write_text(genesis_to_json(chain.genesis))
    for folder, height in ((found.store, 2), (found.incoming, 5)):
        kv = LevelStore(folder)
        grows = Chain(kv=kv)
        for _ in range(height):
            grows.produce()
        kv.close()
    return found


def test_a_store_that_was_killed_before_its_first_batch_is_a_new_one(home: Home) -> None:
    shutil.rmtree(home.store)
    LevelStore(home.store).close()
    assert bootstrap.own_chain(home) is None


def test_an_archive_keeps_its_old_store(home: Home) -> None:
    kept = bootstrap.put_in_place(home, 2, 5, keeps=True)
    assert 5 == height_of(home)
    assert kept is not None and kept.name == "store.before-snapshot" and (kept / "CURRENT").exists()


def height_of(home: Home) -> int:
    head = bootstrap.own_chain(home)
    return 0 if head is None else head.head.height


def test_the_store_that_came_takes_the_old_ones_place(home: Home) -> None:
    bootstrap.put_in_place(home, 2, 5)
    assert 5 == height_of(home)
    assert [] == [entry.name for entry in home.store.parent.iterdir() if entry.name.startswith("store.")]
    shutil.rmtree(home.store)
    assert 0 == height_of(home)


def test_room_of_a_repair_that_was_killed_is_given_back_and_a_whole_one_stays(home: Home) -> None:
    rebuilt = rebuilt_folder(home.store)
    LevelStore(rebuilt).close()
    assert 2 == height_of(home) and not rebuilt.exists()

    LevelStore(rebuilt).close()
    finish_rebuilt(rebuilt, Rebuilt("reindex", 2, 2, "store.before-reindex-2"))
    assert 2 == height_of(home) and rebuilt.exists()


@pytest.mark.parametrize("at", ["finish_rebuilt", "exchange", "rmtree"])
def test_broken_off_anywhere_one_of_the_two_is_there(home: Home, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        place = shutil if at == "rmtree" else bootstrap
        plain: Callable = getattr(place, at)
        calls: list[object] = []

        def die(*args: object, **more: object) -> None:
            calls.append(args)
            if at != "rmtree" or len(calls) == 3:  # the first two clear what an earlier attempt has left
                killed()
            plain(*args, **more)

        patch.setattr(place, at, die)
        with pytest.raises(Killed):
            bootstrap.put_in_place(home, 2, 5)
    assert height_of(home) == (5 if at == "rmtree" else 2)
    assert ["store"] == [entry.name for entry in home.store.parent.iterdir() if entry.name.startswith("store")]
    with pytest.raises(OperatorError, match="no store"):
        LevelStore(home.incoming, create=False)


def test_on_a_full_disk_the_old_store_stays_and_what_came_next_takes_its_place(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark that a store is whole is the last thing written; half of it is none."""
    again = shutil.copytree(home.incoming, tmp_path / "again")
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            bootstrap.put_in_place(home, 2, 5)
    assert 2 == height_of(home)

    again.rename(home.incoming)
    bootstrap.put_in_place(home, 2, 5)
    assert 5 == height_of(home)
