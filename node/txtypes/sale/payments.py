"""The payments of orders as state: what a provider has attested, and how much of it is final for the title."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from node.codec import Value
from node.crypto.hashing import tagged
from node.ledger.family import HASH_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import Address, Amount, Id, Money, OptionalHash, Rail, Time
from node.ledger.ruleset import Ruleset
from node.rules.rails import Status

NO_MONEY: Final = frozenset({"initiated", "failed", "returned", "charged_back", "refunded"})
"""Statuses in which no money is under way or settled."""


class Step(Value, frozen=True):
    """A status and the block time at which it was attested."""

    status: Status
    at_ms: Time


class Payment(Value, tag=1, frozen=True):
    """One payment of an order."""

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
    """The payment that has consumed an external payment reference."""

    payment: Id


class PaymentView(Payment, frozen=True):
    """A payment; all its amounts are of one currency."""

    id: Id
    settled: Money  # type: ignore[assignment]
    refunded: Money  # type: ignore[assignment]
    is_final_for_title: bool

    @staticmethod
    def of(ident: str, payment: Payment, reader: Reader, as_of: AsOf) -> PaymentView:
        currency = payment.amount.currency
        return extended(
            PaymentView,
            payment,
            id=bytes.fromhex(ident),
            settled=Money(payment.settled, currency),
            refunded=Money(payment.refunded, currency),
            is_final_for_title=is_final(payment, as_of.rules),
        )


PAYMENT = Family(
    "payment",
    Payment,
    ident=HASH_IDENT,
    concerns=lambda ident, payment: (
        f"order/{payment.order.hex()}", f"account/{payment.payer.hex()}", f"account/{payment.provider.hex()}",
    ),
    event="payment",
    status=lambda payment: payment.status,
    path="/v1/payments",
    view=PaymentView,
)  # fmt: skip
REFERENCE = Family("payment-reference", ReferenceUse, ident=HASH_IDENT)


def reference_id(rail: str, provider: bytes, reference: bytes) -> bytes:
    """`H("bmw/payment-ref", rail || 0x00 || provider || reference)`; references with little entropy are keyed with a
    secret of the provider first."""
    return tagged("bmw/payment-ref", rail.encode("ascii") + b"\x00" + provider + reference)


def payments_of(reader: Reader, idents: Iterable[bytes]) -> list[Payment]:
    found = [reader.get(PAYMENT, ident) for ident in idents]
    return [payment for payment in found if payment is not None]


def is_final(payment: Payment, rules: Ruleset) -> bool:
    """Whether the payment counts towards the price when title moves."""
    return payment.status in rules.tables.rails_final_for_title[payment.rail]


def settled_amount(reader: Reader, idents: Iterable[bytes], rules: Ruleset) -> int:
    """Minor units that are final for the title."""
    return sum(payment.amount.amount for payment in payments_of(reader, idents) if is_final(payment, rules))


def has_money(reader: Reader, idents: Iterable[bytes]) -> bool:
    """Whether any money is under way or settled."""
    return any(payment.status not in NO_MONEY for payment in payments_of(reader, idents))
