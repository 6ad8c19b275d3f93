"""A successor's first state: its predecessor's, but for validators, parameters and the replay window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.chain import Chain, address
from support.life import VIN, Life, changed, maintenance
from support.memory_store import MemoryStore

from node.chain.genesis import Continues, Genesis, GenesisAccount, genesis_to_json, parse_genesis
from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.errors import Malformed, OperatorError
from node.ledger.params import CHAIN
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.storage.snapshot import Restore, cut_snapshot
from node.storage.state_import import import_predecessor
from node.txtypes.chain.validator_set import CONSENSUS_KEY, VALIDATOR, VALIDATORS, ValidatorPause, ValidatorResume
from node.txtypes.identity.account import ACCOUNT, AccountUpdateKeys
from node.txtypes.members.member import MEMBER
from node.txtypes.registry import FAMILIES
from node.txtypes.vehicle.vehicle import VEHICLE

STAYING = ("bmw", "dealer-munich")


@pytest.fixture(scope="module")
def old() -> Chain:
    return Life(Chain()).to("handed_over").chain


def genesis_for(old: Chain, names: tuple[str, ...] = STAYING) -> Genesis:
    """As `bmw-node successor` makes it."""
    head, accounts = old.store.head(), {account.name: account for account in old.genesis.accounts}
    return replace(
        old.genesis,
        chain_id="bmw-2",
        time_ms=head.time_ms + 1_000,
        params=replace(head.params, block_txs_max=77),
        accounts=tuple(accounts[name] for name in names),
        continues=Continues(old.genesis_hash, head.height, head.block_id, head.state_root),
    )


def begun(old: Chain, genesis: Genesis) -> Chain:
    kv = MemoryStore()
    import_predecessor(kv, genesis, old.store.kv, old.genesis.tree_depth)
    return Chain(genesis, kv)


def state_of(store: ChainStore) -> dict[bytes, bytes]:
    return {key[1:]: value for key, value in store.kv.scan(b"S", b"T")}


def test_everything_is_taken_over_but_validators_parameters_and_window(old: Chain) -> None:
    new = begun(old, genesis_for(old))

    before, after = state_of(old.store), state_of(new.store)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    kept_validators = {VALIDATOR.key(address(name)) for name in STAYING}
    lost_validators = {VALIDATOR.key(address(name)) for name in ("dealer-shanghai", "workshop-berlin")}
    assert {key for key in changed if not key.startswith(b"window/")} == {
        VALIDATORS.key("set"), CHAIN.key("params"), *kept_validators, *lost_validators
    }  # fmt: skip
    assert not [key for key in after if key.startswith(b"window/")]
    height = old.store.height()
    for name in STAYING:
        record = new.state(VALIDATOR, address(name))
        assert (record.power, record.admitted_height) == (10, height + 1)
    assert [0, 0] == [VALIDATOR.decode(after[key]).power for key in lost_validators]
    assert new.state(CHAIN, "params").block_txs_max == 77
    for family in (b"R", b"X"):
        stop = bytes([family[0] + 1])
        assert list(old.store.kv.scan(family, stop)) == list(new.store.kv.scan(family, stop))


def test_it_goes_on_at_the_next_height_and_nothing_signed_for_the_old_chain_counts(old: Chain) -> None:
    new = begun(old, genesis_for(old))
    head = new.store.head()
    assert (head.height, head.block_id, new.store.is_at_start) == (old.store.height(), new.genesis_hash, True)
    assert new.store.first_height() == head.height + 1
    count = new.state(VEHICLE, VIN).record_count

    new.do("workshop-berlin", maintenance(new, 400))
    new.produce()

    assert new.state(VEHICLE, VIN).record_count == count + 1
    assert (new.store.height(), new.store.is_at_start) == (head.height + 2, False)
    assert new.store.committed(head.height) is None and new.store.committed(head.height + 1) is not None
    reopened = ChainStore(new.store.kv, new.genesis)
    assert (reopened.head(), reopened.validators(head.height).total) == (new.store.head(), 20)


def test_a_new_node_may_start_from_a_snapshot_of_a_successor(old: Chain) -> None:
    new = begun(old, genesis_for(old))
    new.do("workshop-berlin", maintenance(new, 400))
    chunks: list[bytes] = []
    offer = cut_snapshot(new.store.kv.snapshot(), new.genesis_hash, lambda index, data: chunks.insert(index, data))
    kv = MemoryStore()
    restore = Restore(kv, new.genesis, offer)
    for chunk in chunks:
        restore.add(chunk)
    restore.finish()

    assert ChainStore(kv, new.genesis).head().state_root == new.store.head().state_root


def test_a_member_may_bring_a_key_that_was_never_used(old: Chain) -> None:
    genesis = genesis_for(old)
    fresh = dev_key("consensus", "fresh")
    account = _with_consensus_key(genesis.accounts[0], fresh.public)
    new = begun(old, replace(genesis, accounts=(account, *genesis.accounts[1:])))

    assert new.state(VALIDATOR, address("bmw")).consensus_key == fresh.public
    assert new.state(CONSENSUS_KEY, fresh.public).member == address("bmw")


def _with_consensus_key(account: GenesisAccount, key: bytes) -> GenesisAccount:
    assert account.member is not None and account.member.validator is not None
    validator = replace(account.member.validator, consensus_key=key)
    return replace(account, member=replace(account.member, validator=validator))


def _first(genesis: Genesis, **changes) -> Genesis:
    return replace(genesis, accounts=(replace(genesis.accounts[0], **changes), *genesis.accounts[1:]))


def _member(genesis: Genesis, **changes) -> Genesis:
    return _first(genesis, member=replace(genesis.accounts[0].member, **changes))


def _continues(genesis: Genesis, **changes) -> Genesis:
    return replace(genesis, continues=replace(genesis.continues, **changes))


WRONG: list[tuple[str, Callable[[Genesis], Genesis], str]] = [
    ("other keys", lambda g: _first(g, keys=(dev_key("account", "thief").public,)), r"accounts\[0\].keys"),
    ("lower threshold", lambda g: _first(g, threshold=2), r"accounts\[0\].threshold"),
    ("other sealing hash", lambda g: _first(g, sealing_hash=bytes(32)), r"accounts\[0\].sealing_hash"),
    ("other sponsor", lambda g: _first(g, sponsor=address("buyer-1")), r"accounts\[0\].sponsor"),
    ("other name", lambda g: _first(g, name="bmw-ag"), r"accounts\[0\].name"),
    ("another's address", lambda g: _first(g, address=bytes(20)), "has no account"),
    ("no validator", lambda g: _member(g, validator=None), "are its validators"),
    ("no member", lambda g: _first(g, member=None), "are its validators"),
    ("other country", lambda g: _member(g, country="FR"), r"accounts\[0\].member.country"),
    ("more roles", lambda g: _member(g, roles=g.accounts[1].member.roles), r"accounts\[0\].member.roles"),
    ("other node", lambda g: _member(g, node_address="127.0.0.1:1"), r"accounts\[0\].member.node_address"),
    (
        "another's consensus key",
        lambda g: replace(
            g,
            accounts=(
                _with_consensus_key(g.accounts[0], dev_key("consensus", "workshop-berlin").public),
                *g.accounts[1:],
            ),
        ),
        "served another member",
    ),
    ("other chain", lambda g: _continues(g, genesis_hash=bytes(32)), "genesis.continues names 0000"),
    ("other height", lambda g: _continues(g, height=1), "ends at height"),
    ("other block", lambda g: _continues(g, block_id=bytes(32)), "ends at height"),
    ("other root", lambda g: _continues(g, state_root=bytes(32)), "state has root"),
    ("too early", lambda g: replace(g, time_ms=1), "genesis.time_ms"),
    ("no predecessor", lambda g: replace(g, continues=None), "has no predecessor"),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_genesis_that_changes_more_than_it_may_is_refused(
    old: Chain, change: Callable[[Genesis], Genesis], words: str
) -> None:
    kv = MemoryStore()

    with pytest.raises(Malformed, match=words):
        import_predecessor(kv, change(genesis_for(old)), old.store.kv, old.genesis.tree_depth)

    assert kv.get(schema.META_HEAD) is None


def test_a_validator_that_had_paused_and_is_left_out_does_not_come_back_by_itself() -> None:
    chain = Life(Chain()).to("born").chain
    chain.do("dealer-shanghai", ValidatorPause())
    assert chain.state(VALIDATOR, address("dealer-shanghai")).paused_power == 10
    new = begun(chain, genesis_for(chain))

    record = new.state(VALIDATOR, address("dealer-shanghai"))
    assert (record.power, record.paused_power) == (0, 0)
    assert new.unmet(new.sign("dealer-shanghai", ValidatorResume())) == ["not_paused"]


def test_a_member_whose_keys_have_changed_goes_on_with_its_new_ones() -> None:
    chain = Life(Chain()).to("born").chain
    fresh = dev_key("account", "bmw-new")
    chain.do("bmw", AccountUpdateKeys((fresh.public,), 1, b""))
    genesis = genesis_for(chain)
    changed = replace(genesis.accounts[0], keys=chain.state(ACCOUNT, address("bmw")).keys)
    genesis = replace(genesis, accounts=(changed, *genesis.accounts[1:]))

    assert parse_genesis(genesis_to_json(genesis).encode()) == genesis
    assert begun(chain, genesis).state(VALIDATOR, address("bmw")).power == 10


def test_a_suspended_member_does_not_come_back_by_succession(old: Chain) -> None:
    kv = _copied(old)
    key = schema.state_key(MEMBER.key(address("bmw")))
    kv.write({key: encode(replace(MEMBER.decode(kv.get(key) or b""), changes=changed("suspended", "other")))}, [])

    with pytest.raises(Malformed, match="no active member"):
        import_predecessor(MemoryStore(), genesis_for(old), kv, old.genesis.tree_depth)


def _copied(chain: Chain) -> MemoryStore:
    return MemoryStore(dict(chain.store.kv.scan(b"", b"\xff" * 64)))


@pytest.mark.parametrize("family", [ACCOUNT, VEHICLE])
def test_a_predecessors_store_whose_values_were_changed_is_not_believed(old: Chain, family) -> None:
    kv = _copied(old)
    prefix = schema.state_key(family.key(""))
    key, raw = next(iter(kv.scan(prefix, prefix + b"\xff")))
    value = FAMILIES[family.name].decode(raw)
    changed = replace(value, record_count=value.record_count + 1) if family is VEHICLE else replace(value, threshold=2)
    kv.write({key: encode(changed)}, [])

    with pytest.raises(Malformed, match=r"do not lead to its leaf|state has root|threshold"):
        import_predecessor(MemoryStore(), genesis_for(old), kv, old.genesis.tree_depth)


def test_a_record_that_was_left_out_is_noticed(old: Chain) -> None:
    kv = _copied(old)
    kv.write({}, [schema.record_key(VIN, 1)])

    with pytest.raises(Malformed, match="gap"):
        import_predecessor(MemoryStore(), genesis_for(old), kv, old.genesis.tree_depth)


def test_a_store_is_not_begun_without_the_predecessors_state(old: Chain) -> None:
    with pytest.raises(OperatorError, match="bmw-node inherit"):
        ChainStore(MemoryStore(), genesis_for(old))
