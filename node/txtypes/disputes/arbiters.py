"""Arbiters: the list of those that governance has named, who of them may judge a case, and what their votes come to.

Records and orders are judged alike: see `outcome_of` and `is_settled`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, NamedTuple, Protocol, TypeVar

from msgspec import Meta

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import Family, Reader, fixed_ident
from node.ledger.fields import Address
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.members.member import MEMBER, Member, group_of, has_role
from node.txtypes.vehicle.relation import is_close

ARBITERS_MAX: Final = 15
"""All of them may vote on every dispute, and each vote asks who may still vote. Above: an unmet guard."""
VOTING_MS: Final = 14 * DAY_MS
VOTES_NEEDED: Final = 3
GROUPS_NEEDED: Final = 2
UNDECIDED: Final = "undecided"

ARBITERS_FULL = Guard("arbiters_full", "there are as many arbiters as the chain can have",
                      "es gibt schon so viele Schlichter, wie die Kette haben kann", "仲裁员人数已满")  # fmt: skip
VOTES_NOT_OPEN = Guard(
    "votes_not_open",
    "votes are cast from the author's answer or the end of its time on, for 14 days",
    "abgestimmt wird ab der Antwort des Autors oder dem Ende seiner Frist, 14 Tage lang",
    "自作者答复或答复期满起 14 天内表决",
)
VOTED_BEFORE = Guard("voted_before", "the arbiter has voted on this dispute already",
                     "der Schlichter hat über diesen Streitfall schon abgestimmt", "该仲裁员已表决")  # fmt: skip
ARBITER_RELATED = Guard("arbiter_related", "the arbiter is related to the author, the opener or the holder",
                        "der Schlichter ist mit Autor, Eröffner oder Halter verbunden",
                        "仲裁员与作者、提出者或所有人有关联", is_permission=True)  # fmt: skip


class Arbiters(Value, tag=1, frozen=True):
    """The members that hold the role of an arbiter, or held it and were not revoked, ascending."""

    addresses: Annotated[tuple[Address, ...], Meta(max_length=ARBITERS_MAX)]


ARBITERS: Final = Family("arbiters", Arbiters, ident=fixed_ident("all"))


def is_named(member: Member | None) -> bool:
    """Whether governance has named the member an arbiter and not revoked that. One that is suspended is named."""
    return member is not None and member.status != "revoked" and any(
        grant.role == "arbiter" and grant.status != "revoked" for grant in member.grants
    )  # fmt: skip


def named(reader: Reader) -> tuple[bytes, ...]:
    """The arbiters, ascending."""
    arbiters = reader.get(ARBITERS, "all")
    addresses = arbiters.addresses if arbiters is not None else ()
    return tuple(address for address in addresses if is_named(reader.get(MEMBER, address)))


def check_room(ledger: Ledger, member: bytes) -> None:
    """Notes `arbiters_full` where the member would be one too many."""
    others = [address for address in named(ledger) if address != member]
    if len(others) >= ARBITERS_MAX:
        ledger.unmet(ARBITERS_FULL, to_text(member), len(others), f"below {ARBITERS_MAX}")


def add(ledger: Ledger, member: bytes) -> None:
    ledger.put(ARBITERS, "all", Arbiters(tuple(sorted({*named(ledger), member}))))


# --- who may judge ------------------------------------------------------------------------------------------
def may_judge(ledger: Ledger, arbiter: bytes, involved: Iterable[bytes], vin: str) -> bool:
    """Whether an account is an active arbiter that is not related to anybody involved."""
    return has_role(ledger, arbiter, "arbiter") and not any(
        is_close(ledger, arbiter, party, vin, ledger.now_ms) for party in involved
    )


class Vote(Protocol):
    """The vote of an arbiter about a record or an order."""

    @property
    def arbiter(self) -> bytes: ...


V = TypeVar("V", bound=Vote)


class Judged(Protocol):
    """A dispute that arbiters vote on, once its author has answered or had the time to."""

    @property
    def answer_by_ms(self) -> int: ...
    @property
    def ends_at_ms(self) -> int: ...
    @property
    def votes(self) -> Sequence[Vote]: ...


def standing_votes(reader: Reader, votes: Sequence[V]) -> tuple[V, ...]:
    """The votes of those who are still named: one that is revoked makes room for who comes after it."""
    known = named(reader)
    return tuple(vote for vote in votes if vote.arbiter in known)


def check_vote(ledger: Ledger, ident: bytes, dispute: Judged, status: str, involved: Iterable[bytes], vin: str) -> None:
    """Notes why the sender may not vote on the dispute: not now, not again, or not an arbiter who is related."""
    if status != "voting":
        need = f"from {time_to_text(dispute.answer_by_ms)} to {time_to_text(dispute.ends_at_ms)}"
        ledger.unmet(VOTES_NOT_OPEN, ident.hex(), status, need)
    if any(vote.arbiter == ledger.sender for vote in dispute.votes):
        ledger.unmet(VOTED_BEFORE, to_text(ledger.sender))
    is_arbiter = not any(unmet.is_permission for unmet in ledger.unmet_guards)
    if is_arbiter and not may_judge(ledger, ledger.sender, involved, vin):
        ledger.unmet(ARBITER_RELATED, to_text(ledger.sender))


class Cast(NamedTuple):
    """One vote. `group`: the arbiter's group, or the arbiter where it has none. `is_makers`: the group is that of the
    car's maker."""

    arbiter: bytes
    group: bytes
    is_makers: bool
    outcome: str


def cast_of(reader: Reader, arbiter: bytes, outcome: str, maker: bytes) -> Cast:
    group, makers = group_of(reader, arbiter), group_of(reader, maker)
    return Cast(arbiter, group.encode() or arbiter, arbiter == maker or bool(group and group == makers), outcome)


# --- counting: pure functions -------------------------------------------------------------------------------
def has_quorum(votes: Sequence[Cast]) -> bool:
    """At least three votes, of at least two groups, at least one of them not of the maker's group."""
    is_enough = len(votes) >= VOTES_NEEDED and len({vote.group for vote in votes}) >= GROUPS_NEEDED
    return is_enough and any(not vote.is_makers for vote in votes)


def outcome_of(votes: Sequence[Cast]) -> str:
    """The outcome that more than half of the votes are for; without a quorum or a majority undecided."""
    if has_quorum(votes):
        for vote in votes:
            if 2 * sum(other.outcome == vote.outcome for other in votes) > len(votes):
                return vote.outcome
    return UNDECIDED


def is_settled(votes: Sequence[Cast], waiting: Sequence[Cast], outcomes: Iterable[str]) -> bool:
    """Whether no further vote can change the outcome, whichever of those in `waiting` vote, and however."""
    present, count, more = outcome_of(votes), len(votes), len(waiting)
    if present != UNDECIDED:
        return 2 * sum(vote.outcome == present for vote in votes) > count + more
    if not has_quorum([*votes, *waiting]):
        return True
    most = max((sum(v.outcome == outcome for v in votes) for outcome in outcomes if outcome != UNDECIDED), default=0)
    return 2 * (most + more) <= count + more
