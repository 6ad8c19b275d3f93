"""The walks of TUTORIALS.md work as they stand there, on networks of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documented import ROOT, commands_of
from support.processes import wait_for
from support.reader import Reader

pytestmark = pytest.mark.network
TUTORIALS = ROOT / "docs/TUTORIALS.md"
NETWORKS = (("Dealer",), ("Programmer",), ("Auditor", "Owner of a car"))
"""The walks of each network. Auditor and owner share the one with the story: the auditor writes nothing."""
REFUSAL = re.compile("Refused|Error:|It is not valid now")
START_S = 180.0
"""Until a network is up, its story included."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    found = Reader(tmp_path)
    try:
        yield found
    finally:
        found.shell.close()


@pytest.mark.parametrize("walks", NETWORKS, ids=lambda walks: walks[0])
def test_walks(reader: Reader, walks: tuple[str, ...]) -> None:
    starts = set()
    for walk in walks:
        start, *commands = commands_of(TUTORIALS, walk)
        if not starts:
            begin(reader, start.text)
        starts.add(start.text)
        assert reader.shell.run(f"cd {ROOT}")[0] == 0
        for command in commands:
            is_refused = any(REFUSAL.match(line) for line in command.printed)
            reader.shell.follow(command, code=1 if is_refused else 0)
    assert len(starts) == 1


def begin(reader: Reader, start: str) -> None:
    """The walk's first command starts its network in the background."""
    assert re.fullmatch(r"scripts/devnet .*--dir ~/bmw-devnet &", start)
    log = reader.shell.folder / "devnet.log"
    log.touch()
    assert reader.shell.run(f"{start.removesuffix('&')} --base-port {reader.base} > {log} 2>&1 &")[0] == 0
    wait_for(lambda: "The network stays up until Ctrl-C" in log.read_text("utf-8"), START_S, start)
    if "--story" in start:  # its car is named after the height at which it begins
        number = re.findall(r"alice-([0-9]{5})", log.read_text("utf-8"))[0]
        reader.shell.changes |= {"GNU00000": f"GNU{number}", "alice-00000": f"alice-{number}"}


def test_every_walk_is_run() -> None:
    walked = [command for walks in NETWORKS for walk in walks for command in commands_of(TUTORIALS, walk)]
    assert commands_of(TUTORIALS) == walked
