"""The base of the types about an order, and the guards and effects that they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from node import limits
from node.ledger.body import TransactionBody, type_of
from node.ledger.fields import Id
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import count_refund
from node.txtypes.sale.accounts import (
    Debt,
    account_of,
    account_parties,
    aged,
    balance_of,
    claims_on_parties,
    creditor_of,
    debts_of,
    is_paid_in_full,
    with_money,
    with_taken,
)
from node.txtypes.sale.deal import Account, vins_of_deal
from node.txtypes.sale.listing import LISTING, NOT_A_PARTY
from node.txtypes.sale.listing import TRANSITIONS as LISTING_STEPS
from node.txtypes.sale.order import TRANSITIONS, Order, is_live, parties_of, reserved_until_ms
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import payments_of, refunds_open
from node.txtypes.vehicle.claims import write_claims
from node.txtypes.vehicle.regions import OFF_MARKET, Market, listed_market
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of

ORDER_UNKNOWN = Guard("order_unknown", "there is no such order", "diesen Auftrag gibt es nicht", "订单不存在")
ORDER_STATUS = Guard("order_status", "the order is not in the right state",
                     "der Auftrag ist nicht im richtigen Zustand", "订单状态不符")  # fmt: skip
ORDER_EXPIRED = Guard("order_expired", "the order's deadline has passed", "die Frist des Auftrags ist vorbei",
                      "订单已过期")  # fmt: skip
ORDER_RESERVED = Guard("order_reserved", "another order reserves the vehicle",
                       "ein anderer Auftrag reserviert das Fahrzeug", "车辆已被其他订单预定")  # fmt: skip
ORDER_NOT_RESERVING = Guard("order_not_reserving", "the vehicle is not reserved by this order",
                            "das Fahrzeug ist nicht durch diesen Auftrag reserviert", "该订单未预定此车辆")  # fmt: skip


ORDER_DISPUTED = Guard("order_disputed", "a dispute about the order is open", "ein Streitfall zum Auftrag ist offen",
                       "订单争议未决")  # fmt: skip

VIN_MISSING = Guard(
    "vin_missing",
    "the car of the order has no VIN yet",
    "das Fahrzeug des Auftrags hat noch keine FIN",
    "订单车辆尚无 VIN",
)

BOUND_BY_TIME = ("offered", "countered", "accepted", "cancelled")
"""Statuses in which an order is over once its time is."""


class OrderBody(TransactionBody, frozen=True):
    """A transaction about an order; `order_guards` are those of the type. `is_for_ended`: it is also about an order
    whose time is over."""

    order: Id
    is_for_ended: ClassVar[bool] = False

    def guards(self, ledger: Ledger) -> None:
        """Whoever comes too late reads that, and not what follows from the order's new state."""
        order = self.require_order(ledger)
        if order is not None and type_of(self) in TRANSITIONS.steps[order.status]:
            self.order_guards(ledger, order)

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")

    def require_order(self, ledger: Ledger) -> Order | None:
        """The order, None only where there is none. Notes unless it is live and its status permits the type."""
        order, subject = ledger.get(ORDER, self.order), self.order.hex()
        if order is None:
            ledger.unmet(ORDER_UNKNOWN, subject)
        elif (tag := type_of(self)) not in TRANSITIONS.steps[order.status]:
            ledger.unmet(ORDER_STATUS, subject, order.status, " or ".join(TRANSITIONS.before(tag)))
        elif not self.is_for_ended and order.status in BOUND_BY_TIME and not is_live(order, ledger.now_ms):
            end = reserved_until_ms(order) if order.status == "accepted" else order.expires_at_ms
            ledger.unmet(ORDER_EXPIRED, subject, time_to_text(end), f"after {time_to_text(ledger.now_ms)}")
        return order

    def follow(self, ledger: Ledger, order: Order, **changed: Any) -> Order:
        """Write the order, changed, in the status that follows."""
        after = replace(order, status=TRANSITIONS.after(order.status, type_of(self)), **changed)
        return write_order(ledger, self.order, after, balances(ledger, order))

    def check_party(self, ledger: Ledger, *parties: bytes | None) -> None:
        if ledger.sender not in parties:
            ledger.unmet(NOT_A_PARTY, self.order.hex())


def seller_side(ledger: Ledger, order: Order) -> bytes:
    """Who signs for the seller: its agent if that is the sender, and not the buyer besides."""
    is_agents = order.agent is not None and ledger.sender == order.agent != order.buyer
    return order.agent if is_agents and order.agent is not None else order.seller


# --- reserving cars -------------------------------------------------------------------------------------------
def check_reservable(ledger: Ledger, vin: str, vehicle: Vehicle) -> None:
    if market_of(vehicle, ledger.now_ms).status == "reserved":
        ledger.unmet(ORDER_RESERVED, vin)


def check_reserving(ledger: Ledger, ident: bytes, vin: str, vehicle: Vehicle) -> None:
    """Notes a car that the order does not reserve now."""
    market = market_of(vehicle, ledger.now_ms)
    if market.status != "reserved" or market.order != ident:
        ledger.unmet(ORDER_NOT_RESERVING, vin, market.status, "reserved by this order")


def reserving(ledger: Ledger, ident: bytes, order: Order, vin: str) -> Market:
    """The market region of a car that the order reserves."""
    listing = ledger.the(LISTING, order.listing)
    is_listed = listing.vin == vin and listing.status in ("open", "reserved")
    is_full = is_paid_in_full(order, payments_of(ledger, order.payments))
    return Market(
        "reserved", order.listing if is_listed else b"", ident, order.until_ms,
        listing.expires_at_ms if is_listed else 0, order.hold_until_ms,
        order.hold_until_ms if order.net else order.money_until_ms,
        ledger.params.relist_lock_ms if is_full and vin == order.vin else 0,
    )  # fmt: skip


POSTED_MAX = limits.MONEY_MAX // 2
"""So that no balance is more than an amount can be."""
Balances = Mapping[bytes, int]
"""Who has an account with the seller of an order, and its balance (see `order.balance_of`)."""


def balances(ledger: Ledger, order: Order) -> Balances:
    payments = payments_of(ledger, order.payments)
    return {party: balance_of(order, payments, party, ledger.now_ms) for party in account_parties(order)}


def write_order(ledger: Ledger, ident: bytes, order: Order, was: Balances) -> Order:
    """Write the order with its accounts and claims, which follow from what has changed since the balances were those in
    `was`; and tell those who watch that the seller has begun to owe. What time alone brings about nobody tells."""
    order, accounts = with_taken(order, payments_of(ledger, order.payments)), []
    now = balances(ledger, order)
    for party, balance in now.items():
        account = aged(account_of(order, party), was.get(party, 0), balance, ledger.now_ms)
        if account != Account(party):
            accounts.append(account)
    order = replace(order, accounts=tuple(accounts))
    at_issue = still_at_issue(order, now)
    if order.at_issue != at_issue:
        order = replace(order, at_issue=at_issue)
    if order.is_claimed and not any(debt.due_ms <= ledger.now_ms for debt in debts_now(ledger, order)):
        withdraw_claim(ledger, order)
        order = replace(order, is_claimed=False)
    is_owing = any(balance > 0 for balance in now.values())
    ledger.put(ORDER, ident, order)
    write_claims(ledger, ident, claims_on_parties(order, payments_of(ledger, order.payments), ledger.now_ms))
    if is_owing and not any(balance > 0 for balance in was.values()):
        ledger.happened("refund.due", f"order/{ident.hex()}", *(f"account/{a.hex()}" for a in parties_of(order)))
    return order


def write_money(ledger: Ledger, ident: bytes, order: Order, was: Balances, *, has_come: bool = False) -> Order:
    """Write the order after its payments have changed, and the reservation of its cars. A reservation that has ended is
    never revived: late money is a debt. `was` as in `write_order`; `has_come`: money came just now."""
    is_reserving = order.status == "accepted" and is_live(order, ledger.now_ms)
    if order.status == "accepted" and not is_reserving:
        order = replace(order, hold_until_ms=reserved_until_ms(order))
    order = with_money(order, payments_of(ledger, order.payments), ledger.now_ms, has_come=has_come)
    if is_reserving and not is_live(order, ledger.now_ms):  # only money had kept it until now
        order = replace(order, money_until_ms=ledger.now_ms)
    order = write_order(ledger, ident, order, was)
    if is_reserving:
        for vin in vins_of_deal(order.vin, order.terms):
            vehicle = ledger.the(VEHICLE, vin)
            region = reserving(ledger, ident, order, vin)
            if vehicle.market.order == ident and vehicle.market != region:
                ledger.put(VEHICLE, vin, replace(vehicle, market=region))
    return order


def still_at_issue(order: Order, now: Balances) -> int:
    """How much of what is at issue in the open dispute is owed still."""
    then, balance = order.at_issue, now.get(order.issue_with, 0) if order.issue_with is not None else 0
    return min(then, max(0, balance)) if then > 0 else max(then, min(0, balance))


def posted(order: Order, party: bytes, amount: int, *, is_release: bool = False) -> Order:
    """The order with so many minor units more that count as if the party had paid them, as far as an account holds
    them. `is_release`: the party says that it has got them back."""
    account = account_of(order, party)
    if is_release:
        account = replace(account, released=min(POSTED_MAX, account.released - amount))
    total = max(-POSTED_MAX, min(POSTED_MAX, account.posted + amount))
    others = tuple(other for other in order.accounts if other.party != party)
    return replace(order, accounts=(*others, replace(account, posted=total)))


def owed_to(ledger: Ledger, order: Order, creditor: bytes, besides: bytes = b"") -> int:
    """Minor units that the seller owes one party, and has told no provider to refund: of all payments of the party, or
    of those besides one. What another party is owed is not its to forgive."""
    payments = [p for ident in order.payments if ident != besides for p in payments_of(ledger, (ident,))]
    instructed = sum(refunds_open(payment) for payment in payments if creditor_of(order, payment) == creditor)
    return max(0, balances(ledger, order).get(creditor, 0) - instructed)


def debts_now(ledger: Ledger, order: Order) -> tuple[Debt, ...]:
    """What the seller owes the parties of the order."""
    return debts_of(order, payments_of(ledger, order.payments), ledger.now_ms, ledger.params.refund_ms)


def withdraw_claim(ledger: Ledger, order: Order) -> None:
    """The refund that a creditor has claimed is paid, or no longer owed: it bars the seller no more."""
    if order.is_claimed:
        count_refund(ledger, order.seller, -1)


def freed(ledger: Ledger, ident: bytes, order: Order, vin: str) -> Vehicle:
    """The car after its order has ended: listed again for as long as its listing runs, or off the market."""
    vehicle = ledger.the(VEHICLE, vin)
    is_locked = vehicle.market.status == "off" and ledger.now_ms < vehicle.market.locked_until_ms
    if vehicle.market.order != ident or is_locked:
        return vehicle
    listing = ledger.the(LISTING, order.listing)
    is_live = listing.status in ("open", "reserved") and ledger.now_ms < listing.expires_at_ms
    market = listed_market(order.listing, listing.expires_at_ms) if is_live and listing.vin == vin else OFF_MARKET
    return replace(vehicle, market=market)


def count_ordered(ledger: Ledger, order: Order, change: int) -> None:
    """Count an order more or less of a listing of cars that are built to order."""
    listing = ledger.the(LISTING, order.listing)
    if not listing.vin:
        ledger.put(LISTING, order.listing, replace(listing, sold=listing.sold + change))


def step_listing(ledger: Ledger, order: Order, tag: str) -> None:
    """Write the listing in the status that follows a step of its order."""
    listing = ledger.the(LISTING, order.listing)
    if not listing.vin or listing.status in ("withdrawn", "sold"):
        return  # it offers further cars, or is over
    before = listing.status if tag in LISTING_STEPS.steps[listing.status] else "open"
    ledger.put(LISTING, order.listing, replace(listing, status=LISTING_STEPS.after(before, tag)))
