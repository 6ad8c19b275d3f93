"""Odometer readings: the bounded working set that the state keeps of a vehicle, with the verdict over it.

A reading is stored and judged, never refused for its value: refusing destroys the evidence and lets one typing error
lock out honest readings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Address, Odometer, OptionalTime, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.ruleset import Ruleset
from node.limits import DAY_MS
from node.rules.odometer import Verdict, in_event_time, to_metres

if TYPE_CHECKING:
    from node.txtypes.vehicle.vehicle import Vehicle

ODOMETER_MISSING = Guard("odometer_missing", "an odometer reading is missing", "ein Kilometerstand fehlt",
                         "缺少里程读数")  # fmt: skip
UNIT_DIFFERS = Guard("unit_differs", "the odometer counts in another unit",
                     "der Kilometerzähler hat eine andere Einheit", "里程单位不符")  # fmt: skip
READINGS_TODAY = Guard("readings_today", "too many readings of this author today",
                       "zu viele Ablesungen dieses Autors heute", "该作者当日读数过多")  # fmt: skip


class Reading(Value, frozen=True):
    """One reading, in the vehicle record `sequence`. `is_declared`: see `rules.odometer.JudgedReading`."""

    event_at_ms: Time
    metres: int
    sequence: int
    is_declared: bool


class ReadingsOfAuthor(Value, frozen=True):
    """The number of readings that an author has added on the day."""

    author: Address
    count: int


class Readings(Value, tag=1, frozen=True):
    """The bounded working set of one vehicle; `today` counts readings per author on block day `day`. Beyond the bound
    an `ILLOGICAL` verdict also covers the readings that were left out."""

    readings: tuple[Reading, ...]
    day: int
    today: tuple[ReadingsOfAuthor, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    likely_error: Annotated[int, Meta(ge=-1)]
    """Sequence of the record that is probably a typing error, -1 for none."""
    outliers: tuple[int, ...]
    newest_event_ms: OptionalTime

    def added_on(self, day: int) -> dict[bytes, int]:
        """The number of readings by author on a block day."""
        return {entry.author: entry.count for entry in self.today} if self.day == day else {}


ODOMETER = Family("odometer", Readings, ident=VIN_IDENT)
NO_READINGS = Readings((), 0, (), "NO_VERDICT", ("too_few",), -1, (), 0)


def _bounded(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """At most `READINGS_MAX` readings: one more displaces the one with the least information. That is the oldest
    declared reading; without any, the reading between the first and the last in event time that is closest to both its
    neighbours in metres. Padding thus displaces padding, and the rest still contradicts every later reading that
    contradicts a displaced one by more than that spread."""
    if len(readings) <= limits.READINGS_MAX:
        return readings
    displaced = next((r for r in readings if r.is_declared), None)
    if displaced is None:
        ordered = in_event_time(readings)

        def spread(place: int) -> tuple[int, int]:
            metres = [r.metres for r in ordered[place - 1 : place + 2]]
            return max(metres) - min(metres), ordered[place].sequence

        displaced = ordered[min(range(1, len(ordered) - 1), key=spread)]
    return tuple(r for r in readings if r is not displaced)


def with_reading(earlier: Readings, reading: Reading, author: bytes, now_ms: int, rules: Ruleset) -> Readings:
    """The working set with one more reading, judged anew: the new one together with all kept ones, full or not."""
    day = now_ms // DAY_MS
    counts = earlier.added_on(day)
    counts[author] = counts.get(author, 0) + 1
    readings = (*earlier.readings, reading)
    judgement = rules.verdict(readings, earlier.verdict == "ILLOGICAL")
    today = tuple(ReadingsOfAuthor(author, count) for author, count in sorted(counts.items()))
    newest = max(earlier.newest_event_ms, reading.event_at_ms)
    return Readings(_bounded(readings), day, today, *judgement, newest)


def check_reading(ledger: Ledger, vin: str, odometer: Odometer | None, vehicle: Vehicle | None) -> None:
    """Notes a missing reading, a wrong unit, or too many of this author today."""
    if odometer is None:
        ledger.unmet(ODOMETER_MISSING, vin)
        return
    if vehicle is None:
        return
    if odometer.unit != vehicle.odometer_unit:
        ledger.unmet(UNIT_DIFFERS, vin, odometer.unit, vehicle.odometer_unit)
    readings = ledger.get(ODOMETER, vin) or NO_READINGS
    today = readings.added_on(ledger.now_ms // DAY_MS).get(ledger.sender, 0)
    if today >= limits.READINGS_PER_AUTHOR_AND_DAY_MAX:
        ledger.unmet(READINGS_TODAY, vin, today, f"at most {limits.READINGS_PER_AUTHOR_AND_DAY_MAX} a day")


def add_reading(
    ledger: Ledger, vin: str, vehicle: Vehicle, odometer: Odometer, event_at_ms: int, *, is_declared: bool = False
) -> Vehicle:
    """Store and judge a reading that the vehicle's *next* record contains; returns the vehicle with its verdict."""
    reading = Reading(event_at_ms, to_metres(odometer.value, odometer.unit), vehicle.record_count, is_declared)
    earlier = ledger.get(ODOMETER, vin) or NO_READINGS
    judged = with_reading(earlier, reading, ledger.sender, ledger.now_ms, ledger.rules)
    ledger.put(ODOMETER, vin, judged)
    if judged.verdict == vehicle.verdict:
        return vehicle
    is_first_verdict = judged.verdict == "LOGICAL" and vehicle.verdict == "NO_VERDICT"
    material_changes = vehicle.material_changes + (0 if is_first_verdict else 1)
    return replace(vehicle, verdict=judged.verdict, material_changes=material_changes)


def verdict_outcome(vehicle: Vehicle) -> str:
    """The verdict as an outcome code of a record."""
    return f"verdict:{vehicle.verdict}"
