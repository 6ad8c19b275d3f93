"""Payments of an order as state. A payment is a set of counters, and each attestation adds to one of them.

What has come, gone back and is final follows from the counters. Deadlines are lazy: a payment under way stops counting
by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

from msgspec import Meta

from node.codec import Value, encode
from node.crypto.hashing import tagged
from node.ledger.family import HASH_IDENT, AsOf, Family, Reader, extended
from node.ledger.fields import (
    Address,
    Amount,
    Hash32,
    Id,
    Money,
    OptionalPaymentReason,
    OptionalTime,
    Rail,
    RailScheme,
    Time,
)
from node.ledger.guards import Guard
from node.rules.deals import DECLARED_MS, PENDING_MS
from node.rules.rails import CARD_REVERSIBLE_MS, Attestation, CardCheck

STEPS_KEPT: Final = 32
"""Attestations of a payment that its value keeps, the newest ones."""
UETR_LENGTH: Final = 16
BANK_RAILS: Final = ("bank_transfer", "instant_transfer")

PAYMENT_UNKNOWN = Guard("payment_unknown", "there is no such payment", "diese Zahlung gibt es nicht", "付款不存在")


class Step(Value, frozen=True):
    """An attestation, its amount and reason, and the block time at which it was made."""

    kind: Attestation
    amount: Amount
    code: OptionalPaymentReason
    at_ms: Time


class Payment(Value, tag=1, frozen=True):
    """One payment of an order, all of it in the currency of its amount; at most 3 KiB. `leg`: the place of the part of
    the price that it pays, 255 for a claim. `under_way`: the amount of pending transfers. `instructed`: what the seller
    has told the provider to refund. `declared_at_ms`: when the payer said that it had sent the money. `shared`: another
    provider has attested a payment with the same UETR."""

    order: Id
    leg: int
    rail: Rail
    scheme: RailScheme
    provider: Address
    payer: Address
    amount: Money
    hold_ms: int
    initiated_at_ms: Time
    authorised: Amount = 0
    authorised_until_ms: OptionalTime = 0
    card_check: Literal[""] | CardCheck = ""
    voided: Amount = 0
    captured: Amount = 0
    under_way: Amount = 0
    pending_until_ms: OptionalTime = 0
    settled: Amount = 0
    returned: Amount = 0
    refunded: Amount = 0
    charged_back: Amount = 0
    represented: Amount = 0
    representments: int = 0
    instructed: Amount = 0
    settled_at_ms: OptionalTime = 0
    final_from_ms: OptionalTime = 0
    declared_at_ms: OptionalTime = 0
    is_closed: bool = False
    shared: bool = False
    sequence: int = 0
    """The number of attestations so far, which the next one names."""
    steps: Annotated[tuple[Step, ...], Meta(max_length=STEPS_KEPT)] = ()


class ReferenceUse(Value, tag=1, frozen=True):
    """The payment that an external reference belongs to. `is_pending`: the money that it names has not come yet."""

    payment: Id
    is_pending: bool


class Reference(Value, frozen=True):
    """The external reference of a movement of money. `entry`: 32 bytes that name the booked entry of an account, a card
    transaction or a loan, keyed with a secret of the provider (docs/TRANSACTIONS.md, Payment references). `uetr`: the
    transfer's UETR (ISO 20022, a UUID of version 4), 16 bytes."""

    entry: Hash32 | None
    uetr: Annotated[bytes, Meta(min_length=UETR_LENGTH, max_length=UETR_LENGTH)] | None


# --- what follows from the counters -------------------------------------------------------------------------
def net_of(payment: Payment) -> int:
    """Minor units that have come and not gone back, never below 0."""
    back = payment.returned + payment.refunded + payment.charged_back
    return payment.settled + payment.represented - back


def paid_of(payment: Payment) -> int:
    """Minor units that have come and that no bank took back: what the seller has refunded was paid all the same."""
    return net_of(payment) + payment.refunded


def refunds_open(payment: Payment) -> int:
    """Minor units that the seller has told the provider to refund, and that it has not refunded yet."""
    return max(0, payment.instructed - payment.refunded)


def final_of(payment: Payment, now_ms: int) -> int:
    """Minor units that count for the title."""
    return net_of(payment) if now_ms >= payment.final_from_ms else 0


def money_until_ms(payment: Payment) -> int:
    """The time until which money of the payment counts as under way, 0 for none. What has settled is not under way."""
    if payment.is_closed:
        return 0
    declared = payment.declared_at_ms + DECLARED_MS if payment.declared_at_ms and not payment.sequence else 0
    pending = payment.pending_until_ms if payment.under_way else 0
    is_authorised = payment.authorised > payment.voided + payment.captured
    captured = 0
    if payment.captured > payment.settled:
        captured = max((step.at_ms for step in payment.steps if step.kind == "captured"), default=0) + PENDING_MS
    return max(declared, pending, captured, payment.authorised_until_ms if is_authorised else 0)


def is_under_way(payment: Payment, now_ms: int) -> bool:
    return now_ms < money_until_ms(payment)


def occupied(payment: Payment) -> int:
    """Minor units of its leg that the payment takes up."""
    return net_of(payment) if payment.is_closed else max(payment.amount.amount, net_of(payment))


def payments_of(reader: Reader, idents: Iterable[bytes]) -> list[Payment]:
    return [payment for ident in idents if (payment := reader.get(PAYMENT, ident)) is not None]


def status_of(payment: Payment, now_ms: int) -> str:
    """One word for the payment: what its money does at present."""
    net = net_of(payment)
    if net and payment.charged_back > payment.represented:
        return "disputed"
    if net:
        return "final" if now_ms >= payment.final_from_ms else "settled"
    if payment.settled:
        return "charged_back" if payment.charged_back else "refunded"
    if payment.is_closed:
        return "failed"
    if payment.captured:
        return "captured"
    if payment.under_way:
        return "pending"
    if payment.authorised > payment.voided:
        return "authorised"
    return "declared" if payment.declared_at_ms else "initiated"


class PaymentView(Payment, frozen=True):
    """A payment with what follows from its counters. `reversible_until`: until when the payer's bank can take the money
    back without the seller, null where it can't."""

    id: Id = b""
    status: str = ""
    net: Amount = 0
    final: Amount = 0
    excess: Amount = 0
    reversible_until_ms: OptionalTime = 0
    creditor_reference: str = ""
    """What the payer writes on a transfer, so that the bank's statement names the payment (ISO 11649)."""

    @staticmethod
    def of(ident: str, payment: Payment, reader: Reader, as_of: AsOf) -> PaymentView:
        is_reversible = payment.rail == "card" and net_of(payment) > 0
        return extended(
            PaymentView, payment, id=bytes.fromhex(ident), status=status_of(payment, as_of.now_ms),
            net=net_of(payment), final=final_of(payment, as_of.now_ms),
            excess=max(0, payment.settled - payment.amount.amount),
            creditor_reference=creditor_reference(bytes.fromhex(ident)) if payment.rail in BANK_RAILS else "",
            reversible_until_ms=payment.settled_at_ms + CARD_REVERSIBLE_MS if is_reversible else 0,
        )  # fmt: skip


PAYMENT = Family(
    "payment", Payment, ident=HASH_IDENT,
    concerns=lambda ident, payment: (
        f"order/{payment.order.hex()}", f"account/{payment.payer.hex()}", f"account/{payment.provider.hex()}",
    ),
    event="payment", is_checked=True, status=lambda payment: payment.steps[-1].kind if payment.steps else "initiated",
    path="/v1/payments", view=PaymentView, internal=("id", "steps"),
)  # fmt: skip
REFERENCE = Family("payment-reference", ReferenceUse, ident=HASH_IDENT)
UETR = Family("uetr", ReferenceUse, ident=HASH_IDENT)
"""The first payment that a UETR was attested for, by any provider."""


def reference_key(rail: str, provider: bytes, kind: str, raw: bytes) -> bytes:
    """`H("bmw/payment-ref", encode([class, provider, kind, raw]))`. The rails of banks are one class, so that one
    transfer settles nothing on a second rail; the provider is in the key, so that no stranger uses up its references.
    `kind`: `entry` or `uetr`."""
    return tagged("bmw/payment-ref", encode(["bank" if rail in BANK_RAILS else rail, provider, kind, raw]))


def uetr_key(uetr: bytes) -> bytes:
    """`H("bmw/uetr", uetr)`: the transfer, whoever attests it."""
    return tagged("bmw/uetr", uetr)


def creditor_reference(payment: bytes) -> str:
    """The structured creditor reference of a payment (ISO 11649) for the payer's transfer, 25 characters: `RF`, two
    check digits, and the first 13 bytes of its id in base 36."""
    number, digits = int.from_bytes(payment[:13], "big"), ""
    for _ in range(21):
        number, digit = divmod(number, 36)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    checked = int("".join(str(int(c, 36)) for c in f"{digits}RF00"))
    return f"RF{98 - checked % 97:02}{digits}"
