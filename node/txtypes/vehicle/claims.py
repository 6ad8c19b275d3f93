"""Claims that a sale leaves behind: money that went back after the handover, or that was promised and has not come.

A claim never moves a title. It bars its debtor from dealing in that car until the creditor is satisfied.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import VIN_IDENT, Family, Reader
from node.ledger.fields import Address, Id, Money, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import conduct_of

CLAIMS_MAX: Final = 16
"""How many open claims of one car are kept. A further claim displaces the oldest one."""

CLAIMS_OPEN = Guard("claims_open", "the account owes money for this very car",
                    "das Konto schuldet Geld für eben dieses Fahrzeug", "该账户尚欠此车款项")  # fmt: skip
REFUND_OVERDUE = Guard("refund_overdue", "the seller owes a refund that is overdue",
                       "der Verkäufer schuldet eine überfällige Erstattung", "卖方有逾期未退的款项",
                       is_permission=True)  # fmt: skip

Cause = Literal["charged_back", "returned", "promise", "trade_in", "decided"]


class Claim(Value, frozen=True):
    """What the debtor owes the creditor from an order. `payment`: whose money went back, empty for none. `due_ms`: the
    claim bars its debtor from then on."""

    order: Id
    payment: bytes
    debtor: Address
    creditor: Address
    amount: Money
    cause: Cause
    due_ms: Time


class Claims(Value, tag=1, frozen=True):
    """The open claims of one car."""

    entries: Annotated[tuple[Claim, ...], Meta(max_length=CLAIMS_MAX)]


CLAIMS = Family(
    "claims", Claims, ident=VIN_IDENT, concerns=lambda ident, claims: (f"vehicle/{ident}",), event="claims"
)  # fmt: skip


def claims_of(reader: Reader, vin: str) -> tuple[Claim, ...]:
    found = reader.get(CLAIMS, vin)
    return found.entries if found is not None else ()


def is_debtor(ledger: Ledger, account: bytes, vin: str) -> bool:
    """Whether the account owes money for the car."""
    return any(claim.debtor == account and claim.due_ms <= ledger.now_ms for claim in claims_of(ledger, vin))


def check_owes_nothing(ledger: Ledger, account: bytes, vin: str) -> None:
    """Notes an account that may not part with a car: it owes money for it, or a refund that is overdue."""
    if overdue := conduct_of(ledger, account).refunds_overdue:
        ledger.unmet(REFUND_OVERDUE, to_text(account), f"{overdue} overdue", "none")
    if is_debtor(ledger, account, vin):
        ledger.unmet(CLAIMS_OPEN, vin)


def add_claim(ledger: Ledger, vin: Vin, claim: Claim) -> None:
    """Add to the claim of the same order, payment and debtor, or begin one."""
    entries = claims_of(ledger, vin)
    known = _find(entries, claim)
    if known is not None:
        total = Money(known.amount.amount + claim.amount.amount, known.amount.currency)
        changed = tuple(replace(entry, amount=total) if entry is known else entry for entry in entries)
    else:
        changed = (*entries, claim)[-CLAIMS_MAX:]
    ledger.put(CLAIMS, vin, Claims(changed))


def reduce_claims(
    ledger: Ledger,
    vin: str,
    order: bytes,
    amount: int,
    *,
    debtor: bytes,
    payment: bytes = b"",
    creditor: bytes = b"",
) -> None:
    """Take an amount off the claims of an order against a debtor, the oldest first; only off those of `payment` if it
    is given. What remains of the amount is nobody's."""
    kept = []
    for claim in claims_of(ledger, vin):
        if (
            claim.order == order
            and claim.debtor == debtor
            and payment in (b"", claim.payment)
            and (creditor in (b"", claim.creditor))
        ):
            taken = min(amount, claim.amount.amount)
            amount -= taken
            if taken == claim.amount.amount:
                continue
            claim = replace(claim, amount=Money(claim.amount.amount - taken, claim.amount.currency))
        kept.append(claim)
    ledger.put(CLAIMS, vin, Claims(tuple(kept)) if kept else None)


def _find(entries: tuple[Claim, ...], claim: Claim) -> Claim | None:
    same = (claim.order, claim.payment, claim.debtor, claim.cause)
    return next((e for e in entries if (e.order, e.payment, e.debtor, e.cause) == same), None)
