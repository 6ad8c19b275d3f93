"""Snapshots: what is cut can be restored to the same store, and nothing that was changed on the way is believed."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pytest
import zstandard
from msgspec.structs import replace
from support.chain import DAY_MS, Chain
from support.life import Life, maintenance, register
from support.memory_store import MemoryStore

from node.codec import encode
from node.errors import Malformed, Rejected
from node.limits import BLOCK_TXS_MAX
from node.storage import schema, snapshot
from node.storage.chain_store import ChainStore
from node.storage.snapshot import (
    CHUNK_BYTES_MAX,
    Offer,
    Restore,
    _decode_pairs,
    _Pairs,
    check_offer,
    cut_snapshot,
    manifest_id,
)
from node.txtypes.chain.replay_window import EMPTY

COMPARED = (b"S", b"K", b"R", b"W", b"X")


@pytest.fixture(scope="module")
def chain() -> Chain:
    life = Life(Chain()).to("handed_over")
    many = [life.chain.sign("bmw", register(f"WBA8E9G50GNU{index:05d}")) for index in range(40)]
    life.chain.produce(*many)
    life.chain.do("workshop-berlin", maintenance(life.chain, 300))
    return life.chain


def cut(chain: Chain) -> tuple[Offer, list[bytes]]:
    chunks: list[bytes] = []
    offer = cut_snapshot(chain.store.kv.snapshot(), chain.genesis_hash, lambda index, data: chunks.insert(index, data))
    return offer, chunks


def restored(chain: Chain, offer: Offer, chunks: list[bytes]) -> ChainStore:
    kv = MemoryStore()
    restore = Restore(kv, chain.genesis, offer)
    for chunk in chunks:
        restore.add(chunk)
    restore.finish()
    return ChainStore(kv, chain.genesis)


def family(store: ChainStore, prefix: bytes) -> dict[bytes, bytes]:
    return dict(store.kv.scan(prefix, bytes([prefix[0] + 1])))


def test_a_restored_store_is_the_same_and_goes_on(chain: Chain) -> None:
    offer, chunks = cut(chain)
    check_offer(offer, chain.genesis_hash)
    store = restored(chain, offer, chunks)

    assert chain.store.head() == store.head()
    assert chain.store.height() == store.first_height()
    for prefix in COMPARED:
        assert family(chain.store, prefix) == family(store, prefix), prefix
    twin = Chain(chain.genesis, store.kv)
    twin.now, twin._salt = chain.now + DAY_MS, 1_000_000
    block = twin.produce(twin.sign("workshop-berlin", maintenance(twin, 400)))
    assert block.header.height == chain.store.height() + 1


def test_a_snapshot_of_a_restored_store_has_the_same_manifest(chain: Chain) -> None:
    offer, chunks = cut(chain)
    twin = Chain(chain.genesis, restored(chain, offer, chunks).kv)
    again, same_chunks = cut(twin)
    assert manifest_id(offer.manifest) == manifest_id(again.manifest)
    assert chunks == same_chunks


def repacked(pairs) -> bytes:
    return zstandard.ZstdCompressor().compress(encode(_Pairs(tuple(pairs))))


def with_pairs(offer: Offer, chunks: list[bytes], change: Callable[[list], list]) -> tuple[Offer, list[bytes]]:
    """A liar's snapshot: other contents, under a manifest that names them, with the true header."""
    assert 1 == len(chunks)
    raw = zstandard.ZstdDecompressor().decompress(chunks[0])
    pairs = change(list(_decode_pairs(raw).pairs))
    chunk = repacked(pairs)
    manifest = replace(offer.manifest, chunks=(sha256(chunk).digest(),), entries=len(pairs))
    return replace(offer, manifest=manifest), [chunk]


def index_of(pairs: list, prefix: bytes) -> int:
    return next(i for i, (key, _) in enumerate(pairs) if key.startswith(prefix))


def changed_value(prefix: bytes) -> Callable[[list], list]:
    def change(pairs: list) -> list:
        at = index_of(pairs, prefix)
        key, value = pairs[at]
        pairs[at] = (key, value[:-1] + bytes([value[-1] ^ 1]))
        return pairs

    return change


def dropped(prefix: bytes) -> Callable[[list], list]:
    def change(pairs: list) -> list:
        del pairs[index_of(pairs, prefix)]
        return pairs

    return change


def added(key: bytes, value: bytes) -> Callable[[list], list]:
    return lambda pairs: sorted([*pairs, (key, value)])


def swapped_values(prefix: bytes) -> Callable[[list], list]:
    def change(pairs: list) -> list:
        at = index_of(pairs, prefix)
        (one, first), (two, second) = pairs[at : at + 2]
        pairs[at : at + 2] = [(one, second), (two, first)]
        return pairs

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(changed_value(prefix) for prefix in (b"R", b"Svehicle/", b"Saccount/", b"Sodometer/", b"W")),
        *(dropped(prefix) for prefix in (b"R", b"Svehicle/", b"Sorder/", b"Swindow/", b"W")),
        *(swapped_values(prefix) for prefix in (b"R", b"Svehicle/", b"W")),
        added(b"Snothing/1", b"\x91\x01"),
        added(b"Swindow/x", encode(EMPTY)),
        added(b"Swindow/" + b"9" * 5_000, encode(EMPTY)),
        added(b"Saccount/" + b"00" * 20, b"\x91\x01"),
        added(b"RWBA8E9G50GNU99999/" + schema.u64(0), b"record"),
        added(b"W" + schema.u64(1) + bytes(12), bytes(40)),
        added(b"W" + schema.u64(1) + bytes(12), bytes(39)),
        added(b"Mhead", b"x"),
        added(b"Xh/00", b""),
    ],
)
def test_contents_that_do_not_lead_to_the_certified_header_are_refused(chain: Chain, change) -> None:
    offer, chunks = with_pairs(*cut(chain), change)
    kv = MemoryStore()
    restore = Restore(kv, chain.genesis, offer)

    def use() -> None:
        for chunk in chunks:
            restore.add(chunk)
        restore.finish()

    with pytest.raises(Rejected):
        use()
    assert kv.get(schema.META_HEAD) is None, "an unfinished store is never taken for one"


def test_keys_that_do_not_ascend_are_refused(chain: Chain) -> None:
    offer, chunks = with_pairs(*cut(chain), lambda pairs: [pairs[1], pairs[0], *pairs[2:]])
    with pytest.raises(Malformed, match="ascend"):
        Restore(MemoryStore(), chain.genesis, offer).add(chunks[0])


def test_a_key_that_comes_twice_is_refused(chain: Chain) -> None:
    offer, chunks = with_pairs(*cut(chain), lambda pairs: [pairs[0], *pairs])
    with pytest.raises(Malformed, match="ascend"):
        Restore(MemoryStore(), chain.genesis, offer).add(chunks[0])


def rekeyed(prefix: bytes, change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Callable[[list], list]:
    """The last pair of a family under another key or with another value."""

    def changed(pairs: list) -> list:
        at = max(i for i, (key, _) in enumerate(pairs) if key.startswith(prefix))
        return [*pairs[:at], change(*pairs[at]), *pairs[at + 1 :]]

    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (rekeyed(b"R", lambda key, value: (key[:-1] + b"\x09", value)), "have a gap at 6"),
        (rekeyed(b"R", lambda key, value: (key[:-9] + b"x" + key[-8:], value)), "not a vehicle record.s key"),
        (
            rekeyed(b"R", lambda key, value: (key[:-9] + 1_000_000 * b"A" + key[-9:], value)),
            "not a vehicle record.s key",
        ),
        (rekeyed(b"W", lambda key, value: (key + b"x", value)), "the wrong size"),
        (rekeyed(b"W", lambda key, value: (key, value[:32] + b"\x00" + value[32:])), "the wrong size"),
        (rekeyed(b"W", lambda key, value: (key, value[:-1])), "the wrong size"),
        (added(b"S\xff/1", b"\x91\x01"), "is not ASCII"),
        (added(b"Saccount/" + 200 * b"0", b"\x91\x01"), "too long"),
    ],
)
def test_what_would_lead_to_the_same_root_under_another_key_is_refused(chain: Chain, change, told: str) -> None:
    offer, chunks = with_pairs(*cut(chain), change)
    with pytest.raises(Malformed, match=told):
        Restore(MemoryStore(), chain.genesis, offer).add(chunks[0])


def placed(change: Callable[[int, int, int], tuple[int, int]], number: int | None = None) -> Callable[[list], list]:
    """The replay window with other places: `change` gets number, height and index. `number`: the one to change."""

    def changed(pairs: list) -> list:
        window = [(key, value) for key, value in pairs if key.startswith(b"W")]
        numbers = range(len(window)) if number is None else [number % len(window)]
        for at in numbers:
            key, value = window[at]
            place = schema.place_in(key)
            window[at] = key[:9] + schema.place(*change(at, place.height, place.index)), value
        return [*(pair for pair in pairs if not pair[0].startswith(b"W")), *window]

    return changed


OUTSIDE = "a transaction's place is outside the chain"
OF_HEAD = "a transaction's place is not that of the header's block"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (placed(lambda _, height, index: (height + 1_000_000, index)), OUTSIDE),
        (placed(lambda _, height, index: (2**63 + height, index)), OUTSIDE),
        (placed(lambda _, height, index: (height + 1, index), -2), OUTSIDE),
        (placed(lambda _, height, index: (0, index), 0), OUTSIDE),
        (placed(lambda _, height, index: (height, index + BLOCK_TXS_MAX), 0), OUTSIDE),
        (placed(lambda number, _height, _index: (1, number)), OF_HEAD),
        (placed(lambda _, height, index: (height, index + 1), -2), OF_HEAD),
        (placed(lambda _, height, index: (height - 1, index + 9_000), -2), OF_HEAD),
    ],
)
def test_places_that_the_chain_can_not_have_are_refused(change, told: str) -> None:
    """The window's leaf proves ids and their order, not the places."""
    life = Life(Chain()).to("handed_over")
    life.chain.produce(*(life.chain.sign("bmw", register(f"WBA8E9G50GNU{index:05d}")) for index in range(2)))
    offer, chunks = with_pairs(*cut(life.chain), change)
    kv = MemoryStore()
    restore = Restore(kv, life.chain.genesis, offer)
    with pytest.raises(Malformed, match=told):
        restore.add(chunks[0])
    restored(life.chain, *with_pairs(*cut(life.chain), placed(lambda _, height, index: (height, index))))


def test_a_transaction_of_the_headers_block_must_have_its_place(chain: Chain) -> None:
    offer, chunks = cut(chain)
    block, added_tx = offer.block, chain.sign("bmw", register("WBA8E9G50GNU99999"))
    more = replace(block, transactions=(*block.transactions, added_tx))
    with pytest.raises(Malformed, match="1 transactions of the header's block have no place"):
        restored(chain, replace(offer, block=more), chunks)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "CHUNK_BYTES", 10_000)


@pytest.mark.usefixtures("small_chunks")
def test_what_is_large_comes_in_several_chunks(chain: Chain) -> None:
    offer, chunks = cut(chain)
    assert len(chunks) == len(offer.manifest.chunks) > 2
    assert all(len(zstandard.ZstdDecompressor().decompress(chunk)) < 2 * 10_000 for chunk in chunks)
    assert chain.store.head() == restored(chain, offer, chunks).head()


@pytest.mark.usefixtures("small_chunks")
def test_chunks_are_taken_in_their_order_all_of_them_and_no_more(chain: Chain) -> None:
    offer, chunks = cut(chain)
    restore = Restore(MemoryStore(), chain.genesis, offer)
    with pytest.raises(Malformed, match="chunk 0 is not the one"):
        restore.add(chunks[1])
    for chunk in chunks:
        restore.add(chunk)
    with pytest.raises(Malformed, match=f"chunk {len(chunks)} is not the one"):
        restore.add(chunks[-1])
    restore.finish()


@pytest.mark.usefixtures("small_chunks")
def test_chunks_and_entries_are_as_many_as_the_manifest_says(chain: Chain) -> None:
    offer, chunks = cut(chain)
    first = len(_decode_pairs(zstandard.ZstdDecompressor().decompress(chunks[0])).pairs)
    for entries, given in ((first, chunks[:1]), (offer.manifest.entries + 1, chunks)):
        lying = replace(offer, manifest=replace(offer.manifest, entries=entries))
        with pytest.raises(Malformed, match="entries, its manifest says"):
            restored(chain, lying, given)


def test_the_next_validators_are_those_of_the_state(chain: Chain) -> None:
    offer, chunks = cut(chain)
    others = tuple(replace(entry, power=entry.power + 1) for entry in offer.manifest.next_validators)
    with pytest.raises(Malformed, match="next validator set is not the state's"):
        restored(chain, replace(offer, manifest=replace(offer.manifest, next_validators=others)), chunks)


def test_a_chunk_that_the_manifest_does_not_name_is_refused(chain: Chain) -> None:
    offer, chunks = cut(chain)
    restore = Restore(MemoryStore(), chain.genesis, offer)
    with pytest.raises(Malformed, match="chunk 0"):
        restore.add(chunks[0][:-1] + b"\x00")
    with pytest.raises(Malformed, match="entries"):
        restore.finish()


@pytest.mark.parametrize(
    "chunk",
    [b"no zstd", zstandard.ZstdCompressor().compress(bytes(CHUNK_BYTES_MAX + 1)), b"",
     zstandard.ZstdCompressor().compress(b"\xff")],
)  # fmt: skip
def test_bombs_and_garbage_are_refused(chain: Chain, chunk: bytes) -> None:
    offer, _ = cut(chain)
    offer = replace(offer, manifest=replace(offer.manifest, chunks=(sha256(chunk).digest(),)))
    with pytest.raises(Rejected):
        Restore(MemoryStore(), chain.genesis, offer).add(chunk)


@pytest.mark.parametrize(
    ("chunk", "told"),
    [
        (zstandard.ZstdCompressor().compress(bytes(CHUNK_BYTES_MAX + 1)), f"at most {CHUNK_BYTES_MAX} are allowed"),
        (zstandard.ZstdCompressor(write_content_size=False).compress(b"x"), f"at most {CHUNK_BYTES_MAX} are allowed"),
        (zstandard.ZstdCompressor().compress(bytes(CHUNK_BYTES_MAX)), "snapshot chunk"),
    ],
    ids=["too large", "of unknown size", "as large as may be"],
)
def test_a_chunks_size_is_looked_at_before_it_is_decompressed(chain: Chain, chunk: bytes, told: str) -> None:
    offer, _ = cut(chain)
    offer = replace(offer, manifest=replace(offer.manifest, chunks=(sha256(chunk).digest(),)))
    with pytest.raises(Rejected, match=told):
        Restore(MemoryStore(), chain.genesis, offer).add(chunk)


def tampered_offers(chain: Chain) -> dict[str, Offer]:
    offer, _ = cut(chain)
    manifest, commit = offer.manifest, offer.commit
    older = chain.store.committed(chain.store.height() - 1)
    assert older is not None
    return {
        "another chain": replace(offer, manifest=replace(manifest, genesis_hash=bytes(32))),
        "another version": replace(offer, manifest=replace(manifest, version=2)),
        "other validators": replace(offer, manifest=replace(manifest, validators=manifest.validators[1:])),
        "other powers": replace(
            offer, manifest=replace(manifest, validators=tuple(replace(v, power=9) for v in manifest.validators))
        ),
        "other next validators": replace(offer, manifest=replace(manifest, next_validators=manifest.validators[:3])),
        "another header": replace(offer, manifest=replace(manifest, header=older.block.header)),
        "another block": replace(offer, block=older.block),
        "another body": replace(offer, block=replace(offer.block, transactions=())),
        "another certificate": replace(offer, commit=older.commit),
        "a copied signature": replace(offer, commit=replace(commit, signatures=(commit.signatures[1],) * 4)),
        "no quorum": replace(offer, commit=replace(commit, signatures=(*commit.signatures[:2], b"", b""))),
    }


def test_offers_that_contradict_themselves_are_refused(chain: Chain) -> None:
    refused = []
    offers = tampered_offers(chain)
    for name, offer in offers.items():
        try:
            check_offer(offer, chain.genesis_hash)
        except Rejected:
            refused.append(name)
    assert list(offers) == refused


def test_pruning_stops_before_too_many_transactions_but_always_takes_one_block() -> None:
    chain = Chain()
    for first in range(0, 12, 3):
        chain.produce(*[chain.sign("bmw", register(f"WBA8E9G50GNU{i:05d}")) for i in range(first, first + 3)])
    pruned = []
    for txs_max in (2, 6, 100):
        pruned.append(chain.store.prune(4, 10, txs_max))
    assert [1, 2, 0] == pruned
    assert 4 == chain.store.first_height()


def test_pruning_forgets_blocks_and_nothing_else() -> None:
    life = Life(Chain()).to("handed_over")
    chain = life.chain
    store, height = chain.store, chain.store.height()
    before = {prefix: family(store, prefix) for prefix in COMPARED}
    old = chain.check(store.block(1).transactions[0])
    assert 3 == store.prune(height - 2, 3)
    assert 4 == store.first_height()
    assert store.block(3) is None and store.commit(3) is None
    assert store.block(4) is not None
    assert before == {prefix: family(store, prefix) for prefix in COMPARED}
    assert store.place(old.txid) is not None, "what the replay window holds can still be asked for"
    assert height - 2 - 4 == store.prune(height - 2, 1_000)
    assert 0 == store.prune(height - 2, 1_000)
    again = ChainStore(store.kv, chain.genesis)
    assert height - 2 == again.first_height()
    assert store.head() == again.head()
    offer, chunks = cut(chain)
    assert restored(chain, offer, chunks).head() == store.head()
    chain.do("workshop-berlin", maintenance(chain, 500))


@pytest.mark.parametrize("entries_max", [0, 3, 50])
def test_what_would_not_fit_into_memory_is_refused_before_it_is_there(chain: Chain, entries_max: int) -> None:
    """The manifest names the chunks, and nobody vouches for what they hold before all of them are there."""
    offer, chunks = cut(chain)
    restore = Restore(MemoryStore(), chain.genesis, offer, entries_max)
    with pytest.raises(Malformed, match=f"more than {entries_max} values and cars"):
        restore.add(chunks[0])
