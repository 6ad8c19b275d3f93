"""Listings: a car is offered, with the rails and payment providers that the seller accepts. Price history stays."""

from __future__ import annotations

from typing import Annotated, Final, Literal, assert_never

from msgspec import Meta

from node.codec import Value
from node.ledger.body import Transitions
from node.ledger.family import (
    ADDRESS_IDENT,
    HASH_IDENT,
    VIN_IDENT,
    AsOf,
    Family,
    Filter,
    Ident,
    Index,
    Reader,
    expiry_value,
    extended,
)
from node.ledger.fields import Address, Country, Id, Money, Rail, Time, Vin
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.members.member import name_of
from node.txtypes.vehicle.vehicle import OFF_MARKET, VEHICLE, Vehicle, market_of

# fmt: off
LISTING_UNKNOWN = Guard("listing_unknown", "there is no such listing", "dieses Inserat gibt es nicht", "挂牌不存在")
LISTING_CLOSED = Guard("listing_closed", "the listing is not open", "das Inserat ist nicht offen", "挂牌未开放")
LISTING_VERSION = Guard("listing_version", "the listing has changed", "das Inserat hat sich geändert", "挂牌已变更")
NOT_A_PARTY = Guard("not_a_party", "the account is not a party to this", "das Konto ist hier keine Partei",
                    "该账户不是当事方", is_permission=True)
RAIL_NOT_ACCEPTED = Guard("rail_not_accepted", "the seller does not accept this rail with this provider",
                          "der Verkäufer nimmt diesen Zahlweg mit diesem Dienst nicht an", "卖方不接受该支付方式")
RAIL_FORBIDDEN = Guard("rail_forbidden", "the rail is forbidden in this country",
                       "der Zahlweg ist in diesem Land verboten", "该国禁止此支付方式")
PROVIDER_UNACCREDITED = Guard("provider_unaccredited", "the provider does not hold the role payment_provider",
                              "der Dienst hat die Rolle payment_provider nicht", "服务商没有支付资质")
# fmt: on


class AcceptedRail(Value, frozen=True):
    """A rail and the providers through which the seller takes it."""

    rail: Rail
    providers: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=16)]


Rails = Annotated[tuple[AcceptedRail, ...], Meta(min_length=1, max_length=16)]


class PricePoint(Value, frozen=True):
    """What a version of the listing asked for."""

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
    odometer_disclosed: bool
    """The seller says that the odometer's readings contradict each other."""


TRANSITIONS: Final[Transitions[ListingStatus]] = Transitions(
    {
        "open": {"listing.update": "open", "listing.withdraw": "withdrawn", "order.accept": "reserved"},
        "reserved": {"order.cancel": "open", "order.handover": "sold"},
        "withdrawn": {},
        "sold": {},
    }
)
"""An open listing also has to be open as it counts now, see `status_now`."""


def status_now(ident: bytes, listing: Listing, vehicle: Vehicle | None, now_ms: int) -> str:
    """open, reserved, withdrawn, sold or expired: as the listing counts now, for every guard and every answer.

    A listing whose reservation has lapsed is open again while its own time lasts, and expired once the car has moved
    on.
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
            ListingView,
            listing,
            id=bytes.fromhex(ident),
            status=status_now(bytes.fromhex(ident), listing, vehicle, as_of.now_ms),
            seller_name=name_of(reader, listing.seller),
            model=vehicle.model,
        )


def _is_open(ident: str, listing: Listing, asked: str, reader: Reader, as_of: AsOf) -> bool:
    """The vehicle is read only where it decides: a page may look at thousands of listings."""
    vehicle = reader.get(VEHICLE, listing.vin) if listing.status == "reserved" else None
    return status_now(bytes.fromhex(ident), listing, vehicle, as_of.now_ms) == "open"


def _is_of_model(listing: Listing, model: str, reader: Reader) -> bool:
    vehicle = reader.get(VEHICLE, listing.vin)
    return vehicle is not None and vehicle.model == model


def _if_unsettled(listing: Listing, value: str) -> tuple[str, ...]:
    return (value,) if listing.status in ("open", "reserved") else ()


LISTING = Family(
    "listing",
    Listing,
    ident=HASH_IDENT,
    indexes=(
        Index("vin", lambda listing: _if_unsettled(listing, listing.vin), VIN_IDENT, _is_open, "VIN of the vehicle"),
        Index(
            "seller", lambda listing: _if_unsettled(listing, listing.seller.hex()), ADDRESS_IDENT, _is_open,
            "address of the seller",
        ),
        Index("open", lambda listing: _if_unsettled(listing, expiry_value(listing.expires_at_ms)), None, _is_open),
    ),
    filters=(
        Filter(
            "country", Ident("a country", "[A-Z]{2}"), lambda listing, text, _: listing.country == text,
            "ISO 3166-1 alpha-2",
        ),
        Filter("model", Ident("a model code", "[A-Z0-9][A-Z0-9._/-]{0,39}"), _is_of_model, "model code"),
    ),
    concerns=lambda ident, listing: (
        f"listing/{ident}", f"vehicle/{listing.vin}", f"account/{listing.seller.hex()}",
    ),
    event="listing",
    status=lambda listing: listing.status,
    path="/v1/listings",
    view=ListingView,
)  # fmt: skip


# --- guards that several types share --------------------------------------------------------------------------
def require_listing(ledger: Ledger, ident: bytes) -> Listing | None:
    listing = ledger.get(LISTING, ident)
    if listing is None:
        ledger.unmet(LISTING_UNKNOWN, ident.hex())
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


def check_rail_allowed(ledger: Ledger, subject: str, rail: str, country: str) -> None:
    if rail in ledger.rules.tables.rails_forbidden.get(country, frozenset()):
        ledger.unmet(RAIL_FORBIDDEN, subject, rail, f"a rail allowed in {country}")
