"""Guards of orders: offer, counter, accept, reject, cancel; deadlines that are lazy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, changed, listing, offer
from support.ordering import (
    BUYER,
    OTHER,
    SELLER,
    acknowledge,
    cancel,
    codes_of,
    counter,
    countered,
    handing_over,
    initiate,
    offering,
    refresh,
)
from support.stages import Case, at, change, table

from node import limits
from node.crypto.addresses import address_of
from node.crypto.dev_keys import dev_key
from node.ledger.fields import Money
from node.txtypes.identity.account import AccountOpen
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.delivery import DeliveryEvent, DeliverySchedule
from node.txtypes.sale.listing import LISTING, AcceptedRail, ListingWithdraw
from node.txtypes.sale.order import ORDER, PAYMENT, is_live
from node.txtypes.sale.order_types import LIVE_OFFERS, OrderAccept, OrderCancel, OrderReject
from node.txtypes.vehicle.regions import OFF_MARKET, Market
from node.txtypes.vehicle.vehicle import VEHICLE


# --- order.offer --------------------------------------------------------------------------------------
@table(
    Case("an offer", "listed", BUYER, offering()),
    Case("a lower price", "listed", BUYER, offering(price=Money(1, "EUR"))),
    Case("by card", "listed", BUYER, offering(rail="card")),
    Case("by card of the bank", "listed", BUYER, offering(rail="card", provider=address("bank-1"))),
    Case("no such listing", "listed", BUYER, offering(listing=bytes(32)), ("listing_unknown",)),
    Case("another version", "listed", BUYER, offering(listing_version=2), ("listing_version",)),
    Case("one's own", "listed", SELLER, offering(), ("own_listing",)),
    Case("another currency", "listed", BUYER, offering(price=Money(1, "CHF")), ("payment_currency",)),
    Case("a provider not named", "listed", BUYER, offering(provider=address("bank-1")), ("rail_not_accepted",)),
    Case("a rail not named", "listed", BUYER, offering(rail="bitcoin"), ("rail_not_accepted",)),
    Case("not what was shown", "listed", BUYER, offering(disclosure_root=bytes(32)), ("disclosure_stale",)),
    Case("while reserved", "accepted", BUYER, offering(), ("listing_closed", "order_reserved")),
    Case("once sold", "handed_over", "bmw", offering(), ("listing_closed",)),
)  # fmt: skip
def test_offer(case: Case) -> None:
    assert case.codes == case.run()


def test_a_reserved_car_gets_no_offer_even_where_its_listing_is_open() -> None:
    life = at("accepted")
    change(life.chain, LISTING, life.listing, status="open")
    assert ["order_reserved"] == codes_of(life, "bmw", offer(life.chain, life.listing))


def test_a_rail_that_has_become_forbidden_is_refused() -> None:
    life = at("listed")
    rails = (AcceptedRail("bitcoin", (address("payment-provider-1"),)),)
    change(life.chain, LISTING, life.listing, rails=rails)
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing, rail="bitcoin"))
    change(life.chain, LISTING, life.listing, country="CN")
    assert ["rail_forbidden"] == codes_of(life, BUYER, offer(life.chain, life.listing, rail="bitcoin"))


@pytest.mark.parametrize(
    ("ahead_ms", "codes"), [(0, ["expiry_passed"]), (1, []), (30 * DAY_MS, []), (30 * DAY_MS + 1, ["expiry_passed"])]
)
def test_an_offer_and_a_counter_live_from_now_to_their_longest(ahead_ms: int, codes: list[str]) -> None:
    life = at("offered")
    expires = life.chain.now + ahead_ms
    assert codes == codes_of(life, BUYER, offer(life.chain, life.listing, expires_at_ms=expires))
    assert codes == codes_of(life, SELLER, counter(life, expires_at_ms=expires))


def test_a_listing_past_its_time_gets_no_offer_and_no_acceptance() -> None:
    life = at("offered")
    expires = life.chain.state(LISTING, life.listing).expires_at_ms
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, expires_at_ms=life.chain.now + 30 * DAY_MS))
    for now, codes in ((expires - 1, []), (expires, ["listing_closed"])):
        life.chain.now = now
        assert codes == codes_of(life, BUYER, offer(life.chain, life.listing))
        assert codes == codes_of(life, SELLER, OrderAccept(life.order))


def test_an_account_has_twenty_live_offers() -> None:
    life = at("listed")
    orders = [life.chain.do(BUYER, offer(life.chain, life.listing)) for _ in range(limits.OFFERS_LIVE_MAX - 1)]
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    orders.append(life.chain.do(BUYER, offer(life.chain, life.listing)))
    assert ["offers_live"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    assert [] == codes_of(life, "bmw", offer(life.chain, life.listing))
    life.chain.do(SELLER, OrderReject(orders[4]))
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))
    newest = life.chain.do(BUYER, offer(life.chain, life.listing))
    known = [live.order for live in life.chain.state(LIVE_OFFERS, address(BUYER)).offers]
    assert limits.OFFERS_LIVE_MAX == len(known)
    assert newest in known
    assert orders[4] not in known
    assert ["offers_live"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    life.chain.now = life.chain.state(ORDER, orders[0]).expires_at_ms
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_an_offer_is_written_down_as_it_was_made() -> None:
    life = at("offered")
    order = life.chain.state(ORDER, life.order)
    assert ("offered", address(SELLER), address(BUYER), PRICE, "bank_transfer", address("payment-provider-1")) == (
        order.status, order.seller, order.buyer, order.price, order.rail, order.provider,
    )  # fmt: skip
    assert (life.listing, 1, VIN, ()) == (order.listing, order.listing_version, order.vin, order.payments)


# --- order.counter, accept, reject --------------------------------------------------------------------
@table(
    Case("counter by the seller", "offered", SELLER, counter),
    Case("counter by the buyer", "offered", BUYER, counter, ("not_a_party",)),
    Case("counter by a third", "offered", OTHER, counter, ("not_a_party",)),
    Case("counter in another currency", "offered", SELLER, lambda life: counter(life, price=Money(1, "USD")),
         ("payment_currency",)),
    Case("counter of none", "offered", SELLER, lambda life: counter(life, order=bytes(32)), ("order_unknown",)),
    Case("counter twice", "offered", SELLER, counter, ("order_status",), (), countered),
    Case("accept by the seller", "offered", SELLER, lambda life: OrderAccept(life.order)),
    Case("accept by the buyer", "offered", BUYER, lambda life: OrderAccept(life.order), ("not_your_turn",)),
    Case("accept by a third", "offered", OTHER, lambda life: OrderAccept(life.order), ("not_a_party",)),
    Case("accept of none", "offered", SELLER, lambda life: OrderAccept(bytes(32)), ("order_unknown",)),
    Case("accept a counter by the buyer", "offered", BUYER, lambda life: OrderAccept(life.order), (), (), countered),
    Case("accept a counter by the seller", "offered", SELLER, lambda life: OrderAccept(life.order),
         ("not_your_turn",), (), countered),
    Case("accept twice", "accepted", SELLER, lambda life: OrderAccept(life.order),
         ("order_status", "listing_closed", "order_reserved")),
    Case("reject by the seller", "offered", SELLER, lambda life: OrderReject(life.order)),
    Case("reject by the buyer", "offered", BUYER, lambda life: OrderReject(life.order), ("not_your_turn",)),
    Case("reject by a third", "offered", OTHER, lambda life: OrderReject(life.order), ("not_a_party",)),
    Case("reject of none", "offered", SELLER, lambda life: OrderReject(bytes(32)), ("order_unknown",)),
    Case("reject a counter by the buyer", "offered", BUYER, lambda life: OrderReject(life.order), (), (), countered),
    Case("reject a counter by the seller", "offered", SELLER, lambda life: OrderReject(life.order),
         ("not_your_turn",), (), countered),
    Case("reject once accepted", "accepted", SELLER, lambda life: OrderReject(life.order), ("order_status",)),
)  # fmt: skip
def test_answers(case: Case) -> None:
    assert case.codes == case.run()


def test_acceptance_needs_an_accredited_provider() -> None:
    life = at("offered")
    change(life.chain, MEMBER, address("payment-provider-1"), changes=changed("suspended", "other"))
    assert ["provider_unaccredited"] == codes_of(life, SELLER, OrderAccept(life.order))


def test_acceptance_needs_the_title() -> None:
    life = at("offered")
    change(life.chain, VEHICLE, VIN, holder=address("bmw"))
    assert ["disclosure_stale", "not_the_holder"] == codes_of(life, SELLER, OrderAccept(life.order))


def test_acceptance_needs_an_open_listing() -> None:
    life = at("offered")
    life.chain.do(SELLER, ListingWithdraw(life.listing))
    refresh(life)
    assert ["listing_closed"] == codes_of(life, SELLER, OrderAccept(life.order))


def test_acceptance_needs_its_listing() -> None:
    life = at("offered")
    change(life.chain, ORDER, life.order, listing=bytes(32))
    assert ["listing_unknown"] == codes_of(life, SELLER, OrderAccept(life.order))


def test_one_live_order_per_car() -> None:
    life = at("offered")
    second = life.chain.do("bmw", offer(life.chain, life.listing))
    life.chain.do(SELLER, OrderAccept(life.order))
    codes = codes_of(life, SELLER, OrderAccept(second))
    assert ["listing_closed", "order_reserved"] == codes
    change(life.chain, LISTING, life.listing, status="open")
    change(life.chain, ORDER, second, disclosure_root=offer(life.chain, life.listing).disclosure_root)
    assert ["order_reserved"] == codes_of(life, SELLER, OrderAccept(second))


def test_acceptance_reserves_the_car_and_sets_the_deadline() -> None:
    life = at("offered")
    change(life.chain, VEHICLE, VIN, material_changes=3)
    refresh(life)
    now = life.chain.now
    life.chain.do(SELLER, OrderAccept(life.order))
    order, market = life.chain.state(ORDER, life.order), life.chain.state(VEHICLE, VIN).market
    assert ("accepted", now + 60 * DAY_MS, 0) == (order.status, order.expires_at_ms, order.agreed_changes)
    listed_until = life.chain.state(LISTING, life.listing).expires_at_ms
    assert Market("reserved", life.listing, life.order, now + 60 * DAY_MS, listed_until, False) == market
    assert "reserved" == life.chain.state(LISTING, life.listing).status


def test_a_counter_is_what_the_buyer_accepts() -> None:
    life = at("offered")
    countered(life)
    life.chain.do(BUYER, OrderAccept(life.order))
    order = life.chain.state(ORDER, life.order)
    assert ("accepted", Money(5_200_000, "EUR")) == (order.status, order.price)
    assert ["payment_exceeds_price"] == codes_of(life, BUYER, initiate(life, amount=Money(5_200_001, "EUR")))
    assert [] == codes_of(life, BUYER, initiate(life, amount=Money(5_200_000, "EUR")))


# --- deadlines ----------------------------------------------------------------------------------------
ANSWERS = [
    ("offered", SELLER, counter),
    ("offered", SELLER, lambda life: OrderAccept(life.order)),
    ("offered", SELLER, lambda life: OrderReject(life.order)),
    ("offered", BUYER, cancel),
    ("accepted", BUYER, cancel),
    ("accepted", BUYER, initiate),
    ("accepted", SELLER, lambda life: DeliveryEvent(life.order, "arrived", "MUC-1", life.chain.now, None)),
    ("accepted", SELLER, lambda life: DeliverySchedule(life.order, "MUC-1", life.chain.now, life.chain.now + 1)),
]


@pytest.mark.parametrize(("stage", "sender", "body"), ANSWERS)
def test_an_order_past_its_deadline_is_expired(stage: str, sender: str, body) -> None:
    life = at(stage)
    expires = life.chain.state(ORDER, life.order).expires_at_ms
    for now, codes in ((expires - 1, []), (expires, ["order_expired"])):
        life.chain.now = now
        assert codes == codes_of(life, sender, body(life))
    assert stage == life.chain.state(ORDER, life.order).status


def test_a_reservation_that_has_ended_frees_the_car_but_hands_nothing_over() -> None:
    life = at("paid")
    market = life.chain.state(VEHICLE, VIN).market
    change(life.chain, VEHICLE, VIN, material_changes=1, market=replace(market, holds_money=False))
    expires = life.chain.state(ORDER, life.order).expires_at_ms
    life.chain.now = expires - 1
    assert ["acknowledgement_missing"] == handing_over(life)
    assert [] == codes_of(life, BUYER, acknowledge(life))
    life.chain.now = expires
    assert ["order_expired"] == codes_of(life, BUYER, acknowledge(life))
    assert ["order_expired", "order_not_reserving", "acknowledgement_missing"] == handing_over(life)
    assert [] == codes_of(life, SELLER, listing(life.chain))


@pytest.mark.parametrize(
    ("status", "expires", "live"),
    [
        ("offered", 11, True),
        ("countered", 11, True),
        ("accepted", 11, True),
        ("accepted", 10, False),
        ("offered", 10, False),
        ("countered", 10, False),
        ("completed", 11, False),
        ("rejected", 11, False),
        ("cancelled", 11, False),
    ],
)
def test_is_live(status: str, expires: int, live: bool) -> None:
    life = at("offered")
    change(life.chain, ORDER, life.order, status=status, expires_at_ms=expires)
    assert live == is_live(life.order, life.chain.state(ORDER, life.order), None, 10)
    # money keeps a reservation, never an offer
    paid = replace(OFF_MARKET, status="reserved", order=life.order, holds_money=True)
    vehicle = replace(life.chain.state(VEHICLE, VIN), market=paid)
    assert (live or status == "accepted") == is_live(life.order, life.chain.state(ORDER, life.order), vehicle, 10)


STATUSES = ("offered", "countered", "accepted", "completed", "rejected", "cancelled")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    ("sender", "body", "allowed"),
    [
        (SELLER, counter, {"offered"}),
        (SELLER, lambda life: OrderReject(life.order), {"offered", "countered"}),
        (BUYER, cancel, {"offered", "countered", "accepted"}),
        (BUYER, initiate, {"accepted"}),
        (SELLER, lambda life: DeliveryEvent(life.order, "arrived", "MUC-1", life.chain.now, None), {"accepted"}),
        (BUYER, acknowledge, {"accepted"}),
        (SELLER, lambda life: OrderAccept(life.order), {"offered", "countered"}),
    ],
)
def test_every_step_has_its_statuses(status: str, sender: str, body, allowed: set[str]) -> None:
    life = at("offered")
    change(life.chain, ORDER, life.order, status=status)
    change(life.chain, VEHICLE, VIN, material_changes=1)
    refresh(life)
    codes = codes_of(life, sender, body(life))
    assert ("order_status" in codes) == (status not in allowed)
    if status not in allowed:
        assert ["order_status"] == codes or (sender == SELLER and "not_your_turn" in codes)


# --- order.cancel -------------------------------------------------------------------------------------
@table(
    Case("an offer, by the buyer", "offered", BUYER, cancel),
    Case("an offer, by the seller", "offered", SELLER, cancel),
    Case("an order", "accepted", BUYER, cancel),
    Case("by a third", "accepted", OTHER, cancel, ("not_a_party",)),
    Case("of none", "accepted", BUYER, lambda life: OrderCancel(bytes(32), "other"), ("order_unknown",)),
    Case("an initiated payment is no money", "paying", BUYER, cancel),
    Case("settled money", "paid", BUYER, cancel, ("order_has_money",)),
    Case("once completed", "handed_over", BUYER, cancel, ("order_status", "order_has_money")),
)  # fmt: skip
def test_cancel(case: Case) -> None:
    assert case.codes == case.run()


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ("initiated", []),
        ("failed", []),
        ("returned", []),
        ("charged_back", []),
        ("refunded", []),
        ("authorised", ["order_has_money"]),
        ("captured", ["order_has_money"]),
        ("pending", ["order_has_money"]),
        ("settled", ["order_has_money"]),
    ],
)
def test_money_under_way_holds_an_order(status: str, codes: list[str]) -> None:
    life = at("paying")
    change(life.chain, PAYMENT, life.payment, status=status)
    assert codes == codes_of(life, SELLER, cancel(life))


def test_a_cancelled_order_puts_the_car_back_on_the_market() -> None:
    life = at("accepted")
    life.chain.do(BUYER, cancel(life))
    market = life.chain.state(VEHICLE, VIN).market
    assert ("listed", life.listing, b"") == (market.status, market.listing, market.order)
    assert ("cancelled", "open") == (
        life.chain.state(ORDER, life.order).status, life.chain.state(LISTING, life.listing).status,
    )  # fmt: skip
    assert market.until_ms == life.chain.state(LISTING, life.listing).expires_at_ms
    assert [] == codes_of(life, BUYER, offer(life.chain, life.listing))


def test_a_cancelled_order_of_an_expired_listing_leaves_the_car_off() -> None:
    life = at("accepted")
    life.chain.now = life.chain.state(LISTING, life.listing).expires_at_ms
    life.chain.do(BUYER, cancel(life))
    assert "off" == life.chain.state(VEHICLE, VIN).market.status


def test_a_cancelled_offer_leaves_the_market_alone() -> None:
    life = at("offered")
    second = life.chain.do("bmw", offer(life.chain, life.listing))
    life.chain.do(SELLER, OrderAccept(life.order))
    before = life.chain.state(VEHICLE, VIN)
    life.chain.do("bmw", OrderCancel(second, "other"))
    assert before == life.chain.state(VEHICLE, VIN)
    assert "reserved" == life.chain.state(LISTING, life.listing).status


def test_a_stranger_that_a_member_sponsors_can_buy() -> None:
    life = at("listed")
    key = dev_key("account", "private")
    life.chain.do("bank-1", AccountOpen((key.public,), 1, b""), extra=[(address_of(key.public), key)])
    assert [] == codes_of(life, "private", offer(life.chain, life.listing))
