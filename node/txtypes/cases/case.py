"""Cases: what a customer asks or complains of, and what the member answers.

The chain has the course of a case and the hashes of its letters, never their text. Deadlines are shown and change
nothing.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from node.codec import Value
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Address, CaseCategory, Hash32, Id, OptionalTime, Time, Vin
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.members.member import name_of

REPLIES_MAX: Final = 32
CONFIRM_MS: Final = 7 * DAY_MS
"""How long a customer has for confirming a case that a member wrote down for it."""
SILENCE_MS: Final = 14 * DAY_MS
"""How long a customer has for contradicting a member who says that a case is solved."""

Channel = Literal["online", "phone", "mail", "in_person"]
Outcome = Literal["solved", "rejected", "given_up"]
Status = Literal["unconfirmed", "lapsed", "open", "proposed", "closed"]


class Reply(Value, frozen=True):
    """One letter: who wrote it, a salted hash of its text, and the block time."""

    author: Address
    content: Hash32
    at_ms: Time


class Case(Value, tag=1, frozen=True):
    """A case of a customer with a member; at most 4 KiB. `order` and `vin`: what it is about, null for none. `content`:
    a salted hash of the first letter. `outcome`: what the member says it came to, empty while it is open;
    `proposed_at_ms`: when it said so; `closed_at_ms`: when the customer agreed, or gave up."""

    member: Address
    customer: Address
    order: Id | None
    vin: Vin | None
    channel: Channel
    category: CaseCategory
    content: Hash32
    opened_at_ms: Time
    is_confirmed: bool
    replies: Annotated[tuple[Reply, ...], Meta(max_length=REPLIES_MAX)]
    outcome: Literal[""] | Outcome
    proposed_at_ms: OptionalTime
    closed_at_ms: OptionalTime


def status_at(case: Case, now_ms: int) -> Status:
    """The status as it counts at a time. A case that the customer does not confirm lapses; silence about a solution is
    consent."""
    if case.closed_at_ms or (case.proposed_at_ms and now_ms >= case.proposed_at_ms + SILENCE_MS):
        return "closed"
    if not case.is_confirmed:
        return "unconfirmed" if now_ms < case.opened_at_ms + CONFIRM_MS else "lapsed"
    return "proposed" if case.proposed_at_ms else "open"


class CaseView(Case, frozen=True):
    """A case as it counts now. `reply_due_ms` and `solution_due_ms`: when the first reply and the outcome are due by
    the category; `is_silent`: it was closed by the customer's silence."""

    id: Id
    status: Status
    member_name: str
    reply_due_ms: OptionalTime
    solution_due_ms: OptionalTime
    is_late: bool
    is_silent: bool

    @staticmethod
    def of(ident: str, case: Case, reader: Reader, as_of: AsOf) -> CaseView:
        now, days = as_of.now_ms, as_of.rules.tables.case_categories[case.category]
        status = status_at(case, now)
        reply_due, solution_due = (case.opened_at_ms + day * DAY_MS for day in days)
        replied = next((reply.at_ms for reply in case.replies if reply.author == case.member), now)
        first = min(replied, case.proposed_at_ms or now, case.closed_at_ms or now)
        solved = case.proposed_at_ms or case.closed_at_ms or now
        return extended(
            CaseView, case, id=bytes.fromhex(ident), status=status, member_name=name_of(reader, case.member),
            reply_due_ms=reply_due, solution_due_ms=solution_due,
            is_late=case.is_confirmed and (first > reply_due or solved > solution_due),
            is_silent=status == "closed" and not case.closed_at_ms,
        )  # fmt: skip


CASE = Family(
    "case", Case, ident=HASH_IDENT,
    indexes=(
        Index("party", lambda case: sorted({case.member.hex(), case.customer.hex()}), ADDRESS_IDENT,
              description="member or customer"),
        Index("order", lambda case: (case.order.hex(),) if case.order else (), HASH_IDENT,
              description="id of the order"),
    ),
    concerns=lambda ident, case: (
        f"account/{case.member.hex()}", f"account/{case.customer.hex()}",
        *((f"order/{case.order.hex()}",) if case.order else ()),
    ),
    event="case", status=lambda case: "closed" if case.closed_at_ms else "open",
    path="/v1/cases", view=CaseView, internal=("id",),
)  # fmt: skip


class LiveCases(Value, tag=1, frozen=True):
    """The cases of a customer that were not closed when it last opened or confirmed one."""

    cases: Annotated[tuple[Id, ...], Meta(max_length=10)]


LIVE_CASES = Family("live-cases", LiveCases, ident=ADDRESS_IDENT)


def live_cases(ledger: Ledger, customer: bytes) -> tuple[bytes, ...]:
    """The cases of a customer that are not closed."""
    stored = ledger.get(LIVE_CASES, customer)
    return tuple(
        ident for ident in (stored.cases if stored is not None else ())
        if status_at(ledger.the(CASE, ident), ledger.now_ms) in ("open", "proposed")
    )  # fmt: skip
