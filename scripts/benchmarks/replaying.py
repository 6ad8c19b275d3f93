"""`bmw-audit replay` of a store, two workers, against libsodium on two processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from support.load import READINGS_A_DAY, Car, LoadChain

from benchmarks.measure import Measure, verifications_per_second
from node.chain.dev_genesis import dev_genesis
from node.chain.genesis import Genesis, genesis_to_json
from node.execution.block_run import BlockRun
from node.execution.genesis_state import genesis_entries, genesis_head
from node.storage import schema
from node.storage.leveldb import LevelStore
from node.txtypes.rulesets import RULESETS

BAR = 0.25
WORKERS = 2


def rules_name() -> str:
    """Changes with the rules, the genesis state and the key layout, so that no store outlives them."""
    genesis = dev_genesis()
    root = genesis_head(genesis, genesis_entries(genesis)).state_root
    layout = sha256((schema.__doc__ or "").encode()).digest()
    return (RULESETS[genesis.params.ruleset].hash[:4] + root[:4] + layout[:2]).hex()


class FleetChain(LoadChain):
    """A fleet is born, then one workshop services its cars in turn."""

    def __init__(self, kv: LevelStore, fleet: int, *, seed: int, genesis: Genesis | None = None) -> None:
        super().__init__(kv, seed=seed, genesis=genesis)
        self._fleet = fleet
        self._serviced = 0

    def _step(self, run: BlockRun) -> None:
        if len(self.cars) < self._fleet:
            self.cars.append(Car(self._new_vin()))
            sender, body = "bmw", self._register(self.cars[-1])
        else:
            sender, body = "workshop-berlin", self._maintenance(self.cars[self._serviced % self._fleet])
            self._serviced += 1
        run.add(self._signed(sender, body, ()))


def chain_of(workload: str, kv: LevelStore, transactions: int, seed: int, genesis: Genesis | None) -> LoadChain:
    """An empty chain that grows by `transactions` of a workload."""
    if workload == "mixed":
        return LoadChain(kv, seed=seed, genesis=genesis)
    records_of_a_car = READINGS_A_DAY if workload == "maintenance" else 0
    return FleetChain(kv, -(-transactions // (1 + records_of_a_car)), seed=seed, genesis=genesis)


def store_of(
    folder: Path, transactions: int, seed: int, genesis: Genesis | None = None, workload: str = "mixed"
) -> Path:
    """A store with its genesis, made once for its workload, size, seed and rules."""
    place = folder / f"{workload}-{transactions}-{seed}-{genesis.chain_id if genesis else 'test'}-{rules_name()}"
    if not (place / "genesis.json").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        kv = LevelStore(place / "store")
        chain = chain_of(workload, kv, transactions, seed, genesis)
        chain.grow(transactions)
        kv.close()
        (place / "genesis.json").write_text(genesis_to_json(chain.genesis))
    return place


def replayed(place: Path, *arguments: str) -> dict[str, Any]:
    """The report of `bmw-audit replay` of a store with its genesis."""
    command = ["replay", "--store", str(place / "store"), "--genesis", str(place / "genesis.json"), *arguments]
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.audit", *command, "--workers", str(WORKERS), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(folder: Path, transactions: int, seed: int, workload: str, yardstick_s: float = 3.0) -> Measure:
    """`yardstick_s`: how long libsodium is measured, before and after."""
    place = store_of(folder, transactions, seed, workload=workload)
    before = verifications_per_second(WORKERS, yardstick_s)
    report = replayed(place)
    assert report["transactions"] == transactions, report
    yardstick = (before + verifications_per_second(WORKERS, yardstick_s)) / 2
    rate = transactions / report["seconds"]
    return Measure(
        f"replay of {transactions:,} {workload} transactions, 2 workers",
        rate / yardstick,
        BAR,
        rate,
        yardstick,
        "transactions/s over libsodium verifications/s, both on 2 processes",
        details={"seed": seed, "transactions": transactions, "types": report["types"], "store": str(place / "store")},
    )
