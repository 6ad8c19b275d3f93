"""What must hold of a store whatever led there: each invariant broken once, on disk, behind the node's back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.life import VIN, register
from support.stages import at, force

from node.audit.divergence import Diverged
from node.audit.invariants import check_invariants
from node.codec import encode
from node.storage import schema
from node.storage.chain_store import ChainStore
from node.txtypes.chain.validator_set import VALIDATORS
from node.txtypes.sale.deal import CLAIM_LEG, TradeIn
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT
from node.txtypes.vehicle.vehicle import VEHICLE

OTHER = b"\x07" * 32


def record(sequence: int, vin: str = VIN) -> bytes:
    return b"R" + vin.encode() + b"/" + schema.u64(sequence)


def rule_of(store: ChainStore) -> str:
    with pytest.raises(Diverged) as told:
        check_invariants(store)
    return told.value.divergence.rule


def bent(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def first_window_entry(kv) -> tuple[bytes, bytes]:
    return next(iter(kv.scan(b"W", b"X")))


Damage = Callable[[ChainStore], tuple[dict[bytes, bytes], tuple[bytes, ...]]]


def last_record(store: ChainStore) -> bytes:
    return record(sum(1 for _ in store.kv.scan(b"R", b"S")) - 1)


def window_moved(store: ChainStore) -> tuple[dict[bytes, bytes], tuple[bytes, ...]]:
    key, value = first_window_entry(store.kv)
    return {key: bent(value)}, ()


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        ("invariant_record_gap", lambda store: ({}, (record(0),))),
        ("invariant_record_count", lambda store: ({}, (last_record(store),))),
        ("invariant_history_head", lambda store: ({record(0): bent(store.record(VIN, 0))}, ())),
        ("invariant_record_orphan", lambda store: ({record(0, "WBA8E9G50GNU99999"): b"x"}, ())),
        ("invariant_window", lambda store: ({}, (first_window_entry(store.kv)[0],))),
        ("invariant_window", lambda store: (
            {schema.window_start(2**32) + schema.place(1, 0): OTHER + schema.u64(1)}, ())),
        ("invariant_window", window_moved),
        ("invariant_state_root", lambda store: ({}, (schema.state_key(VALIDATORS.key("set")),))),
        ("invariant_validators", lambda store: (
            {schema.validators_key(store.height() + 1): encode(store.head().validators.entries[1:])}, ())),
    ],
)  # fmt: skip
def test_damage_is_named_by_the_invariant_that_it_breaks(rule: str, damage: Damage) -> None:
    chain = at("handed_over").chain
    store = chain.store
    check_invariants(store)
    puts, gone = damage(store)
    store.kv.write(puts, list(gone))
    assert rule == rule_of(store)


def test_the_set_in_the_state_is_the_one_in_force() -> None:
    chain = at("handed_over").chain
    state = chain.state(VALIDATORS, "set")
    force(chain, VALIDATORS, "set", replace(state, entries=state.entries[1:]))
    chain.store.kv.write({schema.validators_key(chain.store.height() + 1): encode(state.entries)}, [])
    assert "invariant_validators" == rule_of(ChainStore(chain.store.kv, chain.genesis))


def test_the_set_for_the_next_height_is_the_one_in_force() -> None:
    chain = at("handed_over").chain
    head = chain.store.head()
    chain.store.kv.write({schema.validators_key(chain.store.height() + 1): encode(head.validators.entries[1:])}, [])
    assert "invariant_validators" == rule_of(chain.store)


# --- the market -----------------------------------------------------------------------------------------
def test_one_vehicle_has_one_open_listing() -> None:
    life = at("listed")
    twin = life.chain.state(LISTING, life.listing)
    force(life.chain, LISTING, OTHER, twin)
    assert "invariant_one_listing" == rule_of(life.chain.store)
    force(life.chain, LISTING, OTHER, replace(twin, status="withdrawn"))
    check_invariants(life.chain.store)
    force(life.chain, LISTING, OTHER, replace(twin, expires_at_ms=life.chain.store.head().time_ms))
    check_invariants(life.chain.store)


@pytest.mark.parametrize("stage", ["listed", "accepted"])
def test_a_car_is_on_the_market_by_a_listing_of_its_own(stage: str) -> None:
    life = at(stage)
    found = life.chain.state(LISTING, life.listing)
    force(life.chain, LISTING, life.listing, replace(found, vin="WBA8E9G50GNU99999"))
    assert "invariant_market" == rule_of(life.chain.store)
    life = at(stage)
    force(life.chain, LISTING, life.listing, None)
    assert "invariant_market" == rule_of(life.chain.store)


@pytest.mark.parametrize(
    "changes", [{"status": "cancelled"}, {"status": "rejected"}, {"status": "completed"}, {"vin": "WBA8E9G50GNU99999"}]
)
def test_a_reserved_car_has_a_live_order_of_its_own(changes: dict) -> None:
    life = at("accepted")
    force(life.chain, ORDER, life.order, replace(life.chain.state(ORDER, life.order), **changes))
    assert "invariant_market" == rule_of(life.chain.store)


def test_an_order_and_its_payments_agree_on_the_money() -> None:
    life = at("paid")
    check_invariants(life.chain.store)
    payment = life.chain.state(PAYMENT, life.payment)
    force(life.chain, PAYMENT, life.payment, replace(payment, refunded=1))
    assert "invariant_money" == rule_of(life.chain.store)
    life = at("accepted")
    force(life.chain, ORDER, life.order, replace(life.chain.state(ORDER, life.order), net=1))
    assert "invariant_money" == rule_of(life.chain.store)


def test_what_settles_a_claim_is_no_money_of_the_order() -> None:
    life = at("paid")
    payment = life.chain.state(PAYMENT, life.payment)
    force(life.chain, PAYMENT, OTHER, replace(payment, leg=CLAIM_LEG))
    check_invariants(life.chain.store)


def test_a_car_in_payment_is_reserved_by_the_order_that_names_it() -> None:
    life = at("accepted")
    other = "WBA8E9G50GNU99999"
    life.chain.do("bmw", register(other))
    vehicle = life.chain.state(VEHICLE, VIN)
    force(life.chain, VEHICLE, other, replace(
        life.chain.state(VEHICLE, other), market=replace(vehicle.market, listing=b"")
    ))  # fmt: skip
    assert "invariant_market" == rule_of(life.chain.store)
    order = life.chain.state(ORDER, life.order)
    trade_in = TradeIn(other, order.seller, 10, OTHER, None)
    force(life.chain, ORDER, life.order, replace(order, terms=replace(order.terms, trade_in=trade_in)))
    check_invariants(life.chain.store)


def test_a_reservation_that_is_over_needs_no_order() -> None:
    """The car is listed again, or off the market, by time alone."""
    life = at("accepted")
    until = life.chain.state(ORDER, life.order).until_ms
    force(life.chain, ORDER, life.order, replace(life.chain.state(ORDER, life.order), until_ms=life.chain.now - 2_000))
    assert "invariant_market" == rule_of(life.chain.store)
    life = at("accepted")
    life.chain.now = until
    life.chain.produce()
    check_invariants(life.chain.store)
