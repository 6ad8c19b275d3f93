"""What a person sees: output to a pseudo-terminal, of this process or of one of its own."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
STYLES = re.compile(r"\x1b\[[0-9;]*m")


def without_escapes(text: str) -> str:
    return ESCAPES.sub("", text).replace("\r", "")


@contextlib.contextmanager
def _terminal(columns: int) -> Iterator[tuple[int, Callable[[], str]]]:
    """(the side of the program, a function that waits for its end and gives everything received)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    received = bytearray()

    def receive() -> None:
        with contextlib.suppress(OSError):  # Linux reports the end of the other side so
            while chunk := os.read(ours, 65536):
                received.extend(chunk)

    reader = threading.Thread(target=receive)
    reader.start()

    def end() -> str:
        with contextlib.suppress(OSError):
            os.close(theirs)
        reader.join(60)
        return received.decode("utf-8", "replace")

    try:
        yield theirs, end
    finally:
        end()
        os.close(ours)


def drawn(call: Callable[[], object], *, columns: int = 100, **environment: str) -> str:
    """What `call` writes to standard output and error, in this process."""
    settings = {"TERM": "xterm-256color", "COLUMNS": str(columns)} | environment
    with _terminal(columns) as (theirs, end):
        stream = io.TextIOWrapper(os.fdopen(theirs, "wb", 0, closefd=False), encoding="utf-8", write_through=True)
        with patch.dict(os.environ, settings), patch.object(sys, "stdout", stream), patch.object(sys, "stderr", stream):
            if "NO_COLOR" not in environment:
                os.environ.pop("NO_COLOR", None)
            with contextlib.suppress(SystemExit):
                call()
        return end()


def in_terminal(program: str, *arguments: object, columns: int = 100, **environment: str) -> str:
    """What the installed program writes, in a process of its own that takes the width from its terminal."""
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with _terminal(columns) as (theirs, end):
        subprocess.run(
            [Path(sys.executable).with_name(program), *map(str, arguments)],
            stdin=theirs, stdout=theirs, stderr=theirs, env=known | {"TERM": "xterm-256color"} | environment,
            timeout=60, check=False,
        )  # fmt: skip
        return end()
