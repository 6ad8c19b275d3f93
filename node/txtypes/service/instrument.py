"""`odometer.replace` records that a car's odometer was replaced or reset, and what the old one showed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.ledger.example import Example
from node.ledger.fields import Address, Code, Odometer, OdometerReplaceCause, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.odometer import to_metres, tolerance_metres
from node.txtypes.vehicle.alerts import told_late
from node.txtypes.vehicle.brands import with_brand
from node.txtypes.vehicle.conditions import check_flags
from node.txtypes.vehicle.instruments import replacement_offset, rollover_offset
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, Readings, Segment, newest_counted
from node.txtypes.vehicle.record import Effect
from node.txtypes.vehicle.regions import Clearance
from node.txtypes.vehicle.relation import WITNESS_MISSING, check_witness
from node.txtypes.vehicle.report import Author, Report
from node.txtypes.vehicle.stop_flags import HOLDER_MISSING
from node.txtypes.vehicle.vehicle import Vehicle

ROUND: Final = 1_000_000
"""Units after which an instrument of six digits starts again at zero."""
REPLACED_AGAIN_MS: Final = 30 * DAY_MS
"""An odometer cannot be replaced again within this time."""

SEGMENTS_FULL = Guard("segments_full", "the car's odometer was replaced or went round too often",
                      "der Kilometerzähler wurde zu oft ersetzt oder lief zu oft über",
                      "里程表更换或归零次数过多")  # fmt: skip
REPLACED_RECENTLY = Guard("replaced_recently", "the car's odometer was replaced within 30 days",
                          "der Kilometerzähler wurde in den letzten 30 Tagen ersetzt",
                          "里程表在 30 天内已更换过")  # fmt: skip


class OdometerReplace(Report, tag="odometer.replace", frozen=True):
    """Record that a workshop has replaced or reset a car's odometer; the holder signs too. `old`: what the old one
    showed, null if it showed nothing; `odometer`: what the new one shows. The car has gone as far as its newest reading
    or the old odometer, whichever is further. An inspector who is related to neither party signs as `witness` if the
    old odometer shows nothing or less than the newest reading, or if the record comes after readings that it would
    explain. Without two sources of the old reading and without a witness, the verdict over what follows is open."""

    vin: Vin
    old: Odometer | None
    cause: OdometerReplaceCause
    part: Code | None
    ecus: Annotated[tuple[Code, ...], Meta(max_length=4, description="control units that were replaced or reset")]
    witness: Address | None
    weight: ClassVar[int] = 280
    by: ClassVar[Author] = Author("workshop")
    headline: ClassVar[tuple[str, ...]] = ("cause", "old", "odometer")
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "vin": "WBA8E9G50GNU12345", "cause": "cluster_failed", "part": "62109279500", "ecus": ["KOMBI"],
        "old": {"value": 12_600, "unit": "km", "source": "cluster",
                "others": [{"source": "body_computer", "value": 12_600}]},
        "odometer": {"value": 0, "unit": "km", "source": "cluster"}, "event_at": "now", "witness": None,
        "where": {"site": "BER-1", "vin_source": "obd", "model_seen": "330I"}, "holder_signs": True,
    }, ("bmw",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        return (*super().signers(ledger), *((self.witness,) if self.witness is not None else ()))

    def record_guards(self, ledger: Ledger, vehicle: Vehicle | None) -> None:
        if vehicle is None:
            return
        if not self.is_acknowledged(ledger, vehicle):
            ledger.unmet(HOLDER_MISSING, self.vin)
        check_flags(ledger, self.vin, vehicle, "odometer_replace")
        leaf = ledger.get(ODOMETER, self.vin) or NO_READINGS
        if len(leaf.segments) >= limits.ODOMETER_SEGMENTS_MAX:
            ledger.unmet(SEGMENTS_FULL, self.vin, len(leaf.segments), f"below {limits.ODOMETER_SEGMENTS_MAX}")
        near = [s for s in leaf.segments if abs(self.event_at_ms - s.from_event_ms) < REPLACED_AGAIN_MS]
        if near:
            ledger.unmet(REPLACED_RECENTLY, self.vin, time_to_text(near[-1].from_event_ms))
        parties = (ledger.sender, vehicle.holder, *super().signers(ledger))
        if self.witness is None:
            if self._needs_witness(leaf):
                ledger.unmet(WITNESS_MISSING, self.vin)
        else:
            check_witness(ledger, self.witness, self.vin, *parties)

    def _is_late(self, leaf: Readings) -> bool:
        """Whether there are readings of a later time, which the replacement would explain."""
        newest = newest_counted(leaf)
        return newest is not None and newest.event_at_ms > self.event_at_ms

    def _needs_witness(self, leaf: Readings) -> bool:
        if self.old is None or self._is_late(leaf):
            return True
        newest = newest_counted(leaf)
        old = to_metres(self.old.value, self.old.unit)
        if newest is None:
            return False
        return newest.metres - old > tolerance_metres(self.event_at_ms - newest.event_at_ms)

    def instrument(self, ledger: Ledger, vehicle: Vehicle) -> Segment:
        leaf = ledger.get(ODOMETER, self.vin) or NO_READINGS
        old = to_metres(self.old.value, self.old.unit) if self.old is not None else None
        assert self.odometer is not None, "guarded"
        offset = replacement_offset(leaf, self.event_at_ms, old, to_metres(self.odometer.value, self.odometer.unit))
        has_two_sources = self.old is not None and bool(self.old.others)
        return Segment(
            vehicle.record_count, self.event_at_ms, offset, is_proven=has_two_sources or self.witness is not None,
            is_rollover=False, told_at_ms=ledger.now_ms, proven_by=self.witness or ledger.sender,
        )  # fmt: skip

    def effect(self, ledger: Ledger, vehicle: Vehicle) -> Effect:
        sequence, now_ms = vehicle.record_count, ledger.now_ms
        brands = with_brand(vehicle.brands, "odometer_replaced", now_ms, sequence, is_confirmed=True)
        leaf = ledger.the(ODOMETER, self.vin)
        if self._is_late(leaf):
            brands = with_brand(brands, "odometer_discrepancy", now_ms, sequence, is_confirmed=True)
        clearances = vehicle.clearances
        if self.witness is not None:
            others = (entry for entry in clearances if entry.what != "odometer_replace")
            witnessed = Clearance("odometer_replace", self.witness, sequence, now_ms)
            clearances = tuple(sorted((*others, witnessed), key=lambda entry: entry.what))
        effect = Effect(replace(vehicle, brands=brands, clearances=clearances), is_material=True)
        return told_late(ledger, self.vin, effect, self.event_at_ms)


def rollover(ledger: Ledger, vin: str, vehicle: Vehicle, shown: Odometer, event_at_ms: int) -> Segment | None:
    """The odometer after it has run past its last digit, as an independent inspector to whom the car was presented
    states in the vehicle's *next* record: it was near its end and is near its start. None where it was not, or the car
    has no room for another instrument."""
    leaf = ledger.get(ODOMETER, vin) or NO_READINGS
    before = replace(leaf, readings=tuple(r for r in leaf.readings if r.event_at_ms <= event_at_ms))
    newest, round_metres = newest_counted(before), to_metres(ROUND, shown.unit)
    if newest is None or len(leaf.segments) >= limits.ODOMETER_SEGMENTS_MAX:
        return None
    if newest.metres * 10 < round_metres * 9 or to_metres(shown.value, shown.unit) * 10 > round_metres:
        return None
    return Segment(
        vehicle.record_count, event_at_ms, rollover_offset(leaf, event_at_ms, round_metres), is_proven=True,
        is_rollover=True, told_at_ms=ledger.now_ms, proven_by=ledger.sender,
    )  # fmt: skip
