"""Activity: how many records each author has written on a car lately, so that guards can bound it."""

from __future__ import annotations

from node.codec import Value

PERIOD_DAYS = 15
"""An author's records without the holder's signature are counted in periods of so many days of block time."""


class Activity(Value, frozen=True):
    """The number of an author's records on a car. `today`: with a reading, on the day of `Readings.day`. `recent`,
    `before`, `earlier`: without the holder's signature, in the period of that day and in each of the two periods
    before."""

    author: int
    today: int
    recent: int
    before: int
    earlier: int


def aged(activity: tuple[Activity, ...], since_day: int, day: int) -> tuple[Activity, ...]:
    """The counts of `since_day` as of a later day: those of the day start anew, and those of a period move on."""
    if day <= since_day:
        return activity
    periods = day // PERIOD_DAYS - since_day // PERIOD_DAYS
    found = []
    for entry in activity:
        counts = (*(0,) * periods, entry.recent, entry.before, entry.earlier)[:3] if periods < 3 else (0, 0, 0)
        if any(counts):
            found.append(Activity(entry.author, 0, *counts))
    return tuple(found)


def with_record(
    activity: tuple[Activity, ...], since_day: int, day: int, author: int, is_acknowledged: bool, *,
    has_reading: bool = True,
) -> tuple[Activity, ...]:  # fmt: skip
    """The counts of a day with one more record of an author. `today` counts readings only."""
    entries = aged(activity, since_day, day)
    unsigned, today = 0 if is_acknowledged else 1, 1 if has_reading else 0
    for n, entry in enumerate(entries):
        if entry.author == author:
            counted = Activity(author, entry.today + today, entry.recent + unsigned, entry.before, entry.earlier)
            return (*entries[:n], counted, *entries[n + 1 :])
    return (*entries, Activity(author, today, unsigned, 0, 0))
