"""The vehicle: the five regions of its state, and its view.

Existence, registration, title, market and stop-flags are independent; a summary for people is derived, never stored.
"""

from __future__ import annotations

from typing import Literal

from node.codec import Value
from node.ledger.caution import Caution
from node.ledger.family import ADDRESS_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, View, extended
from node.ledger.fields import (
    Address,
    Code,
    Day,
    Hash32,
    Height,
    OptionalCountry,
    OptionalHash,
    OptionalTime,
    Time,
    Vin,
)
from node.rules.flags import FlagName
from node.rules.odometer import Unit, Verdict
from node.txtypes.members.member import name_of
from node.txtypes.vehicle.odometer import ODOMETER
from node.txtypes.vehicle.readings import NO_READINGS, Explanation, newest_counted

Existence = Literal["born", "in_service", "total_loss", "rebuilt", "scrapped"]
VinScheme = Literal["EU", "NA", "CN"]


class Registration(Value, frozen=True):
    """Registration with an authority."""

    status: Literal["none", "registered", "suspended", "deregistered", "exported"]
    country: OptionalCountry
    plate_commitment: OptionalHash


class Market(Value, frozen=True):
    """Off, listed, or reserved by an order, until `until_ms`. `market_of` gives the region as it counts after that."""

    status: Literal["off", "listed", "reserved"]
    listing: OptionalHash
    order: OptionalHash
    until_ms: OptionalTime
    listed_until_ms: OptionalTime
    """Of a reservation: the listing's own deadline, to which the car falls back."""
    holds_money: bool
    """Of a reservation: a payment of the order is authorised, captured, pending or settled. It does not lapse then."""


class Flag(Value, frozen=True):
    """A stop-flag (see `rules.flags`)."""

    name: FlagName
    setter: Address
    set_at_ms: Time


class Vehicle(Value, tag=1, frozen=True):
    """A car: its maker's registration, the regions of its state, and the head of its record chain."""

    maker: Address
    model: Code
    configuration: tuple[Code, ...]
    plant: Code
    produced_on: Day
    powertrain: str
    odometer_unit: Unit
    vin_scheme: str
    born_at_ms: Time
    born_height: Height
    existence: Existence
    registration: Registration
    holder: Address
    title_since_ms: Time
    market: Market
    flags: tuple[Flag, ...]
    brands: tuple[str, ...]
    """Brands are only added."""
    recalls: tuple[str, ...]
    warranty: OptionalHash
    verdict: Verdict
    record_count: int
    history_head: Hash32
    maintenance_count: int
    accident_count: int
    transfer_count: int
    material_changes: int
    """The number of accidents, flags, brands and verdict changes, which a buyer has to acknowledge."""


OFF_MARKET = Market("off", b"", b"", 0, 0, False)
UNREGISTERED = Registration("none", "", b"")


def listed_market(listing: bytes, until_ms: int) -> Market:
    return Market("listed", listing, b"", until_ms, 0, False)


def market_of(vehicle: Vehicle, now_ms: int) -> Market:
    """The market region as it counts now, for every guard and every answer. A reservation past its deadline is listed
    again for as long as its listing runs, unless money is under way: then it stays, however late, until the money has
    gone back or the car has changed hands. A listing past its deadline is off."""
    market = vehicle.market
    if market.status == "reserved":
        if now_ms < market.until_ms or market.holds_money:
            return market
        market = listed_market(market.listing, market.listed_until_ms)
    return market if now_ms < market.until_ms else OFF_MARKET


# --- the view ---------------------------------------------------------------------------------------------
class FlagView(Flag, frozen=True):
    """A stop-flag with the operations that it blocks."""

    blocks: tuple[str, ...]


class NewestReading(View, frozen=True):
    """The newest accredited reading in event time."""

    metres: int
    event_at_ms: Time
    sequence: int


class OdometerView(View, frozen=True):
    """The reasons of the odometer's verdict, and the mistakes that would explain readings that contradict each other.
    `outliers`: sequences of records whose distance is more than a car can cover in the time."""

    reasons: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    outliers: tuple[int, ...]
    readings: int
    newest: NewestReading | None


class VehicleView(Vehicle, frozen=True):
    """A vehicle as it counts now. `summary`: one word for people."""

    vin: Vin
    summary: str
    maker_name: str
    holder_name: str
    flags: tuple[FlagView, ...]
    odometer: OdometerView

    @staticmethod
    def of(ident: str, vehicle: Vehicle, reader: Reader, as_of: AsOf) -> VehicleView:
        rules = as_of.rules.tables.flags
        return extended(
            VehicleView, vehicle, vin=ident, summary=summary(vehicle, as_of.now_ms),
            maker_name=name_of(reader, vehicle.maker), holder_name=name_of(reader, vehicle.holder),
            market=market_of(vehicle, as_of.now_ms),
            flags=tuple(extended(FlagView, flag, blocks=rules[flag.name].blocks) for flag in vehicle.flags),
            odometer=_odometer_view(ident, reader),
        )  # fmt: skip


def _odometer_view(vin: str, reader: Reader) -> OdometerView:
    value = reader.get(ODOMETER, vin) or NO_READINGS
    newest = newest_counted(value)
    view = None if newest is None else NewestReading(newest.metres, newest.event_at_ms, newest.sequence)
    return OdometerView(value.reasons, value.explanations, value.outliers, len(value.readings), view)


def summary(vehicle: Vehicle, now_ms: int) -> str:
    """One word for people, derived from the regions, the most important first."""
    names = {flag.name for flag in vehicle.flags}
    for name in ("stolen", "court_hold", "title_dispute", "unroadworthy", "recall_do_not_drive"):
        if name in names:
            return name
    if vehicle.existence in ("scrapped", "total_loss"):
        return vehicle.existence
    market = market_of(vehicle, now_ms)
    if market.status != "off":
        return market.status
    return "in_use" if vehicle.transfer_count else "new"


ODOMETER_CONTRADICTION = Caution(
    "odometer_contradiction",
    "the odometer readings would contradict each other and the verdict become CONTESTED or ILLOGICAL: compare the "
    "reading with the instrument; a sale then needs odometer_disclosed",
    "die Kilometerstände würden sich widersprechen, und das Urteil würde CONTESTED oder ILLOGICAL: die Ablesung mit "
    "dem Instrument vergleichen; ein Verkauf braucht dann odometer_disclosed",
    "里程读数将互相矛盾，判定变为 CONTESTED 或 ILLOGICAL：请与仪表核对；此后出售须设置 odometer_disclosed",
)


def _cautions(old: Vehicle | None, new: Vehicle | None) -> tuple[Caution, ...]:
    if old is None or new is None or old.verdict == new.verdict:
        return ()
    is_contradicted = new.verdict in ("CONTESTED", "ILLOGICAL")
    return (ODOMETER_CONTRADICTION,) if is_contradicted else ()


VEHICLE = Family(
    "vehicle", Vehicle, ident=VIN_IDENT,
    indexes=(Index("holder", lambda car: (car.holder.hex(),), ADDRESS_IDENT, description="holder of the title"),),
    concerns=lambda vin, vehicle: (f"vehicle/{vin}", f"account/{vehicle.holder.hex()}"), path="/v1/vehicles",
    view=VehicleView, cautions=_cautions,
    internal=(
        "vin", "born_height", "title_since", "record_count", "history_head",
        "odometer.readings", "odometer.newest.sequence",
    ),
)  # fmt: skip
