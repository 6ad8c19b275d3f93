"""How an order ends without title: cancellation for a reason that state proves, and the claim of an overdue refund."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from node.crypto.addresses import to_text
from node.ledger.body import type_of
from node.ledger.example import Example
from node.ledger.fields import Amount, CancelCause
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.rules.deals import CURE_MS, DEFAULT_GRACE_MS, LOST_FLAGS
from node.txtypes.members.conduct import count, count_refund
from node.txtypes.sale.accounts import account_of, credited, is_paid_in_full, own_money, paid_in_all
from node.txtypes.sale.deal import CLAIM_LEG, vins_of_deal
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order import Order, due_at_ms, is_live, reserved_until_ms
from node.txtypes.sale.order_body import ORDER_EXPIRED, OrderBody, count_ordered, debts_now, freed, step_listing
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import Payment, is_under_way, net_of, payments_of
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import Market, flags_at
from node.txtypes.vehicle.vehicle import VEHICLE, existence_now, material_root

CANCEL_REASON = Guard("cancel_reason", "state does not bear out this reason for the sender",
                      "der Zustand belegt diesen Grund für den Absender nicht", "链上状态不支持该取消理由")  # fmt: skip
KEPT_EXCEEDS = Guard(
    "kept_exceeds",
    "more would be kept than both agreed on or than has come",
    "es würde mehr einbehalten als vereinbart oder als gekommen ist",
    "留款超过约定或已收金额",
)
REFUND_NOT_DUE = Guard("refund_not_due", "no refund to this account is overdue, or it was claimed already",
                       "keine Erstattung an dieses Konto ist überfällig, oder sie wurde schon angemahnt",
                       "对该账户没有逾期退款，或已催告")  # fmt: skip


class OrderCancel(OrderBody, tag="order.cancel", frozen=True):
    """End an order. An offer that is not accepted its maker can take back. An accepted order ends for a reason that
    state proves; a seller without one defaults, which everybody sees. `kept`: what both agree that the seller keeps,
    with the reason `mutual` only. What has come beyond is a debt to give back."""

    reason: CancelCause
    kept: Amount = 0
    is_for_ended: ClassVar[bool] = True
    weight: ClassVar[int] = 150
    headline: ClassVar[tuple[str, ...]] = ("reason",)
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "reason": "changed_mind"})

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        return (order.seller, order.buyer) if order is not None and self.reason == "mutual" else ()

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.seller, order.buyer)
        if not is_live(order, ledger.now_ms):
            self._check_lapsed(ledger, order)
            return
        if order.status != "accepted":
            if self.kept or (self.reason != "changed_mind" and self.reason != "mutual"):
                ledger.unmet(CANCEL_REASON, self.order.hex(), self.reason, "changed_mind: nothing is agreed on yet")
            return
        most = own_money(order, payments_of(ledger, order.payments)) if self.reason == "mutual" else 0
        if self.kept > most:  # the lender's money is not theirs to share
            ledger.unmet(KEPT_EXCEEDS, self.order.hex(), self.kept, f"at most {most}")
        if need := self._missing(ledger, order):
            ledger.unmet(CANCEL_REASON, self.order.hex(), self.reason, need)

    def _check_lapsed(self, ledger: Ledger, order: Order) -> None:
        """Notes an order whose time is over, unless a car that is built to order was to come of it: then its place
        among those is given back."""
        is_built = order.status == "accepted" and not ledger.the(LISTING, order.listing).vin
        if not is_built or self.reason != "time_over" or self.kept:
            end = reserved_until_ms(order) if order.status == "accepted" else order.expires_at_ms
            ledger.unmet(ORDER_EXPIRED, self.order.hex(), time_to_text(end), f"after {time_to_text(ledger.now_ms)}")

    def _missing(self, ledger: Ledger, order: Order) -> str:
        """What state would have to show for the reason, or empty."""
        is_buyer, payments = ledger.sender == order.buyer, payments_of(ledger, order.payments)
        match self.reason:
            case "mutual":
                return ""
            case "changed_mind":
                return "" if is_buyer else "the buyer"
            case "seller_default":
                return "the seller" if is_buyer else ""
            case "buyer_default":
                if is_buyer or order.dispute:
                    return "the seller, and no open dispute"
                return _default_missing(order, payments, ledger.now_ms)
            case "late_delivery":
                paused = order.paused_ms + order.pausing_ms
                is_late = order.accepted_at_ms < order.terms.deliver_by_ms < ledger.now_ms - paused
                return "" if is_buyer and is_late else "the buyer, after the agreed time of delivery"
            case "vehicle_changed":
                return (
                    "" if is_buyer and has_changed(ledger, order) else "the buyer, after a change that it did not sign"
                )
            case "vehicle_lost":
                return "" if is_lost(ledger, order) else "a car that is lost, scrapped, stolen or held"
            case "financing_failed":
                return "" if is_buyer and _is_credit_refused(order, payments, ledger.now_ms) else "a credit that failed"
            case "refused":
                is_over = 0 < order.refused_at_ms < ledger.now_ms - CURE_MS
                return "" if is_buyer and is_over else "the buyer, two weeks after it has refused the car"
            case "time_over":
                return _time_missing(order, payments, ledger.now_ms, is_buyer=is_buyer)
            case _:
                return "another reason"

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        if not is_live(order, ledger.now_ms):  # its cars are free already
            count_ordered(ledger, order, -1)
            self.follow(ledger, order, cause=self.reason, ended_at_ms=reserved_until_ms(order))
            return
        was_accepted, is_default = order.status == "accepted", self.reason == "seller_default"
        kept = self.kept
        if was_accepted and self.reason != "mutual":
            kept = fee_of(order, payments_of(ledger, order.payments), self.reason)
        self.follow(ledger, order, cause=self.reason, kept=kept, ended_at_ms=ledger.now_ms, turn="")
        if not was_accepted:
            return
        count_ordered(ledger, order, -1)
        is_reserving = bool(order.vin) and ledger.the(VEHICLE, order.vin).market.order == self.order
        cars = {vin: freed(ledger, self.order, order, vin) for vin in vins_of_deal(order.vin, order.terms)}
        if is_default:
            count(ledger, order.seller, "defaulted")
        elif is_reserving:
            step_listing(ledger, order, type_of(self))
        for vin, vehicle in cars.items():
            if is_default and is_reserving and vin == order.vin:
                until = ledger.now_ms + ledger.params.relist_lock_ms
                vehicle = replace(vehicle, market=Market("off", b"", self.order, 0, locked_until_ms=until))
            append_record(ledger, vin, vehicle, self, ledger.now_ms)


def fee_of(order: Order, payments: list[Payment], reason: str) -> int:
    """What the seller keeps: the agreed fee if the buyer changes its mind or does not pay. A consumer pays none for
    leaving a distance contract; and a provider that is silent about a payment earns the seller nothing."""
    is_silent = any(payment.declared_at_ms and not payment.sequence for payment in payments)
    match reason:
        case "changed_mind":
            return 0 if order.terms.contract == "distance" else order.terms.cancel_fee
        case "buyer_default":
            return 0 if is_silent else order.terms.cancel_fee
    return 0


def _default_missing(order: Order, payments: list[Payment], now_ms: int) -> str:
    """The buyer is in default for what is due of it by now, whichever parts it has paid with; a credit is its lender's
    to pay once its payment is begun. Where money did not come or was taken back, it has as long again."""
    is_begun = any(payment.rail == "finance" and not payment.is_closed for payment in payments)
    due = sum(
        leg.amount for place, leg in enumerate(order.terms.legs)
        if leg.kind != "trade_in" and not (leg.kind == "finance" and is_begun)
        and now_ms > max(due_at_ms(order, place), _missed_at_ms(payments, place)) + DEFAULT_GRACE_MS
    )  # fmt: skip
    own = [payment for payment in payments if payment.leg != CLAIM_LEG]
    released = account_of(order, order.buyer).released
    decided = min(0, credited(order, payments) + released)  # what was decided is no part of the price
    paid = paid_in_all(order, payments) - decided
    if paid < due and not any(is_under_way(payment, now_ms) for payment in own):
        return ""
    return "a part of the price that is three days overdue, with no money under way"


def _missed_at_ms(payments: list[Payment], place: int) -> int:
    """When money of a part last failed to come, or was taken back from it; 0 for never."""
    steps = (step for payment in payments if payment.leg == place for step in payment.steps)
    return max((step.at_ms for step in steps if step.kind in ("failed", "returned", "charged_back")), default=0)


def _is_credit_refused(order: Order, payments: list[Payment], now_ms: int) -> bool:
    """Whether the credit that is agreed on now has failed, or is overdue: what failed before a reinstatement, or of
    another lender, says nothing about it."""
    finance = order.terms.finance
    place = next((n for n, leg in enumerate(order.terms.legs) if leg.kind == "finance"), None)
    if place is None or finance is None:
        return False
    own = [payment for payment in payments if payment.leg == place and payment.rail == "finance"]
    if any(net_of(payment) or (payment.authorised and not payment.is_closed) for payment in own):
        return False
    begun = [p for p in own if p.provider == finance.lender and p.initiated_at_ms >= order.accepted_at_ms]
    has_failed = bool(begun) and all(payment.is_closed for payment in begun)
    return has_failed or now_ms > due_at_ms(order, place)


def _time_missing(order: Order, payments: list[Payment], now_ms: int, *, is_buyer: bool) -> str:
    if now_ms < order.until_ms:
        return f"after {time_to_text(order.until_ms)}"
    if not is_buyer and is_paid_in_full(order, payments) and not order.missed_at_ms:
        return "the buyer, since it has paid in full and missed no window that it had confirmed"
    return ""


def has_changed(ledger: Ledger, order: Order) -> bool:
    """Whether the car has a material record that the buyer has neither agreed to nor made. That a car was built for it
    is no change."""
    if not order.vin:
        return False
    vehicle = ledger.the(VEHICLE, order.vin)
    if not any(order.agreed_root) and not vehicle.material_changes:
        return False
    is_by_another = vehicle.material_author != order.buyer
    return is_by_another and material_root(order.vin, vehicle) != order.agreed_root


def is_lost(ledger: Ledger, order: Order) -> bool:
    if not order.vin:
        return False
    vehicle = ledger.the(VEHICLE, order.vin)
    is_gone = existence_now(vehicle, ledger.now_ms) in ("total_loss", "scrapped", "voided")
    flags = flags_at(vehicle.flags, ledger.now_ms)
    return is_gone or any(flag.name in LOST_FLAGS and flag.is_firm for flag in flags)


class OrderClaimRefund(OrderBody, tag="order.claim_refund", frozen=True):
    """A creditor claims a refund that is overdue, or what the seller owes it by a claim of the order. Until it is paid,
    the seller lists and sells nothing."""

    is_for_ended: ClassVar[bool] = True
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        due = next((debt.due_ms for debt in debts_now(ledger, order) if debt.creditor == ledger.sender), 0)
        is_disputed = bool(order.dispute) and order.issue_with == ledger.sender
        if not due or ledger.now_ms < due or order.is_claimed or is_disputed:
            have = "disputed" if is_disputed else "claimed already" if order.is_claimed else "no debt"
            have = time_to_text(due) if due and have == "no debt" else have
            ledger.unmet(REFUND_NOT_DUE, to_text(ledger.sender), have)

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        count_refund(ledger, order.seller, 1)
        self.follow(ledger, order, is_claimed=True)
