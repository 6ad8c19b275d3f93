"""Conduct: how often an author's records were annulled or disputes of them left unanswered, and how often its own
disputes were dismissed, per quarter of a year; and what follows from that."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import ADDRESS_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import Address, OptionalTime, Time
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.vin import wmi_of
from node.txtypes.members.member import ROLE_AT_EVENT, has_role_at, require_role

QUARTER_MS: Final = 91 * DAY_MS
QUARTERS_MAX: Final = 8
QUARTERS_COUNTED: Final = 4
"""What follows from the counters depends on this quarter and the three before it."""
ANNULLED_MAX: Final = 5
UNANSWERED_MAX: Final = 20
DISMISSED_MAX: Final = 3
"""So many of them within `QUARTERS_COUNTED` put an author on hold, or bar an account from disputes."""
HOLD_MS: Final = 90 * DAY_MS
BARRED_MS: Final = 365 * DAY_MS
LOSSES_MAX: Final = 16
"""Provisional total losses of one insurer that are alive: it pays against the holder's signature, so they are few."""
ANSWERS_DUE_MAX: Final = 64
"""Disputes that one author is to answer, as far as their deadlines are kept: a further one is never counted as
unanswered. Three times what a hold takes."""

AUTHOR_ON_HOLD = Guard("author_on_hold", "too many records of the author were annulled or left unanswered: it may "
                       "write no new ones and sign no other's for a time", "zu viele Einträge des Autors wurden "
                       "annulliert oder blieben unbeantwortet: er schreibt vorerst keine neuen und unterschreibt keine "
                       "fremden", "该作者被撤销或未答复的记录过多，暂停写入和会签",
                       is_permission=True)  # fmt: skip

Counter = Literal["annulled", "unanswered", "dismissed", "defaulted"]


class Quarter(Value, frozen=True):
    """Counters of one quarter (block time / 91 days). `annulled`: records of the author that arbiters annulled;
    `unanswered`: disputes that it has not answered in time; `dismissed`: disputes that it opened, and whose record
    stands; `defaulted`: accepted orders that it has left as the seller."""

    quarter: int
    annulled: int
    unanswered: int
    dismissed: int
    defaulted: int


class Conduct(Value, tag=1, frozen=True):
    """The last eight quarters of an account, ascending; until when it writes no new records, and opens no disputes; the
    deadlines of the disputes that it has not answered yet, ascending; how many provisional flags and
    provisional total losses of it are alive, with their ends."""

    quarters: Annotated[tuple[Quarter, ...], Meta(max_length=QUARTERS_MAX)]
    hold_until_ms: OptionalTime
    provisional_until_ms: Annotated[tuple[int, ...], Meta(max_length=5)]
    barred_until_ms: OptionalTime
    answers_due: Annotated[tuple[Time, ...], Meta(max_length=ANSWERS_DUE_MAX)]
    losses_until_ms: Annotated[tuple[Time, ...], Meta(max_length=LOSSES_MAX)]
    refunds_overdue: Annotated[int, Meta(ge=0)]
    """Orders whose overdue refund a creditor has claimed. Above 0, the account sells nothing."""


NO_CONDUCT: Final = Conduct((), 0, (), 0, (), (), 0)


# --- counting: pure functions -------------------------------------------------------------------------------
def counted(conduct: Conduct, counter: Counter, at_ms: int) -> Conduct:
    """With one more of `counter` at a time, and what follows from it."""
    number = at_ms // QUARTER_MS
    found = next((entry for entry in conduct.quarters if entry.quarter == number), Quarter(number, 0, 0, 0, 0))
    changed = replace(found, **{counter: getattr(found, counter) + 1})
    others = [entry for entry in conduct.quarters if entry.quarter != number]
    quarters = tuple(sorted([*others, changed], key=lambda entry: entry.quarter)[-QUARTERS_MAX:])
    conduct = replace(conduct, quarters=quarters)
    total = sum(
        getattr(entry, counter) for entry in quarters if number - QUARTERS_COUNTED < entry.quarter <= number
    )  # fmt: skip
    if counter == "dismissed":
        barred = at_ms + BARRED_MS if total >= DISMISSED_MAX else 0
        return replace(conduct, barred_until_ms=max(conduct.barred_until_ms, barred))
    if counter == "defaulted":  # shown to buyers; it puts nobody on hold
        return conduct
    held = at_ms + HOLD_MS if total >= (ANNULLED_MAX if counter == "annulled" else UNANSWERED_MAX) else 0
    return replace(conduct, hold_until_ms=max(conduct.hold_until_ms, held))


def conduct_at(conduct: Conduct, now_ms: int) -> Conduct:
    """The conduct as it counts at a time: a dispute that was not answered by its deadline is counted then."""
    due = conduct.answers_due
    if not due or now_ms < due[0]:
        return conduct
    passed = [at_ms for at_ms in due if at_ms <= now_ms]
    for at_ms in passed:
        conduct = counted(conduct, "unanswered", at_ms)
    return replace(conduct, answers_due=due[len(passed) :])


class ConductView(Conduct, frozen=True):
    """An account's conduct as it counts now."""

    address: Address
    is_on_hold: bool
    is_barred: bool

    @staticmethod
    def of(ident: str, value: Value, reader: Reader, as_of: AsOf) -> ConductView:
        """`value`: the conduct, or the account or member whose conduct is asked for; there may be nothing to tell."""
        stored = value if isinstance(value, Conduct) else reader.get(CONDUCT, ident)
        conduct = conduct_at(stored or NO_CONDUCT, as_of.now_ms)
        return extended(
            ConductView, conduct, address=bytes.fromhex(ident), is_on_hold=as_of.now_ms < conduct.hold_until_ms,
            is_barred=as_of.now_ms < conduct.barred_until_ms,
        )  # fmt: skip


CONDUCT = Family(
    "conduct", Conduct, ident=ADDRESS_IDENT, concerns=lambda ident, conduct: (f"account/{ident}",), event="conduct",
    is_checked=True, forecast_view=ConductView, internal=("address",),
)  # fmt: skip


# --- what transactions note ---------------------------------------------------------------------------------
def conduct_of(ledger: Ledger, account: bytes) -> Conduct:
    """The account's conduct as it counts now."""
    return conduct_at(ledger.get(CONDUCT, account) or NO_CONDUCT, ledger.now_ms)


def count(ledger: Ledger, account: bytes, counter: Counter) -> None:
    """Count one more now."""
    ledger.put(CONDUCT, account, counted(conduct_of(ledger, account), counter, ledger.now_ms))


def count_refund(ledger: Ledger, seller: bytes, change: int) -> None:
    """One overdue refund of the seller more, or less."""
    conduct = conduct_of(ledger, seller)
    ledger.put(CONDUCT, seller, replace(conduct, refunds_overdue=conduct.refunds_overdue + change))


def expect_answer(ledger: Ledger, author: bytes, due_ms: int) -> None:
    """Note the deadline of an answer."""
    conduct = conduct_of(ledger, author)
    if len(conduct.answers_due) < ANSWERS_DUE_MAX:
        due = tuple(sorted((*conduct.answers_due, due_ms)))
        ledger.put(CONDUCT, author, replace(conduct, answers_due=due))


def expect_no_answer(ledger: Ledger, author: bytes, due_ms: int) -> None:
    """The author has answered, or does not need to any more."""
    conduct = conduct_of(ledger, author)
    if due_ms in conduct.answers_due:
        place = conduct.answers_due.index(due_ms)
        due = (*conduct.answers_due[:place], *conduct.answers_due[place + 1 :])
        ledger.put(CONDUCT, author, replace(conduct, answers_due=due))


def is_on_hold(ledger: Ledger, author: bytes) -> bool:
    return ledger.now_ms < conduct_of(ledger, author).hold_until_ms


def lift_hold(ledger: Ledger, author: bytes) -> None:
    ledger.put(CONDUCT, author, replace(conduct_of(ledger, author), hold_until_ms=0))


def check_not_on_hold(ledger: Ledger, author: bytes) -> None:
    if ledger.get(CONDUCT, author) is None:
        return
    conduct = conduct_of(ledger, author)
    if ledger.now_ms < conduct.hold_until_ms:
        ledger.unmet(AUTHOR_ON_HOLD, to_text(author), need=f"after {time_to_text(conduct.hold_until_ms)}")


def require_cosigner(
    ledger: Ledger,
    account: bytes,
    role: str,
    country: str = "",
    *,
    vin: str = "",
    event_at_ms: int = limits.TIME_MAX_MS,
) -> None:
    """Notes why an account may not sign another author's record in a role: it needs the role as an author does, now and
    at the time of the event, for the car's maker; and a hold binds it there too."""
    noted, wmi = len(ledger.unmet_guards), wmi_of(vin) if vin else ""
    require_role(ledger, account, role, wmi=wmi, country=country)
    at_ms = min(event_at_ms, ledger.now_ms)
    if noted == len(ledger.unmet_guards) and not has_role_at(ledger, account, at_ms, role, wmi=wmi, country=country):
        ledger.unmet(ROLE_AT_EVENT, to_text(account), need=role)
    check_not_on_hold(ledger, account)


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


def provisional_losses(reader: Reader, author: bytes, now_ms: int) -> tuple[int, ...]:
    """The ends of the author's provisional total losses that are alive."""
    conduct = reader.get(CONDUCT, author)
    return tuple(end for end in conduct.losses_until_ms if now_ms < end) if conduct is not None else ()


def add_provisional_loss(ledger: Ledger, author: bytes, until_ms: int) -> None:
    """Count one more provisional total loss of the author."""
    conduct, alive = ledger.get(CONDUCT, author) or NO_CONDUCT, provisional_losses(ledger, author, ledger.now_ms)
    ledger.put(CONDUCT, author, replace(conduct, losses_until_ms=tuple(sorted((*alive, until_ms)))))


def drop_provisional_loss(ledger: Ledger, author: bytes, until_ms: int) -> None:
    """A provisional total loss of the author has become firm or is gone before its end."""
    alive = list(provisional_losses(ledger, author, ledger.now_ms))
    if until_ms in alive:
        alive.remove(until_ms)
        ledger.put(CONDUCT, author, replace(ledger.the(CONDUCT, author), losses_until_ms=tuple(alive)))
