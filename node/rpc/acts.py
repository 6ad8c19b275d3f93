"""What a transaction of a deal says of itself, for timelines and events: cause, reason code, amount, whose turn."""

from __future__ import annotations

from typing import Final

from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Money
from node.txtypes.cases.types import CaseClose
from node.txtypes.disputes.order_dispute_types import OrderResolve
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.sale.deal import Terms

_CAUSES: Final = ("reason", "kind", "stage", "outcome", "category")
"""Fields of a body that name its cause, the first that it has."""
_MOVES: Final = {
    "payment.initiate": "initiated", "payment.declare": "declared", "payment.refund": "refund_instructed",
    "payment.confirm_refund": "refund_confirmed", "payment.reassign": "reassigned",
}  # fmt: skip
"""Types about a payment that do not name what happens to its money."""


def cause_of(body: TransactionBody) -> str:
    """The cause that a body names: the reason of a cancellation or a dispute, the kind of an attestation, the stage of
    a delivery, the outcome of a case, the decision of an arbiter; empty where it names none."""
    if isinstance(body, OrderResolve):
        return body.decision.action
    move = _MOVES.get(type_of(body), "")
    return move or next((str(value) for name in _CAUSES if (value := getattr(body, name, ""))), "")


def code_of(body: TransactionBody) -> str:
    """The bank's or card's reason for money that did not come or went back (ISO 20022), empty for none."""
    return body.code if isinstance(body, PaymentAttest) else ""


def amount_of(body: TransactionBody) -> Money | None:
    """The amount that a body is about: of the money that moves, or the price that it names."""
    terms = getattr(body, "terms", None)
    found = terms.price if isinstance(terms, Terms) else getattr(body, "amount", None)
    return found if isinstance(found, Money) else None


def order_turn(body: TransactionBody, is_by_buyer: bool) -> str:
    """Who has to answer the terms after this transaction, `seller` or `buyer`, empty where nobody has."""
    return ("seller" if is_by_buyer else "buyer") if type_of(body) in ("order.offer", "order.counter") else ""


def case_turn(body: TransactionBody, is_by_customer: bool) -> str:
    """Who has to write next in a case after this transaction, `member` or `customer`; empty where it is closed."""
    if isinstance(body, CaseClose) and is_by_customer:
        return ""
    return "member" if is_by_customer else "customer"
