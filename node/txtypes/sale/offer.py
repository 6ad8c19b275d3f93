"""From offer to reservation: offer, counter, accept, reject, acknowledge."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, Family
from node.ledger.fields import Address, Contract, Hash32, Id, Money, Rail, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.member import has_role
from node.txtypes.sale.disclosure import check_disclosure
from node.txtypes.sale.listing import (
    LISTING,
    LISTING_VERSION,
    NOT_A_PARTY,
    PROVIDER_UNACCREDITED,
    RAIL_NOT_ACCEPTED,
    check_expiry,
    check_open,
    check_rail_allowed,
    require_listing,
)
from node.txtypes.sale.listing import TRANSITIONS as LISTING_TRANSITIONS
from node.txtypes.sale.order import (
    ORDER,
    TRANSITIONS,
    Order,
    OrderBody,
    agreed,
    check_turn,
    is_lasting,
    is_live,
)
from node.txtypes.vehicle.guards import check_flags, check_holder, require_vehicle
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE, market_of, reserved_market

# fmt: off
OFFERS_LIVE = Guard("offers_live", "the account has too many live offers", "das Konto hat zu viele offene Angebote",
                    "有效报价过多")
OWN_LISTING = Guard("own_listing", "the seller cannot buy from himself", "der Verkäufer kann nicht bei sich kaufen",
                    "不能购买自己的挂牌")
ORDER_RESERVED = Guard("order_reserved", "the vehicle is reserved by another order",
                       "das Fahrzeug ist durch einen anderen Auftrag reserviert", "车辆已被其他订单预定")
PAYMENT_CURRENCY = Guard("payment_currency", "the payment is in another currency",
                         "die Zahlung hat eine andere Währung", "付款货币不符")
NOTHING_TO_ACKNOWLEDGE = Guard("nothing_to_acknowledge", "nothing has changed since the buyer agreed",
                               "seit der Zustimmung hat sich nichts geändert", "没有需要确认的变更")
# fmt: on


class LiveOffer(Value, frozen=True):
    """An order and the deadline it had when it was offered."""

    order: Id
    expires_at_ms: Time


class LiveOffers(Value, tag=1, frozen=True):
    """An account's offers that were live when it last made one."""

    offers: tuple[LiveOffer, ...]


LIVE_OFFERS = Family("live-offers", LiveOffers, ident=ADDRESS_IDENT)


def check_currency(ledger: Ledger, subject: str, given: Money, agreed_on: Money) -> None:
    if given.currency != agreed_on.currency:
        ledger.unmet(PAYMENT_CURRENCY, subject, given.currency, agreed_on.currency)


class OrderOffer(TransactionBody, tag="order.offer", frozen=True):
    """The sender offers to buy what a version of a listing shows, on one of the listing's rails and providers."""

    listing: Id
    listing_version: Annotated[int, Meta(ge=1, le=10_000)]
    price: Money
    rail: Rail
    provider: Address
    contract: Contract
    disclosure_root: Hash32
    expires_at_ms: Time
    weight: ClassVar[int] = 150
    EXAMPLE: ClassVar[Example] = Example(
        "buyer-1",
        {
            "listing": "$listing",
            "listing_version": 1,
            "price": {"amount": "5290000", "currency": "EUR"},
            "rail": "bank_transfer",
            "provider": "payment-provider-1",
            "contract": "on_premises",
            "disclosure_root": "$disclosure_root",
            "expires_at": "+7d",
        },
    )

    def _live(self, ledger: Ledger) -> tuple[LiveOffer, ...]:
        known = ledger.get(LIVE_OFFERS, ledger.sender)
        return tuple(
            offer
            for offer in (known.offers if known else ())
            if (order := ledger.get(ORDER, offer.order)) is not None
            and is_live(order, ledger.now_ms, is_lasting=is_lasting(ledger, offer.order, order))
        )

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        subject = self.listing.hex()
        check_open(ledger, self.listing, listing)
        if listing.version != self.listing_version:
            ledger.unmet(LISTING_VERSION, subject, self.listing_version, listing.version)
        if listing.seller == ledger.sender:
            ledger.unmet(OWN_LISTING, subject)
        check_currency(ledger, subject, self.price, listing.price)
        accepted = {a.rail: a.providers for a in listing.rails}
        if self.provider not in accepted.get(self.rail, ()):
            ledger.unmet(RAIL_NOT_ACCEPTED, subject, f"{self.rail} by {to_text(self.provider)}")
        check_rail_allowed(ledger, subject, self.rail, listing.country)
        check_expiry(ledger, subject, self.expires_at_ms, ledger.params.offer_lifetime_max_ms)
        check_disclosure(ledger, self.disclosure_root, self.listing)
        if len(self._live(ledger)) >= limits.OFFERS_LIVE_MAX:
            ledger.unmet(OFFERS_LIVE, to_text(ledger.sender), need=f"at most {limits.OFFERS_LIVE_MAX}")
        vehicle = require_vehicle(ledger, listing.vin)
        if vehicle is not None:
            check_flags(ledger, listing.vin, vehicle, "offer", is_disclosed=listing.odometer_disclosed)
            if market_of(vehicle, ledger.now_ms).status == "reserved":
                ledger.unmet(ORDER_RESERVED, listing.vin)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        vehicle = ledger.the(VEHICLE, listing.vin)
        order = Order(
            self.listing, self.listing_version, listing.vin, listing.seller, ledger.sender, self.price, self.rail,
            self.provider, self.contract, self.disclosure_root, self.expires_at_ms, "offered", (), 0, "",
            vehicle.material_changes, vehicle.verdict, b"",
        )  # fmt: skip
        ledger.put(ORDER, ledger.txid, order)
        offers = (*self._live(ledger), LiveOffer(ledger.txid, self.expires_at_ms))
        ledger.put(LIVE_OFFERS, ledger.sender, LiveOffers(offers))


class OrderCounter(OrderBody, tag="order.counter", frozen=True):
    """The seller names another price; the buyer answers it with `order.accept`."""

    price: Money
    expires_at_ms: Time
    EXAMPLE: ClassVar[Example] = Example(
        "dealer-munich",
        {"order": "$order", "price": {"amount": "5340000", "currency": "EUR"}, "expires_at": "+2d"},
    )

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is None:
            return
        if ledger.sender != order.seller:
            ledger.unmet(NOT_A_PARTY, self.order.hex())
        check_currency(ledger, self.order.hex(), self.price, order.price)
        check_expiry(ledger, self.order.hex(), self.expires_at_ms, ledger.params.offer_lifetime_max_ms)

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        status = TRANSITIONS.after(order.status, type_of(self))
        ledger.put(ORDER, self.order, replace(order, price=self.price, expires_at_ms=self.expires_at_ms, status=status))


class OrderAccept(OrderBody, tag="order.accept", frozen=True):
    """The party whose turn it is agrees: the seller to an offer, the buyer to a counter. The car is reserved."""

    weight: ClassVar[int] = 150
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"order": "$order"})

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is None:
            return
        check_turn(ledger, self.order, order)
        listing = require_listing(ledger, order.listing)
        if listing is not None:
            check_open(ledger, order.listing, listing)
            if listing.version != order.listing_version:
                ledger.unmet(LISTING_VERSION, order.listing.hex(), order.listing_version, listing.version)
        check_disclosure(ledger, order.disclosure_root, order.listing)
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is not None:
            check_holder(ledger, order.vin, vehicle, order.seller)
            is_disclosed = listing is not None and listing.odometer_disclosed
            check_flags(ledger, order.vin, vehicle, "accept", is_disclosed=is_disclosed)
            if market_of(vehicle, ledger.now_ms).status == "reserved":
                ledger.unmet(ORDER_RESERVED, order.vin)
        if not has_role(ledger, order.provider, "payment_provider"):
            ledger.unmet(PROVIDER_UNACCREDITED, to_text(order.provider))

    def apply(self, ledger: Ledger) -> None:
        order, tag = ledger.the(ORDER, self.order), type_of(self)
        vehicle, listing = ledger.the(VEHICLE, order.vin), ledger.the(LISTING, order.listing)
        until = ledger.now_ms + ledger.params.reservation_ms
        ledger.put(LISTING, order.listing, replace(listing, status=LISTING_TRANSITIONS.after("open", tag)))
        accepted = replace(order, status=TRANSITIONS.after(order.status, tag), expires_at_ms=until)
        ledger.put(ORDER, self.order, agreed(accepted, vehicle))
        market = reserved_market(order.listing, self.order, until, listing.expires_at_ms)
        append_record(ledger, order.vin, replace(vehicle, market=market), self, ledger.now_ms)


class OrderReject(OrderBody, tag="order.reject", frozen=True):
    """The party whose turn it is declines."""

    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"order": "$order"})

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is not None:
            check_turn(ledger, self.order, order)

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        ledger.put(ORDER, self.order, replace(order, status=TRANSITIONS.after(order.status, type_of(self))))


class OrderAcknowledge(OrderBody, tag="order.acknowledge", frozen=True):
    """The buyer agrees to what has changed since: an accident, a flag, a brand, another verdict."""

    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order"})

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is None:
            return
        if ledger.sender != order.buyer:
            ledger.unmet(NOT_A_PARTY, self.order.hex())
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is not None and vehicle.material_changes == order.agreed_changes:
            ledger.unmet(NOTHING_TO_ACKNOWLEDGE, self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        ledger.put(ORDER, self.order, agreed(order, ledger.the(VEHICLE, order.vin)))
