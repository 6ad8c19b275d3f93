"""The types of a dispute: record.dispute, record.respond, record.withdraw, record.resolve, record.close.

Each appends a record to the car's history. None of them is material but the one that decides.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import (
    Attachment,
    DisputeAnswer,
    DisputeGround,
    DisputeOutcome,
    DisputeReason,
    Id,
    RecordName,
    Vin,
)
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.disputes.amend import DISPUTE_DUE, NOT_THE_AUTHOR, check_alone, check_target, face_of, retract
from node.txtypes.disputes.arbiters import VOTING_MS, check_vote, is_settled, outcome_of, standing_votes
from node.txtypes.disputes.decisions import decide, with_disputed_effects, withdraw
from node.txtypes.disputes.dispute import (
    ANSWER_MS,
    RECORD_DISPUTE,
    RecordDispute,
    Vote,
    casts_of,
    involved,
    note_open,
    put_record_status,
    record_status,
    require_dispute,
    status_at,
    waiting_for,
)
from node.txtypes.disputes.standing import check_number, disputes_of, free_standing, with_dispute
from node.txtypes.members.conduct import expect_answer, expect_no_answer
from node.txtypes.members.member import MEMBER, Roles, roles_of
from node.txtypes.vehicle.guards import VEHICLE_UNKNOWN
from node.txtypes.vehicle.record import append_record, stored_record
from node.txtypes.vehicle.vehicle import VEHICLE

Evidence = Annotated[tuple[Attachment, ...], Meta(max_length=8)]

NOT_THE_OPENER = Guard(
    "not_the_opener",
    "the account has not opened this dispute",
    "das Konto hat diesen Streitfall nicht eröffnet",
    "该账户不是争议提出者",
    is_permission=True,
)
ANSWER_PAST = Guard("answer_past", "the author has answered, or its time for that has passed",
                    "der Autor hat geantwortet, oder seine Frist ist vorbei", "作者已答复或答复期限已过")  # fmt: skip
VOTES_OPEN = Guard(
    "votes_open",
    "the dispute is not counted yet: the vote goes on",
    "der Streitfall wird noch nicht ausgezählt: die Abstimmung läuft",
    "表决尚未结束，不能计票",
)


class RecordDisputeOpen(TransactionBody, tag="record.dispute", frozen=True):
    """Dispute a record of a car. Who may: the holder of the title; the buyer of an accepted order; buyer and seller for
    a year after the title moved between them; a bank with a lien; for `false_identity` the manufacturer whose WMI the
    VIN has. A dispute changes nothing but what is shown; only a decision does.

    Open at a time: per car 8 of an opener, 10 of a plain account, 50 of a member, and for each standing the places of
    the table `dispute_standings`. A record is disputed again at most twice, each time in another standing by an account
    that is not related to the openers before; a dispute that ended without a vote counts only for its opener. Three
    dismissed disputes in four quarters bar an account for 365 days."""

    vin: Vin
    target: RecordName
    ground: DisputeGround
    evidence: Evidence
    weight: ClassVar[int] = 200
    headline: ClassVar[tuple[str, ...]] = ("target", "ground")
    reports_event: ClassVar[bool] = False
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "vin": "WBA8E9G50GNU12345", "target": {"sequence": 8, "digest": "$record"}, "ground": "not_done",
        "evidence": [],
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        vehicle = ledger.get(VEHICLE, self.vin)
        if vehicle is None:
            ledger.unmet(VEHICLE_UNKNOWN, self.vin)
            return
        if check_target(ledger, self.vin, self.target) is None:
            return
        free_standing(ledger, self.vin, vehicle, self.ground, disputes_of(ledger, self.vin, self.target.sequence))
        check_number(ledger, self.vin)

    def apply(self, ledger: Ledger) -> None:
        vehicle, raw = ledger.the(VEHICLE, self.vin), ledger.record(self.vin, self.target.sequence)
        assert raw is not None, "guarded"
        face, earlier = face_of(stored_record(raw)), disputes_of(ledger, self.vin, self.target.sequence)
        standing = free_standing(ledger, self.vin, vehicle, self.ground, earlier)
        assert standing is not None, "guarded"
        answer_by = ledger.now_ms + (ANSWER_MS if _can_answer(ledger, face.author) else 0)
        dispute = RecordDispute(
            self.vin, self.target, face.kind, face.author, ledger.sender, standing, self.ground, ledger.now_ms,
            answer_by, "", answer_by + VOTING_MS, (), "", 0,
        )  # fmt: skip
        ledger.put(RECORD_DISPUTE, ledger.txid, dispute)
        disputes = with_dispute(ledger, record_status(ledger, self.vin, face.sequence).disputes, ledger.txid)
        put_record_status(ledger, self.vin, face.sequence, disputes=disputes)
        note_open(ledger, ledger.txid, dispute)
        if answer_by > ledger.now_ms:
            expect_answer(ledger, face.author, answer_by)
        vehicle = with_disputed_effects(ledger, vehicle, self.vin, face.sequence)
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms)


def _can_answer(ledger: Ledger, author: bytes) -> bool:
    """Whether an answer is waited for: not that of a member that holds no role any more."""
    member = ledger.get(MEMBER, author)
    return member is None or bool(roles_of(member, ledger.now_ms))


class DisputeBody(TransactionBody, frozen=True):
    """A transaction about a dispute that is not closed; `dispute_guards` are those of the type."""

    dispute: Id
    reports_event: ClassVar[bool] = False

    def guards(self, ledger: Ledger) -> None:
        dispute = require_dispute(ledger, self.dispute)
        if dispute is not None and not dispute.outcome:
            self.dispute_guards(ledger, dispute)

    def dispute_guards(self, ledger: Ledger, dispute: RecordDispute) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")


class RecordRespond(DisputeBody, tag="record.respond", frozen=True):
    """The author of a disputed record answers, within 14 days: it `stands`, or it does and `evidence` names documents,
    or the author `withdraws` it, as `record.amend` without a replacement and without a witness. Votes begin then."""

    answer: DisputeAnswer
    evidence: Evidence
    headline: ClassVar[tuple[str, ...]] = ("answer",)
    EXAMPLE: ClassVar[Example] = Example("workshop-berlin", {
        "dispute": "$dispute", "answer": "stands", "evidence": [],
    })  # fmt: skip

    def dispute_guards(self, ledger: Ledger, dispute: RecordDispute) -> None:
        if dispute.author != ledger.sender:
            ledger.unmet(NOT_THE_AUTHOR, self.dispute.hex())
        if status_at(dispute, ledger.now_ms) != "awaiting_answer":
            need = f"before {time_to_text(dispute.answer_by_ms)}"
            ledger.unmet(ANSWER_PAST, self.dispute.hex(), dispute.answer, need)
        if self.answer == "withdraws" and (found := check_target(ledger, dispute.vin, dispute.target)) is not None:
            check_alone(ledger, dispute.vin, dispute.target, found[0], -1)

    def apply(self, ledger: Ledger) -> None:
        dispute = ledger.the(RECORD_DISPUTE, self.dispute)
        expect_no_answer(ledger, dispute.author, dispute.answer_by_ms)
        dispute = replace(
            dispute, answer=self.answer, answer_by_ms=ledger.now_ms, ends_at_ms=ledger.now_ms + VOTING_MS
        )  # fmt: skip
        ledger.put(RECORD_DISPUTE, self.dispute, dispute)
        note_open(ledger, self.dispute, dispute)
        vin, vehicle, is_material = dispute.vin, ledger.the(VEHICLE, dispute.vin), False
        if self.answer == "withdraws":
            raw = ledger.record(vin, dispute.target.sequence)
            assert raw is not None, "guarded"
            vehicle, is_material = retract(ledger, vin, vehicle, face_of(stored_record(raw)))
        vehicle = with_disputed_effects(ledger, vehicle, vin, dispute.target.sequence)
        append_record(ledger, vin, vehicle, self, ledger.now_ms, is_material=is_material)


class RecordWithdraw(DisputeBody, tag="record.withdraw", frozen=True):
    """The opener gives up its dispute before the votes are counted. Once an arbiter has voted, that counts as a
    dismissed dispute."""

    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"dispute": "$dispute"})

    def dispute_guards(self, ledger: Ledger, dispute: RecordDispute) -> None:
        if dispute.opener != ledger.sender:
            ledger.unmet(NOT_THE_OPENER, self.dispute.hex())
        if status_at(dispute, ledger.now_ms) == "due":
            ledger.unmet(DISPUTE_DUE, self.dispute.hex())

    def apply(self, ledger: Ledger) -> None:
        dispute = ledger.the(RECORD_DISPUTE, self.dispute)
        vehicle = withdraw(ledger, self.dispute, dispute)
        append_record(ledger, dispute.vin, vehicle, self, ledger.now_ms)


class RecordResolve(DisputeBody, tag="record.resolve", frozen=True):
    """The vote of an arbiter who is related to neither the author nor the opener nor the holder. Every such arbiter has
    one, from the author's answer or the end of its 14 days on, for 14 days. The votes are counted once no further one
    can change the outcome, else by `record.close`: at least three votes of at least two groups, at least one of them
    not of the maker's group, more than half for one outcome; otherwise the dispute is undecided."""

    outcome: DisputeOutcome
    reason: DisputeReason
    weight: ClassVar[int] = 300
    by: ClassVar[Roles] = Roles("arbiter")
    headline: ClassVar[tuple[str, ...]] = ("outcome", "reason")
    EXAMPLE: ClassVar[Example] = Example("arbiter-1", {
        "dispute": "$dispute", "outcome": "stands", "reason": "proven",
    })  # fmt: skip

    def dispute_guards(self, ledger: Ledger, dispute: RecordDispute) -> None:
        status = status_at(dispute, ledger.now_ms)
        check_vote(ledger, self.dispute, dispute, status, involved(ledger, dispute), dispute.vin)

    def apply(self, ledger: Ledger) -> None:
        dispute = ledger.the(RECORD_DISPUTE, self.dispute)
        dispute = replace(
            dispute, votes=(*standing_votes(ledger, dispute.votes), Vote(ledger.sender, self.outcome, self.reason))
        )
        ledger.put(RECORD_DISPUTE, self.dispute, dispute)
        casts = casts_of(ledger, dispute)
        if is_settled(casts, waiting_for(ledger, dispute), ledger.rules.tables.dispute_outcomes):
            _close(ledger, self, self.dispute, dispute, outcome_of(casts))
        else:
            append_record(ledger, dispute.vin, ledger.the(VEHICLE, dispute.vin), self, ledger.now_ms)


class RecordClose(DisputeBody, tag="record.close", frozen=True):
    """Count the votes of a dispute whose 14 days of voting have passed. Anybody may."""

    EXAMPLE: ClassVar[Example] = Example("bmw", {"dispute": "$dispute"})

    def dispute_guards(self, ledger: Ledger, dispute: RecordDispute) -> None:
        if status_at(dispute, ledger.now_ms) != "due":
            ledger.unmet(VOTES_OPEN, self.dispute.hex(), need=f"after {time_to_text(dispute.ends_at_ms)}")

    def apply(self, ledger: Ledger) -> None:
        dispute = ledger.the(RECORD_DISPUTE, self.dispute)
        _close(ledger, self, self.dispute, dispute, outcome_of(casts_of(ledger, dispute)))


def _close(ledger: Ledger, body: TransactionBody, ident: bytes, dispute: RecordDispute, outcome: str) -> None:
    vehicle, is_material = decide(ledger, ident, dispute, outcome)
    append_record(
        ledger, dispute.vin, vehicle, body, ledger.now_ms, (f"decided:{outcome}",), is_material=is_material
    )  # fmt: skip
