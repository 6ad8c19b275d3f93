"""`part.bind` fits a part with a serial number to a car or removes it."""

from __future__ import annotations

from typing import ClassVar, Final

from msgspec.structs import replace

from node import limits
from node.ledger.example import Example
from node.ledger.fields import Code, PartAction, PartClass, PartSource, Serial, Vin
from node.ledger.overlay import Ledger
from node.rules.outcomes import NOT_BOUND, UNPROVEN
from node.txtypes.vehicle.alerts import alert_elsewhere, alerted
from node.txtypes.vehicle.bindings import (
    ENGINE_ELSEWHERE,
    PART,
    UNBOUND,
    Binding,
    BoundPart,
    claimants,
    fitted,
    part_id,
    removed,
    without_record,
)
from node.txtypes.vehicle.conditions import check_flags
from node.txtypes.vehicle.guards import ENDED
from node.txtypes.vehicle.life import LIFE, NO_LIFE, THEFT_FOUND_MS, with_part_taken, without_part_taken
from node.txtypes.vehicle.record import Effect, OwnEffect
from node.txtypes.vehicle.regions import flags_at
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle

ELSEWHERE: Final = ("part_elsewhere",)


def is_stolen(vehicle: Vehicle | None, now_ms: int, until_ms: int = limits.TIME_MAX_MS) -> bool:
    """Whether a car is flagged stolen. `until_ms`: when its removal was told. The part counts as stolen unless it
    was removed more than 90 days before the flag was set: a theft is found late."""
    flags = flags_at(vehicle.flags, now_ms) if vehicle is not None else ()
    return any(flag.name == "stolen" and flag.set_at_ms <= until_ms + THEFT_FOUND_MS for flag in flags)


def is_living(ledger: Ledger, vin: str) -> bool:
    vehicle = ledger.get(VEHICLE, vin)
    return vehicle is not None and vehicle.existence not in ENDED


class PartBind(Report, tag="part.bind", frozen=True):
    """A workshop or manufacturer fits a part to a car or removes it. A part that is bound to another car is fitted all
    the same: the binding is contested and both cars have the alert `part_elsewhere`, until it is removed from one of
    them. A part of a car that is flagged stolen, or is within 90 days, leaves `part_from_stolen`. `donor`: the car that
    a used part is from; a flag that blocks `part_fit` keeps its parts where they are, theft excepted, of which the
    record is evidence."""

    vin: Vin
    part_class: PartClass
    number: Code
    serial: Serial
    action: PartAction
    source: PartSource
    donor: Vin | None
    weight: ClassVar[int] = 175
    by: ClassVar[Author] = Author("workshop", "manufacturer")
    headline: ClassVar[tuple[str, ...]] = ("action", "part_class", "source")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "part_class": "gearbox", "number": "24008689030", "serial": "GA8HP50Z-0012345",
        "action": "fit", "source": "new", "donor": None,
        "odometer": {"value": 12_000, "unit": "km", "source": "cluster"}, "event_at": "now",
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"},
    })  # fmt: skip

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        donor = ledger.get(VEHICLE, self.donor) if self.donor is not None and self.action == "fit" else None
        if self.donor is not None and donor is not None:
            other_flags = tuple(flag for flag in donor.flags if flag.name != "stolen")
            check_flags(ledger, self.donor, replace(donor, flags=other_flags), "part_fit")

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        ident = part_id(self.part_class, self.number, self.serial)
        part = ledger.get(PART, ident) or BoundPart(self.part_class, UNBOUND)
        if self.action == "remove":
            binding = removed(part.binding, self.vin, ledger.now_ms, vehicle.record_count)
            ledger.put(PART, ident, replace(part, binding=binding))
            return Effect(vehicle, () if self.vin in claimants(part.binding) else (NOT_BOUND,))
        sequence, first = vehicle.record_count, vehicle.first_sequence
        binding = fitted(part.binding, self.vin, self.event_at_ms, sequence, first)
        ledger.put(PART, ident, replace(part, binding=binding))
        self._note_origins(ledger, part.binding)
        others = [vin for vin in claimants(part.binding) if vin != self.vin]
        codes = self._codes(ledger, others)
        for vin in others:
            alert_elsewhere(ledger, vin, self, self.event_at_ms, codes)
        stolen = ("part_from_stolen",) if self._is_from_stolen(ledger, part.binding) else ()
        effect = alerted(ledger, self.vin, vehicle, (*codes, *stolen))
        unproven = self.source == "used" and (self.donor is None or ledger.get(VEHICLE, self.donor) is None)
        return effect._replace(outcome=(*effect.outcome, *((UNPROVEN,) if unproven else ())))

    def struck(self, ledger: Ledger, vehicle: Vehicle, sequence: int, by: OwnEffect | None) -> Vehicle:
        """The record of this has turned out to be wrong: the part was not fitted to this car, or is in it still."""
        ident = part_id(self.part_class, self.number, self.serial)
        if (part := ledger.get(PART, ident)) is not None:
            binding = without_record(part.binding, self.vin, sequence)
            ledger.put(PART, ident, replace(part, binding=binding) if binding != UNBOUND else None)
            for vin in self._origins(binding, ledger.now_ms) if self.action == "fit" else ():
                if (life := ledger.get(LIFE, vin)) is not None:
                    ledger.put(LIFE, vin, without_part_taken(life, self.vin))
        return vehicle

    def _codes(self, ledger: Ledger, others: list[str]) -> tuple[str, ...]:
        """The alerts of the cars that have the part in common."""
        if not others:
            return ()
        is_clone = self.part_class == "engine" and any(is_living(ledger, vin) for vin in others)
        return ENGINE_ELSEWHERE if is_clone else ELSEWHERE

    def _origins(self, before: Binding, now_ms: int) -> dict[str, int]:
        """The donor, the cars that have the part and those that had it, with the time of the removal; of one that has
        it, now: dating the fitting back hides nothing."""
        had = {place.vin: place.at_ms for place in before.previous}
        has = dict.fromkeys((*claimants(before), *(() if self.donor is None else (self.donor,))), now_ms)
        return {vin: at_ms for vin, at_ms in (had | has).items() if vin != self.vin}

    def _is_from_stolen(self, ledger: Ledger, before: Binding) -> bool:
        """Whether the part is from a car that is flagged stolen now."""
        origins = self._origins(before, ledger.now_ms).items()
        return any(is_stolen(ledger.get(VEHICLE, vin), ledger.now_ms, at_ms) for vin, at_ms in origins)

    def _note_origins(self, ledger: Ledger, before: Binding) -> None:
        """Each car that the part is from knows this one, which is told if that is flagged stolen later."""
        for vin, at_ms in self._origins(before, ledger.now_ms).items():
            if ledger.get(VEHICLE, vin) is not None and ledger.now_ms <= at_ms + THEFT_FOUND_MS:
                life = ledger.get(LIFE, vin) or NO_LIFE
                ledger.put(LIFE, vin, with_part_taken(life, self.vin, at_ms, ledger.now_ms))
