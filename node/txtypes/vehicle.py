"""The vehicle: birth, the five regions of its state, and the chain of its records.

Existence, registration, title, market and stop-flags are independent; a summary for people is derived, never stored.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import encode
from node.crypto.hashing import ZERO32, tagged
from node.errors import Malformed
from node.rules.flags import FLAGS, FlagName
from node.rules.odometer import Unit, Verdict
from node.rules.vin import has_valid_check_digit, has_valid_year_code
from node.txtypes.body import Body
from node.txtypes.fields import Address, Code, Day, Hash32, Height, OptionalHash, Time, Value, Vin
from node.txtypes.ledger import Family, Ledger, Record
from node.txtypes.members import require_role
from node.txtypes.schema import time_to_text

DAY_MS = 24 * 3_600_000
Codes = Annotated[tuple[Code, ...], Meta(max_length=limits.LIST_MAX)]
Existence = Literal["born", "in_service", "total_loss", "rebuilt", "scrapped"]


class Registration(Value, frozen=True):
    status: Literal["none", "registered", "suspended", "deregistered", "exported"]
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?\Z")]
    plate_commitment: OptionalHash


class Market(Value, frozen=True):
    """Off, listed, or reserved by an order, until `until_ms`; what counts after that is told by `market_of`."""

    status: Literal["off", "listed", "reserved"]
    listing: OptionalHash
    order: OptionalHash
    until_ms: Time
    listed_until_ms: Time
    """Of a reservation: the listing's own deadline, to which the car falls back."""
    holds_money: bool
    """Of a reservation: a payment of the order is authorised, captured, pending or settled. It does not lapse then."""


class Flag(Value, frozen=True):
    name: FlagName
    setter: Address
    set_at_ms: Time


class Vehicle(Value, tag=1, frozen=True):
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
    """Sticky: brands only grow."""
    recalls: tuple[str, ...]
    warranty: OptionalHash
    verdict: Verdict
    record_count: int
    history_head: Hash32
    maintenance_count: int
    accident_count: int
    transfer_count: int
    material_changes: int
    """Accidents, flags, brands and verdict changes so far: what a buyer has to acknowledge."""


class RecordBody(Value, tag=1, frozen=True):
    """What a record holds, and what `history_head` commits to. The salt keeps a withheld record unguessable."""

    sequence: int
    txid: Hash32
    height: Height
    time_ms: Time
    author: Address
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    kind: str
    event_at_ms: Time
    content: bytes
    """Canonical encoding of the transaction's body."""
    outcome: tuple[str, ...]
    """What the rules made of it, as codes: a computed severity, a verdict."""


VEHICLE = Family("vehicle", Vehicle)
OFF_MARKET = Market("off", b"", b"", 0, 0, False)


def listed_market(listing: bytes, until_ms: int) -> Market:
    return Market("listed", listing, b"", until_ms, 0, False)


def reserved_market(listing: bytes, order: bytes, until_ms: int, listed_until_ms: int) -> Market:
    return Market("reserved", listing, order, until_ms, listed_until_ms, False)


def market_of(vehicle: Vehicle, now_ms: int) -> Market:
    """The market region as it counts now, for every guard and every answer.

    A reservation past its deadline is listed again for as long as its listing runs, unless it holds money: then it
    stays, however late, until the money has gone back or the car has changed hands. A listing past its deadline is off.
    """
    market = vehicle.market
    if market.status == "reserved":
        if now_ms < market.until_ms or market.holds_money:
            return market
        market = listed_market(market.listing, market.listed_until_ms)
    return market if now_ms < market.until_ms else OFF_MARKET


def has_lasting_reservation(vehicle: Vehicle | None, order: bytes) -> bool:
    """Whether the car is reserved by `order` and money keeps the reservation from lapsing."""
    return vehicle is not None and vehicle.market.order == order and vehicle.market.holds_money


def record_digest(body: bytes) -> bytes:
    return tagged("bmw/record-body", body)


def next_history_head(head: bytes, sequence: int, digest: bytes) -> bytes:
    """`H("bmw/record", head || sequence || digest)`, the sequence as 8 bytes big-endian."""
    return tagged("bmw/record", head + sequence.to_bytes(8, "big") + digest)


def append_record(
    ledger: Ledger, vin: str, vehicle: Vehicle, body: Body, event_at_ms: int, outcome: tuple[str, ...] = ()
) -> Vehicle:
    """`vehicle` with one more record; the record itself goes out with the block's result."""
    sequence = vehicle.record_count
    tail = sequence.to_bytes(8, "big")
    record = RecordBody(
        sequence=sequence,
        txid=ledger.txid,
        height=ledger.block.height,
        time_ms=ledger.now_ms,
        author=ledger.sender,
        salt=tagged("bmw/record-salt", ledger.payload_bytes + vin.encode("ascii") + tail)[:16],
        kind=str(type(body).__struct_config__.tag),
        event_at_ms=event_at_ms,
        content=encode(body),
        outcome=outcome,
    )
    encoded = encode(record)
    ledger.records.append(Record(vin, sequence, encoded))
    head = next_history_head(vehicle.history_head, sequence, record_digest(encoded))
    return replace(vehicle, record_count=sequence + 1, history_head=head)


# --- guards that many types share -----------------------------------------------------------------
def require_vehicle(ledger: Ledger, vin: str) -> Vehicle | None:
    """The living vehicle, or None after noting why not."""
    vehicle = ledger.get(VEHICLE, vin)
    if vehicle is None:
        ledger.unmet("vehicle_unknown", vin)
    elif vehicle.existence == "scrapped":
        ledger.unmet("vehicle_ended", vin)
    return vehicle


def check_event_time(ledger: Ledger, vin: str, vehicle: Vehicle | None, event_at_ms: int) -> None:
    """At most five minutes above the block's time, never before birth; late is allowed."""
    if event_at_ms > ledger.now_ms + limits.EVENT_AHEAD_MAX_MS:
        latest = time_to_text(ledger.now_ms + limits.EVENT_AHEAD_MAX_MS)
        ledger.unmet("event_in_future", vin, time_to_text(event_at_ms), f"at most {latest}")
    if vehicle is not None and event_at_ms < vehicle.born_at_ms:
        ledger.unmet(
            "event_before_birth", vin, time_to_text(event_at_ms), f"at least {time_to_text(vehicle.born_at_ms)}"
        )


def check_flags(ledger: Ledger, vin: str, vehicle: Vehicle, operation: str, *, is_disclosed: bool) -> None:
    """Notes every stop-flag that blocks `operation`, and an illogical odometer that the other side was not told of."""
    for flag in vehicle.flags:
        if operation in FLAGS[flag.name].blocks:
            ledger.unmet("stop_flag", vin, flag.name, f"no flag that blocks {operation}")
    if vehicle.verdict == "ILLOGICAL" and not is_disclosed:
        ledger.unmet("verdict_illogical", vin, vehicle.verdict)


def check_holder(ledger: Ledger, vin: str, vehicle: Vehicle | None, address: bytes) -> None:
    if vehicle is not None and vehicle.holder != address:
        ledger.unmet("not_the_holder", vin)


def check_off_market(ledger: Ledger, vin: str, vehicle: Vehicle) -> None:
    market = market_of(vehicle, ledger.now_ms)
    if market.status != "off":
        ledger.unmet("market_live", vin, market.status, "off")


class VehicleRegister(Body, tag="vehicle.register", frozen=True):
    """A car is born: by a manufacturer whose accreditation covers the WMI. Title starts with it."""

    vin: Vin
    model: Code
    configuration: Codes
    plant: Code
    produced_on: Day
    powertrain: Literal["bev", "phev", "hev", "petrol", "diesel", "fcev"]
    odometer_unit: Unit
    vin_scheme: Literal["EU", "NA", "CN"]
    engine_serial: Annotated[str, Meta(pattern=r"^[A-Z0-9./_-]*\Z", max_length=limits.CODE_LENGTH_MAX)]
    weight: ClassVar[int] = 150

    def check_static(self) -> None:
        try:
            produced = date.fromisoformat(self.produced_on)
        except ValueError:
            raise Malformed(f"produced_on: {self.produced_on} is no calendar day") from None
        if produced.year < 1970:  # the birth is a time, and times count from 1970
            raise Malformed(f"produced_on: {self.produced_on} is before 1970")

    def guards(self, ledger: Ledger) -> None:
        wmi = self.vin[:3]
        require_role(ledger, ledger.sender, "manufacturer", wmi=wmi)
        if self.vin_scheme in ("NA", "CN"):
            if not has_valid_check_digit(self.vin):
                ledger.unmet("vin_check_digit", self.vin, self.vin[8])
            if not has_valid_year_code(self.vin):
                ledger.unmet("vin_year_code", self.vin, self.vin[9])
        if ledger.get(VEHICLE, self.vin) is not None:
            ledger.unmet("vehicle_exists", self.vin)
        if self._produced_ms() > ledger.now_ms + DAY_MS:
            ledger.unmet("event_in_future", self.vin, self.produced_on)

    def _produced_ms(self) -> int:
        return (date.fromisoformat(self.produced_on) - date(1970, 1, 1)).days * DAY_MS

    def apply(self, ledger: Ledger) -> None:
        born = min(self._produced_ms(), ledger.now_ms)
        vehicle = Vehicle(
            maker=ledger.sender,
            model=self.model,
            configuration=self.configuration,
            plant=self.plant,
            produced_on=self.produced_on,
            powertrain=self.powertrain,
            odometer_unit=self.odometer_unit,
            vin_scheme=self.vin_scheme,
            born_at_ms=born,
            born_height=ledger.block.height,
            existence="born",
            registration=Registration("none", "", b""),
            holder=ledger.sender,
            title_since_ms=ledger.now_ms,
            market=OFF_MARKET,
            flags=(),
            brands=(),
            recalls=(),
            warranty=b"",
            verdict="NO_VERDICT",
            record_count=0,
            history_head=ZERO32,
            maintenance_count=0,
            accident_count=0,
            transfer_count=0,
            material_changes=0,
        )
        ledger.put(VEHICLE, self.vin, append_record(ledger, self.vin, vehicle, self, born))

    def subjects(self) -> tuple[str, ...]:
        return (f"vehicle/{self.vin}",)


def summary(vehicle: Vehicle, now_ms: int) -> str:
    """One word for people, derived from the regions: what matters most first."""
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
