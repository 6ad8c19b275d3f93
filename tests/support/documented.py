"""The commands that documents print, and a shell that runs them as a reader would type them."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READERS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""Every document with commands."""
ON_TERMINAL = Path(__file__).with_name("on_terminal.py")
_BLOCK = re.compile(r"^( *)```(?:console|sh|bash)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command of a document, with the lines that it prints there."""

    document: str
    text: str
    printed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The command on one line, without its comment."""
        return " ".join(re.sub(r"\\\n\s*", "", self.text).partition("   #")[0].split())


def _is_whole(text: str) -> bool:
    """Whether no quote or line is left open."""
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return not text.endswith("\\")


def commands_of(path: Path, section: str = "") -> list[Command]:
    """Every command of the console blocks of the document, or of one of its sections, in order."""
    text = path.read_text("utf-8")
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found: list[Command] = []
    for indent, block in _BLOCK.findall(text):
        is_open = False
        for line in (line.removeprefix(indent) for line in block.splitlines()):
            if is_open:
                text = f"{found[-1].text}\n{line}"
                found[-1] = replace(found[-1], text=text)
                is_open = not _is_whole(text)
            elif line.startswith("$ "):
                found.append(Command(path.name, line[2:]))
                is_open = not _is_whole(line[2:])
            elif found:
                found[-1] = replace(found[-1], printed=(*found[-1].printed, line))
    return found


def examples_of_types() -> dict[str, Command]:
    """The example of every transaction type in TRANSACTIONS.md."""
    printed = commands_of(ROOT / "docs" / "TRANSACTIONS.md")
    return {c.text.split()[2]: c for c in printed if c.text.startswith("bmw-wallet tx ")}


def pattern_of(line: str, between: str = r"\s+") -> re.Pattern[str]:
    """What a printed line stands for: `...` and words with a digit, which every run has anew, are anything. The rule of
    a table has any length, for the widest figure of the run decides it."""
    words = (
        ".*" if "..." in word or re.search("[0-9]", word) else "─+" if set(word) == {"─"} else re.escape(word)
        for word in line.split()
    )
    return re.compile(between.join(words))


SOMETIMES = ("certificates differ at", "nothing is the same")
"""Lines of a comparison: whose votes reached a node first, and whether its first block was empty."""


def missing_lines(printed: tuple[str, ...], output: str) -> list[str]:
    """The printed lines that no line of the output is like. Lines with `...` alone, and empty ones, ask for nothing; in
    JSON white space means nothing."""
    lines, compact = [line.strip() for line in output.splitlines()], "".join(output.split())
    wanted = [
        line.strip() for line in printed if line.strip() not in ("", "...") and not line.strip().startswith(SOMETIMES)
    ]
    return [
        line for line in wanted
        if not any(pattern_of(line).fullmatch(given) for given in lines)
        and not (line.startswith(("{", '"')) and pattern_of(line, "").search(compact))
    ]  # fmt: skip


class Shell:
    """One bash for a whole session, so that `cd`, `export` and background jobs last, as for a reader."""

    def __init__(self, folder: Path, changes: dict[str, str] | None = None, **environment: str) -> None:
        """`changes`: what stands in the documents, as a regular expression, to what it is in this run."""
        self.folder = folder
        self.changes = changes or {}
        self.output = folder / "output"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BMW_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=inherited | {"PATH": path, "HOME": str(folder)} | environment,
            start_new_session=True,
            text=True,
        )

        assert self._bash.stdin is not None
        self._bash.stdin.write("trap 'kill $(jobs -p); wait' EXIT\n")  # its input ends with this process at the latest

    def close(self) -> None:
        """Ask what still runs to end and wait for it; then end what did not listen."""
        assert self._bash.stdin is not None and self._bash.stdout is not None
        self._bash.stdin.close()
        try:
            self._bash.wait(60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._bash.pid, signal.SIGKILL)
            self._bash.wait(10)
            self._bash.stdout.close()

    def changed(self, text: str) -> str:
        """In one pass, so that what is put in is not changed again: the digits of a hash may be those of a port. The
        longest expressions first: what they find may contain what others find."""
        ordered = sorted(self.changes.items(), key=lambda change: -len(change[0]))

        def given(found: re.Match[str]) -> str:
            return next(given for wanted, given in ordered if re.fullmatch(wanted, found[0]))

        return re.sub("|".join(f"(?:{wanted})" for wanted, _ in ordered), given, text) if ordered else text

    def run(self, text: str, timeout_s: float = 120.0, *, on_terminal: bool = False) -> tuple[int, str]:
        """(exit code, standard output and error). `on_terminal`: questions are asked, and answered with yes."""
        assert self._bash.stdin is not None and self._bash.stdout is not None
        script = self.folder / "command.sh"
        script.write_text(self.changed(text) + "\n", "utf-8")
        started = f"{sys.executable} {ON_TERMINAL} {script}" if on_terminal else f"source {script}"
        self._bash.stdin.write(f"{started} > {self.output} 2>&1 < /dev/null; echo ended $?\n")
        self._bash.stdin.flush()
        deadline = time.monotonic() + timeout_s
        while True:
            assert select.select([self._bash.stdout], [], [], max(0.0, deadline - time.monotonic()))[0], (
                f"{text} did not end within {timeout_s} s:\n{self.output.read_text(errors='replace')}"
            )
            line = self._bash.stdout.readline()
            assert line, f"the shell ended at {text}"
            if line.startswith("ended "):
                return int(line.split()[1]), self.output.read_text(errors="replace")

    def follow(
        self, command: Command, *, code: int = 0, on_terminal: bool = False, timeout_s: float = 120.0
    ) -> str:  # fmt: skip
        """Run it; it ends with `code` and prints what the document says. Its output."""
        ended, output = self.run(command.text, timeout_s, on_terminal=on_terminal)
        assert ended == code, f"{command.document}: {command.text}\nended with {ended}:\n{output}"
        missing = missing_lines(tuple(map(self.changed, command.printed)), output)
        assert missing == [], f"{command.document}: {command.text}\ndoes not print {missing}, but:\n{output}"
        return output
