"""A verdict in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def facts_of(verdict: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a verdict says, as (name, text), its age first."""
    trust, car = verdict["trust"], verdict.get("vehicle")
    yield "age", f"{verdict['age_days']} days{', OLD' if verdict['status'] == 'old' else ''}"
    yield "proven", verdict["sentence"]
    yield "root", f"height {trust['root_height']}, {trust['root_age_days']} days old"
    yield "signed", f"by {trust['signed_power']} of {trust['total_power']}, over {trust['links']} links"
    yield "witnesses", f"{trust['witnesses']} of your list"
    marked = [str(entry["sequence"]) for entry in verdict.get("records", ()) if entry.get("is_marked")]
    if marked:
        yield "fraud", f"the authors of the records {', '.join(marked)} were revoked for fraud"
    if car is not None:
        yield "car", f"{car['model']}, {car['existence']}, odometer {car['verdict']}"
        brands = [f"{code} ({state})" for code, state in car["brands"]]
        for name, values in (("flags", car["flags"]), ("brands", brands), ("alerts", car["alerts"]),
                             ("recalls", car["recalls"])):  # fmt: skip
            if values:
                yield name, ", ".join(values)
