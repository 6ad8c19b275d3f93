"""A new node starts from a snapshot of many cars: seconds from its start until it stands at the snapshot's height."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from support.life import register
from support.load import LoadChain
from support.processes import running_network, wait_for

from benchmarks.measure import Measure
from benchmarks.replaying import rules_name
from node.cli.local_network import genesis_of
from node.codec import encode
from node.storage.leveldb import LevelStore
from node.storage.snapshot import cut_snapshot

BAR_S = 15.0


def _make(folder: Path, vehicles: int, seed: int) -> Path:
    """A store of so many cars and the snapshot of its head."""
    place = folder / f"cars-{vehicles}-{rules_name()}"
    if (place / "snapshots").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    kv = LevelStore(place / "store")
    chain = LoadChain(kv, seed=seed, genesis=genesis_of(4))
    for start in range(0, vehicles, 1_000):
        vins = [f"WBA8E9G5{index:09d}" for index in range(start, min(start + 1_000, vehicles))]
        chain.produce(*(chain.sign("bmw", register(vin)) for vin in vins))
    shelf = place / "snapshots.partial" / str(chain.store.height())
    shelf.mkdir(parents=True)

    def write_chunk(index: int, data: bytes) -> None:
        (shelf / f"{index:05d}").write_bytes(data)

    offer = cut_snapshot(kv.snapshot(), chain.genesis_hash, write_chunk)
    (shelf / "offer").write_bytes(encode(offer))
    kv.close()
    (place / "snapshots.partial").rename(place / "snapshots")
    return place


def measure(folder: Path, vehicles: int, seed: int) -> Measure:
    place = _make(folder, vehicles, seed)
    with tempfile.TemporaryDirectory() as temporary:
        overrides = {"storage__snapshot_gap": 2, "storage__snapshot_interval": 1_000_000}
        with running_network(Path(temporary) / "net", start=False, **overrides) as network:
            source, newcomer = network.nodes[:2]
            shutil.rmtree(source.home.store, ignore_errors=True)
            shutil.copytree(place / "store", source.home.store)
            shutil.copytree(place / "snapshots", source.home.snapshots)
            source.start()
            wait_for(lambda: source.height() > 0, 60, "the source answers")
            started = time.perf_counter()
            newcomer.start("--accept-old-root")
            wait_for(lambda: newcomer.height() >= source.height(), 120, "the newcomer stands at the snapshot's height")
            seconds = time.perf_counter() - started
            assert "snapshot_used" in newcomer.log.read_text(), newcomer.log_tail(20)
    return Measure(
        f"snapshot sync of {vehicles:,} vehicles", seconds, BAR_S, seconds, 1,
        "seconds from the process's start to its first answer at that height", bar_is_upper=True,
        details={"seed": seed, "vehicles": vehicles},
    )  # fmt: skip
