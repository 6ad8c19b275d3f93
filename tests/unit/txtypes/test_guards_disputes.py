"""Guards of the types of a dispute."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from support.chain import DAY_MS, address
from support.disputed_cases import (
    HOLDER,
    OTHER_VIN,
    WORKSHOP,
    amended,
    days,
    ended,
    kept,
    of_amendment,
    open_and_answered,
    opened,
    service,
    then,
    typed,
)
from support.disputing import (
    answered,
    closed,
    copied,
    decided,
    dispute,
    disputed,
    granted,
    of,
    passed,
    serviced,
    status,
    voted,
)
from support.life import VIN, Life, transfer
from support.stages import Case, at, change, force, table

from node.ledger.body import TransactionBody
from node.ledger.fields import RecordName
from node.txtypes.disputes.dispute import (
    OPEN_DISPUTES,
    OPEN_PER_ACCOUNT_MAX,
    OPEN_PER_MEMBER_MAX,
    OPEN_PER_VEHICLE_MAX,
    OpenDisputes,
    OpenOfAccount,
)
from node.txtypes.disputes.types import RecordClose, RecordResolve, RecordRespond, RecordWithdraw
from node.txtypes.members.conduct import CONDUCT, NO_CONDUCT
from node.txtypes.members.member import MEMBER
from node.txtypes.vehicle.life import LIFE, OpenDispute
from node.txtypes.vehicle.regions import Flag
from node.txtypes.vehicle.vehicle import VEHICLE

LATE, TOO_EARLY = ("amend_too_late",), ("votes_not_open",)


# --- record.dispute -----------------------------------------------------------------------------------------
def disputing(ground: str = "not_done", **changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: replace(dispute(life.chain, life.target, ground), **changes)  # type: ignore[attr-defined]


def mortgaged(life: Life) -> None:
    service()(life)
    lien = Flag("lien", address("bank-1"), "", b"", life.chain.now, 0, True, 0)
    change(life.chain, VEHICLE, VIN, flags=(lien,))


def lapsed_lien(life: Life) -> None:
    mortgaged(life)
    [lien] = life.chain.state(VEHICLE, VIN).flags
    change(life.chain, VEHICLE, VIN, flags=(replace(lien, until_ms=life.chain.now),))


def moved_again(life: Life) -> None:
    service()(life)
    life.chain.do(HOLDER, transfer(life.chain, "dealer-shanghai", 300, reason="trade_in"), "dealer-shanghai")


def places_taken(standing: str, count: int) -> Callable[[Life], None]:
    """Others have open disputes in a standing."""

    def before(life: Life) -> None:
        service()(life)
        until = life.chain.now + DAY_MS
        entries = tuple(OpenDispute(bytes([n]) * 32, address(f"other-{n}"), standing, until) for n in range(count))
        change(life.chain, LIFE, VIN, disputes=entries)

    return before


def opened_elsewhere(account: str, count: int) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        entries = tuple(OpenOfAccount(n.to_bytes(32, "big"), life.chain.now + DAY_MS) for n in range(count))
        force(life.chain, OPEN_DISPUTES, address(account), OpenDisputes(entries))

    return before


def as_many_on_the_car(life: Life) -> None:
    for number in range(OPEN_PER_VEHICLE_MAX):
        if number == 4:  # an author reads a car at most eight times a day
            passed(life, 1)
        disputed(life, serviced(life))
    # its standing as a buyer has places left: a transfer has made it one
    service()(life)


def barred(life: Life) -> None:
    service()(life)
    force(life.chain, CONDUCT, address(HOLDER), replace(NO_CONDUCT, barred_until_ms=life.chain.now + DAY_MS))


def later_service(life: Life) -> None:
    kept(life, serviced(life, 300))


def withdrawn(life: Life) -> None:
    opened(life)
    life.chain.do(HOLDER, RecordWithdraw(life.dispute))  # type: ignore[attr-defined]


def withdrawn_late(life: Life) -> None:
    opened(life)
    answered(life, life.dispute)  # type: ignore[attr-defined]
    voted(life, life.dispute, "stands", "arbiter-1")  # type: ignore[attr-defined]
    life.chain.do(HOLDER, RecordWithdraw(life.dispute))  # type: ignore[attr-defined]


def grouped(life: Life) -> None:
    change(life.chain, MEMBER, address(HOLDER), group="bmw")


def resold(life: Life) -> None:
    """The new holder has no other standing."""
    life.chain.do(HOLDER, transfer(life.chain, "dealer-shanghai", 400), "dealer-shanghai")
    change(life.chain, LIFE, VIN, holders=())


def sellers_sham(life: Life) -> None:
    """The seller disputes the record after the handover, and loses."""
    later_service(life)
    ident = disputed(life, life.target, HOLDER)  # type: ignore[attr-defined]
    answered(life, ident)
    decided(life, ident, "stands")


def thrice(life: Life) -> None:
    """Holder, seller and the bank have disputed the record."""
    mortgaged(life)
    for sender in (HOLDER, "bmw", "bank-1"):
        disputed(life, life.target, sender)  # type: ignore[attr-defined]
    life.chain.now += 29 * DAY_MS


@table(
    Case("the holder", "wholesale", HOLDER, disputing(), (), before=service()),
    Case("the buyer of an accepted order", "accepted", "buyer-1", disputing(), (), before=later_service),
    Case("the buyer of an offer", "offered", "buyer-1", disputing(), ("no_standing",), before=later_service),
    Case("the buyer whose reservation has lapsed", "accepted", "buyer-1", disputing(), ("no_standing",),
         before=then(later_service, days(61))),
    Case("the seller", "handed_over", HOLDER, disputing(), (), before=later_service),
    Case("the seller after a year", "handed_over", HOLDER, disputing(), ("no_standing",),
         before=then(later_service, days(366))),
    Case("who bought and sold within the year", "wholesale", HOLDER, disputing(), (), before=moved_again),
    Case("who holds nothing", "wholesale", "buyer-1", disputing(), ("no_standing",), before=service()),
    Case("the author", "wholesale", WORKSHOP, disputing(), ("no_standing",), before=service()),
    Case("the maker, of a false identity", "handed_over", "bmw", disputing("false_identity"), (),
         before=then(later_service, days(366))),
    Case("the maker, of anything else", "handed_over", "bmw", disputing(), ("no_standing",),
         before=then(later_service, days(366))),
    Case("a bank with a lien", "wholesale", "bank-1", disputing(), (), before=mortgaged),
    Case("a bank without one", "wholesale", "bank-1", disputing(), ("no_standing",), before=service()),
    Case("a bank whose lien has lapsed", "wholesale", "bank-1", disputing(), ("no_standing",), before=lapsed_lien),
    Case("no such car", "wholesale", HOLDER, disputing(vin=OTHER_VIN), ("vehicle_unknown",), before=service()),
    Case("no such record", "wholesale", HOLDER, lambda life: dispute(life.chain, 99), ("record_unknown",)),
    Case("another record", "wholesale", HOLDER, disputing(target=RecordName(2, bytes(32))), ("record_differs",),
         before=service()),
    Case("an unknown ground", "wholesale", HOLDER, disputing("ugly"), ("code_unknown",), before=service()),
    Case("an amendment", "wholesale", HOLDER, disputing(), ("procedural",), before=of_amendment),
    Case("an amended record", "wholesale", HOLDER, disputing(), ("superseded_already",),
         before=then(service(), amended)),
    Case("an annulled record", "wholesale", "bmw", disputing(), ("superseded_already",),
         before=ended("annulled")),
    Case("the places of the seller are taken", "wholesale", "bmw", disputing(), ("no_standing",),
         before=places_taken("seller", 2)),
    Case("the places of the holder are not", "wholesale", HOLDER, disputing(), (), before=places_taken("seller", 2)),
    Case("a place of the seller is free", "wholesale", "bmw", disputing(), (), before=places_taken("seller", 1)),
    Case("too many of its own on the car", "wholesale", HOLDER, disputing(), ("disputes_open",),
         before=as_many_on_the_car),
    Case("as many of its own that have ended", "wholesale", HOLDER, disputing(), (),
         before=then(as_many_on_the_car, days(28))),
    Case("too many of an account", "handed_over", "buyer-1", disputing(), ("disputes_open",),
         before=then(later_service, opened_elsewhere("buyer-1", OPEN_PER_ACCOUNT_MAX))),
    Case("one below", "handed_over", "buyer-1", disputing(), (),
         before=then(later_service, opened_elsewhere("buyer-1", OPEN_PER_ACCOUNT_MAX - 1))),
    Case("a member may have more", "wholesale", HOLDER, disputing(), (),
         before=then(service(), opened_elsewhere(HOLDER, OPEN_PER_MEMBER_MAX - 1))),
    Case("too many of a member", "wholesale", HOLDER, disputing(), ("disputes_open",),
         before=then(service(), opened_elsewhere(HOLDER, OPEN_PER_MEMBER_MAX))),
    Case("they have ended", "wholesale", HOLDER, disputing(), (),
         before=then(service(), opened_elsewhere(HOLDER, OPEN_PER_MEMBER_MAX), days(1))),
    Case("barred", "wholesale", HOLDER, disputing(), ("dispute_barred",), before=barred),
    Case("barred until now", "wholesale", HOLDER, disputing(), (), before=then(barred, days(1))),
    Case("again by the same", "wholesale", HOLDER, disputing(), ("disputed_before",), before=withdrawn),
    Case("again by the seller", "wholesale", "bmw", disputing(), (), before=withdrawn),
    Case("again by one of the same group", "wholesale", "bmw", disputing(), ("disputed_before",),
         before=then(opened, grouped)),
    Case("withdrawn without a vote by one of the same group", "wholesale", "bmw", disputing(), (),
         before=then(withdrawn, grouped)),
    Case("in a standing in which it was withdrawn", "wholesale", "dealer-shanghai", disputing(), (),
         before=then(withdrawn, resold)),
    Case("in a standing in which it was withdrawn after a vote", "wholesale", "dealer-shanghai", disputing(),
         ("disputed_before",), before=then(withdrawn_late, resold)),
    Case("by the buyer after the seller", "handed_over", "buyer-1", disputing(), (), before=sellers_sham),
    Case("a fourth time", "wholesale", "bmw", disputing("false_identity"), ("disputed_before",),
         before=thrice),
)  # fmt: skip
def test_disputing(case: Case) -> None:
    assert case.codes == case.run()


# --- record.respond -----------------------------------------------------------------------------------------
def responding(answer: str = "stands") -> Callable[[Life], TransactionBody]:
    return lambda life: RecordRespond(life.dispute, answer, ())  # type: ignore[attr-defined]


def disputed_typing(life: Life) -> None:
    typed(life)
    life.dispute = disputed(life, life.target)  # type: ignore[attr-defined]


def late_typing(life: Life) -> None:
    typed(life)
    passed(life, 29)
    life.dispute = disputed(life, life.target)  # type: ignore[attr-defined]


@table(
    Case("the author", "wholesale", WORKSHOP, responding(), (), before=opened),
    Case("with evidence", "wholesale", WORKSHOP, responding("evidence"), (), before=opened),
    Case("an unknown answer", "wholesale", WORKSHOP, responding("maybe"), ("code_unknown",), before=opened),
    Case("the holder", "wholesale", HOLDER, responding(), ("not_the_author",), before=opened),
    Case("no such dispute", "wholesale", WORKSHOP, lambda life: RecordRespond(bytes(32), "stands", ()),
         ("dispute_unknown",)),
    Case("twice", "wholesale", WORKSHOP, responding(), ("answer_past",), before=open_and_answered),
    Case("in time", "wholesale", WORKSHOP, responding(), (),
         before=then(opened, lambda life: passed(life, 13))),
    Case("too late", "wholesale", WORKSHOP, responding(), ("answer_past",), before=then(opened, days(14))),
    Case("withdrawn before", "wholesale", WORKSHOP, responding(), ("dispute_closed",), before=withdrawn),
    Case("takes back a reading", "wholesale", WORKSHOP, responding("withdraws"), ("witness_missing",), before=opened),
    Case("takes back a typing error", "wholesale", WORKSHOP, responding("withdraws"), (), before=disputed_typing),
    Case("takes it back too late", "wholesale", WORKSHOP, responding("withdraws"), LATE,
         before=late_typing),
)  # fmt: skip
def test_responding(case: Case) -> None:
    assert case.codes == case.run()


# --- record.withdraw and record.close -----------------------------------------------------------------------
def withdrawing(life: Life) -> TransactionBody:
    return RecordWithdraw(life.dispute)  # type: ignore[attr-defined]


def closing(life: Life) -> TransactionBody:
    return RecordClose(life.dispute)  # type: ignore[attr-defined]


@table(
    Case("the opener", "wholesale", HOLDER, withdrawing, (), before=opened),
    Case("after a vote", "wholesale", HOLDER, withdrawing, (),
         before=then(open_and_answered, lambda life: voted(life, life.dispute, "stands", "arbiter-1"))),
    Case("the author", "wholesale", WORKSHOP, withdrawing, ("not_the_opener",), before=opened),
    Case("after the vote", "wholesale", HOLDER, withdrawing, ("dispute_due",), before=then(opened, days(28))),
    Case("twice", "wholesale", HOLDER, withdrawing, ("dispute_closed",), before=withdrawn),
    Case("no such dispute", "wholesale", HOLDER, lambda life: RecordWithdraw(bytes(32)), ("dispute_unknown",)),
)  # fmt: skip
def test_withdrawing(case: Case) -> None:
    assert case.codes == case.run()


@table(
    Case("anybody", "wholesale", "buyer-1", closing, (), before=then(opened, days(28))),
    Case("while votes are cast", "wholesale", "buyer-1", closing, ("votes_open",), before=then(opened, days(27))),
    Case("while the answer is waited for", "wholesale", "buyer-1", closing, ("votes_open",), before=opened),
    Case("14 days after an answer", "wholesale", "buyer-1", closing, (), before=then(open_and_answered, days(14))),
    Case("decided before", "wholesale", "buyer-1", closing, ("dispute_closed",), before=ended("stands")),
    Case("closed before", "wholesale", "buyer-1", closing, ("dispute_closed",),
         before=then(opened, days(28), lambda life: closed(life, life.dispute))),
    Case("no such dispute", "wholesale", "buyer-1", lambda life: RecordClose(bytes(32)), ("dispute_unknown",)),
)  # fmt: skip
def test_closing(case: Case) -> None:
    assert case.codes == case.run()


# --- record.resolve -----------------------------------------------------------------------------------------
def resolving(outcome: str = "stands", reason: str = "proven") -> Callable[[Life], TransactionBody]:
    return lambda life: RecordResolve(life.dispute, outcome, reason)  # type: ignore[attr-defined]


def grouped(arbiter: str, group: str, *more: tuple[str, str]) -> Callable[[Life], None]:
    def before(life: Life) -> None:
        open_and_answered(life)
        for name, of_group in ((arbiter, group), *more):
            change(life.chain, MEMBER, address(name), group=of_group)

    return before


@table(
    Case("after the answer", "wholesale", "arbiter-1", resolving(), (), before=open_and_answered),
    Case("before the answer", "wholesale", "arbiter-1", resolving(), TOO_EARLY, before=opened),
    Case("after the time for the answer", "wholesale", "arbiter-1", resolving(), (), before=then(opened, days(14))),
    Case("on the last day", "wholesale", "arbiter-1", resolving(), (), before=then(opened, days(27))),
    Case("too late", "wholesale", "arbiter-1", resolving(), TOO_EARLY, before=then(opened, days(28))),
    Case("no arbiter", "wholesale", "bank-1", resolving(), ("role_missing",), before=open_and_answered),
    Case("twice", "wholesale", "arbiter-1", resolving("annulled"), ("voted_before",),
         before=then(open_and_answered, lambda life: voted(life, life.dispute, "stands", "arbiter-1"))),
    Case("an unknown outcome", "wholesale", "arbiter-1", resolving("title"), ("code_unknown",),
         before=open_and_answered),
    Case("an unknown reason", "wholesale", "arbiter-1", resolving(reason="so"), ("code_unknown",),
         before=open_and_answered),
    Case("decided before", "wholesale", "arbiter-4", resolving(), ("dispute_closed",), before=ended("stands")),
    Case("no such dispute", "wholesale", "arbiter-1", lambda life: RecordResolve(bytes(32), "stands", "proven"),
         ("dispute_unknown",)),
    Case("of the author's group", "wholesale", "arbiter-1", resolving(), ("arbiter_related",),
         before=grouped("arbiter-1", "garages", (WORKSHOP, "garages"))),
    Case("of the holder's group", "wholesale", "arbiter-1", resolving(), ("arbiter_related",),
         before=grouped("arbiter-1", "sellers", (HOLDER, "sellers"))),
    Case("who opened it", "wholesale", HOLDER, resolving(), ("arbiter_related",),
         before=then(open_and_answered, lambda life: granted(life, HOLDER, "arbiter"))),
    Case("of the maker's group", "wholesale", "arbiter-1", resolving(), (),
         before=grouped("arbiter-1", "bmw")),
)  # fmt: skip
def test_resolving(case: Case) -> None:
    assert case.codes == case.run()


def test_a_refused_vote_leaves_no_trace() -> None:
    life = at("wholesale")
    open_and_answered(life)
    before = copied(life)
    assert life.chain.unmet(life.chain.sign("bank-1", RecordResolve(life.dispute, "annulled", "proven")))  # type: ignore[attr-defined]
    assert of(life, life.dispute) == of(before, life.dispute)  # type: ignore[attr-defined]
    assert status(life, life.target) == status(before, life.target)  # type: ignore[attr-defined]
