"""`claim.release`: a creditor is satisfied."""

from __future__ import annotations

from typing import ClassVar

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Address, Id, Money
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule
from node.txtypes.sale.accounts import account_of, credited
from node.txtypes.sale.order import Order, is_open
from node.txtypes.sale.order_body import balances, owed_to, posted, write_order
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import payments_of

CLAIM_ABSENT = Guard("claim_absent", "the sender has no such claim of this order, or a smaller one",
                     "der Absender hat keine solche Forderung aus diesem Auftrag, oder eine kleinere",
                     "发送方在该订单中没有此债权，或债权金额较小", is_permission=True)  # fmt: skip


class ClaimRelease(TransactionBody, tag="claim.release", frozen=True):
    """Who is owed money of an order releases an amount of it: it was paid, or the creditor gives it up. The seller
    releases what a party owes it, a party what the seller owes."""

    order: Id
    debtor: Address
    amount: Money
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    headline: ClassVar[tuple[str, ...]] = ("debtor", "amount")
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "debtor": "buyer-1",
        "amount": {"amount": "5290000", "currency": "EUR"},
    })  # fmt: skip

    def _party(self, ledger: Ledger, order: Order) -> bytes:
        """Whose account with the seller it is."""
        return self.debtor if ledger.sender == order.seller else ledger.sender

    def guards(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        most = self._most(ledger, order) if order is not None else 0
        currency = order.price.currency if order is not None else self.amount.currency
        if self.amount.amount > most or self.amount.currency != currency:
            ledger.unmet(CLAIM_ABSENT, self.order.hex(), f"{most} {currency}", f"{self.amount.amount}")

    def _most(self, ledger: Ledger, order: Order) -> int:
        """What a provider has been told to refund is not released: `payment.confirm_refund` says that it came."""
        if order.seller not in (ledger.sender, self.debtor):
            return 0
        party = self._party(ledger, order)
        if self.debtor == order.seller:
            return owed_to(ledger, order, party)
        owed = max(0, -balances(ledger, order).get(party, 0))
        if not is_open(order, ledger.now_ms):
            return owed
        short = -credited(order, payments_of(ledger, order.payments))  # a price that was paid is no debt, but stays due
        return max(owed, min(short, -account_of(order, party).posted))

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        was, amount = balances(ledger, order), self.amount.amount
        is_sellers = self.debtor == order.seller
        after = posted(order, self._party(ledger, order), -amount if is_sellers else amount, is_release=is_sellers)
        write_order(ledger, self.order, after, was)
