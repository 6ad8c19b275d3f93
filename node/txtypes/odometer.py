"""Odometer readings and the verdict over them.

A reading is stored and judged, never refused for its value: refusing destroys the evidence and lets one typing error
lock out honest readings. The verdict is computed from the readings in event time, whatever order they came in. Two that
contradict each other stay a contradiction whatever is read later, so `ILLOGICAL` never goes away by more readings.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.rules.odometer import DISTANCE_LIMITS_METRES, TOLERANCE_METRES, WINDOWS_MS, Context, Verdict, to_metres
from node.txtypes.body import Body
from node.txtypes.fields import Address, Odometer, Time, Value, Vin
from node.txtypes.ledger import Family, Ledger
from node.txtypes.members import require_role
from node.txtypes.params import DAY_MS
from node.txtypes.vehicle import VEHICLE, Vehicle, append_record, check_event_time, require_vehicle

ACCREDITED = ("manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "carrier")


class Reading(Value, frozen=True):
    event_at_ms: Time
    metres: int
    sequence: int
    """The vehicle record that holds the reading."""
    is_declared: bool
    """By a party without accreditation: shown, never counted against others."""


class Readings(Value, tag=1, frozen=True):
    """The working set of one vehicle: bounded; `today` counts readings per author on block day `day`. Beyond its bound
    an `ILLOGICAL` verdict stands for the readings that were left out."""

    readings: tuple[Reading, ...]
    day: int
    today: tuple[tuple[Address, int], ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    likely_error: Annotated[int, Meta(ge=-1)]
    """Sequence of the record that is probably a typing error, -1 for none."""
    outliers: tuple[int, ...]
    newest_event_ms: Time


ODOMETER = Family("odometer", Readings)
_HIGHEST = 2**63
NO_READINGS = Readings((), 0, (), "NO_VERDICT", ("too_few",), -1, (), 0)


def _is_monotone(readings: list[Reading]) -> bool:
    highest = 0
    for reading in readings:
        if reading.metres < highest - TOLERANCE_METRES:
            return False
        highest = max(highest, reading.metres)
    return True


def _likely_error(readings: list[Reading]) -> Reading | None:
    """The first without which the others are monotone, of at least three. In one pass from behind and one from the
    front: a block of full series is judged by every validator, so no series may cost its length squared."""
    count = len(readings)
    lowest_from, is_monotone_from = [_HIGHEST] * (count + 1), [True] * (count + 1)
    for index in reversed(range(count)):
        metres = readings[index].metres
        is_monotone_from[index] = is_monotone_from[index + 1] and metres <= lowest_from[index + 1] + TOLERANCE_METRES
        lowest_from[index] = min(metres, lowest_from[index + 1])
    highest = 0  # of those before, which are monotone
    for index, suspect in enumerate(readings if count > 2 else ()):
        if is_monotone_from[index + 1] and highest <= lowest_from[index + 1] + TOLERANCE_METRES:
            return suspect
        if suspect.metres < highest - TOLERANCE_METRES:
            return None  # what it contradicts is before it: whichever later one goes, the two stay
        highest = max(highest, suspect.metres)
    return None


def _outliers(readings: list[Reading]) -> tuple[int, ...]:
    """Records whose distance from the reading before is more than a car can cover in the time between."""
    found = []
    for before, after in zip(readings, readings[1:], strict=False):
        elapsed, distance = after.event_at_ms - before.event_at_ms, after.metres - before.metres
        window = next((w for w in sorted(WINDOWS_MS, key=WINDOWS_MS.__getitem__) if elapsed <= WINDOWS_MS[w]), "year")
        periods = -(-max(elapsed, 1) // WINDOWS_MS[window])
        if distance > DISTANCE_LIMITS_METRES[window] * periods:
            found.append(after.sequence)
    return tuple(found)


def _in_event_time(readings: tuple[Reading, ...]) -> list[Reading]:
    """The accredited ones: what a seller declares never counts against others, nor for a verdict."""
    return sorted((r for r in readings if not r.is_declared), key=lambda r: (r.event_at_ms, r.metres, r.sequence))


def judge(
    readings: tuple[Reading, ...], *, was_illogical: bool = False
) -> tuple[Verdict, tuple[str, ...], int, tuple[int, ...]]:
    """(verdict, reasons, sequence of a likely typing error or -1, outlier sequences) from accredited readings.

    `was_illogical`: readings before contradicted each other, some of which may have been left out since.
    """
    ordered = _in_event_time(readings)
    is_full = len(ordered) >= limits.READINGS_MAX
    outliers = _outliers(ordered)
    # before the limit: whoever pads the series with readings must not be able to lift the block
    if was_illogical or not _is_monotone(ordered):
        if is_full:
            return "ILLOGICAL", ("decreasing", "limit"), -1, outliers
        if (suspect := _likely_error(ordered)) is not None:
            return "ILLOGICAL", ("decreasing", "one_reading"), suspect.sequence, outliers
        return "ILLOGICAL", ("decreasing",), -1, outliers
    if is_full:
        return "NO_VERDICT", ("limit", "outliers") if outliers else ("limit",), -1, outliers
    if len(ordered) < 2:
        return "NO_VERDICT", ("too_few",), -1, ()
    return "LOGICAL", ("outliers",) if outliers else (), -1, outliers


def _bounded(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """At most `READINGS_MAX` of them, the rest chosen so that as little as possible is forgotten.

    Declared readings go first, the oldest of them. Else the one that says least: between the first and the last in
    event time, that which lies closest to both its neighbours in metres. Padding thus displaces padding, and what is
    left still finds every later reading that contradicts a forgotten one by more than that spread.
    """
    if len(readings) <= limits.READINGS_MAX:
        return readings
    gone = next((r for r in readings if r.is_declared), None)
    if gone is None:
        ordered = _in_event_time(readings)

        def spread(place: int) -> tuple[int, int]:
            metres = [r.metres for r in ordered[place - 1 : place + 2]]
            return max(metres) - min(metres), ordered[place].sequence

        gone = ordered[min(range(1, len(ordered) - 1), key=spread)]
    return tuple(r for r in readings if r is not gone)


def _with_reading(known: Readings, reading: Reading, author: bytes, now_ms: int) -> Readings:
    """`known` with one more reading, judged anew: the new one together with all that are kept, full or not."""
    day = now_ms // DAY_MS
    counts = dict(known.today) if known.day == day else {}
    counts[author] = counts.get(author, 0) + 1
    readings = (*known.readings, reading)
    verdict, reasons, likely_error, outliers = judge(readings, was_illogical=known.verdict == "ILLOGICAL")
    return Readings(
        _bounded(readings),
        day,
        tuple(sorted(counts.items())),
        verdict,
        reasons,
        likely_error,
        outliers,
        max(known.newest_event_ms, reading.event_at_ms),
    )


def check_reading(ledger: Ledger, vin: str, vehicle: Vehicle | None, odometer: Odometer | None) -> None:
    """Notes a missing reading, a wrong unit, or too many of this author today."""
    if odometer is None:
        ledger.unmet("odometer_missing", vin)
        return
    if vehicle is None:
        return
    if odometer.unit != vehicle.odometer_unit:
        ledger.unmet("unit_differs", vin, odometer.unit, vehicle.odometer_unit)
    known = ledger.get(ODOMETER, vin) or NO_READINGS
    today = dict(known.today).get(ledger.sender, 0) if known.day == ledger.now_ms // DAY_MS else 0
    if today >= limits.READINGS_PER_AUTHOR_AND_DAY_MAX:
        ledger.unmet("readings_today", vin, today, f"at most {limits.READINGS_PER_AUTHOR_AND_DAY_MAX} a day")


def add_reading(
    ledger: Ledger, vin: str, vehicle: Vehicle, odometer: Odometer, event_at_ms: int, is_declared: bool = False
) -> Vehicle:
    """Store and judge a reading that the vehicle's *next* record holds; returns the vehicle with its verdict."""
    reading = Reading(event_at_ms, to_metres(odometer.value, odometer.unit), vehicle.record_count, is_declared)
    known = _with_reading(ledger.get(ODOMETER, vin) or NO_READINGS, reading, ledger.sender, ledger.now_ms)
    ledger.put(ODOMETER, vin, known)
    if known.verdict == vehicle.verdict:
        return vehicle
    has_grown = "LOGICAL" if known.verdict == "LOGICAL" and vehicle.verdict == "NO_VERDICT" else ""
    material = vehicle.material_changes + (0 if has_grown else 1)
    return replace(vehicle, verdict=known.verdict, material_changes=material)


class OdometerRead(Body, tag="odometer.read", frozen=True):
    """A reading on its own, by any accredited writer."""

    vin: Vin
    odometer: Odometer
    event_at_ms: Time
    context: Context
    weight: ClassVar[int] = 100

    def guards(self, ledger: Ledger) -> None:
        vehicle = require_vehicle(ledger, self.vin)
        require_role(ledger, ledger.sender, *ACCREDITED)
        check_event_time(ledger, self.vin, vehicle, self.event_at_ms)
        check_reading(ledger, self.vin, vehicle, self.odometer)

    def apply(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        assert vehicle is not None, "guarded"
        vehicle = add_reading(ledger, self.vin, vehicle, self.odometer, self.event_at_ms)
        outcome = (f"verdict:{vehicle.verdict}",)
        ledger.put(VEHICLE, self.vin, append_record(ledger, self.vin, vehicle, self, self.event_at_ms, outcome))

    def subjects(self) -> tuple[str, ...]:
        return (f"vehicle/{self.vin}",)
