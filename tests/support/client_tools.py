"""Node.js and the generators of clients: installed from pinned versions into .clients by `scripts/client_tools`."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".clients"


@cache
def client_tools() -> Path:
    """The folder of the tools, which the first call installs."""
    subprocess.run([str(ROOT / "scripts" / "client_tools")], check=True, timeout=570)
    return TOOLS


def node_js() -> str:
    """The path of `node`."""
    return str(client_tools() / "bin" / "node")


def python_of_clients() -> str:
    """The path of the Python that has what a generated client needs."""
    return str(client_tools() / "python" / "bin" / "python")
