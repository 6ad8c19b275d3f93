"""Working sets of a vehicle's life that guards need and no buyer: former holders, repairers, incidents, cool-downs.

They are apart from the vehicle, so that an ordinary record does not write them.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from node.codec import Value
from node.ledger.family import VIN_IDENT, Family
from node.ledger.fields import Address, Hash32, OptionalHash, Time, Zone
from node.limits import DAY_MS

HOLDERS_MAX: Final = 4
REPAIRERS_MAX: Final = 8
INCIDENTS_MAX: Final = 16
COOLDOWNS_MAX: Final = 16
TRADED_MS: Final = 90 * DAY_MS
"""A former holder is related to its successor for this time after the title moved."""
REPAIRED_MS: Final = 180 * DAY_MS
"""A repairer does not inspect its own work within this time."""


class FormerHolder(Value, frozen=True):
    """An account that held the title, until `until_ms`, and the one it moved to."""

    holder: Address
    receiver: Address
    until_ms: Time


class Repairer(Value, frozen=True):
    """A workshop that repaired the car."""

    author: Address
    sequence: int
    at_ms: Time


class Incident(Value, frozen=True):
    """One accident, as all its reports tell it. Reports within 72 h of its span that have a zone in common, or the same
    case, are one incident. `severity` is the worst of the reports; `digest` names the first report."""

    first_ms: Time
    last_ms: Time
    sequence: int
    digest: Hash32
    author: Address
    case: OptionalHash
    zones: tuple[Zone, ...]
    severity: str
    reports: int
    state: str
    """pending, confirmed, annulled"""
    is_repaired: bool
    is_released: bool


class Cooldown(Value, frozen=True):
    """A setter, and its group, sets no provisional flag on the car before `until_ms`."""

    setter: Address
    until_ms: Time


class Life(Value, tag=1, frozen=True):
    """The working sets of one vehicle, each bounded. `older_incidents`: how many the list has no room for;
    `repairers_overflow_ms`: when a repairer was last left out for want of room, 0 for never."""

    holders: Annotated[tuple[FormerHolder, ...], Meta(max_length=HOLDERS_MAX)]
    repairers: Annotated[tuple[Repairer, ...], Meta(max_length=REPAIRERS_MAX)]
    repairers_overflow_ms: int
    incidents: Annotated[tuple[Incident, ...], Meta(max_length=INCIDENTS_MAX)]
    older_incidents: int
    cooldowns: Annotated[tuple[Cooldown, ...], Meta(max_length=COOLDOWNS_MAX)]


LIFE = Family("life", Life, ident=VIN_IDENT)
NO_LIFE: Final = Life((), (), 0, (), 0, ())


def repairers_at(life: Life | None, at_ms: int) -> tuple[bytes, ...]:
    """The workshops that are known to have repaired the car within 180 days of a time."""
    return tuple(r.author for r in life.repairers if abs(at_ms - r.at_ms) <= REPAIRED_MS) if life is not None else ()


def are_repairers_unknown(life: Life | None, at_ms: int) -> bool:
    """Whether a repairer within 180 days of a time may have been left out for want of room."""
    return life is not None and 0 < life.repairers_overflow_ms >= at_ms - REPAIRED_MS


def cooldowns_at(life: Life | None, now_ms: int) -> tuple[Cooldown, ...]:
    """The cool-downs that have not passed."""
    return tuple(entry for entry in life.cooldowns if now_ms < entry.until_ms) if life is not None else ()
