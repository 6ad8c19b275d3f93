"""Everything that reads a chain ends where it does not know the ruleset, with one sentence, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.blocks import sealed
from support.chain import Chain
from support.life import VIN, register
from support.memory_store import MemoryStore
from support.newer_chain import crossed, inspection
from support.newer_software import newer_software, older_software
from support.replaying import GENESIS, found
from support.snapshot_peers import Peers, cut
from support.sources import ChainSource

from node.audit.replay import Replay
from node.audit.report import ReplayReport
from node.audit.workers import InProcess
from node.chain.block import Committed, block_id_of
from node.chain.trust import Trust
from node.codec import encode
from node.daemon import snapshot_sync
from node.daemon.snapshot_sync import Choice, SnapshotSync
from node.errors import OperatorError
from node.ledger.params import PARAMS_KEY
from node.storage import schema
from node.storage.chain_store import ChainReader, ChainStore
from node.storage.rebuild import rebuild, take
from node.storage.store_check import StoreCheck
from node.txtypes.chain.validator_set import ValidatorEntry
from node.txtypes.vehicle.vehicle import VEHICLE
from wallet.client import StateAnswer, StateEntry
from wallet.light import LightClient
from wallet.txfile import parse_document

SENTENCE = "which this software does not know: install a newer version and start again; the store is intact"
BY_NUMBER = rf"from height \d+ on the chain is judged by ruleset 2 with hash [0-9a-f]{{64}}, {SENTENCE}"
BY_HASH = rf"at height \d+ the chain is judged by a ruleset with hash [0-9a-f]{{64}}, {SENTENCE}"


def contents(kv: MemoryStore) -> dict[bytes, bytes]:
    return dict(kv.scan(b"", b"\xff" * 64))


# --- stores -------------------------------------------------------------------------------------------------
def test_a_store_from_beyond_the_activation_is_not_opened() -> None:
    """Neither where newer software has raised the schema, nor where it has not."""
    for version in (schema.SCHEMA_VERSION, schema.SCHEMA_VERSION + 1):
        kv = crossed().store(schema_version=version)
        before = contents(kv)
        with pytest.raises(OperatorError, match=BY_HASH):
            ChainStore(kv, GENESIS)
        assert before == contents(kv)


def test_a_check_of_a_store_from_beyond_the_activation_is_not_begun() -> None:
    """Its values would look like damage."""
    kv = crossed().store(schema_version=schema.SCHEMA_VERSION)
    with pytest.raises(OperatorError, match=BY_HASH):
        ChainReader(kv).check_rules()
    assert any("odometer" in str(damage) for damage in StoreCheck(kv, GENESIS).damages())


def test_a_damaged_header_is_damage_and_no_other_ruleset() -> None:
    chain = Chain()
    block = chain.produce()
    kv = chain.store.kv
    forged = replace(block, header=replace(block.header, ruleset_hash=bytes(32)))
    kv.write({schema.block_key(1): encode(forged)}, [])
    ChainReader(kv).check_rules()
    kv.write({schema.block_key(1): b"\xc1"}, [])
    ChainReader(kv).check_rules()


def test_blocks_are_taken_up_to_the_activation() -> None:
    """What `bmw-node import` and `reindex` do."""
    source, target = crossed().store(), ChainStore(MemoryStore(), GENESIS)
    with pytest.raises(OperatorError, match=BY_NUMBER):
        rebuild(source, target, crossed().chain.store.height())
    assert crossed().height - 1 == target.height()
    next_one = crossed().committed(crossed().height)
    with pytest.raises(OperatorError, match=BY_NUMBER):
        take(target, next_one.block, next_one.commit)
    with newer_software():
        newer = ChainStore(MemoryStore(), GENESIS)
        rebuild(source, newer, crossed().chain.store.height())
        assert crossed().chain.store.head() == newer.head()


# --- audits -------------------------------------------------------------------------------------------------
def replay(source: ChainSource, to: int | None = None) -> ReplayReport:
    return Replay(GENESIS, source, InProcess()).run(to)


def test_a_replay_ends_at_the_activation_and_names_no_divergence() -> None:
    with pytest.raises(OperatorError, match=BY_NUMBER):
        replay(ChainSource(crossed().chain))
    out = replay(ChainSource(crossed().chain), to=crossed().height - 1)
    assert (None, crossed().height - 1) == (out.divergence, out.height)


def test_what_is_wrong_before_the_activation_is_found_first() -> None:
    bad = crossed().committed(2)
    changed = Committed(replace(bad.block, header=replace(bad.block.header, time_ms=1)), bad.commit)
    assert (2, -1, "header_time") == found(replay(ChainSource(crossed().chain, changed)))


def _next(chain: Chain, *raws: bytes, **header: object) -> Committed:
    """A block after the head with the transactions and header fields, certified by all validators."""
    block = chain.build()
    block = sealed(block, transactions=raws) if raws else block
    block = replace(block, header=replace(block.header, **header))
    return Committed(block, chain.commit_for(block))


@pytest.mark.parametrize("software", [older_software, newer_software])
def test_a_certified_transaction_of_a_type_that_is_not_active_is_a_divergence(software: Callable[[], Any]) -> None:
    with software():
        chain = Chain()
        chain.produce(chain.sign("bmw", register()))
        raw = inspection(chain)
        out = replay(ChainSource(chain, _next(chain, raw)))
        assert (2, 0, "type_not_active") == found(out)
        assert out.divergence is not None and chain.check(raw).txid == out.divergence.txid


def test_a_certified_header_with_an_unknown_ruleset_asks_for_newer_software() -> None:
    chain = Chain()
    decided = _next(chain, ruleset_hash=bytes(32), version=9)
    with pytest.raises(OperatorError, match=BY_HASH):
        replay(ChainSource(chain, decided))
    undecided = Committed(decided.block, _next(chain).commit)
    assert (1, -1, "header_version") == found(replay(ChainSource(chain, undecided)))


# --- snapshots ----------------------------------------------------------------------------------------------
def synced(folder: Path, oldest: int, own: Trust | None = None) -> int:
    """What a node gets whose only peer has blocks from `oldest` on and a snapshot from beyond the activation."""
    chain = crossed().chain
    with newer_software():
        snapshot = cut(chain)

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=5, accept_old_root=True), lambda: chain.now, own, 1)
        sync.network = Peers(chain, sync, {1: oldest}, {1: snapshot})  # type: ignore[assignment]
        sync.connected(1, bytes(32))
        return await sync.run(folder)

    return asyncio.run(play())


def test_a_snapshot_from_beyond_the_activation_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(snapshot_sync, "log", lambda name, level, fields: told.append({"name": name, **fields}))
    assert 0 == synced(tmp_path / "in", oldest=1), "blocks up to the activation can be had"
    (refused,) = [line for line in told if line["name"] == "snapshot_refused"]
    assert SENTENCE in str(refused["why"])
    assert not (tmp_path / "in").exists()
    with newer_software():
        assert crossed().chain.store.height() == synced(tmp_path / "in", oldest=1)


def test_where_there_are_no_blocks_either_the_operator_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=BY_HASH):
        synced(tmp_path / "in", oldest=crossed().height)
    block = crossed().committed(crossed().height - 1).block
    validators = crossed().chain.store.validators(crossed().height)
    own = Trust(
        block.header.height, block_id_of(block.header, crossed().chain.genesis_hash), block.header.time_ms,
        validators, block.header,
    )  # fmt: skip
    with pytest.raises(OperatorError, match=BY_HASH):
        synced(tmp_path / "in", oldest=crossed().chain.store.height(), own=own)


# --- the wallet ---------------------------------------------------------------------------------------------
class OneNode:
    """A node of the newer software, as a wallet sees it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def committed(self, height: int) -> Committed:
        committed = self._chain.store.committed(height)
        assert committed is not None
        return committed

    def validators(self, height: int) -> tuple[ValidatorEntry, ...]:
        return self._chain.store.validators(height).entries

    def states(self, keys: Any) -> StateAnswer:
        store = self._chain.store
        entries = tuple(StateEntry(key, store.state.get(key), store.proof(key)) for key in keys)
        head = self.committed(store.height())
        return StateAnswer(entries, encode(head.block.header), encode(head.commit))


def test_a_wallet_reads_nothing_that_an_unknown_ruleset_has_written(tmp_path: Path) -> None:
    def client() -> LightClient:
        chain = crossed().chain
        return LightClient(chain.genesis, tmp_path / "light.json", OneNode(chain), now_ms=lambda: chain.now)

    with pytest.raises(OperatorError, match=BY_HASH):
        client().verified_states((VEHICLE.key(VIN),))
    with pytest.raises(OperatorError, match=BY_HASH):
        client().verified_view(lambda reader, as_of: reader.get(VEHICLE, VIN))
    with newer_software():
        assert client().verified_states((PARAMS_KEY,))[1].height == crossed().chain.store.height()


def test_nobody_signs_a_file_of_a_type_that_the_wallet_cannot_show() -> None:
    chain = Chain()
    tx = chain.check(inspection(chain))
    document = {"genesis_hash": chain.genesis_hash.hex(), "payload": tx.payload_bytes.hex(), "signatures": []}
    with pytest.raises(OperatorError, match=r"type firmware\.check: install a newer version"):
        parse_document(document, chain.genesis_hash, "file")
    with newer_software():
        assert tx.txid == parse_document(document, chain.genesis_hash, "file").txid
