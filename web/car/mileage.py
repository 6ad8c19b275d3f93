"""The mileage of a car: a plot, and the same readings as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from node.audit.signed_report.svg import ticks
from node.rules.odometer import MILLIMETRES
from web.car.people import People
from web.drawing.mileage import Point, Tick, draw_mileage
from web.words import Words

_YEARS, _MONTHS, _DAYS = 3 * 365, 120, 3
"""Days that the readings span from which the axis has years, months, days. Below: the first and the last time."""


STYLES: Final = {"counted": "dot", "backfilled": "told"}
"""How a reading is drawn, by its state; others are crossed out."""


class Row(NamedTuple):
    """A reading. `state`: `counted`, or why it does not count, as its code; `state_text` in words."""

    sequence: int
    day: str
    shown: str
    distance: str
    author: str
    source: str
    state: str
    state_text: str


class Mileage(NamedTuple):
    """`plot`: SVG, empty where there are fewer than two readings."""

    rows: tuple[Row, ...]
    plot: str
    has_crosses: bool
    """Whether a reading does not count."""
    has_instruments: bool
    """Whether an instrument was replaced, so that it shows less than the car has gone."""


def mileage_of(series: Mapping[str, Any], words: Words, people: People) -> Mileage:
    """The readings of an odometer's series, the oldest first."""
    readings: list[Mapping[str, Any]] = sorted(
        series["readings"], key=lambda each: (each["event_at"], each["sequence"])
    )
    unit = str(series["unit"])
    rows = tuple(
        Row(
            each["sequence"], words.day(each["event_at"]), words.distance(each["metres"], unit),
            words.distance(each["distance_metres"], unit), people.name(each["author"], each["author_name"]),
            words.code("odometer_sources", each["source"]), each["state"], words(f"car.reading_{each['state']}"),
        )
        for each in readings
    )  # fmt: skip
    return Mileage(
        rows, _plot(readings, rows, unit, words), any(row.state not in STYLES for row in rows), bool(series["segments"])
    )  # fmt: skip


def _plot(readings: Sequence[Mapping[str, Any]], rows: Sequence[Row], unit: str, words: Words) -> str:
    if len(readings) < 2:
        return ""
    points = [
        Point(
            _ms(each["event_at"]), each["distance_metres"] * 1_000 // MILLIMETRES[unit],
            STYLES.get(row.state, "cross"), f"#record-{row.sequence}",
            f"{row.day}, {row.distance}, {row.author}: {row.state_text}",
        )
        for each, row in zip(readings, rows, strict=True)
    ]  # fmt: skip
    scale = ticks(max(point.value for point in points), 3)
    title = words("car.plot", count=words.number(len(rows)), first=rows[0].day, last=rows[-1].day)
    return draw_mileage(title, points, scale, words.number, unit, _times(points, words))


def _times(points: Sequence[Point], words: Words) -> list[Tick]:
    """Round times between the first and the last reading."""
    first, last = (datetime.fromtimestamp(point.at_ms / 1000, UTC) for point in (points[0], points[-1]))
    days = (last - first).days
    if days >= _YEARS:
        return [_tick(datetime(year, 1, 1, tzinfo=UTC), str(year)) for year in range(first.year + 1, last.year + 1)]
    if days >= _MONTHS:
        step = 1 if days < 240 else 3
        months = range(first.year * 12 + first.month, last.year * 12 + last.month)
        starts = [datetime(n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in months if n % step == 0]
        return [_tick(start, words.month(start.isoformat())) for start in starts]
    ends = (first, last) if days >= _DAYS else (last,)
    return [_tick(end, words.day(end.isoformat())) for end in ends]


def _tick(time: datetime, label: str) -> Tick:
    return Tick(int(time.timestamp() * 1000), label)


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)
