"""The chain on disk: one batch a block, every index recomputed, a restart finds all of it, and no damage passes."""

from __future__ import annotations

from dataclasses import replace as with_
from hashlib import sha256

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address, dev_test_genesis
from support.life import VIN, Life, maintenance, offer, register
from support.memory_store import MemoryStore
from support.second_codec import h, state_root, unpack
from support.stages import at

from node.audit.invariants import check_invariants
from node.codec import encode
from node.crypto.state_tree import verify_state_proof
from node.errors import Corrupted, OperatorError
from node.ledger.family import Family, expiry_value, index_prefix
from node.storage import schema, window_sweep
from node.storage.chain_store import ChainReader, ChainStore, StoredHead
from node.storage.schema import TxPlace
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.chain.governance import PROPOSAL, GovernancePropose, GovernanceVote
from node.txtypes.members.member import MEMBER
from node.txtypes.registry import FAMILIES
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE


class RecordingStore(MemoryStore):
    """Keeps its batches, and can lose power before one."""

    def __init__(self, entries: dict[bytes, bytes] | None = None) -> None:
        super().__init__(entries)
        self.batches: list[tuple[dict[bytes, bytes], list[bytes]]] = []
        self.power = True

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        if not self.power:
            raise OperatorError("the disk is full")
        self.batches.append((puts, deletes))
        super().write(puts, deletes)


def contents(kv: MemoryStore) -> dict[bytes, bytes]:
    return dict(kv.scan(b"", b"\xff" * 9))


def handed_over() -> Life:
    return at("handed_over")


# --- one batch ---------------------------------------------------------------------------------------------------
def test_the_genesis_and_every_block_are_one_batch() -> None:
    kv = RecordingStore()
    chain = Chain(kv=kv)
    assert len(kv.batches) == 1
    for number in range(2, 6):
        chain.produce(chain.sign("bmw", register(VIN[:-1] + str(number))))
        assert number == len(kv.batches)


def test_a_block_that_cannot_be_written_leaves_everything_as_it_was() -> None:
    kv = RecordingStore()
    chain = Chain(kv=kv)
    chain.do("bmw", register())
    before, head, root = contents(kv), chain.store.head(), chain.store.tree.root
    block = chain.build(chain.sign("bmw", register(VIN[:-1] + "6")))
    result = chain.judge(block)
    kv.power = False
    with pytest.raises(OperatorError):
        chain.store.commit_block(block, result, chain.commit_for(block))
    assert before == contents(kv)
    assert (head, root) == (chain.store.head(), chain.store.tree.root)
    kv.power = True
    chain.store.commit_block(block, result, chain.commit_for(block))
    assert head.height + 1 == ChainStore(kv, chain.genesis).height() == chain.store.height()


def test_every_prefix_of_batches_is_a_whole_chain() -> None:
    """A torn tail takes whole batches: whatever is left opens at its own head."""
    kv = RecordingStore()
    life = Life(Chain(kv=kv)).to("handed_over")
    left: dict[bytes, bytes] = {}
    for height, (puts, deletes) in enumerate(kv.batches):
        for key in deletes:
            left.pop(key, None)
        left |= puts
        store = ChainStore(MemoryStore(left), life.chain.genesis)
        assert height == store.height() == store.head().height
        assert store.block(height + 1) is None
    assert store.head() == life.chain.store.head()


# --- restart -----------------------------------------------------------------------------------------------------
def test_a_restart_finds_head_tree_and_blocks() -> None:
    chain = handed_over().chain
    again = ChainStore(chain.store.kv, chain.genesis)
    assert chain.store.head() == again.head()
    assert chain.store.tree.root == again.tree.root == again.head().state_root
    state = {key[1:]: value for key, value in again.kv.scan(b"S", b"T")}
    assert again.tree.root == state_root(state, chain.genesis.tree_depth)
    for height in range(1, again.height() + 1):
        committed = again.committed(height)
        assert committed is not None
        header = encode(committed.block.header)
        block_id = h("bmw/header", chain.genesis_hash + header)
        assert (height, block_id) == (again.height_of(block_id), committed.commit.block_id)
        assert encode(committed.block) == again.block_bytes(height)
        for index, raw in enumerate(committed.block.transactions):
            assert TxPlace(height, index) == again.place(chain.check(raw).txid)
    assert (None, None, None) == (again.block(99), again.commit(99), again.committed(99))
    assert (None, None, None) == (again.place(bytes(32)), again.height_of(bytes(32)), again.record(VIN, 99))
    chain.do("bmw", register(VIN[:-1] + "6"))


def test_the_next_block_after_a_restart_is_the_same() -> None:
    life = at("listed")
    raw = life.chain.sign("buyer-1", offer(life.chain, life.listing))
    block = life.chain.build(raw)
    life.chain.store = ChainStore(life.chain.store.kv, life.chain.genesis)
    assert block == life.chain.build(raw)


def test_head_is_none_in_a_store_that_was_never_started() -> None:
    reader = ChainReader(MemoryStore())
    assert (None, -1) == (reader.stored_head(), reader.height())
    with pytest.raises(Corrupted, match="never finished"):
        reader.head()


# --- indexes -----------------------------------------------------------------------------------------------------
def listed(chain: Chain, family: Family, index: str, value: str = "", start: str = "", limit: int = 100) -> list[str]:
    return chain.store.entries(index_prefix(family, index, value), start, limit)


@pytest.mark.parametrize("stage", ["", *Life.STAGES])
def test_every_index_is_what_the_state_says(stage: str) -> None:
    kv = at(stage).chain.store.kv
    wanted = set()
    for key, raw in kv.scan(b"S", b"T"):
        name, _, ident = key[1:].decode("ascii").partition("/")
        value = FAMILIES[name].decode(raw)
        for index in FAMILIES[name].indexes:
            wanted |= {f"X{name}/{index.name}/{entry}/{ident}".encode() for entry in index.values(value)}
    found = dict(kv.scan(b"X", b"Y"))
    assert wanted == set(found)
    assert set(found.values()) == {b""}


def test_each_index_answers() -> None:
    life = handed_over()
    chain, order, seller, buyer = life.chain, life.order.hex(), address("dealer-munich"), address("buyer-1")
    assert [VIN] == listed(chain, VEHICLE, "holder", buyer.hex())
    assert [] == listed(chain, VEHICLE, "holder", seller.hex())
    for index, value in (("vin", VIN), ("seller", seller.hex()), ("open", "")):
        assert [] == listed(chain, LISTING, index, value), "it is sold"
    assert [order] == listed(chain, ORDER, "vin", VIN)
    assert [order] == listed(chain, ORDER, "party", seller.hex()) == listed(chain, ORDER, "party", buyer.hex())
    assert [] == listed(chain, ORDER, "party", address("bmw").hex())
    assert sorted(address(f"workshop-{at}").hex() for at in ("berlin", "hamburg")) == listed(
        chain, MEMBER, "role", "workshop"
    )
    assert [] == listed(chain, PROPOSAL, "open") == listed(chain, PROPOSAL, "status", "carried_out")


def test_an_index_that_nothing_reads_is_not_there() -> None:
    """Payments are read by their order, accounts by their sponsor by nobody."""
    names = {(name, index.name) for name, family in FAMILIES.items() for index in family.indexes}
    assert {
        ("member", "role"), ("vehicle", "holder"), ("listing", "vin"), ("listing", "seller"), ("listing", "open"),
        ("order", "vin"), ("order", "party"), ("mandate", "party"), ("proposal", "open"), ("proposal", "status"),
        ("vehicle", "alert"), ("vehicle", "flag"), ("vehicle", "recall"), ("recall", "reference"),
        ("part", "vehicle"), ("battery", "vehicle"), ("warranty", "vin"), ("warranty", "provider"), ("claim", "vin"),
        ("claim", "party"), ("record-dispute", "vin"), ("record-dispute", "opener"), ("record-dispute", "author"),
        ("order-dispute", "order"), ("order-dispute", "opener"), ("case", "party"), ("case", "order"),
        ("order-claims", "vin"), ("order-claims", "party"),
    } == names  # fmt: skip


@pytest.mark.parametrize("stage", ["listed", "accepted"])
def test_a_listing_that_may_count_as_open_is_listed(stage: str) -> None:
    """A reserved one too: its reservation may lapse, and nothing is written then."""
    life = at(stage)
    chain, ident, seller = life.chain, life.listing.hex(), address("dealer-munich").hex()
    expiry = expiry_value(chain.state(LISTING, life.listing).expires_at_ms)
    assert [ident] == listed(chain, LISTING, "vin", VIN) == listed(chain, LISTING, "seller", seller)
    assert [f"{expiry}/{ident}"] == listed(chain, LISTING, "open")
    chain.store.prune(chain.store.height(), 100)
    assert [f"{expiry}/{ident}"] == listed(chain, LISTING, "open"), "an index follows from the state alone"


def test_open_things_are_listed_by_their_expiry() -> None:
    chain = at("").chain
    made = []
    for number in range(4):
        chain.now += DAY_MS // 2
        made.append(chain.do("bmw", GovernancePropose(ParameterSet("block_txs_max", 100 + number))).hex())
    idents = [entry.rpartition("/")[2] for entry in listed(chain, PROPOSAL, "open")]
    assert made == idents, "the one that expires first comes first, whatever its id"
    second = expiry_value(chain.state(PROPOSAL, made[1]).expires_at_ms)
    assert made[1:] == [entry.rpartition("/")[2] for entry in listed(chain, PROPOSAL, "open", start=second)]
    for voter in ("dealer-munich", "workshop-berlin"):
        chain.do(voter, GovernanceVote(bytes.fromhex(made[2]), False))
    assert [made[0], made[1], made[3]] == [entry.rpartition("/")[2] for entry in listed(chain, PROPOSAL, "open")]


def test_expiry_values_ascend_as_their_times() -> None:
    times = [0, 1, 15, 16, 255, 2**32 - 1, 2**32, START_MS, 2**53 - 1, 2**53]
    assert [expiry_value(ms) for ms in times] == sorted(expiry_value(ms) for ms in times)
    assert 1 == len({len(expiry_value(ms)) for ms in times})


def test_pages_of_an_index_follow_each_other() -> None:
    chain = at("").chain
    vins = [VIN[:-1] + str(number) for number in range(7)]
    chain.produce(*(chain.sign("bmw", register(vin)) for vin in vins))
    start, found = "", []
    while page := listed(chain, VEHICLE, "holder", address("bmw").hex(), start, 3):
        found += page
        start = page[-1] + "\0"
    assert vins == found


# --- records, window, validators, proofs ----------------------------------------------------------------------------
def test_records_are_read_upwards_and_downwards() -> None:
    chain = handed_over().chain
    count = chain.state(VEHICLE, VIN).record_count
    everything = list(chain.store.records(VIN, 0, 1_000))
    faces = [unpack(unpack(raw)[0]) for _, raw in everything]
    assert list(range(count)) == [sequence for sequence, _ in everything] == [face[1] for face in faces]
    assert everything[2:4] == list(chain.store.records(VIN, 2, 2))
    assert everything[1::-1] == list(chain.store.records(VIN, 2, 5, reverse=True))
    assert [everything[-1]] == list(chain.store.records(VIN, 2**63, 1, reverse=True))
    assert everything[3][1] == chain.store.record(VIN, 3)
    assert [] == list(chain.store.records(VIN[:-1], 0, 9))
    assert [] == list(chain.store.records(VIN, count, 9))


def test_the_replay_window_holds_a_txid_until_its_hour_has_passed() -> None:
    chain = at("").chain
    txid = chain.do("bmw", register())
    expires = chain.now - 1_000 + HOUR_MS
    hour = schema.window_start(expires // HOUR_MS)
    assert chain.store.state.was_committed(txid) and not chain.store.state.was_committed(bytes(32))
    row = hour + schema.place(1, 0), txid + schema.u64(expires)
    assert [row] == list(chain.store.window()) == list(chain.store.kv.scan(b"W", b"X"))
    chain.now += 2 * HOUR_MS
    chain.produce()
    assert [] == list(chain.store.kv.scan(b"W", b"X"))
    assert TxPlace(1, 0) == chain.store.place(txid)


def test_of_what_was_pruned_within_its_window_nothing_stays_once_that_has_passed() -> None:
    chain = at("").chain
    txid = chain.do("bmw", register())
    kept = chain.do("bmw", register("WBA8E9G50GNU00002"))
    chain.store.prune(2, 10)
    assert 2 == chain.store.first_height()
    assert chain.store.place(txid) is not None, "it may not be committed again yet, and that is told"
    chain.now += 2 * HOUR_MS
    chain.produce()
    assert chain.store.place(txid) is None
    assert chain.store.place(kept) is not None


def test_an_hour_of_expiries_is_swept_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders choose when their transactions expire: all of a day's may pass with one block."""
    monkeypatch.setattr(window_sweep, "LEAST", 3)
    chain = at("").chain
    for i in range(4):
        chain.do("bmw", register(f"WBA8E9G50GNU0000{i}"))
        chain.do("bmw", register(f"WBA8E9G50GNU1000{i}"))
    expected = list(chain.store.window())
    assert 8 == len(expected) == len(list(chain.store.kv.scan(b"W", b"X")))
    chain.now += 2 * HOUR_MS
    left = []
    for _ in range(4):
        chain.produce()
        assert [] == list(chain.store.window()), "what has passed stands for nothing"
        check_invariants(chain.store)
        left.append(len(list(chain.store.kv.scan(b"W", b"X"))))
    assert [5, 2, 0, 0] == left
    reopened = ChainStore(chain.store.kv, chain.genesis)
    assert reopened.head() == chain.store.head()


def test_a_block_sweeps_more_than_it_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else full blocks would add rows faster than they delete them."""
    monkeypatch.setattr(window_sweep, "LEAST", 1)
    chain = at("").chain
    chain.produce(*[chain.sign("bmw", register(f"WBA8E9G50GNU0000{i}")) for i in range(6)])
    chain.now += 2 * HOUR_MS
    chain.produce(*[chain.sign("bmw", register(f"WBA8E9G50GNU1000{i}")) for i in range(2)])
    assert 6 - 2 * 2 + 2 == len(list(chain.store.kv.scan(b"W", b"X")))


def test_the_validators_of_every_height() -> None:
    chain = handed_over().chain
    first = chain.store.validators(1)
    assert [first] * 3 == [chain.store.validators(height) for height in (1, 5, chain.store.height() + 1)]
    with pytest.raises(Corrupted, match="no validator set for height 0"):
        chain.store.validators(0)


@pytest.mark.parametrize("key", [VEHICLE.key(VIN), b"chain/params", b"vehicle/NONE", b""])
def test_a_proof_of_any_key_holds_under_the_heads_root(key: bytes) -> None:
    store = handed_over().chain.store
    verify_state_proof(key, store.state.get(key), store.proof(key), store.head().state_root, store.tree.depth)


def test_a_snapshot_answers_as_of_its_moment() -> None:
    chain = at("born").chain
    reader = ChainReader(chain.store.kv.snapshot())
    before = chain.store.head()
    chain.do("workshop-berlin", maintenance(chain))
    assert before == reader.head() != chain.store.head()
    assert [0] == [sequence for sequence, _ in reader.records(VIN, 0, 9)]


# --- what it refuses -----------------------------------------------------------------------------------------------
def edited(puts: dict[bytes, bytes], *deletes: bytes) -> MemoryStore:
    kv = MemoryStore(contents(at("born").chain.store.kv))
    kv.write(puts, list(deletes))
    return kv


def test_a_newer_schema_is_refused() -> None:
    newer = (schema.SCHEMA_VERSION + 1).to_bytes(4, "big")
    told = f"schema version {schema.SCHEMA_VERSION + 1}, this software reads {schema.SCHEMA_VERSION}: install a newer"
    before = contents(edited({schema.META_SCHEMA: newer}))
    kv = MemoryStore(before)
    with pytest.raises(OperatorError, match=told):
        ChainStore(kv, dev_test_genesis())
    assert before == contents(kv)
    with pytest.raises(Corrupted, match=r"schema version.*reindex"):
        ChainStore(edited({}, schema.META_SCHEMA), dev_test_genesis())


def test_the_store_of_another_chain_is_refused() -> None:
    other = replace(dev_test_genesis(), chain_id="bmw-other")
    with pytest.raises(OperatorError, match=r"belongs to the chain with genesis hash .* use its genesis file"):
        ChainStore(edited({}), other)


BUCKET = next(iter(dict(at("born").chain.store.kv.scan(b"K", b"L"))))


@pytest.mark.parametrize(
    ("name", "puts", "deletes", "told"),
    [
        ("no head", {}, (schema.META_HEAD,), "no head"),
        ("head that does not decode", {schema.META_HEAD: b"\xc1"}, (), "head does not decode"),
        ("head of another shape", {schema.META_HEAD: b"\x91\x01"}, (), "head does not decode"),
        ("head with another root", {schema.META_HEAD: encode(StoredHead(1, bytes(32), 1, bytes(32)))}, (), "tree"),
        ("bucket lost", {}, (BUCKET,), "restore a checkpoint, or wipe the store"),
        ("bucket changed", {BUCKET: bytes(64)}, (), "state tree has root"),
        ("bucket added", {schema.bucket_key(63): sha256(b"").digest() * 2}, (), "state tree has root"),
        ("no parameters", {}, (schema.state_key(b"chain/params"),), "no head"),
        ("parameters that do not decode", {schema.state_key(b"chain/params"): b"\x90"}, (), "family chain"),
        ("no validators", {}, (schema.validators_key(1),), "no validator set"),
        ("validators that do not decode", {schema.validators_key(1): b"\x00"}, (), "validator set does not decode"),
    ],
)  # fmt: skip
def test_a_damaged_store_does_not_open(
    name: str, puts: dict[bytes, bytes], deletes: tuple[bytes, ...], told: str
) -> None:
    with pytest.raises(Corrupted, match=told):
        ChainStore(edited(puts, *deletes), dev_test_genesis())


def test_blocks_and_certificates_that_do_not_decode_are_corrupted() -> None:
    reader = ChainReader(edited({schema.block_key(1): b"\x90", schema.commit_key(1): b"\x90"}))
    with pytest.raises(Corrupted, match="block 1 does not decode"):
        reader.block(1)
    with pytest.raises(Corrupted, match="certificate of 1 does not decode"):
        reader.commit(1)
    with pytest.raises(Corrupted):
        reader.committed(1)


def test_blocks_are_committed_in_order_with_their_own_certificate_and_root() -> None:
    chain = at("").chain
    block = chain.build(chain.sign("bmw", register()))
    result, commit = chain.judge(block), chain.commit_for(block)
    before = contents(chain.store.kv)
    wrong = (
        (replace(block, header=replace(block.header, height=2)), result, commit),
        (block, with_(result, tree=with_(result.tree, root=bytes(32))), commit),
        (block, result, replace(commit, block_id=bytes(32))),
        (replace(block, header=replace(block.header, time_ms=block.header.time_ms + 1)), result, commit),
    )
    for arguments in wrong:
        with pytest.raises(AssertionError):
            chain.store.commit_block(*arguments)
    assert before == contents(chain.store.kv)
    chain.store.commit_block(block, result, commit)
    with pytest.raises(AssertionError, match="in order"):
        chain.store.commit_block(block, result, commit)


def test_numbers_are_ordered_in_keys() -> None:
    heights = [0, 1, 255, 256, 2**32, 2**53]
    for key in (schema.block_key, schema.commit_key, schema.validators_key, lambda n: schema.record_key(VIN, n)):
        assert [key(n) for n in heights] == sorted(map(key, heights))
    assert [schema.window_start(n) for n in heights] == sorted(map(schema.window_start, heights))
