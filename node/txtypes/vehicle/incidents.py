"""Incidents: an accident as all its reports tell it, however many authors report it."""

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
"""A report leaves at most these: of its cause, of structural damage, of the high-voltage battery, of an airbag."""
JOINED_MS: Final = 72 * HOUR_MS
"""How far from the span of an incident a report of the same accident may be dated: people learn of damage late."""
REPORTS_MAX: Final = 2
REPORTS_COUNT_MS: Final = 365 * DAY_MS
"""An author reports damage to one car at most `REPORTS_MAX` times within this without the holder's signature."""


class Reporter(Value, frozen=True):
    """An author that reported the incident and that the holder did not confirm, in which record, when it was included,
    and the brands that its report leaves."""

    author: Address
    sequence: int
    at_ms: Time
    brands: Annotated[tuple[BrandCode, ...], Meta(max_length=BRANDS_OF_REPORT_MAX)]


class Incident(Value, frozen=True):
    """One accident. `first_ms` and `last_ms`: the earliest and latest time that a report gives it. `sequence`: its
    first report, which names it. `severity`: the worst of all reports. `reporters`: those without the holder's
    signature, the newest where there is no room for all."""

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
    """What a report says of an accident. `is_firm`: its author or a second one binds. `reporter`: None for a report
    that the holder signed."""

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
    """The incident that a report belongs to: within 72 h of its span, with a zone in common or of the same case; the
    first of several. An annulled one takes no more reports."""
    for incident in incidents:
        is_near = incident.first_ms - JOINED_MS <= event_at_ms <= incident.last_ms + JOINED_MS
        is_same = (case and case == incident.case) or not set(zones).isdisjoint(incident.zones)
        if incident.state != "annulled" and is_near and is_same:
            return incident
    return None


def with_report(incident: Incident | None, told: Told) -> Incident:
    """The incident with one more report; a new one where there is none."""
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
    """How often the author has reported damage to the car within 365 days without the holder's signature."""
    return sum(
        reporter.author == author and now_ms < reporter.at_ms + REPORTS_COUNT_MS
        for incident in incidents for reporter in incident.reporters
    )  # fmt: skip
