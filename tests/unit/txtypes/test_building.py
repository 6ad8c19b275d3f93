"""Cars that are built to order: ordered without a VIN, a deposit first, then the car that was built."""

from __future__ import annotations

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputing import ARBITERS
from support.life import PRICE, VIN, Life, accept, acknowledge, attest, handover, initiate, register, terms
from support.ordering import BUYER, codes_of
from support.specimens import specimen
from support.stages import at

from node.ledger.fields import Money
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision
from node.txtypes.sale.deal import Leg
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING, status_now
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

MAKER, PROVIDER = "bmw", "payment-provider-1"
DEPOSIT = Money(500_000, "EUR")
REST = Money(PRICE.amount - DEPOSIT.amount, "EUR")


def in_two_parts(deposit: int = DEPOSIT.amount):
    plain = terms().legs[0]
    parts: tuple[Leg, ...] = (
        replace(plain, kind="deposit", amount=deposit, due_ms=0), replace(plain, amount=PRICE.amount - deposit),
    )  # fmt: skip
    return terms(legs=parts)


def offered(**changes) -> Life:
    """A customer has ordered a car with one option."""
    life = at("")
    life.listing = life.chain.do(MAKER, specimen("listing.build", life.chain, **changes))
    life.order = life.chain.do(BUYER, offering(life))
    return life


def offering(life: Life, **changes):
    listing = life.chain.state(LISTING, life.listing)
    root = disclosure_root(life.listing, listing, None)
    plain = dict(terms=in_two_parts(), options=("S205A",), disclosure_root=root, listing_version=listing.version)
    return specimen("order.offer", life.chain, {"listing": life.listing}, **plain | changes)


def accepting(life: Life, **changes):
    return accept(life.chain, life.order, **dict(material_root=bytes(32)) | changes)


def ordered(**changes) -> Life:
    life = offered(**changes)
    life.chain.do(MAKER, accepting(life), BUYER)
    return life


def assigning(life: Life, vin: str = VIN):
    return specimen("order.assign_vin", life.chain, {"order": life.order}, vin=vin)


def order_of(life: Life):
    return life.chain.state(ORDER, life.order)


def test_an_order_whose_time_is_over_gives_its_place_back() -> None:
    life = ordered(capacity=1)
    life.chain.now = order_of(life).hold_until_ms
    for reason, codes in (("changed_mind", ["order_expired"]), ("time_over", [])):
        cancelled = specimen("order.cancel", life.chain, {"order": life.order}, reason=reason)
        assert codes == codes_of(life, BUYER, cancelled)
    life.chain.do(MAKER, cancelled)
    assert (0, "cancelled") == (life.chain.state(LISTING, life.listing).sold, order_of(life).status)
    assert ["order_status"] == codes_of(life, MAKER, cancelled)


def test_from_the_order_to_the_handover() -> None:
    life = ordered()
    deposit = life.chain.do(BUYER, initiate(life.order, DEPOSIT, leg=0))
    life.chain.do(PROVIDER, attest(life.chain, deposit, amount=DEPOSIT))
    assert ["vin_missing"] == codes_of(life, BUYER, initiate(life.order, REST, leg=1))
    assert "vin_missing" in codes_of(life, MAKER, handover(life.chain, life.order), BUYER)
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))
    market = market_of(life.chain.state(VEHICLE, VIN), life.chain.now)
    assert ("reserved", life.order) == (market.status, market.order)
    assert 0 == order_of(life).due_from_ms
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    assert order_of(life).due_from_ms
    rest = life.chain.do(BUYER, initiate(life.order, REST, leg=1))
    life.chain.do(PROVIDER, attest(life.chain, rest, reference=b"rest", amount=REST))
    life.chain.do(MAKER, handover(life.chain, life.order), BUYER)
    assert address(BUYER) == life.chain.state(VEHICLE, VIN).holder
    assert "open" == life.chain.state(LISTING, life.listing).status


def test_the_buyer_agrees_to_the_built_car_before_it_is_handed_over() -> None:
    life = ordered()
    assert ["vin_missing"] == codes_of(life, BUYER, acknowledge(life.chain, life.order))
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))
    assert "acknowledgement_missing" in codes_of(life, MAKER, handover(life.chain, life.order), BUYER)


def test_another_car_may_take_its_place_and_frees_the_first() -> None:
    life, other = ordered(), VIN[:-1] + "6"
    for vin in (VIN, other):
        life.chain.do(MAKER, register(vin))
        life.chain.do(MAKER, assigning(life, vin))
    assert ("off", "reserved") == tuple(
        market_of(life.chain.state(VEHICLE, vin), life.chain.now).status for vin in (VIN, other)
    )


def test_the_car_is_the_one_that_was_ordered() -> None:
    life = ordered()
    for vin, changes in ((VIN, dict(model="320D")), (VIN[:-1] + "6", dict(configuration=("P337A",)))):
        life.chain.do(MAKER, register(vin, **changes))
        assert ["build_differs"] == codes_of(life, MAKER, assigning(life, vin))
    other = VIN[:-1] + "7"
    life.chain.do(MAKER, register(other))
    assert ["not_a_party"] == codes_of(life, "dealer-munich", assigning(life, other))
    second = at("accepted")
    assert "build_differs" in codes_of(second, "dealer-munich", assigning(second))


def test_what_an_offer_needs() -> None:
    life = offered()
    assert ["option_unknown"] == codes_of(life, BUYER, offering(life, options=("S999X",)))
    assert ["legs_sum"] == codes_of(life, BUYER, offering(life, terms=in_two_parts(PRICE.amount // 5 + 1)))
    assert ["disclosure_stale"] == codes_of(life, MAKER, accepting(life, material_root=b"\1" * 32), BUYER)


def test_only_a_maker_offers_cars_to_be_built() -> None:
    life = at("")
    assert ["role_missing"] == codes_of(life, "dealer-munich", specimen("listing.build", life.chain))


def test_a_listing_is_sold_out_with_its_capacity_and_a_cancelled_order_gives_its_place_back() -> None:
    life = ordered(capacity=1)
    listing = life.chain.state(LISTING, life.listing)
    assert (1, "sold") == (listing.sold, status_now(life.listing, listing, None, life.chain.now))
    assert "listing_closed" in codes_of(life, BUYER, offering(life))
    life.chain.do(BUYER, specimen("order.cancel", life.chain, {"order": life.order}))
    listing = life.chain.state(LISTING, life.listing)
    assert (0, "open") == (listing.sold, status_now(life.listing, listing, None, life.chain.now))


def test_a_buyer_who_has_not_seen_the_car_is_not_in_default() -> None:
    life = ordered()
    deposit = life.chain.do(BUYER, initiate(life.order, DEPOSIT, leg=0))
    life.chain.do(PROVIDER, attest(life.chain, deposit, amount=DEPOSIT))
    life.chain.now += 30 * DAY_MS
    default = specimen("order.cancel", life.chain, {"order": life.order}, reason="buyer_default")
    assert ["cancel_reason"] == codes_of(life, MAKER, default)


def test_an_order_that_ended_leaves_its_place_to_another_until_it_is_revived() -> None:
    """By the parties, or by what arbiters decide."""
    life = ordered(capacity=1)
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))

    def sold() -> int:
        return life.chain.state(LISTING, life.listing).sold

    assert 1 == sold()
    life.chain.do(BUYER, specimen("order.cancel", life.chain, {"order": life.order}))
    assert 0 == sold()
    life.chain.do(MAKER, specimen("order.reinstate", life.chain, {"order": life.order}), BUYER)
    assert 1 == sold()
    dispute = life.chain.do(BUYER, specimen("order.dispute", life.chain, {"order": life.order}))
    life.chain.do(MAKER, specimen("order.respond", life.chain, {"order_dispute": dispute}))
    for arbiter in ARBITERS:
        if not life.chain.state(ORDER_DISPUTE, dispute).closed_at_ms:
            unwind = dict(decision=Decision("unwind", 0, ""))
            life.chain.do(arbiter, specimen("order.resolve", life.chain, {"order_dispute": dispute}, **unwind))
    assert ("cancelled", 0) == (order_of(life).status, sold())


def test_the_parts_of_another_built_car_are_due_only_once_the_buyer_has_agreed_to_it() -> None:
    """A maker names another built car after the parts of the price are due, and calls it the buyer's default."""
    life: Life = at("")
    life.listing = life.chain.do(MAKER, specimen("listing.build", life.chain))
    agreed = replace(in_two_parts(), cancel_fee=DEPOSIT.amount)
    life.order = life.chain.do(BUYER, offering(life, terms=agreed))
    life.chain.do(MAKER, accept(life.chain, life.order, material_root=bytes(32)), BUYER)
    deposit = life.chain.do(BUYER, initiate(life.order, DEPOSIT, leg=0))
    life.chain.do(PROVIDER, attest(life.chain, deposit, amount=DEPOSIT))
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))
    life.chain.do(BUYER, acknowledge(life.chain, life.order))
    other = VIN[:-1] + "6"
    life.chain.do(MAKER, register(other))
    life.chain.do(MAKER, assigning(life, other))  # the buyer has agreed to nothing of this car
    life.chain.now += 15 * DAY_MS
    assert address(BUYER) == order_of(life).buyer and bytes(32) == order_of(life).agreed_root
    default = specimen("order.cancel", life.chain, {"order": life.order}, reason="buyer_default")
    assert ["cancel_reason"] == codes_of(life, MAKER, default)


def test_a_car_that_was_built_as_ordered_has_not_changed() -> None:
    """The buyer of a car that is built to order leaves free of its fee as soon as the car is built as ordered."""
    life: Life = at("")
    life.listing = life.chain.do(MAKER, specimen("listing.build", life.chain))
    agreed = replace(in_two_parts(), cancel_fee=DEPOSIT.amount)
    life.order = life.chain.do(BUYER, offering(life, terms=agreed))
    life.chain.do(MAKER, accept(life.chain, life.order, material_root=bytes(32)), BUYER)
    deposit = life.chain.do(BUYER, initiate(life.order, DEPOSIT, leg=0))
    life.chain.do(PROVIDER, attest(life.chain, deposit, amount=DEPOSIT))
    life.chain.do(MAKER, register())
    life.chain.do(MAKER, assigning(life))
    leaves = specimen("order.cancel", life.chain, {"order": life.order}, reason="vehicle_changed")
    assert ["cancel_reason"] == codes_of(life, BUYER, leaves)
