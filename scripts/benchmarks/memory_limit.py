"""A limit on the memory of processes, page cache included: a memory control group of Linux, see cgroups(7)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from support.processes import wait_for

ROOT: Final = Path("/sys/fs/cgroup")
MIB: Final = 1024 * 1024


class MemoryGroup:
    """A control group. Processes that begin within `joined` are in it for their whole life, their children too."""

    def __init__(self, folder: Path, limit_name: str, peak_name: str) -> None:
        self._folder = folder
        self._limit = folder / limit_name
        self._peak = folder / peak_name

    @classmethod
    def make(cls, limit_mib: int) -> MemoryGroup | None:
        """A new group with a limit; None where this system has no memory groups, or lets us make none."""
        name = f"bmw-bench-{os.getpid()}"
        for controller, place, limit, peak in (
            ("memory", ROOT / "memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),  # version 1
            ("", ROOT, "memory.max", "memory.peak"),  # version 2
        ):
            if not (place / "cgroup.procs").exists():
                continue
            group = cls(place / _own_group(controller) / name, limit, peak)
            try:
                group._folder.mkdir()
                group._limit.write_text(str(limit_mib * MIB))
            except OSError:
                group.remove()
            else:
                return group
        return None

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Processes that are started meanwhile are in the group."""
        before = self._folder.parent / "cgroup.procs"
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            before.write_text(str(os.getpid()))

    def peak_mib(self) -> float:
        """The most memory that the group has had at once; the limit where it was reached."""
        return int(self._peak.read_text()) / MIB

    def remove(self) -> None:
        """Remove the group, once its last process is gone."""
        wait_for(self._is_removed, 20, f"the end of {self._folder}")

    def _is_removed(self) -> bool:
        with suppress(OSError):
            self._folder.rmdir()
        return not self._folder.exists()


def _own_group(controller: str) -> str:
    """The path of the group that this process is in, below that of the controller; "" for the topmost."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    return next((path.strip("/") for _, names, path in lines if controller in names.split(",")), "")


def forget_pages(folder: Path) -> None:
    """Take the files of a folder out of the page cache: each page counts for the group that reads it first."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
