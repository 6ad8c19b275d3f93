"""The hard state's file: temporary, sync, rename, sync the directory; the content's hash stands before it."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path

from node.errors import Corrupted, OperatorError

MAGIC = b"BMWHARD1"


class SafetyFile:
    """Implements `SafetyStore`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes | None:
        """None where there is none. Raises `Corrupted`, naming the mend."""
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
                written = 0
                while written < len(content):
                    written += os.write(descriptor, content[written:])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.rename(temporary, self._path)
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise OperatorError(
                f"the signing state can't be written to {self._path} ({error.strerror}): make room or mend the disk, "
                "then start again"
            ) from None
