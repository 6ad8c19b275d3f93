"""Listings: a holder offers a car with the rails and payment providers that it accepts; the price history stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Final, Literal, assert_never

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value, encode
from node.crypto.addresses import to_text
from node.crypto.hashing import tagged
from node.ledger import family as families
from node.ledger.body import TransactionBody, Transitions, type_of
from node.ledger.example import Example
from node.ledger.family import AsOf, Family, Filter, Ident, Index, Reader, View, extended
from node.ledger.fields import Address, Codes, Country, Hash32, Id, Money, Rail, Time, Vin
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule, Unique
from node.rules.odometer import Verdict
from node.txtypes.members.member import has_role, name_of
from node.txtypes.vehicle.conditions import DISCLOSURE_STALE, Discloses, check_step, conditions_of
from node.txtypes.vehicle.guards import check_holder, check_off_market, require_vehicle
from node.txtypes.vehicle.life import LIFE, disputes_at
from node.txtypes.vehicle.odometer import newest_event_ms
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import OFF_MARKET, OpenRecall, flags_at, listed_market
from node.txtypes.vehicle.vehicle import (
    VEHICLE,
    BrandView,
    Vehicle,
    brand_views,
    market_of,
    material_root,
    vehicle_at,
    verdict_now,
)

VERSIONS_MAX: Final = 64
"""Versions of one listing. Above: an unmet guard."""

LISTING_UNKNOWN = Guard("listing_unknown", "there is no such listing", "dieses Inserat gibt es nicht", "挂牌不存在")
LISTING_CLOSED = Guard("listing_closed", "the listing is not open", "das Inserat ist nicht offen", "挂牌未开放")
LISTING_VERSION = Guard("listing_version", "the listing has changed", "das Inserat hat sich geändert", "挂牌已变更")
NOT_A_PARTY = Guard("not_a_party", "the account is not a party to the sale", "das Konto ist keine Partei des Kaufs",
                    "该账户不是当事方", is_permission=True)  # fmt: skip
RAIL_FORBIDDEN = Guard("rail_forbidden", "the rail is forbidden in this country",
                       "der Zahlweg ist in diesem Land verboten", "该国禁止此支付方式")  # fmt: skip
PROVIDER_UNACCREDITED = Guard("provider_unaccredited", "the provider does not hold the role payment_provider",
                              "der Dienst hat die Rolle payment_provider nicht", "服务商没有支付资质")  # fmt: skip
LISTING_VERSIONS_FULL = Guard("listing_versions_full", "the listing has too many versions",
                              "das Inserat wurde zu oft geändert", "挂牌修改次数过多")  # fmt: skip
ODOMETER_STALE = Guard("odometer_stale", "the newest odometer reading is too old",
                       "der neueste Kilometerstand ist zu alt", "里程读数过旧")  # fmt: skip


class AcceptedRail(Value, frozen=True):
    """A rail and the providers through which the seller takes it."""

    rail: Rail
    providers: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=16)]


Rails = Annotated[tuple[AcceptedRail, ...], Meta(min_length=1, max_length=16)]


class PricePoint(Value, frozen=True):
    """The price of a version of the listing."""

    version: int
    price: Money
    since_ms: Time


ListingStatus = Literal["open", "reserved", "withdrawn", "sold"]


class Listing(Value, tag=1, frozen=True):
    """A car that its holder offers for sale."""

    vin: Vin
    seller: Address
    price: Money
    country: Country
    configuration: tuple[str, ...]
    rails: tuple[AcceptedRail, ...]
    expires_at_ms: Time
    version: int
    status: ListingStatus
    prices: tuple[PricePoint, ...]
    discloses: Discloses
    """What the seller says of the car."""


TRANSITIONS: Final[Transitions[ListingStatus]] = Transitions({
    "open": {
        "listing.update": "open", "listing.withdraw": "withdrawn", "order.accept": "reserved",
        "vehicle.total_loss": "withdrawn",
    },
    "reserved": {"order.cancel": "open", "order.handover": "sold", "vehicle.total_loss": "withdrawn"},
    "withdrawn": {}, "sold": {},
})  # fmt: skip
"""An open listing also has to be open as it counts now, see `status_now`."""


def status_now(ident: bytes, listing: Listing, vehicle: Vehicle | None, now_ms: int) -> str:
    """The status as it counts now, for every guard and every answer. A listing whose reservation has lapsed is open
    again while its own time lasts, and expired once the vehicle is in another listing or has a new holder."""
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


class ListingView(Listing, frozen=True):
    """A listing as it counts now."""

    id: Id
    status: ListingStatus | Literal["expired"]  # type: ignore[assignment]
    seller_name: str
    model: str

    @staticmethod
    def of(ident: str, listing: Listing, reader: Reader, as_of: AsOf) -> ListingView:
        vehicle = reader.get(VEHICLE, listing.vin)
        assert vehicle is not None, "a listing has a vehicle"
        return extended(
            ListingView, listing, id=bytes.fromhex(ident),
            status=status_now(bytes.fromhex(ident), listing, vehicle, as_of.now_ms),
            seller_name=name_of(reader, listing.seller), model=vehicle.model,
        )  # fmt: skip


def _is_open(ident: str, listing: Listing, asked: str, reader: Reader, as_of: AsOf) -> bool:
    """The vehicle is read only where it decides: a page may filter thousands of listings."""
    vehicle = reader.get(VEHICLE, listing.vin) if listing.status == "reserved" else None
    return status_now(bytes.fromhex(ident), listing, vehicle, as_of.now_ms) == "open"


def _is_of_model(listing: Listing, model: str, reader: Reader) -> bool:
    vehicle = reader.get(VEHICLE, listing.vin)
    return vehicle is not None and vehicle.model == model


def _if_unsettled(value: Callable[[Listing], str]) -> Callable[[Listing], tuple[str, ...]]:
    return lambda listing: (value(listing),) if listing.status in ("open", "reserved") else ()


LISTING = Family(
    "listing", Listing, ident=families.HASH_IDENT,
    indexes=(
        Index("vin", _if_unsettled(lambda listing: listing.vin), families.VIN_IDENT, _is_open, "VIN of the vehicle"),
        Index("seller", _if_unsettled(lambda listing: listing.seller.hex()), families.ADDRESS_IDENT, _is_open,
              "address of the seller"),
        Index("open", _if_unsettled(lambda listing: families.expiry_value(listing.expires_at_ms)), None, _is_open),
    ),
    filters=(
        Filter("country", Ident("a country", "[A-Z]{2}"), lambda listing, text, _: listing.country == text,
               "ISO 3166-1 alpha-2"),
        Filter("model", Ident("a model code", "[A-Z0-9][A-Z0-9._/-]{0,39}"), _is_of_model, "model code"),
    ),
    concerns=lambda ident, listing: (
        f"listing/{ident}", f"vehicle/{listing.vin}", f"account/{listing.seller.hex()}",
    ),
    event="listing", status=lambda listing: listing.status, path="/v1/listings", view=ListingView,
    internal=("id", "prices"),
)  # fmt: skip


# --- disclosure -------------------------------------------------------------------------------------------
class Disclosure(View, frozen=True):
    """The facts about a listed car that a buyer sees, and the root over them that an offer names."""

    vin: Vin
    listing: Id
    listing_version: int
    holder: Address
    transfer_count: int
    origin: Literal["born", "imported"]
    grade: str
    covered_since_ms: Time
    material_changes: int
    material_head: Hash32
    material_root: Hash32
    price: Money
    disclosure_root: Hash32
    flags: tuple[str, ...]
    """This and what follows is shown with the root: what of it is material stands in `material_head`."""
    brands: tuple[BrandView, ...]
    recalls: tuple[OpenRecall, ...]
    verdict: Verdict
    conditions: tuple[str, ...]
    discloses: Discloses

    @staticmethod
    def of(ident: str, listing: Listing, reader: Reader, as_of: AsOf) -> Disclosure:
        found = reader.get(VEHICLE, listing.vin)
        assert found is not None, "a listing has a vehicle"
        vehicle = vehicle_at(found, as_of.now_ms)
        return Disclosure(
            listing.vin, bytes.fromhex(ident), listing.version, vehicle.holder, vehicle.transfer_count, vehicle.origin,
            vehicle.grade, vehicle.covered_since_ms, vehicle.material_changes, vehicle.material_head,
            material_root(listing.vin, vehicle), listing.price,
            disclosure_root(bytes.fromhex(ident), listing, vehicle),
            flags=tuple(flag.name for flag in flags_at(vehicle.flags, as_of.now_ms)),
            brands=brand_views(vehicle, as_of.now_ms), recalls=vehicle.recalls,
            verdict=verdict_now(reader, listing.vin, vehicle, as_of.rules),
            conditions=_shown_conditions(reader, listing.vin, vehicle, as_of),
            discloses=listing.discloses,
        )  # fmt: skip


def _shown_conditions(reader: Reader, vin: str, vehicle: Vehicle, as_of: AsOf) -> tuple[str, ...]:
    disputed = ("dispute_open",) if disputes_at(reader.get(LIFE, vin), as_of.now_ms) else ()
    return (*conditions_of(reader, vin, vehicle, as_of.now_ms, as_of.rules), *disputed)


def disclosure_root(ident: bytes, listing: Listing, vehicle: Vehicle) -> bytes:
    """One hash over what an offer depends on: `H("bmw/disclosure", encode([material root, listing, version, amount,
    currency]))`. The version implies what the seller discloses."""
    price = listing.price
    facts = [material_root(listing.vin, vehicle), ident, listing.version, price.amount, price.currency]
    return tagged("bmw/disclosure", encode(facts))


# --- guards that several types share --------------------------------------------------------------------------
def require_listing(ledger: Ledger, ident: bytes) -> Listing | None:
    listing = ledger.get(LISTING, ident)
    if listing is None:
        ledger.unmet(LISTING_UNKNOWN, ident.hex())
    return listing


def require_own_open(ledger: Ledger, ident: bytes) -> Listing | None:
    """The listing, which must be the sender's and open; None only where there is none."""
    listing = require_listing(ledger, ident)
    if listing is not None:
        if listing.seller != ledger.sender:
            ledger.unmet(NOT_A_PARTY, ident.hex())
        check_open(ledger, ident, listing)
    return listing


def check_open(ledger: Ledger, ident: bytes, listing: Listing) -> None:
    status = status_now(ident, listing, ledger.get(VEHICLE, listing.vin), ledger.now_ms)
    if status != "open":
        ledger.unmet(LISTING_CLOSED, ident.hex(), status, "open")


def check_expiry(ledger: Ledger, subject: str, expires_at_ms: int, lifetime_max_ms: int) -> None:
    latest = ledger.now_ms + lifetime_max_ms
    if not ledger.now_ms < expires_at_ms <= latest:
        need = f"after {time_to_text(ledger.now_ms)}, at most {time_to_text(latest)}"
        ledger.unmet(EXPIRY_PASSED, subject, time_to_text(expires_at_ms), need)


def check_provider(ledger: Ledger, provider: bytes) -> None:
    if not has_role(ledger, provider, "payment_provider"):
        ledger.unmet(PROVIDER_UNACCREDITED, to_text(provider))


def check_rail_allowed(ledger: Ledger, subject: str, rail: str, country: str) -> None:
    if rail in ledger.rules.tables.rails_forbidden.get(country, frozenset()):
        ledger.unmet(RAIL_FORBIDDEN, subject, rail, f"a rail allowed in {country}")


def check_disclosure(ledger: Ledger, root: bytes, listing_id: bytes) -> None:
    """Notes `disclosure_stale` unless `root` is that of the present facts."""
    listing = ledger.get(LISTING, listing_id)
    vehicle = ledger.get(VEHICLE, listing.vin) if listing else None
    if listing and vehicle and (now := disclosure_root(listing_id, listing, vehicle)) != root:
        ledger.unmet(DISCLOSURE_STALE, listing.vin, root.hex(), now.hex())


def take_off_market(ledger: Ledger, vehicle: Vehicle, tag: str) -> Vehicle:
    """The vehicle off the market, after a record `tag` that ends its sale: the listing is withdrawn, and an order has
    no car any more."""
    listing = ledger.get(LISTING, vehicle.market.listing) if vehicle.market.listing else None
    if listing is not None and tag in TRANSITIONS.steps[listing.status]:
        status = TRANSITIONS.after(listing.status, tag)
        ledger.put(LISTING, vehicle.market.listing, replace(listing, status=status))
    return replace(vehicle, market=OFF_MARKET)


# --- types ------------------------------------------------------------------------------------------------
def _guard_terms(ledger: Ledger, subject: str, country: str, rails: tuple[AcceptedRail, ...], expires: int) -> None:
    for accepted in rails:
        check_rail_allowed(ledger, subject, accepted.rail, country)
        for provider in accepted.providers:
            check_provider(ledger, provider)
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
    discloses: Discloses = ()
    """What the seller says of the car. Without it, what `rules.sales` says must be disclosed blocks."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("price"), Unique("rails", by="rail"))
    weight: ClassVar[int] = 150
    headline: ClassVar[tuple[str, ...]] = ("price", "country", "discloses")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "vin": "WBA8E9G50GNU12345", "price": {"amount": "5290000", "currency": "EUR"}, "country": "DE",
        "configuration": [], "rails": _RAILS, "expires_at": "+30d",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_holder(ledger, self.vin, vehicle, ledger.sender)
        _guard_terms(ledger, self.vin, self.country, self.rails, self.expires_at_ms)
        if vehicle is None:
            return
        check_step(ledger, self.vin, vehicle, "list", self.discloses)
        check_off_market(ledger, self.vin, vehicle)
        newest = newest_event_ms(ledger, self.vin)
        oldest_allowed = ledger.now_ms - ledger.params.odometer_fresh_ms
        if newest < oldest_allowed:
            need = f"at least {time_to_text(oldest_allowed)}"
            ledger.unmet(ODOMETER_STALE, self.vin, time_to_text(newest), need)

    def apply(self, ledger: Ledger) -> None:
        listing = Listing(
            self.vin, ledger.sender, self.price, self.country, self.configuration, self.rails, self.expires_at_ms,
            1, "open", (PricePoint(1, self.price, ledger.now_ms),), self.discloses,
        )  # fmt: skip
        ledger.put(LISTING, ledger.txid, listing)
        vehicle = replace(ledger.the(VEHICLE, self.vin), market=listed_market(ledger.txid, self.expires_at_ms))
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms)


class ListingUpdate(TransactionBody, tag="listing.update", frozen=True):
    """A new version: price, rails, expiry, disclosure of the odometer. Offers on older versions lapse."""

    listing: Id
    price: Money
    rails: Rails
    expires_at_ms: Time
    discloses: Discloses = ()
    """As in `listing.create`; what the version before disclosed does not carry over."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("price"), Unique("rails", by="rail"))
    headline: ClassVar[tuple[str, ...]] = ("price", "discloses")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "listing": "$listing", "price": {"amount": "5190000", "currency": "EUR"}, "rails": _RAILS, "expires_at": "+20d",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        listing = require_own_open(ledger, self.listing)
        if listing is None:
            return
        _guard_terms(ledger, listing.vin, listing.country, self.rails, self.expires_at_ms)
        if listing.version >= VERSIONS_MAX:
            ledger.unmet(LISTING_VERSIONS_FULL, self.listing.hex(), listing.version, f"below {VERSIONS_MAX}")
        vehicle = require_vehicle(ledger, listing.vin)
        if vehicle is not None:
            check_step(ledger, listing.vin, vehicle, "list", self.discloses)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        version = listing.version + 1
        changed = replace(
            listing, price=self.price, rails=self.rails, expires_at_ms=self.expires_at_ms, version=version,
            prices=(*listing.prices, PricePoint(version, self.price, ledger.now_ms)),
            discloses=self.discloses, status=TRANSITIONS.after("open", type_of(self)),
        )  # fmt: skip
        ledger.put(LISTING, self.listing, changed)
        vehicle = replace(ledger.the(VEHICLE, listing.vin), market=listed_market(self.listing, self.expires_at_ms))
        append_record(ledger, listing.vin, vehicle, self, ledger.now_ms)


class ListingWithdraw(TransactionBody, tag="listing.withdraw", frozen=True):
    """Take the car off the market; not while an order reserves it."""

    listing: Id
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"listing": "$listing"})

    def guards(self, ledger: Ledger) -> None:
        require_own_open(ledger, self.listing)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        ledger.put(LISTING, self.listing, replace(listing, status=TRANSITIONS.after("open", type_of(self))))
        vehicle = replace(ledger.the(VEHICLE, listing.vin), market=OFF_MARKET)
        append_record(ledger, listing.vin, vehicle, self, ledger.now_ms)
