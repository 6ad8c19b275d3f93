"""Files of the wallet: bounded reads, atomic writes."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from node.errors import OperatorError


def read_file(path: Path, limit: int, what: str) -> bytes:
    """The whole file. Raises `OperatorError` where it can't be read or has more than `limit` bytes."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        raise OperatorError(f"cannot read the {what} {path} ({error.strerror}): check the path") from None
    if len(raw) > limit:
        raise OperatorError(f"the {what} {path} has more than {limit} bytes: name the right file")
    return raw


def check_absent(path: Path) -> None:
    """Raises `OperatorError` for a file that exists: it would be overwritten."""
    if path.exists():
        raise OperatorError(f"{path} exists already: name another file with -o")


def write_file(path: Path, data: bytes) -> None:
    """Write all of `data` or nothing, with mode 0600. Raises `OperatorError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(handle)
        os.rename(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise failed("write", path, error) from None


def failed(verb: str, path: Path, error: OSError) -> OperatorError:
    """The error of an operation on a file."""
    advice = "make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the path and its owner"
    return OperatorError(f"cannot {verb} {path} ({error.strerror}): {advice}")
