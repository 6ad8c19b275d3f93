"""Reservations: they lapse at their deadline unless they hold money, and every guard and answer says the same."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.life import PRICE, VIN, Life, accident, attest, handover, listing, offer, register, transfer
from support.ordering import acknowledge
from support.stages import at, change
from support.views import listed, view_of

from node.audit.divergence import Diverged
from node.audit.invariants import check_invariants
from node.ledger.fields import Money
from node.txtypes.payment.payment import PaymentInitiate
from node.txtypes.sale.delivery import DeliveryEvent
from node.txtypes.sale.listing import LISTING, ListingUpdate, ListingWithdraw
from node.txtypes.sale.order import ORDER, PAYMENT
from node.txtypes.sale.order_types import LIVE_OFFERS, OrderAccept, OrderCancel
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE

SELLER, BUYER, OTHER, PROVIDER = "dealer-munich", "buyer-1", "bmw", "payment-provider-1"

PATHS = {
    "initiated": ("bank_transfer", ()),
    "authorised": ("card", ("authorised",)),
    "captured": ("card", ("authorised", "captured")),
    "pending": ("bank_transfer", ("pending",)),
    "settled": ("bank_transfer", ("pending", "settled")),
    "failed": ("card", ("authorised", "failed")),
    "returned": ("bank_transfer", ("pending", "returned")),
    "charged_back": ("card", ("authorised", "captured", "charged_back")),
    "refunded": ("bank_transfer", ("pending", "settled", "refunded")),
}
"""Status of a payment to its rail and the steps that lead there."""
HOLDING = ("authorised", "captured", "pending", "settled")
LONG, SHORT = 150 * DAY_MS, 30 * DAY_MS
"""How long a listing runs: beyond the reservation's 60 days, or not."""


def codes_of(life: Life, sender: str, body, *cosigners: str) -> list[str]:
    return life.chain.unmet(life.chain.sign(sender, body, *cosigners))


def accepted(rail: str = "bank_transfer", listed_ms: int = SHORT) -> Life:
    life = at("wholesale")
    life.listing = life.chain.do(SELLER, listing(life.chain, expires_at_ms=life.chain.now + listed_ms))
    life.order = life.chain.do(BUYER, offer(life.chain, life.listing, rail=rail))
    life.chain.do(SELLER, OrderAccept(life.order))
    return life


def paying(status: str, listed_ms: int = SHORT, amount: Money = PRICE) -> Life:
    """An accepted order with one payment in `status`, by the provider's own steps."""
    rail, steps = PATHS[status]
    life = accepted(rail, listed_ms)
    life.payment = life.chain.do(BUYER, PaymentInitiate(life.order, rail, amount))
    for step in steps:
        tell(life, step, amount)
    assert status == life.chain.state(PAYMENT, life.payment).status
    return life


def tell(life: Life, status: str, amount: Money = PRICE) -> None:
    life.chain.do(PROVIDER, attest(life.payment, status, amount=amount))


def pass_deadline(life: Life) -> None:
    """To the very moment of the order's deadline, in a block of its own."""
    life.chain.now = life.chain.state(ORDER, life.order).expires_at_ms
    life.chain.produce(pass_ms=1)


def update(life: Life) -> ListingUpdate:
    rails = life.chain.state(LISTING, life.listing).rails
    return ListingUpdate(life.listing, PRICE, rails, life.chain.now + DAY_MS)


def answers(life: Life) -> tuple[str, str, str, bool]:
    """What is answered at the head's time of market, listing and order, and whether the market shows the listing."""
    chain = life.chain
    vehicle = view_of(chain, VEHICLE, VIN)["market"]["status"]
    found = view_of(chain, LISTING, life.listing)["status"]
    order = view_of(chain, ORDER, life.order)["status"]
    shown = set()
    for wanted in ({}, {"vin": VIN}, {"model": "330I", "country": "DE"}):
        page = listed(chain, LISTING, **wanted)
        shown.add(life.listing.hex() in {entry["id"] for entry in page["listings"]})
    assert 1 == len(shown), "every filter finds it or none"
    return vehicle, found, order, shown.pop()


# --- money keeps a reservation ------------------------------------------------------------------------
@pytest.mark.parametrize("listed_ms", [SHORT, LONG])
@pytest.mark.parametrize("status", HOLDING)
def test_a_reservation_that_holds_money_does_not_lapse(status: str, listed_ms: int) -> None:
    life = paying(status, listed_ms)
    pass_deadline(life)
    for days in (0, 100):
        life.chain.now += days * DAY_MS
        life.chain.produce(pass_ms=1)
        assert ("reserved", "reserved", "accepted", False) == answers(life)
        check_invariants(life.chain.store)
        assert ["listing_closed", "order_reserved"] == codes_of(life, OTHER, offer(life.chain, life.listing))
        assert ["listing_closed"] == codes_of(life, SELLER, ListingWithdraw(life.listing))
        assert ["listing_closed"] == codes_of(life, SELLER, update(life))
        assert ["market_live"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
        for sender in (SELLER, BUYER):
            assert ["order_has_money"] == codes_of(life, sender, OrderCancel(life.order, "other"))
        arrived = DeliveryEvent(life.order, "arrived", "MUC-1", life.chain.now, None)
        assert [] == codes_of(life, SELLER, arrived)
        paid = [] if status == "settled" else ["payment_not_final"]
        assert paid == codes_of(life, SELLER, handover(life.chain, life.order), BUYER)


@pytest.mark.parametrize("status", [status for status in PATHS if status not in HOLDING])
def test_a_reservation_without_money_lapses(status: str) -> None:
    life = paying(status)
    life.chain.now = life.chain.state(ORDER, life.order).expires_at_ms - 1
    life.chain.produce(pass_ms=1)
    assert ("reserved", "reserved", "accepted", False) == answers(life)
    pass_deadline(life)
    assert ("off", "expired", "expired", False) == answers(life)
    check_invariants(life.chain.store)
    late = Money(1, "EUR")
    rail = life.chain.state(ORDER, life.order).rail
    assert ["order_expired"] == codes_of(life, BUYER, OrderCancel(life.order, "other"))
    assert "order_expired" in codes_of(life, BUYER, PaymentInitiate(life.order, rail, late))
    assert [] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)


def test_a_car_that_is_paid_is_handed_over_after_the_deadline() -> None:
    life = paying("settled")
    life.chain.do("workshop-berlin", accident(life.chain, 155))
    pass_deadline(life)
    life.chain.do(BUYER, acknowledge(life))
    life.chain.do(SELLER, handover(life.chain, life.order), BUYER)
    vehicle, order = life.chain.state(VEHICLE, VIN), life.chain.state(ORDER, life.order)
    assert (address(BUYER), OFF_MARKET, "completed") == (vehicle.holder, vehicle.market, order.status)


def test_the_rest_can_be_paid_after_the_deadline() -> None:
    deposit, rest = Money(100_000, "EUR"), Money(PRICE.amount - 100_000, "EUR")
    life = paying("settled", amount=deposit)
    pass_deadline(life)
    payment = life.chain.do(BUYER, PaymentInitiate(life.order, "bank_transfer", rest))
    life.chain.do(PROVIDER, attest(payment, reference=b"uetr-2", amount=rest))
    assert [] == codes_of(life, SELLER, handover(life.chain, life.order), BUYER)


@pytest.mark.parametrize("back", ["refunded", "returned"])
def test_money_that_goes_back_after_the_deadline_ends_it(back: str) -> None:
    life = paying("settled", LONG)
    pass_deadline(life)
    assert ("reserved", "reserved", "accepted", False) == answers(life)
    tell(life, back)
    assert ("listed", "open", "expired", True) == answers(life)
    codes = codes_of(life, SELLER, handover(life.chain, life.order), BUYER)
    assert ["order_expired", "payment_not_final", "order_not_reserving"] == codes
    second = life.chain.do(OTHER, offer(life.chain, life.listing))
    life.chain.do(SELLER, OrderAccept(second))
    assert second == life.chain.state(VEHICLE, VIN).market.order


def test_money_that_goes_back_before_the_deadline_leaves_it_running() -> None:
    life = paying("refunded")
    assert not life.chain.state(VEHICLE, VIN).market.holds_money
    assert ("reserved", "reserved", "accepted", False) == answers(life)
    assert [] == codes_of(life, BUYER, OrderCancel(life.order, "other"))


def test_all_the_money_has_to_be_back() -> None:
    half = Money(PRICE.amount // 2, "EUR")
    life = paying("settled", amount=half)
    second = life.chain.do(BUYER, PaymentInitiate(life.order, "bank_transfer", half))
    life.chain.do(PROVIDER, attest(second, "pending", b"uetr-2", amount=half))
    pass_deadline(life)
    tell(life, "refunded", half)
    assert ("reserved", "reserved", "accepted", False) == answers(life)
    life.chain.do(PROVIDER, attest(second, "failed", b"uetr-2", amount=half))
    assert ("off", "expired", "expired", False) == answers(life)


def test_an_offer_does_not_outlive_its_time_with_the_cars_reservation() -> None:
    """Another's reservation, held by money, keeps nobody else's offer alive."""
    life = at("offered")
    second = life.chain.do(OTHER, offer(life.chain, life.listing, expires_at_ms=life.chain.now + DAY_MS))
    life.chain.do(SELLER, OrderAccept(life.order))
    life.paying()
    life.paid()
    life.chain.now += DAY_MS
    assert ["order_expired"] == codes_of(life, OTHER, OrderCancel(second, "other"))
    change(life.chain, ORDER, second, status="accepted")
    assert ["order_expired"] == codes_of(life, OTHER, OrderCancel(second, "other"))


def test_an_order_that_lasts_counts_among_the_live_offers() -> None:
    life = paying("pending", LONG)
    pass_deadline(life)
    life.chain.do("bmw", OrderCancel(life.chain.do("bmw", _other_car(life)), "other"))
    life.chain.do(BUYER, _other_car(life))
    assert life.order in live_offers(life)
    tell(life, "failed")
    life.chain.do(BUYER, _other_car(life))
    assert life.order not in live_offers(life)


def live_offers(life: Life) -> list[bytes]:
    return [live.order for live in life.chain.state(LIVE_OFFERS, address(BUYER)).offers]


def _other_car(life: Life):
    """An offer for a second car of the same seller, which is listed at the first call."""
    vin = VIN[:-1] + "6"
    if life.chain.state(VEHICLE, vin) is None:
        life.chain.do("bmw", register(vin))
        life.chain.do("bmw", transfer(life.chain, vin=vin), SELLER)
    vehicle = life.chain.state(VEHICLE, vin)
    ident = vehicle.market.listing or life.chain.do(SELLER, listing(life.chain, vin))
    return offer(life.chain, ident)


# --- money that comes late ----------------------------------------------------------------------------
def test_money_that_comes_late_finds_a_car_that_nobody_else_has_taken() -> None:
    life = paying("initiated", LONG)
    pass_deadline(life)
    assert ("listed", "open", "expired", True) == answers(life)
    tell(life, "settled")
    assert ("reserved", "reserved", "accepted", False) == answers(life)
    assert [] == codes_of(life, SELLER, handover(life.chain, life.order), BUYER)


def another_order(life: Life) -> None:
    life.chain.do(SELLER, OrderAccept(life.chain.do(OTHER, offer(life.chain, life.listing))))


MOVED_ON = {
    "a new version": lambda life: life.chain.do(SELLER, update(life)),
    "withdrawn": lambda life: life.chain.do(SELLER, ListingWithdraw(life.listing)),
    "another order": another_order,
}


@pytest.mark.parametrize("name", MOVED_ON)
def test_money_that_comes_late_never_takes_back_a_car_that_has_moved_on(name: str) -> None:
    life = paying("initiated", LONG)
    pass_deadline(life)
    MOVED_ON[name](life)
    before = life.chain.state(VEHICLE, VIN)
    tell(life, "settled")
    assert before == life.chain.state(VEHICLE, VIN)
    assert "expired" == answers(life)[2]
    assert "order_expired" in codes_of(life, SELLER, handover(life.chain, life.order), BUYER)
    tell(life, "refunded")
    assert before == life.chain.state(VEHICLE, VIN)
    check_invariants(life.chain.store)


def test_money_that_comes_late_reserves_no_car_of_another_holder() -> None:
    life = paying("initiated")
    pass_deadline(life)
    life.chain.do(SELLER, transfer(life.chain, "dealer-shanghai"), "dealer-shanghai")
    assert OFF_MARKET == life.chain.state(VEHICLE, VIN).market
    tell(life, "settled")
    assert ("off", "expired", "expired", False) == answers(life)
    assert [] == codes_of(life, "dealer-shanghai", listing(life.chain))


# --- a reservation that has lapsed ----------------------------------------------------------------------
def test_a_lapsed_reservation_leaves_its_listing_open_while_that_runs() -> None:
    life = accepted(listed_ms=LONG)
    expires = life.chain.state(LISTING, life.listing).expires_at_ms
    pass_deadline(life)
    assert "reserved" == life.chain.state(LISTING, life.listing).status, "nothing scans"
    assert ("listed", "open", "expired", True) == answers(life)
    assert ["market_live"] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)
    assert ["market_live"] == codes_of(life, SELLER, listing(life.chain))
    assert [] == codes_of(life, OTHER, offer(life.chain, life.listing))
    assert [] == codes_of(life, SELLER, update(life))
    assert [] == codes_of(life, SELLER, ListingWithdraw(life.listing))
    life.chain.now = expires
    life.chain.produce(pass_ms=1)
    assert ("off", "expired", "expired", False) == answers(life)
    assert ["listing_closed"] == codes_of(life, SELLER, ListingWithdraw(life.listing))
    assert [] == codes_of(life, SELLER, transfer(life.chain, OTHER), OTHER)


def test_what_touches_a_lapsed_reservation_writes_it_down() -> None:
    life = accepted(listed_ms=LONG)
    pass_deadline(life)
    body = update(life)
    life.chain.do(SELLER, body)
    market = life.chain.state(VEHICLE, VIN).market
    assert "open" == life.chain.state(LISTING, life.listing).status
    assert ("listed", b"", body.expires_at_ms, 0) == (
        market.status, market.order, market.until_ms, market.listed_until_ms,
    )  # fmt: skip


def test_a_new_listing_ends_the_one_whose_reservation_lapsed() -> None:
    life = accepted(listed_ms=SHORT)
    pass_deadline(life)
    life.chain.do("workshop-berlin", accident(life.chain, 155))
    life.chain.do(SELLER, listing(life.chain))
    assert ("listed", "expired", "expired", False) == answers(life)
    assert ["listing_closed"] == codes_of(life, SELLER, update(life))


def test_offers_on_a_listing_that_is_open_again_have_not_fallen() -> None:
    life = accepted(listed_ms=LONG)
    pass_deadline(life)
    life.order = life.chain.do(OTHER, offer(life.chain, life.listing))
    assert ("listed", "open", "offered", True) == answers(life)
    life.chain.do(SELLER, OrderAccept(life.order))
    assert ("reserved", "reserved", "accepted", False) == answers(life)


def test_the_audit_compares_the_market_with_the_payments() -> None:
    life = paying("settled")
    check_invariants(life.chain.store)
    market = life.chain.state(VEHICLE, VIN).market
    assert market.holds_money
    change(life.chain, VEHICLE, VIN, market=replace(market, holds_money=False))
    with pytest.raises(Diverged, match="differ on whether money is held"):
        check_invariants(life.chain.store)
