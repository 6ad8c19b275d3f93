"""What an order waits for: who can do what, and by when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from node.ledger.family import AsOf, Reader, View
from node.ledger.fields import Address, Id, Money, OptionalTime
from node.ledger.params import CHAIN, PARAMS_ID
from node.limits import TIME_MAX_MS
from node.txtypes.sale.accounts import claim_unpaid, credited, creditor_of, debts_of, final_amount, is_paid_in_full
from node.txtypes.sale.deal import CLAIM_LEG, Leg, in_money
from node.txtypes.sale.order import AGREED_DISTANCE_METRES, Order, due_at_ms, reserved_until_ms
from node.txtypes.sale.order_family import status_of
from node.txtypes.sale.payments import Payment, final_of, is_under_way, net_of, payments_of
from node.txtypes.sale.returning import may_withdraw
from node.txtypes.vehicle.odometer import newest_distance
from node.txtypes.vehicle.vehicle import VEHICLE, material_root

SETTLING: Final = "payment.attest"


class OrderStep(View, frozen=True):
    """A transaction that takes the order on. `by`: who can send it, one of them; `until_ms`: by when, null for no end;
    `from_ms`: from when on, null for now. `leg`: the part of the price that it is about, `amount`: how much of it."""

    type: str
    by: tuple[Address, ...]
    from_ms: OptionalTime = 0
    until_ms: OptionalTime = 0
    leg: int | None = None
    amount: Money | None = None


class OrderNext(View, frozen=True):
    """What an order waits for, the most urgent first."""

    order: Id
    status: str
    steps: tuple[OrderStep, ...]

    @staticmethod
    def of(ident: str, order: Order, reader: Reader, as_of: AsOf) -> OrderNext:
        steps = sorted(_steps(order, reader, as_of.now_ms), key=lambda step: step.until_ms or TIME_MAX_MS)
        return OrderNext(bytes.fromhex(ident), status_of(order, reader, as_of.now_ms), tuple(steps))


def _steps(order: Order, reader: Reader, now_ms: int) -> Iterator[OrderStep]:
    ours = (order.seller,) if order.agent is None else (order.seller, order.agent)
    status = status_of(order, reader, now_ms)
    if status in ("offered", "countered"):
        by = (order.buyer,) if order.turn == "buyer" else ours
        for tag in ("order.accept", "order.counter", "order.reject"):
            yield OrderStep(tag, by, until_ms=order.expires_at_ms)
    elif status == "accepted":
        yield from _of_accepted(order, reader, now_ms, ours)
    elif status == "withdrawn":
        yield OrderStep("order.return", (order.buyer, order.seller), until_ms=order.return_by_ms)
    elif status == "completed" and may_withdraw(reader, order, now_ms):
        yield OrderStep("order.withdraw", (order.buyer,), until_ms=order.withdraw_until_ms)
    elif order.status == "accepted" and not order.vin:  # its place among the cars that are built to order is free again
        yield OrderStep("order.cancel", (order.seller, order.buyer))
    yield from _of_debts(order, reader, now_ms)


def _of_accepted(order: Order, reader: Reader, now_ms: int, ours: tuple[bytes, ...]) -> Iterator[OrderStep]:
    until = reserved_until_ms(order)
    if order.dispute:
        yield OrderStep("order.resolve", (), until_ms=until)
        return
    if not order.vin:
        yield OrderStep("order.assign_vin", ours, until_ms=until)
    elif not _is_agreed(order, reader):
        yield OrderStep("order.acknowledge", (order.buyer,), until_ms=until)
    every = payments_of(reader, order.payments)
    payments = [payment for payment in every if payment.leg != CLAIM_LEG]
    missing = in_money(order.terms) - sum(map(net_of, payments)) - credited(order, every)
    for place, leg in enumerate(order.terms.legs):
        if leg.provider is not None and (order.vin or leg.kind == "deposit"):
            own = [payment for payment in payments if payment.leg == place]
            yield from _of_leg(order, place, own, now_ms, leg, missing)
            missing -= max(0, leg.amount - sum(map(net_of, own)))
    if (owed := claim_unpaid(order, every, now_ms)) > 0:
        amount = Money(owed, order.price.currency)
        yield OrderStep("payment.initiate", (order.buyer,), until_ms=until, leg=CLAIM_LEG, amount=amount)
    if order.vin and final_amount(order, every, now_ms) >= in_money(order.terms):
        yield OrderStep("order.handover", (*ours, order.buyer), until_ms=until)
    elif now_ms >= order.until_ms:
        is_buyers = is_paid_in_full(order, every) and not order.missed_at_ms
        by = (order.buyer,) if is_buyers else (order.seller, order.buyer)
        yield OrderStep("order.cancel", by, until_ms=until)


def _of_leg(order: Order, place: int, own: list[Payment], now_ms: int, leg: Leg, most: int) -> Iterator[OrderStep]:
    """The steps of a part of the price, of which at most `most` is still to be paid: other parts may have had more."""
    assert leg.provider is not None, "a part in money"
    currency, came = order.price.currency, sum(map(net_of, own))
    due = due_at_ms(order, place)
    due = due if due < TIME_MAX_MS else 0
    under_way = sum(p.amount.amount - net_of(p) for p in own if not p.is_closed)
    if under_way > 0 and any(is_under_way(p, now_ms) or not p.is_closed for p in own):
        yield OrderStep(SETTLING, (leg.provider,), until_ms=due, leg=place, amount=Money(under_way, currency))
    if (missing := min(leg.amount - came, most) - under_way) > 0:
        yield OrderStep("payment.initiate", (order.buyer,), until_ms=due, leg=place, amount=Money(missing, currency))
    waits = [p.final_from_ms for p in own if net_of(p) and not final_of(p, now_ms)]
    if waits:
        yield OrderStep("order.handover", (order.seller, order.buyer), from_ms=max(waits), leg=place)


def _of_debts(order: Order, reader: Reader, now_ms: int) -> Iterator[OrderStep]:
    params = reader.get(CHAIN, PARAMS_ID)
    assert params is not None, "a state has chain parameters"
    payments = payments_of(reader, order.payments)
    for debt in debts_of(order, payments, now_ms, params.refund_ms):
        have = sum(net_of(p) for p in payments if creditor_of(order, p) == debt.creditor)
        back = Money(min(have, debt.amount.amount), debt.amount.currency)
        if back.amount:
            yield OrderStep("payment.refund", (order.seller,), until_ms=debt.due_ms, amount=back)
            yield OrderStep("payment.confirm_refund", (debt.creditor,), amount=back)
        if back != debt.amount:  # no payment has it: it goes another way
            rest = Money(debt.amount.amount - back.amount, back.currency)
            yield OrderStep("claim.release", (debt.creditor,), until_ms=debt.due_ms, amount=rest)
        if not order.is_claimed and order.issue_with != debt.creditor:
            yield OrderStep("order.claim_refund", (debt.creditor,), from_ms=debt.due_ms, amount=debt.amount)


def _is_agreed(order: Order, reader: Reader) -> bool:
    """Whether the buyer has agreed to the car as it is, apart from the verdict, which `order.handover` judges."""
    vehicle = reader.get(VEHICLE, order.vin)
    is_near = abs(newest_distance(reader, order.vin) - order.agreed_metres) <= AGREED_DISTANCE_METRES
    return vehicle is not None and is_near and material_root(order.vin, vehicle) == order.agreed_root
