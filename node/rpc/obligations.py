"""What an account owes and is owed by the orders that it is a party to."""

from __future__ import annotations

from typing import Final, Literal

from node.ledger.family import View, index_prefix
from node.ledger.fields import Address, Id, Money, OptionalTime
from node.ledger.params import CHAIN, PARAMS_ID
from node.limits import TIME_MAX_MS
from node.rpc.call import Call
from node.rpc.moments import Moment, paced_snapshot
from node.rpc.values import path_ident, require
from node.txtypes.identity.account import ACCOUNT
from node.txtypes.sale.accounts import credited, debts_of
from node.txtypes.sale.deal import CLAIM_LEG, in_money
from node.txtypes.sale.order import Order, due_at_ms, is_live
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import net_of, payments_of
from node.txtypes.vehicle.claims import claims_of

ORDERS_MAX: Final = 1_000
"""Orders that one answer looks at."""


class Obligation(View, frozen=True):
    """What `debtor` owes `creditor` from an order. `kind`: a part of the price, a refund, or a claim after the sale.
    `is_overdue`: the time for it is over."""

    order: Id
    vin: str
    kind: Literal["price", "refund", "claim"]
    debtor: Address
    creditor: Address
    amount: Money
    due_ms: OptionalTime
    is_overdue: bool


class Obligations(View, frozen=True):
    """What an account owes and is owed. `is_whole`: all its orders were looked at, not only the first 1,000."""

    account: Address
    owes: tuple[Obligation, ...]
    is_owed: tuple[Obligation, ...]
    is_whole: bool


async def obligations(call: Call) -> tuple[Moment, Obligations]:
    account = path_ident(ACCOUNT, call)
    address, found, count = bytes.fromhex(account), list[Obligation](), 0
    async with paced_snapshot(call.reader()) as (moment, share):
        require(moment, ACCOUNT, account)
        for ident in moment.reader.entries(index_prefix(ORDER, "party", account), "", ORDERS_MAX + 1):
            count += 1
            if count > ORDERS_MAX:
                break
            order = moment.get(ORDER, ident)
            if order is not None:
                found += _of_order(bytes.fromhex(ident), order, moment)
            await share.rest()
        owes = tuple(entry for entry in found if entry.debtor == address)
        is_owed = tuple(entry for entry in found if entry.creditor == address)
        return moment, Obligations(address, owes, is_owed, count <= ORDERS_MAX)


def _of_order(ident: bytes, order: Order, moment: Moment) -> list[Obligation]:
    now, params = moment.as_of.now_ms, moment.get(CHAIN, PARAMS_ID)
    assert params is not None, "a state has chain parameters"
    payments, currency = payments_of(moment, order.payments), order.price.currency
    found = [
        Obligation(ident, order.vin, "refund", order.seller, d.creditor, d.amount, d.due_ms, d.due_ms <= now)
        for d in debts_of(order, payments, now, params.refund_ms)
    ]
    if order.status == "accepted" and is_live(order, now):
        rest = in_money(order.terms) - credited(order, payments)
        rest -= sum(net_of(payment) for payment in payments if payment.leg != CLAIM_LEG)
        for place, leg in enumerate(order.terms.legs):
            own = leg.amount - sum(net_of(payment) for payment in payments if payment.leg == place)
            due, missing = due_at_ms(order, place), min(own, rest)
            if leg.kind in ("trade_in", "finance") or missing <= 0:  # a lender owes what it has promised: a claim
                continue
            rest -= missing
            found.append(Obligation(
                ident, order.vin, "price", order.buyer, order.seller, Money(missing, currency),
                due if due < TIME_MAX_MS else 0, due <= now,
            ))  # fmt: skip
    return found + [
        Obligation(ident, order.vin, "claim", c.debtor, c.creditor, c.amount, c.due_ms, c.due_ms <= now)
        for c in claims_of(moment, ident)
    ]
