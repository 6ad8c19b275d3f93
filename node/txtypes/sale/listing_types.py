"""The types of a listing: create, update, withdraw. The holder sends them, or its agent under a mandate."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node.ledger.body import TransactionBody, type_of
from node.ledger.example import Example
from node.ledger.fields import Amount, Codes, Contract, Country, Id, Money, Time, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule, Unique
from node.txtypes.members.accepted_rail import Rails
from node.txtypes.sale.acting import check_acting, check_standing
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.listing import (
    LISTING,
    TRANSITIONS,
    VERSIONS_MAX,
    Listing,
    PricePoint,
    check_expiry,
    check_open,
    require_listing,
)
from node.txtypes.sale.terms import check_provider, check_rail, countries_of
from node.txtypes.vehicle.conditions import Discloses, check_step
from node.txtypes.vehicle.guards import check_off_market, require_vehicle
from node.txtypes.vehicle.odometer import newest_event_ms
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import OFF_MARKET, listed_market
from node.txtypes.vehicle.vehicle import VEHICLE

LISTING_VERSIONS_FULL = Guard("listing_versions_full", "the listing has too many versions",
                              "das Inserat wurde zu oft geändert", "挂牌修改次数过多")  # fmt: skip
ODOMETER_STALE = Guard("odometer_stale", "the newest odometer reading is too old",
                       "der neueste Kilometerstand ist zu alt", "里程读数过旧")  # fmt: skip
CONFIGURATION_DIFFERS = Guard("configuration_differs", "the car does not have this equipment",
                              "das Fahrzeug hat diese Ausstattung nicht", "车辆没有此配置")  # fmt: skip
PROVIDERS_MISSING = Guard("providers_missing", "a rail of money names its providers, a car in payment names none",
                          "ein Zahlweg für Geld nennt seine Dienste, ein Fahrzeug in Zahlung nennt keine",
                          "货币支付方式须列出服务商，置换车辆则不得列出")  # fmt: skip
Contracts = Annotated[tuple[Contract, ...], Meta(min_length=1, max_length=4)]
_RULES: tuple[StaticRule, ...] = (AmountAboveZero("price"), Unique("rails", by="rail"), Unique("contracts"))
_RAILS = [
    {"rail": "bank_transfer", "providers": ["payment-provider-1"]},
    {"rail": "card", "providers": ["payment-provider-1", "bank-1"]},
    {"rail": "finance", "providers": ["bank-1"]},
    {"rail": "trade_in", "providers": []},
]
_TAX = {"scheme": "standard", "rate_permille": 190, "amount": 844_622}


def check_rails(ledger: Ledger, listing: Listing) -> None:
    """Notes every rail and provider that could not be used now, and what the agent's mandate does not cover."""
    for accepted in listing.rails:
        if bool(accepted.providers) == (accepted.rail == "trade_in"):
            ledger.unmet(PROVIDERS_MISSING, listing.vin, accepted.rail)
        countries = countries_of(ledger, listing, *accepted.providers)
        check_rail(ledger, listing.vin, accepted.rail, listing.price.currency, countries)
        for provider in accepted.providers:
            check_provider(ledger, provider, accepted.rail, listing.country)


class ListingCreate(TransactionBody, tag="listing.create", frozen=True):
    """Offer a car. The holder of its title sends it, or an agent whose `mandate` has the right `list`."""

    vin: Vin
    price: Money
    tax: Tax
    country: Country
    configuration: Codes
    rails: Rails
    contracts: Contracts
    expires_at_ms: Time
    offer_floor: Amount = 0
    """Lower offers are refused."""
    mandate: Id | None = None
    discloses: Discloses = ()
    """What the seller says of the car. Without it, what `rules.sales` says must be disclosed blocks."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = _RULES
    weight: ClassVar[int] = 150
    headline: ClassVar[tuple[str, ...]] = ("price", "country", "discloses")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "vin": "WBA8E9G50GNU12345", "price": {"amount": "5290000", "currency": "EUR"}, "tax": _TAX, "country": "DE",
        "configuration": [], "rails": _RAILS, "contracts": ["on_premises", "distance", "business"],
        "expires_at": "+30d",
    })  # fmt: skip

    def _listing(self, ledger: Ledger, seller: bytes) -> Listing:
        agent = ledger.sender if self.mandate is not None else None
        return Listing(
            self.vin, "", (), 0, 0, seller, agent, self.mandate, self.price, self.tax, self.country,
            self.configuration, self.rails, self.contracts, self.offer_floor, self.expires_at_ms, 1, "open",
            (PricePoint(1, self.price, ledger.now_ms),), self.discloses,
        )  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        if vehicle is None:
            return
        listing = self._listing(ledger, vehicle.holder)
        check_acting(ledger, "list", listing, self.vin, rails=self.rails)
        check_rails(ledger, listing)
        check_expiry(ledger, self.vin, self.expires_at_ms, ledger.params.listing_lifetime_max_ms)
        check_standing(ledger, vehicle.holder, self.vin)
        if missing := sorted(set(self.configuration) - set(vehicle.configuration)):
            ledger.unmet(CONFIGURATION_DIFFERS, self.vin, " ".join(missing))
        check_step(ledger, self.vin, vehicle, "list", self.discloses)
        check_off_market(ledger, self.vin, vehicle)
        newest = newest_event_ms(ledger, self.vin)
        oldest_allowed = ledger.now_ms - ledger.params.odometer_fresh_ms
        if newest < oldest_allowed:
            need = f"at least {time_to_text(oldest_allowed)}"
            ledger.unmet(ODOMETER_STALE, self.vin, time_to_text(newest), need)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.the(VEHICLE, self.vin)
        ledger.put(LISTING, ledger.txid, self._listing(ledger, vehicle.holder))
        vehicle = replace(vehicle, market=listed_market(ledger.txid, self.expires_at_ms))
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms)


class ListingUpdate(TransactionBody, tag="listing.update", frozen=True):
    """A new version: price, tax, rails, contracts, expiry, disclosures. Offers on older versions lapse."""

    listing: Id
    price: Money
    tax: Tax
    rails: Rails
    contracts: Contracts
    expires_at_ms: Time
    offer_floor: Amount = 0
    discloses: Discloses = ()
    """As in `listing.create`; what the version before disclosed does not carry over."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = _RULES
    headline: ClassVar[tuple[str, ...]] = ("price", "discloses")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "listing": "$listing", "price": {"amount": "5190000", "currency": "EUR"}, "tax": _TAX, "rails": _RAILS,
        "contracts": ["on_premises", "distance", "business"], "expires_at": "+20d",
    })  # fmt: skip

    def _changed(self, ledger: Ledger, listing: Listing) -> Listing:
        version = listing.version + 1
        return replace(
            listing, price=self.price, tax=self.tax, rails=self.rails, contracts=self.contracts,
            offer_floor=self.offer_floor, expires_at_ms=self.expires_at_ms, version=version, discloses=self.discloses,
            prices=(*listing.prices, PricePoint(version, self.price, ledger.now_ms)),
            status=TRANSITIONS.after("open", type_of(self)),
        )  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        check_open(ledger, self.listing, listing)
        if listing.version >= VERSIONS_MAX:
            ledger.unmet(LISTING_VERSIONS_FULL, self.listing.hex(), listing.version, f"below {VERSIONS_MAX}")
        listing = self._changed(ledger, listing)
        check_acting(ledger, "list", listing, self.listing.hex(), rails=self.rails)
        check_rails(ledger, listing)
        check_expiry(ledger, listing.vin, self.expires_at_ms, ledger.params.listing_lifetime_max_ms)
        check_standing(ledger, listing.seller, listing.vin)
        vehicle = require_vehicle(ledger, listing.vin) if listing.vin else None
        if vehicle is not None:
            check_step(ledger, listing.vin, vehicle, "list", self.discloses)

    def apply(self, ledger: Ledger) -> None:
        listing = self._changed(ledger, ledger.the(LISTING, self.listing))
        ledger.put(LISTING, self.listing, listing)
        if not listing.vin:
            return
        vehicle = replace(ledger.the(VEHICLE, listing.vin), market=listed_market(self.listing, self.expires_at_ms))
        append_record(ledger, listing.vin, vehicle, self, ledger.now_ms)


class ListingWithdraw(TransactionBody, tag="listing.withdraw", frozen=True):
    """Take the car off the market. Seller or agent can, while no order reserves it."""

    listing: Id
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"listing": "$listing"})

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is not None:
            check_acting(ledger, "list", listing, self.listing.hex(), is_priced=False)
            check_open(ledger, self.listing, listing)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        ledger.put(LISTING, self.listing, replace(listing, status=TRANSITIONS.after("open", type_of(self))))
        if not listing.vin:
            return
        vehicle = replace(ledger.the(VEHICLE, listing.vin), market=OFF_MARKET)
        append_record(ledger, listing.vin, vehicle, self, ledger.now_ms)
