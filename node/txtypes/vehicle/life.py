"""Working sets of a vehicle that only guards need: former holders, repairers, incidents, cool-downs, open disputes.

They are a state value apart from the vehicle, so that an ordinary record does not write them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Annotated, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Address, Hash32, Time, Vin, Zone
from node.limits import DAY_MS
from node.rules.damage import SEVERITIES
from node.txtypes.vehicle.brands import brand_state
from node.txtypes.vehicle.incidents import INCIDENTS_MAX, Incident

HOLDERS_MAX: Final = 4
REPAIRERS_MAX: Final = 8
COOLDOWNS_MAX: Final = 16
PARTS_MAX: Final = 8
DISPUTES_MAX: Final = 14
"""The places of the table `dispute_standings` together."""
TRADED_MS: Final = 90 * DAY_MS
"""A former holder is related to its successor for this time after the title moved."""
THEFT_FOUND_MS: Final = 90 * DAY_MS
"""A theft is found late: what was taken from a car up to this long before the flag is from a stolen car."""
REPAIRED_MS: Final = 180 * DAY_MS
"""A workshop cannot inspect its own repair within this time."""
STRUCTURAL_ALONE_MAX: Final = 2
"""Structural repairs of a car within `REPAIRED_MS` that a workshop and its group report without the holder's
signature."""


class FormerHolder(Value, frozen=True):
    """An account that held the title until `until_ms`, and the account that the title moved to."""

    holder: Address
    receiver: Address
    until_ms: Time


class Repairer(Value, frozen=True):
    """A workshop that repaired the car: the record of its last repair, and when that was included. `alone`: when its
    structural repairs of 180 days were included that the holder has not signed, struck ones too."""

    author: Address
    sequence: int
    at_ms: Time
    alone: Annotated[tuple[Time, ...], Meta(max_length=STRUCTURAL_ALONE_MAX)] = ()


class Cooldown(Value, frozen=True):
    """A time before which a setter and its group cannot set a provisional flag on the car, or report a
    provisional total loss of it."""

    setter: Address
    until_ms: Time


class Unproven(Value, frozen=True):
    """A zone in which the record `sequence` replaced an airbag or a load-bearing part and named no part. It counts from
    `due_ms` on, and no more once the record `proven_by` names parts there; that is 0 for none."""

    zone: Zone
    sequence: int
    due_ms: Time
    proven_by: int


class OpenDispute(Value, frozen=True):
    """An open dispute about one of the car's records, whose vote ends at `ends_at_ms`."""

    dispute: Hash32
    opener: Address
    standing: str
    ends_at_ms: Time


class PartTaken(Value, frozen=True):
    """A car to which parts of this one were fitted; `at_ms`: the latest removal of one from this one, else fitting.
    `fittings`: the number of records that say so."""

    vin: Vin
    at_ms: Time
    fittings: int = 1


class Life(Value, tag=1, frozen=True):
    """The working sets of one vehicle, each bounded, together at most 15 KiB. `older_incidents`: the number of
    incidents beyond the bound; `repairers_overflow_ms`: when a repairer was last dropped because of the bound, 0 for
    never; `holders_overflow_ms`: until when the last holder that was dropped likewise held the title, 0 for never.
    `unproven`: see `Unproven`, each zone at most once. `parts`: where parts of the car went within 90 days."""

    holders: Annotated[tuple[FormerHolder, ...], Meta(max_length=HOLDERS_MAX)]
    holders_overflow_ms: int
    repairers: Annotated[tuple[Repairer, ...], Meta(max_length=REPAIRERS_MAX)]
    repairers_overflow_ms: int
    incidents: Annotated[tuple[Incident, ...], Meta(max_length=INCIDENTS_MAX)]
    older_incidents: int
    cooldowns: Annotated[tuple[Cooldown, ...], Meta(max_length=COOLDOWNS_MAX)]
    unproven: Annotated[tuple[Unproven, ...], Meta(max_length=limits.LIST_MAX)]
    disputes: Annotated[tuple[OpenDispute, ...], Meta(max_length=DISPUTES_MAX)]
    parts: Annotated[tuple[PartTaken, ...], Meta(max_length=PARTS_MAX)]


LIFE = Family("life", Life, ident=VIN_IDENT)
NO_LIFE: Final = Life((), 0, (), 0, (), 0, (), (), (), ())


def with_incident(life: Life, before: Incident | None, after: Incident, now_ms: int) -> Life:
    """The working sets after an incident changed in its place, or was added at the end. From the 17th on, one is
    dropped and only counted: an annulled one, else the mildest, of those one that is not confirmed, of those the one
    that was reported first. So scratches displace no accident."""
    if before is not None:
        return replace(life, incidents=tuple(after if entry is before else entry for entry in life.incidents))
    incidents = (*life.incidents, after)
    if len(incidents) <= INCIDENTS_MAX:
        return replace(life, incidents=incidents)

    def weight(incident: Incident) -> tuple[bool, int, bool, int]:
        state = brand_state(incident, now_ms)
        return state != "annulled", SEVERITIES.index(incident.severity), state == "confirmed", incident.sequence

    dropped = min(incidents, key=weight)
    return replace(
        life, incidents=tuple(entry for entry in incidents if entry is not dropped),
        older_incidents=life.older_incidents + (dropped.state != "annulled"),
    )  # fmt: skip


def with_former_holder(life: Life, holder: bytes, receiver: bytes, now_ms: int) -> Life:
    """The working sets after the title moved. Beyond the bound the first holder is dropped, and its time is noted."""
    former = (*life.holders, FormerHolder(holder, receiver, now_ms))
    dropped = former[: max(0, len(former) - HOLDERS_MAX)]
    overflow = max((entry.until_ms for entry in dropped), default=life.holders_overflow_ms)
    return replace(life, holders=former[-HOLDERS_MAX:], holders_overflow_ms=overflow)


def are_sellers_unknown(life: Life, at_ms: int) -> bool:
    """Whether the bound has dropped an account that may have given the title away within 90 days of a time."""
    return 0 < life.holders_overflow_ms and at_ms <= life.holders_overflow_ms + TRADED_MS


def with_repairer(life: Life, author: bytes, sequence: int, now_ms: int, *, is_structural_alone: bool) -> Life:
    """The working sets after a repair at present, which may be a structural one that the holder has not signed. Beyond
    the bound, the repairer whose last repair is the oldest is dropped, and the time is noted: an inspector's
    independence can then not be shown."""
    recent = (r for r in life.repairers if r.author != author and now_ms < r.at_ms + REPAIRED_MS)
    alone = (*structural_alone(life, (author,), now_ms), *((now_ms,) if is_structural_alone else ()))
    repairers = (*recent, Repairer(author, sequence, now_ms, alone))
    overflow = now_ms if len(repairers) > REPAIRERS_MAX else life.repairers_overflow_ms
    return replace(life, repairers=repairers[-REPAIRERS_MAX:], repairers_overflow_ms=overflow)


def structural_alone(life: Life, authors: Collection[bytes], now_ms: int) -> tuple[int, ...]:
    """When the authors' structural repairs of 180 days were included that the holder has not signed."""
    told = (at_ms for repairer in life.repairers if repairer.author in authors for at_ms in repairer.alone)
    return tuple(at_ms for at_ms in told if now_ms < at_ms + REPAIRED_MS)


def with_part_taken(life: Life, vin: str, at_ms: int, now_ms: int) -> Life:
    """The working sets after a part that was taken from the car was fitted to another. Without room the first is left
    out."""
    known = parts_taken(life, now_ms)
    others = (entry for entry in known if entry.vin != vin)
    found = next((entry for entry in known if entry.vin == vin), PartTaken(vin, at_ms, 0))
    taken = PartTaken(vin, max(at_ms, found.at_ms), found.fittings + 1)
    return replace(life, parts=(*others, taken)[-PARTS_MAX:])


def without_part_taken(life: Life, vin: str) -> Life:
    """The working sets after a fitting to another car has turned out to be wrong."""
    parts = (
        replace(entry, fittings=entry.fittings - 1) if entry.vin == vin else entry for entry in life.parts
    )  # fmt: skip
    return replace(life, parts=tuple(entry for entry in parts if entry.fittings))


def parts_taken(life: Life, now_ms: int) -> tuple[PartTaken, ...]:
    """The cars that got a part of this car so recently that the part counts as stolen if this car is flagged now."""
    return tuple(entry for entry in life.parts if now_ms <= entry.at_ms + THEFT_FOUND_MS)


def repairers_at(life: Life, now_ms: int) -> tuple[bytes, ...]:
    """The accounts that repaired the car within 180 days."""
    return tuple(r.author for r in life.repairers if now_ms < r.at_ms + REPAIRED_MS)


def are_repairers_unknown(life: Life, now_ms: int) -> bool:
    """Whether the bound has dropped an account that repaired the car within 180 days."""
    return 0 < life.repairers_overflow_ms and now_ms < life.repairers_overflow_ms + REPAIRED_MS


def cooldowns_at(life: Life, now_ms: int) -> tuple[Cooldown, ...]:
    """The cool-downs that have not passed."""
    return tuple(entry for entry in life.cooldowns if now_ms < entry.until_ms)


def with_unproven(life: Life, zones: Iterable[str], sequence: int, due_ms: int) -> Life:
    """The working sets after a record that names no part for `zones`. Of two records of one zone, the one that counts
    first is kept."""
    known = {entry.zone: entry for entry in life.unproven}
    for zone in zones:
        found = known.get(zone)
        if found is None or found.proven_by or due_ms < found.due_ms:
            known[zone] = Unproven(zone, sequence, due_ms, 0)
    return replace(life, unproven=tuple(known[zone] for zone in sorted(known)))


def with_proof(life: Life, zones: Collection[str], sequence: int) -> Life:
    """The working sets after a record that names parts and works in `zones`."""
    return replace(life, unproven=tuple(
        replace(entry, proven_by=entry.proven_by or sequence) if entry.zone in zones else entry
        for entry in life.unproven
    ))  # fmt: skip


def unproven_at(life: Life, now_ms: int) -> tuple[str, ...]:
    """The zones whose new parts no record names, as far as that counts."""
    return tuple(entry.zone for entry in life.unproven if entry.due_ms <= now_ms and not entry.proven_by)


def disputes_at(life: Life | None, now_ms: int) -> tuple[OpenDispute, ...]:
    """The open disputes. One whose vote has ended needs only `record.close`, and takes no place."""
    return tuple(entry for entry in life.disputes if now_ms < entry.ends_at_ms) if life is not None else ()
