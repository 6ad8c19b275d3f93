"""States with many vehicles: made once from a seed, kept in the cache folder, and copied for each measurement.

A state of 10^6 vehicles is the one of 10^5 with 900 blocks more. An interrupted making goes on where it ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import click
import msgspec
from support.chain import DAY_MS
from support.load import Car, LoadChain
from support.memory_store import MemoryStore
from support.processes import running_network

from node.chain.dev_genesis import DEV_PARTIES, DEV_TIME_MS, build_genesis
from node.chain.genesis import Genesis, genesis_hash, genesis_to_json
from node.cli.init import TESTNET_TREE_DEPTH
from node.cli.local_network import LocalNetwork
from node.codec import encode
from node.consensus.safety import HardState
from node.crypto.dev_keys import dev_key
from node.execution.block_run import BlockRun
from node.ledger.params import ChainParams
from node.storage.chain_store import ChainReader
from node.storage.leveldb import LevelStore
from node.storage.safety_store import SafetyFile
from node.storage.store_dirs import link_or_copy

BLOCK_TXS: Final = 1_000
BLOCK_MS: Final = 600_000
"""Block time between two blocks of births: the replay window holds those of a day."""
UNBOUND: Final = ChainParams(
    weight_per_account_day=10**12, keys_per_account_day=10**8, weight_per_sponsor_day=10**12, keys_per_sponsor_day=10**8
)
"""A day's quotas that an hour of load does not use up."""
NO_SNAPSHOT_GAP: Final = 10**12
VALIDATOR: Final = DEV_PARTIES[0].name
ACTIVE: Final = 10_000
"""Cars of a grown state that the mixed life goes on with."""
SIZES: Final = (10_000, 100_000, 1_000_000)
QUICK_SIZES: Final = SIZES[:2]
_decode_blocks = msgspec.msgpack.Decoder(list[bytes]).decode


@cache
def grown_genesis() -> Genesis:
    """The genesis of all grown states: one validator, the tree depth of `bmw-node testnet`, and quotas that let one
    account do the work of many."""
    parties = tuple(replace(party, power=10 * (party.name == VALIDATOR)) for party in DEV_PARTIES)
    return build_genesis("bmw-bench", DEV_TIME_MS, parties, dev_key, tree_depth=TESTNET_TREE_DEPTH, params=UNBOUND)


def vin_of(index: int) -> str:
    return f"WBA8E9G5{index:09d}"


@cache
def format_name() -> str:
    """Hexadecimal digits that change with every row that this software writes: a hash of the store of a short chain."""
    kv = MemoryStore()
    LoadChain(kv, depth=4).grow(120, block_txs=40)
    rows = sha256(genesis_hash(grown_genesis()))
    for key, value in kv.scan(b"", b"\xff" * 8):
        rows.update(len(key).to_bytes(4, "big") + key + len(value).to_bytes(4, "big") + value)
    return rows.hexdigest()[:16]


# --- births -------------------------------------------------------------------------------------------------
class BirthChain(LoadChain):
    """Each block holds `BLOCK_TXS` births. A block depends on the seed and its height alone."""

    def __init__(self, kv: LevelStore, *, seed: int, block_txs: int = BLOCK_TXS) -> None:
        super().__init__(kv, seed=seed, genesis=grown_genesis(), block_ms=BLOCK_MS)
        self._seed = seed
        self._block_txs = block_txs

    @property
    def births(self) -> int:
        return self.store.height() * self._block_txs

    def load_block(self, count: int) -> None:
        assert count == self._block_txs, "blocks of one size"
        self.random = Random(f"{self._seed}/{self.store.height()}")
        self._salt = self.births
        self.now = DEV_TIME_MS + DAY_MS + self.store.height() * BLOCK_MS
        super().load_block(count)

    def _step(self, run: BlockRun) -> None:
        run.add(self._signed("bmw", self._register(Car(vin_of(self._salt))), ()))


def store_with(folder: Path, vehicles: int, seed: int, block_txs: int = BLOCK_TXS) -> Path:
    """The place of the state with so many vehicles: its `store`, and `signed.json` with the bytes of all signed
    transactions. Made if it is missing, from the next smaller one if there is one."""
    assert vehicles % block_txs == 0, "whole blocks"
    place = folder / f"grown-{seed}-{format_name()}" / str(vehicles)
    if (place / "signed.json").exists():
        return place
    store = place / "store"
    smaller = [size for size in SIZES if size < vehicles]
    if smaller and not store.exists():
        copy_store(store_with(folder, smaller[-1], seed, block_txs) / "store", store)
    with closing(LevelStore(store)) as kv:
        chain = BirthChain(kv, seed=seed, block_txs=block_txs)
        while chain.births < vehicles:
            chain.load_block(block_txs)
            if chain.births % (100 * block_txs) == 0:
                click.echo(f"  {chain.births:,} of {vehicles:,} vehicles", err=True)
        signed_bytes = 0
        for height in range(1, chain.store.height() + 1):
            block = chain.store.block(height)
            assert block is not None, "every block is kept"
            signed_bytes += sum(map(len, block.transactions))
    (place / "signed.json").write_text(json.dumps({"transactions": vehicles, "bytes": signed_bytes}))
    return place


def signed_bytes_of(place: Path) -> int:
    return int(json.loads((place / "signed.json").read_text())["bytes"])


# --- copies -------------------------------------------------------------------------------------------------
def copy_store(store: Path, target: Path) -> None:
    """Copy a closed store, whole or not at all. Its tables, which never change, are linked."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for entry in sorted(store.iterdir()):
        if entry.is_file() and entry.name not in ("LOCK", "HOLDER"):
            link_or_copy(entry, partial / entry.name)
    partial.rename(target)


@contextmanager
def copied(store: Path) -> Iterator[Path]:
    """A copy to write to, on the same file system, and deleted at the end."""
    with TemporaryDirectory(dir=store.parent, prefix="copy-") as temporary:
        copy_store(store, Path(temporary) / "store")
        yield Path(temporary) / "store"


@contextmanager
def network_at(place: Path, **overrides: Any) -> Iterator[LocalNetwork]:
    """A network of one validator, not started, whose home has a copy of the state. `overrides`: of its settings, which
    are else the defaults, but for the look for a newer snapshot: the state is old, a node that restarts is not."""
    settings = {
        "node__verify_workers": 1,
        "consensus__block_interval_empty_ms": 10_000,
        "storage__snapshot_gap": NO_SNAPSHOT_GAP,
    } | overrides
    with (
        TemporaryDirectory(dir=place, prefix="network-") as temporary,
        running_network(Path(temporary) / "net", 1, start=False, **settings) as network,
    ):
        home = network.nodes[0].home
        home.genesis.write_text(genesis_to_json(grown_genesis()))
        copy_store(place / "store", home.store)
        with closing(LevelStore(home.store)) as kv:
            height = ChainReader(kv).height()
        # The validator has signed every block: without this it would sign none until others have made some.
        SafetyFile(home.hard_state).save(encode(HardState(height, 0, (), None, None, (), ())))
        yield network


# --- life in them -------------------------------------------------------------------------------------------
class MixedChain(LoadChain):
    """The mixed life of `LoadChain` with `ACTIVE` cars, chosen at random among all of a grown state: the same life,
    transaction by transaction, whatever the size."""

    def __init__(self, kv: LevelStore, vehicles: int, *, seed: int) -> None:
        super().__init__(kv, seed=seed, genesis=grown_genesis())
        self._next_index = vehicles
        self.cars = [Car(vin_of(index)) for index in Random(seed).sample(range(vehicles), min(vehicles, ACTIVE))]

    def _new_vin(self) -> str:
        self._next_index += 1
        return vin_of(self._next_index - 1)


def mixed_blocks(folder: Path, vehicles: int, transactions: int, seed: int, block_txs: int = BLOCK_TXS) -> list[bytes]:
    """Canonical bytes of the blocks with their certificates that go on from the state with so many vehicles by as many
    mixed transactions. Made once."""
    place = store_with(folder, vehicles, seed)
    file = place / f"life-{transactions}-{ACTIVE}.blocks"
    if not file.exists():
        with copied(place / "store") as copy, closing(LevelStore(copy)) as kv:
            chain = MixedChain(kv, vehicles, seed=seed)
            first = chain.store.height() + 1
            chain.grow(transactions, block_txs)
            found = [chain.store.committed(height) for height in range(first, chain.store.height() + 1)]
        partial = file.with_suffix(".partial")
        partial.write_bytes(msgspec.msgpack.encode([encode(one) for one in found if one is not None]))
        partial.rename(file)
    return _decode_blocks(file.read_bytes())
