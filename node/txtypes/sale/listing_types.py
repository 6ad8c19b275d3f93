"""A holder offers a car for sale: `listing.create`, `listing.update`, `listing.withdraw`."""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.errors import Malformed
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import Example
from node.ledger.fields import Codes, Country, Id, Money, Time, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.members.member import has_role
from node.txtypes.sale.listing import (
    LISTING,
    NOT_A_PARTY,
    PROVIDER_UNACCREDITED,
    TRANSITIONS,
    AcceptedRail,
    Listing,
    PricePoint,
    Rails,
    check_expiry,
    check_open,
    check_rail_allowed,
    require_listing,
)
from node.txtypes.vehicle.guards import check_flags, check_holder, check_off_market, require_vehicle
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import OFF_MARKET, VEHICLE, listed_market

VERSIONS_MAX: Final = 64
"""Versions of one listing. Above: an unmet guard."""

# fmt: off
LISTING_VERSIONS_FULL = Guard("listing_versions_full", "the listing was changed too often",
                              "das Inserat wurde zu oft geändert", "挂牌修改次数过多")
ODOMETER_STALE = Guard("odometer_stale", "the newest odometer reading is too old",
                       "der neueste Kilometerstand ist zu alt", "里程读数过旧")
# fmt: on


def _check_rails(rails: tuple[AcceptedRail, ...]) -> None:
    if len({accepted.rail for accepted in rails}) != len(rails):
        raise Malformed("rails: the same rail occurs twice")


def _guard_terms(ledger: Ledger, subject: str, country: str, rails: tuple[AcceptedRail, ...], expires: int) -> None:
    for accepted in rails:
        check_rail_allowed(ledger, subject, accepted.rail, country)
        for provider in accepted.providers:
            if not has_role(ledger, provider, "payment_provider"):
                ledger.unmet(PROVIDER_UNACCREDITED, to_text(provider))
    check_expiry(ledger, subject, expires, ledger.params.listing_lifetime_max_ms)


_RAILS = [
    {"rail": "bank_transfer", "providers": ["payment-provider-1"]},
    {"rail": "card", "providers": ["payment-provider-1", "bank-1"]},
]


class ListingCreate(TransactionBody, tag="listing.create", frozen=True):
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
    headline: ClassVar[tuple[str, ...]] = ("price", "country", "odometer_disclosed")
    EXAMPLE: ClassVar[Example] = Example(
        "dealer-munich",
        {
            "vin": "WBA8E9G50GNU12345",
            "price": {"amount": "5290000", "currency": "EUR"},
            "country": "DE",
            "configuration": [],
            "rails": _RAILS,
            "expires_at": "+30d",
        },
    )

    def check_static(self) -> None:
        _check_rails(self.rails)

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_holder(ledger, self.vin, vehicle, ledger.sender)
        _guard_terms(ledger, self.vin, self.country, self.rails, self.expires_at_ms)
        if vehicle is None:
            return
        check_flags(ledger, self.vin, vehicle, "list", is_disclosed=self.odometer_disclosed)
        check_off_market(ledger, self.vin, vehicle)
        newest = (ledger.get(ODOMETER, self.vin) or NO_READINGS).newest_event_ms
        oldest_allowed = ledger.now_ms - ledger.params.odometer_fresh_ms
        if newest < oldest_allowed:
            need = f"at least {time_to_text(oldest_allowed)}"
            ledger.unmet(ODOMETER_STALE, self.vin, time_to_text(newest), need)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.the(VEHICLE, self.vin)
        listing = Listing(
            self.vin, ledger.sender, self.price, self.country, self.configuration, self.rails, self.expires_at_ms,
            1, "open", (PricePoint(1, self.price, ledger.now_ms),), self.odometer_disclosed,
        )  # fmt: skip
        ledger.put(LISTING, ledger.txid, listing)
        vehicle = replace(vehicle, market=listed_market(ledger.txid, self.expires_at_ms))
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms)


class ListingUpdate(TransactionBody, tag="listing.update", frozen=True):
    """A new version: price, rails, expiry, what is said of the odometer. Offers on older versions lapse."""

    listing: Id
    price: Money
    rails: Rails
    expires_at_ms: Time
    odometer_disclosed: bool = False
    """As in `listing.create`; what the version before said does not carry over."""
    headline: ClassVar[tuple[str, ...]] = ("price", "odometer_disclosed")
    EXAMPLE: ClassVar[Example] = Example(
        "dealer-munich",
        {
            "listing": "$listing",
            "price": {"amount": "5190000", "currency": "EUR"},
            "rails": _RAILS,
            "expires_at": "+20d",
        },
    )

    def check_static(self) -> None:
        _check_rails(self.rails)

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        if listing.seller != ledger.sender:
            ledger.unmet(NOT_A_PARTY, self.listing.hex())
        check_open(ledger, self.listing, listing)
        _guard_terms(ledger, listing.vin, listing.country, self.rails, self.expires_at_ms)
        if listing.version >= VERSIONS_MAX:
            ledger.unmet(LISTING_VERSIONS_FULL, self.listing.hex(), listing.version, f"below {VERSIONS_MAX}")
        vehicle = require_vehicle(ledger, listing.vin)
        if vehicle is not None:
            check_flags(ledger, listing.vin, vehicle, "list", is_disclosed=self.odometer_disclosed)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        version = listing.version + 1
        changed = replace(
            listing,
            price=self.price,
            rails=self.rails,
            expires_at_ms=self.expires_at_ms,
            version=version,
            prices=(*listing.prices, PricePoint(version, self.price, ledger.now_ms)),
            odometer_disclosed=self.odometer_disclosed,
        )
        ledger.put(LISTING, self.listing, replace(changed, status=TRANSITIONS.after("open", type_of(self))))
        vehicle = replace(ledger.the(VEHICLE, listing.vin), market=listed_market(self.listing, self.expires_at_ms))
        append_record(ledger, listing.vin, vehicle, self, ledger.now_ms)


class ListingWithdraw(TransactionBody, tag="listing.withdraw", frozen=True):
    """Take the car off the market; not while an order reserves it."""

    listing: Id
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"listing": "$listing"})

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        if listing.seller != ledger.sender:
            ledger.unmet(NOT_A_PARTY, self.listing.hex())
        check_open(ledger, self.listing, listing)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        ledger.put(LISTING, self.listing, replace(listing, status=TRANSITIONS.after("open", type_of(self))))
        vehicle = replace(ledger.the(VEHICLE, listing.vin), market=OFF_MARKET)
        append_record(ledger, listing.vin, vehicle, self, ledger.now_ms)
