"""Damage of receipts: rows and subject entries that are missing, too many or wrong are named, and made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.life import VIN
from support.memory_store import MemoryStore
from support.replaying import replay
from support.stages import at
from support.stores import entries, life_chain, tampered

from node.audit.sources import StoreSource
from node.codec import encode
from node.ledger.receipts import BlockReceipts, Receipt, decode_receipts, encode_receipts
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.storage.rebuild import rebuild
from node.storage.store_check import StoreCheck
from node.storage.verify_report import StoreDamage

CHAIN = at("offered").chain
ALL = dict(CHAIN.store.kv.scan(b"", b"\xff" * 9))
HEIGHT = CHAIN.store.height()
ROWS = [key for key in ALL if key[:1] == b"Q"]
SUBJECTS = [key for key in ALL if key[:1] == b"Y"]


def changed(puts: dict[bytes, bytes], *gone: bytes) -> MemoryStore:
    return MemoryStore({key: value for key, value in ALL.items() if key not in gone} | puts)


def damages(puts: dict[bytes, bytes], *gone: bytes) -> list[StoreDamage]:
    return list(StoreCheck(changed(puts, *gone), CHAIN.genesis).damages())


def with_row(height: int, change: Callable[[Receipt], Receipt]) -> dict[bytes, bytes]:
    """The row of a height with the receipt of its first transaction changed."""
    key = schema.receipts_key(height)
    row = decode_receipts(ALL[key])
    first, *others = row.transactions
    return {key: encode_receipts(BlockReceipts((change(first), *others), row.block))}


def test_a_whole_store_has_a_row_for_every_block() -> None:
    assert [] == damages({})
    assert [schema.receipts_key(height) for height in range(1, HEIGHT + 1)] == ROWS
    assert len(SUBJECTS) > 2 * HEIGHT


@pytest.mark.parametrize("height", range(1, HEIGHT + 1))
def test_a_row_that_is_lost_is_named_and_its_entries_follow_from_nothing(height: int) -> None:
    found = damages({}, schema.receipts_key(height))
    assert ("receipts", str(height), "is missing") == (found[0].family, found[0].key, found[0].text)
    needless = {damage.key for damage in found[1:]}
    assert {schema.key_text(key) for key in SUBJECTS if schema.subject_height_in(key) == height} == needless
    assert {"follows from no receipt"} == {damage.text for damage in found[1:]}


def test_several_lost_rows_are_all_named() -> None:
    found = damages({}, *ROWS[1:3], ROWS[-1])
    missing = [damage.key for damage in found if damage.text == "is missing"]
    assert ["2", "3", str(HEIGHT)] == missing


@pytest.mark.parametrize("key", SUBJECTS, ids=schema.key_text)
def test_an_entry_that_is_lost_or_differs_is_named(key: bytes) -> None:
    for found in (damages({}, key), damages({key: b""}), damages({key: ALL[key] + bytes(4)})):
        assert [("subject entry", schema.key_text(key))] == [(damage.family, damage.key) for damage in found]
        assert found[0].height == schema.subject_height_in(key)


@pytest.mark.parametrize(
    "key",
    [
        schema.subject_key("vehicle/WBA8E9G50GNU99999", 1),
        schema.subject_key(f"vehicle/{VIN}", HEIGHT + 7),
        schema.receipts_key(HEIGHT + 1),
        schema.receipts_key(0),
    ],
    ids=schema.key_text,
)
def test_what_is_too_much_is_named(key: bytes) -> None:
    value = bytes(4) if key[:1] == b"Y" else ALL[ROWS[0]]
    assert [schema.key_text(key)] == [damage.key for damage in damages({key: value})]


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x90", encode([[], [[], [], []]])])
def test_a_row_that_cannot_be_read_or_is_of_another_block_is_named(raw: bytes) -> None:
    found = damages({schema.receipts_key(2): raw})
    assert ("receipts", "2") == (found[0].family, found[0].key)


def test_a_row_that_names_other_subjects_lacks_their_entries() -> None:
    named = ("vehicle/WBA8E9G50GNU99999",)
    other = with_row(1, lambda first: replace(first, changes=(replace(first.changes[0], subjects=named),)))
    found = damages(other)
    assert any("WBA8E9G50GNU99999" in damage.key and "is missing" in damage.text for damage in found)


def test_a_row_that_says_something_else_only_a_replay_finds(tmp_path: Path) -> None:
    """The same subjects, another status: nothing in the store contradicts it."""
    key = schema.receipts_key(HEIGHT)
    lied = with_row(HEIGHT, lambda first: replace(first, changes=(replace(first.changes[0], status="rejected"),)))
    assert ALL[key] != lied[key]
    assert [] == damages(lied)
    folder = tmp_path / "store"
    life_chain(folder).store.kv.close()
    row = decode_receipts(entries(folder, tmp_path / "scratch")[schema.receipts_key(4)])
    first = row.transactions[0]
    changes = tuple(replace(change, status="open") for change in first.changes)
    bad = encode_receipts(BlockReceipts((replace(first, changes=changes), *row.transactions[1:]), row.block))
    told = replay(StoreSource(tampered(folder, tmp_path / "lied", {schema.receipts_key(4): bad})))
    assert told.divergence is not None and "store_receipts" == told.divergence.rule


def test_rows_and_entries_are_made_anew_from_the_blocks() -> None:
    for damaged in (changed({}, *ROWS, *SUBJECTS), changed({ROWS[0]: b"\xc1"}, SUBJECTS[0])):
        target = MemoryStore()
        rebuild(damaged, ChainStore(target, CHAIN.genesis), HEIGHT)
        made = dict(target.scan(b"Q", b"R")) | dict(target.scan(b"Y", b"Z"))
        assert {key: ALL[key] for key in (*ROWS, *SUBJECTS)} == made


def test_a_store_that_began_later_needs_rows_from_there_on_only() -> None:
    kv = changed({schema.META_RECEIPTS: schema.u64(3)}, *ROWS[:2])
    gone = [key for key in SUBJECTS if schema.subject_height_in(key) < 3]
    kv.write({}, gone)
    assert [] == list(StoreCheck(kv, CHAIN.genesis).damages())
    kv.write({schema.receipts_key(2): ALL[ROWS[1]]}, [])
    assert ["2"] == [damage.key for damage in StoreCheck(kv, CHAIN.genesis).damages()]
