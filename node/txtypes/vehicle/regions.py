"""Regions of a vehicle's state: market, registration, stop-flags, brands, recalls, duties, alerts, inspection.

Deadlines are lazy. What time alone changes is a pure function of a region and the block's time, which every guard and
every answer uses. The stored value changes with the next transaction that writes the region.
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
"""The author of an alert that time alone has raised."""
REFUSALS_MAX: Final = 4
EXPORT_MS: Final = 180 * DAY_MS
"""An export that no country confirms within this time counts as exported."""
CLAIM_MS: Final = 30 * DAY_MS
"""The country that has a car registered can object to another country's claim within this time."""
CLAIM_AGAIN_MS: Final = 180 * DAY_MS
"""A country whose claim was objected to cannot claim the car again within this time."""


# --- market -----------------------------------------------------------------------------------------------
class Market(Value, frozen=True):
    """Whether a car is off the market, listed, reserved by an order, or on its way back from a buyer who has withdrawn,
    until `until_ms`. `market_at` gives the region as it counts after that."""

    status: Literal["off", "listed", "reserved", "returning"]
    listing: OptionalHash
    """Empty for none, also where an order takes the car in payment."""
    order: OptionalHash
    until_ms: OptionalTime
    listed_until_ms: OptionalTime = 0
    """The deadline of the listing that a reserved car falls back to."""
    hold_until_ms: OptionalTime = 0
    """The end of a reservation, whatever money is under way."""
    money_until_ms: OptionalTime = 0
    """Until when money of the reserving order keeps the reservation, but not beyond `hold_until_ms`."""
    lock_ms: Annotated[int, Meta(ge=0)] = 0
    """How long after the end of the reservation the car goes to nobody but the order's buyer, who has paid in full."""
    locked_until_ms: OptionalTime = 0
    """Until when the car goes to nobody but the buyer of `order`, whom its seller has left."""


OFF_MARKET: Final = Market("off", b"", b"", 0)


def listed_market(listing: bytes, until_ms: int) -> Market:
    return Market("listed", listing, b"", until_ms)


def reserved_until_ms(market: Market) -> int:
    """When the reservation ends: at its deadline, or later with the money, at the latest at its hard end."""
    return max(market.until_ms, min(market.money_until_ms, market.hold_until_ms))


def market_at(market: Market, now_ms: int) -> Market:
    """The market region at a time. After its end a reserved car is listed again, for as long as its listing runs; where
    the buyer had paid in full, it is locked for others first. A listing after its deadline is off the market."""
    if market.status == "off":
        return market
    if market.status == "reserved":
        if now_ms < (end := reserved_until_ms(market)):
            return market
        locked = Market("off", b"", market.order, 0, locked_until_ms=end + market.lock_ms)
        if now_ms < locked.locked_until_ms:
            return locked
        market = listed_market(market.listing, market.listed_until_ms)
    return market if now_ms < market.until_ms else OFF_MARKET


# --- registration -----------------------------------------------------------------------------------------
class RegistrationClaim(Value, frozen=True):
    """A claim of one country to register a car that another country has registered. The holder applies for it. It takes
    effect `CLAIM_MS` after `since_ms`, unless the country that has the car objects. `kind`, `usage` and `until_ms` as
    in `Registration`; `brand`: the brand of the usage, or empty; `sequence`: the record of the claim."""

    country: RegistrationCountry
    plate_commitment: Hash32
    kind: RegistrationKind
    usage: RegistrationUsage
    brand: str
    until_ms: OptionalTime
    since_ms: Time
    sequence: int


class Refusal(Value, frozen=True):
    """A country whose claim was objected to. It cannot claim the car again before `until_ms`."""

    country: RegistrationCountry
    until_ms: Time


class RegistrationFacts(Value, frozen=True):
    """What a record has made of a car's registration. `country` is the last one, `to_country` where an export goes.
    `kind` and `usage` are those of the last registration. `until_ms`: the end of a temporary registration, or of the
    time in which an export is confirmed. `sequence`: the record. `end_reason`: why the country ended it, of one that it
    ended; `took_into_service`: whether the car was new before."""

    status: Literal["none", "registered", "suspended", "deregistered", "export_pending", "exported"]
    country: OptionalCountry
    plate_commitment: OptionalHash
    kind: str
    usage: str
    since_ms: OptionalTime
    until_ms: OptionalTime
    to_country: OptionalCountry
    sequence: int
    end_reason: str
    took_into_service: bool


class Registration(RegistrationFacts, frozen=True):
    """Registration with the authority of one country: at most one has the car registered or suspended. `before`: what
    comes back if the record is annulled or amended; null where that record no longer counts itself."""

    claim: RegistrationClaim | None
    refusals: Annotated[tuple[Refusal, ...], Meta(max_length=REFUSALS_MAX)]
    before: RegistrationFacts | None


UNREGISTERED: Final = Registration("none", "", b"", "", "", 0, 0, "", 0, "", False, None, (), None)
IN_USE: Final = ("registered", "suspended")
"""Statuses in which a country has the car registered."""


def registration_lapses(registration: Registration, now_ms: int) -> Iterator[tuple[int, Registration]]:
    """The changes that time alone has made until `now_ms`: the time of each, ascending, and the registration after
    it."""
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
    """The registration after its claim has taken effect. The country before no longer has the car."""
    claim = registration.claim
    assert claim is not None
    return Registration(
        "registered", claim.country, claim.plate_commitment, claim.kind, claim.usage, at_ms, claim.until_ms, "",
        claim.sequence, "", False, None, registration.refusals, status_of(registration),
    )  # fmt: skip


def status_of(registration: Registration) -> RegistrationFacts:
    """What its last record has made of it."""
    return RegistrationFacts(*(getattr(registration, name) for name in RegistrationFacts.__struct_fields__))


def without_registration(registration: Registration, sequence: int) -> Registration:
    """The registration after a record has turned out to be wrong. The claim that it opened is closed, and one that it
    objected to may be made again; of the status that it made, the one before comes back. Where that is not known any
    more, no country has the car."""
    claim = registration.claim
    claim = None if claim is not None and claim.sequence == sequence else claim
    before = registration.before
    if registration.sequence != sequence or registration.status == "none":
        if before is not None and before.sequence == sequence and before.status != "none":
            return replace(unrefused(registration, before.since_ms), claim=claim, before=None)
        return replace(registration, claim=claim)
    registration = unrefused(registration, registration.since_ms)
    if before is None:
        return replace(registration, status="deregistered", until_ms=0, to_country="", end_reason="", claim=claim)
    told = {name: getattr(before, name) for name in RegistrationFacts.__struct_fields__}
    return Registration(**told, claim=claim, refusals=registration.refusals, before=None)


def objected(registration: Registration, now_ms: int) -> Registration:
    """The registration after an objection to its claim, if it has one. The claim is closed, and its country cannot
    claim the car again for `CLAIM_AGAIN_MS`. Beyond `REFUSALS_MAX` countries the first is dropped."""
    claim = registration.claim
    if claim is None:
        return registration
    others = (r for r in registration.refusals if r.until_ms > now_ms and r.country != claim.country)
    refusals = (*others, Refusal(claim.country, now_ms + CLAIM_AGAIN_MS))[-REFUSALS_MAX:]
    return replace(registration, claim=None, refusals=refusals)


def unrefused(registration: Registration, at_ms: int) -> Registration:
    """The registration without the objection of a time, which has turned out to be wrong."""
    kept = tuple(refusal for refusal in registration.refusals if refusal.until_ms != at_ms + CLAIM_AGAIN_MS)
    return replace(registration, refusals=kept)


def released(registration: Registration, sequence: int) -> Registration:
    """As if its last change were by the record `sequence`, by which a country has let a claim take effect: of all that
    end a registration, that alone names the record of the claim."""
    return replace(registration, sequence=sequence) if sequence > registration.sequence else registration


def ended_registration(registration: Registration, now_ms: int, sequence: int, reason: str) -> Registration:
    """The registration after the car was scrapped or its country has ended it: an open claim is objected to."""
    ended = replace(
        registration, status="deregistered", since_ms=now_ms, until_ms=0, to_country="", sequence=sequence,
        end_reason=reason, took_into_service=False, before=status_of(registration),
    )  # fmt: skip
    return objected(ended, now_ms) if registration.status != "none" else registration


# --- stop-flags -------------------------------------------------------------------------------------------
class Flag(Value, frozen=True):
    """A stop-flag (see `rules.stop_flags`), set by the record `sequence`. A flag that is not firm lapses at `until_ms`
    and blocks only handover and transfer. `case`: commitment to the setter's file, or empty."""

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
    """The registration after `flag` was set, which blocks the operations `blocks`. A flag that blocks registration
    closes an open claim. If the country that has the car set the flag, this counts as its objection."""
    if "register_country" not in blocks:
        return registration
    return objected(registration, now_ms) if flag.country == registration.country else replace(registration, claim=None)


# --- recalls, duties, alerts, inspection ----------------------------------------------------------------------
class OpenRecall(Value, frozen=True):
    """A recall campaign that names the car and that is not yet carried out on it. `since_ms`: when it named the car, or
    the event of the record that reported it as done and counts no more."""

    maker: Address
    campaign: Code
    recall_class: RecallClass
    since_ms: Time


DutyCode = Literal["structural_release", "rebuild"]


class Duty(Value, frozen=True):
    """An act that must precede the car's handover: an inspection after a structural repair, or a rebuild. It blocks
    from `due_ms` on: at once if the holder signed the record, otherwise when the record's brand is confirmed."""

    code: DutyCode
    sequence: int
    due_ms: OptionalTime


def with_duty(duties: tuple[Duty, ...], code: DutyCode, sequence: int, due_ms: int, now_ms: int) -> tuple[Duty, ...]:
    """The duties after one more. Of one code there is at most one that is due and one that is not yet due. Each has its
    last record, which an inspection has to come after, and its earliest time."""
    of_code = [*(duty for duty in duties if duty.code == code), Duty(code, sequence, due_ms)]
    due, waiting = [d for d in of_code if d.due_ms <= now_ms], [d for d in of_code if d.due_ms > now_ms]
    joined = (
        Duty(code, max(duty.sequence for duty in some), min(duty.due_ms for duty in some))
        for some in (due, waiting) if some
    )  # fmt: skip
    return (*(duty for duty in duties if duty.code != code), *joined)


class Alert(Value, frozen=True):
    """A contradiction between records (see `alerts`), with its first and last time and its number of reports.
    `sequence`: the record that changed its state last, or closed it; `author`: who raised it, or raised it again once
    closed, by the record `raised_by`."""

    code: str
    state: Literal["reported", "confirmed", "closed"]
    first_ms: Time
    last_ms: Time
    count: int
    sequence: int
    author: Address
    raised_by: int


Alerts = tuple[Alert, ...]


def find_alert(alerts: Alerts, code: str) -> Alert | None:
    return next((alert for alert in alerts if alert.code == code), None)


def raise_alert(
    alerts: Alerts, code: str, author: bytes, sequence: int, now_ms: int, *, is_confirmed: bool = False
) -> Alerts:
    """The alerts after one more report of `code`, ascending by code. Each code has one entry, which counts its reports.
    `is_confirmed`: this report confirms it, see `confirms`. `sequence`: the record that reports it. A closed alert that
    is reported again is raised anew and keeps its count."""
    found = find_alert(alerts, code)
    if found is None or found.state == "closed":
        first, count = (now_ms, 0) if found is None else (found.first_ms, found.count)
        state: Literal["confirmed", "reported"] = "confirmed" if is_confirmed else "reported"
        new = Alert(code, state, first, now_ms, count + 1, sequence, author, sequence)
    else:
        new = replace(found, last_ms=now_ms, count=found.count + 1)
        if is_confirmed and found.state == "reported":
            new = replace(new, state="confirmed", sequence=sequence)
    return tuple(sorted((*(a for a in alerts if a.code != code), new), key=lambda alert: alert.code))


class Inspection(Value, frozen=True):
    """The car's last inspection: its record, its result, until when a pass is valid, and by when a fail needs a
    retest."""

    sequence: int
    result: Literal["pass", "minor", "major", "dangerous"]
    inspector: Address
    at_ms: Time
    valid_until_ms: OptionalTime
    retest_due_ms: OptionalTime


class Clearance(Value, frozen=True):
    """An act that lifted a duty, a flag or the consequence of a brand. It no longer counts if its author is listed for
    fraud from a time before it. `failed`, `flag`: the fail and the firm flag `unroadworthy` that it ended, which come
    back if its record is struck; null for none."""

    what: Literal["rebuild", "structural_release", "unroadworthy", "odometer_replace"]
    author: Address
    sequence: int
    at_ms: Time
    failed: Inspection | None = None
    flag: Flag | None = None


def is_retest_overdue(inspection: Inspection | None, now_ms: int) -> bool:
    """Whether a failed car was not inspected again in time. It then counts as unroadworthy."""
    return inspection is not None and 0 < inspection.retest_due_ms <= now_ms
