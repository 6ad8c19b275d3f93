"""The types of a case: case.open, case.confirm, case.reply, case.close."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, CaseCategory, Hash32, Id, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.cases.case import (
    CASE,
    LIVE_CASES,
    REPLIES_MAX,
    Case,
    Channel,
    LiveCases,
    Outcome,
    Reply,
    live_cases,
    status_at,
)
from node.txtypes.identity.account import ACCOUNT, ACCOUNT_UNKNOWN
from node.txtypes.identity.quota import check_acts, count_act
from node.txtypes.members.member import active_member, require_member
from node.txtypes.sale.listing import NOT_A_PARTY
from node.txtypes.sale.order import parties_of
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.vehicle import VEHICLE

LIVE_MAX: Final = 10
STRANGERS_PER_DAY_MAX: Final = 3
"""Cases that an account may open in a day without an order of the member's or a car of its own."""

CASE_UNKNOWN = Guard("case_unknown", "there is no such case", "diesen Fall gibt es nicht", "没有此案件")
CASE_STATUS = Guard("case_status", "the case is not in the right state", "der Fall ist nicht im richtigen Zustand",
                    "案件状态不符")  # fmt: skip
CASE_SEQUENCE = Guard("case_sequence", "the case has another number of replies",
                      "der Fall hat eine andere Zahl von Antworten", "案件回复序号不符")  # fmt: skip
CASES_LIVE = Guard("cases_live", "the customer has too many open cases", "der Kunde hat zu viele offene Fälle",
                   "客户未结案件过多")  # fmt: skip
REPLIES_FULL = Guard("replies_full", "the case has too many replies: open another",
                     "der Fall hat zu viele Antworten: einen neuen eröffnen", "案件回复过多：请另开案件")  # fmt: skip


class CaseOpen(TransactionBody, tag="case.open", frozen=True):
    """A customer opens a case with a member; or the member writes one down for a customer, for instance after a call.
    That one counts once the customer has confirmed it."""

    member: Address
    order: Id | None
    vin: Vin | None
    channel: Channel
    category: CaseCategory
    content: Hash32
    on_behalf: Address | None = None
    """The customer, where the member opens the case."""
    weight: ClassVar[int] = 80
    headline: ClassVar[tuple[str, ...]] = ("member", "category")
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "member": "dealer-munich", "order": None, "vin": None, "channel": "online", "category": "COMPLAINT",
        "content": "22" * 32,
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        customer = self.on_behalf or ledger.sender
        require_member(ledger, self.member)
        if self.on_behalf is not None:
            if ledger.sender != self.member:
                ledger.unmet(NOT_A_PARTY, to_text(ledger.sender), need="the member writes down a customer's case")
            if ledger.get(ACCOUNT, self.on_behalf) is None:
                ledger.unmet(ACCOUNT_UNKNOWN, to_text(self.on_behalf))
        elif ledger.sender == self.member:
            ledger.unmet(NOT_A_PARTY, to_text(ledger.sender), need="a customer")
        order = ledger.get(ORDER, self.order) if self.order is not None else None
        if self.order is not None and (order is None or customer not in parties_of(order)):
            ledger.unmet(NOT_A_PARTY, self.order.hex())
        if self.on_behalf is None:
            _check_live(ledger, customer)
            if order is None and not self._has_car(ledger, customer):
                check_acts(ledger, "case.open", STRANGERS_PER_DAY_MAX)

    def _has_car(self, ledger: Ledger, customer: bytes) -> bool:
        vehicle = ledger.get(VEHICLE, self.vin) if self.vin is not None else None
        return vehicle is not None and vehicle.holder == customer

    def apply(self, ledger: Ledger) -> None:
        customer = self.on_behalf or ledger.sender
        ledger.put(CASE, ledger.txid, Case(
            self.member, customer, self.order, self.vin, self.channel, self.category, self.content, ledger.now_ms,
            self.on_behalf is None, (), "", 0, 0,
        ))  # fmt: skip
        if self.on_behalf is None:
            _add_live(ledger, customer, ledger.txid)
            if self.order is None and not self._has_car(ledger, customer):
                count_act(ledger, "case.open")


def _check_live(ledger: Ledger, customer: bytes) -> None:
    if len(live_cases(ledger, customer)) >= LIVE_MAX:
        ledger.unmet(CASES_LIVE, to_text(customer), need=f"below {LIVE_MAX}")


def _add_live(ledger: Ledger, customer: bytes, ident: bytes) -> None:
    ledger.put(LIVE_CASES, customer, LiveCases((*live_cases(ledger, customer), ident)))


class CaseBody(TransactionBody, frozen=True):
    """A transaction about a case; `statuses`: those that permit the type."""

    case: Id
    statuses: ClassVar[tuple[str, ...]] = ("open", "proposed")

    def guards(self, ledger: Ledger) -> None:
        case = ledger.get(CASE, self.case)
        if case is None:
            ledger.unmet(CASE_UNKNOWN, self.case.hex())
            return
        if (status := status_at(case, ledger.now_ms)) not in self.statuses:
            ledger.unmet(CASE_STATUS, self.case.hex(), status, " or ".join(self.statuses))
        self.case_guards(ledger, case)

    def case_guards(self, ledger: Ledger, case: Case) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")

    def check_party(self, ledger: Ledger, *parties: bytes) -> None:
        if ledger.sender not in parties:
            ledger.unmet(NOT_A_PARTY, self.case.hex())


class CaseConfirm(CaseBody, tag="case.confirm", frozen=True):
    """The customer confirms a case that the member wrote down for it, within 7 days."""

    statuses: ClassVar[tuple[str, ...]] = ("unconfirmed",)
    weight: ClassVar[int] = 80
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"case": "$case"})

    def case_guards(self, ledger: Ledger, case: Case) -> None:
        self.check_party(ledger, case.customer)
        _check_live(ledger, case.customer)

    def apply(self, ledger: Ledger) -> None:
        case = ledger.the(CASE, self.case)
        ledger.put(CASE, self.case, replace(case, is_confirmed=True))
        _add_live(ledger, case.customer, self.case)


class CaseReply(CaseBody, tag="case.reply", frozen=True):
    """Member or customer adds a letter. `sequence`: the number of replies so far, so that no retry adds one twice. A
    reply of the customer takes a case up again that the member took for solved."""

    sequence: Annotated[int, Meta(ge=0, le=REPLIES_MAX)]
    content: Hash32
    weight: ClassVar[int] = 80
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"case": "$case", "sequence": 0, "content": "33" * 32})

    def case_guards(self, ledger: Ledger, case: Case) -> None:
        self.check_party(ledger, case.member, case.customer)
        if ledger.sender == case.member and active_member(ledger, ledger.sender) is None:
            ledger.unmet(NOT_A_PARTY, self.case.hex(), need="an active member")
        if self.sequence != len(case.replies):
            ledger.unmet(CASE_SEQUENCE, self.case.hex(), self.sequence, len(case.replies))
        if len(case.replies) >= REPLIES_MAX:
            ledger.unmet(REPLIES_FULL, self.case.hex(), len(case.replies), f"below {REPLIES_MAX}")

    def apply(self, ledger: Ledger) -> None:
        case = ledger.the(CASE, self.case)
        replies = (*case.replies, Reply(ledger.sender, self.content, ledger.now_ms))
        if ledger.sender == case.customer:
            case = replace(case, outcome="", proposed_at_ms=0)
        ledger.put(CASE, self.case, replace(case, replies=replies))


class CaseClose(CaseBody, tag="case.close", frozen=True):
    """The member says what a case came to; the customer closes it by saying so too, or by 14 days of silence. A
    customer may close its case at any time."""

    outcome: Outcome
    weight: ClassVar[int] = 80
    headline: ClassVar[tuple[str, ...]] = ("outcome",)
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"case": "$case", "outcome": "solved"})

    def case_guards(self, ledger: Ledger, case: Case) -> None:
        self.check_party(ledger, case.member, case.customer)
        if ledger.sender == case.member and case.proposed_at_ms:
            ledger.unmet(CASE_STATUS, self.case.hex(), "proposed", "open")

    def apply(self, ledger: Ledger) -> None:
        case = ledger.the(CASE, self.case)
        if ledger.sender == case.customer:
            ledger.put(CASE, self.case, replace(case, outcome=self.outcome, closed_at_ms=ledger.now_ms))
        else:
            ledger.put(CASE, self.case, replace(case, outcome=self.outcome, proposed_at_ms=ledger.now_ms))
