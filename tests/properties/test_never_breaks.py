"""Rules that never break, checked after every block of random walks; and every check sees what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace
from support.chain import address
from support.never_breaks import CHECKS, Broken, Past, first_broken
from support.reference_tables import reference_tables
from support.sale_mutants import MUTANTS
from support.walk import VINS, Block, Seen, Walk

from node.codec import encode
from node.rules.deals import CANCEL_REASONS
from node.rules.rails import ATTESTATIONS
from node.txtypes.members.conduct import NO_CONDUCT
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.registry import TYPES
from node.txtypes.sale.handover import OrderHandover
from node.txtypes.sale.returning import OrderReturn
from node.txtypes.vehicle.brands import with_brand
from node.txtypes.vehicle.title import TitleTransfer

SEEDS = range(25)
STEPS = 2_000
"""Of each walk: 50,000 in all."""


@cache
def walked(seed: int) -> tuple[str, Seen]:
    """The first violation of a rule that one walk has met, and what the walk has seen."""
    walk, past = Walk(seed, is_signed=False), Past()
    for block in walk.steps(STEPS):
        if broken := first_broken(block, past, walk.chain.store):
            return f"seed {seed}: {broken}", walk.seen
    return "", walk.seen


QUICK = 2
"""Walks of the quick suite; the others, and what all of them have met, are of the whole one."""


@pytest.mark.parametrize("seed", [pytest.param(n, marks=[pytest.mark.slow] if n >= QUICK else []) for n in SEEDS])
def test_never_breaks(seed: int) -> None:
    broken, _ = walked(seed)
    assert "" == broken


@cache
def seen_by_all() -> Seen:
    seen = Seen()
    for seed in SEEDS:
        seen.update(walked(seed)[1])
    return seen


@pytest.mark.slow
def test_the_walks_go_where_rules_could_break() -> None:
    """Or the checks would hold because nothing happens. The numbers are a fraction of what these seeds meet."""
    seen = seen_by_all()
    assert sum(seen.accepted.values()) > STEPS * len(SEEDS) // 2
    often = ("listing.create", "listing.update", "listing.withdraw", "order.offer", "order.counter", "order.accept",
             "order.reject", "order.amend", "order.cancel", "order.claim_refund", "order.reinstate", "order.handover",
             "order.return", "order.dispute", "order.respond", "order.resolve", "order.close", "claim.release",
             "payment.initiate", "payment.declare", "payment.attest", "payment.refund", "payment.confirm_refund",
             "payment.reassign", "delivery.schedule", "delivery.confirm", "delivery.event", "delivery.refuse",
             "mandate.grant", "title.transfer", "case.open", "case.reply", "case.close", "case.confirm")  # fmt: skip
    assert [] == [kind for kind in often if seen.accepted[kind] <= 20]
    seldom = ("order.withdraw", "order.acknowledge", "order.assign_vin", "listing.build", "mandate.end")
    assert [] == [kind for kind in seldom if not seen.accepted[kind]]
    assert [] == [kind for kind in ATTESTATIONS if seen.attested[kind] <= 10]
    assert [] == [action for action in ("resume", "unwind", "dismiss", "claim", "settled") if seen.decided[action] <= 5]
    assert {"decided"} == {reason for reason in CANCEL_REASONS if not seen.reasons[reason]}, "arbiters alone decide"
    assert [] == [what for what in ("trade_in", "finance", "agent", "parts") if not seen.deals[what]]


UNMET = {
    "author_on_hold": "needs an author whose records were annulled: tests/properties/test_fraud.py",
    "clearance_void": "needs an inspector who is listed for fraud: tests/properties/test_fraud.py",
    "withdrawal_excluded": "needs a car that is built for one buyer at a distance: test_sale_collusion.py",
    "flags_full": "four banks have a lien on one car; the development network has one bank",
    "role_scope": "needs a grant for one country, which governance gives; all providers here have grants for any",
    "seller_barred": "needs a seller whom governance has suspended",
}
"""Refusals of the types of a sale that no walk meets: these walks change neither members nor their roles."""


@pytest.mark.slow
def test_the_walks_meet_every_refusal_of_a_sale() -> None:
    """Each guard that a type can note, as the tables of docs/TRANSACTIONS.md list them."""
    types = [tag for tag in TYPES if tag.partition(".")[0] in ("listing", "order", "payment", "delivery", "claim")]
    codes = {code for tag in types for code in reference_tables().guards_of(TYPES[tag])}
    refused = seen_by_all().refused
    assert len(codes) > 100
    assert [] == sorted(code for code in codes - set(UNMET) if not refused[code])
    assert [] == sorted(code for code in UNMET if code not in codes or refused[code]), "met after all"


# --- every check sees what it is there for ------------------------------------------------------------------------
@cache
def _a_life() -> tuple[Walk, tuple[Block, ...]]:
    walk = Walk(0, is_signed=False)
    return walk, tuple(walk.steps(STEPS))


def last() -> tuple[Walk, Past, Block]:
    walk, blocks = _a_life()
    past = Past()
    for block in blocks:
        if not block.is_whole:
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
    """One with money that has come, which the block did not touch."""
    return next((i, o) for i, o in block.after["order"].items() if o.net and block.before["order"].get(i) == o)


def paid_payment(block: Block) -> tuple[str, Any]:
    _, order = paid_order(block)
    found = ((i.hex(), block.after["payment"][i.hex()]) for i in order.payments)
    return next((ident, payment) for ident, payment in found if payment.settled and payment.leg != 255)


def two_listings(block: Block) -> Block:
    ident, found = next((ident, found) for ident, found in block.after["listing"].items() if found.vin)
    live = replace(found, status="open", expires_at_ms=2**47)
    return with_(block, after=block.after | {"listing": {ident: live, "00" * 32: live}})


def miscounted(block: Block) -> Block:
    """A listing of cars to be built that counts an order which there is not."""
    ident, found = next(iter(block.after["listing"].items()))
    built = replace(found, vin="", model="330I", capacity=2, sold=1)
    return with_(block, after=block.after | {"listing": {ident: built}, "order": {}})


def kept_by_the_buyer(block: Block) -> Block:
    """A car that was given back and has stayed where it was."""
    body = next(tx.payload.body for tx in block.accepted if isinstance(tx.payload.body, OrderReturn))
    order = block.after["order"][body.order.hex()]
    return lie(block, "vehicle", order.vin, holder=order.buyer)


def two_orders(block: Block) -> Block:
    ident, found = next(iter(block.after["order"].items()))
    live = replace(found, status="accepted", until_ms=2**47)
    return with_(block, after=block.after | {"order": {ident: live, "00" * 32: live}})


def unsigned(block: Block) -> Block:
    """The block's transactions with their first signature only."""
    bare = tuple(tx._replace(signatures=tx.signatures[:1]) for tx in block.accepted)
    return with_(block, accepted=bare)


def unpaid(block: Block) -> Block:
    order = next(tx.payload.body.order for tx in block.accepted if isinstance(tx.payload.body, OrderHandover))
    payment = block.before["order"][order.hex()].payments[-1].hex()
    payment = next(
        p.hex() for p in block.before["order"][order.hex()].payments if block.after["payment"][p.hex()].settled
    )
    return lie(block, "payment", payment, charged_back=block.after["payment"][payment].settled)


def card_on_chain(block: Block) -> Block:
    vin = next(iter(block.after["vehicle"]))
    return lie(block, "vehicle", vin, model="4111111111111111")


def coins(block: Block) -> Block:
    return lie(block, "payment", next(iter(block.after["payment"])), rail="bitcoin")


def held_for_ever(block: Block) -> Block:
    found = next(v for v, car in block.after["vehicle"].items() if car.market.status == "reserved")
    market = block.after["vehicle"][found].market
    return lie(block, "vehicle", found, market=replace(market, until_ms=2**47))


def reserved_block() -> Block:
    cars = ((b, b.after["vehicle"].values()) for b in _a_life()[1])
    return next(block for block, found in cars if any(car.market.status == "reserved" for car in found))


def paid_twice() -> Block:
    """A payment is begun for more than its part."""
    block = next(b for b in _a_life()[1] if [PaymentInitiate] == [type(tx.payload.body) for tx in b.accepted])
    ident = block.accepted[0].txid.hex()
    return lie(block, "payment", ident, amount=replace(block.after["payment"][ident].amount, amount=10**9))


def attested() -> tuple[Block, bytes]:
    """A block of one attestation, and a reference of its payment."""
    _, past, _ = last()
    for block in _a_life()[1]:
        body = block.accepted[0].payload.body if len(block.accepted) == 1 else None
        keys = past.keys[body.payment] if isinstance(body, PaymentAttest) else set()
        if keys and all(key.hex() in block.after["payment-reference"] for key in keys):
            return block, min(keys)
    raise AssertionError("nothing was attested")


def claimed_by_a_stranger() -> Block:
    block = next(b for b in _a_life()[1] if b.after["order-claims"])
    ident, claims = next(iter(block.after["order-claims"].items()))
    return lie(block, "order-claims", ident, entries=(replace(claims.entries[0], creditor=address("police-1")),))


def indebted(block: Block) -> Block:
    """A seller is barred without a claim."""
    conduct = block.after["conduct"] | {address("police-1").hex(): replace(NO_CONDUCT, refunds_overdue=1)}
    return with_(block, after=block.after | {"conduct": conduct})


VIN = VINS[0]
FLOODED = with_brand((), "flood_fresh", 0, 1, is_confirmed=True)
LIES: dict[str, Callable[[], Block]] = {
    "one_birth_per_vin": lambda: with_(last()[2], after=last()[2].after | {"vehicle": {}}),
    "one_title_holder_per_living_vin": lambda: lie(last()[2], "vehicle", VIN, holder=address("police-1")),
    "title_moves_only_by_a_transfer_a_handover_or_a_return": lambda: lie(last()[2], "vehicle", VIN, transfer_count=99),
    "a_transfer_is_signed_by_giver_and_receiver_who_trade_in_cars": lambda: unsigned(block_with(TitleTransfer)),
    "a_handover_needs_final_money_and_a_car_that_make_up_the_price_and_every_signature": lambda: unpaid(
        block_with(OrderHandover)
    ),
    "a_car_goes_back_only_with_every_signature": lambda: kept_by_the_buyer(block_with(OrderReturn)),
    "a_listing_of_cars_to_be_built_counts_its_orders": lambda: miscounted(last()[2]),
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
    "one_order_reserves_a_vin": lambda: two_orders(last()[2]),
    "every_reserved_vin_is_free_at_its_hard_end": lambda: held_for_ever(reserved_block()),
    "nobody_else_changes_an_order": lambda: lie(last()[2], "order", paid_order(last()[2])[0], kept=1, cause="mutual"),
    "the_parts_make_up_the_price": lambda: lie(
        last()[2], "order", paid_order(last()[2])[0],
        terms=replace(paid_order(last()[2])[1].terms, price=replace(paid_order(last()[2])[1].price, amount=1)),
    ),
    "no_more_goes_back_than_came": lambda: lie(last()[2], "payment", paid_payment(last()[2])[0], refunded=10**12),
    "a_claimed_refund_is_owed": lambda: indebted(last()[2]),
    "claims_are_positive_and_of_the_cars_own_orders": claimed_by_a_stranger,
    "a_new_payment_pays_what_is_open_of_its_part": paid_twice,
    "a_payment_has_one_currency": lambda: lie(
        last()[2], "payment", paid_payment(last()[2])[0],
        amount=replace(paid_payment(last()[2])[1].amount, currency="CHF"),
    ),
    "an_attestation_counts_once": lambda: lie(last()[2], "payment", paid_payment(last()[2])[0], sequence=99),
    "no_reference_has_two_payments": lambda: lie(
        attested()[0], "payment-reference", attested()[1].hex(), payment=bytes(32)
    ),
    "a_provider_is_no_party": lambda: lie(
        last()[2], "payment", paid_payment(last()[2])[0], provider=paid_order(last()[2])[1].buyer
    ),
    "coins_and_forbidden_rails_never_start": lambda: coins(last()[2]),
    "orders_and_payments_stay_small": lambda: lie(
        last()[2], "order", paid_order(last()[2])[0], payments=tuple(bytes([n]) * 32 for n in range(120))
    ),
    "listings_stay_small": lambda: lie(
        last()[2], "listing", next(iter(last()[2].after["listing"])), configuration=("X" * 40,) * 400
    ),
    "no_text_holds_a_card_number": lambda: card_on_chain(last()[2]),
}  # fmt: skip


def test_every_check_has_its_lie_or_its_mutant() -> None:
    """The mutants are in test_walks_mutants.py."""
    assert set(CHECKS) == set(LIES) | set(MUTANTS)


@pytest.mark.parametrize("rule", LIES)
def test_a_check_sees_what_it_is_there_for(rule: str) -> None:
    walk, past, _ = last()
    with pytest.raises(Broken):
        CHECKS[rule](LIES[rule](), past, walk.chain.store)


def test_handovers_without_the_buyers_signature_and_half_paid_are_seen() -> None:
    walk, block = last()[0], block_with(OrderHandover)
    past = Past()
    for earlier in _a_life()[1][: block.height]:
        past.note(earlier)
    check = CHECKS["a_handover_needs_final_money_and_a_car_that_make_up_the_price_and_every_signature"]
    check(block, past, walk.chain.store)
    with pytest.raises(Broken, match="signatures"):
        check(unsigned(block), past, walk.chain.store)
    with pytest.raises(Broken, match="paid"):
        check(unpaid(block), past, walk.chain.store)


def test_an_order_that_one_party_has_revived_is_seen() -> None:
    walk, past, block = last()
    free, (ident, _) = CHECKS["every_reserved_vin_is_free_at_its_hard_end"], paid_order(block)
    over = dict(status="accepted", until_ms=block.time_ms - 1, hold_until_ms=block.time_ms - 1, net=0, money_until_ms=0)
    lapsed = replace(block.before["order"][ident], **over)
    lapsed_block = with_(block, before=block.before | {"order": block.before["order"] | {ident: lapsed}})
    free(lie(lapsed_block, "order", ident, **over), past, walk.chain.store)
    with pytest.raises(Broken, match="hard end of an order moved"):
        free(lie(lapsed_block, "order", ident, **over | dict(hold_until_ms=2**47)), past, walk.chain.store)
    early = replace(lapsed, hold_until_ms=block.time_ms + 1)
    early_block = with_(block, before=block.before | {"order": block.before["order"] | {ident: early}})
    with pytest.raises(Broken, match="revived"):
        free(
            lie(early_block, "order", ident, **over | dict(hold_until_ms=block.time_ms + 1, net=1)),
            past,
            walk.chain.store,
        )


def test_a_reference_of_two_payments_an_attestation_and_a_birth_again_are_seen() -> None:
    walk, _, block = last()
    past = Past()
    for earlier in _a_life()[1]:
        if not earlier.is_whole:
            past.note(earlier)
    past.births[VIN] += 1
    with pytest.raises(Broken, match="born twice"):
        CHECKS["one_birth_per_vin"](block, past, walk.chain.store)
    block, reference = attested()
    past.references[reference].add(bytes(32))
    with pytest.raises(Broken, match="consumed by 2"):
        CHECKS["no_reference_has_two_payments"](block, past, walk.chain.store)
    body = block.accepted[0].payload.body
    past.attested[body.payment, body.sequence] += 1  # type: ignore[union-attr]
    with pytest.raises(Broken, match="two attestations"):
        CHECKS["an_attestation_counts_once"](block, past, walk.chain.store)


def test_a_walk_is_its_seed() -> None:
    one, two = Walk(99), Walk(99)
    for _ in zip(one.blocks(40), two.blocks(40), strict=True):
        assert encode(one.chain.store.committed(one.chain.store.height())) == encode(
            two.chain.store.committed(two.chain.store.height())
        )
