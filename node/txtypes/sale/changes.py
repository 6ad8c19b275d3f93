"""The types that change an accepted order: acknowledge, amend, reinstate."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from node.ledger.example import Example
from node.ledger.fields import Hash32, Time
from node.ledger.guards import EXPIRY_PASSED, Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.txtypes.sale.acting import check_acting, check_mandate, check_standing
from node.txtypes.sale.deal import CLAIM_LEG, Account, Terms, lent, vins_of_deal
from node.txtypes.sale.listing import LISTING, require_listing
from node.txtypes.sale.negotiation import EXAMPLE_TERMS
from node.txtypes.sale.order import Order, is_live
from node.txtypes.sale.order_body import (
    ORDER_RESERVED,
    ORDER_STATUS,
    VIN_MISSING,
    OrderBody,
    check_reserving,
    count_ordered,
    freed,
    reserving,
    step_listing,
    withdraw_claim,
)
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import net_of, payments_of, refunds_open
from node.txtypes.sale.terms import check_currency, check_terms
from node.txtypes.sale.trade_in import check_taker, check_trade_in
from node.txtypes.vehicle.claims import CLAIMS_OPEN, is_debtor
from node.txtypes.vehicle.conditions import check_shown
from node.txtypes.vehicle.guards import check_holder, require_vehicle
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE, market_of

NOTHING_TO_ACKNOWLEDGE = Guard("nothing_to_acknowledge", "nothing has changed since the buyer agreed",
                               "seit der Zustimmung hat sich nichts geändert", "自买方同意后没有变化")  # fmt: skip
AMEND_BELOW_PAID = Guard(
    "amend_below_paid",
    "a part with payments keeps its place, rail and provider, and what was paid",
    "ein Teil mit Zahlungen behält Platz, Zahlweg und Dienst und was bezahlt ist",
    "已有付款的部分须保留其位置、支付方式、服务商和已付金额",
)


class OrderAcknowledge(OrderBody, tag="order.acknowledge", frozen=True):
    """The buyer agrees to changes since the acceptance: an accident, a flag, a brand, another verdict, a longer
    distance. It names the car's material root, so that its signature for a scratch covers no crash."""

    material_root: Hash32
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "material_root": "$material_root"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.buyer)
        if not order.vin:
            ledger.unmet(VIN_MISSING, self.order.hex())
        vehicle = require_vehicle(ledger, order.vin) if order.vin else None
        if vehicle is not None:
            check_shown(ledger, order.vin, vehicle, self.material_root)
            if order.is_agreed(ledger, vehicle):
                ledger.unmet(NOTHING_TO_ACKNOWLEDGE, self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        agreed = order.agreed_to(ledger, ledger.the(VEHICLE, order.vin))
        ledger.put(ORDER, self.order, replace(agreed, due_from_ms=order.due_from_ms or ledger.now_ms))


class OrderAmend(OrderBody, tag="order.amend", frozen=True):
    """Buyer and seller agree on other terms of an accepted order; where a credit changes, its lender signs too."""

    terms: Terms
    weight: ClassVar[int] = 200
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "terms": EXAMPLE_TERMS | {"cancel_fee": 10_000},
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        if order is None:
            return ()
        before, after = order.terms.finance, self.terms.finance
        is_lower = self.terms.price.amount < order.price.amount  # what the credit is secured by
        is_same = before == after and lent(order.terms) == lent(self.terms) and not is_lower
        lenders = [f.lender for f in (before, after) if f is not None] if not is_same else []
        ours = order.seller if ledger.sender in (order.seller, order.buyer) else ledger.sender
        return tuple(dict.fromkeys((order.buyer, ours, *lenders)))

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        subject = self.order.hex()
        for vin in vins_of_deal(order.vin, order.terms) if order.status == "accepted" else ():
            vehicle = require_vehicle(ledger, vin)
            if vehicle is not None:
                check_reserving(ledger, self.order, vin, vehicle)
        self.check_party(ledger, order.seller, order.buyer, order.agent)
        if ledger.sender == order.agent:
            check_mandate(ledger, "accept", replace(order, terms=self.terms))
        check_currency(ledger, subject, self.terms.price.currency, order.price.currency)
        listing = require_listing(ledger, order.listing)
        if listing is not None:
            check_terms(ledger, subject, self.terms, listing, order.buyer, agreed=order.terms)
        for payment in payments_of(ledger, order.payments):
            if payment.leg == CLAIM_LEG or (payment.is_closed and not net_of(payment)):
                continue
            place, legs = payment.leg, self.terms.legs
            if place >= len(order.terms.legs) or order.terms.legs[place].rail != payment.rail:
                continue  # its part was amended away
            before, after = order.terms.legs[place], legs[place] if place < len(legs) else None
            paid = sum(net_of(p) for p in payments_of(ledger, order.payments) if p.leg == payment.leg)
            is_same = after is not None and (after.kind, after.rail, after.provider) == (
                before.kind,
                before.rail,
                before.provider,
            )
            if not is_same or after is None or after.amount < paid:
                ledger.unmet(AMEND_BELOW_PAID, subject, f"part {payment.leg}: {paid} paid")
        changed = replace(order, terms=self.terms)
        trade_in, given = self.terms.trade_in, order.terms.trade_in
        is_sellers = order.seller in (ledger.sender, *self.signers(ledger))
        if trade_in is not None and given is not None and trade_in.vin == given.vin:
            check_taker(ledger, changed, trade_in, is_sellers=is_sellers)
        else:
            check_trade_in(ledger, changed, is_sellers=is_sellers)

    def apply(self, ledger: Ledger) -> None:
        before = ledger.the(ORDER, self.order)
        until = before.accepted_at_ms + self.terms.reserve_ms + before.paused_ms + before.pausing_ms
        order = self.follow(
            ledger, before, terms=self.terms, until_ms=until, hold_until_ms=until + ledger.params.hold_max_ms
        )
        was, now = vins_of_deal(before.vin, before.terms), vins_of_deal(order.vin, order.terms)
        for vin in was:
            if vin not in now:
                append_record(ledger, vin, freed(ledger, self.order, before, vin), self, ledger.now_ms)
        for vin in now:
            vehicle = replace(ledger.the(VEHICLE, vin), market=reserving(ledger, self.order, order, vin))
            append_record(ledger, vin, vehicle, self, ledger.now_ms)


class OrderReinstate(OrderBody, tag="order.reinstate", frozen=True):
    """Buyer and seller, and the lender of a credit, revive an order that was cancelled, or whose reservation is over,
    until a new time. Nothing else revives one."""

    until_ms: Time
    material_root: Hash32
    is_for_ended: ClassVar[bool] = True
    weight: ClassVar[int] = 200
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "until": "+20d", "material_root": "$material_root",
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        if order is None:
            return ()
        ours = order.seller if ledger.sender == order.buyer else ledger.sender
        lenders = (order.terms.finance.lender,) if order.terms.finance is not None else ()
        return tuple(dict.fromkeys((order.buyer, ours, *lenders)))

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        subject = self.order.hex()
        if ledger.sender != order.buyer:
            check_acting(ledger, "accept", order, subject)
            if ledger.the(LISTING, order.listing).status == "withdrawn":
                check_acting(ledger, "list", order, subject, is_priced=False)
        if is_live(order, ledger.now_ms) or not order.accepted_at_ms:
            ledger.unmet(ORDER_STATUS, subject, order.status, "an accepted order that has ended")
        latest = ledger.now_ms + ledger.params.reservation_ms
        if not ledger.now_ms < self.until_ms <= latest:
            need = f"after {time_to_text(ledger.now_ms)}, at most {time_to_text(latest)}"
            ledger.unmet(EXPIRY_PASSED, subject, time_to_text(self.until_ms), need)
        check_standing(ledger, order.seller, order.vin)
        if is_debtor(ledger, order.buyer, order.vin):
            ledger.unmet(CLAIMS_OPEN, order.vin)
        if not order.vin:
            ledger.unmet(VIN_MISSING, subject)
        vehicle = require_vehicle(ledger, order.vin) if order.vin else None
        if vehicle is not None:
            check_holder(ledger, order.vin, vehicle, order.seller)
            check_shown(ledger, order.vin, vehicle, self.material_root)
            market = market_of(vehicle, ledger.now_ms)
            is_its_own = market.listing in (b"", order.listing) and market.order in (b"", self.order)
            if market.status == "reserved" or not is_its_own:
                ledger.unmet(ORDER_RESERVED, order.vin)
        check_trade_in(ledger, order, is_sellers=order.seller in (ledger.sender, *self.signers(ledger)))

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        withdraw_claim(ledger, order)
        if order.status == "cancelled":
            count_ordered(ledger, order, 1)
        until = self.until_ms + order.pausing_ms
        accounts = tuple(  # what counts against a party stays
            Account(each.party, each.posted, released=min(each.released, -each.posted))
            for each in order.accounts if each.posted < 0
        )  # fmt: skip
        given_back = sum(p.refunded + refunds_open(p) for p in payments_of(ledger, order.payments))
        order = self.follow(
            ledger, order.agreed_to(ledger, ledger.the(VEHICLE, order.vin)), cause="", kept=0, ended_at_ms=0,
            accepted_at_ms=ledger.now_ms, due_from_ms=ledger.now_ms, is_claimed=False, missed_at_ms=0,
            refused_at_ms=0, paused_ms=0, accounts=accounts, lent=0, taken=0, delivery_stage="", window_to_ms=0,
            is_window_confirmed=False, given_back=given_back, until_ms=until,
            hold_until_ms=until + ledger.params.hold_max_ms,
        )  # fmt: skip
        step_listing(ledger, order, "order.reinstate")
        for vin in vins_of_deal(order.vin, order.terms):
            vehicle = replace(ledger.the(VEHICLE, vin), market=reserving(ledger, self.order, order, vin))
            append_record(ledger, vin, vehicle, self, ledger.now_ms)
