"""Rules that never break, checked after every block of random walks; and every check sees what it is there for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace as with_
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import address
from support.never_breaks import CHECKS, Broken, Past
from support.walk import VINS, Block, Seen, Walk

from node.codec import encode
from node.txtypes.payment.payment import PaymentAttest
from node.txtypes.sale.order_types import OrderHandover
from node.txtypes.vehicle.brands import with_brand
from node.txtypes.vehicle.title import TitleTransfer

SEEDS = range(8)
BLOCKS = 220


@cache
def walked(seed: int) -> tuple[dict[str, str], Seen]:
    """The first violation of each rule that one walk has met, and what the walk has seen."""
    walk, past, broken = Walk(seed), Past(), {}
    for block in walk.blocks(BLOCKS):
        past.note(block)
        for name, check in CHECKS.items():
            if name not in broken:
                try:
                    check(block, past, walk.chain.store)
                except Broken as error:
                    broken[name] = f"height {block.height}: {error}"
    return broken, walk.seen


@pytest.mark.parametrize("rule", CHECKS)
@pytest.mark.parametrize("seed", SEEDS)
def test_never_breaks(rule: str, seed: int) -> None:
    broken, _ = walked(seed)
    assert rule not in broken, broken[rule]


def test_the_walks_go_where_rules_could_break() -> None:
    """Or the checks would hold because nothing happens."""
    accepted, refused, statuses = Counter(), Counter(), Counter()
    for seed in SEEDS:
        _, seen = walked(seed)
        accepted += seen.accepted
        refused += seen.refused
        statuses += seen.statuses
    assert accepted["order.handover"] > 20
    assert accepted["title.transfer"] > 50
    assert min(accepted[kind] for kind in ("listing.create", "order.accept", "payment.initiate", "order.cancel")) > 20
    assert min(statuses[status] for status in ("settled", "refunded", "charged_back", "captured")) > 5
    tried = ("vehicle_exists", "rail_forbidden", "reference_used", "payment_currency", "payment_not_final",
             "payment_exceeds_price", "signature_missing", "not_the_holder", "market_live", "order_reserved",
             "order_not_reserving",
             "payment_transition", "payment_amount", "malformed", "listing_closed", "order_expired")  # fmt: skip
    assert not [code for code in tried if not refused[code]]


# --- every check sees what it is there for ------------------------------------------------------------------------
@cache
def _a_life() -> tuple[Walk, tuple[Block, ...]]:
    walk = Walk(0)
    return walk, tuple(walk.blocks(BLOCKS))


def last() -> tuple[Walk, Past, Block]:
    walk, blocks = _a_life()
    past = Past()
    for block in blocks:
        past.note(block)
    return walk, past, blocks[-1]


def block_with(kind: type[Any]) -> Block:
    return next(b for b in _a_life()[1] if any(isinstance(tx.payload.body, kind) for tx in b.accepted))


def lie(block: Block, family: str, ident: str, **changes: Any) -> Block:
    """`block` with one value of the state after it changed."""
    values = dict(block.after[family])
    values[ident] = replace(values[ident], **changes)
    return with_(block, after=block.after | {family: values})


def paid_order(block: Block) -> tuple[str, Any]:
    return next((i, o) for i, o in block.after["order"].items() if o.payments)


def two_listings(block: Block) -> Block:
    ident, found = next(iter(block.after["listing"].items()))
    live = replace(found, status="open", expires_at_ms=2**47)
    return with_(block, after=block.after | {"listing": {ident: live, "00" * 32: live}})


def two_orders(block: Block) -> Block:
    ident, found = next(iter(block.after["order"].items()))
    live = replace(found, status="accepted", expires_at_ms=2**47)
    return with_(block, after=block.after | {"order": {ident: live, "00" * 32: live}})


def unsigned(block: Block) -> Block:
    """The block's transactions with their first signature only."""
    bare = tuple(tx._replace(signatures=tx.signatures[:1]) for tx in block.accepted)
    return with_(block, accepted=bare)


def unpaid(block: Block) -> Block:
    order = next(tx.payload.body.order for tx in block.accepted if isinstance(tx.payload.body, OrderHandover))
    payment = next(
        p for p in block.after["order"][order.hex()].payments if block.after["payment"][p.hex()].status == "settled"
    )
    return lie(block, "payment", payment.hex(), status="charged_back")


def card_on_chain(block: Block) -> Block:
    vin = next(iter(block.after["vehicle"]))
    return lie(block, "vehicle", vin, model="4111111111111111")


def chinese_bitcoin(block: Block) -> Block:
    ident, payment = next(iter(block.after["payment"].items()))
    listing = block.after["order"][payment.order.hex()].listing.hex()
    return lie(lie(block, "payment", ident, rail="bitcoin"), "listing", listing, country="CN", rails=())


def same_reference(block: Block) -> Block:
    (_, payment), (other, _) = list(block.after["payment"].items())[:2]
    return lie(block, "payment", other, reference=payment.reference or bytes(32))


def overpaid(block: Block) -> Block:
    _, order = paid_order(block)
    payment = order.payments[0].hex()
    return lie(block, "payment", payment, status="settled", steps=(), amount=replace(order.price, amount=10**9))


VIN = VINS[0]
FLOODED = with_brand((), "flood_fresh", 0, 1, is_confirmed=True)
LIES: dict[str, Callable[[], Block]] = {
    "one_birth_per_vin": lambda: with_(last()[2], after=last()[2].after | {"vehicle": {}}),
    "one_title_holder_per_living_vin": lambda: lie(last()[2], "vehicle", VIN, holder=address("police-1")),
    "title_moves_only_by_a_transfer_or_a_handover": lambda: lie(last()[2], "vehicle", VIN, transfer_count=99),
    "a_transfer_is_signed_by_giver_and_receiver_who_trade_in_cars": lambda: unsigned(block_with(TitleTransfer)),
    "a_handover_needs_settled_money_equal_to_the_price_and_both_signatures": lambda: unpaid(
        block_with(OrderHandover)
    ),
    "what_the_payment_provider_says_never_moves_title": lambda: lie(
        next(b for b in _a_life()[1] if [PaymentAttest] == [type(tx.payload.body) for tx in b.accepted]),
        "vehicle", VIN, holder=address("police-1"),
    ),
    "brands_only_grow": lambda: with_(
        last()[2],
        before=last()[2].after | {"vehicle": {VIN: replace(last()[2].after["vehicle"][VIN], brands=FLOODED)}},
    ),
    "the_history_has_no_gap_and_its_count_and_head_match": lambda: lie(
        last()[2], "vehicle", VIN, record_count=last()[2].after["vehicle"][VIN].record_count + 1
    ),
    "one_live_listing_per_vin": lambda: two_listings(last()[2]),
    "one_live_order_per_vin": lambda: two_orders(last()[2]),
    "refunds_never_exceed_what_came_in": lambda: lie(
        last()[2], "payment", next(iter(last()[2].after["payment"])), refunded=10**12
    ),
    "an_order_is_never_paid_beyond_its_price_at_first": lambda: overpaid(last()[2]),
    "a_payment_has_one_currency": lambda: lie(
        last()[2], "order", paid_order(last()[2])[0], price=replace(paid_order(last()[2])[1].price, currency="CHF")
    ),
    "a_payment_reference_is_consumed_once": lambda: same_reference(last()[2]),
    "a_forbidden_rail_never_starts": lambda: chinese_bitcoin(last()[2]),
    "no_text_holds_a_card_number": lambda: card_on_chain(last()[2]),
}  # fmt: skip


def test_every_check_has_its_lie() -> None:
    assert set(CHECKS) == set(LIES)


@pytest.mark.parametrize("rule", CHECKS)
def test_a_check_sees_what_it_is_there_for(rule: str) -> None:
    walk, past, _ = last()
    with pytest.raises(Broken):
        CHECKS[rule](LIES[rule](), past, walk.chain.store)


def test_handovers_without_the_buyers_signature_and_half_paid_are_seen() -> None:
    walk, past, _ = last()
    check = CHECKS["a_handover_needs_settled_money_equal_to_the_price_and_both_signatures"]
    check(block_with(OrderHandover), past, walk.chain.store)
    with pytest.raises(Broken, match="signatures"):
        check(unsigned(block_with(OrderHandover)), past, walk.chain.store)


def test_a_reference_of_two_payments_and_a_second_birth_are_seen() -> None:
    walk, past, block = last()
    past.births[VIN] += 1
    with pytest.raises(Broken, match="born twice"):
        CHECKS["one_birth_per_vin"](block, past, walk.chain.store)
    past.references[next(iter(past.references))].add(bytes(32))
    with pytest.raises(Broken, match="consumed by 2"):
        CHECKS["a_payment_reference_is_consumed_once"](block, past, walk.chain.store)


def test_a_walk_is_its_seed() -> None:
    one, two = Walk(99), Walk(99)
    for _ in zip(one.blocks(40), two.blocks(40), strict=True):
        assert encode(one.chain.store.committed(one.chain.store.height())) == encode(
            two.chain.store.committed(two.chain.store.height())
        )
