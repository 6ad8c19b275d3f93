"""Disputes about vehicle records as state: their deadlines, the votes of the arbiters, and what is open.

A dispute alone changes nothing but what is shown. Its deadlines are lazy: for its first 14 days, or until the author of
the record answers, it waits for the answer; then it is voted on for 14 days; then it waits for `record.close`. The
outcome takes effect with the vote that settles it, or with `record.close`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.ledger.family import (
    ADDRESS_IDENT,
    HASH_IDENT,
    VIN_IDENT,
    AsOf,
    Family,
    Ident,
    Index,
    Reader,
    View,
    extended,
)
from node.ledger.fields import (
    Address,
    DisputeGround,
    DisputeOutcome,
    DisputeReason,
    DisputeStanding,
    Id,
    OptionalTime,
    RecordName,
    Time,
    Vin,
)
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.rules.vin import VIN_PATTERN
from node.txtypes.disputes.arbiters import ARBITERS_MAX, Cast, cast_of, may_judge, named, outcome_of, standing_votes
from node.txtypes.members.conduct import expect_no_answer
from node.txtypes.members.member import name_of
from node.txtypes.vehicle.life import LIFE, NO_LIFE, OpenDispute, disputes_at
from node.txtypes.vehicle.vehicle import VEHICLE

ANSWER_MS: Final = 14 * DAY_MS
DISPUTES_PER_RECORD_MAX: Final = 3
"""A record is disputed again at most twice, by accounts that have nothing to do with each other."""
OPEN_PER_VEHICLE_MAX: Final = 8
OPEN_PER_ACCOUNT_MAX: Final = 10
OPEN_PER_MEMBER_MAX: Final = 50
"""Open disputes of one opener: on one car, of a plain account, of a member. Above: an unmet guard. A holder has done
with the 16 records that one author writes unsigned in 30 days after two rounds."""
WITHDRAWN: Final = "withdrawn"

DISPUTE_UNKNOWN = Guard("dispute_unknown", "there is no such dispute", "diesen Streitfall gibt es nicht", "争议不存在")
DISPUTE_CLOSED = Guard("dispute_closed", "the dispute is closed", "der Streitfall ist abgeschlossen", "争议已结束")


OptionalCode = Annotated[str, Meta(pattern=r"^[a-z_]{0,40}\Z", description="code of the ruleset, or empty")]


# --- the values -------------------------------------------------------------------------------------------
class Vote(Value, frozen=True):
    """What an arbiter has voted, and why."""

    arbiter: Address
    outcome: DisputeOutcome
    reason: DisputeReason


class RecordDispute(Value, tag=1, frozen=True):
    """A dispute about the record `target` of a car, which `author` wrote as a `kind`. `standing`: why the opener may;
    `answer_by_ms`: until when the author answers, from then on votes are cast, until `ends_at_ms`. `outcome` is empty
    until the dispute is closed, then a code of the table `dispute_outcomes`, or `withdrawn`."""

    vin: Vin
    target: RecordName
    kind: str
    author: Address
    opener: Address
    standing: DisputeStanding
    ground: DisputeGround
    opened_at_ms: Time
    answer_by_ms: Time
    answer: OptionalCode
    ends_at_ms: Time
    votes: Annotated[tuple[Vote, ...], Meta(max_length=ARBITERS_MAX)]
    outcome: OptionalCode
    closed_at_ms: OptionalTime


Status = Literal["awaiting_answer", "voting", "due", "closed"]


def status_at(dispute: RecordDispute, now_ms: int) -> Status:
    """The status as it counts at a time. `due`: the votes can be counted by `record.close`."""
    if dispute.outcome:
        return "closed"
    if now_ms >= dispute.ends_at_ms:
        return "due"
    return "voting" if now_ms >= dispute.answer_by_ms else "awaiting_answer"


def casts_of(reader: Reader, dispute: RecordDispute) -> list[Cast]:
    """The votes with the groups that they count for."""
    vehicle = reader.get(VEHICLE, dispute.vin)
    assert vehicle is not None, "a disputed record is of a car"
    votes = standing_votes(reader, dispute.votes)
    return [cast_of(reader, vote.arbiter, vote.outcome, vehicle.maker) for vote in votes]


def involved(reader: Reader, dispute: RecordDispute) -> tuple[bytes, ...]:
    """Whom an arbiter must not be related to: the author, the opener, the holder of the title."""
    vehicle = reader.get(VEHICLE, dispute.vin)
    assert vehicle is not None, "a disputed record is of a car"
    return (dispute.author, dispute.opener, vehicle.holder)


def waiting_for(ledger: Ledger, dispute: RecordDispute) -> Sequence[Cast]:
    """The arbiters that may still vote."""
    vehicle, parties = ledger.the(VEHICLE, dispute.vin), involved(ledger, dispute)
    voted = {vote.arbiter for vote in dispute.votes}
    return [
        cast_of(ledger, arbiter, "", vehicle.maker) for arbiter in named(ledger)
        if arbiter not in voted and may_judge(ledger, arbiter, parties, dispute.vin)
    ]  # fmt: skip


class VoteView(Vote, frozen=True):
    """A vote, with the arbiter's name."""

    arbiter_name: str


class NextStep(View, frozen=True):
    """The transaction that takes a dispute on, who may send it, and from when until when; an empty end is none."""

    type: Literal["record.respond", "record.resolve", "record.close"]
    by: Literal["author", "arbiters", "anybody"]
    from_ms: Time
    until_ms: OptionalTime


def next_step(dispute: RecordDispute, status: Status) -> NextStep | None:
    """What a dispute waits for; None for one that is closed. What votes have decided by their end takes effect with
    `record.close`, not before."""
    match status:
        case "awaiting_answer":
            return NextStep("record.respond", "author", dispute.opened_at_ms, dispute.answer_by_ms)
        case "voting":
            return NextStep("record.resolve", "arbiters", dispute.answer_by_ms, dispute.ends_at_ms)
        case "due":
            return NextStep("record.close", "anybody", dispute.ends_at_ms, 0)
        case "closed":
            return None


class DisputeView(RecordDispute, frozen=True):
    """A dispute as it counts now. `outcome`: of one that is due, what `record.close` would decide; `is_unanswered`: the
    author has let the time for its answer pass; `next`: what it waits for."""

    id: Id
    status: Status
    author_name: str
    opener_name: str
    is_unanswered: bool
    votes: tuple[VoteView, ...]
    next: NextStep | None

    @staticmethod
    def of(ident: str, dispute: RecordDispute, reader: Reader, as_of: AsOf) -> DisputeView:
        status = status_at(dispute, as_of.now_ms)
        was_asked = dispute.answer_by_ms > dispute.opened_at_ms
        return extended(
            DisputeView, dispute, id=bytes.fromhex(ident), status=status,
            author_name=name_of(reader, dispute.author), opener_name=name_of(reader, dispute.opener),
            is_unanswered=was_asked and not dispute.answer and dispute.answer_by_ms <= (
                dispute.closed_at_ms or as_of.now_ms
            ),
            votes=tuple(extended(VoteView, vote, arbiter_name=name_of(reader, vote.arbiter)) for vote in dispute.votes),
            outcome=outcome_of(casts_of(reader, dispute)) if status == "due" else dispute.outcome,
            next=next_step(dispute, status),
        )  # fmt: skip


RECORD_DISPUTE = Family(
    "record-dispute", RecordDispute, ident=Ident(HASH_IDENT.what, HASH_IDENT.pattern, (), "dispute"),
    indexes=(
        Index("vin", lambda dispute: (dispute.vin,), VIN_IDENT, description="VIN of the vehicle"),
        Index("author", lambda dispute: (dispute.author.hex(),), ADDRESS_IDENT, description="author of the record"),
        Index("opener", lambda dispute: (dispute.opener.hex(),), ADDRESS_IDENT, description="opener of the dispute"),
    ),
    concerns=lambda ident, dispute: (
        f"vehicle/{dispute.vin}", f"account/{dispute.author.hex()}", f"account/{dispute.opener.hex()}",
    ),
    event="dispute", status=lambda dispute: dispute.outcome or "open", path="/v1/disputes", view=DisputeView,
    internal=("id", "target", "votes"),
)  # fmt: skip


class RecordStatus(Value, tag=1, frozen=True):
    """What became of a record that was amended or disputed, under `<vin>-<sequence>`. `superseded_by`: the record that
    its author put in its place; `belongs_to`: the car that it is about; `is_superseded`: the author has amended it;
    `outcome`: what arbiters decided last; `disputes`: those about it that are open or were voted on, and the last of
    the others; `is_replacement`: its author put it in the place of another."""

    superseded_by: RecordName | None
    belongs_to: Vin | None
    is_superseded: bool
    outcome: OptionalCode
    disputes: Annotated[tuple[Id, ...], Meta(max_length=DISPUTES_PER_RECORD_MAX)]
    is_replacement: bool


RECORD_STATUS: Final = Family(
    "record-status", RecordStatus, ident=Ident("<vin>-<sequence> of a record", VIN_PATTERN.strip("^$") + "-[0-9]{1,10}")
)
NO_STATUS: Final = RecordStatus(None, None, False, "", (), False)


class RecordStatusView(RecordStatus, frozen=True):
    """What became of the record `sequence`."""

    sequence: int


def status_ident(vin: str, sequence: int) -> str:
    return f"{vin}-{sequence}"


def record_status(reader: Reader, vin: str, sequence: int) -> RecordStatus:
    return reader.get(RECORD_STATUS, status_ident(vin, sequence)) or NO_STATUS


def is_struck(reader: Reader, vin: str, sequence: int) -> bool:
    """Whether a record counts no more: its author has amended it, or arbiters have annulled it."""
    status = record_status(reader, vin, sequence)
    return status.is_superseded or status.outcome == "annulled"


def status_views(reader: Reader, vin: str, sequences: Iterable[int]) -> tuple[RecordStatusView, ...]:
    """Of those records that were amended or disputed, what became of them."""
    found = ((sequence, reader.get(RECORD_STATUS, status_ident(vin, sequence))) for sequence in sequences)
    return tuple(
        extended(RecordStatusView, status, sequence=sequence) for sequence, status in found if status is not None
    )  # fmt: skip


def put_record_status(ledger: Ledger, vin: str, sequence: int, **changed: Any) -> None:
    status = replace(record_status(ledger, vin, sequence), **changed)
    ledger.put(RECORD_STATUS, status_ident(vin, sequence), status)


# --- what is open -----------------------------------------------------------------------------------------
class OpenOfAccount(Value, frozen=True):
    """A dispute that an account has opened, and when its vote ends."""

    dispute: Id
    ends_at_ms: Time


class OpenDisputes(Value, tag=1, frozen=True):
    """The disputes of an opener that were open when one of them last changed."""

    disputes: Annotated[tuple[OpenOfAccount, ...], Meta(max_length=OPEN_PER_MEMBER_MAX)]


OPEN_DISPUTES: Final = Family("open-disputes", OpenDisputes, ident=ADDRESS_IDENT)


def open_of_account(reader: Reader, opener: bytes, now_ms: int) -> tuple[OpenOfAccount, ...]:
    """The disputes of an opener that are open: those that are due keep no place."""
    stored = reader.get(OPEN_DISPUTES, opener)
    return tuple(entry for entry in stored.disputes if now_ms < entry.ends_at_ms) if stored is not None else ()


def note_open(ledger: Ledger, ident: bytes, dispute: RecordDispute) -> None:
    """Keep the places of a dispute, with its present end."""
    _note(ledger, ident, dispute, is_open=True)


def note_closed(ledger: Ledger, ident: bytes, dispute: RecordDispute) -> None:
    """Free its places, and expect no answer any more."""
    _note(ledger, ident, dispute, is_open=False)
    if not dispute.answer:
        expect_no_answer(ledger, dispute.author, dispute.answer_by_ms)


def _note(ledger: Ledger, ident: bytes, dispute: RecordDispute, *, is_open: bool) -> None:
    opened = [entry for entry in open_of_account(ledger, dispute.opener, ledger.now_ms) if entry.dispute != ident]
    life = ledger.get(LIFE, dispute.vin) or NO_LIFE
    on_car = [entry for entry in disputes_at(life, ledger.now_ms) if entry.dispute != ident]
    if is_open:
        ends = dispute.ends_at_ms
        opened.append(OpenOfAccount(ident, ends))
        on_car.append(OpenDispute(ident, dispute.opener, dispute.standing, ends))
    ledger.put(OPEN_DISPUTES, dispute.opener, OpenDisputes(tuple(opened)) if opened else None)
    ledger.put(LIFE, dispute.vin, replace(life, disputes=tuple(on_car)))


# --- guards of the types ----------------------------------------------------------------------------------
def require_dispute(ledger: Ledger, ident: bytes) -> RecordDispute | None:
    """The dispute, None after noting that there is none; notes where it is closed."""
    dispute = ledger.get(RECORD_DISPUTE, ident)
    if dispute is None:
        ledger.unmet(DISPUTE_UNKNOWN, ident.hex())
    elif dispute.outcome:
        ledger.unmet(DISPUTE_CLOSED, ident.hex(), dispute.outcome)
    return dispute
