"""The types of a dispute about an order: order.dispute, order.respond, order.resolve, order.close."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, Amount, Id
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.disputes.arbiters import UNDECIDED, VOTING_MS, check_vote, is_settled, outcome_of, standing_votes
from node.txtypes.disputes.order_dispute import (
    ANSWER_MS,
    DISPUTES_PER_OPENER_MAX,
    OPENED_WITHIN_MS,
    OPENERS_MAX,
    ORDER_DISPUTE,
    PAUSE_MAX_MS,
    Decision,
    Evidence,
    OrderDispute,
    OrderVote,
    Reason,
    answering,
    casts_of,
    disputing,
    involved,
    key_of,
    status_at,
    waiting_for,
)
from node.txtypes.disputes.types import ANSWER_PAST, VOTES_OPEN
from node.txtypes.members.conduct import count
from node.txtypes.members.member import Roles
from node.txtypes.sale.accounts import account_parties
from node.txtypes.sale.acting import check_mandate
from node.txtypes.sale.deal import vins_of_deal
from node.txtypes.sale.listing import NOT_A_PARTY
from node.txtypes.sale.order import Order, ended_ms, is_live, parties_of
from node.txtypes.sale.order_body import (
    ORDER_UNKNOWN,
    Balances,
    balances,
    count_ordered,
    freed,
    posted,
    reserving,
    step_listing,
    still_at_issue,
    write_money,
)
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE

ORDER_DISPUTE_UNKNOWN = Guard("order_dispute_unknown", "there is no such dispute about an order",
                              "diesen Streitfall zu einem Auftrag gibt es nicht", "没有此订单争议")  # fmt: skip
ORDER_DISPUTE_CLOSED = Guard("order_dispute_closed", "the dispute is closed", "der Streitfall ist abgeschlossen",
                             "争议已结束")  # fmt: skip
ORDER_DISPUTE_PAST = Guard(
    "order_dispute_past",
    "the order cannot be disputed: it was never accepted, ended too long ago, or was disputed too often",
    "über den Auftrag kann nicht gestritten werden: er wurde nie angenommen, endete vor zu langer Zeit, oder es wurde "
    "zu oft gestritten",
    "该订单不能再争议：从未接受、结束过久或争议次数过多",
)
DECISION_UNFIT = Guard("decision_unfit", "this cannot be decided about an order in this state",
                       "das kann über einen Auftrag in diesem Zustand nicht entschieden werden",
                       "此状态的订单不能作此裁决")  # fmt: skip


class OrderDisputeOpen(TransactionBody, tag="order.dispute", frozen=True):
    """A party disputes an accepted order, until 180 days after its end, and 28 days more for each dispute of another
    one, at most three times; one that is barred for what it owes of the order at any time. An open dispute pauses the
    deadlines, 60 days in all, and blocks the handover. `ask`: what the sender asks to get, in minor units. `party`:
    with whom the seller or its agent disputes, null for the buyer."""

    order: Id
    reason: Reason
    ask: Amount
    evidence: Evidence
    party: Address | None = None
    weight: ClassVar[int] = 200
    headline: ClassVar[tuple[str, ...]] = ("reason", "ask")
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "order": "$order", "reason": "not_delivered", "ask": 5_290_000, "evidence": [],
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        order, subject = ledger.get(ORDER, self.order), self.order.hex()
        if order is None:
            ledger.unmet(ORDER_UNKNOWN, subject)
            return
        known = account_parties(order)
        if ledger.sender not in (*parties_of(order), *known) or self.party not in (None, *known):
            ledger.unmet(NOT_A_PARTY, subject)
        elif ledger.sender == order.agent and ledger.sender not in known:
            check_mandate(ledger, "handover", order, is_priced=False)
        is_ended = order.status != "accepted" or not is_live(order, ledger.now_ms)
        before = order.openers.count(ledger.sender)
        by_others = (order.disputes - before) * (ANSWER_MS + VOTING_MS)  # meanwhile the sender could open none
        is_late = is_ended and ledger.now_ms > max(ended_ms(order), order.return_by_ms) + OPENED_WITHIN_MS + by_others
        is_past = (is_late or before >= DISPUTES_PER_OPENER_MAX) and not self._is_barred(ledger, order)
        if not order.accepted_at_ms or is_past or order.dispute:
            have = "a dispute is open" if order.dispute else f"{before} before"
            ledger.unmet(ORDER_DISPUTE_PAST, subject, have, f"below {DISPUTES_PER_OPENER_MAX}, in time")

    def _is_barred(self, ledger: Ledger, order: Order) -> bool:
        """Whether the sender deals in no car, or not in this one, because of the order: only arbiters can help it whose
        creditor does not say that it was paid."""
        is_sellers = ledger.sender == order.seller and order.is_claimed
        return is_sellers or balances(ledger, order).get(ledger.sender, 0) < 0

    def apply(self, ledger: Ledger) -> None:
        order, now = ledger.the(ORDER, self.order), ledger.now_ms
        is_pausing = order.status == "accepted" and is_live(order, now)
        paused = max(0, PAUSE_MAX_MS - order.paused_ms) if is_pausing else 0
        answer_by, was = now + ANSWER_MS, balances(ledger, order)
        party = disputing(order, ledger.sender, self.party)
        ledger.put(ORDER_DISPUTE, ledger.txid, OrderDispute(
            self.order, ledger.sender, self.reason, self.ask, party, self.evidence, now, answer_by, (), False,
            answer_by + VOTING_MS, (), None, 0,
        ))  # fmt: skip
        before = order.openers
        is_counted = len(before) < OPENERS_MAX and before.count(ledger.sender) < DISPUTES_PER_OPENER_MAX
        write_money(ledger, self.order, replace(
            order, dispute=ledger.txid, disputes=order.disputes + 1,
            openers=(*before, ledger.sender) if is_counted else before, at_issue=was.get(party, 0), issue_with=party,
            until_ms=order.until_ms + paused, hold_until_ms=order.hold_until_ms + paused, pausing_ms=paused,
            is_window_confirmed=False,  # nobody misses a window in which nothing can be handed over
        ), was)  # fmt: skip


class OrderDisputeBody(TransactionBody, frozen=True):
    """A transaction about an open dispute; `dispute_guards` are those of the type."""

    dispute: Id

    def guards(self, ledger: Ledger) -> None:
        dispute = ledger.get(ORDER_DISPUTE, self.dispute)
        if dispute is None:
            ledger.unmet(ORDER_DISPUTE_UNKNOWN, self.dispute.hex())
        elif dispute.closed_at_ms:
            ledger.unmet(ORDER_DISPUTE_CLOSED, self.dispute.hex())
        else:
            self.dispute_guards(ledger, dispute, ledger.the(ORDER, dispute.order))

    def dispute_guards(self, ledger: Ledger, dispute: OrderDispute, order: Order) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")


class OrderRespond(OrderDisputeBody, tag="order.respond", frozen=True):
    """The party of the dispute answers the seller or its agent, the seller the party, within 14 days. Votes begin
    then."""

    evidence: Evidence
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"dispute": "$order_dispute", "evidence": []})

    def dispute_guards(self, ledger: Ledger, dispute: OrderDispute, order: Order) -> None:
        if ledger.sender != answering(order, dispute):
            ledger.unmet(NOT_A_PARTY, self.dispute.hex(), need="the opposite party")
        if status_at(dispute, ledger.now_ms) != "awaiting_answer":
            ledger.unmet(ANSWER_PAST, self.dispute.hex(), need=f"before {time_to_text(dispute.answer_by_ms)}")

    def apply(self, ledger: Ledger) -> None:
        now = ledger.now_ms
        ledger.put(ORDER_DISPUTE, self.dispute, replace(
            ledger.the(ORDER_DISPUTE, self.dispute), answer_by_ms=now, answer_evidence=self.evidence,
            is_answered=True, ends_at_ms=now + VOTING_MS,
        ))  # fmt: skip


class OrderResolve(OrderDisputeBody, tag="order.resolve", frozen=True):
    """The vote of an arbiter who is related to nobody involved; see `record.resolve` for how votes are counted. Votes
    are for one decision only if they agree in all its fields."""

    decision: Decision
    weight: ClassVar[int] = 300
    by: ClassVar[Roles] = Roles("arbiter")
    headline: ClassVar[tuple[str, ...]] = ("decision",)
    EXAMPLE: ClassVar[Example] = Example("arbiter-1", {
        "dispute": "$order_dispute", "decision": {"action": "resume", "amount": 0, "debtor": ""},
    })  # fmt: skip

    def dispute_guards(self, ledger: Ledger, dispute: OrderDispute, order: Order) -> None:
        status = status_at(dispute, ledger.now_ms)
        check_vote(ledger, self.dispute, dispute, status, involved(ledger, order), order.vin)
        if need := _unfit(self.decision, order):
            ledger.unmet(DECISION_UNFIT, self.dispute.hex(), key_of(self.decision), need)

    def apply(self, ledger: Ledger) -> None:
        dispute = ledger.the(ORDER_DISPUTE, self.dispute)
        votes = standing_votes(ledger, dispute.votes)
        dispute = replace(dispute, votes=(*votes, OrderVote(ledger.sender, self.decision)))
        ledger.put(ORDER_DISPUTE, self.dispute, dispute)
        order = ledger.the(ORDER, dispute.order)
        casts = casts_of(ledger, order, dispute)
        if is_settled(casts, waiting_for(ledger, order, dispute), {cast.outcome for cast in casts}):
            _close(ledger, self, self.dispute, dispute, outcome_of(casts))


def _unfit(decision: Decision, order: Order) -> str:
    """What a decision about the order would have to be, or empty."""
    match decision.action:
        case "unwind":
            is_open = order.status in ("accepted", "cancelled")
            is_fit = is_open and not decision.debtor and decision.amount <= order.price.amount
            return "" if is_fit else "an order without title, at most its price, and no debtor"
        case "claim":
            is_claim = bool(decision.debtor and 0 < decision.amount <= order.price.amount and order.vin)
            return "" if is_claim else "a debtor and an amount of at most the price, for a car with a VIN"
    return "" if not decision.amount and not decision.debtor else "neither amount nor debtor"


class OrderDisputeClose(OrderDisputeBody, tag="order.close", frozen=True):
    """Count the votes of a dispute whose time of voting has passed. Anybody may."""

    EXAMPLE: ClassVar[Example] = Example("bmw", {"dispute": "$order_dispute"})

    def dispute_guards(self, ledger: Ledger, dispute: OrderDispute, order: Order) -> None:
        if status_at(dispute, ledger.now_ms) != "due":
            ledger.unmet(VOTES_OPEN, self.dispute.hex(), need=f"after {time_to_text(dispute.ends_at_ms)}")

    def apply(self, ledger: Ledger) -> None:
        dispute = ledger.the(ORDER_DISPUTE, self.dispute)
        order = ledger.the(ORDER, dispute.order)
        _close(ledger, self, self.dispute, dispute, outcome_of(casts_of(ledger, order, dispute)))


def _close(ledger: Ledger, body: TransactionBody, ident: bytes, dispute: OrderDispute, outcome: str) -> None:
    """Carry out what was decided. The deadlines are put off by as long as the dispute has lasted."""
    decision = next((vote.decision for vote in dispute.votes if key_of(vote.decision) == outcome), None)
    assert decision is not None or outcome == UNDECIDED, "an outcome is one of the votes"
    ledger.put(ORDER_DISPUTE, ident, replace(dispute, decision=decision, closed_at_ms=ledger.now_ms))
    order = ledger.the(ORDER, dispute.order)
    was = balances(ledger, order)
    at_issue = still_at_issue(order, was)
    used = min(order.pausing_ms, ledger.now_ms - max(dispute.opened_at_ms, order.accepted_at_ms))
    rest = order.pausing_ms - used
    order = replace(
        order, dispute=b"", at_issue=0, issue_with=None, paused_ms=order.paused_ms + used, pausing_ms=0,
        until_ms=order.until_ms - rest, hold_until_ms=order.hold_until_ms - rest,
    )  # fmt: skip
    if decision is not None and decision.action == "dismiss":
        count(ledger, dispute.opener, "dismissed")
    if decision is not None and decision.action == "claim":
        order = posted(order, order.buyer, decision.amount if decision.debtor == "seller" else -decision.amount)
    if decision is not None and decision.action == "settled":
        order = _settled(order, dispute.party, at_issue, was)
    if decision is not None and decision.action == "unwind":
        _unwind(ledger, body, dispute.order, order, decision.amount, was)
        return
    order = write_money(ledger, dispute.order, order, was)
    if order.status == "accepted" and not is_live(order, ledger.now_ms):
        _let_go(ledger, dispute.order, order)
    if not order.vin:
        return
    vehicle = ledger.the(VEHICLE, order.vin)
    append_record(ledger, order.vin, vehicle, body, ledger.now_ms, (f"decided:{outcome.partition(' ')[0]}",))


def _let_go(ledger: Ledger, ident: bytes, order: Order) -> None:
    """The pause alone has kept the reservation, so its cars are reserved no longer than the order is."""
    for vin in vins_of_deal(order.vin, order.terms):
        vehicle = ledger.the(VEHICLE, vin)
        if vehicle.market.status == "reserved" and vehicle.market.order == ident:
            ledger.put(VEHICLE, vin, replace(vehicle, market=reserving(ledger, ident, order, vin)))


def _settled(order: Order, party: bytes, at_issue: int, was: Balances) -> Order:
    """What the parties of the dispute owed each other has been paid, though nobody had said so: as far as it was owed
    all the time since the dispute was opened, for nobody has judged what came after."""
    return posted(order, party, -at_issue) if party in was else order


def _unwind(ledger: Ledger, body: TransactionBody, ident: bytes, order: Order, kept: int, was: Balances) -> None:
    """End the order, or decide anew what the seller keeps of one that has ended."""
    was_live = order.status == "accepted" and bool(order.vin) and ledger.the(VEHICLE, order.vin).market.order == ident
    if order.status == "accepted":
        count_ordered(ledger, order, -1)
    ended = order.ended_at_ms or (ledger.now_ms if is_live(order, ledger.now_ms) else ended_ms(order))
    order = replace(order, status="cancelled", cause=order.cause or "decided", kept=kept, ended_at_ms=ended)
    if was_live:
        step_listing(ledger, order, "order.cancel")
    for vin in vins_of_deal(order.vin, order.terms):
        append_record(ledger, vin, freed(ledger, ident, order, vin), body, ledger.now_ms, ("decided:unwind",))
    write_money(ledger, ident, order, was)
