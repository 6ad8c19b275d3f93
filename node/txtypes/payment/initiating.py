"""The payer's side of a payment: it begins one, and says that it has sent the money."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import AsOf, Reader
from node.ledger.fields import Id, Money, RailScheme
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.accounts import claim_unpaid
from node.txtypes.sale.deal import CLAIM_LEG, Leg
from node.txtypes.sale.listing import LISTING, NOT_A_PARTY, Listing
from node.txtypes.sale.order import Order, is_live, reserved_until_ms
from node.txtypes.sale.order_body import (
    ORDER_DISPUTED,
    ORDER_EXPIRED,
    ORDER_STATUS,
    VIN_MISSING,
    OrderBody,
    balances,
    check_reserving,
    write_money,
)
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, PAYMENT_UNKNOWN, UETR_LENGTH, Payment, net_of, occupied, payments_of
from node.txtypes.sale.terms import (
    check_currency,
    check_provider,
    check_rail,
    check_sponsor,
    countries_of,
    is_provider_fit,
    is_refused_sponsor,
)
from node.txtypes.vehicle.vehicle import VEHICLE

OPEN_MAX = 8
"""Payments of one order that are not closed."""

LEG_UNKNOWN = Guard(
    "leg_unknown",
    "the order has no such part to be paid in money",
    "der Auftrag hat keinen solchen Teil, der in Geld bezahlt wird",
    "订单没有此货币付款部分",
)
PAYMENT_EXCEEDS_PRICE = Guard("payment_exceeds_price", "the payments would exceed what is to be paid",
                              "die Zahlungen überstiegen, was zu zahlen ist", "付款超过应付金额")  # fmt: skip
PAYMENTS_FULL = Guard("payments_full", "the order has too many payments", "der Auftrag hat zu viele Zahlungen",
                      "付款次数过多")  # fmt: skip
SCHEME_UNFIT = Guard(
    "scheme_unfit",
    "the scheme is not one of the rail's, or the provider's country takes no part in it",
    "das Verfahren gehört nicht zum Zahlweg, oder das Land des Dienstes nimmt nicht daran teil",
    "该支付方案不属于此支付方式，或服务商所在国未参与",
)
DECLARED_ALREADY = Guard(
    "declared_already",
    "a payment of this part of the price was declared already, or the provider has attested this one",
    "eine Zahlung für diesen Teil des Preises ist schon erklärt, oder der Dienst hat diese bestätigt",
    "该部分价款已有付款作过声明，或服务商已证明此付款",
)


class PaymentInitiate(OrderBody, tag="payment.initiate", frozen=True):
    """The buyer begins a payment for a part of the price of an accepted order, with the provider that was agreed on;
    or, with `leg` 255, one that pays what it owes of an order that has ended, or by a decision."""

    leg: Annotated[int, Meta(ge=0, le=CLAIM_LEG)]
    scheme: RailScheme
    amount: Money
    is_for_ended: ClassVar[bool] = True
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    weight: ClassVar[int] = 120
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "order": "$order", "leg": 0, "scheme": "sct", "amount": {"amount": "5290000", "currency": "EUR"},
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        subject, leg = self.order.hex(), leg_paid(ledger, order, self, AsOf(ledger.now_ms, ledger.rules))
        self.check_party(ledger, order.buyer)
        if self.leg != CLAIM_LEG:
            self._check_price(ledger, order, leg)
        if leg is None or leg.provider is None:
            ledger.unmet(LEG_UNKNOWN, subject, self.leg)
            return
        check_currency(ledger, subject, self.amount.currency, order.price.currency)
        self._check_provider(ledger, order, leg)
        payments = payments_of(ledger, order.payments)
        known = {payment.provider for payment in payments} | {each.provider for each in order.terms.legs}
        if order.dispute and leg.provider not in known:  # who may judge it depends on the providers
            ledger.unmet(ORDER_DISPUTED, subject, order.dispute.hex())
        taken, most = self._taken(ledger, order, payments, leg)
        if taken + self.amount.amount > most:
            ledger.unmet(PAYMENT_EXCEEDS_PRICE, subject, taken + self.amount.amount, most)
        live = sum(not payment.is_closed for payment in payments)
        if len(payments) >= limits.PAYMENTS_PER_ORDER_MAX or live >= OPEN_MAX:
            need = f"below {limits.PAYMENTS_PER_ORDER_MAX}, and below {OPEN_MAX} open ones"
            ledger.unmet(PAYMENTS_FULL, subject, len(payments), need)

    def _check_price(self, ledger: Ledger, order: Order, leg: Leg | None) -> None:
        subject = self.order.hex()
        if order.status != "accepted":
            ledger.unmet(ORDER_STATUS, subject, order.status, "a claim is paid after the end, the price before")
        elif not is_live(order, ledger.now_ms):
            ledger.unmet(ORDER_EXPIRED, subject, time_to_text(reserved_until_ms(order)))
        if not order.vin and leg is not None and leg.kind != "deposit":
            ledger.unmet(VIN_MISSING, subject, leg.kind, "a deposit")
        vehicle = ledger.get(VEHICLE, order.vin) if order.vin else None
        if vehicle is not None and order.status == "accepted":
            check_reserving(ledger, self.order, order.vin, vehicle)

    def _taken(self, ledger: Ledger, order: Order, payments: list[Payment], leg: Leg) -> tuple[int, int]:
        """Minor units that other payments take up, and how many there are to be paid."""
        own = [payment for payment in payments if payment.leg == self.leg]
        if self.leg != CLAIM_LEG:
            return sum(map(occupied, own)), leg.amount
        owed = claim_unpaid(order, payments, ledger.now_ms)
        return sum(max(0, p.amount.amount - net_of(p)) for p in own if not p.is_closed), owed

    def _check_provider(self, ledger: Ledger, order: Order, leg: Leg) -> None:
        assert leg.provider is not None, "checked"
        listing = ledger.the(LISTING, order.listing)
        check_provider(ledger, leg.provider, leg.rail, listing.country)
        check_sponsor(ledger, leg.provider, order.buyer, next((a for a in listing.rails if a.rail == leg.rail), None))
        countries = countries_of(ledger, listing, leg.provider)
        check_rail(ledger, self.order.hex(), leg.rail, order.price.currency, countries)
        schemes = ledger.rules.tables.rail_rules[leg.rail].schemes
        member = ledger.get(MEMBER, leg.provider)
        places = schemes.get(self.scheme)
        if places is None or (places and (member is None or member.country not in places)):
            ledger.unmet(SCHEME_UNFIT, self.order.hex(), self.scheme, " or ".join(sorted(schemes)))

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        leg, listing = (
            leg_paid(ledger, order, self, AsOf(ledger.now_ms, ledger.rules)),
            ledger.the(LISTING, order.listing),
        )
        assert leg is not None and leg.provider is not None, "guarded"
        hold = next((accepted.hold_ms for accepted in listing.rails if accepted.rail == leg.rail), 0)
        ledger.put(PAYMENT, ledger.txid, Payment(
            self.order, self.leg, leg.rail, self.scheme, leg.provider, ledger.sender, self.amount, hold, ledger.now_ms
        ))  # fmt: skip
        ledger.put(ORDER, self.order, replace(order, payments=(*order.payments, ledger.txid)))


def leg_paid(reader: Reader, order: Order, body: PaymentInitiate, as_of: AsOf) -> Leg | None:
    """The part that is paid. A claim is paid on a rail of the scheme that the buyer names: as a part of the price was,
    else as the listing accepts it, and through a provider that may still carry it out and is no party."""
    legs = order.terms.legs
    if body.leg != CLAIM_LEG:
        leg = legs[body.leg] if body.leg < len(legs) else None
        return leg if leg is not None and leg.provider is not None else None
    if (listing := reader.get(LISTING, order.listing)) is None:
        return None
    agreed = [(leg.rail, leg.provider) for leg in legs if leg.provider is not None]
    accepted = [(each.rail, provider) for each in listing.rails for provider in each.providers]
    trade_in = order.terms.trade_in
    parties = (order.buyer, order.seller, order.agent, trade_in.taker if trade_in is not None else None)
    for rail, provider in (*agreed, *accepted):
        is_free = rail != "finance" and provider not in parties
        if is_free and _is_fit_now(reader, order, listing, rail, provider, body.scheme, as_of):
            return Leg("balance", rail, provider, "direct", body.amount.amount, 0)
    return None


def _is_fit_now(
    reader: Reader, order: Order, listing: Listing, rail: str, provider: bytes, scheme: str, as_of: AsOf
) -> bool:
    """Whether a claim could be paid through the provider, by the scheme."""
    places, member = as_of.rules.tables.rail_rules[rail].schemes.get(scheme), reader.get(MEMBER, provider)
    accepted = next((each for each in listing.rails if each.rail == rail), None)
    return (
        places is not None and member is not None and (not places or member.country in places)
        and is_provider_fit(reader, provider, rail, listing.country, as_of.now_ms)
        and not is_refused_sponsor(reader, provider, order.buyer, accepted)
    )  # fmt: skip


class PaymentDeclare(TransactionBody, tag="payment.declare", frozen=True):
    """The payer says that it has sent the money. For seven days, once for each part of the price, the seller cannot end
    the order for want of payment. It is no evidence that money has come."""

    payment: Id
    uetr: Annotated[bytes, Meta(min_length=UETR_LENGTH, max_length=UETR_LENGTH)] | None = None
    weight: ClassVar[int] = 90
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"payment": "$payment"})

    def guards(self, ledger: Ledger) -> None:
        payment = ledger.get(PAYMENT, self.payment)
        if payment is None:
            ledger.unmet(PAYMENT_UNKNOWN, self.payment.hex())
            return
        if ledger.sender != payment.payer:
            ledger.unmet(NOT_A_PARTY, self.payment.hex())
        others = payments_of(ledger, ledger.the(ORDER, payment.order).payments)
        is_declared = any(other.declared_at_ms for other in others if other.leg == payment.leg)
        if is_declared or payment.sequence or payment.is_closed:
            ledger.unmet(DECLARED_ALREADY, self.payment.hex())

    def apply(self, ledger: Ledger) -> None:
        payment = ledger.the(PAYMENT, self.payment)
        order = ledger.the(ORDER, payment.order)
        ledger.put(PAYMENT, self.payment, replace(payment, declared_at_ms=ledger.now_ms))
        write_money(ledger, payment.order, order, balances(ledger, order))
