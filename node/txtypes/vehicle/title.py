"""`title.transfer`: title moves between traders (wholesale, return, trade-in). Retail needs `order.handover`."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import Address, Hash32, Odometer, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.member import require_role
from node.txtypes.vehicle.guards import check_flags, check_holder, check_off_market
from node.txtypes.vehicle.odometer import verdict_outcome
from node.txtypes.vehicle.record import VehicleRecord
from node.txtypes.vehicle.vehicle import OFF_MARKET, Vehicle

# fmt: off
SAME_HOLDER = Guard("same_holder", "giver and receiver are the same", "Geber und Empfänger sind gleich",
                    "转让双方相同")
# fmt: on


class TitleTransfer(VehicleRecord, tag="title.transfer", frozen=True):
    """Holder (the sender) and receiver, each a manufacturer or dealer, both sign."""

    vin: Vin
    receiver: Address
    reason: Literal["wholesale", "return", "trade_in"]
    invoice_commitment: Hash32
    odometer: Odometer
    event_at_ms: Time
    odometer_disclosed: bool = False
    """Both know that the odometer's readings contradict each other. Without it an `ILLOGICAL` verdict blocks."""
    weight: ClassVar[int] = 120
    headline: ClassVar[tuple[str, ...]] = ("receiver", "reason", "odometer", "odometer_disclosed")
    EXAMPLE: ClassVar[Example] = Example(
        "bmw",
        {
            "vin": "WBA8E9G50GNU12345",
            "receiver": "dealer-munich",
            "reason": "wholesale",
            "invoice_commitment": "00" * 32,
            "odometer": {"value": 150, "unit": "km", "source": "cluster"},
            "event_at": "now",
        },
        ("dealer-munich",),
    )

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (self.receiver,)

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        check_holder(ledger, self.vin, vehicle, ledger.sender)
        if self.receiver == ledger.sender:
            ledger.unmet(SAME_HOLDER, to_text(self.receiver))
        for party in (ledger.sender, self.receiver):
            require_role(ledger, party, "manufacturer", "dealer")
        if vehicle is not None:
            check_flags(ledger, self.vin, vehicle, "transfer", is_disclosed=self.odometer_disclosed)
            check_off_market(ledger, self.vin, vehicle)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> tuple[Vehicle, tuple[str, ...]]:
        return with_title(ledger, self.vin, vehicle, self.receiver), (verdict_outcome(vehicle),)


def with_title(ledger: Ledger, vin: str, vehicle: Vehicle, holder: bytes) -> Vehicle:
    """The vehicle in the hands of its new holder, off the market: money that comes late for a listing or reservation
    that has lapsed must not revive it."""
    ledger.happened("title.moved", f"vehicle/{vin}", f"account/{vehicle.holder.hex()}", f"account/{holder.hex()}")
    return replace(
        vehicle,
        holder=holder,
        title_since_ms=ledger.now_ms,
        transfer_count=vehicle.transfer_count + 1,
        market=OFF_MARKET,
    )
