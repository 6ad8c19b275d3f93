"""Odometer readings as transactions make them: their guards, how they count, and their effect on the vehicle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from node import limits
from node.ledger.family import Reader
from node.ledger.fields import Odometer
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.ruleset import Ruleset
from node.rules.odometer import (
    DECLARED,
    INDEPENDENT,
    INTERESTED,
    SOURCE_CODES,
    Verdict,
    is_worse,
    sources_differ,
    to_metres,
)
from node.txtypes.members.member import frauds_since, group_of, has_role
from node.txtypes.vehicle.instruments import distance_of, highest_distance, offset_at
from node.txtypes.vehicle.readings import (
    NO_READINGS,
    ODOMETER,
    NewReading,
    Readings,
    activity_of,
    newest_counted,
    with_excluded,
    with_reading,
    without_authors,
)
from node.txtypes.vehicle.relation import is_related_to_holder
from node.txtypes.vehicle.vehicle import Vehicle, readings_now

Standing = Literal["independent", "interested", "declared"]
_STANDINGS: Final[dict[Standing, int]] = {
    "independent": INDEPENDENT, "interested": INTERESTED, "declared": DECLARED,
}  # fmt: skip
ACCREDITED: Final = (
    "manufacturer", "dealer", "workshop", "inspector", "insurer", "registrar", "police", "carrier", "dismantler",
)  # fmt: skip
"""Roles whose readings count for the verdict."""

ODOMETER_MISSING = Guard("odometer_missing", "an odometer reading is missing", "ein Kilometerstand fehlt",
                         "缺少里程读数")  # fmt: skip
READINGS_TODAY = Guard("readings_today", "too many readings of this author today",
                       "zu viele Ablesungen dieses Autors heute", "该作者当日读数过多")  # fmt: skip


def check_reading(ledger: Ledger, vin: str, odometer: Odometer | None, *, is_optional: bool = False) -> None:
    """Notes a missing reading, or too many readings of this author today."""
    if odometer is None:
        if not is_optional:
            ledger.unmet(ODOMETER_MISSING, vin)
        return
    readings = ledger.get(ODOMETER, vin) or NO_READINGS
    today, _ = activity_of(readings, ledger.sender, ledger.now_ms)
    check_readings_today(ledger, vin, today)


def check_readings_today(ledger: Ledger, vin: str, today: int) -> None:
    """Notes too many readings of this author today."""
    if today >= limits.READINGS_PER_AUTHOR_AND_DAY_MAX:
        ledger.unmet(READINGS_TODAY, vin, today, f"at most {limits.READINGS_PER_AUTHOR_AND_DAY_MAX} a day")


def reading_standing(ledger: Ledger, vin: str, vehicle: Vehicle, author: bytes, event_at_ms: int) -> Standing:
    """The standing of a reading by `author`: `declared` without an accreditation, `interested` if the author was
    related to the holder of the title at the time, else `independent`."""
    if not has_role(ledger, author, *ACCREDITED):
        return "declared"
    if event_at_ms >= vehicle.title_since_ms and vehicle.holder == author:
        return "interested"
    return "interested" if is_related_to_holder(ledger, vin, vehicle, author, event_at_ms) else "independent"


def add_reading(
    ledger: Ledger, vin: str, vehicle: Vehicle, odometer: Odometer, event_at_ms: int, standing: Standing,
    *, is_acknowledged: bool = False,
) -> Vehicle:  # fmt: skip
    """Store and judge a reading that the vehicle's *next* record contains; returns the vehicle with its verdict."""
    judged = _judged(ledger, vin, vehicle, odometer, event_at_ms, standing, is_acknowledged=is_acknowledged)
    ledger.put(ODOMETER, vin, judged)
    return vehicle if judged.verdict == vehicle.verdict else replace(vehicle, verdict=judged.verdict)


def verdict_with(
    ledger: Ledger, vin: str, vehicle: Vehicle, odometer: Odometer, event_at_ms: int, standing: Standing
) -> Verdict:
    """The verdict as it would count with a reading that the holder has signed, in the vehicle's *next* record."""
    judged = _judged(ledger, vin, vehicle, odometer, event_at_ms, standing, is_acknowledged=True)
    return without_authors(judged, frauds_since(ledger), ledger.rules).verdict


def _judged(
    ledger: Ledger, vin: str, vehicle: Vehicle, odometer: Odometer, event_at_ms: int, standing: Standing,
    *, is_acknowledged: bool,
) -> Readings:  # fmt: skip
    others = [to_metres(other.value, odometer.unit) for other in odometer.others]
    metres = to_metres(odometer.value, odometer.unit)
    reading = NewReading(
        event_at_ms, metres, vehicle.record_count, _STANDINGS[standing], SOURCE_CODES[odometer.source],
        is_acknowledged, bool(others) and sources_differ([metres, *others]),
    )  # fmt: skip
    earlier = ledger.get(ODOMETER, vin) or NO_READINGS
    group = group_of(ledger, ledger.sender)
    return with_reading(earlier, reading, ledger.sender, group, ledger.now_ms, ledger.rules)


class HistoryReading(NamedTuple):
    """A reading of an imported car from before its import, and its author."""

    event_at_ms: int
    metres: int
    author: bytes
    standing: Standing
    source: str


def add_history(ledger: Ledger, vin: str, vehicle: Vehicle, readings: Iterable[HistoryReading]) -> Vehicle:
    """Store and judge the readings in the record that imports a car. All have the sequence of that record. None counts
    as a reading that its author has added today, so the dealer may read the car again."""
    leaf = NO_READINGS
    for read in readings:
        new = NewReading(
            read.event_at_ms, read.metres, vehicle.record_count, _STANDINGS[read.standing], SOURCE_CODES[read.source]
        )  # fmt: skip
        leaf = with_reading(leaf, new, read.author, group_of(ledger, read.author), ledger.now_ms, ledger.rules)
    ledger.put(ODOMETER, vin, replace(leaf, activity=()))
    return replace(vehicle, verdict=leaf.verdict)


def is_verdict_worse(before: Vehicle, after: Vehicle) -> bool:
    """Whether the readings contradict each other more than before. A verdict that is mended is no news to a buyer."""
    return is_worse(after.verdict, before.verdict)


def verdict_outcome(vehicle: Vehicle) -> str:
    """The outcome code of a record for the verdict."""
    return f"verdict:{vehicle.verdict}"


def highest_metres(reader: Reader, vin: str, until_ms: int, rules: Ruleset) -> int:
    """The greatest distance, in metres, that a judged and plausible reading up to a time shows; 0 if there is none."""
    return highest_distance(readings_now(reader, vin, rules), until_ms)


def newest_distance(reader: Reader, vin: str) -> int:
    """Metres that the car has gone, over all its instruments, by the newest counted reading; 0 where there is none."""
    readings = counted_now(reader, vin)
    newest = newest_counted(readings)
    return distance_of(readings, newest) if newest is not None else 0


def distance_shown(reader: Reader, vin: str, odometer: Odometer, event_at_ms: int) -> int:
    """Metres that the car has gone if its instrument shows a reading at a time."""
    readings = reader.get(ODOMETER, vin) or NO_READINGS
    return to_metres(odometer.value, odometer.unit) + offset_at(readings, event_at_ms)


def newest_event_ms(reader: Reader, vin: str) -> int:
    """The time of the newest judged reading that is not backfilled, 0 if there is none."""
    leaf = reader.get(ODOMETER, vin) or NO_READINGS
    if (kept := with_excluded(leaf, frauds_since(reader))) is leaf:
        return leaf.newest_event_ms
    newest = newest_counted(kept)
    return newest.event_at_ms if newest is not None else 0


def counted_now(reader: Reader, vin: str) -> Readings:
    """The readings, those excluded that authors have made who are listed for fraud since."""
    return with_excluded(reader.get(ODOMETER, vin) or NO_READINGS, frauds_since(reader))
