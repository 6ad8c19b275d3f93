"""The bench runs: what it measures with real processes is asked of it as its user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def measured(name: str, folder: Path, codes: tuple[int, ...] = (0,)) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", name, "--json", "--dir", str(folder)]
    paths = [str(ROOT / "scripts"), str(ROOT / "tests"), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode in codes, (done.stdout[-2_000:], done.stderr[-2_000:])
    found: list[dict[str, Any]] = json.loads(done.stdout)["measures"]
    return found


def test_a_snapshot_is_measured_and_used(tmp_path: Path) -> None:
    assert "2,000 vehicles" in json.dumps(measured("snapshot", tmp_path))


@pytest.mark.network
def test_the_delay_of_votes_is_measured_at_load_and_without(tmp_path: Path) -> None:
    """On a machine that does other work too: the bars are for `scripts/bench`, but no round is lost to late votes."""
    found = measured("vote_delay", tmp_path, codes=(0, 1))
    assert 3 == len(found)
    assert found[-1]["value"] < 1.0, f"of the shortest timer: {found[-1]}"
    for one in found:
        assert one["value"] == one["numerator"] / one["denominator"]
        details = one["details"]
        assert details["committed_per_second"] > 0
        for state in ("quiet", "loaded"):
            assert details[state]["votes"] >= 30, "of both kinds, from four validators to three others each"
            assert 0 < details[state]["p50_ms"] <= details[state]["p99_ms"] <= details[state]["max_ms"]
