"""A file lock has one holder, is told by its name, and is free once its holder has ended, however that was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import started

from node.errors import Busy
from node.file_lock import FileLock

HOLDS = """
import sys; from pathlib import Path; from node.file_lock import FileLock
with FileLock(Path(sys.argv[1]), "has the key"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with FileLock(path, "has the key"):
        second = subprocess.run([sys.executable, "-c", HOLDS, path], capture_output=True, text=True)
    assert (1, "") == (second.returncode, second.stdout)
    assert f"node.errors.Busy: process {os.getpid()} has the key: stop it first\n" in second.stderr


def test_one_process_holds_it_once(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock = FileLock(path, "has the key")
    with pytest.raises(Busy, match=f"process {os.getpid()} has the key"):
        FileLock(path, "has the key")
    lock.close()
    lock.close()
    FileLock(path, "has the key").close()


def test_it_is_free_once_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with started([sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match=f"process {holder.pid} has the key"):
            FileLock(path, "has the key")
        holder.kill()
    with FileLock(path, "has the key"):
        assert str(os.getpid()) == path.read_text()
