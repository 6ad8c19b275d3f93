"""The keys in which two sources differ, their values, and the transactions that wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.block_server import serving
from support.chain import Chain
from support.life import VIN, km, maintenance, read, register
from support.replaying import GENESIS
from support.stores import archive_of, copied, entries, lax_block, life_store, tampered

from node.audit.compare import Comparison, compare, compare_states
from node.audit.node_source import NodeSource
from node.audit.sources import ArchiveSource, BlockSource, StoreSource
from node.codec import encode
from node.execution.block_run import BlockResult, BlockRun
from node.storage import schema
from node.storage.leveldb import LevelStore
from node.storage.snapshot_files import write_snapshot
from node.txtypes.vehicle.vehicle import VEHICLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_store(tmp_path_factory.mktemp("life"))


def going_on(folder: Path, target: Path) -> Chain:
    return Chain(kv=LevelStore(copied(folder, target)))


def compared(one: BlockSource, other: BlockSource, snapshots: Sequence[Path] = ()) -> Comparison:
    try:
        return compare_states(compare(one, other), GENESIS, (one, other), snapshots)
    finally:
        one.close()
        other.close()


def test_a_fork_of_two_valid_blocks(folder: Path, tmp_path: Path) -> None:
    """Without a snapshot the state before them is executed from genesis."""
    one, other = going_on(folder, tmp_path / "one"), going_on(folder, tmp_path / "other")
    one.do("bmw", register("WBA8E9G50GNU12346"))
    ident = other.do("bmw", register("WBA8E9G50GNU12347"))
    for chain in (one, other):
        chain.produce()
        chain.store.kv.close()
    for sources in (
        (StoreSource(tmp_path / "one"), StoreSource(tmp_path / "other")),
        tuple(ArchiveSource(archive_of(tmp_path / n, tmp_path / f"{n}.bmw", tmp_path / "s")) for n in ("one", "other")),
    ):
        found = compared(*sources)
        assert found.difference.startswith("height 12: block id")
        assert found.state is not None and (12, ("", "")) == (found.state.height, found.state.faults)
        by_key = {difference.key: difference for difference in found.state.keys}
        mine = by_key["vehicle/WBA8E9G50GNU12347"]
        assert (None, ident) == (mine.values[0], mine.writers[1].txid if mine.writers[1] else b"")
        assert "vehicle.register" == mine.to_json()["writers"][1]["type"]
        assert "330I" in str(mine.decoded()[1])
        assert "vehicle/WBA8E9G50GNU12346" in by_key
        assert not any(key.startswith(f"vehicle/{VIN}") for key in by_key)
        assert found.state.keys[-1].key.startswith(("quota/", "window/"))


def test_a_running_node_and_an_archive(folder: Path, tmp_path: Path) -> None:
    one, other = going_on(folder, tmp_path / "one"), going_on(folder, tmp_path / "other")
    one.do("bmw", register("WBA8E9G50GNU12346"))
    other.do("bmw", register("WBA8E9G50GNU12347"))
    blocks = {height: encode(one.store.committed(height)) for height in range(1, 13)}
    for chain in (one, other):
        chain.store.kv.close()
    archive = archive_of(tmp_path / "other", tmp_path / "other.bmw", tmp_path / "s")
    with serving(blocks.__getitem__, 12, one) as url:
        found = compared(NodeSource(url), ArchiveSource(archive))
    assert found.difference.startswith("height 12: block id") and found.state is not None
    assert {"vehicle/WBA8E9G50GNU12346", "vehicle/WBA8E9G50GNU12347"} < {key.key for key in found.state.keys}


def test_a_block_whose_validators_have_ignored_a_guard(folder: Path, tmp_path: Path) -> None:
    """The guard is named, and what the transaction did all the same."""
    one, other = going_on(folder, tmp_path / "one"), going_on(folder, tmp_path / "other")
    good = one.sign("workshop-berlin", maintenance(one, 7_000))
    bad = other.sign("buyer-1", read(VIN, km(7_100), other.now, "reading"))
    one.produce(good)
    lax_block(other, good, bad)
    ident = other.check(bad).txid
    write_snapshot(tmp_path / "snapshots", 12, other.store.kv.snapshot(), other.genesis_hash)
    for chain in (one, other):
        chain.produce()
        chain.store.kv.close()
    found = compared(StoreSource(tmp_path / "one"), StoreSource(tmp_path / "other"), [tmp_path / "snapshots"])
    assert found.state is not None
    assert found.state.faults[0] == ""
    assert found.state.faults[1].startswith(f"block 12: transaction 1, txid {ident.hex()}, rule role_missing")
    vehicle = next(key for key in found.state.keys if key.key == f"vehicle/{VIN}")
    assert [0, 1] == [writer.index for writer in vehicle.writers if writer is not None]
    one_count, other_count = vehicle.fields()["record_count"]
    assert one_count + 1 == other_count


class Wrong(BlockRun):
    """Software with an error: the vehicle has one transfer too many."""

    def finish(self, evidence=()) -> BlockResult:
        key = VEHICLE.key(VIN)
        vehicle = self._overlay.get(VEHICLE, key)
        self._overlay.put(VEHICLE, key, replace(vehicle, transfer_count=vehicle.transfer_count + 1))
        return super().finish(evidence)


class WrongChain(Chain):
    is_wrong = False

    def run(self, *, records_reads: bool = False) -> BlockRun:
        kind = Wrong if self.is_wrong else BlockRun
        return kind(self.store.state, self.store.tree, self.store.head(), self.genesis_hash, self.now)

    def judge(self, block) -> BlockResult:
        run = self.run()
        for raw in block.transactions:
            run.add(self.check(raw))
        return run.finish()


@pytest.mark.parametrize("has_snapshots", [False, True])
def test_software_that_leads_to_another_state(folder: Path, tmp_path: Path, has_snapshots: bool) -> None:
    """Its blocks do not tell what it wrote: its own state does, of its store or of its next snapshot."""
    one, other = going_on(folder, tmp_path / "one"), WrongChain(kv=LevelStore(copied(folder, tmp_path / "other")))
    raw = one.sign("workshop-berlin", maintenance(one, 7_000))
    ident = one.check(raw).txid
    one.produce(raw)
    other.is_wrong = True
    other.produce(raw)
    other.is_wrong = False
    for chain in (one, other):
        chain.produce()
        if has_snapshots:
            write_snapshot(tmp_path / "snapshots" / str(chain is one), 13, chain.store.kv.snapshot(), one.genesis_hash)
        chain.produce()
        chain.produce()
        chain.store.kv.close()
    snapshots = [tmp_path / "snapshots" / name for name in ("True", "False")] if has_snapshots else []
    sources: list[BlockSource] = [StoreSource(tmp_path / "one"), StoreSource(tmp_path / "other")]
    if has_snapshots:
        for source in sources:
            source.close()
        sources = [ArchiveSource(archive_of(tmp_path / n, tmp_path / f"{n}.bmw", tmp_path / "s"))
                   for n in ("one", "other")]  # fmt: skip
    found = compared(*sources, snapshots)
    assert found.difference.startswith("height 12: block id") and "transactions" not in found.difference
    assert found.state is not None
    assert (13 if has_snapshots else 15) == found.state.height
    assert found.state.faults[0] == "" and "its header has" in found.state.faults[1]
    assert [f"vehicle/{VIN}"] == [key.key for key in found.state.keys]
    assert ["transfer_count"] == list(found.state.keys[0].fields())
    assert [ident, ident] == [writer.txid for writer in found.state.keys[0].writers if writer is not None]


def test_an_archive_of_such_software_alone_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    one, other = going_on(folder, tmp_path / "one"), WrongChain(kv=LevelStore(copied(folder, tmp_path / "other")))
    one.produce()
    other.is_wrong = True
    other.produce()
    for chain in (one, other):
        chain.store.kv.close()
    names = ("one", "other")
    found = compared(*(ArchiveSource(archive_of(tmp_path / n, tmp_path / f"{n}.bmw", tmp_path / "s")) for n in names))
    assert found.state is not None and "has no stored state" in found.state.note and not found.state.keys


def test_a_block_below_the_fork_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    one, other = going_on(folder, tmp_path / "one"), going_on(folder, tmp_path / "other")
    one.do("bmw", register("WBA8E9G50GNU12346"))
    other.do("bmw", register("WBA8E9G50GNU12347"))
    for chain in (one, other):
        chain.store.kv.close()
    bad = tampered(tmp_path / "one", tmp_path / "bad", {}, (schema.block_key(5),))
    found = compared(StoreSource(bad), StoreSource(tmp_path / "other"))
    assert found.difference.startswith("height 12: block id")
    assert found.state is not None and "block 5" in found.state.note


# --- the same blocks ---------------------------------------------------------------------------------------------
def test_common_blocks_that_are_not_valid(folder: Path, tmp_path: Path) -> None:
    """Both sources have the block of validators that have ignored a guard."""
    chain = going_on(folder, tmp_path / "bad")
    lax_block(chain, chain.sign("buyer-1", read(VIN, km(7_100), chain.now, "reading")))
    chain.store.kv.close()
    archive = archive_of(tmp_path / "bad", tmp_path / "a.bmw", tmp_path / "scratch")
    found = compared(ArchiveSource(archive), StoreSource(tmp_path / "bad"))
    assert found.difference.startswith("the blocks of both can't be executed: height 12, role_missing")


def test_a_value_that_was_changed_on_a_disk(folder: Path, tmp_path: Path) -> None:
    key = schema.state_key(VEHICLE.key(VIN))
    stored = entries(folder, tmp_path / "scratch")
    vehicle = VEHICLE.decode(stored[key])
    raw = VEHICLE.encode(replace(vehicle, transfer_count=9), 1)
    bad = tampered(folder, tmp_path / "bad", {key: raw})
    archive = archive_of(folder, tmp_path / "a.bmw", tmp_path / "scratch")
    for other in (StoreSource(folder), ArchiveSource(archive)):
        found = compared(StoreSource(bad), other)
        assert "height 11: the stored states differ" == found.difference
        assert found.state is not None
        assert "height 11: its values lead to the state root" in found.state.faults[0] and not found.state.faults[1]
        assert [f"vehicle/{VIN}"] == [difference.key for difference in found.state.keys]
        assert {"transfer_count": (9, vehicle.transfer_count)} == found.state.keys[0].fields()
        writer = found.state.keys[0].writers[0]
        assert writer is not None and (11, "accident.report") == (writer.height, writer.type)


def test_sources_that_are_the_same_differ_in_nothing(folder: Path, tmp_path: Path) -> None:
    archive = archive_of(folder, tmp_path / "a.bmw", tmp_path / "scratch")
    shorter = archive_of(folder, tmp_path / "b.bmw", tmp_path / "scratch", last=5)
    found = compared(ArchiveSource(shorter), StoreSource(folder))
    assert ("", None, 5) == (found.difference, found.state, found.same_to)
    for one, other in (
        (StoreSource(folder), StoreSource(folder)),
        (StoreSource(folder), ArchiveSource(archive)),
        (ArchiveSource(archive), ArchiveSource(archive)),
    ):
        found = compared(one, other)
        assert ("", None, 11) == (found.difference, found.state, found.same_to)


@pytest.mark.parametrize("height", range(1, 12))
def test_the_first_block_that_differs_is_found_by_bisection(folder: Path, tmp_path: Path, height: int) -> None:
    read_heights: list[int] = []

    class Noting(ArchiveSource):
        def blocks(self, first: int, last: int):
            read_heights.append(last - first)
            return super().blocks(first, last)

    chain = Chain(kv=LevelStore(tmp_path / "one"))
    other = Chain(kv=LevelStore(tmp_path / "other"))
    for at in range(1, 12):
        for one in (chain, other):
            one.now += 7 * (one is other and at >= height)
            one.produce()
    for one in (chain, other):
        one.store.kv.close()
    names = ("one", "other")
    sources = [Noting(archive_of(tmp_path / n, tmp_path / f"{n}.bmw", tmp_path / "s")) for n in names]
    found = compare(*sources)
    assert (height - 1, None) == (found.same_to, found.certificates_differing)
    assert found.difference.startswith(f"height {height}: block id")
    assert set(read_heights) == {0} and len(read_heights) <= 2 * 6
