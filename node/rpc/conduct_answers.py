"""How an account has behaved: its conduct, and what its orders, their disputes and its cases came to.

The conduct is one state value. Everything else is counted from the indexes of orders, disputes and cases by account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args

from msgspec import structs

from node.ledger.family import Family, View, index_prefix
from node.ledger.fields import OptionalTime
from node.rpc.call import Call
from node.rpc.moments import Moment, WorkShare, paced_snapshot
from node.rpc.values import path_ident, require
from node.txtypes.cases.case import CASE, Case, CaseView
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, OrderDispute
from node.txtypes.members.conduct import ConductView
from node.txtypes.members.member import FRAUDS, MEMBER, roles_of
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER, status_of
from node.txtypes.vehicle.claims import claims_of

VALUES_MAX: Final = 5_000
"""Orders, and cases, that one answer looks at."""

R = TypeVar("R")
Side = Literal["seller", "agent", "buyer", "lender"]


class ReasonCount(View, frozen=True):
    """How many accepted orders were cancelled for a reason."""

    reason: str
    count: int


class OrderCounts(View, frozen=True):
    """What the orders of an account came to in which it is on one side. `made`: all; `accepted`: those that bound, of
    which `completed` moved the title, `returned` moved it back, `cancelled` ended without; `lapsed`: offers and
    reservations whose time ran out; `refused`: offers that were rejected or taken back; `live`: the others."""

    side: Side
    made: int
    accepted: int
    completed: int
    returned: int
    cancelled: tuple[ReasonCount, ...]
    lapsed: int
    refused: int
    live: int


class DisputeCounts(View, frozen=True):
    """Disputes about the account's orders. `opened`: by the account, of which arbiters called `dismissed` unfounded;
    `against`: by another party, of which arbiters decided `lost` against the account's side; `undecided`: closed
    without a decision; `open`: not closed yet."""

    opened: int
    dismissed: int
    against: int
    lost: int
    undecided: int
    open: int


class CaseCounts(View, frozen=True):
    """Cases of customers. `received`: as the member, of which `late` missed a reply or an outcome in time, and
    `by_silence` were closed by the customer's silence; `live`: not closed yet; `opened`: as the customer."""

    received: int
    late: int
    by_silence: int
    solved: int
    live: int
    opened: int


class FraudMark(View, frozen=True):
    """A mark for fraud: records from `since` on count for nothing. `role`: empty for every role."""

    role: str
    since_ms: OptionalTime


class AccountConduct(ConductView, frozen=True):
    """An account's conduct as it counts now, and what its deals came to. `claims_against`: open claims that its orders
    have left on their cars, with it as the debtor. `is_whole`: all its orders and cases were looked at, not only the
    first 5,000."""

    roles: tuple[str, ...]
    frauds: tuple[FraudMark, ...]
    orders: tuple[OrderCounts, ...]
    disputes: DisputeCounts
    cases: CaseCounts
    claims_against: int
    is_whole: bool


async def conduct(owner: Family[Any], call: Call) -> tuple[Moment, AccountConduct]:
    ident = path_ident(owner, call)
    address = bytes.fromhex(ident)
    async with paced_snapshot(call.reader()) as (moment, share):
        known = ConductView.of(ident, require(moment, owner, ident), moment, moment.as_of)
        orders, all_orders = await _listed(ORDER, ident, moment, share, partial(_ended, address, moment))
        cases, all_cases = await _listed(CASE, ident, moment, share, partial(_case_view, moment))
        member, frauds = moment.get(MEMBER, ident), moment.get(FRAUDS, "all")
        marks = tuple(f for f in frauds.entries if f.author == address) if frauds is not None else ()
        return moment, AccountConduct(
            **structs.asdict(known),
            roles=roles_of(member, moment.as_of.now_ms) if member is not None else (),
            frauds=tuple(FraudMark(mark.role, mark.since_ms) for mark in marks),
            orders=tuple(_order_counts(address, orders)), disputes=_dispute_counts(address, orders),
            cases=_case_counts(address, cases), claims_against=sum(order.claims_against for order in orders),
            is_whole=all_orders and all_cases,
        )  # fmt: skip


async def _listed(
    family: Family[Any], account: str, moment: Moment, share: WorkShare, read: Callable[[str, Any], R]
) -> tuple[list[R], bool]:  # fmt: skip
    """(what `read` gives for the values that the account is a party to, whether these are all)."""
    idents = moment.reader.entries(index_prefix(family, "party", account), "", VALUES_MAX + 1)
    found = []
    for ident in idents[:VALUES_MAX]:
        found.append(read(ident, require(moment, family, ident)))
        await share.rest()
    return found, len(idents) <= VALUES_MAX


class EndedOrder(NamedTuple):
    """An order with what it came to, its disputes, and the claims that it has left against an account."""

    order: Order
    became: str
    disputes: tuple[OrderDispute, ...]
    claims_against: int


def _ended(account: bytes, moment: Moment, ident: str, order: Order) -> EndedOrder:
    prefix = index_prefix(ORDER_DISPUTE, "order", ident)
    idents = moment.reader.entries(prefix, "", order.disputes) if order.disputes else ()
    disputes = tuple(require(moment, ORDER_DISPUTE, dispute) for dispute in idents)
    against = sum(claim.debtor == account for claim in claims_of(moment, bytes.fromhex(ident)))
    return EndedOrder(order, _became(order, status_of(order, moment, moment.as_of.now_ms)), disputes, against)


def _case_view(moment: Moment, ident: str, case: Case) -> CaseView:
    return CaseView.of(ident, case, moment, moment.as_of)


# --- counting: pure functions -------------------------------------------------------------------------------
def sides_of(account: bytes, order: Order) -> set[Side]:
    """What the account is in an order."""
    finance = order.terms.finance
    held: dict[Side, bytes | None] = {
        "seller": order.seller, "agent": order.agent, "buyer": order.buyer,
        "lender": finance.lender if finance is not None else None,
    }  # fmt: skip
    return {side for side, who in held.items() if who == account}


def _order_counts(account: bytes, orders: list[EndedOrder]) -> Iterator[OrderCounts]:
    for side in get_args(Side):
        own = [found for found in orders if side in sides_of(account, found.order)]
        if not own:
            continue
        reasons = Counter(order.cause for order, became, *_ in own if became == "cancelled")
        became = Counter(found.became for found in own)
        yield OrderCounts(
            side, len(own), sum(bool(found.order.accepted_at_ms) for found in own), became["completed"],
            became["returned"], tuple(ReasonCount(reason, count) for reason, count in sorted(reasons.items())),
            became["lapsed"], became["refused"], became["live"],
        )  # fmt: skip


def _became(order: Order, status: str) -> str:
    """What an order came to, each in one class; the cancelled ones are counted by reason."""
    if order.status == "cancelled":
        return "cancelled" if order.accepted_at_ms else "refused"
    if order.status == "rejected":
        return "refused"
    if status in ("expired", "fallen", "unwinding", "unwound"):
        return "lapsed"
    return status if status in ("completed", "returned") else "live"


def _dispute_counts(account: bytes, orders: list[EndedOrder]) -> DisputeCounts:
    disputes = [(found.order, dispute) for found in orders for dispute in found.disputes]
    own = [dispute for _, dispute in disputes if dispute.opener == account]
    others = [(order, dispute) for order, dispute in disputes if dispute.opener != account]
    closed = [dispute for _, dispute in disputes if dispute.closed_at_ms]
    return DisputeCounts(
        len(own), sum(d.decision is not None and d.decision.action == "dismiss" for d in own), len(others),
        sum(is_lost(account, order, dispute) for order, dispute in others),
        sum(dispute.decision is None for dispute in closed), len(disputes) - len(closed),
    )  # fmt: skip


def is_lost(account: bytes, order: Order, dispute: OrderDispute) -> bool:
    """Whether arbiters decided against the account in a dispute that another party had opened: the seller's side has to
    unwind the order, or the account owes a claim."""
    decision, is_selling = dispute.decision, account in (order.seller, order.agent)
    if decision is None:
        return False
    if decision.action == "claim":
        return is_selling if decision.debtor == "seller" else account == order.buyer
    return decision.action == "unwind" and is_selling


def _case_counts(account: bytes, cases: list[CaseView]) -> CaseCounts:
    views = [case for case in cases if case.member == account]
    return CaseCounts(
        len(views), sum(view.is_late for view in views), sum(view.is_silent for view in views),
        sum(view.status == "closed" and view.outcome == "solved" for view in views),
        sum(view.status in ("open", "proposed") for view in views), len(cases) - len(views),
    )  # fmt: skip
