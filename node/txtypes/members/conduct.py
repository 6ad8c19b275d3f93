"""Conduct: how often the records of a member were disputed, annulled or left unanswered, per quarter of a year."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import ADDRESS_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import Address, OptionalTime
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS

QUARTER_MS: Final = 91 * DAY_MS
QUARTERS_MAX: Final = 8

AUTHOR_ON_HOLD = Guard("author_on_hold", "too many records of the author were annulled or left unanswered: it may "
                       "write no new ones for a time", "zu viele Einträge des Autors wurden annulliert oder blieben "
                       "unbeantwortet: er schreibt vorerst keine neuen", "该作者被撤销或未答复的记录过多，暂停写入",
                       is_permission=True)  # fmt: skip


class Quarter(Value, frozen=True):
    """Counters of one quarter (block time / 91 days)."""

    quarter: int
    disputed: int
    unanswered: int
    upheld: int
    annulled: int
    amended: int
    contradicted: int


class Conduct(Value, tag=1, frozen=True):
    """The last eight quarters of an author, ascending; until when it writes no new records; how many provisional flags
    of it are alive, with their ends."""

    quarters: Annotated[tuple[Quarter, ...], Meta(max_length=QUARTERS_MAX)]
    hold_until_ms: OptionalTime
    provisional_until_ms: Annotated[tuple[int, ...], Meta(max_length=5)]


class ConductView(Conduct, frozen=True):
    """An author's conduct."""

    address: Address
    is_on_hold: bool

    @staticmethod
    def of(ident: str, conduct: Conduct, reader: Reader, as_of: AsOf) -> ConductView:
        return extended(ConductView, conduct, address=bytes.fromhex(ident),
                        is_on_hold=as_of.now_ms < conduct.hold_until_ms)  # fmt: skip


CONDUCT = Family(
    "conduct", Conduct, ident=ADDRESS_IDENT, concerns=lambda ident, conduct: (f"account/{ident}",), event="conduct",
    view=ConductView, internal=("address",),
)  # fmt: skip
NO_CONDUCT: Final = Conduct((), 0, ())


def check_not_on_hold(ledger: Ledger, author: bytes) -> None:
    conduct = ledger.get(CONDUCT, author)
    if conduct is not None and ledger.now_ms < conduct.hold_until_ms:
        ledger.unmet(AUTHOR_ON_HOLD, to_text(author), need=f"after {time_to_text(conduct.hold_until_ms)}")


def provisional_flags(reader: Reader, author: bytes, now_ms: int) -> tuple[int, ...]:
    """The ends of the author's provisional flags that are alive."""
    conduct = reader.get(CONDUCT, author)
    return tuple(end for end in conduct.provisional_until_ms if now_ms < end) if conduct is not None else ()


def add_provisional_flag(ledger: Ledger, author: bytes, until_ms: int) -> None:
    """Count one more provisional flag of the author."""
    conduct, alive = ledger.get(CONDUCT, author) or NO_CONDUCT, provisional_flags(ledger, author, ledger.now_ms)
    ledger.put(CONDUCT, author, replace(conduct, provisional_until_ms=tuple(sorted((*alive, until_ms)))))


def drop_provisional_flag(ledger: Ledger, author: bytes, until_ms: int) -> None:
    """A provisional flag of the author has become firm or was lifted before its end."""
    alive = list(provisional_flags(ledger, author, ledger.now_ms))
    if until_ms in alive:
        alive.remove(until_ms)
        ledger.put(CONDUCT, author, replace(ledger.the(CONDUCT, author), provisional_until_ms=tuple(alive)))
