"""`claim.release`: a creditor is satisfied."""

from __future__ import annotations

from typing import ClassVar

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, Id, Money
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule
from node.txtypes.sale.order import ORDER
from node.txtypes.sale.order_body import without_claim
from node.txtypes.vehicle.claims import claims_of, reduce_claims

CLAIM_ABSENT = Guard("claim_absent", "the sender has no such claim of this order, or a smaller one",
                     "der Absender hat keine solche Forderung aus diesem Auftrag, oder eine kleinere",
                     "发送方在该订单中没有此债权，或债权金额较小", is_permission=True)  # fmt: skip


class ClaimRelease(TransactionBody, tag="claim.release", frozen=True):
    """The creditor of an order's claim releases an amount of it: it was paid, or the creditor gives it up."""

    order: Id
    debtor: Address
    amount: Money
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    headline: ClassVar[tuple[str, ...]] = ("debtor", "amount")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "debtor": "buyer-1",
        "amount": {"amount": "5290000", "currency": "EUR"},
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        own = [
            claim.amount for claim in claims_of(ledger, self.order)
            if (claim.debtor, claim.creditor) == (self.debtor, ledger.sender)
        ]  # fmt: skip
        most = sum(amount.amount for amount in own if amount.currency == self.amount.currency)
        if self.amount.amount > most:
            ledger.unmet(CLAIM_ABSENT, self.order.hex(), f"{most} {self.amount.currency}", f"{self.amount.amount}")

    def apply(self, ledger: Ledger) -> None:
        reduce_claims(ledger, self.order, self.amount.amount, debtor=self.debtor, creditor=ledger.sender)
        order = ledger.the(ORDER, self.order)
        if (after := without_claim(ledger, self.order, order)) is not order:
            ledger.put(ORDER, self.order, after)
