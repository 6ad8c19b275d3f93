"""LevelDB as we open it: one holder, whole batches, no damage unseen; and memory does what it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.memory_store import MemoryStore

from node.errors import Busy, Corrupted, OperatorError
from node.storage.kv import KeyValue, prefix_end
from node.storage.leveldb import LevelReader, LevelStore, WriteBackStore

LOW, HIGH = b"", b"\xff" * 9
ENTRIES = {b"key%03d" % number: bytes([number]) * 50 for number in range(40)}


def filled(path: Path, *, compacted: bool) -> Path:
    """A closed store with `ENTRIES`, each in a batch of its own: in the log, as after a crash, or compacted into a
    table."""
    store = LevelStore(path)
    for key, value in ENTRIES.items():
        store.write({key: value}, [])
    if compacted:
        store.compact()
    LevelReader.close(store)
    return path


GOLDEN = Path(__file__).parents[2] / "vectors" / "store"
"""`ENTRIES`, one half in a table and one in the log. plyvel 1.5.1 and plyvel-next 2.1.2 write the same bytes."""


def files(path: Path, suffix: str) -> list[Path]:
    return [file for file in path.iterdir() if file.suffix == suffix and file.stat().st_size]


# --- one holder --------------------------------------------------------------------------------------------------
OPEN = (
    "import sys; from pathlib import Path; from node.storage.leveldb import LevelStore; LevelStore(Path(sys.argv[1]))"
)


def test_a_second_process_is_told_who_holds_the_store_and_what_to_do(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    second = subprocess.run([sys.executable, "-c", OPEN, str(tmp_path)], capture_output=True, text=True)
    assert second.returncode == 1
    assert (
        f"node.errors.Busy: the store in {tmp_path} is in use by process {os.getpid()}: stop that node" in second.stderr
    )
    for mend in ("stop that node", "bmw-node checkpoint"):
        assert mend in second.stderr
    store.close()
    third = subprocess.run([sys.executable, "-c", OPEN, str(tmp_path)], capture_output=True, text=True)
    assert (0, "") == (third.returncode, third.stderr)


def test_the_same_process_opens_a_store_once(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    with pytest.raises(Busy, match=str(os.getpid())):
        LevelStore(tmp_path)
    (tmp_path / "HOLDER").write_text("nonsense")
    with pytest.raises(Busy, match="another process"):
        LevelStore(tmp_path)
    store.write({b"a": b"b"}, [])
    store.close()


def test_a_store_that_is_not_there_is_not_made_by_accident(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"there is no store in .*: check the path"):
        LevelStore(tmp_path / "missing", create=False)
    assert [] == list(tmp_path.iterdir())
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OperatorError, match="can't be opened"):
        LevelStore(tmp_path / "file")


# --- damage ------------------------------------------------------------------------------------------------------
def read_all(path: Path, *, reverse: bool = False, snapshot: bool = False) -> dict[bytes, bytes]:
    store = LevelStore(path, create=False)
    try:
        source: KeyValue = store.snapshot() if snapshot else store
        return dict(source.scan(LOW, HIGH, reverse=reverse))
    finally:
        store.close()


def get_all(path: Path) -> dict[bytes, bytes]:
    store = LevelStore(path, create=False)
    try:
        return {key: value for key in ENTRIES if (value := store.get(key)) is not None}
    finally:
        store.close()


Read = Callable[[Path], dict[bytes, bytes]]


def read_damaged(path: Path, file: Path, read: Read, step: int) -> dict[int, dict[bytes, bytes] | None]:
    """What is read with one bit flipped, by its byte: None where the damage is told."""
    raw, copy, found = file.read_bytes(), path.parent / "damaged", {}
    for at in range(0, len(raw), step):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :])
        shutil.copytree(path, copy)
        try:
            found[at] = read(copy)
        except (Corrupted, OperatorError):
            found[at] = None
        shutil.rmtree(copy)
    file.write_bytes(raw)
    return found


def test_a_flipped_bit_in_the_log_is_seen(tmp_path: Path) -> None:
    """Without paranoid checks half of the synced batches would be gone from the middle; without `log_tail` those after
    a wrong length (test_log_tail.py)."""
    path = filled(tmp_path / "store", compacted=False)
    (log,) = files(path, ".log")
    for at, entries in read_damaged(path, log, read_all, 23).items():
        assert entries is None, f"byte {at}: {len(entries)} of {len(ENTRIES)} batches are read"
    assert ENTRIES == read_all(path)


@pytest.mark.parametrize(
    "read",
    [read_all, lambda path: read_all(path, reverse=True), lambda path: read_all(path, snapshot=True), get_all],
    ids=["scan", "scan backwards", "scan of a snapshot", "get"],
)
def test_a_flipped_bit_in_a_table_is_seen(tmp_path: Path, read: Read) -> None:
    """A scan must not end at a damaged block as if there were nothing more."""
    path = filled(tmp_path / "store", compacted=True)
    (table,) = files(path, ".ldb")
    found = read_damaged(path, table, read, 11)
    for at, entries in found.items():
        assert entries in (None, ENTRIES), f"byte {at} changed what is read"
    assert sum(entries is None for entries in found.values()) > 0.7 * len(found)


def test_a_missing_table_is_seen(tmp_path: Path) -> None:
    path = filled(tmp_path / "store", compacted=True)
    files(path, ".ldb")[0].unlink()
    with pytest.raises(Corrupted, match="restore a checkpoint, or wipe it and sync again"):
        read_all(path)


def test_a_torn_tail_still_opens_with_whole_batches(tmp_path: Path) -> None:
    """Power went while the last batch was written: it was never answered, and the others are there."""
    path = filled(tmp_path / "store", compacted=False)
    (log,) = files(path, ".log")
    log.write_bytes(log.read_bytes()[:-20])
    found = read_all(path)
    assert found == dict(list(ENTRIES.items())[:-1])


# --- writing -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [LevelStore, lambda path: MemoryStore()], ids=["leveldb", "memory"])
def test_a_batch_deletes_first_and_then_puts(tmp_path: Path, make: Callable[[Path], KeyValue]) -> None:
    store = make(tmp_path / "store")
    store.write({b"a": b"1", b"b": b"1"}, [b"a"])
    assert {b"a": b"1", b"b": b"1"} == dict(store.scan(LOW, HIGH))
    store.write({b"a": b"2"}, [b"a", b"b", b"missing"])
    assert {b"a": b"2"} == dict(store.scan(LOW, HIGH))
    store.close()


def test_a_batch_that_fails_halfway_writes_nothing(tmp_path: Path) -> None:
    """plyvel writes what it has when the block raises, unless the batch is a transaction."""
    store = LevelStore(tmp_path)
    store.write({b"old": b"1"}, [])
    with pytest.raises(TypeError):
        store.write({b"new": b"2", b"wrong": 3}, [b"old"])  # type: ignore[dict-item]
    assert {b"old": b"1"} == dict(store.scan(LOW, HIGH))
    store.close()


def test_a_snapshot_is_of_its_moment_and_read_only(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    store.write({b"a": b"1"}, [])
    snapshot = store.snapshot()
    store.write({b"a": b"2", b"b": b"2"}, [])
    assert (b"1", None) == (snapshot.get(b"a"), snapshot.get(b"b"))
    assert [(b"a", b"1")] == list(snapshot.scan(LOW, HIGH, reverse=True))
    assert snapshot.snapshot() is snapshot
    with pytest.raises(AssertionError, match="read-only"):
        snapshot.write({b"a": b"3"}, [])
    snapshot.close()
    store.close()


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        store = LevelStore(tmp_path)
        assert store.get(b"counter") is None or store.get(b"counter") == b"1"
        store.write({b"counter": b"1"}, [])
        store.close()
    assert {b"counter": b"1"} == read_all(tmp_path)


def test_every_leveldb_binding_reads_and_writes_the_golden_store(tmp_path: Path) -> None:
    """A node keeps its store when it moves to another CPython, and may move back: 0023-two-leveldb-bindings.md."""
    for reverse in (False, True):
        copy = Path(shutil.copytree(GOLDEN, tmp_path / f"golden-{reverse}"))
        assert ENTRIES == read_all(copy, reverse=reverse)
    halves = list(ENTRIES.items())
    store = LevelStore(tmp_path / "ours")
    store.write({**dict(halves[:20]), b"old": b"old"}, [])
    store.compact()
    LevelReader.close(store)  # what is written last stays in the log
    store = LevelStore(tmp_path / "ours")
    for key, value in halves[20:]:
        store.write({key: value}, [b"old"])
    LevelReader.close(store)
    assert {file.name: file.read_bytes() for file in GOLDEN.iterdir()} == {
        file.name: file.read_bytes()
        for file in (tmp_path / "ours").iterdir()
        if file.name not in ("LOG", "LOG.old", "LOCK", "HOLDER")
    }


def test_a_store_that_was_closed_has_no_log_to_read(tmp_path: Path) -> None:
    store = LevelStore(tmp_path)
    store.write(ENTRIES, [])
    assert any(log.stat().st_size for log in tmp_path.glob("*.log"))
    store.close()
    store.close()
    assert not any(log.stat().st_size for log in tmp_path.glob("*.log"))
    assert ENTRIES == read_all(tmp_path)


# --- the stores agree --------------------------------------------------------------------------------------------
KEYS = st.binary(min_size=1, max_size=3).map(lambda raw: bytes(byte % 3 + 254 * (byte > 250) // 2 for byte in raw))
BATCHES = st.tuples(st.dictionaries(KEYS, st.binary(max_size=20), max_size=6), st.lists(KEYS, max_size=4))


class StoresAgree(RuleBasedStateMachine):
    """LevelDB, memory and the replay's cache before LevelDB answer every question alike."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="stores-"))
        base = LevelStore(self.folder / "cached")
        self.stores: list[KeyValue] = [
            MemoryStore(), LevelStore(self.folder / "level"), WriteBackStore(base, flush_bytes=2_000),
        ]  # fmt: skip

    @rule(batch=BATCHES)
    def write(self, batch: tuple[dict[bytes, bytes], list[bytes]]) -> None:
        for store in self.stores:
            store.write(*batch)

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        first, *others = (store.get(key) for store in self.stores)
        assert [first, first] == others

    @rule(start=KEYS, stop=KEYS, reverse=st.booleans())
    def scan(self, start: bytes, stop: bytes, reverse: bool) -> None:
        first, *others = (list(store.scan(start, stop, reverse=reverse)) for store in self.stores)
        assert [first, first] == others
        assert [key for key, _ in first] == sorted((key for key, _ in first), reverse=reverse)

    @rule(prefix=KEYS)
    def scan_a_prefix(self, prefix: bytes) -> None:
        for store in self.stores:
            wanted = [(k, v) for k, v in store.scan(LOW, HIGH) if k.startswith(prefix)]
            assert wanted == list(store.scan(prefix, prefix_end(prefix)))

    @rule(batch=BATCHES)
    def a_snapshot_stays(self, batch: tuple[dict[bytes, bytes], list[bytes]]) -> None:
        snapshots = [store.snapshot() for store in self.stores]
        before = dict(self.stores[0].scan(LOW, HIGH))
        self.write(batch)
        for snapshot in snapshots:
            assert before == dict(snapshot.scan(LOW, HIGH))
            snapshot.close()

    @rule()
    def restart(self) -> None:
        self.stores[1].close()
        self.stores[1] = LevelStore(self.folder / "level", create=False)

    @invariant()
    def all_hold_the_same(self) -> None:
        first, *others = (list(store.scan(LOW, HIGH)) for store in self.stores[:2])
        assert [first] == others

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)


StoresAgree.TestCase.settings = settings(max_examples=15, stateful_step_count=20)
TestStoresAgree = StoresAgree.TestCase


@pytest.mark.parametrize(("prefix", "end"), [(b"A", b"B"), (b"A\xff", b"B"), (b"\x00", b"\x01"), (b"a\xff\xff", b"b")])
def test_the_end_of_a_prefix(prefix: bytes, end: bytes) -> None:
    assert end == prefix_end(prefix)
