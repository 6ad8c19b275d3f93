"""The counters of a payment: what a provider may attest next, up to which amount, and what follows. Pure functions."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from node.rules.deals import PENDING_MS
from node.rules.rails import CARD_FINAL_AFTER_MS, RAIL_RULES, REPRESENTMENTS_MAX, Attestation, CardCheck
from node.txtypes.sale.payments import STEPS_KEPT, Payment, Step, net_of


def most_of(payment: Payment, kind: str, now_ms: int) -> int:
    """The highest amount that may be attested as `kind` now; 0 where the rail or the state of the payment does not
    allow it. Refunds are bounded by what was instructed or is owed as well."""
    if kind not in RAIL_RULES[payment.rail].attested:
        return 0
    amount, net = payment.amount.amount, net_of(payment)
    match kind:
        case "returned" | "refunded" | "charged_back":
            return net
        case "represented":
            return payment.charged_back - payment.represented if payment.representments < REPRESENTMENTS_MAX else 0
        case "settled" if payment.rail == "bank_transfer":  # what has come has come, also late, also too much
            return 2 * amount - payment.settled
    if payment.is_closed:
        return 0
    match kind:
        case "authorised":
            return 0 if payment.authorised or payment.settled else amount
        case "voided":
            return payment.authorised - payment.voided - payment.captured
        case "captured":
            is_valid = now_ms < payment.authorised_until_ms
            return payment.authorised - payment.voided - payment.captured if is_valid else 0
        case "pending":
            return max(0, amount - payment.settled - payment.under_way)
        case "settled" if payment.rail == "card":
            return payment.captured - payment.settled
        case "settled":
            return amount - payment.settled
        case "failed":
            return 0 if payment.captured or (payment.rail != "bank_transfer" and payment.settled) else amount
    return 0


def after_attestation(
    payment: Payment, kind: Attestation, amount: int, code: str, now_ms: int, *, until_ms: int = 0,
    card_check: Literal[""] | CardCheck = "",
) -> Payment:  # fmt: skip
    """The payment after an attestation that `most_of` allows."""
    steps = (*payment.steps, Step(kind, amount, code, now_ms))[-STEPS_KEPT:]
    payment = replace(payment, sequence=payment.sequence + 1, steps=steps)
    match kind:
        case "authorised":
            return replace(payment, authorised=amount, authorised_until_ms=until_ms, card_check=card_check)
        case "voided":
            voided = payment.voided + amount
            is_over = voided == payment.authorised and not payment.captured
            return replace(payment, voided=voided, is_closed=is_over)
        case "captured":
            return replace(payment, captured=payment.captured + amount)
        case "pending":
            return replace(payment, under_way=payment.under_way + amount, pending_until_ms=now_ms + PENDING_MS)
        case "settled":
            return _settled(payment, amount, now_ms)
        case "failed":
            return replace(payment, under_way=0, is_closed=True)
        case "returned":
            return replace(payment, returned=payment.returned + amount)
        case "refunded":
            return replace(payment, refunded=payment.refunded + amount)
        case "charged_back":
            return replace(payment, charged_back=payment.charged_back + amount)
        case "represented":
            return replace(
                payment, represented=payment.represented + amount, representments=payment.representments + 1
            )  # fmt: skip
    raise AssertionError(f"nothing is known of an attestation {kind}")


def _settled(payment: Payment, amount: int, now_ms: int) -> Payment:
    settled = payment.settled + amount
    wait = CARD_FINAL_AFTER_MS.get(payment.card_check, 0) if payment.rail == "card" else 0
    is_whole = settled >= payment.amount.amount
    is_spent = payment.rail == "card" and settled == payment.captured == payment.authorised - payment.voided
    return replace(
        payment, settled=settled, under_way=max(0, payment.under_way - amount), settled_at_ms=now_ms,
        final_from_ms=max(payment.final_from_ms, now_ms + max(payment.hold_ms, wait)),
        is_closed=payment.is_closed or is_whole or is_spent or payment.rail == "instant_transfer",
    )  # fmt: skip
