"""Listings: a car is offered, with the rails and payment providers that the seller accepts. Price history stays."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, assert_never

from msgspec import Meta
from msgspec.structs import replace

from node.codec import encode
from node.crypto.addresses import to_text
from node.crypto.hashing import tagged
from node.errors import Malformed
from node.rules.countries import COUNTRIES
from node.rules.currencies import MINOR_UNITS
from node.rules.rails import FORBIDDEN_RAILS, Rail
from node.txtypes.body import Body
from node.txtypes.fields import Address, Country, Id, Money, Time, Value, Vin
from node.txtypes.ledger import Family, Ledger
from node.txtypes.members import has_role
from node.txtypes.odometer import NO_READINGS, ODOMETER
from node.txtypes.params import params
from node.txtypes.schema import time_to_text
from node.txtypes.vehicle import (
    OFF_MARKET,
    VEHICLE,
    Codes,
    Vehicle,
    append_record,
    check_flags,
    check_holder,
    check_off_market,
    listed_market,
    market_of,
    require_vehicle,
)

VERSIONS_MAX = 64


class AcceptedRail(Value, frozen=True):
    """A rail and the providers through which the seller takes it."""

    rail: Rail
    providers: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=16)]


Rails = Annotated[tuple[AcceptedRail, ...], Meta(min_length=1, max_length=16)]


class PricePoint(Value, frozen=True):
    version: int
    price: Money
    since_ms: Time


class Listing(Value, tag=1, frozen=True):
    vin: Vin
    seller: Address
    price: Money
    country: Country
    configuration: tuple[str, ...]
    rails: tuple[AcceptedRail, ...]
    expires_at_ms: Time
    version: int
    status: Literal["open", "reserved", "withdrawn", "sold"]
    prices: tuple[PricePoint, ...]
    odometer_disclosed: bool
    """The seller says that the odometer's readings contradict each other."""


LISTING = Family("listing", Listing)


def status_now(ident: bytes, listing: Listing, vehicle: Vehicle | None, now_ms: int) -> str:
    """open, reserved, withdrawn, sold or expired: as the listing counts now, for every guard and every answer.

    One whose reservation has lapsed is open again while its own time lasts, and expired once the car has moved on.
    """
    match listing.status:
        case "withdrawn" | "sold":
            return listing.status
        case "open":
            return "open" if now_ms < listing.expires_at_ms else "expired"
        case "reserved":
            market = market_of(vehicle, now_ms) if vehicle is not None else OFF_MARKET
            if market.listing != ident:
                return "expired"
            return "reserved" if market.status == "reserved" else "open"
    assert_never(listing.status)


def require_listing(ledger: Ledger, ident: bytes) -> Listing | None:
    listing = ledger.get(LISTING, ident)
    if listing is None:
        ledger.unmet("listing_unknown", ident.hex())
    return listing


def check_open(ledger: Ledger, ident: bytes, listing: Listing) -> None:
    status = status_now(ident, listing, ledger.get(VEHICLE, listing.vin), ledger.now_ms)
    if status != "open":
        ledger.unmet("listing_closed", ident.hex(), status, "open")


def disclosure_root(ident: bytes, listing: Listing, vehicle: Vehicle) -> bytes:
    """What a buyer was shown, as one hash, from state alone (docs/PROTOCOL.md, Disclosure).

    `odometer_disclosed` is not in it: it never changes within a version of the listing, which is.
    """
    flags = [flag.name for flag in vehicle.flags]
    shown = [listing.vin, ident, listing.version, vehicle.record_count, vehicle.history_head, flags,
             list(vehicle.recalls), vehicle.verdict, list(vehicle.brands), vehicle.warranty,
             listing.price.amount, listing.price.currency]  # fmt: skip
    return tagged("bmw/disclosure", encode(shown))


def _check_rails(rails: tuple[AcceptedRail, ...]) -> None:
    if len({accepted.rail for accepted in rails}) != len(rails):
        raise Malformed("rails: the same rail stands twice")


def _guard_terms(ledger: Ledger, subject: str, price: Money, country: str, rails: tuple[AcceptedRail, ...]) -> None:
    if price.currency not in MINOR_UNITS:
        ledger.unmet("currency_unknown", subject, price.currency)
    if country not in COUNTRIES:
        ledger.unmet("country_unknown", subject, country)
    for accepted in rails:
        if accepted.rail in FORBIDDEN_RAILS.get(country, frozenset()):
            ledger.unmet("rail_forbidden", subject, accepted.rail, f"a rail allowed in {country}")
        for provider in accepted.providers:
            if not has_role(ledger, provider, "payment_provider"):
                ledger.unmet("provider_unaccredited", to_text(provider))


def _guard_expiry(ledger: Ledger, subject: str, expires_at_ms: int) -> None:
    latest = ledger.now_ms + params(ledger).listing_lifetime_max_ms
    if not ledger.now_ms < expires_at_ms <= latest:
        need = f"after {time_to_text(ledger.now_ms)}, at most {time_to_text(latest)}"
        ledger.unmet("expiry_passed", subject, time_to_text(expires_at_ms), need)


class ListingCreate(Body, tag="listing.create", frozen=True):
    """Offer a car whose title the sender holds."""

    vin: Vin
    price: Money
    country: Country
    configuration: Codes
    rails: Rails
    expires_at_ms: Time
    odometer_disclosed: bool = False
    """The seller says that the odometer's readings contradict each other. Without it an `ILLOGICAL` verdict blocks."""
    weight: ClassVar[int] = 150

    def check_static(self) -> None:
        _check_rails(self.rails)

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_holder(ledger, self.vin, vehicle, ledger.sender)
        _guard_terms(ledger, self.vin, self.price, self.country, self.rails)
        _guard_expiry(ledger, self.vin, self.expires_at_ms)
        if vehicle is None:
            return
        check_flags(ledger, self.vin, vehicle, "list", is_disclosed=self.odometer_disclosed)
        check_off_market(ledger, self.vin, vehicle)
        newest = (ledger.get(ODOMETER, self.vin) or NO_READINGS).newest_event_ms
        oldest_allowed = ledger.now_ms - params(ledger).odometer_fresh_ms
        if newest < oldest_allowed:
            ledger.unmet("odometer_stale", self.vin, newest, f"at least {oldest_allowed}")

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        assert vehicle is not None, "guarded"
        listing = Listing(
            self.vin, ledger.sender, self.price, self.country, self.configuration, self.rails, self.expires_at_ms,
            1, "open", (PricePoint(1, self.price, ledger.now_ms),), self.odometer_disclosed,
        )  # fmt: skip
        ledger.put(LISTING, ledger.txid, listing)
        vehicle = replace(vehicle, market=listed_market(ledger.txid, self.expires_at_ms))
        ledger.put(VEHICLE, self.vin, append_record(ledger, self.vin, vehicle, self, ledger.now_ms))

    def subjects(self) -> tuple[str, ...]:
        return (f"vehicle/{self.vin}",)


class ListingUpdate(Body, tag="listing.update", frozen=True):
    """A new version: price, rails, expiry, what is said of the odometer. Offers on older versions fall."""

    listing: Id
    price: Money
    rails: Rails
    expires_at_ms: Time
    odometer_disclosed: bool = False
    """As in `listing.create`; what the version before said does not carry over."""

    def check_static(self) -> None:
        _check_rails(self.rails)

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        if listing.seller != ledger.sender:
            ledger.unmet("not_a_party", self.listing.hex())
        check_open(ledger, self.listing, listing)
        _guard_terms(ledger, listing.vin, self.price, listing.country, self.rails)
        _guard_expiry(ledger, listing.vin, self.expires_at_ms)
        if listing.version >= VERSIONS_MAX:
            ledger.unmet("listing_versions_full", self.listing.hex(), listing.version, f"below {VERSIONS_MAX}")
        vehicle = require_vehicle(ledger, listing.vin)
        if vehicle is not None:
            check_flags(ledger, listing.vin, vehicle, "list", is_disclosed=self.odometer_disclosed)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.get(LISTING, self.listing)
        assert listing is not None, "guarded"
        vehicle = ledger.get(VEHICLE, listing.vin)
        assert vehicle is not None, "a listing has a vehicle"
        version = listing.version + 1
        prices = (*listing.prices, PricePoint(version, self.price, ledger.now_ms))
        changed = replace(
            listing,
            price=self.price,
            rails=self.rails,
            expires_at_ms=self.expires_at_ms,
            version=version,
            status="open",
            prices=prices,
            odometer_disclosed=self.odometer_disclosed,
        )
        ledger.put(LISTING, self.listing, changed)
        vehicle = replace(vehicle, market=listed_market(self.listing, self.expires_at_ms))
        ledger.put(VEHICLE, listing.vin, append_record(ledger, listing.vin, vehicle, self, ledger.now_ms))

    def subjects(self) -> tuple[str, ...]:
        return (f"listing/{self.listing.hex()}",)


class ListingWithdraw(Body, tag="listing.withdraw", frozen=True):
    """Take the car off the market; not while an order reserves it."""

    listing: Id

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        if listing.seller != ledger.sender:
            ledger.unmet("not_a_party", self.listing.hex())
        check_open(ledger, self.listing, listing)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.get(LISTING, self.listing)
        assert listing is not None, "guarded"
        vehicle = ledger.get(VEHICLE, listing.vin)
        assert vehicle is not None, "a listing has a vehicle"
        ledger.put(LISTING, self.listing, replace(listing, status="withdrawn"))
        vehicle = replace(vehicle, market=OFF_MARKET)
        ledger.put(VEHICLE, listing.vin, append_record(ledger, listing.vin, vehicle, self, ledger.now_ms))

    def subjects(self) -> tuple[str, ...]:
        return (f"listing/{self.listing.hex()}",)
