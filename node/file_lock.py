"""A file lock: what one process at a time may do. The system gives it back when that process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from node.errors import Busy


class FileLock:
    """Exclusive right to what a file stands for, until it is closed or its process ends. The file has the holder's
    number and stays: another process may have it open already."""

    def __init__(self, path: Path, use: str) -> None:
        """`use`: what the holder does, such as "signs with the key of ...". Raises `Busy`, which names the holder."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace") or "unknown"
            raise Busy(f"process {holder} {use}: stop it first") from None
        os.truncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
