"""The account that each party of an order has with its seller: what has come of its money against what is due from it.

    balance = money that came and did not go back + what was posted - what is due

Above 0 the seller owes the party the balance, below 0 the party owes the seller. What is to be given back, what claims
there are, and who is barred until when follows from balances alone, so no step has to keep books of its own. Pure
functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from node.ledger.family import View
from node.ledger.fields import Address, Money, Time
from node.limits import TIME_MAX_MS
from node.rules.deals import PROMISE_MS
from node.txtypes.sale.deal import CLAIM_LEG, Account, in_money, traded_in
from node.txtypes.sale.order import HANDED_OVER, Order, ended_ms, is_open
from node.txtypes.sale.payments import Payment, final_of, money_until_ms, net_of, paid_of, refunds_open
from node.txtypes.vehicle.claims import Cause, Claim


def final_amount(order: Order, payments: Iterable[Payment], now_ms: int) -> int:
    """Minor units that count for the title now. What the seller has told a provider to refund does not."""
    payments = list(payments)
    paid = [payment for payment in payments if payment.leg != CLAIM_LEG]
    final = sum(max(0, final_of(payment, now_ms) - refunds_open(payment)) for payment in paid)
    return final + credited(order, payments, now_ms)


def is_paid_in_full(order: Order, payments: Iterable[Payment]) -> bool:
    """Whether the buyer has paid the price. The seller gets rid of no buyer by refunding it, all or a cent."""
    return paid_in_all(order, payments) >= in_money(order.terms)


def paid_in_all(order: Order, payments: Iterable[Payment]) -> int:
    """Minor units of the price that have come since the order was accepted or reinstated, also what the seller has
    refunded since."""
    return sum(map(paid_of, payments)) - order.given_back + posted_in_all(order)


def posted_in_all(order: Order) -> int:
    """Minor units that were posted and count as paid of the price of an order that goes on."""
    return sum(account.posted for account in order.accounts if account.party != taker_of(order))


def credited(order: Order, payments: Iterable[Payment], final_ms: int = TIME_MAX_MS) -> int:
    """Minor units that count as paid of the price of an order that goes on, besides the payments of its parts: what
    was posted, and what has come for claims; below 0 what has to come more. `final_ms`: when that money has to be
    final, far off where it need not."""
    own = [payment for payment in payments if payment.leg == CLAIM_LEG]
    paid = sum(max(0, final_of(payment, final_ms) - refunds_open(payment)) for payment in own)
    return posted_in_all(order) + paid


def claim_unpaid(order: Order, payments: Iterable[Payment], now_ms: int) -> int:
    """Minor units that the buyer may pay with the leg of claims."""
    payments = list(payments)
    if is_open(order, now_ms):
        return max(0, -credited(order, payments))
    return max(0, -balance_of(order, payments, order.buyer, now_ms))


def creditor_of(order: Order, payment: Payment) -> bytes:
    """Whose money a payment is: the lender's of a credit, else the buyer's."""
    finance = order.terms.finance
    is_credit = payment.leg != CLAIM_LEG and payment.rail == "finance"
    return finance.lender if is_credit and finance is not None else order.buyer


def own_money(order: Order, payments: Iterable[Payment]) -> int:
    """Minor units that are there of the buyer itself, not of its lender."""
    come = sum(net_of(p) for p in payments if p.leg != CLAIM_LEG and creditor_of(order, p) == order.buyer)
    return max(0, come - account_of(order, order.buyer).released)


def taker_of(order: Order) -> bytes | None:
    """Who takes the car in payment and owes its value to the seller, unless it is the seller itself."""
    trade_in = order.terms.trade_in
    return trade_in.taker if trade_in is not None and trade_in.taker != order.seller else None


def account_parties(order: Order) -> tuple[bytes, ...]:
    """Who has an account with the seller: the buyer, the lender, the taker of a car in payment that is not the seller;
    each once."""
    finance = order.terms.finance
    found = (order.buyer, finance.lender if finance is not None else None, taker_of(order))
    return tuple(dict.fromkeys(party for party in found if party is not None))


def account_of(order: Order, party: bytes) -> Account:
    return next((account for account in order.accounts if account.party == party), Account(party))


def due_from(order: Order, party: bytes) -> int:
    """Minor units that a party has to have paid the seller of an order that does not go on. The fee of an order that
    ended without title is due from the buyer alone, and only as far as money of its own had come."""
    finance, trade_in, due = order.terms.finance, order.terms.trade_in, 0
    if order.status in HANDED_OVER and party == order.buyer:
        due += in_money(order.terms) - order.lent
    elif order.status == "returned" and party == order.buyer:
        due += order.kept
    elif order.status == "cancelled" and party == order.buyer:
        due += order.taken
    if order.status in HANDED_OVER and finance is not None and party == finance.lender:
        due += order.lent
    is_over = order.status in (*HANDED_OVER, "returned")
    if is_over and trade_in is not None and party == trade_in.taker != order.seller:
        due += traded_in(order.terms)
    return due


def balance_of(order: Order, payments: Iterable[Payment], party: bytes, now_ms: int) -> int:
    """Above 0 the seller owes the party so many minor units, below 0 the party owes the seller. While the order goes on
    its price is no debt of either side, and what was decided for the party counts as paid of it."""
    own = [payment for payment in payments if creditor_of(order, payment) == party]
    posted = account_of(order, party).posted
    if is_open(order, now_ms):
        return min(0, posted + sum(map(net_of, own)))
    return posted + sum(map(net_of, own)) - due_from(order, party)


class Debt(View, frozen=True):
    """What the seller has to give back to one creditor, and by when."""

    creditor: Address
    amount: Money
    due_ms: Time


def debts_of(order: Order, payments: Iterable[Payment], now_ms: int, refund_ms: int) -> tuple[Debt, ...]:
    """What the seller owes the parties of an order: of one that ended without title, or whose car came back, all but
    what it may keep; of a completed one what came beyond the price; and what was decided."""
    payments, ended = list(payments), 0 if is_open(order, now_ms) else ended_ms(order)
    return tuple(
        Debt(party, Money(owed, order.price.currency), max(ended, account_of(order, party).since_ms) + refund_ms)
        for party in account_parties(order) if (owed := balance_of(order, payments, party, now_ms)) > 0
    )  # fmt: skip


def claims_on_parties(order: Order, payments: Iterable[Payment], now_ms: int) -> tuple[Claim, ...]:
    """What the parties of an order owe its seller. A claim bars its debtor from a car, so an order without one leaves
    none."""
    if not order.vin:
        return ()
    payments, finance, found = list(payments), order.terms.finance, list[Claim]()
    for party in account_parties(order):
        owed, since = -balance_of(order, payments, party, now_ms), account_of(order, party).since_ms
        if owed > 0:
            is_lenders = finance is not None and party == finance.lender != order.buyer
            cause: Cause = "credit" if is_lenders else "price" if party == order.buyer else "trade_in"
            vin = order.terms.trade_in.vin if cause == "trade_in" and order.terms.trade_in is not None else order.vin
            due = since + (PROMISE_MS if is_lenders else 0)
            found.append(Claim(vin, party, order.seller, Money(owed, order.price.currency), cause, due))
    return tuple(found)


def aged(account: Account, before: int, after: int, now_ms: int) -> Account:
    """The account after its balance has changed. Repayments end what is owed longest, so a cent puts off nothing; and
    whoever gives back everything within half the time that it has is never late, however money keeps coming: what came
    while something older was owed counts from the first of it on."""
    if not after:
        return replace(account, since_ms=0, fresh=0, fresh_since_ms=0)
    if before * after <= 0:
        return replace(account, since_ms=now_ms, fresh=0, fresh_since_ms=0)
    if after > before > 0:
        fresh_since = account.fresh_since_ms if account.fresh else now_ms
        return replace(account, fresh=account.fresh + after - before, fresh_since_ms=fresh_since)
    if 0 < after < before and after <= account.fresh:
        return replace(account, since_ms=account.fresh_since_ms, fresh=0, fresh_since_ms=0)
    return account


def with_taken(order: Order, payments: Iterable[Payment]) -> Order:
    """The cancelled order with how much of what the seller keeps has come of the buyer's own money."""
    if order.status != "cancelled":
        return order
    return replace(order, taken=min(order.kept, max(order.taken, own_money(order, payments))))


def with_money(order: Order, payments: Iterable[Payment], now_ms: int, *, has_come: bool = False) -> Order:
    """The order with what follows from its payments. `has_come`: money came just now."""
    paid = [payment for payment in payments if payment.leg != CLAIM_LEG]
    return replace(
        order, net=sum(map(net_of, paid)), money_until_ms=max(map(money_until_ms, paid), default=0),
        money_at_ms=now_ms if has_come else order.money_at_ms,
    )  # fmt: skip
