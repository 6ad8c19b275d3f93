"""Opening hours in words: the part of OpenStreetMap's notation that a site's `opening_hours` can have."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from web.words import Words

WEEKDAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
HOLIDAYS: Final = ("PH", "SH")
_RULE: Final = re.compile(r"(?:(?P<days>[A-Z][A-Za-z,-]*) )?(?P<hours>off|[0-9:,-]+)")


def in_words(words: Words, opening_hours: str) -> list[tuple[str, str]]:
    """Pairs of days and hours, from Monday on, then holidays; of several rules for a day the last one counts. Empty for
    hours that are not known."""
    hours: dict[str, str] = {}
    for rule in filter(None, (part.strip() for part in opening_hours.split(";"))):
        read = _RULE.fullmatch(rule)
        if read is None:
            return []
        hours |= dict.fromkeys(_days(read["days"]), read["hours"])
    if not hours:
        return []
    week = [(day, hours.get(day, "off")) for day in WEEKDAYS]
    runs = [(spans, [day for day, _ in run]) for spans, run in groupby(week, key=lambda pair: pair[1])]
    told = [(_days_told(words, days), _hours_told(words, spans)) for spans, days in runs]
    return told + [(words(f"service.{day}"), _hours_told(words, hours[day])) for day in HOLIDAYS if day in hours]


def _days(text: str | None) -> list[str]:
    """`Mo-Fr,Su` as days; no days: the whole week. A span may go over Sunday."""
    if text is None:
        return list(WEEKDAYS)
    found: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first in WEEKDAYS and last in WEEKDAYS:
            begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
            end += 7 if end < begin else 0
            found += [WEEKDAYS[day % 7] for day in range(begin, end + 1)]
        else:
            found += [day for day in (first, last) if day]
    return found


def _days_told(words: Words, days: list[str]) -> str:
    first, last = words(f"service.{days[0]}"), words(f"service.{days[-1]}")
    if len(days) == 7:
        return words("service.daily")
    return first if len(days) == 1 else words("service.days", first=first, last=last)


def _hours_told(words: Words, hours: str) -> str:
    if hours == "off":
        return words("service.closed")
    spans = [span.replace("-", "–") for span in hours.split(",")]
    if spans == ["00:00–24:00"]:
        return words("service.round_the_clock")
    return words("service.hours", spans=("、" if words.tag == "zh" else ", ").join(spans))
