"""`bmw-node devnet` in the background of a script: it ends when it is asked to, and its nodes end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import process
from support.processes import free_base_port, wait_for

pytestmark = pytest.mark.network

SCRIPT = 'bmw-node devnet --validators 2 --dir "$1" --base-port "$2" & echo $!; wait $!; echo "ended $?"'


def nodes_of(folder: Path) -> list[int]:
    """Processes that run a node whose home is in the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"start" in arguments and any(argument.startswith(os.fsencode(folder) + b"/") for argument in arguments):
            found.append(int(entry.name))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "net"
    for pid in nodes_of(tmp_path / "net"):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_devnet_in_the_background_ends_with_all_its_nodes(number: signal.Signals, folder: Path) -> None:
    """A shell without job control starts what is in the background with SIGINT ignored."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell = subprocess.Popen(
        ["sh", "-c", SCRIPT, "sh", str(folder), str(free_base_port())],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PATH": path},
    )
    with shell:
        assert shell.stdout is not None
        devnet = int(shell.stdout.readline())
        try:
            assert any("stays up until Ctrl-C" in line for line in shell.stdout)
            assert 2 == len(nodes_of(folder))
            os.kill(devnet, number)
            code = 128 + number if number == signal.SIGKILL else 0
            wait_for(lambda: shell.poll() is not None, 30, "the end of the devnet")
            assert f"ended {code}\n" == shell.stdout.readlines()[-1]
            wait_for(lambda: not nodes_of(folder), 15, "the end of all nodes")
        finally:
            if shell.poll() is None:
                os.kill(devnet, signal.SIGKILL)
    assert (folder / "bmw" / "node.log").read_text().count("info     stopping") == 1, "in order, not killed"


def test_a_file_is_no_standard_input_to_wait_for(tmp_path: Path) -> None:
    process("bmw-node", "testnet", "--validators", "1", "--output", tmp_path / "net")
    with (tmp_path / "net" / "genesis.json").open() as file:
        done = subprocess.run(
            [Path(sys.executable).with_name("bmw-node"), "start", "--home", tmp_path / "net" / "validator-0",
             "--until-stdin-ends"],
            stdin=file, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (3, True) == (done.returncode, "--until-stdin-ends needs a pipe or a terminal" in done.stderr), done.stderr
