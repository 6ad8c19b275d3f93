"""Money that goes back, and a payment that gets another provider."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, Id, Money
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule
from node.txtypes.sale.accounts import creditor_of
from node.txtypes.sale.acting import check_acting
from node.txtypes.sale.listing import LISTING, NOT_A_PARTY
from node.txtypes.sale.order import Order, is_open
from node.txtypes.sale.order_body import ORDER_DISPUTED, balances, owed_to, write_money
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, PAYMENT_UNKNOWN, Payment, net_of, refunds_open
from node.txtypes.sale.terms import (
    PROVIDER_IS_PARTY,
    RAIL_NOT_ACCEPTED,
    check_currency,
    check_provider,
    check_rail,
    check_sponsor,
    countries_of,
)

REFUND_EXCEEDS = Guard("refund_exceeds", "more would go back than the payment still has",
                       "es ginge mehr zurück, als die Zahlung noch hat", "退款超过该付款余额")  # fmt: skip


class PaymentBody(TransactionBody, frozen=True):
    """A transaction about a payment and its order."""

    payment: Id

    def guards(self, ledger: Ledger) -> None:
        payment = ledger.get(PAYMENT, self.payment)
        if payment is None:
            ledger.unmet(PAYMENT_UNKNOWN, self.payment.hex())
        else:
            self.payment_guards(ledger, payment, ledger.the(ORDER, payment.order))

    def payment_guards(self, ledger: Ledger, payment: Payment, order: Order) -> None:
        raise AssertionError(f"{type(self).__name__} has no guards")


class PaymentRefund(PaymentBody, tag="payment.refund", frozen=True):
    """The seller tells the provider to refund an amount of a payment. The provider attests when it has."""

    amount: Money
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    headline: ClassVar[tuple[str, ...]] = ("amount",)
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "payment": "$payment", "amount": {"amount": "10000", "currency": "EUR"},
    })  # fmt: skip

    def payment_guards(self, ledger: Ledger, payment: Payment, order: Order) -> None:
        check_acting(ledger, "return", order, self.payment.hex(), is_priced=False)
        check_currency(ledger, self.payment.hex(), self.amount.currency, payment.amount.currency)
        most = net_of(payment) - refunds_open(payment)
        if ledger.sender == order.agent != order.seller:  # what is not owed only the seller gives
            most = min(most, owed_to(ledger, order, creditor_of(order, payment)))
        if self.amount.amount > most:
            ledger.unmet(REFUND_EXCEEDS, self.payment.hex(), self.amount.amount, f"at most {max(0, most)}")

    def apply(self, ledger: Ledger) -> None:
        payment = ledger.the(PAYMENT, self.payment)
        instructed = max(payment.instructed, payment.refunded) + self.amount.amount
        ledger.put(PAYMENT, self.payment, replace(payment, instructed=instructed))


class PaymentConfirmRefund(PaymentBody, tag="payment.confirm_refund", frozen=True):
    """Whoever is owed a payment's money confirms that an amount of it came back. It needs no provider."""

    amount: Money
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    headline: ClassVar[tuple[str, ...]] = ("amount",)
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "payment": "$payment", "amount": {"amount": "10000", "currency": "EUR"},
    })  # fmt: skip

    def payment_guards(self, ledger: Ledger, payment: Payment, order: Order) -> None:
        if ledger.sender != creditor_of(order, payment):
            ledger.unmet(NOT_A_PARTY, self.payment.hex(), need="who is owed the money")
            return
        check_currency(ledger, self.payment.hex(), self.amount.currency, payment.amount.currency)
        most = net_of(payment)
        if not is_open(order, ledger.now_ms):
            most = min(most, max(0, balances(ledger, order).get(ledger.sender, 0)))
        if self.amount.amount > most:
            ledger.unmet(REFUND_EXCEEDS, self.payment.hex(), self.amount.amount, f"at most {most}")

    def apply(self, ledger: Ledger) -> None:
        payment = ledger.the(PAYMENT, self.payment)
        order = ledger.the(ORDER, payment.order)
        was = balances(ledger, order)
        ledger.put(PAYMENT, self.payment, replace(payment, refunded=payment.refunded + self.amount.amount))
        write_money(ledger, payment.order, order, was)


class PaymentReassign(PaymentBody, tag="payment.reassign", frozen=True):
    """Seller and buyer give a payment, and the part of the price that it pays, another provider."""

    provider: Address
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"payment": "$payment", "provider": "bank-1"}, ("dealer-munich",))

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        payment = ledger.get(PAYMENT, self.payment)
        order = ledger.get(ORDER, payment.order) if payment is not None else None
        return (order.seller, order.buyer) if order is not None else ()

    def payment_guards(self, ledger: Ledger, payment: Payment, order: Order) -> None:
        if ledger.sender not in (order.seller, order.buyer):
            ledger.unmet(NOT_A_PARTY, self.payment.hex())
        if order.dispute:  # who may judge it depends on the providers
            ledger.unmet(ORDER_DISPUTED, self.payment.hex(), order.dispute.hex())
        listing = ledger.the(LISTING, order.listing)
        check_provider(ledger, self.provider, payment.rail, listing.country)
        countries = countries_of(ledger, listing, self.provider)
        check_rail(ledger, self.payment.hex(), payment.rail, order.price.currency, countries)
        accepted = next((accepted for accepted in listing.rails if accepted.rail == payment.rail), None)
        check_sponsor(ledger, self.provider, order.buyer, accepted)
        finance = order.terms.finance
        if payment.rail == "finance" and finance is not None and self.provider != finance.lender:
            ledger.unmet(RAIL_NOT_ACCEPTED, self.payment.hex(), need="the lender: another credit is an amendment")
        taker = order.terms.trade_in.taker if order.terms.trade_in is not None else None
        if self.provider in (order.buyer, order.seller, order.agent, taker):
            ledger.unmet(PROVIDER_IS_PARTY, self.payment.hex())

    def apply(self, ledger: Ledger) -> None:
        payment = ledger.the(PAYMENT, self.payment)
        ledger.put(PAYMENT, self.payment, replace(payment, provider=self.provider))
        order = ledger.the(ORDER, payment.order)
        leg = order.terms.legs[payment.leg] if payment.leg < len(order.terms.legs) else None
        if leg is not None and leg.provider is not None and leg.rail == payment.rail:  # it may have been amended since
            legs = tuple(
                replace(each, provider=self.provider) if place == payment.leg else each
                for place, each in enumerate(order.terms.legs)
            )
            ledger.put(ORDER, payment.order, replace(order, terms=replace(order.terms, legs=legs)))
