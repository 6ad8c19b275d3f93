"""Orders: offer, counter, acceptance. How an order ends is in `closing`.

Deadlines are lazy: an order past its time counts as expired for every guard and every answer. A reservation that holds
money does not lapse: see `vehicle.market_of`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.rules.odometer import Verdict
from node.rules.rails import FORBIDDEN_RAILS, Rail
from node.txtypes.body import Body
from node.txtypes.fields import Address, Hash32, Id, Money, OptionalHash, Time, Value, Vin
from node.txtypes.ledger import Family, Ledger
from node.txtypes.listing import LISTING, check_open, disclosure_root, require_listing
from node.txtypes.members import has_role
from node.txtypes.params import params
from node.txtypes.schema import time_to_text
from node.txtypes.vehicle import (
    VEHICLE,
    Vehicle,
    append_record,
    check_flags,
    check_holder,
    has_lasting_reservation,
    market_of,
    require_vehicle,
    reserved_market,
)

Status = Literal["offered", "countered", "accepted", "completed", "rejected", "cancelled"]


class Order(Value, tag=1, frozen=True):
    listing: Id
    listing_version: int
    vin: Vin
    seller: Address
    buyer: Address
    price: Money
    rail: Rail
    provider: Address
    contract: Literal["on_premises", "distance"]
    disclosure_root: Hash32
    expires_at_ms: Time
    """Of the offer; from acceptance on, of the reservation, which outlives it while it holds money."""
    status: Status
    payments: tuple[Id, ...]
    deliveries: int
    delivery_stage: Literal["", "scheduled", "picked_up", "in_transit", "arrived"]
    agreed_changes: int
    """The vehicle's `material_changes` that the buyer has agreed to."""
    agreed_verdict: Verdict
    """The odometer's verdict that the buyer has agreed to: when the order was accepted, or by acknowledging since."""
    title_record: OptionalHash


class LiveOffers(Value, tag=1, frozen=True):
    """An account's offers that were live when it last made one: (order, expiry)."""

    offers: tuple[tuple[Id, Time], ...]


ORDER = Family("order", Order)
LIVE_OFFERS = Family("live-offers", LiveOffers)


def is_live(order: Order | None, now_ms: int, *, is_lasting: bool = False) -> bool:
    """Offered, countered or accepted, and within its deadline, or, once accepted, with a reservation that
    `is_lasting`."""
    if order is None or order.status not in ("offered", "countered", "accepted"):
        return False
    return now_ms < order.expires_at_ms or (order.status == "accepted" and is_lasting)


def _is_lasting(ledger: Ledger, ident: bytes, order: Order) -> bool:
    return has_lasting_reservation(ledger.get(VEHICLE, order.vin), ident)


def require_order(ledger: Ledger, ident: bytes, *statuses: str) -> Order | None:
    """The order in one of `statuses` and live; notes what is wrong, None only where there is none."""
    order = ledger.get(ORDER, ident)
    if order is None:
        ledger.unmet("order_unknown", ident.hex())
        return None
    if order.status not in statuses:
        ledger.unmet("order_status", ident.hex(), order.status, " or ".join(statuses))
    elif not is_live(order, ledger.now_ms, is_lasting=_is_lasting(ledger, ident, order)):
        need = f"after {time_to_text(ledger.now_ms)}"
        ledger.unmet("order_expired", ident.hex(), time_to_text(order.expires_at_ms), need)
    return order


def _agreed(order: Order, vehicle: Vehicle) -> Order:
    """The order whose buyer has agreed to what the vehicle is now."""
    return replace(order, agreed_changes=vehicle.material_changes, agreed_verdict=vehicle.verdict)


def check_party(ledger: Ledger, ident: bytes, order: Order) -> None:
    if ledger.sender not in (order.seller, order.buyer):
        ledger.unmet("not_a_party", ident.hex())


def _check_disclosure(ledger: Ledger, order_root: bytes, listing_id: bytes) -> None:
    listing = ledger.get(LISTING, listing_id)
    vehicle = ledger.get(VEHICLE, listing.vin) if listing else None
    if listing is not None and vehicle is not None:
        now = disclosure_root(listing_id, listing, vehicle)
        if now != order_root:
            ledger.unmet("disclosure_stale", listing.vin, order_root.hex(), now.hex())


class OrderOffer(Body, tag="order.offer", frozen=True):
    """The sender offers to buy what a version of a listing shows, on one of the listing's rails and providers."""

    listing: Id
    listing_version: Annotated[int, Meta(ge=1, le=10_000)]
    price: Money
    rail: Rail
    provider: Address
    contract: Literal["on_premises", "distance"]
    disclosure_root: Hash32
    expires_at_ms: Time
    weight: ClassVar[int] = 150

    def _live(self, ledger: Ledger) -> tuple[tuple[bytes, int], ...]:
        known = ledger.get(LIVE_OFFERS, ledger.sender)
        return tuple(
            (ident, expires)
            for ident, expires in (known.offers if known else ())
            if (order := ledger.get(ORDER, ident)) is not None
            and is_live(order, ledger.now_ms, is_lasting=_is_lasting(ledger, ident, order))
        )

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        subject = self.listing.hex()
        check_open(ledger, self.listing, listing)
        if listing.version != self.listing_version:
            ledger.unmet("listing_version", subject, self.listing_version, listing.version)
        if listing.seller == ledger.sender:
            ledger.unmet("own_listing", subject)
        if self.price.currency != listing.price.currency:
            ledger.unmet("payment_currency", subject, self.price.currency, listing.price.currency)
        accepted = {a.rail: a.providers for a in listing.rails}
        if self.provider not in accepted.get(self.rail, ()):
            ledger.unmet("rail_not_accepted", subject, f"{self.rail} by {to_text(self.provider)}")
        if self.rail in FORBIDDEN_RAILS.get(listing.country, frozenset()):
            ledger.unmet("rail_forbidden", subject, self.rail, f"a rail allowed in {listing.country}")
        latest = ledger.now_ms + params(ledger).offer_lifetime_max_ms
        if not ledger.now_ms < self.expires_at_ms <= latest:
            need = f"after {time_to_text(ledger.now_ms)}, at most {time_to_text(latest)}"
            ledger.unmet("expiry_passed", subject, time_to_text(self.expires_at_ms), need)
        _check_disclosure(ledger, self.disclosure_root, self.listing)
        if len(self._live(ledger)) >= limits.OFFERS_LIVE_MAX:
            ledger.unmet("offers_live", to_text(ledger.sender), need=f"at most {limits.OFFERS_LIVE_MAX}")
        vehicle = require_vehicle(ledger, listing.vin)
        if vehicle is not None:
            check_flags(ledger, listing.vin, vehicle, "offer", is_disclosed=listing.odometer_disclosed)
            if market_of(vehicle, ledger.now_ms).status == "reserved":
                ledger.unmet("order_reserved", listing.vin)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.get(LISTING, self.listing)
        assert listing is not None, "guarded"
        vehicle = ledger.get(VEHICLE, listing.vin)
        assert vehicle is not None, "guarded"
        order = Order(
            self.listing, self.listing_version, listing.vin, listing.seller, ledger.sender, self.price, self.rail,
            self.provider, self.contract, self.disclosure_root, self.expires_at_ms, "offered", (), 0, "",
            vehicle.material_changes, vehicle.verdict, b"",
        )  # fmt: skip
        ledger.put(ORDER, ledger.txid, order)
        ledger.put(LIVE_OFFERS, ledger.sender, LiveOffers((*self._live(ledger), (ledger.txid, self.expires_at_ms))))

    def subjects(self) -> tuple[str, ...]:
        return (f"listing/{self.listing.hex()}",)


class OrderBody(Body, frozen=True):
    """What every answer to an order shares."""

    order: Id

    def subjects(self) -> tuple[str, ...]:
        return (f"order/{self.order.hex()}",)


class OrderCounter(OrderBody, tag="order.counter", frozen=True):
    """The seller names another price; the buyer answers it with `order.accept`."""

    price: Money
    expires_at_ms: Time

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "offered")
        if order is None:
            return
        if ledger.sender != order.seller:
            ledger.unmet("not_a_party", self.order.hex())
        if self.price.currency != order.price.currency:
            ledger.unmet("payment_currency", self.order.hex(), self.price.currency, order.price.currency)
        latest = ledger.now_ms + params(ledger).offer_lifetime_max_ms
        if not ledger.now_ms < self.expires_at_ms <= latest:
            need = f"after {time_to_text(ledger.now_ms)}, at most {time_to_text(latest)}"
            ledger.unmet("expiry_passed", self.order.hex(), time_to_text(self.expires_at_ms), need)

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None, "guarded"
        changed = replace(order, price=self.price, expires_at_ms=self.expires_at_ms, status="countered")
        ledger.put(ORDER, self.order, changed)


class OrderAccept(OrderBody, tag="order.accept", frozen=True):
    """The party whose turn it is agrees: the seller to an offer, the buyer to a counter. The car is reserved."""

    weight: ClassVar[int] = 150

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "offered", "countered")
        if order is None:
            return
        check_party(ledger, self.order, order)
        answering = order.buyer if order.status == "countered" else order.seller
        if ledger.sender in (order.seller, order.buyer) and ledger.sender != answering:
            ledger.unmet("not_your_turn", self.order.hex())
        listing = require_listing(ledger, order.listing)
        if listing is not None:
            check_open(ledger, order.listing, listing)
            if listing.version != order.listing_version:
                ledger.unmet("listing_version", order.listing.hex(), order.listing_version, listing.version)
        _check_disclosure(ledger, order.disclosure_root, order.listing)
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is not None:
            check_holder(ledger, order.vin, vehicle, order.seller)
            is_disclosed = listing is not None and listing.odometer_disclosed
            check_flags(ledger, order.vin, vehicle, "accept", is_disclosed=is_disclosed)
            if market_of(vehicle, ledger.now_ms).status == "reserved":
                ledger.unmet("order_reserved", order.vin)
        if not has_role(ledger, order.provider, "payment_provider"):
            ledger.unmet("provider_unaccredited", to_text(order.provider))

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None, "guarded"
        vehicle = ledger.get(VEHICLE, order.vin)
        assert vehicle is not None, "guarded"
        until = ledger.now_ms + params(ledger).reservation_ms
        listing = ledger.get(LISTING, order.listing)
        assert listing is not None, "guarded"
        ledger.put(LISTING, order.listing, replace(listing, status="reserved"))
        vehicle = replace(vehicle, market=reserved_market(order.listing, self.order, until, listing.expires_at_ms))
        ledger.put(VEHICLE, order.vin, append_record(ledger, order.vin, vehicle, self, ledger.now_ms))
        ledger.put(ORDER, self.order, _agreed(replace(order, status="accepted", expires_at_ms=until), vehicle))


class OrderReject(OrderBody, tag="order.reject", frozen=True):
    """The party whose turn it is declines."""

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "offered", "countered")
        if order is None:
            return
        check_party(ledger, self.order, order)
        answering = order.buyer if order.status == "countered" else order.seller
        if ledger.sender in (order.seller, order.buyer) and ledger.sender != answering:
            ledger.unmet("not_your_turn", self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None, "guarded"
        ledger.put(ORDER, self.order, replace(order, status="rejected"))


class OrderAcknowledge(OrderBody, tag="order.acknowledge", frozen=True):
    """The buyer agrees to what changed since: an accident, a flag, a brand, another verdict."""

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "accepted")
        if order is None:
            return
        if ledger.sender != order.buyer:
            ledger.unmet("not_a_party", self.order.hex())
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is not None and vehicle.material_changes == order.agreed_changes:
            ledger.unmet("nothing_to_acknowledge", self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None, "guarded"
        vehicle = ledger.get(VEHICLE, order.vin)
        assert vehicle is not None, "guarded"
        ledger.put(ORDER, self.order, _agreed(order, vehicle))
