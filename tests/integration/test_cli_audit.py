"""`bmw-audit` as an auditor types it, on what somebody with all keys, or with the disk, has done: exit 1, and where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import Chain
from support.life import VIN, km, maintenance, read
from support.stores import entries, lax_block, life_store, tampered

from node.chain.block import decode_commit
from node.chain.genesis import genesis_to_json
from node.codec import encode
from node.storage import schema
from node.storage.archive import write_archive
from node.storage.leveldb import LevelStore
from node.txtypes.envelope import decode_signed_tx


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_store(tmp_path_factory.mktemp("audited"))


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    path = tmp_path / "genesis.json"
    path.write_text(genesis_to_json(Chain().genesis))
    return path


def audit(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node.cli.audit", "replay", *map(str, arguments), "--workers", "0", "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def archive_of(path: Path, target: Path) -> Path:
    chain = Chain(kv=LevelStore(path))
    write_archive(target, chain.store, 1, chain.store.height(), chain.genesis_hash)
    chain.store.kv.close()
    return target


def test_an_archive_with_a_certified_block_that_breaks_a_guard(store: Path, tmp_path: Path, genesis: Path) -> None:
    """All validators have signed it; it is wrong all the same."""
    chain = Chain(kv=LevelStore(tampered(store, tmp_path / "copy", {})))
    good = chain.sign("workshop-berlin", maintenance(chain, 7_000))
    bad = chain.sign("buyer-1", read(VIN, km(7_100), chain.now, "reading"))
    height = lax_block(chain, good, bad).header.height
    txid = decode_signed_tx(bad, chain.genesis_hash).txid.hex()
    chain.produce()
    chain.store.kv.close()
    done = audit("--archive", archive_of(tmp_path / "copy", tmp_path / "a.bmw"), "--genesis", genesis)
    assert 1 == done.returncode
    assert f"height {height}, transaction 1, txid {txid}, rule role_missing" in done.stderr
    found = json.loads(done.stdout)["divergence"]
    assert (height, 1, txid, "role_missing") == (found["height"], found["index"], found["txid"], found["rule"])


def test_an_archive_with_a_signature_copied_from_another_validator(store: Path, tmp_path: Path, genesis: Path) -> None:
    commit = decode_commit(entries(store, tmp_path / "scratch")[schema.commit_key(4)])
    forged = replace(commit, signatures=(commit.signatures[1], *commit.signatures[1:]))
    copy = tampered(store, tmp_path / "copy", {schema.commit_key(4): encode(forged)})
    done = audit("--archive", archive_of(copy, tmp_path / "a.bmw"), "--genesis", genesis)
    assert 1 == done.returncode
    assert "height 4, rule commit_certificate" in done.stderr


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.8, 0.99, 1.0])
def test_an_archive_with_one_flipped_byte(store: Path, tmp_path: Path, genesis: Path, share: float) -> None:
    path = archive_of(tampered(store, tmp_path / "copy", {}), tmp_path / "a.bmw")
    raw = bytearray(path.read_bytes())
    raw[int(share * (len(raw) - 1))] ^= 0x10
    path.write_bytes(raw)
    done = audit("--archive", path, "--genesis", genesis)
    assert done.returncode in (1, 3)
    assert done.returncode == 1 or share == 0.0, "a file without its magic is no archive at all"
    assert "archive" in done.stderr


@pytest.mark.parametrize(
    ("prefix", "rule", "named"),
    [(b"Svehicle/", "store_state_value", f"vehicle/{VIN}"), (b"Xvehicle/holder/", "store_index_entry", "index entry")],
)
def test_a_store_with_a_changed_value_or_index_entry(
    store: Path, tmp_path: Path, genesis: Path, prefix: bytes, rule: str, named: str
) -> None:
    stored = entries(store, tmp_path / "scratch")
    key = min(key for key in stored if key.startswith(prefix))
    done = audit("--store", tampered(store, tmp_path / "bad", {key: stored[key] + b"\x00"}), "--genesis", genesis)
    assert 1 == done.returncode
    assert f"rule {rule}" in done.stderr
    assert named in done.stderr
    assert "height 11" in done.stderr


def test_what_holds_is_exit_code_0(store: Path, tmp_path: Path, genesis: Path) -> None:
    done = audit("--store", tampered(store, tmp_path / "copy", {}), "--genesis", genesis)
    assert (0, "ok") == (done.returncode, json.loads(done.stdout)["result"])


def test_two_stores_that_differ_are_compared_down_to_keys_and_transactions(
    store: Path, tmp_path: Path, genesis: Path
) -> None:
    one, other = (Chain(kv=LevelStore(tampered(store, tmp_path / name, {}))) for name in ("one", "other"))
    bad = other.sign("buyer-1", read(VIN, km(7_100), other.now, "reading"))
    one.produce()
    lax_block(other, bad)
    txid = other.check(bad).txid.hex()
    for chain in (one, other):
        chain.produce()
        chain.store.kv.close()
    command = [sys.executable, "-m", "node.cli.audit", "compare", str(tmp_path / "one"), str(tmp_path / "other")]
    done = subprocess.run([*command, "--genesis", str(genesis)], capture_output=True, text=True, check=False)
    assert 1 == done.returncode, done.stderr
    assert "the sources differ: height 12: block id" in done.stderr
    lines = done.stdout.splitlines()
    assert "the same from 1 to 11" in lines
    assert any(line.startswith(f"the second is not valid: block 12: transaction 0, txid {txid}, rule role_missing")
               for line in lines)  # fmt: skip
    assert [f"  written in the second by transaction 0 of block 12, odometer.read, txid {txid}"] == [
        line for line in lines[lines.index(f"vehicle/{VIN}") :][:2] if "written" in line
    ]
    assert any(line.startswith("  record_count: ") for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dask", "tcp://127.0.0.1:1"), "--dask needs --work"),
        (("--work", "w", "--predecessor", "x", "--predecessor-genesis", "y"), "is replayed in order"),
        (("--snapshots", "nowhere"), "does not exist"),
    ],
)
def test_options_of_ranges_that_do_not_go_together(genesis: Path, options: tuple[str, ...], message: str) -> None:
    done = audit("--archive", "a.bmw", "--genesis", genesis, *options)
    assert 2 == done.returncode
    assert message in done.stderr


@pytest.mark.slow
def test_a_scheduler_that_is_not_there(store: Path, tmp_path: Path, genesis: Path) -> None:
    done = audit("--store", store, "--genesis", genesis, "--work", tmp_path / "w", "--dask", "tcp://127.0.0.1:1")
    assert (3, True) == (done.returncode, "check --dask" in done.stderr), done.stderr
