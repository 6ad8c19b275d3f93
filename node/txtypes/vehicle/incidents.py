"""Incidents: one entry for each accident, which all reports of that accident share."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.family import View, extended
from node.ledger.fields import Address, OptionalHash, OptionalTime, Time, Zone
from node.limits import DAY_MS, HOUR_MS
from node.rules.damage import SEVERITIES
from node.txtypes.vehicle.brands import BrandState, brand_state

INCIDENTS_MAX: Final = 16
REPORTERS_MAX: Final = 6
REPAIRS_MAX: Final = 4
JOINED_MS: Final = 72 * HOUR_MS
"""A report belongs to an incident if its event is at most this far from the incident's span: people notice damage
late."""
REPORTS_MAX: Final = 2
REPORTS_COUNT_MS: Final = 365 * DAY_MS
"""Within this time an author can report damage to one car `REPORTS_MAX` times without the holder's signature."""


class Reporter(Value, frozen=True):
    """One report of an accident: its author, its record, when it was included, the places of its zones in
    `Incident.zones` as bits, and the place of its severity in `rules.damage`. `standing`: of its author alone;
    `firm`, if the holder or the police has signed it or arbiters say that it stands; or `struck`, since its author has
    taken it back or arbiters have annulled it. A struck one says nothing, and still counts for its author."""

    author: Address
    sequence: int
    at_ms: Time
    zones: int
    severity: int
    standing: Literal["alone", "firm", "struck"]


class Incident(Value, frozen=True):
    """One accident, as all its reports describe it. `first_ms` and `last_ms`: the earliest and the latest time in a
    report. `sequence`: the first report, which names the incident. `zones`: every zone that a report has named, in that
    order. `reports`: the number of those that are not struck; `reporters`: the gravest report and the newest ones,
    struck ones too, up to the bound; `older_zones` and `older_severity`: what the other reports say, as in `Reporter`.
    `state`, `since_ms` and `disputed_until_ms` as of a brand (see `brand_state`). `repairs`: the newest records that
    repair it; `released_by`: the record that released their structural work, 0 for none."""

    first_ms: Time
    last_ms: Time
    sequence: int
    case: OptionalHash
    zones: Annotated[tuple[Zone, ...], Meta(max_length=limits.LIST_MAX)]
    reports: int
    state: BrandState
    since_ms: Time
    disputed_until_ms: OptionalTime
    reporters: Annotated[tuple[Reporter, ...], Meta(max_length=REPORTERS_MAX)]
    older_zones: int
    older_severity: int
    repairs: Annotated[tuple[int, ...], Meta(max_length=REPAIRS_MAX)]
    released_by: int

    @property
    def counted(self) -> tuple[Reporter, ...]:
        """The reports kept that are not struck."""
        return tuple(reporter for reporter in self.reporters if reporter.standing != "struck")

    @property
    def records(self) -> tuple[int, ...]:
        """The reports that count, as far as they are known."""
        return tuple(dict.fromkeys((self.sequence, *(reporter.sequence for reporter in self.counted))))

    @property
    def _told(self) -> tuple[Reporter, ...]:
        """The reports kept that describe it: of an annulled one, the struck ones."""
        return self.reporters if self.state == "annulled" else self.counted

    @property
    def severity(self) -> str:
        """The worst that a report says."""
        return SEVERITIES[max([self.older_severity, *(reporter.severity for reporter in self._told)])]

    @property
    def damaged(self) -> tuple[str, ...]:
        """The zones that its reports name, ascending."""
        told = self.older_zones
        for reporter in self._told:
            told |= reporter.zones
        return tuple(sorted(zone for place, zone in enumerate(self.zones) if told >> place & 1))

    @property
    def is_repaired(self) -> bool:
        return bool(self.repairs)

    @property
    def is_released(self) -> bool:
        return self.is_repaired and self.released_by > 0


class ReporterView(View, frozen=True):
    """One report of an accident, with the zones and the severity that it tells. `standing` as in `Reporter`."""

    author: Address
    sequence: int
    at_ms: Time
    zones: tuple[str, ...]
    severity: str
    standing: Literal["alone", "firm", "struck"]


class IncidentView(View, frozen=True):
    """One accident, as the reports of it that count describe it, with its state now; of an annulled one, as its reports
    described it."""

    first_ms: Time
    last_ms: Time
    sequence: int
    case: OptionalHash
    zones: tuple[str, ...]
    severity: str
    reports: int
    state: BrandState
    reporters: tuple[ReporterView, ...]
    is_repaired: bool
    is_released: bool

    @staticmethod
    def of(incident: Incident, now_ms: int) -> IncidentView:
        return IncidentView(
            incident.first_ms, incident.last_ms, incident.sequence, incident.case, incident.damaged, incident.severity,
            incident.reports, brand_state(incident, now_ms),
            tuple(_reporter_view(incident.zones, reporter) for reporter in incident.reporters),
            incident.is_repaired, incident.is_released,
        )  # fmt: skip


def _reporter_view(zones: tuple[str, ...], reporter: Reporter) -> ReporterView:
    named = tuple(sorted(zone for place, zone in enumerate(zones) if reporter.zones >> place & 1))
    return extended(ReporterView, reporter, zones=named, severity=SEVERITIES[reporter.severity])


class Told(NamedTuple):
    """What one report says about an accident, in the record `sequence` of `author` at `now_ms`. `is_firm`: the holder
    or the police has signed it; `is_confirmed`: that, or it confirms an earlier report."""

    event_at_ms: int
    sequence: int
    case: bytes
    zones: tuple[str, ...]
    severity: str
    author: bytes
    now_ms: int
    is_firm: bool
    is_confirmed: bool


def find_incident(
    incidents: tuple[Incident, ...], event_at_ms: int, zones: tuple[str, ...], case: bytes
) -> Incident | None:
    """The first incident that a report belongs to: at most 72 h from the incident's span, and with a zone in common or
    of the same case. An annulled incident takes no further reports."""
    for incident in incidents:
        is_near = incident.first_ms - JOINED_MS <= event_at_ms <= incident.last_ms + JOINED_MS
        is_same = (case and case == incident.case) or not set(zones).isdisjoint(incident.damaged)
        if incident.state != "annulled" and is_near and is_same:
            return incident
    return None


def with_report(incident: Incident | None, told: Told) -> Incident:
    """The incident after one more report, or a new incident. Beyond the bound, the oldest report is kept as far as what
    it says, but for the gravest: so that its severity goes with it if it is struck."""
    if incident is None:
        incident = Incident(
            told.event_at_ms, told.event_at_ms, told.sequence, b"", (), 0, "pending", told.now_ms, 0, (), 0, 0, (), 0
        )  # fmt: skip
    zones = (*incident.zones, *(zone for zone in sorted(told.zones) if zone not in incident.zones))
    reporters = (*incident.reporters, Reporter(
        told.author, told.sequence, told.now_ms, sum(1 << zones.index(zone) for zone in told.zones),
        SEVERITIES.index(told.severity), "firm" if told.is_firm else "alone",
    ))  # fmt: skip
    older_zones, older_severity = incident.older_zones, incident.older_severity
    if len(reporters) > REPORTERS_MAX:
        gravest = max(reporters, key=lambda reporter: (reporter.standing != "struck", reporter.severity))
        dropped = next(reporter for reporter in reporters if reporter is not gravest)
        reporters = tuple(reporter for reporter in reporters if reporter is not dropped)
        if dropped.standing != "struck":
            older_zones, older_severity = older_zones | dropped.zones, max(older_severity, dropped.severity)
    return replace(
        incident, first_ms=min(incident.first_ms, told.event_at_ms), last_ms=max(incident.last_ms, told.event_at_ms),
        case=incident.case or told.case, zones=zones, reports=incident.reports + 1,
        state="confirmed" if told.is_confirmed else incident.state, reporters=reporters,
        older_zones=older_zones, older_severity=older_severity,
    )  # fmt: skip


def reports_of(incidents: tuple[Incident, ...], author: bytes, now_ms: int) -> int:
    """The number of times within 365 days that the author has reported damage to the car without the holder's
    signature, also where the report was struck since."""
    return sum(
        reporter.author == author and reporter.standing != "firm" and now_ms < reporter.at_ms + REPORTS_COUNT_MS
        for incident in incidents for reporter in incident.reporters
    )  # fmt: skip
