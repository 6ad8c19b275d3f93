"""Claims that a sale leaves behind: what a party of an order owes its seller, as its account says.

A claim never moves a title. It bars its debtor from dealing in that car until the creditor is satisfied. The claims of
an order are one value; a second value counts for a car and an account what the guards of the next sale ask for.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Literal

from msgspec import Meta

from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Ident, Index, Reader, extended
from node.ledger.fields import Address, Id, Money, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import conduct_of

CLAIMS_MAX: Final = 3
"""An order leaves at most one claim against each of its parties."""

CLAIMS_OPEN = Guard("claims_open", "the account owes money for this very car",
                    "das Konto schuldet Geld für eben dieses Fahrzeug", "该账户尚欠此车款项")  # fmt: skip
REFUND_OVERDUE = Guard("refund_overdue", "the seller owes a refund that is overdue",
                       "der Verkäufer schuldet eine überfällige Erstattung", "卖方有逾期未退的款项",
                       is_permission=True)  # fmt: skip

Cause = Literal["price", "credit", "trade_in"]
"""What is missing: of the buyer's money, also by a decision of arbiters; of a credit; the value of a car in payment."""


class Claim(Value, frozen=True):
    """What the debtor owes the creditor from an order. `vin`: the car that the debtor may not deal in meanwhile.
    `due_ms`: when it is to be paid."""

    vin: Vin
    debtor: Address
    creditor: Address
    amount: Money
    cause: Cause
    due_ms: Time


class OrderClaims(Value, tag=1, frozen=True):
    """The open claims of one order; at most 1 KiB."""

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


def _cars(claims: OrderClaims) -> list[str]:
    return sorted({claim.vin for claim in claims.entries})


ORDER_CLAIMS = Family(
    "order-claims", OrderClaims, ident=HASH_IDENT._replace(param="order"),
    indexes=(
        Index("vin", lambda claims: _cars(claims), VIN_IDENT, description="VIN of the vehicle"),
        Index("party", lambda claims: [account.hex() for account in _parties(claims)], ADDRESS_IDENT,
              description="debtor or creditor of a claim"),
    ),
    concerns=lambda ident, claims: (
        f"order/{ident}", *(f"vehicle/{vin}" for vin in _cars(claims)),
        *(f"account/{account.hex()}" for account in _parties(claims)),
    ),
    event="claims", is_checked=True,
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
    """The open claims of an order that bar their debtors from a car."""
    return tuple(claim for claim in claims_of(reader, order) if claim.vin == vin)


def is_debtor(reader: Reader, account: bytes, vin: str) -> bool:
    """Whether the account owes money for the car."""
    return reader.get(DEBTOR, debtor_key(vin, account)) is not None


def check_owes_nothing(ledger: Ledger, account: bytes, vin: str) -> None:
    """Notes an account that may not part with a car: it owes money for it, or a refund that is overdue."""
    if overdue := conduct_of(ledger, account).refunds_overdue:
        ledger.unmet(REFUND_OVERDUE, to_text(account), f"{overdue} overdue", "none")
    if is_debtor(ledger, account, vin):
        ledger.unmet(CLAIMS_OPEN, vin)


def write_claims(ledger: Ledger, order: bytes, entries: tuple[Claim, ...]) -> None:
    """Write the claims of an order, and how many each debtor owes on each car."""
    before = claims_of(ledger, order)
    if entries == before:
        return
    ledger.put(ORDER_CLAIMS, order, OrderClaims(entries) if entries else None)
    change = Counter((claim.vin, claim.debtor) for claim in entries)
    change.subtract((claim.vin, claim.debtor) for claim in before)
    for vin, debtor in sorted(change):
        if change[vin, debtor]:
            key = debtor_key(vin, debtor)
            known = ledger.get(DEBTOR, key)
            count = (known.claims if known is not None else 0) + change[vin, debtor]
            ledger.put(DEBTOR, key, Debtor(count) if count else None)


def debtor_key(vin: str, account: bytes) -> str:
    """The id of a `DEBTOR` value."""
    return f"{vin}-{account.hex()}"
