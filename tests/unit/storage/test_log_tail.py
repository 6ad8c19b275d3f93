"""LevelDB's logs: damage that LevelDB would take for a torn write is told from one."""

from __future__ import annotations

import random
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.errors import Corrupted
from node.storage.journal import Journal, open_journal
from node.storage.leveldb import LevelStore
from node.storage.log_tail import BLOCK_BYTES, damaged_record

LOW, HIGH = b"", b"\xff" * 9


def killed(path: Path, batches: list[dict[bytes, bytes]]) -> Path:
    """The folder of a store whose process was killed after these batches."""
    store = LevelStore(path / "open")
    for batch in batches:
        store.write(batch, [])
    shutil.copytree(path / "open", path / "killed")
    store.close()
    return path / "killed"


def log_of(folder: Path) -> Path:
    (log,) = folder.glob("*.log")
    return log


def headers(log: bytes) -> Iterator[int]:
    at = 0
    while len(log) - at >= 7:
        left = BLOCK_BYTES - at % BLOCK_BYTES
        if left < 7:
            at += left
            continue
        yield at
        at += 7 + struct.unpack_from("<H", log, at + 4)[0]


def flipped(log: bytes, at: int, bit: int) -> bytes:
    return log[:at] + bytes([log[at] ^ 1 << bit]) + log[at + 1 :]


def seeded(seed: int, size: int, largest: int) -> list[dict[bytes, bytes]]:
    """Batches of random sizes, `size` bytes together."""
    source, batches = random.Random(seed), []
    while size > 0:
        entries = {
            source.randbytes(8): source.randbytes(source.randrange(largest)) for _ in range(source.randint(1, 3))
        }
        batches.append(entries)
        size -= sum(8 + len(value) for value in entries.values())
    return batches


def read_all(path: Path) -> dict[bytes, bytes]:
    store = LevelStore(path, create=False)
    try:
        return dict(store.scan(LOW, HIGH))
    finally:
        store.close()


# --- with LevelDB ------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("name", ["*.log", "MANIFEST-*"])
def test_every_flipped_bit_of_a_small_store_is_seen_or_does_no_harm(tmp_path: Path, name: str) -> None:
    folder = killed(tmp_path, [{b"key%d" % number: bytes([number]) * number} for number in range(6)])
    content, (file,) = read_all(shutil.copytree(folder, tmp_path / "whole")), folder.glob(name)
    raw, seen = file.read_bytes(), 0
    for at in range(8 * len(raw)):
        copy = shutil.copytree(folder, tmp_path / "copy")
        (copy / file.name).write_bytes(flipped(raw, at // 8, at % 8))
        try:
            assert content == read_all(copy), f"bit {at} is lost silently"
        except Corrupted:
            seen += 1
        shutil.rmtree(copy)
    assert seen > 7 * len(raw)


def test_a_wrong_length_in_the_log_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    folder = killed(tmp_path, [{b"a": b"1"}, {b"b": b"2"}, {b"c": b"3"}])
    log = log_of(folder)
    raw = log.read_bytes()
    second = list(headers(raw))[1]
    log.write_bytes(flipped(raw, second + 5, 0))
    for _ in range(2):  # the first opening has not removed the evidence
        with pytest.raises(Corrupted) as caught:
            read_all(folder)
    assert (
        f"the store in {folder} is damaged (the record at byte {second} of {log.name} is wrong; LevelDB would take it "
        "for an unfinished write, and drop it and all later ones): restore a checkpoint, or wipe it and sync again"
    ) == str(caught.value)
    log.write_bytes(raw)
    assert {b"a": b"1", b"b": b"2", b"c": b"3"} == read_all(folder)


def test_accepted_transactions_are_not_lost_silently(tmp_path: Path) -> None:
    journal = Journal(open_journal(tmp_path / "open"))
    for number in range(5):
        journal.accept({bytes([number]) * 32: bytes(100)})
    folder = shutil.copytree(tmp_path / "open", tmp_path / "killed")
    journal.close()
    log = log_of(folder)
    raw = log.read_bytes()
    log.write_bytes(flipped(raw, list(headers(raw))[-1] + 4, 7))
    with pytest.raises(Corrupted) as caught:
        open_journal(folder)
    text = str(caught.value)
    assert text.startswith(f"the journal in {folder} is damaged (the record at byte ")
    assert "move it away and start again" in text
    assert "checkpoint, or wipe" not in text


# --- the log alone -----------------------------------------------------------------------------------------------
LOGS = {"small": (1, 700, 60), "many batches": (2, 2 * BLOCK_BYTES, 300), "large batches": (3, 6 * BLOCK_BYTES, 60_000)}


@pytest.fixture(scope="module", params=list(LOGS))
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return log_of(killed(tmp_path_factory.mktemp("log"), seeded(*LOGS[request.param]))).read_bytes()


def torn(log: bytes, seed: int) -> Iterator[bytes]:
    """The log as crashes leave it: cut at every byte if it is small, else around some headers and at random bytes; the
    rest of the page may be zeros."""
    source, heads = random.Random(seed), list(headers(log))
    near = {at + step for at in source.sample(heads, min(9, len(heads))) for step in range(-8, 21)}
    cuts = range(len(log) + 1) if len(log) < 2_000 else sorted(near | {source.randrange(len(log)) for _ in range(40)})
    for cut in cuts:
        yield log[: max(cut, 0)]
        yield log[: max(cut, 0)] + bytes(-cut % 4096)


def test_a_torn_tail_is_no_damage(log: bytes) -> None:
    assert damaged_record(log) is None
    for number, cut in enumerate(torn(log, 7)):
        assert damaged_record(cut) is None, f"cut {number}, {len(cut)} bytes"


def test_every_flipped_bit_of_a_length_in_the_last_block_is_told(log: bytes) -> None:
    last = len(log) // BLOCK_BYTES * BLOCK_BYTES
    heads = [at for at in headers(log) if at >= last]
    assert heads
    for at in heads:
        for bit in range(16):
            damaged = flipped(log, at + 4 + bit // 8, bit % 8)
            runs_beyond = at + 7 + struct.unpack_from("<H", damaged, at + 4)[0] > len(log)
            assert not runs_beyond or damaged_record(damaged) == at, f"record at {at}, bit {bit}"


@pytest.mark.parametrize("size", [7, 512, 4096])
@pytest.mark.parametrize("fill", [0, 255])
def test_an_overwritten_header_is_told(size: int, fill: int, tmp_path: Path) -> None:
    """Zeros are the header of nothing: LevelDB would go on with the next block."""
    log = log_of(killed(tmp_path, seeded(4, 2 * BLOCK_BYTES, 300))).read_bytes()
    heads = list(headers(log))
    for at in heads[1:-20:15]:
        assert damaged_record(log[:at] + bytes([fill]) * size + log[at + size :]) is not None


def test_a_wrong_checksum_and_length_are_told_by_the_batch_that_follows(tmp_path: Path) -> None:
    log = log_of(killed(tmp_path, [{bytes([number]): bytes(100)} for number in range(9)])).read_bytes()
    *heads, last = headers(log)
    for at in heads:
        both = flipped(flipped(log, at + 3, 1), at + 5, 3)
        assert damaged_record(both) == at
        # the same record, and bytes in the next one that only look like a batch
        assert damaged_record(both[: at + 7 + 130]) is None
    assert damaged_record(flipped(flipped(log, last + 3, 1), last + 5, 3)) is None  # nothing tells it from a torn one


def test_a_batch_within_a_torn_record_is_content(tmp_path: Path) -> None:
    """Senders choose what is in a transaction: a valid record in one must not make a torn tail look damaged."""
    inner = log_of(killed(tmp_path / "inner", [{b"k": b"v"}, {b"k": b"w"}])).read_bytes()
    log = log_of(killed(tmp_path / "outer", [{b"a": b"1"}, {b"b": inner * 3 + bytes(300)}])).read_bytes()
    _, at = headers(log)
    for cut in range(at, len(log)):
        assert damaged_record(log[:cut]) is None, cut
