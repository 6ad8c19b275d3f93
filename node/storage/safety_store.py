"""The hard state's file: magic, SHA-256 of the content, content.

It is replaced by way of a temporary file: write, sync, rename, sync the directory.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path

from node.errors import Corrupted, OperatorError
from node.storage.store_dirs import sync

MAGIC = b"BMWHARD1"


class SafetyFile:
    """Implements `SafetyStore`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes | None:
        """The content; None where there is no file. Raises `Corrupted`."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"{self._path} can't be read: {error.strerror}") from None
        head, content = raw[: len(MAGIC) + 32], raw[len(MAGIC) + 32 :]
        if head != MAGIC + sha256(content).digest():
            raise Corrupted(
                f"the signing state in {self._path} is damaged: make sure that no other copy of this validator signs, "
                "then run 'bmw-node reset-signing --height H'"
            )
        return content

    def save(self, raw: bytes) -> None:
        temporary = self._path.with_suffix(".tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                content = MAGIC + sha256(raw).digest() + raw
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
