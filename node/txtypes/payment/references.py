"""External references of payments: what each attestation must name, and that no reference is used twice."""

from __future__ import annotations

from msgspec.structs import replace

from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.rules.rails import NEEDS_REFERENCE
from node.txtypes.sale.payments import (
    BANK_RAILS,
    PAYMENT,
    REFERENCE,
    UETR,
    Payment,
    Reference,
    ReferenceUse,
    reference_key,
    uetr_key,
)

REFERENCE_USED = Guard("reference_used", "the payment reference was used before",
                       "die Zahlungsreferenz wurde schon benutzt", "付款凭证已被使用")  # fmt: skip
REFERENCE_MISSING = Guard("reference_missing", "the payment reference is missing", "die Zahlungsreferenz fehlt",
                          "缺少付款凭证")  # fmt: skip
PAYMENT_REFERENCE_FORM = Guard("payment_reference_form", "the reference is none of this rail, or no UETR",
                       "die Referenz passt nicht zum Zahlweg oder ist keine UETR",
                       "付款凭证与支付方式不符，或不是 UETR")  # fmt: skip

_NOT_YET = ("pending", "captured")
"""Attestations of money that has not come yet. The one that says that it came names the same reference again."""


def check_reference(ledger: Ledger, ident: bytes, payment: Payment, kind: str, reference: Reference | None) -> None:
    """Notes a reference that is missing, of the wrong form, or used before."""
    subject = ident.hex()
    if kind not in NEEDS_REFERENCE:
        if reference is not None:
            ledger.unmet(PAYMENT_REFERENCE_FORM, subject, need=f"none for {kind}")
        return
    is_bank = payment.rail in BANK_RAILS
    entry, uetr = (reference.entry, reference.uetr) if reference is not None else (None, None)
    if entry is None and not (kind == "pending" and uetr is not None):
        ledger.unmet(REFERENCE_MISSING, subject, need="an entry or a UETR" if kind == "pending" else "an entry")
    if uetr is not None and (not is_bank or not is_uetr(uetr)):
        ledger.unmet(PAYMENT_REFERENCE_FORM, subject, uetr.hex(), "a UUID of version 4, for a transfer")
    for key in _keys(payment, reference):
        used = ledger.get(REFERENCE, key)
        is_its_own = used is not None and used.payment == ident and used.is_pending and kind not in _NOT_YET
        if used is not None and not is_its_own:
            ledger.unmet(REFERENCE_USED, subject, key.hex())


def is_uetr(raw: bytes) -> bool:
    """Whether 16 bytes are a UUID of version 4 and of the variant of RFC 9562."""
    return raw[6] >> 4 == 4 and raw[8] >> 6 == 0b10


def _keys(payment: Payment, reference: Reference | None) -> list[bytes]:
    if reference is None:
        return []
    parts = (("entry", reference.entry), ("uetr", reference.uetr))
    return [reference_key(payment.rail, payment.provider, kind, raw) for kind, raw in parts if raw is not None]


def use_reference(ledger: Ledger, ident: bytes, payment: Payment, kind: str, reference: Reference | None) -> Payment:
    """Use the reference up. The payment is marked where another provider has attested a payment of the same
    transfer."""
    use = ReferenceUse(ident, kind in _NOT_YET)
    for key in _keys(payment, reference):
        ledger.put(REFERENCE, key, use)
    if reference is None or reference.uetr is None:
        return payment
    key = uetr_key(reference.uetr)
    first = ledger.get(UETR, key)
    if first is None:
        ledger.put(UETR, key, use)
        return payment
    other = ledger.get(PAYMENT, first.payment)
    if other is None or other.provider == payment.provider:
        return payment
    return replace(payment, shared=True)
