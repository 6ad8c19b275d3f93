"""Orders that have ended: late money revives none, their cars are free, and only both parties bring one back."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS
from support.deals import accepting, reinstating
from support.life import VIN, Life, attest, listing, offer, terms
from support.ordering import BUYER, SELLER, cancel, codes_of, initiate
from support.stages import at, ledger_of

from node.ledger.fields import Money
from node.txtypes.payment.giving_back import PaymentConfirmRefund
from node.txtypes.payment.initiating import PaymentDeclare
from node.txtypes.sale.changes import OrderAmend
from node.txtypes.sale.listing import LISTING, status_now
from node.txtypes.sale.listing_types import ListingUpdate
from node.txtypes.sale.order import is_live
from node.txtypes.sale.order_body import debts_now
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

PROVIDER = "payment-provider-1"


def lapsed(life: Life) -> None:
    """The time of the reservation is over, and no money has come."""
    life.chain.now = life.chain.state(ORDER, life.order).until_ms + DAY_MS


def market(life: Life) -> str:
    return market_of(life.chain.state(VEHICLE, VIN), life.chain.now).status


def live(life: Life) -> bool:
    return is_live(life.chain.state(ORDER, life.order), life.chain.now)


def owed(life: Life) -> int:
    ledger = ledger_of(life.chain)
    return sum(debt.amount.amount for debt in debts_now(ledger, ledger.the(ORDER, life.order)))


@pytest.mark.parametrize("kind", ["pending", "settled"])
def test_late_money_revives_no_order_and_is_a_debt_at_once(kind: str) -> None:
    life = at("paying")
    lapsed(life)
    life.chain.do(PROVIDER, attest(life.chain, life.payment, kind))
    assert not live(life) and market(life) != "reserved"
    assert (5_290_000 if kind == "settled" else 0) == owed(life)
    assert ["order_expired"] == codes_of(life, BUYER, cancel(life, "time_over"))
    assert [] == codes_of(life, SELLER, reinstating(life.chain, life.order), BUYER)


def test_a_declaration_revives_none_either() -> None:
    life = at("paying")
    lapsed(life)
    life.chain.do(BUYER, PaymentDeclare(life.payment))
    assert not live(life) and market(life) != "reserved"


def test_money_that_goes_back_ends_the_reservation_for_good() -> None:
    life = at("paid")
    life.chain.now = life.chain.state(ORDER, life.order).until_ms + DAY_MS
    assert live(life) and "reserved" == market(life)
    life.chain.do(BUYER, PaymentConfirmRefund(life.payment, Money(5_290_000, "EUR")))
    assert not live(life) and market(life) != "reserved"
    life.chain.do(PROVIDER, attest(life.chain, life.payment, "settled", b"entry-2"))
    assert not live(life) and 5_290_000 == owed(life)


@pytest.mark.parametrize("reason", ["changed_mind", "mutual"])
def test_the_car_of_a_cancelled_order_is_listed_again(reason: str) -> None:
    life = at("accepted")
    others = (SELLER,) if reason == "mutual" else ()
    life.chain.do(BUYER, cancel(life, reason), *others)
    found = life.chain.state(LISTING, life.listing)
    assert ("listed", "open") == (
        market(life),
        status_now(life.listing, found, life.chain.state(VEHICLE, VIN), life.chain.now),
    )
    assert ["market_live"] == codes_of(life, SELLER, listing(life.chain))
    order = life.chain.do(BUYER, offer(life.chain, life.listing))
    assert [] == codes_of(life, SELLER, accepting(life.chain, order), BUYER)


def test_a_seller_that_leaves_has_the_car_locked_for_others() -> None:
    life = at("accepted")
    life.chain.do(SELLER, cancel(life, "seller_default"))
    assert ["relist_locked"] == codes_of(life, SELLER, listing(life.chain))
    assert ["listing_closed"] == codes_of(life, BUYER, offer(life.chain, life.listing))
    life.chain.now += 14 * DAY_MS
    assert [] == codes_of(life, SELLER, listing(life.chain))


def test_an_order_keeps_its_currency() -> None:
    """The listing may have got another one while the order was over."""
    life = at("paid")
    life.chain.do(BUYER, cancel(life))
    price = Money(5_290_000, "USD")
    found = life.chain.state(LISTING, life.listing)
    update = ListingUpdate(life.listing, price, found.tax, found.rails, found.contracts, life.chain.now + 20 * DAY_MS)
    life.chain.do(SELLER, update)
    life.chain.do(SELLER, reinstating(life.chain, life.order), BUYER)
    amended = OrderAmend(life.order, terms(price))
    assert ["payment_currency"] == codes_of(life, SELLER, amended, BUYER)


def test_a_live_order_is_brought_back_by_nobody() -> None:
    life = at("accepted")
    assert {"order_status", "order_reserved"} == set(codes_of(life, SELLER, reinstating(life.chain, life.order), BUYER))
    life.chain.do(BUYER, cancel(life))
    assert ["signature_missing"] == codes_of(life, SELLER, reinstating(life.chain, life.order))


def test_the_buyer_alone_ends_an_order_whose_time_is_over() -> None:
    life = at("paid")
    assert ["cancel_reason"] == codes_of(life, BUYER, cancel(life, "time_over"))
    life.chain.now = life.chain.state(ORDER, life.order).until_ms
    assert ["cancel_reason"] == codes_of(life, SELLER, cancel(life, "time_over")), "the buyer has paid in full"
    assert [] == codes_of(life, BUYER, cancel(life, "time_over"))


def test_initiating_needs_a_live_order() -> None:
    life = at("accepted")
    lapsed(life)
    assert {"order_expired", "order_not_reserving"} == set(codes_of(life, BUYER, initiate(life)))
