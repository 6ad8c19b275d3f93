"""Listings: a holder, or its agent, offers a car with the rails and payment providers that the seller accepts; the
price history stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal, assert_never

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.ledger import family as families
from node.ledger.body import Transitions
from node.ledger.family import AsOf, Family, Filter, Ident, Index, Reader, extended
from node.ledger.fields import Address, Amount, Code, Contract, Country, Id, Money, OptionalVin, Time
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import name_of
from node.txtypes.sale.deal import Tax
from node.txtypes.vehicle.conditions import Discloses
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of

VERSIONS_MAX: Final = 64
"""Versions of one listing. Above: an unmet guard."""

LISTING_UNKNOWN = Guard("listing_unknown", "there is no such listing", "dieses Inserat gibt es nicht", "挂牌不存在")
LISTING_CLOSED = Guard("listing_closed", "the listing is not open", "das Inserat ist nicht offen", "挂牌未开放")
LISTING_VERSION = Guard("listing_version", "the listing has changed", "das Inserat hat sich geändert", "挂牌已变更")
NOT_A_PARTY = Guard("not_a_party", "the account is not a party to the sale", "das Konto ist keine Partei des Kaufs",
                    "该账户不是当事方", is_permission=True)  # fmt: skip


class BuildOption(Value, frozen=True):
    """Equipment that a car is built with on demand, and what it costs in minor units. `is_individual`: a car with it is
    made to the buyer's specification."""

    code: Code
    price: Amount
    is_individual: bool


class PricePoint(Value, frozen=True):
    """The price of a version of the listing."""

    version: int
    price: Money
    since_ms: Time


ListingStatus = Literal["open", "reserved", "withdrawn", "sold"]


class Listing(Value, tag=1, frozen=True):
    """A car that its holder offers for sale, or, without `vin`, cars of a `model` that its maker builds to order, at
    most `capacity` of them, of which `sold` are ordered; their `options` cost extra; at most 14 KiB. `agent`: acts for
    the seller under `mandate`. `contracts`: kinds of contract that the seller makes. `offer_floor`: lower offers are
    refused, 0 for none. `discloses`: what the seller says of the car."""

    vin: OptionalVin
    model: str
    """Empty where the vehicle tells it."""
    options: Annotated[tuple[BuildOption, ...], Meta(max_length=16)]
    capacity: int
    sold: int
    seller: Address
    agent: Address | None
    mandate: Id | None
    price: Money
    tax: Tax
    country: Country
    configuration: tuple[str, ...]
    rails: tuple[AcceptedRail, ...]
    contracts: tuple[Contract, ...]
    offer_floor: Amount
    expires_at_ms: Time
    version: int
    status: ListingStatus
    prices: tuple[PricePoint, ...]
    discloses: Discloses


TRANSITIONS: Final[Transitions[ListingStatus]] = Transitions({
    "open": {
        "listing.update": "open", "listing.withdraw": "withdrawn", "order.accept": "reserved",
        "order.reinstate": "reserved", "vehicle.total_loss": "withdrawn",
    },
    "reserved": {
        "order.cancel": "open", "order.handover": "sold", "vehicle.total_loss": "withdrawn",
    },
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
            if not listing.vin and listing.sold >= listing.capacity:
                return "sold"
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

    @staticmethod
    def of(ident: str, listing: Listing, reader: Reader, as_of: AsOf) -> ListingView:
        vehicle = reader.get(VEHICLE, listing.vin) if listing.vin else None
        return extended(
            ListingView, listing, id=bytes.fromhex(ident),
            status=status_now(bytes.fromhex(ident), listing, vehicle, as_of.now_ms),
            seller_name=name_of(reader, listing.seller),
            model=vehicle.model if vehicle is not None else listing.model,
        )  # fmt: skip


def _is_open(ident: str, listing: Listing, asked: str, reader: Reader, as_of: AsOf) -> bool:
    """The vehicle is read only where it decides: a page may filter thousands of listings."""
    vehicle = reader.get(VEHICLE, listing.vin) if listing.status == "reserved" else None
    return status_now(bytes.fromhex(ident), listing, vehicle, as_of.now_ms) == "open"


def _is_of_model(listing: Listing, model: str, reader: Reader) -> bool:
    vehicle = reader.get(VEHICLE, listing.vin) if listing.vin else None
    return (vehicle.model if vehicle is not None else listing.model) == model


def _if_unsettled(value: Callable[[Listing], str]) -> Callable[[Listing], tuple[str, ...]]:
    return lambda listing: (value(listing),) if listing.status in ("open", "reserved") and value(listing) else ()


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
        f"listing/{ident}", *((f"vehicle/{listing.vin}",) if listing.vin else ()), f"account/{listing.seller.hex()}",
    ),
    event="listing", is_checked=True, status=lambda listing: listing.status, path="/v1/listings", view=ListingView,
    internal=("id", "prices"),
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


def take_off_market(ledger: Ledger, vehicle: Vehicle, tag: str) -> Vehicle:
    """The vehicle off the market, after a record `tag` that ends its sale: the listing is withdrawn, and an order has
    no car any more."""
    listing = ledger.get(LISTING, vehicle.market.listing) if vehicle.market.listing else None
    if listing is not None and tag in TRANSITIONS.steps[listing.status]:
        status = TRANSITIONS.after(listing.status, tag)
        ledger.put(LISTING, vehicle.market.listing, replace(listing, status=status))
    return replace(vehicle, market=OFF_MARKET)
