"""Replay of a disk that lies, and of a source that is not what is needed: what is wrong is named."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import START_MS, Chain
from support.life import VIN
from support.replaying import GENESIS, found, replay
from support.stores import archive_of, copied, entries, life_chain, life_store, tampered

from node.audit.replay import Replay
from node.audit.sources import ArchiveSource, StoreSource
from node.audit.workers import InProcess
from node.chain.block import decode_block
from node.codec import encode
from node.errors import Busy, Corrupted, OperatorError
from node.storage import schema
from node.storage.leveldb import LevelStore


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_store(tmp_path_factory.mktemp("life"))


# --- a disk that lies ------------------------------------------------------------------------------------------
def first_key(stored: dict[bytes, bytes], prefix: bytes) -> bytes:
    return min(key for key in stored if key.startswith(prefix))


@pytest.mark.parametrize(
    ("prefix", "rule", "named"),
    [
        (b"Svehicle/", "store_state_value", f"vehicle/{VIN}"),
        (b"K", "store_state_tree_bucket", "bucket"),
        (b"R", "store_vehicle_record", f"{VIN}/0"),
        (b"T", "store_transaction_place", "transaction place"),
        (b"I", "store_block_id", "block id"),
        (b"V", "store_validator_set", "validator set 1"),
        (b"W", "store_replay_window_entry", "hour"),
        (b"Xvehicle/holder/", "store_index_entry", "vehicle/holder/"),
        (b"Q", "store_receipts", "receipts 1"),
        (b"Yvehicle/", "store_subject_entry", f"vehicle/{VIN}, height 1"),
    ],
)
def test_every_family_of_a_store_is_recomputed(
    folder: Path, tmp_path: Path, prefix: bytes, rule: str, named: str
) -> None:
    stored = entries(folder, tmp_path / "scratch")
    key = first_key(stored, prefix)
    changed = tampered(folder, tmp_path / "changed", {key: stored[key] + b"\x00"})
    missing = tampered(folder, tmp_path / "missing", {}, (key,))
    extra = tampered(folder, tmp_path / "extra", {key + b"0": stored[key]})
    for path, what in ((changed, "differs"), (missing, "missing"), (extra, "does not follow")):
        out = replay(StoreSource(path))
        assert (11, -1, rule) == found(out)
        assert out.divergence is not None
        assert path.name == "extra" or named in out.divergence.text
        assert what in out.divergence.text


def test_blocks_missing_changed_or_left_over(folder: Path, tmp_path: Path) -> None:
    stored = entries(folder, tmp_path / "scratch")
    for prefix, rule in ((b"B", "block_missing"), (b"C", "commit_missing")):
        path = tampered(folder, tmp_path / rule, {}, (prefix + schema.u64(5),))
        out = replay(StoreSource(path))
        assert (5, -1, rule) == found(out)
        assert 4 == out.height
    over = tampered(folder, tmp_path / "over", {schema.block_key(12): stored[schema.block_key(11)]})
    assert (11, -1, "store_block") == found(replay(StoreSource(over)))
    block = decode_block(stored[schema.block_key(7)])
    bad = bytearray(block.transactions[0])
    bad[-1] ^= 1
    tampered_block = encode(replace(block, transactions=(bytes(bad),)))
    path = tampered(folder, tmp_path / "signature", {schema.block_key(7): tampered_block})
    assert (7, 0, "transaction_signature") == found(replay(StoreSource(path)))
    path = tampered(folder, tmp_path / "garbage", {schema.block_key(7): b"\x90"})
    assert (7, -1, "block_encoding") == found(replay(StoreSource(path)))
    path = tampered(folder, tmp_path / "other", {schema.block_key(7): stored[schema.block_key(6)]})
    assert (7, -1, "header_height") == found(replay(StoreSource(path)))


def test_a_head_that_is_claimed_wrongly(folder: Path, tmp_path: Path) -> None:
    head = encode([11, bytes(32), START_MS, bytes(32)])
    out = replay(StoreSource(tampered(folder, tmp_path / "head", {schema.META_HEAD: head})))
    assert (11, -1, "claimed_head") == found(out)
    lower = tampered(folder, tmp_path / "lower", {schema.META_HEAD: encode([9, bytes(32), START_MS, bytes(32)])})
    assert replay(StoreSource(lower)).divergence is not None
    with pytest.raises(Corrupted):
        StoreSource(tampered(folder, tmp_path / "nonsense", {schema.META_HEAD: b"\xc1"}))


def test_keys_of_the_nodes_own_are_counted_not_judged(folder: Path, tmp_path: Path) -> None:
    path = tampered(folder, tmp_path / "own", {b"Mown": b"1", b"Zown": b"2", b"0": b"3"})
    out = replay(StoreSource(path))
    assert (None, 3) == (out.divergence, out.unaudited_keys)


def test_damaged_table_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "store"
    chain = life_chain(path)
    chain.store.kv.compact()  # type: ignore[attr-defined]
    chain.store.kv.close()
    table = max(path.glob("*.ldb"), key=lambda p: p.stat().st_size)
    raw = bytearray(table.read_bytes())
    raw[len(raw) // 3] ^= 0x10
    table.write_bytes(raw)
    with pytest.raises(Corrupted, match=f"store in {path}"):
        replay(StoreSource(path))


# --- sources that are not what is needed --------------------------------------------------------------------------
def test_a_store_in_use_and_a_wrong_chain(folder: Path, tmp_path: Path) -> None:
    held = LevelStore(copied(folder, tmp_path / "held"))
    try:
        with pytest.raises(Busy, match="--node"):
            StoreSource(tmp_path / "held")
    finally:
        held.close()
    with pytest.raises(OperatorError, match="no store"):
        StoreSource(tmp_path)
    other = Chain(genesis=replace(GENESIS, chain_id="other-chain")).genesis
    source = StoreSource(folder)
    try:
        with pytest.raises(OperatorError, match="genesis"):
            Replay(other, source, InProcess())
    finally:
        source.close()
    late = ArchiveSource(archive_of(folder, tmp_path / "late.bmw", tmp_path / "scratch", first=3))
    with pytest.raises(OperatorError, match="starts at block 3"):
        replay(late)
