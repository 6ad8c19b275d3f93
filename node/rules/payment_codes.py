"""Reasons why a payment failed, was returned or was charged back."""

from typing import Final

TRANSFER_REASONS: Final = (
    "AC01", "AC03", "AC04", "AC06", "AG01", "AG02", "AM02", "AM04", "AM05", "AM09", "BE04", "CNOR", "CUST", "DUPL",
    "FOCR", "FRAD", "MD07", "MS02", "MS03", "NOAS", "RC01", "RR01", "RR02", "RR03", "RR04", "TECH", "TM01",
)  # fmt: skip
"""ISO 20022 external codes for the status or the return of a transfer (ExternalStatusReason1Code,
ExternalReturnReason1Code): those that the SEPA rulebooks use for credit transfers and their recalls."""
CARD_REASONS: Final = (
    "declined", "expired", "holder_cancelled", "fraud", "authorisation", "processing", "not_received",
    "not_as_described", "cancelled_contract", "credit_not_processed",
)  # fmt: skip
"""Why a card payment failed or was charged back, by the groups that the large schemes share."""
FINANCE_REASONS: Final = ("credit_refused", "credit_withdrawn", "documents_missing", "credit_revoked")
"""Why a lender does not pay, or takes the money back. `credit_withdrawn`: the buyer withdrew from the credit."""
REASONS_OF_RAIL: Final[dict[str, tuple[str, ...]]] = {
    "card": CARD_REASONS, "bank_transfer": TRANSFER_REASONS, "instant_transfer": TRANSFER_REASONS,
    "finance": FINANCE_REASONS,
}  # fmt: skip
PAYMENT_REASONS: Final = tuple(dict.fromkeys(code for codes in REASONS_OF_RAIL.values() for code in codes))
"""Every reason of every rail."""
