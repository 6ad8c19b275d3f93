"""Blocks in and out of stores: export, import, inspect, replay, compare; and files that are not what they should be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.chain import Chain, dev_test_genesis
from support.commands import process, run
from support.life import VIN
from support.stores import archive_of, fingerprint, life_chain

from node.chain.genesis import genesis_to_json
from node.cli.init import new_keys, write_home
from node.storage.leveldb import LevelStore


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a stopped node whose store holds the life of a car, and beside it an archive of its blocks."""
    folder = tmp_path_factory.mktemp("life")
    chain = life_chain(folder / "store")
    chain.store.kv.close()
    write_home(folder / "home", chain.genesis, new_keys(), {"node.verify_workers": 0})
    (folder / "store").rename(folder / "home" / "data" / "store")
    assert 0 == run("bmw-node", "export", "--home", folder / "home", folder / "blocks.bmw").code
    (folder / "genesis.json").write_text(genesis_to_json(chain.genesis))
    return folder


@pytest.fixture
def fresh(tmp_path: Path, life: Path) -> Path:
    """A home of the same chain without a block."""
    home = tmp_path / "fresh"
    assert 0 == run("bmw-node", "init", home, "--genesis", life / "genesis.json").code
    return home


def head_of(home: Path, life: Path) -> tuple[int, str]:
    shown = run(
        "bmw-audit", "replay", "--store", home, "--genesis", life / "genesis.json", "--workers", 0, "--json"
    ).json
    return shown["height"], shown["state_root"]


# --- what goes out comes in --------------------------------------------------------------------------
def test_an_archive_brings_another_home_to_the_same_state(life: Path, fresh: Path) -> None:
    height, root = head_of(life / "home", life)
    assert height > 10
    done = run("bmw-node", "import", "--home", fresh, life / "blocks.bmw")
    assert (0, f"heights 1 to {height}") == (done.code, done.out.strip().removeprefix("imported "))
    assert (height, root) == head_of(fresh, life)
    assert "nothing new" in run("bmw-node", "import", "--home", fresh, life / "blocks.bmw").out
    done = run("bmw-audit", "compare", fresh, life / "blocks.bmw")
    assert (0, "") == (done.code, done.err)
    assert f"the same from 1 to {height}" in done.out


def test_a_part_goes_out_and_goes_on_where_a_store_ends(life: Path, fresh: Path, tmp_path: Path) -> None:
    height, root = head_of(life / "home", life)
    early, late = tmp_path / "early.bmw", tmp_path / "late.bmw"
    assert 0 == run("bmw-node", "export", "--home", life / "home", early, "--to", 4).code
    assert 0 == run("bmw-node", "export", "--home", life / "home", late, "--from", 5).code
    run("bmw-node", "import", "--home", fresh, late).refused(1, "gap", "goes on at block 5", "ends at 0")
    assert 0 == run("bmw-node", "import", "--home", fresh, early).code
    assert 4 == head_of(fresh, life)[0]
    assert 0 == run("bmw-node", "import", "--home", fresh, late).code
    assert (height, root) == head_of(fresh, life)
    run("bmw-node", "export", "--home", life / "home", tmp_path / "x", "--from", 999).refused(2, str(height), "999")
    run("bmw-node", "export", "--home", life / "home", tmp_path / "x", "--to", 999).refused(
        3, f"ends at height {height}"
    )
    assert not (tmp_path / "x").exists()
    before = early.read_bytes()
    run("bmw-node", "export", "--home", life / "home", early).refused(3, "early.bmw", "exists already")
    assert before == early.read_bytes()
    shown = run("bmw-node", "export", "--home", life / "home", tmp_path / "y", "--to", 2, "--json").json
    assert (1, 2) == (shown["from"], shown["to"])


def test_inspect_finds_a_block_and_a_transaction_by_every_name(life: Path) -> None:
    home = life / "home"
    block = run("bmw-node", "inspect", "--home", home, 1).json
    assert block == run("bmw-node", "inspect", "--home", home, block["id"]).json
    (tx,) = block["transactions"]
    shown = run("bmw-node", "inspect", "--home", home, tx["txid"]).json
    assert (1, 0, VIN) == (shown["height"], shown["index"], shown["body"]["vin"])
    run("bmw-node", "inspect", "--home", home, 999).refused(3, "999")
    run("bmw-node", "inspect", "--home", home, "ab" * 32).refused(3, "ab" * 32)
    run("bmw-node", "inspect", "--home", home, "xyz").refused(2, "xyz")


# --- what must not come in ---------------------------------------------------------------------------
def refused_archive(fresh: Path, life: Path, archive: Path, code: int, *words: str) -> None:
    """Both who would import it and who would audit it are told; the store keeps what it had."""
    run("bmw-node", "import", "--home", fresh, archive).refused(code, str(archive), *words)
    audit = run("bmw-audit", "replay", "--archive", archive, "--genesis", life / "genesis.json", "--workers", 0)
    assert audit.code in (1, 3)
    assert str(archive) in audit.err.strip().splitlines()[-1]
    assert "Traceback" not in audit.err


@pytest.mark.parametrize("kept", [0, 5, 60, 200, -1], ids=["nothing", "magic", "header", "segment", "trailer"])
def test_a_half_written_archive(life: Path, fresh: Path, tmp_path: Path, kept: int) -> None:
    whole = (life / "blocks.bmw").read_bytes()
    cut = tmp_path / "cut.bmw"
    cut.write_bytes(whole[:kept])
    refused_archive(fresh, life, cut, 3)


@pytest.mark.parametrize("place", [9, 30, 90, 120, 400, -40, -3])
def test_one_flipped_bit_anywhere_in_an_archive(life: Path, fresh: Path, tmp_path: Path, place: int) -> None:
    damaged = bytearray((life / "blocks.bmw").read_bytes())
    damaged[place] ^= 1
    path = tmp_path / "damaged.bmw"
    path.write_bytes(damaged)
    refused_archive(fresh, life, path, 3, "archive")
    assert 0 == run("bmw-node", "import", "--home", fresh, life / "blocks.bmw").code


def test_bytes_after_the_end_of_an_archive(life: Path, fresh: Path, tmp_path: Path) -> None:
    path = tmp_path / "longer.bmw"
    path.write_bytes((life / "blocks.bmw").read_bytes() + b"\x00")
    refused_archive(fresh, life, path, 3, "damaged")


def test_an_archive_of_another_chain(life: Path, fresh: Path, tmp_path: Path) -> None:
    other = Chain(dev_test_genesis(depth=7), LevelStore(tmp_path / "other"))
    other.produce()
    other.store.kv.close()
    path = archive_of(tmp_path / "other", tmp_path / "other.bmw", tmp_path / "scratch")
    refused_archive(fresh, life, path, 1, "of the chain", other.genesis_hash.hex())
    done = run("bmw-audit", "compare", path, life / "blocks.bmw")
    assert 1 == done.code and "two different chains" in done.err


def test_what_is_no_archive(life: Path, fresh: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not an archive of anything" * 20)
    refused_archive(fresh, life, text, 3, "not an archive", "bmw-node export")
    refused_archive(fresh, life, tmp_path / "nowhere", 3, "No such file")
    refused_archive(fresh, life, tmp_path, 3, "directory")


def test_an_export_to_a_full_disk_leaves_no_file_and_the_store_as_it_was(life: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(life / "home", home)
    target = tmp_path / "out" / "blocks.bmw"
    target.parent.mkdir()
    done = process("bmw-node", "export", "--home", home, target, file_bytes_max=1_000)
    done.refused(3, "blocks.bmw" if "blocks.bmw" in done.err else "store")
    assert [] == list(target.parent.iterdir())
    run("bmw-node", "export", "--home", home, tmp_path / "no" / "x").refused(3, str(tmp_path / "no" / "x"))
    assert head_of(life / "home", life) == head_of(home, life)


def test_a_damaged_store_is_named_and_not_made_worse(life: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(life / "home", home)
    logs = [p for p in (home / "data" / "store").iterdir() if p.suffix in (".log", ".ldb") and p.stat().st_size > 500]
    damaged = max(logs, key=lambda path: path.stat().st_size)
    raw = bytearray(damaged.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    damaged.write_bytes(raw)
    genesis = life / "genesis.json"
    audit = run("bmw-audit", "replay", "--store", home, "--genesis", genesis, "--workers", 0)
    assert audit.code == 1 and "damaged" in audit.err, audit.err
    run("bmw-node", "export", "--home", home, tmp_path / "x").refused(3, "damaged", str(home))
    assert not (tmp_path / "x").exists()


def test_audit_wants_exactly_one_source_and_says_what_it_can_not_reach(life: Path, tmp_path: Path) -> None:
    genesis = life / "genesis.json"
    run("bmw-audit", "replay", "--genesis", genesis).refused(2, "--store", "--archive", "--node")
    run("bmw-audit", "replay", "--genesis", genesis, "--store", life, "--archive", life).refused(2, "exactly one")
    run("bmw-audit", "replay", "--genesis", tmp_path / "no", "--store", life).refused(3, str(tmp_path / "no"))
    run("bmw-audit", "replay", "--genesis", genesis, "--store", tmp_path).refused(3, "no store", str(tmp_path))
    run("bmw-audit", "replay", "--genesis", genesis, "--node", "x").refused(2, "http://")
    run("bmw-audit", "compare", life / "blocks.bmw", tmp_path / "no").refused(3, str(tmp_path / "no"))


def test_an_audit_changes_nothing_in_what_it_looks_at(life: Path) -> None:
    before = fingerprint(life / "home")
    head_of(life / "home", life)
    assert before == fingerprint(life / "home")
