"""Titles: `vehicle.register` creates one, `title.transfer` moves it between traders. A retail sale needs
`order.handover`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, Code, Codes, Day, Hash32, Odometer, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import CalendarDay, StaticRule, Unique
from node.limits import DAY_MS
from node.rules.odometer import Unit
from node.rules.vin import has_serial_number, wmi_of
from node.txtypes.members.member import Roles, require_role
from node.txtypes.vehicle.alerts import alert_elsewhere, alerted
from node.txtypes.vehicle.bindings import ENGINE_ELSEWHERE, bind_at_birth
from node.txtypes.vehicle.birth import Powertrain, begun, check_absent, check_vin, following
from node.txtypes.vehicle.claims import check_owes_nothing
from node.txtypes.vehicle.conditions import Discloses, check_step
from node.txtypes.vehicle.guards import EVENT_IN_FUTURE, check_act_time, check_holder, check_off_market
from node.txtypes.vehicle.life import LIFE, NO_LIFE, with_former_holder
from node.txtypes.vehicle.odometer import Standing
from node.txtypes.vehicle.record import Effect, VehicleRecord, append_record
from node.txtypes.vehicle.regions import OFF_MARKET
from node.txtypes.vehicle.stop_flags import PaidOff, check_paid_off, without_liens
from node.txtypes.vehicle.vehicle import Vehicle, VinScheme

VIN_SERIAL = Guard("vin_serial", "a VIN ends in a serial number: four digits, five for North America",
                   "eine FIN endet mit einer laufenden Nummer: vier Ziffern, für Nordamerika fünf",
                   "VIN 末尾须为序列号：四位数字，北美为五位")  # fmt: skip
BIRTH_TOO_LATE = Guard("birth_too_late", "the car was produced too long ago to be new: use vehicle.import",
                       "das Fahrzeug ist zu alt für eine Neuanmeldung: vehicle.import benutzen",
                       "车辆生产时间过早，不能作为新车登记：请用 vehicle.import")  # fmt: skip
SAME_HOLDER = Guard("same_holder", "the receiver is the sender", "der Empfänger ist der Absender", "转让双方相同")


class VehicleRegister(TransactionBody, tag="vehicle.register", frozen=True):
    """Register a new car, and with it its title. Only a manufacturer whose accreditation covers the WMI can. Its engine
    is bound to the car. A VIN whose import was voided is registered on the same record chain."""

    vin: Vin
    model: Code
    configuration: Codes
    plant: Code
    produced_on: Day
    powertrain: Powertrain
    odometer_unit: Unit
    vin_scheme: VinScheme
    engine_serial: Annotated[str, Meta(pattern=r"^[A-Z0-9./_-]*\Z", max_length=limits.CODE_LENGTH_MAX)]
    static_rules: ClassVar[tuple[StaticRule, ...]] = (CalendarDay("produced_on", "1970-01-01"),)
    """The day of production is the event time, and times count from 1970."""
    weight: ClassVar[int] = 150
    by: ClassVar[Roles] = Roles("manufacturer", wmi=lambda body: wmi_of(body.vin))
    headline: ClassVar[tuple[str, ...]] = ("model", "plant", "powertrain")
    reports_event: ClassVar[bool] = False
    """The event is the day of production, so the record is never late."""
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "vin": "WBA8E9G50GNU12345", "model": "330I", "configuration": ["S205A", "P337A"], "plant": "MUC",
        "produced_on": "now-31d", "powertrain": "petrol", "odometer_unit": "km", "vin_scheme": "EU",
        "engine_serial": "",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        check_vin(ledger, self.vin, self.vin_scheme)
        check_absent(ledger, self.vin, is_void_allowed=True)
        if not has_serial_number(self.vin, self.vin_scheme):
            ledger.unmet(VIN_SERIAL, self.vin, self.vin[12:])
        if self._produced_ms() > ledger.now_ms + DAY_MS:
            ledger.unmet(EVENT_IN_FUTURE, self.vin, self.produced_on)
        if self._produced_ms() < ledger.now_ms - limits.BIRTH_AGE_MAX_MS:
            ledger.unmet(BIRTH_TOO_LATE, self.vin, self.produced_on)

    def _produced_ms(self) -> int:
        return (date.fromisoformat(self.produced_on) - date(1970, 1, 1)).days * DAY_MS

    def apply(self, ledger: Ledger) -> None:
        born = min(self._produced_ms(), ledger.now_ms)
        vehicle = begun(
            ledger, maker=ledger.sender, model=self.model, configuration=self.configuration, plant=self.plant,
            produced_on=self.produced_on, powertrain=self.powertrain, odometer_unit=self.odometer_unit,
            vin_scheme=self.vin_scheme, born_at_ms=born, holder=ledger.sender, covered_since_ms=born,
        )  # fmt: skip
        effect = Effect(following(ledger, self.vin, vehicle))
        if self.engine_serial and (
            others := bind_at_birth(ledger, self.vin, effect.vehicle.record_count, self.engine_serial)
        ):
            effect = alerted(ledger, self.vin, effect.vehicle, ENGINE_ELSEWHERE)
            for other in others:
                alert_elsewhere(ledger, other, self, ledger.now_ms, ENGINE_ELSEWHERE)
        append_record(
            ledger, self.vin, effect.vehicle, self, born, effect.outcome, is_material=effect.is_material
        )  # fmt: skip


class TitleTransfer(VehicleRecord, tag="title.transfer", frozen=True):
    """Move the title from the holder, who sends it, to the receiver. Each is a manufacturer or a dealer, and both
    sign."""

    vin: Vin
    receiver: Address
    reason: Literal["wholesale", "return", "trade_in"]
    invoice_commitment: Hash32
    odometer: Odometer
    event_at_ms: Time
    discloses: Discloses = ()
    """Conditions of the car that both parties know of. Without them, a condition that `rules.sales` wants disclosed
    blocks."""
    paid_off: PaidOff = ()
    """Banks whose liens end with the transfer. They sign too."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("paid_off"),)
    weight: ClassVar[int] = 120
    headline: ClassVar[tuple[str, ...]] = ("receiver", "reason", "odometer", "discloses")
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "vin": "WBA8E9G50GNU12345", "receiver": "dealer-munich", "reason": "wholesale", "invoice_commitment": "00" * 32,
        "odometer": {"value": 150, "unit": "km", "source": "cluster"}, "event_at": "now",
    }, ("dealer-munich",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (self.receiver, *self.paid_off)

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        check_holder(ledger, self.vin, vehicle, ledger.sender)
        if self.receiver == ledger.sender:
            ledger.unmet(SAME_HOLDER, to_text(self.receiver))
        for party in (ledger.sender, self.receiver):
            require_role(ledger, party, "manufacturer", "dealer")
        if vehicle is not None:
            check_act_time(ledger, self.vin, self.event_at_ms)
            check_paid_off(ledger, self.vin, vehicle, self.paid_off)
            check_step(
                ledger, self.vin, vehicle, "transfer", self.discloses, self.receiver, signed_by=self.paid_off
            )  # fmt: skip
            check_off_market(ledger, self.vin, vehicle)
            check_owes_nothing(ledger, ledger.sender, self.vin)

    def standing(self, ledger: Ledger, vehicle: Vehicle) -> Standing:
        return "interested"

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        return True

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        freed = without_liens(ledger, vehicle, self.paid_off)
        return Effect(with_title(ledger, self.vin, freed, self.receiver))


def with_title(ledger: Ledger, vin: str, vehicle: Vehicle, holder: bytes) -> Vehicle:
    """The vehicle with its new holder, off the market, since late money must not revive a lapsed reservation."""
    ledger.happened("title.moved", f"vehicle/{vin}", f"account/{vehicle.holder.hex()}", f"account/{holder.hex()}")
    life = ledger.get(LIFE, vin) or NO_LIFE
    ledger.put(LIFE, vin, with_former_holder(life, vehicle.holder, holder, ledger.now_ms))
    transfers = vehicle.transfer_count + 1
    return replace(vehicle, holder=holder, title_since_ms=ledger.now_ms, transfer_count=transfers, market=OFF_MARKET)
