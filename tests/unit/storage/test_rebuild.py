"""A store made anew from its blocks, a store held against itself, and one store put in another's place."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from support.blocks import offence
from support.chain import Chain, dev_test_genesis
from support.life import maintenance
from support.memory_store import MemoryStore
from support.stages import at
from support.stores import lax_block, with_signatures

from node.chain.block import decode_block, decode_commit
from node.codec import encode
from node.crypto.state_tree import slot_of
from node.errors import Busy, OperatorError
from node.ledger.family import index_prefix
from node.storage import schema, store_dirs
from node.storage.chain_store import ChainStore, StoredHead
from node.storage.leveldb import LevelStore
from node.storage.rebuild import BrokenChain, Extent, check_whole, extent_of, rebuild
from node.storage.schema import FAMILY_NAMES, key_text
from node.storage.snapshot import Restore, cut_snapshot
from node.storage.store_check import StoreCheck
from node.storage.store_dirs import MARKER, Rebuilt, exchange, finish_rebuilt, marked, rebuilt_folder, settle
from node.storage.verify_report import StoreDamage
from node.txtypes.members.member import MEMBER

GENESIS = dev_test_genesis()
DERIVED = b"IKQRSTVWXY"


def grown() -> Chain:
    """A car that is sold on, a validator that loses its power, and blocks by the smaller set."""
    chain = at("offered").chain
    chain.produce(evidence=(offence(chain, "dealer-shanghai"),))
    chain.do("workshop-berlin", maintenance(chain, 500))
    chain.produce()
    return chain


CHAIN = grown()
HEIGHT = CHAIN.store.height()


def entries(kv: MemoryStore) -> dict[bytes, bytes]:
    return dict(kv.scan(b"", b"\xff" * 64))


ALL = entries(CHAIN.store.kv)


def rebuilt(source: MemoryStore, last: int = HEIGHT) -> ChainStore:
    target = ChainStore(MemoryStore(), GENESIS)
    rebuild(source, target, last)
    return target


def broken(source: MemoryStore) -> tuple[int, str, int]:
    """(height named, why, where the target stands)."""
    target = ChainStore(MemoryStore(), GENESIS)
    with pytest.raises(BrokenChain) as caught:
        rebuild(source, target, HEIGHT)
    return caught.value.height, str(caught.value), target.height()


def changed(puts: dict[bytes, bytes], *deletes: bytes) -> MemoryStore:
    return MemoryStore({key: value for key, value in (ALL | puts).items() if key not in deletes})


# --- rebuild -------------------------------------------------------------------------------------------
def test_every_key_comes_out_as_it_was_from_blocks_and_certificates_alone() -> None:
    bare = MemoryStore({key: value for key, value in ALL.items() if key[0] not in DERIVED})
    steps: list[tuple[int, int]] = []
    target = ChainStore(MemoryStore(), GENESIS)
    rebuild(bare, target, HEIGHT, lambda height, transactions: steps.append((height, transactions)))
    assert ALL == entries(target.kv)
    assert (HEIGHT, 5) == steps[-1]
    assert list(range(1, HEIGHT + 1)) == [height for height, _ in steps]


def test_at_every_height_the_store_is_the_one_of_then() -> None:
    chain = Chain(GENESIS)
    for height in range(HEIGHT + 1):
        assert entries(chain.store.kv) == entries(rebuilt(CHAIN.store.kv, height).kv)
        if height < HEIGHT:
            rebuild(CHAIN.store.kv, chain.store, height + 1)


def test_the_first_block_that_does_not_hold_is_named_and_nothing_after_it_taken() -> None:
    block = decode_block(ALL[schema.block_key(3)])
    raw = block.transactions[0]
    forged = encode(replace(block, transactions=(raw[:-1] + bytes([raw[-1] ^ 1]),)))
    commit = decode_commit(ALL[schema.commit_key(4)])
    for source, height, why in (
        (changed({}, schema.block_key(3)), 3, "missing"),
        (changed({}, schema.commit_key(5)), 5, "certificate is missing"),
        (changed({schema.block_key(3): ALL[schema.block_key(3)][:-1]}), 3, "block:"),
        (changed({schema.block_key(3): ALL[schema.block_key(2)]}), 3, "another block"),
        (changed({schema.block_key(3): forged}), 3, "tx_root"),
        (changed({schema.commit_key(4): encode(with_signatures(commit, s0=bytes(64)))}), 4, "does not verify"),
        (changed({schema.commit_key(4): encode(with_signatures(commit, s0=b"", s1=b""))}), 4, "two thirds"),
        (changed({schema.commit_key(4): ALL[schema.commit_key(3)]}), 4, "another block"),
    ):
        found, text, stands = broken(source)
        assert (height, height - 1) == (found, stands), text
        assert why in text


def test_a_certified_block_that_breaks_a_rule_is_named_with_its_transaction() -> None:
    """All validators signed it, and still it does not execute."""
    chain = at("born").chain
    lax_block(chain, chain.sign("buyer-1", maintenance(chain, 10)))
    target = ChainStore(MemoryStore(), GENESIS)
    with pytest.raises(BrokenChain, match=r"block 2 is invalid: role_missing.*transaction 0"):
        rebuild(chain.store.kv, target, 2)


def test_how_far_a_store_goes_needs_nothing_derived() -> None:
    assert Extent(1, HEIGHT, True) == extent_of(CHAIN.store.kv, GENESIS)
    assert Extent(1, 0, True) == extent_of(ChainStore(MemoryStore(), GENESIS).kv, GENESIS)
    for source in (
        changed({}, schema.META_HEAD),
        changed({schema.META_HEAD: b"\xc1"}),
        changed({}, schema.META_GENESIS, schema.META_SCHEMA),
        changed({}, schema.block_key(HEIGHT)),
    ):
        assert Extent(1, HEIGHT if source.get(schema.META_HEAD) != b"" else 0, True) == extent_of(source, GENESIS)


def test_another_chain_a_newer_schema_and_a_store_without_its_beginning_are_refused() -> None:
    for source, why in (
        (changed({schema.META_GENESIS: bytes(32)}), "genesis"),
        (changed({schema.META_SCHEMA: b"\0\0\0\x09"}), "schema version 9"),
        (MemoryStore(), "no chain"),
    ):
        with pytest.raises(OperatorError, match=why):
            extent_of(source, GENESIS)
    pruned = extent_of(changed({}, schema.block_key(1), schema.block_key(2)), GENESIS)
    with pytest.raises(OperatorError, match="no blocks before 3"):
        check_whole(pruned)


# --- a store held against itself -----------------------------------------------------------------------
def damages(kv: MemoryStore) -> list[StoreDamage]:
    return list(StoreCheck(kv, GENESIS).damages())


def names(found: list[StoreDamage], key: bytes) -> bool:
    """Whether the key, or the group that it is one of, is among the damages."""
    family = FAMILY_NAMES.get(key[:1], "meta entry")
    text = key_text(key)
    group = {b"R": f"{text.split('/')[0]}/0 to ", b"W": text.split(",")[0]}.get(key[:1], text)
    slot = f"of slot {slot_of(key[1:]).hex()}"
    return any(d.family == family and (d.key in (text, slot) or d.key.startswith(group)) for d in found)


def test_a_good_store_is_read_to_the_last_key_and_nothing_is_found() -> None:
    steps: set[str] = set()
    check = StoreCheck(MemoryStore(dict(ALL)), GENESIS, lambda family, *_: steps.add(family))
    assert [] == list(check.damages())
    assert len(ALL) == sum(check.counts.values())
    assert (HEIGHT, 3) == (check.height, check.counts["other"])
    assert set(FAMILY_NAMES.values()) == steps
    assert [] == damages(ChainStore(MemoryStore(), GENESIS).kv)


def pruned_store() -> MemoryStore:
    chain = Chain(GENESIS, CHAIN.store.kv.snapshot())
    assert 3 == chain.store.prune(4, 10)
    return chain.store.kv


def snapshot_store() -> MemoryStore:
    chunks: list[bytes] = []
    offer = cut_snapshot(CHAIN.store.kv, CHAIN.genesis_hash, lambda _, chunk: chunks.append(chunk))
    kv = MemoryStore()
    restore = Restore(kv, GENESIS, offer)
    for chunk in chunks:
        restore.add(chunk)
    restore.finish()
    return kv


@pytest.mark.parametrize("make", [pruned_store, snapshot_store])
def test_a_store_that_begins_above_block_1_is_whole_and_its_damage_is_named(make: Callable[[], MemoryStore]) -> None:
    kv = make()
    first = extent_of(kv, GENESIS).first
    assert first > 1
    assert [] == damages(kv)
    whole = entries(kv)
    for key in whole:
        if key[:1] in (b"B", b"C", b"I", b"K", b"Q", b"R", b"S", b"W", b"X", b"Y"):
            assert names(damages(MemoryStore({k: v for k, v in whole.items() if k != key})), key), key
    for base in (None, schema.u64(1), schema.u64(first - 1), schema.u64(first + 1)):
        puts = {} if base is None else {schema.META_BASE: base}
        assert damages(MemoryStore({k: v for k, v in whole.items() if k != schema.META_BASE} | puts)), base
    place = next(key for key, value in whole.items() if key[:1] == b"T" and schema.place_in(value).height < first)
    for height in (0, HEIGHT, HEIGHT + 1, 2**63):
        assert names(damages(MemoryStore(whole | {place: schema.place(height, 0)})), place), height


@pytest.mark.parametrize("family", sorted({key[:1] for key in ALL}))
def test_every_key_that_is_lost_is_named(family: bytes) -> None:
    for key in [key for key in ALL if key[:1] == family]:
        found = damages(changed({}, key))
        assert names(found, key), (key, found)


@pytest.mark.parametrize("family", sorted({key[:1] for key in ALL} - {b"Q"}))
def test_every_value_with_a_flipped_bit_is_named(family: bytes) -> None:
    """Not of receipts: whether a row says the right thing only a replay can tell (see test_receipts_check)."""
    for key in [key for key in ALL if key[:1] == family]:
        value = ALL[key]
        for place in {0, len(value) // 3, len(value) - 1} if value else ():
            flipped = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
            found = damages(changed({key: flipped}))
            assert names(found, key), (key, place, found)
        if not value:
            assert names(damages(changed({key: b"\x01"})), key)


def test_what_is_too_much_is_named() -> None:
    some = {family: next(key for key in ALL if key[:1] == family) for family in {key[:1] for key in ALL}}
    for key, value in (
        (schema.commit_key(HEIGHT + 1), ALL[schema.commit_key(HEIGHT)]),
        (schema.block_id_key(b"\x07" * 32), schema.u64(2)),
        (schema.tx_key(b"\x07" * 32), schema.u64(2) + bytes(4)),
        (schema.validators_key(3), ALL[schema.validators_key(1)]),
        (b"Xr/dealer/" + b"00" * 20, b""),
        (index_prefix(MEMBER, "role", "dealer") + b"00" * 20, b""),
        (schema.receipts_key(HEIGHT + 1), ALL[schema.receipts_key(HEIGHT)]),
        (schema.receipts_key(0), ALL[schema.receipts_key(1)]),
        (schema.subject_key("vehicle/WBA8E9G50GNU12345", HEIGHT + 7), bytes(4)),
        (schema.subject_key("vehicle/WBA8E9G50GNU99999", 1), bytes(4)),
        (schema.record_key("WBA8E9G50GNU12345", 900), b"more"),
        (schema.record_key("WBA8E9G50GNU99999", 0), b"no such car"),
        (schema.window_start(2**32) + schema.place(HEIGHT, 900), b"\x07" * 32 + schema.u64(1)),
        (b"Svehicle/WBA8E9G50GNU99999", ALL[b"Svehicle/WBA8E9G50GNU12345"]),
        (b"Sunheard-of/1", b"\x90"),
        (schema.bucket_key(63) if schema.bucket_key(63) not in ALL else some[b"K"], bytes(64)),
    ):
        found = damages(changed({key: value}))
        assert names(found, key), (key, found)


def test_only_what_blocks_do_not_prove_asks_for_more_than_a_reindex() -> None:
    assert not any(d.is_derived for d in damages(changed({}, schema.commit_key(3))))
    lost = damages(changed({}, schema.block_key(3), schema.block_key(4)))
    assert (3, False, "and all up to 4 are missing") == (lost[0].height, lost[0].is_derived, lost[0].text)
    for family in DERIVED:
        key = next(key for key in ALL if key[0] == family)
        assert all(d.is_derived for d in damages(changed({}, key))), key


def test_a_state_that_was_changed_with_tree_and_head_is_not_the_one_that_was_signed() -> None:
    """Somebody who can write the disk rewrites a value and everything stored over it, but has no keys."""
    chain = Chain(GENESIS, CHAIN.store.kv.snapshot())
    run = chain.run()
    run.add(chain.check(chain.sign("workshop-berlin", maintenance(chain, 900))))
    result = run.finish()
    puts, deletes = chain.store._batch(result, b"\x07" * 32)
    head = chain.store.head()
    puts = {key: value for key, value in puts.items() if key[:1] in (b"S", b"K", b"X", b"R")}
    puts[schema.META_HEAD] = encode(StoredHead(head.height, head.block_id, head.time_ms, result.state_root))
    chain.store.kv.write(puts, deletes)
    assert ChainStore(chain.store.kv, GENESIS).height() == HEIGHT, "the node itself would start with it"
    found = damages(chain.store.kv)
    assert names(found, schema.META_HEAD)
    assert any("the head's header says" in damage.text for damage in found)


# --- one store in another's place ----------------------------------------------------------------------
class PowerCut(BaseException):
    """Nothing happens after this."""


class Power:
    """Lets `steps` changes of the disk happen, then none."""

    def __init__(self, patch: pytest.MonkeyPatch, steps: int, *, can_swap: bool) -> None:
        self.left = steps
        for owner, name in ((os, "rename"), (os, "fsync"), (Path, "unlink"), (Path, "write_bytes")):
            patch.setattr(owner, name, self._limited(getattr(owner, name)))
        patch.setattr(store_dirs, "_swap", self._limited(store_dirs._swap if can_swap else lambda *_: False))

    def _limited(self, call):
        def limited(*args, **named):
            if self.left == 0:
                raise PowerCut
            self.left -= 1
            return call(*args, **named)

        return limited


def store_with(folder: Path, content: bytes) -> None:
    kv = LevelStore(folder)
    kv.write({b"content": content}, [])
    kv.close()


def content(folder: Path) -> bytes | None:
    kv = LevelStore(folder, create=False)
    try:
        return kv.get(b"content")
    finally:
        kv.close()


PURPOSE = Rebuilt("rollback", 9, 7, "store.before-rollback-9")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store_with(tmp_path / "store", b"old")
    store_with(tmp_path / "store.rebuilt", b"new")
    return tmp_path / "store"


def cut_after(store: Path, steps: int, *, can_swap: bool) -> bool:
    """Finish and exchange with power for so many steps; whether it was enough."""
    with pytest.MonkeyPatch.context() as patch:
        Power(patch, steps, can_swap=can_swap)
        try:
            finish_rebuilt(rebuilt_folder(store), PURPOSE)
            exchange(store)
        except PowerCut:
            return False
    return True


@pytest.mark.parametrize("can_swap", [True, False])
def test_a_power_cut_at_any_step_leaves_the_old_or_the_new_store_in_place(tmp_path: Path, can_swap: bool) -> None:
    outcomes: list[bytes | None] = []
    for steps in range(60):
        folder = tmp_path / f"{steps}"
        store = folder / "store"
        store_with(store, b"old")
        store_with(rebuilt_folder(store), b"new")
        if cut_after(store, steps, can_swap=can_swap):
            break
        if can_swap:
            assert store.exists(), "with one call there is no moment without a store"
        settle(store)  # as every start and every repair does
        outcomes.append(content(store))
        kept = folder / PURPOSE.kept_as
        if outcomes[-1] == b"new":
            assert b"old" == content(kept)
            assert not rebuilt_folder(store).exists()
            assert marked(store) is None
        else:
            assert not kept.exists()
            assert settle(store) is None
    else:
        raise AssertionError("it never ended")
    assert outcomes == sorted(outcomes, reverse=True), "old to the point of no return, new from then on"
    assert {b"old", b"new"} == set(outcomes)


def test_the_old_store_is_kept_under_its_name_and_the_new_one_says_nothing_of_it(store: Path) -> None:
    finish_rebuilt(rebuilt_folder(store), PURPOSE)
    kept = exchange(store)
    assert (b"new", b"old") == (content(store), content(kept))
    assert PURPOSE.kept_as == kept.name
    assert not (store / MARKER).exists()
    assert "store.before-rollback-9-2" == store_dirs.kept_name(store, "rollback-9")


def test_a_store_in_use_is_not_exchanged(store: Path) -> None:
    finish_rebuilt(rebuilt_folder(store), PURPOSE)
    holder = LevelStore(store)
    try:
        with pytest.raises(Busy, match=f"process {os.getpid()}"):
            exchange(store)
    finally:
        holder.close()
    assert (b"old", b"new") == (content(store), content(rebuilt_folder(store)))


def test_reading_opens_a_copy_and_leaves_nothing(store: Path) -> None:
    kv = LevelStore(store)
    kv.write({b"more": b"1"}, [])
    kv.compact()
    kv.close()
    before = fingerprints(store)
    with store_dirs.reading(store) as copy:
        opened = LevelStore(copy, create=False)
        assert (b"old", b"1") == (opened.get(b"content"), opened.get(b"more"))
        opened.write({b"content": b"written to the copy"}, [])
        opened.compact()
        opened.close()
        with pytest.raises(Busy, match="another command reads the store"), store_dirs.reading(store):
            pass
        with store_dirs.repairing(store), store_dirs.locked(store):
            pass  # a node may begin meanwhile
    assert before == fingerprints(store)
    assert not store.with_name("store.reading").exists()
    with pytest.raises(OperatorError, match="no store"), store_dirs.reading(store.with_name("none")):
        pass


def fingerprints(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((path.name, path.read_bytes()) for path in folder.iterdir())


def test_a_marker_that_is_no_marker_means_nothing(store: Path) -> None:
    (rebuilt_folder(store) / MARKER).write_bytes(msgspec.json.encode({"command": 1}))
    assert marked(rebuilt_folder(store)) is None
    assert settle(store) is None
    assert b"old" == content(store)
