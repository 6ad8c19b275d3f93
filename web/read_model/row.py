"""The row of a listing: what the showroom searches and shows, as a pure function of state values.

The same function makes a row of what a node answers and of proven values, so the two can be compared. No field depends
on the present time: a row changes only when a value of the state does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from node.ledger.family import AsOf, Reader
from node.ledger.params import PARAMS_KEY
from node.limits import TIME_MAX_MS
from node.txtypes.members.member import FRAUDS, Member, roles_of
from node.txtypes.sale.listing import LISTING, Listing
from node.txtypes.service.warranty import is_cut_short, warranties_of
from node.txtypes.vehicle.odometer import highest_metres
from node.txtypes.vehicle.readings import newest_counted
from node.txtypes.vehicle.regions import Market, reserved_until_ms
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, readings_now

ALWAYS: Final = (PARAMS_KEY, FRAUDS.key("all"))
"""State keys that every row depends on: the ruleset, and the authors whose readings do not count."""
UNKNOWN_METRES: Final = -1


class Price(msgspec.Struct, frozen=True, array_like=True):
    """A price of a listing in minor units, and since when."""

    amount: int
    since_ms: int


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A listing that is open from `open_from_ms` until before `open_until_ms`. `vin` is empty for cars that are built
    to order, which have no history either. `metres`: the newest reading that counts, -1 for none. `brands`: the codes
    of those that are not annulled. `warranty_until_ms`: the end of the longest warranty whose distance is not driven
    yet, 0 for none. `prices`: of each version, ascending."""

    ident: bytes
    version: int
    vin: str
    model: str
    seller: bytes
    currency: str
    prices: tuple[Price, ...]
    country: str
    open_from_ms: int
    open_until_ms: int
    powertrain: str = ""
    produced_on: str = ""
    metres: int = UNKNOWN_METRES
    unit: str = "km"
    verdict: str = ""
    accidents: int = 0
    brands: tuple[str, ...] = ()
    recalls: int = 0
    born_ms: int = 0
    covered_since_ms: int = 0
    warranty_until_ms: int = 0

    @property
    def amount(self) -> int:
        return self.prices[-1].amount

    @property
    def year(self) -> int:
        """The year of production, 0 for a car that is not built yet."""
        return int(self.produced_on[:4] or 0)


def row_of(ident: bytes, reader: Reader, as_of: AsOf) -> Row | None:
    """The row of a listing, None if it is not for sale and will not be again by itself."""
    listing = reader.get(LISTING, ident)
    if listing is None or listing.status not in ("open", "reserved"):
        return None
    if listing.vin:
        vehicle = reader.get(VEHICLE, listing.vin)
        return None if vehicle is None else _of_car(ident, listing, vehicle, reader, as_of)
    if listing.sold >= listing.capacity:
        return None
    return _listed(ident, listing, listing.model, 0, listing.expires_at_ms)


def _listed(ident: bytes, listing: Listing, model: str, from_ms: int, until_ms: int) -> Row:
    prices = tuple(Price(point.price.amount, point.since_ms) for point in listing.prices)
    return Row(ident, listing.version, listing.vin, model, listing.seller, listing.price.currency, prices,
               listing.country, from_ms, until_ms)  # fmt: skip


def _of_car(ident: bytes, listing: Listing, vehicle: Vehicle, reader: Reader, as_of: AsOf) -> Row | None:
    market = vehicle.market
    if market.listing != ident or (span := _open_span(market)) is None:
        return None
    newest = newest_counted(readings := readings_now(reader, listing.vin, as_of.rules))
    return msgspec.structs.replace(
        _listed(ident, listing, vehicle.model, *span),
        powertrain=vehicle.powertrain, produced_on=vehicle.produced_on, unit=vehicle.odometer_unit,
        metres=UNKNOWN_METRES if newest is None else newest.metres, verdict=readings.verdict,
        accidents=vehicle.accident_count,
        brands=tuple(sorted({brand.code for brand in vehicle.brands if brand.state != "annulled"})),
        recalls=len(vehicle.recalls), born_ms=vehicle.born_at_ms, covered_since_ms=vehicle.covered_since_ms,
        warranty_until_ms=_warranty_until_ms(listing.vin, vehicle, reader, as_of),
    )  # fmt: skip


def _open_span(market: Market) -> tuple[int, int] | None:
    """From when until when the market shows the listing: a reserved car is listed again after its reservation and the
    time in which it is locked for others (see `regions.market_at`)."""
    match market.status:
        case "listed":
            return 0, market.until_ms
        case "reserved":
            from_ms = reserved_until_ms(market) + market.lock_ms
            return (from_ms, market.listed_until_ms) if from_ms < market.listed_until_ms else None
        case _:
            return None


def _warranty_until_ms(vin: str, vehicle: Vehicle, reader: Reader, as_of: AsOf) -> int:
    if not vehicle.warranties:
        return 0
    driven = highest_metres(reader, vin, TIME_MAX_MS, as_of.rules)
    return max((
        warranty.ends_at_ms for warranty in warranties_of(reader, vin, vehicle)
        if not is_cut_short(warranty, vehicle, 0)
        and (not warranty.distance_km or driven < warranty.distance_km * 1_000)
    ), default=0)  # fmt: skip


# --- what belongs to rows -------------------------------------------------------------------------------------
KINDS: Final = ("private", "manufacturer", "dealer", "business")
"""Kinds of sellers, by the roles that a member has: one with neither role of the middle two is a `business`."""


def kind_of(member: Member | None, now_ms: int) -> str:
    """The kind of a seller at a time."""
    if member is None:
        return "private"
    roles = roles_of(member, now_ms)
    return next((kind for kind in ("manufacturer", "dealer") if kind in roles), "business")


def places_of(member: Member, now_ms: int) -> list[tuple[float, float]]:
    """Latitude and longitude in degrees of a member's sites that are not closed for good."""
    open_sites = [site for site in member.sites if not site.valid_until_ms or now_ms < site.valid_until_ms]
    return [(site.latitude_e6 / 1e6, site.longitude_e6 / 1e6) for site in open_sites]


BODIES: Final = ("saloon", "estate", "suv", "hatch", "coupe")
_BODY_OF_MODEL: Final = (
    ("suv", r"I?X[1-9]?[0-9]?([^A-Z0-9].*)?|X[1-9].*|.*(SUV|CROSS|RAV).*"),
    ("estate", r".*(TOURING|ESTATE|KOMBI|AVANT|WAGON).*"),
    ("coupe", r"(Z[1-9]|M2|M4|I8|[248][0-9]{2}).*|.*(COUPE|CABRIO|ROADSTER).*"),
    ("hatch", r"(I3|1[0-9]{2}|MINI|PRIUS|YARIS|GOLF).*"),
)


def body_of(model: str) -> str:
    """The silhouette that a model is drawn with. The chain does not say a car's body, so this goes by the name alone,
    and decides nothing but the picture."""
    return next((body for body, pattern in _BODY_OF_MODEL if re.fullmatch(pattern, model)), "saloon")


def keys_of(ident: bytes, vin: str) -> Iterable[bytes]:
    """State keys that a row depends on, as far as they are known before the values."""
    yield LISTING.key(ident)
    if vin:
        yield from (VEHICLE.key(vin), b"odometer/" + vin.encode("ascii"))
