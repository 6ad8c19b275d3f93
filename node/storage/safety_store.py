"""The hard state's file: magic, SHA-256 of the rest, id of the run that wrote it, content.

The run connects it with the store that the same process wrote (`schema.META_RUN`): see `lost_blocks`. The file is
replaced by way of a temporary file: write, sync, rename, sync the directory.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path

from node.errors import Corrupted, OperatorError
from node.storage.store_dirs import sync

MAGIC = b"BMWHARD2"
RUN_BYTES = 16
NO_RUN = bytes(RUN_BYTES)
"""The run of a file that no running node has written."""


class SafetyFile:
    """Implements `SafetyStore`."""

    def __init__(self, path: Path, run: bytes = NO_RUN) -> None:
        """`run`: id of this run of the node, if its store is written by the same process."""
        self._path = path
        self._run = run

    def load(self) -> bytes | None:
        """The content; None where there is no file. Raises `Corrupted`."""
        read = self.read()
        return None if read is None else read[1]

    def read(self) -> tuple[bytes, bytes] | None:
        """(run, content); None where there is no file. Raises `Corrupted`."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"{self._path} can't be read: {error.strerror}") from None
        head, rest = raw[: len(MAGIC) + 32], raw[len(MAGIC) + 32 :]
        if head != MAGIC + sha256(rest).digest() or len(rest) < RUN_BYTES:
            raise Corrupted(
                f"the signing state in {self._path} is damaged: make sure that no other copy of this validator signs, "
                "then run 'bmw-node reset-signing --height H'"
            )
        return rest[:RUN_BYTES], rest[RUN_BYTES:]

    def save(self, raw: bytes) -> None:
        temporary = self._path.with_suffix(".tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                rest = self._run + raw
                content = MAGIC + sha256(rest).digest() + rest
                while content:
                    content = content[os.write(descriptor, content) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, self._path)
            sync(self._path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise OperatorError(
                f"the signing state can't be written to {self._path} ({error.strerror}): make room or repair the disk, "
                "then start again"
            ) from None
