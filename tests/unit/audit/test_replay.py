"""Replay: a chain that holds comes out the same from every source; whatever was done to one is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.chain import START_MS, Chain, address
from support.life import VIN, km, maintenance, read
from support.load import LoadChain
from support.replaying import found, replay
from support.stores import (
    archive_of,
    copied,
    entries,
    evidence,
    fingerprint,
    lax_block,
    life_store,
    tampered,
    with_signatures,
)

from node.audit.replay import Replay
from node.audit.report import ReplayReport
from node.audit.sources import ArchiveSource, StoreSource
from node.audit.workers import InProcesses
from node.chain.block import Block, Commit, commit_hash, decode_commit
from node.chain.vote import vote_sign_bytes
from node.codec import encode
from node.crypto import merkle
from node.crypto.dev_keys import dev_key
from node.errors import OperatorError
from node.ledger.signed import TxSignature, assemble, sign_bytes, txid_of
from node.storage import schema
from node.storage.leveldb import LevelStore
from node.txtypes.envelope import decode_signed_tx


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_store(tmp_path_factory.mktemp("life"))


@pytest.fixture
def chain(folder: Path, tmp_path: Path) -> Iterator[Chain]:
    """A copy that may go on. `report` closes it."""
    made = Chain(kv=LevelStore(copied(folder, tmp_path / "going-on")))
    yield made
    made.store.kv.close()


def report(chain: Chain, tmp_path: Path) -> ReplayReport:
    chain.store.kv.close()
    return replay(StoreSource(tmp_path / "going-on"))


# --- chains that hold --------------------------------------------------------------------------------------
def test_store_and_archive_lead_to_the_same_root(folder: Path, tmp_path: Path, chain: Chain) -> None:
    head = chain.store.head()
    before = fingerprint(folder)
    from_store = replay(StoreSource(folder))
    assert before == fingerprint(folder)
    from_archive = replay(ArchiveSource(archive_of(folder, tmp_path / "a.bmw", tmp_path / "scratch")))
    for one in (from_store, from_archive):
        assert one.divergence is None
        assert (head.height, head.block_id, head.state_root) == (one.height, one.block_id, one.state_root)
    assert {"vehicle.register": 1, "order.handover": 1}.items() <= from_store.types.items()
    assert (11, {}) == (from_archive.transactions, from_archive.compared)
    assert from_store.compared["index entry"] > 15
    assert 0 == from_store.unaudited_keys


def test_a_home_is_found_and_to_stops_early(folder: Path, tmp_path: Path) -> None:
    copied(folder, tmp_path / "home" / "data" / "store")
    early = replay(StoreSource(tmp_path / "home"), to=4)
    assert (4, None) == (early.height, early.divergence)
    with pytest.raises(OperatorError, match="--to"):
        replay(StoreSource(tmp_path / "home"), to=400)


def test_mixed_load_over_processes_and_a_day(tmp_path: Path) -> None:
    """Window hours pass, several ranges are under way."""
    load = LoadChain(LevelStore(tmp_path / "load"), seed=7, depth=8, block_ms=1_500_000)
    load.grow(3_000, 90)
    head = load.store.head()
    load.store.kv.close()
    source, pool = StoreSource(tmp_path / "load"), InProcesses(2)
    try:
        out = Replay(load.genesis, source, pool).run()
    finally:
        pool.close()
        source.close()
    assert (None, head.state_root, 3_000) == (out.divergence, out.state_root, out.transactions)


def test_the_validator_set_changes_within_a_range(chain: Chain, tmp_path: Path) -> None:
    """Certificates after the change are judged by the new set, though the verifiers had the old one."""
    chain.produce(evidence=(evidence(chain, "workshop-berlin"),))
    assert 3 == len(chain.store.head().validators)
    chain.produce()
    chain.produce()
    assert report(chain, tmp_path).divergence is None


def test_a_certificate_by_a_removed_validator_counts_no_longer(chain: Chain, tmp_path: Path) -> None:
    old = chain.store.head().validators
    chain.produce(evidence=(evidence(chain, "workshop-berlin"),))
    block = chain.build()
    message = vote_sign_bytes(chain.genesis_hash, "precommit", block.header.height, 0, chain.commit_for(block).block_id)
    names = {address(n): n for n in ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")}
    by_old = tuple(dev_key("consensus", names[e.address]).sign(message) for e in old.entries)
    commit = replace(chain.commit_for(block), signatures=by_old)
    chain.store.commit_block(block, chain.judge(block), commit)
    out = report(chain, tmp_path)
    assert (block.header.height, -1, "commit_certificate") == found(out)


def test_another_quorum_in_the_last_commit_is_no_divergence(chain: Chain, tmp_path: Path) -> None:
    height = chain.store.height()
    chain.store.kv.write({schema.commit_key(height): encode(with_signatures(chain.store.commit(height), s3=b""))}, [])
    chain.produce()
    chain.store.kv.write(
        {schema.commit_key(height): encode(with_signatures(chain.store.commit(height), s3=other_signature(chain, 3)))},
        [],
    )
    assert report(chain, tmp_path).divergence is None


def test_a_last_commit_of_a_changed_set_is_judged_by_that_set(chain: Chain, tmp_path: Path) -> None:
    """It is another certificate than the parent's own, so it is verified, and the verifiers had the old set."""
    chain.produce(evidence=(evidence(chain, "workshop-berlin"),))
    block = chain.produce()
    height = block.header.height
    own = chain.store.commit(height)
    message = vote_sign_bytes(chain.genesis_hash, "precommit", height, 1, own.block_id)
    names = {address(n): n for n in ("bmw", "dealer-munich", "dealer-shanghai")}
    entries = chain.store.validators(height).entries
    later = replace(
        own, round=1, signatures=tuple(dev_key("consensus", names[e.address]).sign(message) for e in entries)
    )
    chain.store.kv.write({schema.commit_key(height): encode(later)}, [])
    assert later == chain.produce().last_commit
    chain.store.kv.write({schema.commit_key(height): encode(own)}, [])
    assert report(chain, tmp_path).divergence is None


class EndsEarly(StoreSource):
    """Gives less than it says that it has."""

    def blocks(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        yield from super().blocks(first, min(last, 7))


def test_a_source_that_ends_early_has_not_been_replayed(folder: Path) -> None:
    out = replay(EndsEarly(folder))
    assert (8, -1, "block_missing") == found(out)
    assert 7 == out.height


def other_signature(chain: Chain, place: int) -> bytes:
    """The signature that the validator at `place` gives for the head."""
    head = chain.store.head()
    message = vote_sign_bytes(
        chain.genesis_hash, "precommit", head.height - 1, 0, chain.store.block(head.height).header.parent_id
    )
    names = {address(n): n for n in ("bmw", "dealer-munich", "dealer-shanghai", "workshop-berlin")}
    return dev_key("consensus", names[head.validators.entries[place].address]).sign(message)


# --- blocks that all validators certified, and that break a rule ------------------------------------------------
def test_a_certified_block_with_an_unmet_guard(chain: Chain, tmp_path: Path) -> None:
    good = chain.sign("workshop-berlin", maintenance(chain, 7_000))
    bad = chain.sign("buyer-1", read(VIN, km(7_100), chain.now, "reading"))
    block = lax_block(chain, good, bad)
    chain.produce()
    out = report(chain, tmp_path)
    assert (block.header.height, 1, "role_missing") == found(out)
    assert out.divergence is not None
    assert decode_signed_tx(bad, chain.genesis_hash).txid == out.divergence.txid
    assert block.header.height - 1 == out.height


def recertified(chain: Chain, block: Block) -> None:
    """Put `block` at the head's place with a good certificate: what dishonest validators can do together."""
    height = block.header.height
    assert height == chain.store.height() + 1
    chain.store.kv.write(
        {
            schema.block_key(height): encode(block),
            schema.commit_key(height): encode(chain.commit_for(block)),
            schema.META_HEAD: encode([height, chain.commit_for(block).block_id, block.header.time_ms, bytes(32)]),
        },
        [],
    )


def forged(chain: Chain, **header: object) -> Block:
    block = chain.build(chain.sign("workshop-berlin", maintenance(chain, 7_000)))
    return replace(block, header=replace(block.header, **header))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("state_root", bytes(32), "state_root"),
        ("tx_root", bytes(32), "header_tx_root"),
        ("next_validators_hash", bytes(32), "header_next_validators"),
        ("validators_hash", bytes(32), "header_validators"),
        ("evidence_root", bytes(32), "header_evidence_root"),
        ("last_commit_hash", bytes(32), "header_last_commit"),
        ("parent_id", bytes(32), "header_parent"),
        ("proposer", bytes(20), "header_proposer"),
        ("time_ms", START_MS, "header_time"),
        ("version", 2, "header_version"),
    ],
)
def test_a_certified_block_with_a_wrong_header(
    chain: Chain, tmp_path: Path, field: str, value: object, rule: str
) -> None:
    block = forged(chain, **{field: value})
    recertified(chain, block)
    assert (block.header.height, -1, rule) == found(report(chain, tmp_path))


def test_a_certified_block_with_a_false_transaction_signature(chain: Chain, tmp_path: Path) -> None:
    raw = bytearray(chain.sign("workshop-berlin", maintenance(chain, 7_000)))
    raw[-1] ^= 1
    block = forged(chain)
    txs = (block.transactions[0], bytes(raw))
    header = replace(block.header, tx_root=merkle.root(txs))
    recertified(chain, replace(block, header=header, transactions=txs))
    assert (header.height, 1, "transaction_signature") == found(report(chain, tmp_path))


def test_a_certified_block_with_an_undecodable_transaction(chain: Chain, tmp_path: Path) -> None:
    block = forged(chain)
    header = replace(block.header, tx_root=merkle.root((b"\xc1",)))
    recertified(chain, replace(block, header=header, transactions=(b"\xc1",)))
    assert (header.height, 0, "transaction_malformed") == found(report(chain, tmp_path))


def test_a_certified_block_with_a_signed_transaction_that_is_no_body(chain: Chain, tmp_path: Path) -> None:
    """The verifiers look at envelopes only: what is signed by the right key may still be nothing."""
    payload, key = encode([1, 2, 3]), dev_key("account", "bmw")
    signature = key.sign(sign_bytes(chain.genesis_hash, payload))
    raw = assemble(payload, [TxSignature(address("bmw"), key.public, signature)])
    block = forged(chain)
    txs = (block.transactions[0], raw)
    header = replace(block.header, tx_root=merkle.root(txs))
    recertified(chain, replace(block, header=header, transactions=txs))
    out = report(chain, tmp_path)
    assert (header.height, 1, "transaction_malformed") == found(out)
    assert out.divergence is not None
    assert txid_of(chain.genesis_hash, payload) == out.divergence.txid


def test_a_last_commit_with_one_false_signature(chain: Chain, tmp_path: Path) -> None:
    block = forged(chain)
    last = with_signatures(block.last_commit, s0=block.last_commit.signatures[1])
    header = replace(block.header, last_commit_hash=commit_hash(last))
    recertified(chain, replace(block, header=header, last_commit=last))
    assert (header.height, -1, "last_commit") == found(report(chain, tmp_path))


def _copied_signature(commit: Commit) -> Commit:
    return with_signatures(commit, s0=commit.signatures[1])


def _no_quorum(commit: Commit) -> Commit:
    return with_signatures(commit, s0=b"", s1=b"")


def _other_round(commit: Commit) -> Commit:
    return replace(commit, round=1)


def _other_block(commit: Commit) -> Commit:
    return replace(commit, block_id=bytes(32))


def _too_few(commit: Commit) -> Commit:
    return replace(commit, signatures=commit.signatures[:3])


@pytest.mark.parametrize("forge", [_copied_signature, _no_quorum, _other_round, _other_block, _too_few])
@pytest.mark.parametrize("height", [3, 11])
def test_certificates_that_prove_nothing(folder: Path, tmp_path: Path, forge: object, height: int) -> None:
    raw = entries(folder, tmp_path / "scratch")[schema.commit_key(height)]
    commit = forge(decode_commit(raw))  # type: ignore[operator]
    source = StoreSource(tampered(folder, tmp_path / "bad", {schema.commit_key(height): encode(commit)}))
    out = replay(source)
    assert (height, -1, "commit_certificate") == found(out)
    assert height - 1 == out.height
