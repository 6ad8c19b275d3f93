"""The bench runs: what it measures with real processes is asked of it as its user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_snapshot_is_measured_and_used(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "snapshot", "--json", "--dir", str(tmp_path)]
    paths = [str(ROOT / "scripts"), str(ROOT / "tests"), *sys.path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "2,000 vehicles" in json.dumps(json.loads(done.stdout))
