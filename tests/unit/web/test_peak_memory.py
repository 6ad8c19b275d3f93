"""The memory that the pages report is that of their own process, now and at its highest."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

MIB = 2**20
TOUCHED = 256 * MIB
SLACK = 24 * MIB
"""The system adds up what each processor has counted only now and then: 0.2 MiB are missing with 2 of them."""
REPORT = "import json; from web.metrics import memory_bytes; print(json.dumps(memory_bytes()), flush=True)"
STARTS_ANOTHER = f"""
import subprocess, sys
touched = b"x" * {TOUCHED}
{REPORT}
subprocess.run([sys.executable, "-c", {REPORT!r}], check=True)
"""
FREES = f"""
{REPORT}
touched = b"x" * {TOUCHED}
del touched
print(json.dumps(memory_bytes()))
"""
PEAK, RESIDENT = 'memory_bytes{kind="peak"}', 'memory_bytes{kind="resident"}'


def reports(program: str) -> list[Any]:
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_process_does_not_inherit_the_peak_of_the_one_that_started_it() -> None:
    parent, child = reports(STARTS_ANOTHER)
    assert parent[PEAK] > TOUCHED
    assert child[RESIDENT] <= child[PEAK] < parent[PEAK] - TOUCHED / 2


def test_the_peak_stays_when_memory_is_freed() -> None:
    before, after = reports(FREES)
    assert after[PEAK] >= before[PEAK] + TOUCHED - SLACK
    assert after[RESIDENT] < after[PEAK] - TOUCHED / 2
