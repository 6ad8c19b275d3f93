"""The hard state's file: whole or old, never half; damage is never taken for a state."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from node.errors import Corrupted, OperatorError
from node.storage.safety_store import SafetyFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hard-state.bin"


def test_what_is_saved_is_loaded_and_nothing_is_nothing(path: Path) -> None:
    store = SafetyFile(path)
    assert store.load() is None
    for raw in (b"", b"one", bytes(100_000), b"two"):
        store.save(raw)
        assert raw == store.load() == SafetyFile(path).load()
    assert [path] == list(path.parent.iterdir())


def test_no_flipped_bit_and_no_truncation_is_taken_for_a_state(path: Path) -> None:
    store = SafetyFile(path)
    store.save(b"height 7, round 0: prevoted")
    good = path.read_bytes()
    for at in range(8 * len(good)):
        bent = bytearray(good)
        bent[at // 8] ^= 1 << at % 8
        path.write_bytes(bent)
        with pytest.raises(Corrupted, match="reset-signing --height H"):
            store.load()
    for wrong in (*(good[:length] for length in range(len(good))), good + b"\x00", b"garbage"):
        path.write_bytes(wrong)
        with pytest.raises(Corrupted, match="no other copy of this validator signs"):
            store.load()
    path.write_bytes(good)
    assert store.load() == b"height 7, round 0: prevoted"


@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_a_crash_before_the_rename_keeps_the_old_state(path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SafetyFile(path)
    store.save(b"old")

    def crash(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, crash)
        with pytest.raises(OperatorError, match=r"can't be written .*No space left on device.*make room"):
            store.save(b"new, and longer than the old one")
    assert SafetyFile(path).load() == b"old"
    store.save(b"newer")
    assert SafetyFile(path).load() == b"newer"


def test_a_temporary_file_of_an_earlier_crash_is_no_state(path: Path) -> None:
    path.with_suffix(".tmp").write_bytes(b"half of something" * 1_000)
    store = SafetyFile(path)
    assert store.load() is None
    store.save(b"whole")
    assert store.load() == b"whole"


def test_the_file_is_synced_before_it_gets_its_name_and_the_folder_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, bool]] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        done.append(("fsync", stat.S_ISDIR(os.fstat(descriptor).st_mode)))
        real_fsync(descriptor)

    def rename(source: Path, target: Path) -> None:
        done.append(("rename", False))
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    SafetyFile(path).save(b"state")
    assert [("fsync", False), ("rename", False), ("fsync", True)] == done


def test_short_writes_are_finished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take fewer bytes than it is given."""
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, raw: real_write(descriptor, raw[:7]))
    SafetyFile(path).save(bytes(range(100)))
    assert bytes(range(100)) == SafetyFile(path).load()


def test_only_the_owner_may_read_it_whatever_the_mask(path: Path) -> None:
    before = os.umask(0)
    try:
        SafetyFile(path).save(b"state")
    finally:
        os.umask(before)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_what_the_operator_can_mend_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can't be written"):
        SafetyFile(tmp_path / "missing" / "hard-state.bin").save(b"state")
    with pytest.raises(OperatorError, match="can't be read"):
        SafetyFile(tmp_path).load()
