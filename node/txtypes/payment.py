"""Payments: initiated by the buyer, attested by the provider that the seller's acceptance fixed.

Each rail has its own legal steps and its own finality (`rules.rails`). An external reference is consumed once on the
whole chain. A charge-back never moves title back by itself.

A reservation that holds money does not lapse (`vehicle.market_of`). The vehicle's market region says whether it does,
so that the vehicle alone tells what counts.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec.structs import replace

from node import limits
from node.crypto.hashing import tagged
from node.errors import Malformed
from node.rules.rails import FINAL_FOR_TITLE, FORBIDDEN_RAILS, TRANSITIONS, Rail, Status
from node.txtypes.body import Body
from node.txtypes.fields import Address, Amount, Id, Money, OptionalHash, Time, Value
from node.txtypes.ledger import Family, Ledger
from node.txtypes.listing import LISTING
from node.txtypes.members import require_role
from node.txtypes.order import ORDER, Order, require_order
from node.txtypes.vehicle import VEHICLE

NEEDS_REFERENCE = frozenset({"captured", "pending", "settled"})
NO_MONEY = frozenset({"initiated", "failed", "returned", "charged_back", "refunded"})
FREES_AMOUNT = frozenset({"failed", "returned", "charged_back", "refunded"})


class Step(Value, frozen=True):
    status: Status
    at_ms: Time


class Payment(Value, tag=1, frozen=True):
    order: Id
    payer: Address
    rail: Rail
    provider: Address
    amount: Money
    status: Status
    reference: OptionalHash
    settled: Amount
    refunded: Amount
    steps: tuple[Step, ...]


class ReferenceUse(Value, tag=1, frozen=True):
    """An external payment reference and the payment that consumed it."""

    payment: Id


PAYMENT = Family("payment", Payment)
REFERENCE = Family("payment-reference", ReferenceUse)


def reference_id(rail: str, provider: bytes, reference: bytes) -> bytes:
    """`H("bmw/payment-ref", rail || 0x00 || provider || reference)`; references with little entropy are keyed with a
    secret of the provider first."""
    return tagged("bmw/payment-ref", rail.encode("ascii") + b"\x00" + provider + reference)


def _payments(ledger: Ledger, order: Order) -> list[Payment]:
    found = [ledger.get(PAYMENT, ident) for ident in order.payments]
    return [payment for payment in found if payment is not None]


def settled_amount(ledger: Ledger, order: Order) -> int:
    """Minor units that are final for the title."""
    return sum(p.amount.amount for p in _payments(ledger, order) if p.status in FINAL_FOR_TITLE[p.rail])


def has_money(ledger: Ledger, order: Order) -> bool:
    """Whether any money is under way or settled."""
    return any(payment.status not in NO_MONEY for payment in _payments(ledger, order))


def _note_money(ledger: Ledger, ident: bytes) -> None:
    """Write down at the vehicle whether the reservation by the order holds money now; another's is left alone."""
    order = ledger.get(ORDER, ident)
    assert order is not None, "a payment has an order"
    vehicle = ledger.get(VEHICLE, order.vin)
    assert vehicle is not None, "an order has a vehicle"
    holds_money = has_money(ledger, order)
    if vehicle.market.order == ident and vehicle.market.holds_money != holds_money:
        ledger.put(VEHICLE, order.vin, replace(vehicle, market=replace(vehicle.market, holds_money=holds_money)))


class PaymentInitiate(Body, tag="payment.initiate", frozen=True):
    """The buyer starts a payment of an accepted order, on the rail and provider that were agreed."""

    order: Id
    rail: Rail
    amount: Money
    weight: ClassVar[int] = 120

    def check_static(self) -> None:
        if self.amount.amount == 0:
            raise Malformed("amount: nothing to pay")

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "accepted")
        if order is None:
            return
        subject = self.order.hex()
        if ledger.sender != order.buyer:
            ledger.unmet("not_a_party", subject)
        if self.rail != order.rail:
            ledger.unmet("rail_not_accepted", subject, self.rail, order.rail)
        listing = ledger.get(LISTING, order.listing)
        if listing is not None and self.rail in FORBIDDEN_RAILS.get(listing.country, frozenset()):
            ledger.unmet("rail_forbidden", subject, self.rail, f"a rail allowed in {listing.country}")
        if self.amount.currency != order.price.currency:
            ledger.unmet("payment_currency", subject, self.amount.currency, order.price.currency)
        open_amount = sum(p.amount.amount for p in _payments(ledger, order) if p.status not in FREES_AMOUNT)
        if open_amount + self.amount.amount > order.price.amount:
            ledger.unmet("payment_exceeds_price", subject, open_amount + self.amount.amount, order.price.amount)
        if len(order.payments) >= limits.PAYMENTS_PER_ORDER_MAX:
            ledger.unmet("payments_full", subject, len(order.payments), f"below {limits.PAYMENTS_PER_ORDER_MAX}")

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None, "guarded"
        payment = Payment(
            self.order, ledger.sender, self.rail, order.provider, self.amount, "initiated", b"", 0, 0,
            (Step("initiated", ledger.now_ms),),
        )  # fmt: skip
        ledger.put(PAYMENT, ledger.txid, payment)
        ledger.put(ORDER, self.order, replace(order, payments=(*order.payments, ledger.txid)))

    def subjects(self) -> tuple[str, ...]:
        return (f"order/{self.order.hex()}",)


class PaymentAttest(Body, tag="payment.attest", frozen=True):
    """The provider says what became of the money."""

    payment: Id
    status: Literal["authorised", "captured", "pending", "settled", "failed", "returned", "charged_back", "refunded"]
    amount: Money
    reference: OptionalHash
    weight: ClassVar[int] = 120

    def check_static(self) -> None:
        if len(self.reference) not in (0, 32):
            raise Malformed("reference: 32 bytes, or empty")

    def guards(self, ledger: Ledger) -> None:
        payment = ledger.get(PAYMENT, self.payment)
        subject = self.payment.hex()
        if payment is None:
            ledger.unmet("payment_unknown", subject)
            return
        if ledger.sender != payment.provider:
            ledger.unmet("not_the_provider", subject)
        else:
            require_role(ledger, ledger.sender, "payment_provider")
        if self.status not in TRANSITIONS[payment.rail].get(payment.status, frozenset()):
            allowed = ", ".join(sorted(TRANSITIONS[payment.rail].get(payment.status, frozenset()))) or "nothing"
            ledger.unmet("payment_transition", subject, f"{payment.status} to {self.status}", allowed)
        if self.amount.currency != payment.amount.currency:
            ledger.unmet("payment_currency", subject, self.amount.currency, payment.amount.currency)
        if self.amount.amount != payment.amount.amount:
            ledger.unmet("payment_amount", subject, self.amount.amount, payment.amount.amount)
        if payment.reference:
            if self.reference and self.reference != payment.reference:
                ledger.unmet("reference_differs", subject, self.reference.hex(), payment.reference.hex())
        elif self.reference:
            if ledger.get(REFERENCE, self.reference) is not None:
                ledger.unmet("reference_used", subject, self.reference.hex())
        elif self.status in NEEDS_REFERENCE:
            ledger.unmet("reference_missing", subject)

    def apply(self, ledger: Ledger) -> None:
        payment = ledger.get(PAYMENT, self.payment)
        assert payment is not None, "guarded"
        if self.reference and not payment.reference:
            ledger.put(REFERENCE, self.reference, ReferenceUse(self.payment))
        changed = replace(
            payment,
            status=self.status,
            reference=payment.reference or self.reference,
            settled=self.amount.amount if self.status == "settled" else payment.settled,
            refunded=self.amount.amount if self.status == "refunded" else payment.refunded,
            steps=(*payment.steps, Step(self.status, ledger.now_ms)),
        )
        ledger.put(PAYMENT, self.payment, changed)
        _note_money(ledger, payment.order)

    def subjects(self) -> tuple[str, ...]:
        return (f"payment/{self.payment.hex()}",)
