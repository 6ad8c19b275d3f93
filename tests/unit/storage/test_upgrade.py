"""A store of schema version 1 is brought up to date when it opens; a stop half-way only begins it again."""

from __future__ import annotations

import pytest
from support.chain import Chain
from support.life import VIN, maintenance
from support.memory_store import MemoryStore
from support.stages import at

from node.errors import Corrupted, OperatorError
from node.storage import kv as key_value
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.storage.rebuild import extent_of, rebuild
from node.storage.store_check import StoreCheck

OLD_INDEXES = {b"Xh/" + b"ab" * 20 + b"/" + VIN.encode(): b"", b"Xv/1": b"", b"Xvehicle/holder/none/x": b""}


@pytest.fixture(autouse=True)
def next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """The software of these tests has the schema version after the first."""
    at("accepted")
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 2)


class Torn(Exception):
    """The power goes."""


class Tearing(MemoryStore):
    """Loses power before its `last`-th write."""

    def __init__(self, entries: dict[bytes, bytes], last: int) -> None:
        super().__init__(entries)
        self.left = last

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        if not self.left:
            raise Torn
        self.left -= 1
        super().write(puts, deletes)


def entries(kv: MemoryStore) -> dict[bytes, bytes]:
    return dict(kv.scan(b"", b"\xff" * 9))


def grown() -> Chain:
    return at("accepted").chain


def as_version_1(chain: Chain) -> dict[bytes, bytes]:
    """What software with other indexes would have left."""
    old = {key: value for key, value in entries(chain.store.kv).items() if key[:1] != b"X"}
    return old | OLD_INDEXES | {schema.META_SCHEMA: (1).to_bytes(4, "big")}


def test_an_old_store_opens_with_new_indexes() -> None:
    chain = grown()
    kv = MemoryStore(as_version_1(chain))
    store = ChainStore(kv, chain.genesis)
    assert chain.store.head() == store.head()
    assert entries(chain.store.kv) == entries(kv)


def test_it_goes_on_and_is_whole() -> None:
    chain = grown()
    kv = MemoryStore(as_version_1(chain))
    after = Chain(chain.genesis, kv)
    height = after.store.height()
    after.do("workshop-berlin", maintenance(after))
    assert [] == list(StoreCheck(kv, chain.genesis).damages())
    assert height + 1 == extent_of(kv, chain.genesis).last
    assert height + 1 == ChainStore(kv, chain.genesis).height()


@pytest.mark.parametrize("portion", [1, 3, 10_000])
def test_a_stop_at_any_write_begins_it_again(portion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_value, "PORTION", portion)
    chain = grown()
    old = as_version_1(chain)
    whole = MemoryStore(old)
    ChainStore(whole, chain.genesis)
    last, stopped = 0, True
    while stopped:
        kv = Tearing(old, last)
        try:
            ChainStore(kv, chain.genesis)
            stopped = False
        except Torn:
            assert 1 == schema.read_version(kv.get(schema.META_SCHEMA)), "the version is written last"
        left = MemoryStore(entries(kv))
        ChainStore(left, chain.genesis)
        assert entries(whole) == entries(left)
        last += 1
    assert last >= 3


def test_a_new_store_is_of_the_newest_version_and_written_once() -> None:
    chain = Chain()
    assert schema.SCHEMA_VERSION == schema.read_version(chain.store.kv.get(schema.META_SCHEMA))
    kv = Tearing(entries(chain.store.kv), 0)
    assert 1 == ChainStore(kv, chain.genesis).receipts_from()


def test_a_newer_store_is_left_alone() -> None:
    chain = Chain()
    kv = MemoryStore(entries(chain.store.kv) | {schema.META_SCHEMA: (schema.SCHEMA_VERSION + 1).to_bytes(4, "big")})
    before = entries(kv)
    with pytest.raises(OperatorError, match="install a newer version"):
        ChainStore(kv, chain.genesis)
    assert before == entries(kv)


def test_a_store_without_a_version_is_damaged() -> None:
    chain = Chain()
    found = entries(chain.store.kv)
    del found[schema.META_SCHEMA]
    with pytest.raises(Corrupted, match="reindex"):
        ChainStore(MemoryStore(found), chain.genesis)


def test_a_replay_window_by_txid_is_refused_and_rebuilt() -> None:
    chain = grown()
    found = entries(chain.store.kv)
    rows = [(key, value) for key, value in found.items() if key[:1] == b"W"]
    old = {key: value for key, value in found.items() if key[:1] != b"W"}
    old |= {key[:9] + value[:32]: value[32:] for key, value in rows}
    with pytest.raises(Corrupted, match="reindex"):
        ChainStore(MemoryStore(old), chain.genesis)
    anew = ChainStore(MemoryStore(), chain.genesis)
    rebuild(MemoryStore(old), anew, chain.store.height())
    assert rows == list(anew.kv.scan(b"W", b"X"))


def test_subject_entries_of_single_transactions_are_refused_and_rebuilt() -> None:
    chain = grown()
    found = entries(chain.store.kv)
    rows = [(key, value) for key, value in found.items() if key[:1] == b"Y"]
    old = {key: value for key, value in found.items() if key[:1] != b"Y"}
    old |= {key + value[at : at + 4]: b"" for key, value in rows for at in range(0, len(value), 4)}
    with pytest.raises(Corrupted, match="reindex"):
        ChainStore(MemoryStore(old), chain.genesis)
    anew = ChainStore(MemoryStore(), chain.genesis)
    rebuild(MemoryStore(old), anew, chain.store.height())
    assert rows == list(anew.kv.scan(b"Y", b"Z"))


def test_a_value_that_does_not_decode_stops_the_upgrade() -> None:
    chain = grown()
    kv = MemoryStore(as_version_1(chain) | {schema.state_key(b"vehicle/" + VIN.encode()): b"\xc1"})
    with pytest.raises(Corrupted, match="vehicle"):
        ChainStore(kv, chain.genesis)
    assert 1 == schema.read_version(kv.get(schema.META_SCHEMA))
