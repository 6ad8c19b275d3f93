"""The provider's side of a payment: it attests each movement of money once, in order.

A reference can be used once: the key in the state is computed here from what the provider names. A charge-back after
the handover never moves title back; it leaves a claim.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Id, Money, OptionalPaymentReason, OptionalTime, Time
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule
from node.limits import DAY_MS, EVENT_AHEAD_MAX_MS
from node.rules.payment_codes import REASONS_OF_RAIL
from node.rules.rails import (
    AUTHORISATION_MAX_MS,
    MONEY_BACK,
    NEEDS_CODE,
    Attestation,
    CardCheck,
)
from node.txtypes.members.member import MEMBER, ROLE_MISSING, Grant, Member, is_fraudulent, status_at
from node.txtypes.payment.counters import after_attestation, most_of
from node.txtypes.payment.references import check_reference, use_reference
from node.txtypes.sale.accounts import creditor_of
from node.txtypes.sale.order import Order, is_open
from node.txtypes.sale.order_body import Balances, balances, owed_to, posted, write_money
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, PAYMENT_UNKNOWN, Payment, Reference, net_of
from node.txtypes.sale.terms import check_currency

REPORTS_BACK_MS = 90 * DAY_MS
"""How long a provider whose role has ended may still report that money went back."""

PAYMENT_TRANSITION = Guard("payment_transition", "the rail or the state of the payment does not allow this step",
                           "der Zahlweg oder der Stand der Zahlung erlaubt diesen Schritt nicht",
                           "支付方式或付款状态不允许此步骤")  # fmt: skip
PAYMENT_AMOUNT = Guard("payment_amount", "the amount is more than this step can have",
                       "der Betrag ist höher, als dieser Schritt haben kann", "金额超过此步骤上限")  # fmt: skip
ATTEST_SEQUENCE = Guard("attest_sequence", "the payment has another number of attestations: look at the newest one",
                        "die Zahlung hat eine andere Zahl von Bestätigungen: die neueste ansehen",
                        "该付款的证明序号不同：请查看最新一条")  # fmt: skip
ATTEST_FORM = Guard(
    "attest_form",
    "this step needs, or does not take, a reason, a validity or a check of the card holder",
    "dieser Schritt braucht einen Grund, eine Gültigkeit oder eine Prüfung des Karteninhabers, oder er hat keine",
    "此步骤需要或不接受原因、有效期或持卡人验证",
)
REFUND_NOT_INSTRUCTED = Guard(
    "refund_not_instructed",
    "the seller has not told the provider to refund so much, and no debt to give back is that high",
    "der Verkäufer hat keine so hohe Erstattung veranlasst, und keine Rückzahlung in dieser Höhe ist geschuldet",
    "卖方未指示如此金额的退款，也没有相应的应退款项",
)
NOT_THE_PROVIDER = Guard("not_the_provider", "the account is not the payment's provider",
                         "das Konto ist nicht der Zahlungsdienst dieser Zahlung", "该账户不是此付款的服务商",
                         is_permission=True)  # fmt: skip


class PaymentAttest(TransactionBody, tag="payment.attest", frozen=True):
    """The provider attests one movement of a payment's money. `sequence` is the number of its attestations so far, so
    no retry attests twice. `executed_at_ms`: when the money moved. `code`: why it failed or went back. `until_ms` and
    `card_check`: of an authorisation."""

    payment: Id
    sequence: int
    kind: Attestation
    amount: Money
    code: OptionalPaymentReason
    reference: Reference | None
    executed_at_ms: Time
    until_ms: OptionalTime = 0
    card_check: Literal[""] | CardCheck = ""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("amount"),)
    weight: ClassVar[int] = 120
    headline: ClassVar[tuple[str, ...]] = ("kind", "amount")
    EXAMPLE: ClassVar[Example] = Example("payment-provider-1", {
        "payment": "$payment", "sequence": 0, "kind": "settled", "amount": {"amount": "5290000", "currency": "EUR"},
        "code": "", "reference": {"entry": "$reference", "uetr": None}, "executed_at": "now",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        payment, subject = ledger.get(PAYMENT, self.payment), self.payment.hex()
        if payment is None:
            ledger.unmet(PAYMENT_UNKNOWN, subject)
            return
        self._check_provider(ledger, payment)
        if self.sequence != payment.sequence:
            last = payment.steps[-1] if payment.steps else None
            have = f"{payment.sequence}, the newest is {last.kind} {last.amount}" if last else str(payment.sequence)
            ledger.unmet(ATTEST_SEQUENCE, subject, have, str(self.sequence))
        check_currency(ledger, subject, self.amount.currency, payment.amount.currency)
        self._check_amount(ledger, payment)
        self._check_form(ledger, payment)
        check_reference(ledger, self.payment, payment, self.kind, self.reference)

    def _check_provider(self, ledger: Ledger, payment: Payment) -> None:
        if ledger.sender != payment.provider:
            ledger.unmet(NOT_THE_PROVIDER, self.payment.hex())
            return
        role = "bank" if payment.rail == "finance" else "payment_provider"
        since = ledger.now_ms - REPORTS_BACK_MS if self.kind in MONEY_BACK else ledger.now_ms
        if not was_role_held(ledger, ledger.sender, role, since) or is_fraudulent(ledger, ledger.sender, ledger.now_ms):
            ledger.unmet(ROLE_MISSING, self.payment.hex(), need=role)

    def _check_amount(self, ledger: Ledger, payment: Payment) -> None:
        most, amount, subject = most_of(payment, self.kind, ledger.now_ms), self.amount.amount, self.payment.hex()
        if not most:
            ledger.unmet(PAYMENT_TRANSITION, subject, self.kind, "another step")
        elif amount > most or (self.kind == "authorised" and payment.rail == "finance" and amount != most):
            ledger.unmet(PAYMENT_AMOUNT, subject, amount, f"at most {most}")
        if self.kind == "refunded":
            order = ledger.the(ORDER, payment.order)
            owed = owed_to(ledger, order, creditor_of(order, payment), besides=self.payment)
            allowed = max(payment.instructed - payment.refunded, owed)
            if amount > allowed:
                ledger.unmet(REFUND_NOT_INSTRUCTED, subject, amount, f"at most {allowed}")

    def _check_form(self, ledger: Ledger, payment: Payment) -> None:
        subject, is_card = self.payment.hex(), payment.rail == "card"
        is_authorisation = self.kind == "authorised"
        if (self.kind in NEEDS_CODE) != bool(self.code) or (
            self.code and self.code not in REASONS_OF_RAIL.get(payment.rail, ())
        ):
            ledger.unmet(
                ATTEST_FORM, subject, self.code, f"a reason of {payment.rail} for {', '.join(sorted(NEEDS_CODE))}"
            )
        if bool(self.card_check) != (is_authorisation and is_card):
            ledger.unmet(ATTEST_FORM, subject, self.card_check, "a check of the card holder for an authorised card")
        latest = ledger.now_ms + AUTHORISATION_MAX_MS
        if is_authorisation and not ledger.now_ms < self.until_ms <= latest:
            ledger.unmet(ATTEST_FORM, subject, time_to_text(self.until_ms), f"at most {time_to_text(latest)}")
        if not is_authorisation and self.until_ms:
            ledger.unmet(ATTEST_FORM, subject, time_to_text(self.until_ms), "no validity")
        if self.executed_at_ms > ledger.now_ms + EVENT_AHEAD_MAX_MS:
            ledger.unmet(ATTEST_FORM, subject, time_to_text(self.executed_at_ms), "a time that is past")

    def apply(self, ledger: Ledger) -> None:
        before = ledger.the(PAYMENT, self.payment)
        payment = after_attestation(
            before, self.kind, self.amount.amount, self.code, ledger.now_ms, until_ms=self.until_ms,
            card_check=self.card_check,
        )  # fmt: skip
        payment = use_reference(ledger, self.payment, payment, self.kind, self.reference)
        order = ledger.the(ORDER, payment.order)
        was = balances(ledger, order)
        ledger.put(PAYMENT, self.payment, payment)
        if self.kind == "refunded" and not is_open(order, ledger.now_ms):
            order = self._given(ledger, order, creditor_of(order, payment), was)
        write_money(ledger, payment.order, order, was, has_come=net_of(payment) > net_of(before))

    def _given(self, ledger: Ledger, order: Order, party: bytes, was: Balances) -> Order:
        """The order after a refund of which more than was owed is a gift: it is not due from the party again."""
        owed = was[party] - min(self.amount.amount, max(0, was[party]))
        return posted(order, party, owed - balances(ledger, order)[party])


def was_role_held(ledger: Ledger, account: bytes, role: str, since_ms: int) -> bool:
    """Whether the account has had the role at some time since."""
    member = ledger.get(MEMBER, account)
    if member is None or not _is_active_since(member, since_ms, ledger.now_ms):
        return False
    return any(
        grant.role == role and _is_active_since(grant, since_ms, ledger.now_ms)
        and grant.starts_at_ms <= ledger.now_ms and (not grant.ends_at_ms or since_ms < grant.ends_at_ms)
        for grant in member.grants
    )  # fmt: skip


def _is_active_since(holder: Member | Grant, since_ms: int, now_ms: int) -> bool:
    """Whether a member or one of its roles was active at some time since."""
    changes = holder.changes
    return status_at(changes, since_ms) == "active" or any(
        change.status == "active" and since_ms < change.at_ms <= now_ms for change in changes
    )
