"""Payments: initiated by the buyer, attested by the provider that the seller's acceptance fixed.

Each rail has its own legal steps and its own finality (`rules.rails`). An external reference is consumed once on the
whole chain. A charge-back never moves title back by itself. The vehicle's market region records whether money is under
way, so that the vehicle alone tells whether its reservation lapses.
"""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from msgspec.structs import replace

from node import limits
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Id, Money, OptionalHash, Rail
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule, hash_or_empty
from node.txtypes.members.member import require_role
from node.txtypes.sale import order as orders
from node.txtypes.sale.listing import LISTING, check_rail_allowed
from node.txtypes.sale.order import ORDER, PAYMENT, REFERENCE, Order, OrderBody, Payment, Step
from node.txtypes.sale.order_types import ORDER_NOT_RESERVING, RAIL_NOT_ACCEPTED, check_currency
from node.txtypes.vehicle.vehicle import VEHICLE

NEEDS_REFERENCE: Final = frozenset({"captured", "pending", "settled"})
FREES_AMOUNT: Final = frozenset({"failed", "returned", "charged_back", "refunded"})

PAYMENT_UNKNOWN = Guard("payment_unknown", "there is no such payment", "diese Zahlung gibt es nicht", "付款不存在")
PAYMENT_EXCEEDS_PRICE = Guard("payment_exceeds_price", "the payments would exceed the price",
                              "die Zahlungen überstiegen den Preis", "付款超过价格")  # fmt: skip
PAYMENTS_FULL = Guard("payments_full", "the order has too many payments", "der Auftrag hat zu viele Zahlungen",
                      "付款次数过多")  # fmt: skip
PAYMENT_AMOUNT = Guard("payment_amount", "the amount differs from the payment's", "der Betrag weicht ab", "金额不符")
PAYMENT_TRANSITION = Guard("payment_transition", "the rail does not allow this step",
                           "der Zahlweg erlaubt diesen Schritt nicht", "该支付方式不允许此步骤")  # fmt: skip
NOT_THE_PROVIDER = Guard("not_the_provider", "the account is not the payment's provider",
                         "das Konto ist nicht der Zahlungsdienst dieser Zahlung", "该账户不是此付款的服务商",
                         is_permission=True)  # fmt: skip
REFERENCE_USED = Guard("reference_used", "the payment reference was used before",
                       "die Zahlungsreferenz wurde schon benutzt", "付款凭证已被使用")  # fmt: skip
REFERENCE_MISSING = Guard("reference_missing", "the payment reference is missing", "die Zahlungsreferenz fehlt",
                          "缺少付款凭证")  # fmt: skip
REFERENCE_DIFFERS = Guard("reference_differs", "the payment has another reference",
                          "die Zahlung hat eine andere Referenz", "付款凭证不符")  # fmt: skip


def _note_money(ledger: Ledger, ident: bytes) -> None:
    """Record at the vehicle whether the order's reservation has money under way; another order's stays as it is."""
    order = ledger.the(ORDER, ident)
    vehicle = ledger.the(VEHICLE, order.vin)
    holds_money = orders.has_money(ledger, order.payments)
    if vehicle.market.order == ident and vehicle.market.holds_money != holds_money:
        ledger.put(VEHICLE, order.vin, replace(vehicle, market=replace(vehicle.market, holds_money=holds_money)))


class PaymentInitiate(OrderBody, tag="payment.initiate", frozen=True):
    """The buyer starts a payment of an accepted order, on the agreed rail and provider."""

    rail: Rail
    amount: Money
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    weight: ClassVar[int] = 120
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "order": "$order", "rail": "bank_transfer", "amount": {"amount": "5290000", "currency": "EUR"},
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        subject = self.order.hex()
        self.check_party(ledger, order.buyer)
        vehicle = ledger.get(VEHICLE, order.vin)
        is_live = order.status == "accepted" and orders.is_live(self.order, order, vehicle, ledger.now_ms)
        if is_live and vehicle is not None and vehicle.market.order != self.order:  # the car became a total loss
            ledger.unmet(ORDER_NOT_RESERVING, subject, need="a car that this order reserves")
        if self.rail != order.rail:
            ledger.unmet(RAIL_NOT_ACCEPTED, subject, self.rail, order.rail)
        listing = ledger.get(LISTING, order.listing)
        if listing is not None:
            check_rail_allowed(ledger, subject, self.rail, listing.country)
        check_currency(ledger, subject, self.amount, order.price)
        payments = orders.payments_of(ledger, order.payments)
        open_amount = sum(p.amount.amount for p in payments if p.status not in FREES_AMOUNT)
        if open_amount + self.amount.amount > order.price.amount:
            ledger.unmet(PAYMENT_EXCEEDS_PRICE, subject, open_amount + self.amount.amount, order.price.amount)
        if len(order.payments) >= limits.PAYMENTS_PER_ORDER_MAX:
            ledger.unmet(PAYMENTS_FULL, subject, len(order.payments), f"below {limits.PAYMENTS_PER_ORDER_MAX}")

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        payment = Payment(
            self.order, ledger.sender, self.rail, order.provider, self.amount, "initiated", b"", 0, 0,
            (Step("initiated", ledger.now_ms),),
        )  # fmt: skip
        ledger.put(PAYMENT, ledger.txid, payment)
        ledger.put(ORDER, self.order, replace(order, payments=(*order.payments, ledger.txid)))


class PaymentAttest(TransactionBody, tag="payment.attest", frozen=True):
    """The provider attests the status of a payment."""

    payment: Id
    status: Literal["authorised", "captured", "pending", "settled", "failed", "returned", "charged_back", "refunded"]
    amount: Money
    reference: OptionalHash
    static_rules: ClassVar[tuple[StaticRule, ...]] = (hash_or_empty("reference"),)
    weight: ClassVar[int] = 120
    EXAMPLE: ClassVar[Example] = Example("payment-provider-1", {
        "payment": "$payment", "status": "settled", "amount": {"amount": "5290000", "currency": "EUR"},
        "reference": "$reference",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        payment = ledger.get(PAYMENT, self.payment)
        subject = self.payment.hex()
        if payment is None:
            ledger.unmet(PAYMENT_UNKNOWN, subject)
            return
        if ledger.sender != payment.provider:
            ledger.unmet(NOT_THE_PROVIDER, subject)
        else:
            require_role(ledger, ledger.sender, "payment_provider")
        following = ledger.rules.tables.rail_transitions[payment.rail].get(payment.status, frozenset())
        if self.status not in following:
            allowed = ", ".join(sorted(following)) or "nothing"
            ledger.unmet(PAYMENT_TRANSITION, subject, f"{payment.status} to {self.status}", allowed)
        check_currency(ledger, subject, self.amount, payment.amount)
        if self.amount.amount != payment.amount.amount:
            ledger.unmet(PAYMENT_AMOUNT, subject, self.amount.amount, payment.amount.amount)
        self._guard_reference(ledger, subject, payment)

    def _guard_reference(self, ledger: Ledger, subject: str, payment: Payment) -> None:
        if payment.reference:
            if self.reference and self.reference != payment.reference:
                ledger.unmet(REFERENCE_DIFFERS, subject, self.reference.hex(), payment.reference.hex())
        elif self.reference:
            if ledger.get(REFERENCE, self.reference) is not None:
                ledger.unmet(REFERENCE_USED, subject, self.reference.hex())
        elif self.status in NEEDS_REFERENCE:
            ledger.unmet(REFERENCE_MISSING, subject)

    def apply(self, ledger: Ledger) -> None:
        payment = ledger.the(PAYMENT, self.payment)
        if self.reference and not payment.reference:
            ledger.put(REFERENCE, self.reference, orders.ReferenceUse(self.payment))
        changed = replace(
            payment, status=self.status, reference=payment.reference or self.reference,
            settled=self.amount.amount if self.status == "settled" else payment.settled,
            refunded=self.amount.amount if self.status == "refunded" else payment.refunded,
            steps=(*payment.steps, Step(self.status, ledger.now_ms)),
        )  # fmt: skip
        ledger.put(PAYMENT, self.payment, changed)
        _note_money(ledger, payment.order)
