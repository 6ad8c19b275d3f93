"""Guards of the envelope: lifetime, replay, quota, weight."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address, dev_test_genesis
from support.life import maintenance, offer, register
from support.signers import BMW, SHARED, A, B, C, key_of, rotate, with_shared_account
from support.stages import at, change, force, signed

from node import limits
from node.codec import encode
from node.crypto import merkle
from node.crypto.dev_keys import dev_key
from node.crypto.hashing import tagged
from node.crypto.state_tree import bucket_of, slot_of
from node.errors import InvalidBlock
from node.execution.block_run import BlockFull
from node.ledger.guards import GuardsUnmet
from node.ledger.params import CHAIN
from node.ledger.ruleset import Ruleset
from node.ledger.signed import assemble
from node.rules.tables import Tables
from node.storage import schema
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.chain.governance import GovernancePropose
from node.txtypes.chain.replay_window import EMPTY, WINDOW, hour_of
from node.txtypes.identity.account import AccountUpdateKeys
from node.txtypes.identity.quota import QUOTA, Quota, weight_of
from node.txtypes.registry import TYPES
from node.txtypes.rulesets import RULESETS, build_ruleset
from node.txtypes.service.records import MaintenanceRecord
from wallet.txfile import sign_payload


# --- lifetime ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lifetime_ms", "codes"),
    [
        (-1, ["transaction_expired"]),
        (0, []),
        (1, []),
        (DAY_MS, []),
        (DAY_MS + 1, ["expiry_too_far"]),
    ],
)
def test_a_transaction_is_valid_from_its_longest_life_to_its_very_expiry(lifetime_ms: int, codes: list[str]) -> None:
    chain = at("").chain
    assert codes == chain.unmet(chain.sign("bmw", rotate(), lifetime_ms=lifetime_ms))


@pytest.mark.parametrize(("lifetime_ms", "codes"), [(60_000, []), (60_001, ["expiry_too_far"])])
def test_the_longest_life_is_a_chain_parameter(lifetime_ms: int, codes: list[str]) -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", tx_lifetime_max_ms=60_000)
    assert codes == chain.unmet(chain.sign("bmw", rotate(), lifetime_ms=lifetime_ms))


# --- replay -----------------------------------------------------------------------------------------
def test_the_same_bytes_hold_only_once() -> None:
    life = at("born")
    raw = life.chain.sign("workshop-berlin", maintenance(life.chain))
    assert [] == life.chain.unmet(raw)
    life.chain.produce(raw)
    assert ["already_committed"] == life.chain.unmet(raw)
    life.chain.now += 3_599_000 - 1000
    assert ["already_committed"] == life.chain.unmet(raw)


def test_the_same_bytes_hold_only_once_within_a_block() -> None:
    life = at("born")
    tx = life.chain.check(life.chain.sign("workshop-berlin", maintenance(life.chain)))
    run = life.chain.run()
    run.add(tx)
    with pytest.raises(GuardsUnmet) as caught:
        run.add(tx)
    assert ["already_committed"] == [guard.code for guard in caught.value.unmet]


def test_another_signature_set_is_the_same_transaction() -> None:
    chain = with_shared_account()
    body = AccountUpdateKeys((A.public, B.public, C.public), 2, b"")
    first, second = (signed(chain, SHARED, body, (SHARED, A), (SHARED, key)) for key in (B, C))
    one, two = chain.check(first), chain.check(second)
    assert one.txid == two.txid
    assert one.wire_id != two.wire_id
    run = chain.run()
    run.add(one)
    with pytest.raises(GuardsUnmet, match="on the chain already"):
        run.add(two)
    chain.produce(first)
    assert ["already_committed"] == chain.unmet(second)


def test_another_salt_is_another_transaction() -> None:
    chain = at("").chain
    first, second = (signed(chain, address("bmw"), rotate(), key_of("bmw"), salt=salt) for salt in (1, 2))
    chain.produce(first)
    assert [] == chain.unmet(second)


def _window_keys(chain: Chain) -> list[bytes]:
    return [key for key, _ in chain.store.kv.scan(b"W", b"X")]


def test_a_window_bucket_goes_with_the_first_block_after_its_hour() -> None:
    chain = at("").chain
    chain.now = START_MS + 5 * HOUR_MS
    raw = chain.sign("bmw", rotate(), lifetime_ms=HOUR_MS - 1)
    chain.produce(raw)
    hour = hour_of(chain.check(raw).payload.expires_at_ms)
    assert hour_of(START_MS) + 5 == hour

    chain.now = START_MS + 6 * HOUR_MS - 1
    chain.produce(pass_ms=0)
    assert ["already_committed"] == chain.unmet(raw)
    assert 1 == chain.state(WINDOW, str(hour)).count
    assert [schema.window_start(hour) + schema.place(1, 0)] == _window_keys(chain)

    chain.now = START_MS + 6 * HOUR_MS
    chain.produce()
    assert chain.state(WINDOW, str(hour)) is None
    assert [] == _window_keys(chain)


def test_a_block_after_a_week_of_silence_drops_every_bucket_that_has_passed() -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", tx_lifetime_max_ms=7 * DAY_MS)
    chain.produce(*(signed(chain, address("bmw"), rotate(), key_of("bmw"), salt=d, lifetime_ms=d * DAY_MS - 1)
                    for d in range(1, 8)))  # fmt: skip
    assert 7 == len(_window_keys(chain))
    chain.now += 8 * DAY_MS
    chain.produce()
    assert [] == _window_keys(chain)
    assert [] == [key for key, _ in chain.store.kv.scan(b"Swindow/", b"Swindow0")]


def test_a_bucket_counts_and_chains_its_transactions_in_block_order() -> None:
    chain = at("").chain
    raws = [signed(chain, address("bmw"), rotate(), key_of("bmw"), salt=salt) for salt in (1, 2, 3)]
    chain.produce(*raws[:2])
    chain.produce(raws[2])
    payload = chain.check(raws[0]).payload
    head = EMPTY.head
    for raw in raws:
        head = tagged("bmw/window", head + chain.check(raw).txid + payload.expires_at_ms.to_bytes(8, "big"))
    bucket = chain.state(WINDOW, str(hour_of(payload.expires_at_ms)))
    assert (3, head) == (bucket.count, bucket.head)


# --- quota ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("used", "codes"), [(0, []), (9, []), (10, ["keys_exhausted"])])
def test_new_state_keys_count_against_the_members_quota_of_the_day(used: int, codes: list[str]) -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", keys_per_sponsor_day=10)
    force(chain, QUOTA, address("bmw"), Quota(chain.now // DAY_MS, 0, used, ()))
    assert codes == chain.unmet(chain.sign("bmw", register()))


def test_the_quota_is_full_again_the_next_day() -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", keys_per_sponsor_day=10)
    force(chain, QUOTA, address("bmw"), Quota(chain.now // DAY_MS, 0, 10, ()))
    chain.now += DAY_MS
    assert [] == chain.unmet(chain.sign("bmw", register()))
    chain.do("bmw", register())
    quota = chain.state(QUOTA, address("bmw"))
    assert ((START_MS + 2 * DAY_MS) // DAY_MS, 1) == (quota.day, quota.keys)


def test_the_sponsor_pays_for_an_account_that_is_no_member() -> None:
    life = at("listed")
    before = life.chain.state(QUOTA, address("bmw"))
    life.offered()  # the order and the buyer's list of live offers
    after, own = life.chain.state(QUOTA, address("bmw")), life.chain.state(QUOTA, address("buyer-1"))
    assert before.keys + 2 == after.keys
    assert (own.day, own.weight, 2) == (after.day, after.weight - before.weight, own.keys)


def test_a_quota_that_is_used_up_leaves_no_trace() -> None:
    life = at("listed")
    change(life.chain, CHAIN, "params", keys_per_sponsor_day=10)
    used = Quota(life.chain.now // DAY_MS, 0, 9, ())
    force(life.chain, QUOTA, address("bmw"), used)
    run = life.chain.run()
    tx = life.chain.check(life.chain.sign("buyer-1", offer(life.chain, life.listing)))
    with pytest.raises(GuardsUnmet) as caught:
        run.add(tx)
    assert [("keys_exhausted", "11", "at most 10 a day")] == [(g.code, g.have, g.need) for g in caught.value.unmet]
    result = run.finish()
    assert ({}, (), 0) == (result.changes, result.transactions, run.weight)


def test_what_changes_keys_that_exist_costs_no_quota() -> None:
    life = at("born")
    life.chain.do("workshop-berlin", maintenance(life.chain))
    assert 1 == life.chain.state(QUOTA, address("workshop-berlin")).keys  # the working set of readings
    life.chain.do("workshop-berlin", maintenance(life.chain))
    assert 1 == life.chain.state(QUOTA, address("workshop-berlin")).keys


@pytest.mark.parametrize(
    ("sender", "payer", "limit"),
    [
        ("bmw", "bmw", "weight_per_sponsor_day"),
        ("buyer-1", "buyer-1", "weight_per_account_day"),
        ("buyer-1", "bmw", "weight_per_sponsor_day"),
    ],
)
@pytest.mark.parametrize("over", [0, 1])
def test_every_transaction_is_charged_to_its_payers(sender: str, payer: str, limit: str, over: int) -> None:
    """Also one that creates nothing: a thousand changes of one's own keys are not free."""
    chain = at("").chain
    raw = chain.sign(sender, rotate(sender))
    weight = weight_of(chain.check(raw).payload.body, len(raw))
    assert weight == 100 + len(raw) // 64
    change(chain, CHAIN, "params", **{limit: 10_000})
    force(chain, QUOTA, address(payer), Quota(chain.now // DAY_MS, 10_000 - weight + over, 0, ()))
    assert ["weight_exhausted"] * over == chain.unmet(raw)


def test_governance_is_open_to_a_member_whose_quota_is_used_up() -> None:
    chain = at("").chain
    force(chain, QUOTA, address("bmw"), Quota(chain.now // DAY_MS, 10**12, 10**9, ()))
    assert [] == chain.unmet(chain.sign("bmw", GovernancePropose(ParameterSet("timeout_cap_ms", 5_000))))
    assert ["weight_exhausted", "keys_exhausted"] == chain.unmet(chain.sign("bmw", register()))


def test_who_grows_a_bucket_pays_for_its_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys can be ground into one bucket: each then costs more, those that the block itself has added included."""
    monkeypatch.setattr(limits, "ENTRIES_PER_KEY", 4)
    chain = Chain(dev_test_genesis(depth=1))  # all keys are in two buckets
    entries = [len(chain.store.state.bucket(number)) // 64 for number in (0, 1)]
    vins, expected = [f"WBA8E9G50GNU{number:05d}" for number in range(12)], 0
    for vin in vins:  # a registration creates one key
        number = bucket_of(slot_of(b"vehicle/" + vin.encode()), 1)
        expected += 1 + entries[number] // 4
        entries[number] += 1
    chain.produce(*(chain.sign("bmw", register(vin)) for vin in vins))
    assert (expected, True) == (chain.state(QUOTA, address("bmw")).keys, expected > 5 * len(vins))


# --- weight -----------------------------------------------------------------------------------------
def test_a_full_block_takes_no_more_and_keeps_what_it_has() -> None:
    chain = at("").chain
    change(chain, CHAIN, "params", block_weight_max=10_000)
    run = chain.run()
    txs = [chain.check(signed(chain, BMW[0], rotate(), BMW, salt=salt)) for salt in range(200)]
    with pytest.raises(BlockFull):
        any(map(run.add, txs))
    taken = len(run.finish().transactions)
    assert 50 < taken < 100
    assert run.weight <= 10_000 < run.weight + run.weight // taken + 1


def test_a_block_that_is_too_heavy_is_invalid() -> None:
    chain = at("").chain
    raws = [signed(chain, BMW[0], rotate(), BMW, salt=salt) for salt in range(100)]
    block = chain.build(*raws)
    change(chain, CHAIN, "params", block_weight_max=10_000)
    with pytest.raises(InvalidBlock) as caught:
        chain.judge(block)
    assert "block_weight" == caught.value.rule
    assert 50 < caught.value.index < 100


# --- types ------------------------------------------------------------------------------------------
def unknown_tx(chain: Chain, tag: str = "vehicle.teleport", sender: str = "bmw", lifetime_ms: int = HOUR_MS) -> bytes:
    """Signed by what newer software would be: this one has no class for the body."""
    payload = encode([address(sender), 1, chain.now + lifetime_ms, [tag, "WBA8E9G50GNU12345", {"to": [1, 2]}]])
    key = dev_key("account", sender)
    return assemble(payload, [sign_payload(payload, chain.genesis_hash, address(sender), key)])


@pytest.mark.parametrize("sender", ["bmw", "nobody-at-all"])
@pytest.mark.parametrize("lifetime_ms", [-1, HOUR_MS, 400 * DAY_MS])
def test_a_type_without_a_class_is_not_active_and_nothing_else_is_asked(sender: str, lifetime_ms: int) -> None:
    chain = at("").chain
    raw = unknown_tx(chain, sender=sender, lifetime_ms=lifetime_ms)
    (unmet,) = chain.run().judge(chain.check(raw)).unmet_guards
    assert ("type_not_active", "vehicle.teleport") == (unmet.code, unmet.subject)
    assert ["type_not_active"] == chain.unmet(raw)


def test_a_known_type_outside_the_ruleset_is_not_active_either(monkeypatch: pytest.MonkeyPatch) -> None:
    life = at("born")
    raw = life.chain.sign("buyer-1", maintenance(life.chain, services=("NONSENSE",)))
    assert ["code_unknown", "role_missing"] == life.chain.unmet(raw)
    without = rules_with(types={tag: kind for tag, kind in TYPES.items() if tag != "maintenance.record"})
    monkeypatch.setitem(RULESETS, 1, without)
    assert ["type_not_active"] == life.chain.unmet(raw)


def test_a_later_type_is_not_in_an_earlier_ruleset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MaintenanceRecord, "since", 2)
    first, second = (build_ruleset(n, Tables(), RULESETS[1].severity, RULESETS[1].verdict) for n in (1, 2))
    assert {"maintenance.record"} == second.types.keys() - first.types.keys()
    assert len(TYPES) - 1 == len(first.types)


def test_a_block_with_a_type_that_is_not_active_is_invalid() -> None:
    """Not malformed: whether others can read it must not decide what a block is."""
    chain = at("").chain
    block = chain.build(chain.sign("bmw", register()))
    bad = replace(block, transactions=(unknown_tx(chain),))
    bad = replace(bad, header=replace(block.header, tx_root=merkle.root(bad.transactions)))
    with pytest.raises(InvalidBlock, match="type"):
        chain.judge(bad)


def rules_with(**changes: object) -> Ruleset:
    fields = {name: getattr(RULESETS[1], name) for name in Ruleset.__dataclass_fields__}
    return Ruleset(**fields | changes)
