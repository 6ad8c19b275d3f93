"""`bmw-node load` in this process, against nodes of a test, and its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from node.crypto.dev_keys import dev_key
from node.crypto.keyfile import node_key_file
from support.commands import Done, run
from support.lying import LyingNode

BATCH = "/v1/transactions/batch"
"""Where a load hands in."""


def key_of(folder: Path, name: str) -> Path:
    path = folder / f"{name}.json"
    path.write_bytes(node_key_file(dev_key("account", name)))
    return path


def load(folder: Path, *nodes: LyingNode, keys: tuple[str, ...] = ("bmw",), **options: Any) -> Done:
    """A load of ten transactions, as fast as that; `options` replace its own."""
    given = {"chain_id": "bmw-test", "rate": 50, "duration": 0.2, "timeout": 10} | options
    words = [word for name, value in given.items() for word in ("--" + name.replace("_", "-"), str(value))]
    words += [word for name in keys for word in ("--key", str(key_of(folder, name)))]
    return run("bmw-node", "load", *(node.url for node in nodes), *words, "--json")


def document(done: Done, code: int = 0) -> Any:
    assert (code, "") == (done.code, done.err if code == 0 else ""), done.err
    return json.loads(done.out)
