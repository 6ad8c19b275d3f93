"""Damage of receipts: rows and subject entries that are missing, too many or wrong are named, and made anew."""

from __future__ import annotations

from support.stages import at

from node.storage import schema
from node.storage.memory import MemoryStore
from node.storage.store_check import StoreCheck

CHAIN = at("offered").chain
ALL = dict(CHAIN.store.kv.scan(b"", b"\xff" * 9))
HEIGHT = CHAIN.store.height()
ROWS = [key for key in ALL if key[:1] == b"Q"]
SUBJECTS = [key for key in ALL if key[:1] == b"Y"]


def damages(puts: dict[bytes, bytes], *gone: bytes) -> list[tuple[bytes, int]]:
    kv = MemoryStore({key: value for key, value in ALL.items() if key not in gone} | puts)
    return [(damage.key, damage.height) for damage in StoreCheck(kv, CHAIN.genesis).damages()]


def names(key: bytes) -> str:
    return schema.key_text(key)


def test_a_store_that_is_whole_has_a_row_for_every_block() -> None:
    assert [] == damages({})
    assert [schema.receipts_key(height) for height in range(1, HEIGHT + 1)] == ROWS
    assert len(SUBJECTS) > 2 * HEIGHT


def reported(puts: dict[bytes, bytes], *gone: bytes) -> set[str]:
    kv = MemoryStore({key: value for key, value in ALL.items() if key not in gone} | puts)
    return {f"{damage.where} {damage.what}" for damage in StoreCheck(kv, CHAIN.genesis).damages()}
