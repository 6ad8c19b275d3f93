"""The development network with its story: whatever it prints to be typed works as it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from support.processes import free_base_port, started

pytestmark = pytest.mark.network
LAST = "The interface to try in a browser"


def test_the_story_names_its_accounts_and_every_command_it_prints_works(tmp_path: Path) -> None:
    here, port = Path(sys.executable).parent, free_base_port()
    path = {"PATH": f"{here}:{os.environ['PATH']}"}
    command = [
        "bmw-node",
        "devnet",
        "--story",
        "--validators",
        "1",
        "--dir",
        tmp_path / "a net",
        "--base-port",
        str(port),
    ]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | path) as devnet:
        try:
            assert devnet.stdout is not None
            lines = list(_until(LAST, devnet.stdout))
            _check_accounts(lines)
            (start,) = (number for number, line in enumerate(lines) if line.startswith("The network stays up"))
            typed = [line.strip() for line in lines[start:] if line.startswith("  ")]
            assert 9 < len(typed)
            done = subprocess.run(
                ["bash", "-e", "-c", "\n".join(typed)], env=os.environ | path, capture_output=True, text=True,
                timeout=120, check=False,
            )  # fmt: skip
            assert 0 == done.returncode, done.stderr
            assert "verdict\tLOGICAL\tCONTESTED" in done.stdout and "Caution" in done.stderr
            assert "committed" in done.stdout
        finally:
            devnet.send_signal(signal.SIGTERM)


def _until(start: str, stream: Iterable[str]) -> Iterator[str]:
    for line in stream:
        yield line.rstrip("\n")
        if line.startswith(start):
            return
    raise AssertionError(f"the network has ended before it printed {start!r}")


def _check_accounts(lines: list[str]) -> None:
    headings, *rows = (line.split("\t") for line in lines if "\t" in line)
    assert ["account", "roles", "validator", "key", "address"] == headings
    by_name = {row[0]: row for row in rows}
    assert {"bmw", "inspector-1", "buyer-1"} < set(by_name) and any(name.startswith("alice-") for name in by_name)
    assert ["manufacturer", "yes", "in the wallet"] == by_name["bmw"][1:4]
