"""A new node brings its store up to a long chain by block sync, against the audit's replay of the same chain."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace
from support.load import MANY_IN_ONE
from support.processes import running_network, wait_for

from benchmarks.measure import Measure
from benchmarks.replaying import store_of
from node.chain.genesis import genesis_to_json
from node.cli.local_network import genesis_of

BAR = 0.8


def commit_times(log: str) -> dict[int, datetime]:
    """When a node committed each height, from its log: a node that syncs a short chain answers nobody meanwhile."""
    lines = re.findall(r"^(\S+ \S+) info +committed height=(\d+) ", log, re.MULTILINE)
    return {int(height): datetime.fromisoformat(at) for at, height in lines}


def measure(folder: Path, transactions: int, seed: int) -> Measure:
    genesis = replace(genesis_of(4), chain_id="bmw-bench-4", params=MANY_IN_ONE)
    place = store_of(folder, transactions, seed, genesis)
    with tempfile.TemporaryDirectory() as temporary:
        overrides = {"node__verify_workers": 1}
        with running_network(Path(temporary) / "net", start=False, **overrides) as network:
            for node in network.nodes:
                node.home.genesis.write_text(genesis_to_json(genesis))
            source, newcomer = network.nodes[:2]
            shutil.rmtree(source.home.store, ignore_errors=True)
            shutil.copytree(place / "store", source.home.store)
            source.start()
            wait_for(lambda: source.height() > 0, 60, "the source answers")
            target = source.height()
            newcomer.start()
            wait_for(lambda: newcomer.height() >= target, 600, "caught up")
            times = commit_times(newcomer.log.read_text())
            seconds = (times[target] - times[1]).total_seconds()
    Path(temporary).mkdir(exist_ok=True)
    (Path(temporary) / "genesis.json").write_text(genesis_to_json(genesis))
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.audit", "replay", "--store", str(place / "store"), "--genesis",
         str(Path(temporary) / "genesis.json"), "--workers", "2", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    shutil.rmtree(temporary)
    rate = transactions * (target - 1) / target / seconds
    replayed = transactions / json.loads(done.stdout)["seconds"]
    return Measure(
        f"block sync of {transactions:,} mixed transactions",
        rate / replayed,
        BAR,
        rate,
        replayed,
        "transactions/s over those of bmw-audit replay with 2 workers",
        details={"seed": seed, "transactions": transactions, "blocks": target},
    )
