"""Refused transactions of returns, order disputes, cases and cars built to order, in the form of the guard tests."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.txtypes.cases.case import CASE
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE, Decision
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING, BuildOption
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import Reference
from node.txtypes.sale.terms import PRICE_MAX
from support.example_stages import (
    built_to_order,
    case_opened,
    order_answered,
    order_disputed,
    sold_at_a_distance,
)
from support.life import VIN, Life, attest, handover, initiate, km, offer, terms
from support.specimens import specimen
from support.stages import Case, change

SELLER, BUYER, PROVIDER, ARBITER = "dealer-munich", "buyer-1", "payment-provider-1", "arbiter-1"


def _order(tag: str, **changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: specimen(tag, life.chain, {"order": life.order}, **changes)


def _dispute(tag: str, **changes: object) -> Callable[[Life], TransactionBody]:
    return lambda life: specimen(tag, life.chain, {"order_dispute": life.order_dispute}, **changes)  # type: ignore[attr-defined]


def _case(sequence: int = 0) -> Callable[[Life], TransactionBody]:
    return lambda life: specimen("case.reply", life.chain, {"case": life.case}, sequence=sequence)  # type: ignore[attr-defined]


def _is_closed(life: Life) -> None:
    order_disputed(life)
    change(life.chain, ORDER_DISPUTE, life.order_dispute, closed_at_ms=life.chain.now)  # type: ignore[attr-defined]


def _is_solved(life: Life) -> None:
    case_opened(life)
    change(life.chain, CASE, life.case, outcome="given_up", closed_at_ms=life.chain.now)  # type: ignore[attr-defined]


def _ten_cases(life: Life) -> None:
    for _ in range(10):
        life.chain.do(BUYER, specimen("case.open", life.chain, vin=VIN))


def _replies(life: Life) -> None:
    case_opened(life)
    for number in range(32):
        life.chain.do(SELLER, _case(number)(life))


def _withdrawal_ended(life: Life) -> None:
    sold_at_a_distance(life)
    life.chain.now = life.chain.state(ORDER, life.order).withdraw_until_ms


def _built_for_one(life: Life) -> None:
    sold_at_a_distance(life)
    change(life.chain, LISTING, life.listing, options=(BuildOption("S205A", 1, True),))
    change(life.chain, ORDER, life.order, options=("S205A",))


def _another_car(life: Life) -> None:
    built_to_order(life)
    change(life.chain, ORDER, life.order, options=("S999X",))


def _giving_back(**changes: object) -> Callable[[Life], TransactionBody]:
    def body(life: Life) -> TransactionBody:
        plain = dict(odometer=km(170), event_at_ms=life.chain.now)
        return specimen("order.return", life.chain, {"order": life.order}, **plain | changes)

    return body


def _ordering(**changes: object) -> Callable[[Life], TransactionBody]:
    def body(life: Life) -> TransactionBody:
        root = disclosure_root(life.listing, life.chain.state(LISTING, life.listing), None)
        plain = dict(disclosure_root=root, listing_version=life.chain.state(LISTING, life.listing).version)
        return offer(life.chain, life.listing, **plain | changes)

    return body


def _no_transfer(life: Life) -> TransactionBody:
    return replace(attest(life.chain, life.payment), reference=Reference(bytes(32), bytes(16)))


REFUSED_DEALS = (
    Case("a withdrawal a day late", "listed", BUYER, _order("order.withdraw"), ("withdrawal_over",), (),
         _withdrawal_ended),
    Case("a withdrawal from a car that was built for one buyer", "listed", BUYER, _order("order.withdraw"),
         ("withdrawal_excluded",), (), _built_for_one),
    Case("a price that no car has", "listed", BUYER,
         lambda life: offer(life.chain, life.listing, terms=terms(Money(PRICE_MAX + 1, "EUR"))), ("price_high",)),
    Case("a return that deducts more than was driven", "handed_over", BUYER, _giving_back(deduction=10**9),
         ("deduction_high",), (SELLER,)),
    Case("a return of a car that was never taken", "handed_over", BUYER,
         _giving_back(trade_in_back=True, trade_odometer=km(10)), ("trade_in_gone",), (SELLER,)),
    Case("a release of a claim that nobody has", "handed_over", SELLER,
         lambda life: specimen("claim.release", life.chain, {"order": life.order}), ("claim_absent",)),
    Case("a reference that is no UETR", "accepted", PROVIDER, _no_transfer, ("payment_reference_form",), (),
         lambda life: setattr(life, "payment", life.chain.do(BUYER, initiate(life.order)))),
    Case("an answer to no dispute", "paid", SELLER,
         lambda life: specimen("order.respond", life.chain, {"order_dispute": bytes(32)}), ("order_dispute_unknown",)),
    Case("a vote on what is closed", "paid", ARBITER, _dispute("order.resolve"), ("order_dispute_closed",), (),
         _is_closed),
    Case("a second dispute at once", "paid", SELLER, _order("order.dispute"), ("order_dispute_past",), (),
         order_disputed),
    Case("a resumption that pays an amount", "paid", ARBITER,
         _dispute("order.resolve", decision=Decision("resume", 1, "")), ("decision_unfit",), (), order_answered),
    Case("a handover of a disputed order", "paid", SELLER, lambda life: handover(life.chain, life.order),
         ("order_disputed",), (BUYER,), order_disputed),
    Case("a reply to no case", "wholesale", SELLER,
         lambda life: specimen("case.reply", life.chain, {"case": bytes(32)}), ("case_unknown",)),
    Case("a reply to a case that was given up", "wholesale", SELLER, _case(), ("case_status",), (), _is_solved),
    Case("a reply to another state of the case", "wholesale", SELLER, _case(1), ("case_sequence",), (), case_opened),
    Case("a thirty-third reply", "wholesale", SELLER, _case(32), ("replies_full",), (), _replies),
    Case("an eleventh open case", "handed_over", BUYER, lambda life: specimen("case.open", life.chain, vin=VIN),
         ("cases_live",), (), _ten_cases),
    Case("a car that is not the one ordered", "", "bmw", _order("order.assign_vin", vin=VIN), ("build_differs",), (),
         _another_car),
    Case("an order with an option that is not offered", "", BUYER, _ordering(options=("S999X",)), ("option_unknown",),
         (), built_to_order),
    Case("an acknowledgement of a car that is not built", "", BUYER,
         _order("order.acknowledge", material_root=bytes(32)), ("vin_missing",), (), built_to_order),
)  # fmt: skip
