"""Runs a bash script with a terminal for its questions, and answers each with yes: `python on_terminal.py SCRIPT`."""

from __future__ import annotations

import os
import subprocess
import sys

QUESTION = b"[y/N]: "


def main(script: str) -> int:
    """Its exit code. Standard output is passed on; what it writes to the terminal follows on standard error."""
    terminal, inner = os.openpty()
    with subprocess.Popen(["bash", script], stdin=inner, stderr=inner) as process:
        os.close(inner)
        shown, answered = b"", 0
        while True:
            try:
                read = os.read(terminal, 4096)
            except OSError:  # Linux: nobody has the terminal open any more
                break
            if not read:
                break
            shown += read
            while answered < shown.count(QUESTION):
                os.write(terminal, b"y\n")
                answered += 1
    sys.stderr.write(shown.decode(errors="replace").replace("\r\n", "\n"))
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
