"""The walks of TUTORIALS.md work as they stand there, on networks of their own; and so does what the network with the
story prints to be typed."""

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
STAYS_UP = "The network stays up until Ctrl-C. In another terminal, for example:"
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
    if "--story" in start.text:
        printed = log_of(reader).read_text("utf-8").splitlines()
        check_accounts(printed)
        type_what_is_printed(reader, printed)


def check_accounts(printed: list[str]) -> None:
    headings, *rows = (line.split("\t") for line in printed if "\t" in line)
    assert ["account", "roles", "validator", "key", "address"] == headings
    by_name = {row[0]: row for row in rows}
    assert {"bmw", "inspector-1", "buyer-1"} < set(by_name) and any(name.startswith("alice-") for name in by_name)
    assert ["manufacturer", "yes", "in the wallet"] == by_name["bmw"][1:4]


def type_what_is_printed(reader: Reader, printed: list[str]) -> None:
    """The walks have changed nothing that it needs."""
    typed = [line.strip() for line in printed[printed.index(STAYS_UP) :] if line.startswith("  ")]
    assert 9 < len(typed)
    ended, output = reader.shell.run(" && ".join(typed))
    assert ended == 0, output
    assert "verdict\tLOGICAL\tCONTESTED" in output and "Caution" in output and "committed" in output


def log_of(reader: Reader) -> Path:
    return reader.shell.folder / "devnet.log"


def begin(reader: Reader, start: str) -> None:
    """The walk's first command starts its network in the background."""
    assert re.fullmatch(r"scripts/devnet .*--dir ~/bmw-devnet &", start)
    log = log_of(reader)
    log.touch()
    assert reader.shell.run(f"{start.removesuffix('&')} --base-port {reader.base} > {log} 2>&1 &")[0] == 0
    wait_for(lambda: "The interface to try in a browser" in log.read_text("utf-8"), START_S, start)
    if "--story" in start:  # its car is named after the height at which it begins
        number = re.findall(r"alice-([0-9]{5})", log.read_text("utf-8"))[0]
        reader.shell.changes |= {"GNU00000": f"GNU{number}", "alice-00000": f"alice-{number}"}


def test_every_walk_is_run() -> None:
    walked = [command for walks in NETWORKS for walk in walks for command in commands_of(TUTORIALS, walk)]
    assert commands_of(TUTORIALS) == walked
