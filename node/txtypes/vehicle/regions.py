"""The regions of a vehicle's state: market, registration, stop-flags, brands, recalls, duties, alerts, inspection.

Deadlines are lazy: what only time does is a pure function of a region and the block's time, which every guard and every
answer uses. The state changes with the next transaction that writes the region.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.ledger.fields import (
    Address,
    Code,
    FlagName,
    Hash32,
    OptionalCountry,
    OptionalHash,
    OptionalTime,
    RecallClass,
    RegistrationCountry,
    RegistrationKind,
    RegistrationUsage,
    Time,
)
from node.limits import DAY_MS

FLAGS_MAX: Final = 16
LIENS_MAX: Final = 4
RECALLS_MAX: Final = 32
DUTIES_MAX: Final = 8
ALERTS_MAX: Final = 16
NOBODY: Final = bytes(20)
"""The author of an alert that time has raised."""
REFUSALS_MAX: Final = 4
EXPORT_MS: Final = 180 * DAY_MS
"""An export that no country confirms counts as exported after this time."""
CLAIM_MS: Final = 30 * DAY_MS
"""The country that has a car objects to another's claim within this time."""
CLAIM_AGAIN_MS: Final = 180 * DAY_MS
"""A country whose claim was objected to claims the car no more for this time."""


# --- market -----------------------------------------------------------------------------------------------
class Market(Value, frozen=True):
    """Off, listed, or reserved by an order, until `until_ms`. `market_of` gives the region as it counts after that."""

    status: Literal["off", "listed", "reserved"]
    listing: OptionalHash
    order: OptionalHash
    until_ms: OptionalTime
    listed_until_ms: OptionalTime
    """Of a reservation: the listing's own deadline, to which the car falls back."""
    holds_money: bool
    """Of a reservation: a payment of the order is authorised, captured, pending or settled. It does not lapse then."""


OFF_MARKET: Final = Market("off", b"", b"", 0, 0, False)


def listed_market(listing: bytes, until_ms: int) -> Market:
    return Market("listed", listing, b"", until_ms, 0, False)


def market_at(market: Market, now_ms: int) -> Market:
    """The market region as it counts at a time. A reservation past its deadline is listed again for as long as its
    listing runs, unless money is under way: then it stays, however late, until the money has gone back or the car has
    changed hands. A listing past its deadline is off."""
    if market.status == "reserved":
        if now_ms < market.until_ms or market.holds_money:
            return market
        market = listed_market(market.listing, market.listed_until_ms)
    return market if now_ms < market.until_ms else OFF_MARKET


# --- registration -----------------------------------------------------------------------------------------
class RegistrationClaim(Value, frozen=True):
    """The registration of a car in another country, for which its holder applies there. It takes effect `CLAIM_MS`
    after `since_ms`, unless the country that has the car objects. `kind`, `usage` and `until_ms` as in `Registration`;
    `brand`: what the usage leaves, or empty; `sequence`: the record that claims."""

    country: RegistrationCountry
    plate_commitment: Hash32
    kind: RegistrationKind
    usage: RegistrationUsage
    brand: str
    until_ms: OptionalTime
    since_ms: Time
    sequence: int


class Refusal(Value, frozen=True):
    """A country whose claim was objected to, and the time before which it claims the car no more."""

    country: RegistrationCountry
    until_ms: Time


class Registration(Value, frozen=True):
    """Registration with the authority of one country: at most one has the car registered or suspended. `country` is the
    last one, `to_country` where an export goes. `kind` and `usage` are those of the last registration. `until_ms`: the
    end of a temporary registration, or of the time in which an export is confirmed. `sequence`: the record that changed
    the status last."""

    status: Literal["none", "registered", "suspended", "deregistered", "export_pending", "exported"]
    country: OptionalCountry
    plate_commitment: OptionalHash
    kind: str
    usage: str
    since_ms: OptionalTime
    until_ms: OptionalTime
    to_country: OptionalCountry
    sequence: int
    claim: RegistrationClaim | None
    refusals: Annotated[tuple[Refusal, ...], Meta(max_length=REFUSALS_MAX)]


UNREGISTERED: Final = Registration("none", "", b"", "", "", 0, 0, "", 0, None, ())
IN_USE: Final = ("registered", "suspended")
"""Statuses in which a country has the car in its register."""


def registration_lapses(registration: Registration, now_ms: int) -> Iterator[tuple[int, Registration]]:
    """What only time has done until `now_ms`: each time, ascending, and the registration after it."""
    while 0 < (at_ms := next_lapse_ms(registration)) <= now_ms:
        registration = _lapsed(registration, at_ms)
        yield at_ms, registration


def next_lapse_ms(registration: Registration) -> int:
    """When time changes the registration next; 0 for never."""
    until_ms, claim = registration.until_ms, registration.claim
    if claim is None:
        return until_ms
    effect_ms = claim.since_ms + CLAIM_MS
    return min(until_ms, effect_ms) if until_ms else effect_ms


def _lapsed(registration: Registration, at_ms: int) -> Registration:
    if registration.until_ms != at_ms:
        return claimed(registration, at_ms)
    status: Literal["exported", "deregistered"]
    status = "exported" if registration.status == "export_pending" else "deregistered"
    return replace(registration, status=status, since_ms=at_ms, until_ms=0)


def claimed(registration: Registration, at_ms: int) -> Registration:
    """The registration after its claim has taken effect: the country before has the car no more."""
    claim = registration.claim
    assert claim is not None
    return Registration(
        "registered", claim.country, claim.plate_commitment, claim.kind, claim.usage, at_ms, claim.until_ms, "",
        claim.sequence, None, registration.refusals,
    )  # fmt: skip


def objected(registration: Registration, now_ms: int) -> Registration:
    """The registration after the country that has the car has objected to a claim, if there is one: the claim is
    closed, and its country claims the car no more for `CLAIM_AGAIN_MS`. Of more than `REFUSALS_MAX` countries the first
    is forgotten."""
    claim = registration.claim
    if claim is None:
        return registration
    others = (r for r in registration.refusals if r.until_ms > now_ms and r.country != claim.country)
    refusals = (*others, Refusal(claim.country, now_ms + CLAIM_AGAIN_MS))[-REFUSALS_MAX:]
    return replace(registration, claim=None, refusals=refusals)


def ended_registration(registration: Registration, now_ms: int, sequence: int) -> Registration:
    """The registration after the car was scrapped or its country has ended it: an open claim is objected to."""
    ended = replace(registration, status="deregistered", since_ms=now_ms, until_ms=0, to_country="", sequence=sequence)
    return objected(ended, now_ms) if registration.status != "none" else registration


# --- stop-flags -------------------------------------------------------------------------------------------
class Flag(Value, frozen=True):
    """A stop-flag (see `rules.stop_flags`), set by the record `sequence`. One that is not firm lapses at `until_ms` and
    blocks handover and transfer only. `case`: commitment to the setter's file, or empty."""

    name: FlagName
    setter: Address
    country: OptionalCountry
    case: OptionalHash
    set_at_ms: Time
    until_ms: OptionalTime
    is_firm: bool
    sequence: int


def flags_at(flags: tuple[Flag, ...], now_ms: int) -> tuple[Flag, ...]:
    """The flags that have not lapsed."""
    return tuple(flag for flag in flags if flag.until_ms == 0 or now_ms < flag.until_ms) if flags else flags


def objected_by(flag: Flag, registration: Registration, blocks: tuple[str, ...], now_ms: int) -> Registration:
    """The registration after a flag was set that blocks the operations `blocks`. One that blocks registration closes a
    claim, which is a registration to come; if the country that has the car sets it, it is that country's objection."""
    if "register_country" not in blocks:
        return registration
    return objected(registration, now_ms) if flag.country == registration.country else replace(registration, claim=None)


# --- recalls, duties, alerts, inspection ----------------------------------------------------------------------
class OpenRecall(Value, frozen=True):
    """A recall campaign that names the car and is not done on it."""

    maker: Address
    campaign: Code
    recall_class: RecallClass


DutyCode = Literal["structural_release", "rebuild"]


class Duty(Value, frozen=True):
    """Something that must happen before the car is handed over: an inspection after structural repair, a rebuild. It
    blocks from `due_ms` on: at once where the holder signed the record, otherwise when its brand is confirmed."""

    code: DutyCode
    sequence: int
    due_ms: OptionalTime


def with_duty(duties: tuple[Duty, ...], code: DutyCode, sequence: int, due_ms: int, now_ms: int) -> tuple[Duty, ...]:
    """The duties with one more. Of a code there is one that is due and one that is not yet; each names its last record,
    which an inspection has to come after, and its earliest time."""
    of_code = [*(duty for duty in duties if duty.code == code), Duty(code, sequence, due_ms)]
    due, waiting = [d for d in of_code if d.due_ms <= now_ms], [d for d in of_code if d.due_ms > now_ms]
    joined = (
        Duty(code, max(duty.sequence for duty in some), min(duty.due_ms for duty in some))
        for some in (due, waiting) if some
    )  # fmt: skip
    return (*(duty for duty in duties if duty.code != code), *joined)


class Alert(Value, frozen=True):
    """A contradiction between records (see `alerts`), with its first and last time and its number of reports.
    `sequence`: the record that changed its state last; `author`: who raised it, or raised it again once closed."""

    code: str
    state: Literal["reported", "confirmed", "closed"]
    first_ms: Time
    last_ms: Time
    count: int
    sequence: int
    author: Address


Alerts = tuple[Alert, ...]


def find_alert(alerts: Alerts, code: str) -> Alert | None:
    return next((alert for alert in alerts if alert.code == code), None)


def raise_alert(
    alerts: Alerts, code: str, author: bytes, sequence: int, now_ms: int, *, is_confirmed: bool = False
) -> Alerts:
    """The alerts after one more report of `code`, ascending by code. The same code counts up; it is never a second
    entry. `is_confirmed`: this report confirms it, see `confirms`. `sequence`: the record that reports it; the alert
    names the one that changed its state last. A closed alert that is reported again is as new, and keeps its count."""
    found = find_alert(alerts, code)
    if found is None or found.state == "closed":
        first, count = (now_ms, 0) if found is None else (found.first_ms, found.count)
        new = Alert(code, "confirmed" if is_confirmed else "reported", first, now_ms, count + 1, sequence, author)
    else:
        new = replace(found, last_ms=now_ms, count=found.count + 1)
        if is_confirmed and found.state == "reported":
            new = replace(new, state="confirmed", sequence=sequence)
    return tuple(sorted((*(a for a in alerts if a.code != code), new), key=lambda alert: alert.code))


class Inspection(Value, frozen=True):
    """The last inspection: its record, its result, until when a pass holds, and by when a fail needs a retest."""

    sequence: int
    result: Literal["pass", "minor", "major", "dangerous"]
    inspector: Address
    at_ms: Time
    valid_until_ms: OptionalTime
    retest_due_ms: OptionalTime


class Clearance(Value, frozen=True):
    """An act that lifted a duty, a flag or the consequence of a brand. It counts as absent once its author is listed
    for fraud from a time before it."""

    what: Literal["rebuild", "structural_release", "unroadworthy", "odometer_replace"]
    author: Address
    sequence: int
    at_ms: Time


def is_retest_overdue(inspection: Inspection | None, now_ms: int) -> bool:
    """Whether a failed car was not inspected again in time: it counts as unroadworthy."""
    return inspection is not None and 0 < inspection.retest_due_ms <= now_ms
