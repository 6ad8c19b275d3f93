"""Disputes about orders as state. Arbiters decide what happens to the money; the title they never move.

An open dispute pauses the deadlines of an accepted order, 60 days in all, and blocks its handover.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from node.codec import Value
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, AsOf, Family, Index, Reader, extended
from node.ledger.fields import Address, Amount, Attachment, Id, OptionalTime, Time
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.disputes.arbiters import ARBITERS_MAX, Cast, cast_of, may_judge, named, standing_votes
from node.txtypes.members.member import name_of
from node.txtypes.sale.accounts import account_parties
from node.txtypes.sale.order import Order, parties_of
from node.txtypes.sale.payments import payments_of
from node.txtypes.vehicle.vehicle import VEHICLE

DISPUTES_PER_OPENER_MAX: Final = 3
OPENERS_MAX: Final = 16
"""Openers that an order counts. Others come by amendments, which both sides sign; theirs are counted no more."""
OPENED_WITHIN_MS: Final = 180 * DAY_MS
"""How long after its end an order can be disputed."""
PAUSE_MAX_MS: Final = 60 * DAY_MS
"""The longest time by which all disputes together put off the deadlines of an order that is accepted or reinstated."""
ANSWER_MS: Final = 14 * DAY_MS

Evidence = Annotated[tuple[Attachment, ...], Meta(max_length=8)]
Action = Literal["resume", "unwind", "dismiss", "claim", "settled"]
Reason = Literal["not_delivered", "not_as_described", "not_paid", "refund", "withdrawal", "other"]


class Decision(Value, frozen=True):
    """What an arbiter votes for. `resume`: an accepted order goes on; `unwind`: it ends, and the seller keeps `amount`;
    `claim`: `debtor` owes the other party `amount`; `settled`: what the parties of the dispute owed each other of the
    order when it was opened has been paid; `dismiss`: nothing changes, and the dispute was unfounded."""

    action: Action
    amount: Amount
    debtor: Literal["", "seller", "buyer"]


class OrderVote(Value, frozen=True):
    """The vote of an arbiter."""

    arbiter: Address
    decision: Decision


class OrderDispute(Value, tag=1, frozen=True):
    """A dispute about an order. `ask`: what the opener asks to get, in minor units. `party`: the one whose account
    with the seller it is about. `decision`: null until it is closed, then what
    was decided; of a closed dispute, null is undecided."""

    order: Id
    opener: Address
    reason: Reason
    ask: Amount
    party: Address
    evidence: Evidence
    opened_at_ms: Time
    answer_by_ms: Time
    """When the other party's time for an answer ends, or when it has answered."""
    answer_evidence: Evidence
    is_answered: bool
    ends_at_ms: Time
    """When the votes are counted at the latest."""
    votes: Annotated[tuple[OrderVote, ...], Meta(max_length=ARBITERS_MAX)]
    decision: Decision | None
    closed_at_ms: OptionalTime


class OrderDisputeView(OrderDispute, frozen=True):
    """A dispute about an order as it counts now."""

    id: Id
    status: Literal["awaiting_answer", "voting", "due", "closed"]
    opener_name: str

    @staticmethod
    def of(ident: str, dispute: OrderDispute, reader: Reader, as_of: AsOf) -> OrderDisputeView:
        return extended(
            OrderDisputeView, dispute, id=bytes.fromhex(ident), status=status_at(dispute, as_of.now_ms),
            opener_name=name_of(reader, dispute.opener),
        )  # fmt: skip


ORDER_DISPUTE = Family(
    "order-dispute", OrderDispute, ident=HASH_IDENT._replace(param="dispute"),
    indexes=(
        Index("order", lambda dispute: (dispute.order.hex(),), HASH_IDENT, description="id of the order"),
        Index("opener", lambda dispute: (dispute.opener.hex(),), ADDRESS_IDENT, description="who opened it"),
    ),
    concerns=lambda ident, dispute: (f"order/{dispute.order.hex()}", f"account/{dispute.opener.hex()}"),
    event="order-dispute", is_checked=True, status=lambda dispute: "closed" if dispute.closed_at_ms else "open",
    path="/v1/order-disputes", view=OrderDisputeView, internal=("id",),
)  # fmt: skip


def status_at(dispute: OrderDispute, now_ms: int) -> Literal["awaiting_answer", "voting", "due", "closed"]:
    if dispute.closed_at_ms:
        return "closed"
    if now_ms < dispute.answer_by_ms:
        return "awaiting_answer"
    return "voting" if now_ms < dispute.ends_at_ms else "due"


def answering(order: Order, dispute: OrderDispute) -> bytes:
    """Who answers a dispute: the party that of the seller or its agent, the seller that of the party."""
    return dispute.party if dispute.opener != dispute.party else order.seller


def disputing(order: Order, opener: bytes, named: bytes | None) -> bytes:
    """Whose account with the seller a dispute is about: the opener's, else that of the party that the seller or its
    agent names, by default the buyer."""
    return opener if opener in account_parties(order) else named or order.buyer


def involved(ledger: Ledger, order: Order) -> tuple[bytes, ...]:
    """Everybody whom an arbiter must not be related to: the parties, the taker of a car in payment, the providers, the
    carrier and the car's maker."""
    trade_in = order.terms.trade_in
    providers = [payment.provider for payment in payments_of(ledger, order.payments)]
    agreed = [leg.provider for leg in order.terms.legs if leg.provider is not None]
    others = [account for account in (order.carrier, trade_in.taker if trade_in else None) if account is not None]
    return tuple(dict.fromkeys((*parties_of(order), *providers, *agreed, *others, maker_of(ledger, order))))


def maker_of(ledger: Ledger, order: Order) -> bytes:
    """The car's maker, who sells it itself where it is still to be built."""
    return ledger.the(VEHICLE, order.vin).maker if order.vin else order.seller


def casts_of(ledger: Ledger, order: Order, dispute: OrderDispute) -> list[Cast]:
    maker = maker_of(ledger, order)
    return [
        cast_of(ledger, vote.arbiter, key_of(vote.decision), maker) for vote in standing_votes(ledger, dispute.votes)
    ]


def waiting_for(ledger: Ledger, order: Order, dispute: OrderDispute) -> list[Cast]:
    """The arbiters who have not voted on the dispute and still may, each as a vote without an outcome."""
    maker, voted = maker_of(ledger, order), {vote.arbiter for vote in dispute.votes}
    parties = involved(ledger, order)
    return [
        cast_of(ledger, arbiter, "", maker) for arbiter in named(ledger)
        if arbiter not in voted and may_judge(ledger, arbiter, parties, order.vin)
    ]  # fmt: skip


def key_of(decision: Decision) -> str:
    """Two decisions are the same vote if they have the same key."""
    return f"{decision.action} {decision.amount} {decision.debtor}".strip()
