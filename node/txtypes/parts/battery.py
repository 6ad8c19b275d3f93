"""`battery.bind` binds a high-voltage battery to a car; `battery.health` records how much of its capacity is left."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.crypto.addresses import to_text
from node.crypto.hashing import tagged
from node.ledger.example import Example
from node.ledger.family import HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import BatteryMethod, BatteryState, Hash32, Id, PartAction, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.odometer import to_metres
from node.rules.outcomes import IMPLAUSIBLE, NOT_BOUND
from node.rules.parts import BATTERY_METHODS, BatteryFloor
from node.txtypes.members.member import ROLE_SCOPE, has_role_at
from node.txtypes.parts.parts import is_living
from node.txtypes.vehicle.alerts import alert_elsewhere, alerted
from node.txtypes.vehicle.bindings import (
    UNBOUND,
    Binding,
    Place,
    State,
    claimants,
    fitted,
    is_in,
    removed,
    state_of,
    without_record,
)
from node.txtypes.vehicle.record import Effect, OwnEffect
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import Vehicle

HEALTH_MAX: Final = 32
YEAR_MS: Final = 365 * DAY_MS
ELSEWHERE: Final = ("battery_elsewhere",)

BatteryId = Annotated[
    str, Meta(pattern=r"^[A-Z0-9][A-Z0-9./+-]{3,49}\Z", description="unique identifier of a battery (ISO/IEC 15459)")
]
PerMille = Annotated[int, Meta(ge=0, le=1_000)]
WattHours = Annotated[int, Meta(ge=1, le=10_000_000)]

NO_HV = Guard("no_hv", "a car with this powertrain has no high-voltage battery",
              "ein Fahrzeug mit diesem Antrieb hat keine Hochvoltbatterie", "该动力类型车辆没有动力电池")  # fmt: skip
BATTERY_UNKNOWN = Guard("battery_unknown", "this battery was never bound to a car: record battery.bind first",
                        "diese Batterie wurde noch nie einem Fahrzeug zugeordnet: zuerst battery.bind",
                        "该电池从未绑定车辆：请先提交 battery.bind")  # fmt: skip


class Health(Value, frozen=True):
    """One state of health of a battery, in per mille of its capacity when new. `method`: its place in the table of
    methods."""

    at_ms: Time
    soh: PerMille
    method: int
    cycles: int
    metres: int
    """The reading of the car's odometer."""


class Battery(Value, tag=1, frozen=True):
    """A battery with its passport. `told`: the record that told passport, capacity and state last; `is_told_wrong`:
    that record was annulled, or its author amended it. `first_fit_ms`: when it began its first life; `fit_metres`: what
    the odometer of the car showed that it was fitted to last; `is_fitted_anew`: since the last state of health."""

    binding: Binding
    passport: Hash32
    capacity_wh: WattHours
    state: BatteryState
    told: Place
    is_told_wrong: bool
    first_fit_ms: Time
    fit_metres: int
    is_fitted_anew: bool
    health: Annotated[tuple[Health, ...], Meta(max_length=HEALTH_MAX)]


def is_below_floor(battery: Battery, floors: tuple[BatteryFloor, ...]) -> bool:
    """Whether the newest state of health is below what the law requires at this age and distance."""
    if not battery.health:
        return False
    newest = max(battery.health, key=lambda health: health.at_ms)
    age_ms, metres = newest.at_ms - battery.first_fit_ms, newest.metres - battery.fit_metres
    return any(
        age_ms <= floor.years * YEAR_MS and metres <= floor.distance_km * 1_000 and newest.soh < floor.per_mille
        for floor in floors
    )


class BatteryView(Battery, frozen=True):
    """A high-voltage battery. `below_floor`: its health is below what Euro 7 requires at its age and distance."""

    id: Id
    place: State
    below_floor: bool

    @staticmethod
    def of(ident: str, battery: Battery, reader: Reader, as_of: AsOf) -> BatteryView:
        return extended(
            BatteryView, battery, id=bytes.fromhex(ident), place=state_of(battery.binding),
            below_floor=is_below_floor(battery, as_of.rules.tables.battery_floors),
        )  # fmt: skip


BATTERY = Family(
    "battery", Battery, ident=HASH_IDENT,
    indexes=(
        Index("vehicle", lambda battery: sorted(set(claimants(battery.binding))), VIN_IDENT,
              description="VIN of a car that the battery is bound to"),
    ),
    concerns=lambda ident, battery: tuple(f"vehicle/{vin}" for vin in sorted(set(claimants(battery.binding)))),
    event="battery", status=lambda battery: state_of(battery.binding), path="/v1/batteries", view=BatteryView,
    internal=("id",),
)  # fmt: skip


def battery_key(battery_id: str) -> bytes:
    """`H("bmw/battery", battery id)`: the key of a battery."""
    return tagged("bmw/battery", battery_id.encode("ascii"))


def free_battery(ledger: Ledger, ident: bytes, vin: str, sequence: int) -> None:
    """As `free_part`, of a battery."""
    battery = ledger.get(BATTERY, ident)
    if battery is not None and vin in claimants(battery.binding):
        binding = removed(battery.binding, vin, ledger.now_ms, sequence)
        ledger.put(BATTERY, ident, replace(battery, binding=binding))


def check_has_hv(ledger: Ledger, vin: str, vehicle: Vehicle | None) -> None:
    if vehicle is not None and vehicle.powertrain in ledger.rules.tables.damage_no_hv_powertrains:
        ledger.unmet(NO_HV, vin, vehicle.powertrain)


def _may_tell(ledger: Ledger, binding: Binding, vin: str) -> bool:
    """Whether what a record of the car says of the battery counts. Of several cars that have it, it is the first one
    that has not ended: a second one would bury the states of health of the first, to harm it or to sell it better."""
    claims = [other for other in claimants(binding) if other == vin or is_living(ledger, other)]
    return not binding.claims_left_out and claims[:1] in ([], [vin])


def _elsewhere(ledger: Ledger, report: Report, vehicle: Vehicle, binding: Binding) -> Effect:
    """The effect of alerts, on this car and on the others, if other cars have the same battery."""
    others = [vin for vin in claimants(binding) if vin != report.vin]
    for vin in others:
        alert_elsewhere(ledger, vin, report, report.event_at_ms, ELSEWHERE)
    return alerted(ledger, report.vin, vehicle, ELSEWHERE if others else ())


class BatteryBind(Report, tag="battery.bind", frozen=True):
    """Fit a high-voltage battery to a car or remove it, by a manufacturer or by a workshop that may work on high
    voltage. `passport`: commitment to its battery passport. The binding of a battery that another car has is contested,
    as that of a part is; what is said of the battery then counts only in the car that had it first."""

    vin: Vin
    battery_id: BatteryId
    passport: Hash32
    capacity_wh: WattHours
    action: PartAction
    state: BatteryState
    weight: ClassVar[int] = 150
    by: ClassVar[Author] = Author("manufacturer", "workshop")
    headline: ClassVar[tuple[str, ...]] = ("action", "battery_id", "state")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "JTDKB20U093512345", "battery_id": "JPPEVE0123456789", "passport": "00" * 32, "capacity_wh": 8_800,
        "action": "fit", "state": "original", "odometer": {"value": 78_000, "unit": "km", "source": "cluster"},
        "event_at": "now", "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "PRIUS"},
    })  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        check_has_hv(ledger, self.vin, vehicle)
        sender = ledger.sender
        for at_ms in (ledger.now_ms, self.event_at_ms):
            if has_role_at(ledger, sender, at_ms, "workshop") and not (
                has_role_at(ledger, sender, at_ms, "workshop", capability="hv")
                or has_role_at(ledger, sender, at_ms, "manufacturer")
            ):
                ledger.unmet(ROLE_SCOPE, to_text(sender), need="a workshop's grant with hv")
                return

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ident = battery_key(self.battery_id)
        known = ledger.get(BATTERY, ident)
        first_fit = self.event_at_ms if known is None else known.first_fit_ms
        told = Place(self.vin, self.event_at_ms, vehicle.record_count)
        battery = known or Battery(
            UNBOUND, self.passport, self.capacity_wh, self.state, told, False, first_fit, 0, False, ()
        )  # fmt: skip
        is_new_here = not is_in(battery.binding, self.vin, vehicle.first_sequence)
        if self.action == "remove" and is_new_here and known is not None:
            return Effect(vehicle, (NOT_BOUND,))
        may_tell = _may_tell(ledger, battery.binding, self.vin)
        if may_tell:
            battery = replace(
                battery, passport=self.passport, capacity_wh=self.capacity_wh, state=self.state, told=told,
                is_told_wrong=False,
            )  # fmt: skip
        if self.action == "remove":
            binding = removed(battery.binding, self.vin, ledger.now_ms, vehicle.record_count)
            ledger.put(BATTERY, ident, replace(battery, binding=binding))
            return Effect(vehicle, (NOT_BOUND,) if is_new_here else ())
        if is_new_here and may_tell:
            metres = 0 if self.odometer is None else to_metres(self.odometer.value, self.odometer.unit)
            battery = replace(battery, fit_metres=metres, is_fitted_anew=True)
        sequence, first = vehicle.record_count, vehicle.first_sequence
        binding = fitted(battery.binding, self.vin, self.event_at_ms, sequence, first)
        ledger.put(BATTERY, ident, replace(battery, binding=binding))
        return _elsewhere(ledger, self, vehicle, battery.binding)

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The record of this has turned out to be wrong: as with a part; and what it told of the battery is doubted."""
        ident = battery_key(self.battery_id)
        battery = ledger.get(BATTERY, ident)
        if battery is not None:
            binding = without_record(battery.binding, self.vin, sequence)
            is_wrong = battery.is_told_wrong or (battery.told.vin, battery.told.sequence) == (self.vin, sequence)
            after = replace(battery, binding=binding, is_told_wrong=is_wrong)
            ledger.put(BATTERY, ident, after if binding != UNBOUND or battery.health else None)
        return vehicle


class BatteryHealth(Report, tag="battery.health", frozen=True):
    """Record the state of health of a car's battery: `soh` in per mille of its capacity when new, as `method` gives it.
    `recalibrated`: the battery's computer was recalibrated, so the value may rise."""

    vin: Vin
    battery_id: BatteryId
    soh: PerMille
    method: BatteryMethod
    energy_wh: WattHours
    cycles: Annotated[int, Meta(ge=0, le=65_535)]
    recalibrated: bool
    by: ClassVar[Author] = Author("manufacturer", "workshop", "inspector")
    headline: ClassVar[tuple[str, ...]] = ("soh", "method")
    EXAMPLE: ClassVar[Example] = Example("inspector-1", {
        "vin": "JTDKB20U093512345", "battery_id": "JPPEVE0123456789", "soh": 941, "method": "bms_soce",
        "energy_wh": 8_280, "cycles": 212, "recalibrated": False,
        "odometer": {"value": 78_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "INS-1", "vin_source": "obd", "model_seen": "PRIUS"},
    })  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        check_has_hv(ledger, self.vin, vehicle)
        if ledger.get(BATTERY, battery_key(self.battery_id)) is None:
            ledger.unmet(BATTERY_UNKNOWN, self.battery_id)

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ident = battery_key(self.battery_id)
        battery = ledger.the(BATTERY, ident)
        effect = _elsewhere(ledger, self, vehicle, battery.binding)
        binding = battery.binding
        if self.vin not in claimants(binding) or not _may_tell(ledger, binding, self.vin):  # nobody's health
            return effect._replace(outcome=(*effect.outcome, NOT_BOUND))
        kept = tuple(sorted((*battery.health, self._health()), key=lambda entry: entry.at_ms))[-HEALTH_MAX:]
        ledger.put(BATTERY, ident, replace(battery, health=kept, is_fitted_anew=False))
        outcome = (IMPLAUSIBLE,) if self._is_implausible(ledger, battery) else ()
        return effect._replace(outcome=(*effect.outcome, *outcome))

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The record of this has turned out to be wrong: its state of health was not measured."""
        ident = battery_key(self.battery_id)
        if (battery := ledger.get(BATTERY, ident)) is not None:
            health = tuple(entry for entry in battery.health if entry != self._health())
            ledger.put(BATTERY, ident, replace(battery, health=health))
        return vehicle

    def _health(self) -> Health:
        metres = 0 if self.odometer is None else to_metres(self.odometer.value, self.odometer.unit)
        return Health(self.event_at_ms, self.soh, BATTERY_METHODS.index(self.method), self.cycles, metres)

    def _is_implausible(self, ledger: Ledger, battery: Battery) -> bool:
        """Whether the value has risen, without a reason, since the one before it in event time."""
        earlier = [entry for entry in battery.health if entry.at_ms <= self.event_at_ms]
        rise_max = ledger.rules.tables.battery_rise_max_per_mille
        return bool(earlier) and self.soh > earlier[-1].soh + rise_max and not (
            self.recalibrated or battery.is_fitted_anew
        )  # fmt: skip
