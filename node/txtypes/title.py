"""Movement of title between members: wholesale, return, trade-in. Retail moves title by `order.handover` only."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.txtypes.body import Body
from node.txtypes.fields import Address, Hash32, Odometer, Time, Vin
from node.txtypes.ledger import Ledger
from node.txtypes.members import require_role
from node.txtypes.odometer import add_reading, check_reading
from node.txtypes.vehicle import (
    OFF_MARKET,
    VEHICLE,
    append_record,
    check_event_time,
    check_flags,
    check_holder,
    check_off_market,
    require_vehicle,
)


class TitleTransfer(Body, tag="title.transfer", frozen=True):
    """Holder (the sender) and receiver, both manufacturer or dealer, both signing."""

    vin: Vin
    receiver: Address
    reason: Literal["wholesale", "return", "trade_in"]
    invoice_commitment: Hash32
    odometer: Odometer
    event_at_ms: Time
    odometer_disclosed: bool = False
    """Both know that the odometer's readings contradict each other. Without it an `ILLOGICAL` verdict blocks."""
    weight: ClassVar[int] = 120

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (self.receiver,)

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_holder(ledger, self.vin, vehicle, ledger.sender)
        if self.receiver == ledger.sender:
            ledger.unmet("same_holder", to_text(self.receiver))
        for party in (ledger.sender, self.receiver):
            require_role(ledger, party, "manufacturer", "dealer")
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        check_reading(ledger, self.vin, vehicle, self.odometer)
        if vehicle is not None:
            check_flags(ledger, self.vin, vehicle, "transfer", is_disclosed=self.odometer_disclosed)
            check_off_market(ledger, self.vin, vehicle)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        assert vehicle is not None, "guarded"
        vehicle = add_reading(ledger, self.vin, vehicle, self.odometer, self.event_at_ms)
        # a listing or reservation that has lapsed is written down: money that came late for it must not revive it
        vehicle = replace(
            vehicle,
            holder=self.receiver,
            title_since_ms=ledger.now_ms,
            transfer_count=vehicle.transfer_count + 1,
            market=OFF_MARKET,
        )
        outcome = (f"verdict:{vehicle.verdict}",)
        ledger.put(VEHICLE, self.vin, append_record(ledger, self.vin, vehicle, self, self.event_at_ms, outcome))

    def subjects(self) -> tuple[str, ...]:
        return (f"vehicle/{self.vin}",)
