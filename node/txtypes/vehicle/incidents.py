"""Incidents: one entry for each accident, which all reports of that accident share."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta

from node import limits
from node.codec import Value
from node.ledger.fields import Address, BrandCode, OptionalHash, Time, Zone
from node.limits import DAY_MS, HOUR_MS
from node.rules.damage import SEVERITIES

INCIDENTS_MAX: Final = 16
REPORTERS_MAX: Final = 4
BRANDS_OF_REPORT_MAX: Final = 4
"""Brands that one report can leave: for its cause, structural damage, the high-voltage battery and an airbag."""
JOINED_MS: Final = 72 * HOUR_MS
"""A report belongs to an incident if its event is at most this far from the incident's span: people notice damage
late."""
REPORTS_MAX: Final = 2
REPORTS_COUNT_MS: Final = 365 * DAY_MS
"""Within this time an author can report damage to one car `REPORTS_MAX` times without the holder's signature."""


class Reporter(Value, frozen=True):
    """The author of a report without the holder's signature: the record, when it was included, and the brands it
    leaves."""

    author: Address
    sequence: int
    at_ms: Time
    brands: Annotated[tuple[BrandCode, ...], Meta(max_length=BRANDS_OF_REPORT_MAX)]


class Incident(Value, frozen=True):
    """One accident, as all its reports describe it. `first_ms` and `last_ms`: the earliest and the latest time in a
    report. `sequence`: the first report, which names the incident. `severity`: the worst of all reports. `reporters`:
    authors without the holder's signature, the newest up to the bound."""

    first_ms: Time
    last_ms: Time
    sequence: int
    case: OptionalHash
    zones: Annotated[tuple[Zone, ...], Meta(max_length=limits.LIST_MAX)]
    severity: str
    reports: int
    state: Literal["pending", "confirmed", "annulled"]
    reporters: Annotated[tuple[Reporter, ...], Meta(max_length=REPORTERS_MAX)]
    is_repaired: bool
    is_released: bool


class Told(NamedTuple):
    """What one report says about an accident. `is_firm`: the report is confirmed at once. `reporter`: None if the
    holder signed the report."""

    event_at_ms: int
    sequence: int
    case: bytes
    zones: tuple[str, ...]
    severity: str
    is_firm: bool
    reporter: Reporter | None


def find_incident(
    incidents: tuple[Incident, ...], event_at_ms: int, zones: tuple[str, ...], case: bytes
) -> Incident | None:
    """The first incident that a report belongs to: at most 72 h from the incident's span, and with a zone in common or
    of the same case. An annulled incident takes no further reports."""
    for incident in incidents:
        is_near = incident.first_ms - JOINED_MS <= event_at_ms <= incident.last_ms + JOINED_MS
        is_same = (case and case == incident.case) or not set(zones).isdisjoint(incident.zones)
        if incident.state != "annulled" and is_near and is_same:
            return incident
    return None


def with_report(incident: Incident | None, told: Told) -> Incident:
    """The incident after one more report, or a new incident."""
    if incident is None:
        incident = Incident(
            told.event_at_ms, told.event_at_ms, told.sequence, b"", (), SEVERITIES[0], 0, "pending", (), False, False
        )  # fmt: skip
    reporters = incident.reporters if told.reporter is None else (*incident.reporters, told.reporter)
    return Incident(
        first_ms=min(incident.first_ms, told.event_at_ms), last_ms=max(incident.last_ms, told.event_at_ms),
        sequence=incident.sequence, case=incident.case or told.case,
        zones=tuple(sorted({*incident.zones, *told.zones})),
        severity=max(incident.severity, told.severity, key=SEVERITIES.index), reports=incident.reports + 1,
        state="confirmed" if told.is_firm else incident.state, reporters=reporters[-REPORTERS_MAX:],
        is_repaired=incident.is_repaired, is_released=incident.is_released,
    )  # fmt: skip


def reports_of(incidents: tuple[Incident, ...], author: bytes, now_ms: int) -> int:
    """The number of times within 365 days that the author has reported damage to the car without the holder's
    signature."""
    return sum(
        reporter.author == author and now_ms < reporter.at_ms + REPORTS_COUNT_MS
        for incident in incidents for reporter in incident.reporters
    )  # fmt: skip
