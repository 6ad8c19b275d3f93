"""A run of tests that is killed leaves no process behind: neither what a test started, nor what its shell did."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import wait_for

RUN = """
import subprocess, sys, time
from pathlib import Path
from support.documented import Shell
from support.processes import started
folder = Path(sys.argv[1])
started([sys.executable, "-c", "import time; time.sleep(600)", str(folder)], stdout=subprocess.DEVNULL)
shell = Shell(folder)
assert shell.run(f"{sys.executable} -c 'import time; time.sleep(600)' {folder} &")[0] == 0
print("started", flush=True)
time.sleep(600)
"""


def processes_of(folder: Path) -> list[bytes]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            found.append(command)
    return found


@pytest.mark.network
def test_what_a_killed_run_started_ends(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with run:
        try:
            assert run.stdout is not None and b"started\n" == run.stdout.readline()
            wait_for(lambda: 3 == len(processes_of(tmp_path)), 10, "what it started")
        finally:
            run.kill()
    wait_for(lambda: processes_of(tmp_path) == [], 10, "the end of all that it started")
