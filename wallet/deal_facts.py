"""What a deal means to those who sign it: its terms as single facts, and what follows from them and from the state of
the order: who gets the titles, what the seller keeps, what goes back.

Amounts within terms are minor units of the price's currency; here they are amounts of money.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.errors import InvalidProof
from node.ledger import kinds
from node.ledger.body import TransactionBody
from node.ledger.family import AsOf, Reader
from node.ledger.fields import Address, Money
from node.ledger.json_form import to_json
from node.ledger.kinds import Kind, fields_of, kind_of
from node.limits import DAY_MS, HOUR_MS
from node.txtypes.disputes.order_dispute import ORDER_DISPUTE
from node.txtypes.disputes.order_dispute_types import OrderDisputeBody, OrderDisputeOpen, OrderResolve
from node.txtypes.members.mandate import MANDATE, MandateGrant
from node.txtypes.payment.giving_back import PaymentConfirmRefund, PaymentRefund
from node.txtypes.payment.initiating import PaymentInitiate, leg_paid
from node.txtypes.sale.accounts import balance_of, creditor_of, debts_of, with_taken
from node.txtypes.sale.building import ListingBuild
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.deal import Terms, in_money, traded_in
from node.txtypes.sale.ending import OrderCancel, fee_of
from node.txtypes.sale.handover import OrderHandover, lent_at_handover
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.negotiation import OrderOffer
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, Payment, payments_of
from node.txtypes.sale.returning import OrderReturn, OrderWithdraw
from wallet.show import value_text

MONEY: Final = kinds.MONEY
TEXT: Final = kinds.Text()
TERMS_FACTS: Final = (*(field.json_name for field in fields_of(Terms)), "trade_in_vin")
"""The names of the facts that terms are shown as."""


class DealFact(NamedTuple):
    """`text`: None where the value's own text says it. `is_proven`: it follows from state, not from the body alone."""

    name: str
    kind: Kind
    value: Any
    text: str | None = None
    is_proven: bool = True


# --- the terms ------------------------------------------------------------------------------------------------
def terms_facts(terms: Terms, label: Callable[[str], str]) -> Iterator[DealFact]:
    """The terms as single facts. `label`: an address as people read it."""
    currency = terms.price.currency

    def money(amount: int) -> str:
        return value_text(to_json(Money(amount, currency)))

    texts: dict[str, str] = {
        "tax": f"{terms.tax.scheme}, {per_mille(terms.tax.rate_permille)}, {money(terms.tax.amount)}",
        "fees": "; ".join(f"{fee.code} {money(fee.amount)}" for fee in terms.fees) or "-",
        "legs": "; ".join(
            f"{place}: {leg.kind} {money(leg.amount)} by {leg.rail}"
            + (f" through {label(to_text(leg.provider))}" if leg.provider is not None else "")
            + (" in escrow" if leg.custody == "escrow" else "")
            + f", {span(leg.due_ms)} after the acceptance"
            for place, leg in enumerate(terms.legs)
        ),
        "reserve_ms": span(terms.reserve_ms),
    }
    for field in fields_of(Terms):
        if field.json_name == "cancel_fee":
            yield DealFact("cancel_fee", MONEY, Money(terms.cancel_fee, currency))
        elif field.json_name in texts:
            yield DealFact(field.json_name, field.kind, getattr(terms, field.name), texts[field.json_name])
        else:
            yield DealFact(field.json_name, field.kind, getattr(terms, field.name))
    yield DealFact("trade_in_vin", TEXT, terms.trade_in.vin if terms.trade_in is not None else "")


def span(duration_ms: int) -> str:
    """`0 days`, `1 day`, `36 hours`, else exact milliseconds."""
    for unit, name in ((DAY_MS, "day"), (HOUR_MS, "hour")):
        if duration_ms % unit == 0:
            return f"{duration_ms // unit} {name}{'' if duration_ms == unit else 's'}"
    return f"{duration_ms} ms"


def per_mille(rate: int) -> str:
    return f"{rate // 10}.{rate % 10} %"


# --- what follows -----------------------------------------------------------------------------------------------
def deal_facts(body: TransactionBody, sender: bytes, reader: Reader, as_of: AsOf) -> Iterator[DealFact]:
    """What a transaction about a deal leads to, as the state is now."""
    if isinstance(body, MandateGrant):
        yield from _mandate_facts(body)
    elif isinstance(body, ListingBuild):
        yield from _build_facts(body, sender, reader)
    elif isinstance(body, OrderDisputeBody):
        yield from _dispute_facts(body, reader)
    elif isinstance(body, PaymentRefund | PaymentConfirmRefund):
        payment = reader.get(PAYMENT, body.payment)
        order = reader.get(ORDER, payment.order) if payment is not None else None
        if payment is not None and order is not None:
            yield DealFact("creditor", kind_of(Address), creditor_of(order, payment))
    elif isinstance(body, OrderOffer):
        listing = reader.get(LISTING, body.listing)
        if listing is not None:
            yield from _deal(body.terms, sender, is_proven=False)
            yield _commission(listing.mandate, body.terms.price, reader)
    elif order_id := getattr(body, "order", b""):
        order = reader.get(ORDER, order_id)
        if order is not None:
            yield from _order_facts(body, order, reader, as_of)
    if isinstance(body, ClaimRelease):
        order, owed = reader.get(ORDER, body.order), 0
        if order is not None:
            payments, is_sellers = payments_of(reader, order.payments), body.debtor == order.seller
            balance = balance_of(order, payments, sender if is_sellers else body.debtor, as_of.now_ms)
            owed = balance if is_sellers else -balance
        yield DealFact("remains", MONEY, Money(max(0, owed - body.amount.amount), body.amount.currency))


def _deal(terms: Terms, buyer: bytes, *, is_proven: bool) -> Iterator[DealFact]:
    finance, currency = terms.finance, terms.price.currency
    receiver = finance.lender if finance is not None and finance.title_to == "lender" else buyer
    yield DealFact("title_to", kind_of(Address), receiver, is_proven=is_proven)
    kept = 0 if terms.contract == "distance" else terms.cancel_fee
    yield DealFact("kept_if_buyer_leaves", MONEY, Money(kept, currency), is_proven=is_proven)
    yield DealFact("in_money", MONEY, Money(in_money(terms), currency), is_proven=is_proven)


def _commission(mandate_id: bytes | None, price: Money, reader: Reader) -> DealFact:
    """What the seller's agent earns of the price, none without an agent."""
    mandate = reader.get(MANDATE, mandate_id) if mandate_id is not None else None
    sale = mandate.sale if mandate is not None else None
    earned = None
    if sale is not None:
        earned = Money(price.amount * sale.commission_permille // 1_000 + sale.commission_fixed, price.currency)
    return DealFact("commission", kinds.OptionOf(MONEY), earned)


def _order_facts(body: TransactionBody, order: Order, reader: Reader, as_of: AsOf) -> Iterator[DealFact]:
    terms: Terms = getattr(body, "terms", order.terms)
    currency = terms.price.currency
    yield from _deal(terms, order.buyer, is_proven=terms is order.terms)
    yield _commission(order.mandate, terms.price, reader)
    match body:
        case OrderCancel():
            payments, is_deal = payments_of(reader, order.payments), order.status == "accepted"
            fee = fee_of(order, payments, body.reason) if is_deal else 0
            after = replace(order, status="cancelled", kept=body.kept if body.reason == "mutual" else fee)
            after = with_taken(after, payments)
            back = _owed(after, payments)
            yield DealFact("seller_keeps", MONEY, Money(max(0, order.net - back), currency))
            yield DealFact("goes_back", MONEY, Money(back, currency))
        case OrderHandover():
            payments = payments_of(reader, order.payments)
            lent = lent_at_handover(order, payments, as_of.now_ms, promises=body.promises)
            after = replace(order, status="completed", lent=lent)
            yield DealFact("goes_back", MONEY, Money(_owed(after, payments), currency))
        case OrderWithdraw():
            after = replace(order, status="returned", kept=0)
            yield DealFact("goes_back", MONEY, Money(_owed(after, payments_of(reader, order.payments)), currency))
        case OrderReturn():
            after = replace(order, status="returned", kept=body.deduction)
            yield DealFact("deducted", MONEY, Money(body.deduction, currency), is_proven=False)
            yield DealFact("goes_back", MONEY, Money(_owed(after, payments_of(reader, order.payments)), currency))
            yield DealFact("trade_in_owed", MONEY, Money(0 if body.trade_in_back else traded_in(terms), currency))
        case OrderDisputeOpen():
            yield DealFact("asks_for", MONEY, Money(body.ask, currency), is_proven=False)
        case PaymentInitiate():
            leg = leg_paid(reader, order, body, as_of)
            if leg is None or leg.provider is None:
                raise InvalidProof(
                    f"it is proven that the order has no part {body.leg} that is paid in money: compare it"
                )
            yield DealFact("provider", kind_of(Address), leg.provider)
            yield DealFact("rail", TEXT, leg.rail)


def _dispute_facts(body: OrderDisputeBody, reader: Reader) -> Iterator[DealFact]:
    """What is asked for, and what an arbiter votes for."""
    dispute = reader.get(ORDER_DISPUTE, body.dispute)
    order = reader.get(ORDER, dispute.order) if dispute is not None else None
    if dispute is not None and order is not None:
        currency = order.price.currency
        yield DealFact("asks_for", MONEY, Money(dispute.ask, currency))
        if isinstance(body, OrderResolve):
            yield DealFact("decided", MONEY, Money(body.decision.amount, currency), is_proven=False)


def _build_facts(body: ListingBuild, sender: bytes, reader: Reader) -> Iterator[DealFact]:
    mandate = reader.get(MANDATE, body.mandate) if body.mandate is not None else None
    currency = body.price.currency
    yield DealFact("seller", kind_of(Address), mandate.principal if mandate is not None else sender)
    priced = (
        f"{option.code} {value_text(to_json(Money(option.price, currency)))}"
        + (" (individual)" if option.is_individual else "")
        for option in body.options
    )
    yield DealFact("equipment", TEXT, "; ".join(priced), is_proven=False)
    yield DealFact("floor", MONEY, Money(body.offer_floor, currency), is_proven=False)


def _owed(order: Order, payments: list[Payment]) -> int:
    """Minor units that the seller owes of an order that has ended, by the chain's own rule."""
    return sum(debt.amount.amount for debt in debts_of(order, payments, 0, 0))


def _mandate_facts(body: MandateGrant) -> Iterator[DealFact]:
    sale = body.sale
    if sale is not None:
        currency = sale.floor.currency
        yield DealFact("floor", MONEY, sale.floor, is_proven=False)
        yield DealFact("trade_in_max", MONEY, Money(sale.trade_in_max, currency), is_proven=False)
        fixed = value_text(to_json(Money(sale.commission_fixed, currency)))
        yield DealFact(
            "commission", TEXT, f"{per_mille(sale.commission_permille)} of the price and {fixed}", is_proven=False
        )
