"""What pages load is made of the modules in `web/js`, which people can read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.client_tools import client_tools

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.network
def test_built_modules_are_made_of_the_sources() -> None:
    client_tools()
    done = subprocess.run(
        [ROOT / "scripts/modules", "--check"], check=False, capture_output=True, text=True, timeout=120
    )
    assert (0, "") == (done.returncode, done.stdout), done.stderr
