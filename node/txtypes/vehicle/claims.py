"""Claims that a sale leaves behind: money that went back after the handover, or that was promised and has not come.

A claim never moves a title. It bars its debtor from dealing in that car until the creditor is satisfied. The claims of
an order are one value, with room for all that an order can leave; a second value counts for a car and an account what
the guards of the next sale ask for.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Ident, Index, Reader, extended
from node.ledger.fields import Address, Id, Money, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import conduct_of

CLAIMS_MAX: Final = limits.PAYMENTS_PER_ORDER_MAX + 8
"""Room for every claim that an order can leave: one of each payment that went back, a promise, the value of a car in
payment to either side, and what was decided against either."""

CLAIMS_OPEN = Guard("claims_open", "the account owes money for this very car",
                    "das Konto schuldet Geld für eben dieses Fahrzeug", "该账户尚欠此车款项")  # fmt: skip
REFUND_OVERDUE = Guard("refund_overdue", "the seller owes a refund that is overdue",
                       "der Verkäufer schuldet eine überfällige Erstattung", "卖方有逾期未退的款项",
                       is_permission=True)  # fmt: skip

Cause = Literal["charged_back", "returned", "promise", "trade_in", "decided"]


class Claim(Value, frozen=True):
    """What the debtor owes the creditor from an order. `payment`: whose money went back, empty for none. `due_ms`: when
    it is to be paid."""

    payment: bytes
    debtor: Address
    creditor: Address
    amount: Money
    cause: Cause
    due_ms: Time


class OrderClaims(Value, tag=1, frozen=True):
    """The open claims of one order, about the car `vin`; at most 4 KiB."""

    vin: Vin
    entries: Annotated[tuple[Claim, ...], Meta(max_length=CLAIMS_MAX)]


class OrderClaimsView(OrderClaims, frozen=True):
    """The open claims of one order; the order's id is theirs."""

    id: Id

    @staticmethod
    def of(ident: str, claims: OrderClaims, reader: Reader, as_of: AsOf) -> OrderClaimsView:
        return extended(OrderClaimsView, claims, id=bytes.fromhex(ident))


class Debtor(Value, tag=1, frozen=True):
    """How many open claims about a car an account owes. It deals in that car again once there are none."""

    claims: Annotated[int, Meta(ge=1)]


def _parties(claims: OrderClaims) -> list[bytes]:
    return sorted({account for claim in claims.entries for account in (claim.debtor, claim.creditor)})


ORDER_CLAIMS = Family(
    "order-claims", OrderClaims, ident=HASH_IDENT._replace(param="order"),
    indexes=(
        Index("vin", lambda claims: (claims.vin,), VIN_IDENT, description="VIN of the vehicle"),
        Index("party", lambda claims: [account.hex() for account in _parties(claims)], ADDRESS_IDENT,
              description="debtor or creditor of a claim"),
    ),
    concerns=lambda ident, claims: (
        f"order/{ident}", f"vehicle/{claims.vin}", *(f"account/{account.hex()}" for account in _parties(claims)),
    ),
    event="claims",
    path="/v1/order-claims", view=OrderClaimsView, internal=("id",),
)  # fmt: skip
DEBTOR = Family(
    "debtor", Debtor, ident=Ident("a VIN, a hyphen and an address in hex", r"[A-HJ-NPR-Z0-9]{17}-[0-9a-f]{40}")
)


def claims_of(reader: Reader, order: bytes) -> tuple[Claim, ...]:
    """The open claims of an order, the oldest first."""
    found = reader.get(ORDER_CLAIMS, order)
    return found.entries if found is not None else ()


def claims_on(reader: Reader, order: bytes, vin: str) -> tuple[Claim, ...]:
    """The open claims of an order, if they are about the car."""
    found = reader.get(ORDER_CLAIMS, order)
    return found.entries if found is not None and found.vin == vin else ()


def is_debtor(reader: Reader, account: bytes, vin: str) -> bool:
    """Whether the account owes money for the car."""
    return reader.get(DEBTOR, debtor_key(vin, account)) is not None


def check_owes_nothing(ledger: Ledger, account: bytes, vin: str) -> None:
    """Notes an account that may not part with a car: it owes money for it, or a refund that is overdue."""
    if overdue := conduct_of(ledger, account).refunds_overdue:
        ledger.unmet(REFUND_OVERDUE, to_text(account), f"{overdue} overdue", "none")
    if is_debtor(ledger, account, vin):
        ledger.unmet(CLAIMS_OPEN, vin)


def add_claim(ledger: Ledger, order: bytes, vin: Vin, claim: Claim) -> None:
    """Add to the claim of the same payment, debtor and cause, or begin one."""
    entries = claims_of(ledger, order)
    known = next((entry for entry in entries if _same(entry) == _same(claim)), None)
    if known is not None:
        total = Money(known.amount.amount + claim.amount.amount, known.amount.currency)
        entries = tuple(replace(entry, amount=total) if entry is known else entry for entry in entries)
    else:
        entries = (*entries, claim)
    _write(ledger, order, vin, entries)


def reduce_claims(
    ledger: Ledger, order: bytes, amount: int, *, debtor: bytes, payment: bytes = b"", creditor: bytes = b""
) -> None:
    """Take an amount off the claims of an order against a debtor, the oldest first; only off those of `payment` and of
    `creditor` where they are given. What remains of the amount is nobody's."""
    found, kept = ledger.get(ORDER_CLAIMS, order), []
    if found is None:
        return
    for claim in found.entries:
        is_meant = claim.debtor == debtor and payment in (b"", claim.payment) and creditor in (b"", claim.creditor)
        taken = min(amount, claim.amount.amount) if is_meant else 0
        amount -= taken
        if taken < claim.amount.amount:
            kept.append(replace(claim, amount=Money(claim.amount.amount - taken, claim.amount.currency)))
    _write(ledger, order, found.vin, tuple(kept))


def _same(claim: Claim) -> tuple[bytes, bytes, str]:
    return claim.payment, claim.debtor, claim.cause


def _write(ledger: Ledger, order: bytes, vin: Vin, entries: tuple[Claim, ...]) -> None:
    """Write the claims of an order, and how many each debtor owes on the car."""
    change = Counter(claim.debtor for claim in entries)
    change.subtract(claim.debtor for claim in claims_of(ledger, order))
    ledger.put(ORDER_CLAIMS, order, OrderClaims(vin, entries) if entries else None)
    for debtor in sorted(change):
        if change[debtor]:
            key = debtor_key(vin, debtor)
            before = ledger.get(DEBTOR, key)
            count = (before.claims if before is not None else 0) + change[debtor]
            ledger.put(DEBTOR, key, Debtor(count) if count else None)


def debtor_key(vin: str, account: bytes) -> str:
    """The id of a `DEBTOR` value."""
    return f"{vin}-{account.hex()}"
