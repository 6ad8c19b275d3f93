"""The repair kit of an operator: rollback, reindex, verify-store, compact; stopped homes and networks."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.commands import run
from support.life import VIN
from support.life_home import height_of, life_home
from support.processes import check_no_fork, running_network, wait_for, wait_height
from support.stores import archive_of, copied, entries, fingerprint

from node.chain.block import decode_block
from node.cli.init import new_keys, write_home
from node.codec import encode
from node.daemon.config import load_config
from node.daemon.home import Home
from node.daemon.node import Node
from node.storage import leveldb, schema
from node.storage.leveldb import LevelReader, LevelStore


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In LevelDB blocks of 4 KiB: one of 8 KiB has nearly all of this short chain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leveldb, "BLOCK_BYTES", 4_096)
        return life_home(tmp_path_factory.mktemp("life"))


@pytest.fixture
def home(life: Path, tmp_path: Path) -> Home:
    shutil.copytree(life, tmp_path / "home")
    return Home(tmp_path / "home")


def stored(home: Home, store: Path | None = None) -> dict[bytes, bytes]:
    return entries(store or home.store, home.path / "scratch")


def besides_stores(home: Home) -> dict[str, bytes]:
    """Every file that no repair may touch."""
    return {name: digest for name, digest in fingerprint(home.path).items() if not name.startswith("data/store")}


def beside(home: Home) -> list[str]:
    """What stands next to the store."""
    return sorted(path.name for path in home.store.parent.iterdir() if path.name.startswith("store."))


def change(home: Home, puts: dict[bytes, bytes], *deletes: bytes) -> None:
    kv = LevelStore(home.store, create=False)
    kv.write(puts, list(deletes))
    kv.close()


@pytest.fixture
def in_use(home: Home) -> Iterator[Home]:
    kv = LevelStore(home.store)
    yield home
    kv.close()


# --- rollback ------------------------------------------------------------------------------------------
def test_a_rollback_brings_back_the_state_of_then_and_touches_nothing_else(home: Home, life: Path) -> None:
    before, untouched, height = stored(home), besides_stores(home), height_of(home)
    shown = run("bmw-node", "rollback", "--home", home.path, "--heights", 3, "--json").json
    assert (height, height - 3) == (shown["height_before"], shown["height"])
    then = Chain()
    kept = Path(shown["old_store"])
    source = LevelStore(copied(kept, home.path / "source"))
    for at in range(1, height - 2):
        raw, commit = source.get(schema.block_key(at)), source.get(schema.commit_key(at))
        block = decode_block(raw)
        then.store.commit_block(block, then.judge(block), then.commit_for(block))
        assert encode(then.store.commit(at)) == commit
    source.close()
    shutil.rmtree(home.path / "source")
    assert dict(then.store.kv.scan(b"", b"\xff" * 64)) == stored(home)
    assert before == stored(home, kept)
    assert untouched == besides_stores(home)
    assert [f"store.before-rollback-{height}"] == beside(home)
    replay = ("replay", "--store", home.path, "--genesis", home.genesis, "--workers", 0)
    assert height - 3 == run("bmw-audit", *replay, "--json").json["height"]


def test_what_was_taken_back_comes_again_by_import(home: Home, tmp_path: Path) -> None:
    archive_of(home.store, tmp_path / "all.bmw", tmp_path / "scratch")
    before = stored(home)
    assert 0 == run("bmw-node", "rollback", "--home", home.path, "--heights", 5, "--discard").code
    assert [] == beside(home)
    assert 0 == run("bmw-node", "import", "--home", home.path, tmp_path / "all.bmw").code
    assert before == stored(home)


def test_to_genesis_and_not_beyond(home: Home) -> None:
    height = height_of(home)
    refused = run("bmw-node", "rollback", "--home", home.path, "--heights", height + 1)
    refused.refused(2, f"has {height}")
    done = run("bmw-node", "rollback", "--home", home.path, "--heights", height)
    assert (0, 0) == (done.code, height_of(home))
    assert "validators must agree" in done.out
    assert f"rm -r {home.store}.before-rollback-{height}" in done.out
    run("bmw-node", "rollback", "--home", home.path).refused(2, "has 0 blocks")


def test_a_rollback_goes_back_before_a_damaged_block(home: Home) -> None:
    """The blocks taken back need not be readable."""
    height = height_of(home)
    change(home, {schema.block_key(height - 1): b"rubbish"}, schema.commit_key(height), schema.META_HEAD)
    failed = run("bmw-node", "verify-store", "--home", home.path)
    mend = f"bmw-node rollback --home {home.path} --heights 2"
    assert 1 == failed.code
    assert mend in failed.err
    run("bmw-node", "reindex", "--home", home.path).refused(1, f"block {height - 1} is invalid", mend)
    assert 0 == run("bmw-node", *mend.split()[1:]).code
    assert height - 2 == height_of(home)


def test_a_run_that_was_broken_off_is_begun_again_or_ended(home: Home) -> None:
    """A half-made store is thrown away; an exchange that has happened is not done twice."""
    height = height_of(home)
    half = home.store.with_name("store.rebuilt")
    copied(home.store, half)
    shown = run("bmw-node", "rollback", "--home", home.path, "--heights", 2, "--json").json
    assert (height - 2, [f"store.before-rollback-{height}"]) == (shown["height"], beside(home))
    # As a power cut between the exchange and the old store's new name leaves it:
    kept = Path(shown["old_store"])
    kept.rename(half)
    marker = {"command": "rollback", "before": height, "height": height - 2, "kept_as": kept.name}
    (home.store / "REBUILT").write_text(json.dumps(marker))
    assert shown == run("bmw-node", "rollback", "--home", home.path, "--heights", 2, "--json").json
    assert height - 2 == height_of(home)
    assert [kept.name] == beside(home)
    assert height - 4 == run("bmw-node", "rollback", "--home", home.path, "--heights", 2, "--json").json["height"]


def test_a_start_ends_an_exchange_that_was_broken_off_between_two_renames(home: Home) -> None:
    """Where stores can't be exchanged at once: a start must never begin an empty store in the gap."""
    height = height_of(home)
    assert 0 == run("bmw-node", "rollback", "--home", home.path, "--heights", 2).code
    marker = {"command": "rollback", "before": height, "height": height - 2, "kept_as": "store.before-it"}
    (home.store / "REBUILT").write_text(json.dumps(marker))
    home.store.rename(home.store.with_name("store.rebuilt"))
    node = Node(home, load_config(home.config, {}, {}), allow_dev_keys=True)
    try:
        assert height - 2 == node.store.height()
        assert not (home.store / "REBUILT").exists()
    finally:
        asyncio.run(node.stop())


# --- reindex -------------------------------------------------------------------------------------------
def test_a_reindex_mends_everything_that_follows_from_the_blocks(home: Home) -> None:
    good, untouched = stored(home), besides_stores(home)
    lost = [next(key for key in good if key[:1] == family) for family in (b"I", b"K", b"T", b"V", b"W", b"X", b"S")]
    change(home, {schema.record_key(VIN, 1): b"forged", b"Xr/dealer/ff": b""}, *lost)
    assert 1 == run("bmw-node", "verify-store", "--home", home.path).code
    done = run("bmw-node", "reindex", "--home", home.path)
    assert 0 == done.code, done.err
    assert good == stored(home)
    assert untouched == besides_stores(home)
    assert 0 == run("bmw-node", "verify-store", "--home", home.path).code
    assert good != stored(home, home.store.with_name(f"store.before-reindex-{height_of(home)}"))


def test_the_first_block_that_does_not_hold_is_named_and_the_old_store_stays(home: Home) -> None:
    good = stored(home)
    block = decode_block(good[schema.block_key(5)])
    raw = block.transactions[0]
    change(home, {schema.block_key(5): encode(replace(block, transactions=(raw[:-1] + bytes([raw[-1] ^ 1]),)))})
    damaged = stored(home)
    sentence = run("bmw-node", "reindex", "--home", home.path).refused(1, "block 5 is invalid", "tx_root")
    assert "goes back to height 4" in sentence
    assert damaged == stored(home)
    assert [] == beside(home)


def test_a_store_without_its_first_blocks_is_refused(home: Home) -> None:
    change(home, {}, *(key(at) for at in (1, 2) for key in (schema.block_key, schema.commit_key)))
    for command in ("reindex", "rollback"):
        run("bmw-node", command, "--home", home.path).refused(3, "no blocks before 3", "sync again")
    assert [] == beside(home)


@pytest.mark.parametrize("command", ["rollback", "reindex", "verify-store", "compact"])
def test_a_store_in_use_and_a_home_without_one_are_refused(command: str, in_use: Home, tmp_path: Path) -> None:
    run("bmw-node", command, "--home", in_use.path).refused(3, "in use by process", "stop")
    assert [] == beside(in_use)
    empty = write_home(tmp_path / "empty", in_use.read_genesis(), new_keys(), {})
    run("bmw-node", command, "--home", empty.path).refused(3, "there is no store", "bmw-node start")
    assert not empty.store.exists()
    run("bmw-node", command, "--home", tmp_path / "nowhere").refused(3, "no node's home", "bmw-node init")
    run("bmw-node", command).refused(2, "--home")


# --- verify-store --------------------------------------------------------------------------------------
def test_a_good_store_and_a_checkpoint_are_verified_and_stay_as_they_are(home: Home, tmp_path: Path) -> None:
    before = fingerprint(home.path)
    shown = run("bmw-node", "verify-store", "--home", home.path, "--json").json
    assert ("ok", []) == (shown["result"], shown["damages"])
    assert before == fingerprint(home.path)
    assert len(stored(home)) == shown["keys"]
    point = tmp_path / "checkpoint"
    copied(home.store, point / "store")
    shutil.copy(home.genesis, point)
    plain = run("bmw-node", "verify-store", "--home", point)
    assert (0, True) == (plain.code, "no damage found" in plain.out)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (schema.commit_key(4), ("certificate 4, height 4", "rollback", "--heights 8")),
        (schema.record_key(VIN, 2), (f"vehicle record {VIN}/2", "reindex")),
        (b"S" + f"vehicle/{VIN}".encode(), ("state value of slot", "reindex")),
    ],
)
def test_what_is_damaged_is_named_with_its_mend(home: Home, key: bytes, words: tuple[str, ...]) -> None:
    change(home, {}, key)
    failed = run("bmw-node", "verify-store", "--home", home.path, "--json")
    assert 1 == failed.code
    shown = json.loads(failed.out)
    assert "damaged" == shown["result"]
    assert shown["damages"][0]["family"] in failed.err
    for word in words:
        assert word in failed.err
    assert "" == run("bmw-node", "inspect", "--home", home.path, "3").err, "the command itself needs no good store"


def test_bytes_that_the_disk_flips_are_found_wherever_they_are(home: Home) -> None:
    """Below the keys: LevelDB's own checksums fail, and what is said names the store, not the copy that was read."""
    run("bmw-node", "compact", "--home", home.path)
    table = max(home.store.glob("*.ldb"), key=lambda path: path.stat().st_size)
    good = table.read_bytes()
    seen: set[str] = set()
    for place in range(7, len(good) - 60, len(good) // 23):
        table.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        failed = run("bmw-node", "verify-store", "--home", home.path, "--json")
        assert 1 == failed.code, place
        assert ".reading" not in failed.out + failed.err
        seen |= {damage["family"] for damage in json.loads(failed.out)["damages"]} if failed.out else {"all of it"}
    assert {"block", "state value", "vehicle record"} <= seen
    table.write_bytes(good)
    assert 0 == run("bmw-node", "verify-store", "--home", home.path).code


def test_a_wrong_length_at_the_end_of_the_log_is_named_by_everything_that_opens_the_store(home: Home) -> None:
    """LevelDB would drop the record and all after it, and the store would be whole at a lower height."""
    kv = LevelStore(home.store)
    for key, value in list(kv.scan(b"B", b"C"))[-4:]:
        kv.write({key: value}, [])
    LevelReader.close(kv)  # as after a crash: what was written last is in the log alone
    (log,) = (path for path in home.store.glob("*.log") if path.stat().st_size)
    raw = log.read_bytes()
    at = len(cut_batches(raw, 3))
    log.write_bytes(raw[: at + 5] + bytes([raw[at + 5] ^ 64]) + raw[at + 6 :])
    before = fingerprint(home.path)
    told = f"the store in {home.store} is damaged (the record at byte {at} of {log.name} is wrong;"
    of_home = "--home", home.path
    for code, command in (
        (1, ("bmw-node", "verify-store", *of_home)),
        (1, ("bmw-audit", "replay", "--store", home.path, "--genesis", home.genesis, "--workers", 0)),
        (1, ("bmw-node", "reindex", *of_home)),
        (1, ("bmw-node", "rollback", *of_home)),
        (3, ("bmw-node", "compact", *of_home)),
        (3, ("bmw-node", "inspect", *of_home, "1")),
        (3, ("bmw-node", "export", *of_home, home.path / "blocks.bmw")),
        (3, ("bmw-node", "start", *of_home, "--dev")),
    ):
        run(*command).refused(code, told)
        assert before == fingerprint(home.path), command
    log.write_bytes(raw)
    assert "no damage found" in run("bmw-node", "verify-store", *of_home).out


def test_what_can_be_read_is_enough_to_mend_a_flipped_byte(home: Home) -> None:
    """Where no block is hit, a reindex mends it; where one is, the rollback that verify-store names does."""
    good = stored(home)
    run("bmw-node", "compact", "--home", home.path)
    table = max(home.store.glob("*.ldb"), key=lambda path: path.stat().st_size)
    content = table.read_bytes()
    head = good[b"Mhead"][-20:]  # the header of the last block has it too, and stands before it
    signature = decode_block(good[schema.block_key(7)]).transactions[0][-20:]
    for place, mend in ((content.rfind(head), "reindex"), (content.find(signature), "rollback")):
        assert place > 0, "not compressed away"
        shutil.copytree(home.path, home.path.with_name(mend))
        damaged = Home(home.path.with_name(mend))
        (damaged.store / table.name).write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        failed = run("bmw-node", "verify-store", "--home", damaged.path)
        command = re.search(r"'bmw-node ([^']*)'", failed.err)
        assert command is not None, failed.err
        assert command[1].startswith(mend)
        assert 0 == run("bmw-node", *command[1].split()).code
        assert 0 == run("bmw-node", "verify-store", "--home", damaged.path).code
        if mend == "reindex":
            assert good == stored(damaged)
        else:
            assert 0 < height_of(damaged) < 7


# --- compact -------------------------------------------------------------------------------------------
def test_compacting_gives_space_back_and_changes_no_entry(home: Home) -> None:
    before, chance = stored(home), random.Random(1)
    for number in range(3):
        change(home, {b"Z" + bytes([number, i]): chance.randbytes(60_000) for i in range(20)})
        change(home, {}, *(b"Z" + bytes([number, i]) for i in range(20)))
    shown = run("bmw-node", "compact", "--home", home.path, "--json").json
    assert shown["bytes_after"] < shown["bytes_before"] // 2
    assert before == stored(home)
    assert "bytes before" in run("bmw-node", "compact", "--home", home.path).out


# --- on a network --------------------------------------------------------------------------------------
@pytest.mark.network
def test_a_validator_that_was_rolled_back_syncs_the_same_blocks_and_signs_again(tmp_path: Path) -> None:
    with running_network(tmp_path, consensus__block_interval_empty_ms=300) as network:
        wait_height(network.nodes, 4)
        victim, others = network.nodes[3], network.nodes[:3]
        run("bmw-node", "rollback", "--home", victim.home.path).refused(3, "in use by process")
        assert 0 == victim.stop()
        signing = victim.home.hard_state.read_bytes()
        shown = run("bmw-node", "rollback", "--home", victim.home.path, "--heights", 3, "--json").json
        assert shown["height"] == shown["height_before"] - 3
        assert signing == victim.home.hard_state.read_bytes()
        victim.start()
        wait_height([victim], max(node.height() for node in others) + 2)
        wait_for(lambda: victim.get("/v1/status")["signing"] == "signing", 20, "signing again")
        check_no_fork(network)


@pytest.mark.network
def test_a_store_that_has_lost_synced_blocks_is_named_and_one_that_is_synced_anew_is_not(tmp_path: Path) -> None:
    """A log that was cut looks like a torn write; the signing state knows better."""
    with running_network(tmp_path, consensus__block_interval_empty_ms=300) as network:
        victim = network.nodes[3]
        wait_height(network.nodes, 6)
        wait_for(lambda: victim.get("/v1/status")["signing"] == "signing", 20, "signing")
        wait_height([victim], victim.height() + 2)
        victim.kill()
        whole = shutil.copytree(victim.home.store, tmp_path / "whole")
        (log,) = (path for path in victim.home.store.glob("*.log"))
        log.write_bytes(cut_batches(log.read_bytes(), 4))
        for command in (
            ("bmw-node", "verify-store", "--home", victim.home.path),
            ("bmw-audit", "replay", "--store", victim.home.path, "--genesis", victim.home.genesis, "--workers", 0),
            ("bmw-node", "start", "--home", victim.home.path, "--dev"),
        ):
            words = "is missing, though this validator had all blocks to", "the disk has lost synced writes"
            done = run(*command)
            assert done.code == (3 if "start" in command else 1), done
            assert all(word in " ".join(done.err.split()) for word in words), done
        shutil.rmtree(victim.home.store)
        shutil.copytree(whole, victim.home.store)
        assert "no damage found" in run("bmw-node", "verify-store", "--home", victim.home.path).out

        shutil.rmtree(victim.home.store)  # what the error recommends, and killed before it has caught up
        for height in (1, 2):
            victim.start()
            wait_height([victim], height)
            victim.kill()
        shutil.rmtree(victim.home.store)
        shutil.copytree(whole, victim.home.store)  # a copy of the files, older than the last run
        victim.start()
        wait_for(lambda: victim.is_ready() and victim.get("/v1/status")["signing"] == "signing", 20, "signing again")
        check_no_fork(network)


def cut_batches(log: bytes, count: int) -> bytes:
    """A LevelDB log without its last batches."""
    begins, at = [], 0
    while at < len(log):
        length, kind = struct.unpack_from("<HB", log, at + 4)
        if kind in (1, 2):  # whole, or a first part
            begins.append(at)
        at += 7 + length
        at += (-at % 32_768) * (-at % 32_768 < 7)
    return log[: begins[-count]]


def test_every_command_shows_an_example() -> None:
    for command in (("rollback",), ("reindex",), ("verify-store",), ("compact",), ("debug",), ("debug", "bundle")):
        shown = run("bmw-node", *command, "--help")
        assert f"Example:\n    bmw-node {' '.join(command)}" in shown.out
