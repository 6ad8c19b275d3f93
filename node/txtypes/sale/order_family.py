"""The family of orders: the view of one with its payments and accounts, its status now, indexes and subjects."""

from __future__ import annotations

from typing import Literal

from node.ledger.family import ADDRESS_IDENT, HASH_IDENT, VIN_IDENT, AsOf, Family, Index, Reader, View, extended
from node.ledger.fields import Amount, Id, Money, OptionalTime
from node.ledger.params import CHAIN, PARAMS_ID
from node.limits import TIME_MAX_MS
from node.txtypes.members.member import name_of
from node.txtypes.sale.accounts import Debt, debts_of, final_amount
from node.txtypes.sale.deal import in_money, vins_of_deal
from node.txtypes.sale.listing import LISTING, status_now
from node.txtypes.sale.order import Order, OrderStatus, due_at_ms, is_live, parties_of
from node.txtypes.sale.payments import PAYMENT, Payment, PaymentView, final_of, net_of, payments_of
from node.txtypes.vehicle.vehicle import VEHICLE


def status_of(order: Order, reader: Reader, now_ms: int) -> str:
    """The status as it counts now. `expired`: past its deadline; `fallen`: the listing has moved on without the offer;
    `unwinding`: it ended without title, and there is money to give back; `unwound`: all of it went back."""
    if order.status in ("offered", "countered"):
        if not is_live(order, now_ms):
            return "expired"
        listing = reader.get(LISTING, order.listing)
        if listing is None or listing.version != order.listing_version:
            return "fallen"
        vehicle = reader.get(VEHICLE, order.vin) if order.vin else None
        return order.status if status_now(order.listing, listing, vehicle, now_ms) == "open" else "fallen"
    is_lapsed = order.status == "accepted" and not is_live(order, now_ms)
    if order.status == "cancelled" or is_lapsed:
        if now_ms < order.money_until_ms or debts_of(order, payments_of(reader, order.payments), now_ms, 0):
            return "unwinding"
        return "unwound" if order.money_at_ms else "expired" if is_lapsed else "cancelled"
    if order.status == "withdrawn" and now_ms >= order.return_by_ms and not order.dispute:
        return "completed"
    return order.status


class LegView(View, frozen=True):
    """A part of the price: when it is due, what has come and what is final."""

    due_ms: OptionalTime
    net: Amount
    final: Amount


class OrderView(Order, frozen=True):
    """An order as it counts now, with its payments. `settled`: what has come in money; `final`: what counts for the
    title; `debts`: what the seller has to give back."""

    id: Id = b""
    status: OrderStatus | Literal["expired", "fallen", "unwinding", "unwound"] = "offered"  # type: ignore[assignment]
    seller_name: str = ""
    buyer_name: str = ""
    payments: tuple[PaymentView, ...] = ()  # type: ignore[assignment]
    legs: tuple[LegView, ...] = ()
    settled: Money = Money(0, "EUR")
    final: Money = Money(0, "EUR")
    is_paid: bool = False
    debts: tuple[Debt, ...] = ()

    @staticmethod
    def of(ident: str, order: Order, reader: Reader, as_of: AsOf) -> OrderView:
        params = reader.get(CHAIN, PARAMS_ID)
        assert params is not None, "a state has chain parameters"
        found = [(payment, reader.get(PAYMENT, payment)) for payment in order.payments]
        given = [(ident, payment) for ident, payment in found if payment is not None]
        payments = [payment for _, payment in given]
        now, currency = as_of.now_ms, order.price.currency
        final = final_amount(order, payments, now)
        return extended(
            OrderView, order, id=bytes.fromhex(ident), status=status_of(order, reader, now),
            seller_name=name_of(reader, order.seller), buyer_name=name_of(reader, order.buyer),
            payments=tuple(PaymentView.of(p.hex(), value, reader, as_of) for p, value in given),
            legs=tuple(_leg_view(order, place, payments, now) for place in range(len(order.terms.legs))),
            settled=Money(max(0, order.net), currency), final=Money(max(0, final), currency),
            is_paid=final >= in_money(order.terms), debts=debts_of(order, payments, now, params.refund_ms),
        )  # fmt: skip


def _leg_view(order: Order, place: int, payments: list[Payment], now_ms: int) -> LegView:
    own, due = [payment for payment in payments if payment.leg == place], due_at_ms(order, place)
    final = sum(final_of(payment, now_ms) for payment in own)
    return LegView(due if due < TIME_MAX_MS else 0, sum(map(net_of, own)), final)


ORDER = Family(
    "order", Order, ident=HASH_IDENT,
    indexes=(
        Index("vin", lambda order: vins_of_deal(order.vin, order.terms), VIN_IDENT,
              description="VIN of a car of the deal"),
        Index("party", lambda order: sorted({a.hex() for a in parties_of(order)}), ADDRESS_IDENT,
              description="seller, agent, buyer or lender"),
    ),
    concerns=lambda ident, order: (
        f"order/{ident}", *(f"vehicle/{vin}" for vin in vins_of_deal(order.vin, order.terms)),
        *(f"account/{account.hex()}" for account in parties_of(order)),
    ),
    event="order", is_checked=True, status=lambda order: order.status, path="/v1/orders", view=OrderView,
    internal=("id", "payments", "deliveries", "disclosure_root", "title_record"),
)  # fmt: skip
