"""`title.assign` moves the title of a car without a sale: by the holder's gift, or by an authority's act."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.fields import Address, AssignmentReason, Hash32, Odometer, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.member import MEMBER, has_role
from node.txtypes.vehicle.claims import check_owes_nothing
from node.txtypes.vehicle.conditions import Discloses, check_shown, check_step, consenting
from node.txtypes.vehicle.guards import (
    check_act_time,
    check_event_time,
    check_holder,
    check_off_market,
    require_vehicle,
)
from node.txtypes.vehicle.odometer import Standing, check_reading
from node.txtypes.vehicle.record import Effect, VehicleRecord
from node.txtypes.vehicle.regions import Flag, flags_at
from node.txtypes.vehicle.report import check_registrar
from node.txtypes.vehicle.title import SAME_HOLDER, with_title
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, vehicle_at

WITNESSES: Final = ("manufacturer", "dealer", "workshop", "inspector")
"""Roles of which one party must have one for the reading to count. Two private people are witnesses in their own
matter, and an authority has not seen the car."""

LIEN_MISSING = Guard("lien_missing", "the receiver has no lien on the car", "der Empfänger hat kein Pfandrecht am "
                     "Fahrzeug", "接收方对该车没有留置权")  # fmt: skip


class Assigner:
    """The sender of `title.assign`: the holder of the title for a gift; for any other reason a registrar of the country
    that has the car registered, or had it last. A car that no country has had is where its holder is a member, else
    where its maker is."""

    text = (
        "the holder of the title (gift), or a registrar of the country that has the car or had it last, or of the "
        "holder's or the maker's country"
    )

    def check(self, ledger: Ledger, body: Any) -> None:
        vehicle = ledger.get(VEHICLE, body.vin)
        if body.reason == "gift":
            check_holder(ledger, body.vin, vehicle, ledger.sender)
        else:
            check_registrar(ledger, _country_of(ledger, vehicle) if vehicle is not None else "", body.event_at_ms)


def _country_of(ledger: Ledger, vehicle: Vehicle) -> str:
    registered = vehicle_at(vehicle, ledger.now_ms).registration.country
    members = (ledger.get(MEMBER, account) for account in (vehicle.holder, vehicle.maker))
    return registered or next((member.country for member in members if member is not None), "")


def _liens(vehicle: Vehicle, setter: bytes, now_ms: int) -> tuple[Flag, ...]:
    return tuple(flag for flag in flags_at(vehicle.flags, now_ms) if (flag.name, flag.setter) == ("lien", setter))


class TitleAssign(VehicleRecord, tag="title.assign", frozen=True):
    """Move the title of a car without a sale. The holder makes a gift; a registrar carries out an inheritance, a
    court's decision, a divorce or a repossession. The receiver signs too and names the car's material root that it has
    seen. Every bank with a lien signs. Only a bank with a lien can receive a repossessed car, and its lien then ends.
    The holder's mandates for this car end."""

    vin: Vin
    receiver: Address
    reason: AssignmentReason
    material_root: Hash32
    odometer: Odometer | None
    """Null is allowed only if a registrar sends it."""
    event_at_ms: Time
    discloses: Discloses = ()
    """Conditions of the car that the receiver knows of."""
    weight: ClassVar[int] = 200
    by: ClassVar[Assigner] = Assigner()
    headline: ClassVar[tuple[str, ...]] = ("receiver", "reason", "odometer", "discloses")
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "vin": "WBA8E9G50GNU12345", "receiver": "dealer-munich", "reason": "gift", "material_root": "$material_root",
        "odometer": {"value": 13_000, "unit": "km", "source": "cluster"}, "event_at": "now",
    }, ("dealer-munich",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        vehicle = ledger.get(VEHICLE, self.vin)
        return (self.receiver, *(consenting(ledger, vehicle, "transfer") if vehicle is not None else ()))

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        check_not_on_hold(ledger, ledger.sender)
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        check_reading(ledger, self.vin, self.odometer, is_optional=self.reason != "gift")
        if vehicle is not None:
            self._check_assignment(ledger, vehicle)

    def _check_assignment(self, ledger: Ledger, vehicle: Vehicle) -> None:
        if self.receiver == vehicle.holder:
            ledger.unmet(SAME_HOLDER, to_text(self.receiver))
        check_act_time(ledger, self.vin, self.event_at_ms)
        check_shown(ledger, self.vin, vehicle, self.material_root)
        if self.reason == "repossession" and not _liens(vehicle, self.receiver, ledger.now_ms):
            ledger.unmet(LIEN_MISSING, to_text(self.receiver))
        signed = consenting(ledger, vehicle, "transfer")
        check_step(ledger, self.vin, vehicle, "transfer", self.discloses, self.receiver, signed_by=signed)
        check_off_market(ledger, self.vin, vehicle)
        if self.reason == "gift":
            check_owes_nothing(ledger, ledger.sender, self.vin)

    def standing(self, ledger: Ledger, vehicle: Vehicle) -> Standing:
        parties = (ledger.sender, self.receiver)
        return "interested" if any(has_role(ledger, party, *WITNESSES) for party in parties) else "declared"

    def is_acknowledged(self, ledger: Ledger, vehicle: Vehicle) -> bool:
        return self.reason == "gift"

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ended = _liens(vehicle, self.receiver, ledger.now_ms) if self.reason == "repossession" else ()
        flags = tuple(flag for flag in vehicle.flags if flag not in ended)
        return Effect(with_title(ledger, self.vin, replace(vehicle, flags=flags), self.receiver))
