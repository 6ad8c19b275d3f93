"""What payer, provider and seller do next about a payment: the steps of a walk."""

from __future__ import annotations

from random import Random
from typing import Any

from node.chain.dev_genesis import DEV_PARTIES
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.limits import MONEY_MAX
from node.rules.payment_codes import REASONS_OF_RAIL
from node.rules.rails import ATTESTATIONS, CARD_CHECKS, NEEDS_CODE, NEEDS_REFERENCE
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.payment.counters import most_of
from node.txtypes.payment.giving_back import PaymentConfirmRefund, PaymentReassign, PaymentRefund
from node.txtypes.payment.initiating import PaymentDeclare
from node.txtypes.sale.accounts import debts_of
from node.txtypes.sale.deal import in_money
from node.txtypes.sale.order import Order, is_live
from node.txtypes.sale.payments import BANK_RAILS, Payment, Reference, net_of
from support.chain import DAY_MS, Chain, address

State = dict[str, dict[str, Any]]
Step = tuple[str, TransactionBody, tuple[str, ...]]
"""Sender, body, who signs besides."""

NAMES = {address(party.name): party.name for party in DEV_PARTIES}
PROVIDERS = ("payment-provider-1", "bank-1")
REFUND_MS = 14 * DAY_MS


def payments_of(state: State, order: Order) -> list[Payment]:
    return [state["payment"][ident.hex()] for ident in order.payments]


class Paying:
    """`state` is what everybody sees. `used`: the references that providers have named so far."""

    def __init__(self, chance: Random, chain: Chain) -> None:
        self.chance, self.chain = chance, chain
        self.state: State = {}
        self.used: list[Reference] = []

    def urgency(self, payment: Payment) -> float:
        """The weight of the next step of a payment: money that is to come or to go back is soon told of."""
        if not payment.is_closed:
            return 12
        order = self.state["order"][payment.order.hex()]
        is_owed = order.net > order.kept and not is_live(order, self.chain.now) and order.status != "completed"
        if net_of(payment):
            return 8 if order.is_claimed else 3 if is_owed else 0.25
        return 1 if is_live(order, self.chain.now) and payment.rail == "bank_transfer" else 0.05  # a late transfer

    def of_payment(self, ident: bytes, payment: Payment) -> list[Step]:
        chance, now = self.chance, self.chain.now
        order: Order = self.state["order"][payment.order.hex()]
        seller, buyer = NAMES[order.seller], NAMES[order.buyer]
        net, currency = net_of(payment), payment.amount.currency
        found: list[Step] = []
        kinds = [kind for kind in ATTESTATIONS if most_of(payment, kind, now)]
        good = [kind for kind in kinds if kind in ("authorised", "captured", "settled", "pending")]
        if kinds:
            kind = chance.choice(good if good and chance.random() < 0.92 else kinds)
            attest = self._attest(ident, payment, kind, order)
            found += [(NAMES[payment.provider], attest, ())] * 4
        if not payment.sequence and not payment.declared_at_ms:
            found.append((NAMES[payment.payer], PaymentDeclare(ident), ()))
        is_owed = not is_live(order, now) and (order.status != "completed" or order.net > in_money(order.terms))
        if net and (is_owed or chance.random() < 0.02):
            part = Money(chance.choice((net, net, max(1, net // 2), 1)), currency)
            creditor = order.terms.finance.lender if payment.rail == "finance" and order.terms.finance else order.buyer
            found += [
                (seller, PaymentRefund(ident, part), ()),
                (NAMES[creditor], PaymentConfirmRefund(ident, part), ()),
            ]
        if not payment.is_closed and chance.random() < 0.2:
            other = address(chance.choice((*PROVIDERS, "carrier-1")))
            found.append((buyer, PaymentReassign(ident, other), (seller,)))
        return found

    def _attest(self, ident: bytes, payment: Payment, kind: str, order: Order) -> PaymentAttest:
        chance, now = self.chance, self.chain.now
        most = most_of(payment, kind, now)
        if kind == "settled" and payment.rail == "bank_transfer" and chance.random() < 0.9:
            most = max(1, payment.amount.amount - payment.settled)
        if kind == "refunded":
            owed = sum(debt.amount.amount for debt in debts_of(order, payments_of(self.state, order), now, REFUND_MS))
            most = min(most, max(payment.instructed - payment.refunded, owed)) or most
        amount = most if chance.random() < 0.85 or payment.rail == "finance" else chance.choice((1, max(1, most // 2)))
        if chance.random() < 0.01:
            amount = chance.choice((0, MONEY_MAX))
        is_card = payment.rail == "card"
        return PaymentAttest(
            ident, payment.sequence, kind, Money(amount, payment.amount.currency),  # type: ignore[arg-type]
            chance.choice(REASONS_OF_RAIL[payment.rail]) if kind in NEEDS_CODE else "",
            self._reference(payment) if kind in NEEDS_REFERENCE else None, now,
            now + chance.choice((DAY_MS, 20 * DAY_MS)) if kind == "authorised" else 0,
            chance.choice(CARD_CHECKS) if kind == "authorised" and is_card else "",
        )  # fmt: skip

    def _reference(self, payment: Payment) -> Reference:
        """A new one. The UETR of a transfer may be one that another provider has named."""
        chance, known = self.chance, [reference.uetr for reference in self.used[-30:] if reference.uetr]
        number = (len(self.used) + 1).to_bytes(32, "big")
        uetr = None
        if payment.rail in BANK_RAILS and chance.random() < 0.5:
            fresh = bytearray(chance.randbytes(16))
            fresh[6], fresh[8] = 0x40 | fresh[6] & 0x0F, 0x80 | fresh[8] & 0x3F
            uetr = chance.choice(known) if known and chance.random() < 0.2 else bytes(fresh)
        self.used.append(Reference(number, uetr))
        return self.used[-1]
