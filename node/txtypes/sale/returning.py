"""How a car that was handed over comes back: the buyer withdraws from a distance contract, or both agree."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from msgspec.structs import replace

from node import limits
from node.ledger.example import Example
from node.ledger.family import Reader
from node.ledger.fields import Amount, Hash32, Odometer, Time
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.rules.deals import DEDUCTION_PER_MILLE, RETURN_MS
from node.txtypes.sale.acting import check_acting
from node.txtypes.sale.deal import traded_in
from node.txtypes.sale.handover import check_distance, standing_of
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_body import ORDER_DISPUTED, OrderBody, balances, posted, seller_side, write_money
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.conditions import check_flags, check_shown
from node.txtypes.vehicle.guards import (
    MARKET_LIVE,
    NOT_THE_HOLDER,
    check_act_time,
    check_event_time,
    check_off_market,
    require_vehicle,
)
from node.txtypes.vehicle.odometer import add_reading, check_reading, distance_shown, is_verdict_worse, verdict_outcome
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import Market
from node.txtypes.vehicle.stop_flags import flag_of, without_liens
from node.txtypes.vehicle.title import with_title
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of

STEP_METRES: Final = 1_000_000
"""The deduction counts every distance of this length that was begun."""

WITHDRAWAL_OVER = Guard("withdrawal_over", "the time for withdrawing is over, or the contract gives no such right",
                        "die Widerrufsfrist ist vorbei, oder der Vertrag gibt kein solches Recht",
                        "撤回期限已过，或合同无此权利")  # fmt: skip
WITHDRAWAL_EXCLUDED = Guard(
    "withdrawal_excluded",
    "the car was built to the buyer's own specification, which excludes the right",
    "das Fahrzeug wurde nach Vorgaben des Käufers gebaut, was das Recht ausschließt",
    "该车按买方个人规格制造，不享有撤回权",
)
DEDUCTION_HIGH = Guard(
    "deduction_high",
    "more is deducted than the distance driven allows",
    "es wird mehr abgezogen, als die gefahrene Strecke erlaubt",
    "扣除额超过行驶里程所允许的上限",
)
TRADE_IN_GONE = Guard("trade_in_gone", "the car that was taken in payment cannot go back",
                      "das in Zahlung genommene Fahrzeug kann nicht zurückgehen", "置换车辆无法退回")  # fmt: skip


def holder_of(order: Order) -> bytes:
    """Who got the title at the handover."""
    finance = order.terms.finance
    return finance.lender if finance is not None and finance.title_to == "lender" else order.buyer


def is_individual(reader: Reader, order: Order) -> bool:
    """Whether the car was built with something that is made for this buyer ((EU) 2011/83, Article 16 c)."""
    listing = reader.get(LISTING, order.listing)
    options = listing.options if listing is not None else ()
    return any(option.is_individual and option.code in order.options for option in options)


def is_still_sold(order: Order, vehicle: Vehicle) -> bool:
    """Whether the car's title has not moved since the handover of the order, not even to come back."""
    return vehicle.holder == holder_of(order) and vehicle.title_since_ms == order.ended_at_ms


def check_still_sold(ledger: Ledger, order: Order, vehicle: Vehicle) -> None:
    if not is_still_sold(order, vehicle):
        ledger.unmet(NOT_THE_HOLDER, order.vin)


def may_withdraw(reader: Reader, order: Order, now_ms: int) -> bool:
    """Whether the buyer can withdraw from the completed order now."""
    vehicle = reader.get(VEHICLE, order.vin)
    is_left = vehicle is not None and is_still_sold(order, vehicle) and market_of(vehicle, now_ms).status == "off"
    return is_left and now_ms < order.withdraw_until_ms and not is_individual(reader, order)


class OrderWithdraw(OrderBody, tag="order.withdraw", frozen=True):
    """A consumer withdraws from a distance contract, alone and without a reason. The car is to come back within 21
    days; until then it can be sold to nobody."""

    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.buyer)
        if is_individual(ledger, order):
            ledger.unmet(WITHDRAWAL_EXCLUDED, self.order.hex())
        elif ledger.now_ms >= order.withdraw_until_ms:
            ledger.unmet(WITHDRAWAL_OVER, self.order.hex(), time_to_text(order.withdraw_until_ms))
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is not None:
            check_still_sold(ledger, order, vehicle)
            check_off_market(ledger, order.vin, vehicle)

    def apply(self, ledger: Ledger) -> None:
        until = ledger.now_ms + RETURN_MS
        order = self.follow(ledger, ledger.the(ORDER, self.order), return_by_ms=until)
        vehicle = replace(ledger.the(VEHICLE, order.vin), market=Market("returning", b"", self.order, until))
        append_record(ledger, order.vin, vehicle, self, ledger.now_ms)


class OrderReturn(OrderBody, tag="order.return", frozen=True):
    """Seller (or its agent) and buyer sign that the car came back, and a lender too. The title goes back
    to the seller, who keeps the deduction and owes the rest. `trade_in_back`: the car that was taken in payment goes
    back too; otherwise its value is owed in money."""

    reason: Literal["withdrawal", "goodwill", "defect"]
    odometer: Odometer
    event_at_ms: Time
    material_root: Hash32
    deduction: Amount = 0
    trade_in_back: bool = False
    trade_odometer: Odometer | None = None
    trade_material_root: Hash32 | None = None
    protocol: Hash32 | None = None
    """A salted hash of the protocol."""
    weight: ClassVar[int] = 300
    headline: ClassVar[tuple[str, ...]] = ("reason", "odometer", "deduction")
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "order": "$order", "reason": "goodwill", "odometer": {"value": 170, "unit": "km", "source": "cluster"},
        "event_at": "now", "material_root": "$material_root",
    }, ("dealer-munich",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        if order is None:
            return ()
        found = [seller_side(ledger, order), order.buyer]
        if order.terms.finance is not None:
            found.append(order.terms.finance.lender)
        if self.trade_in_back and order.terms.trade_in is not None:
            found.append(order.terms.trade_in.taker)
        return tuple(dict.fromkeys(found))

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        if ledger.sender != order.buyer:
            check_acting(ledger, "return", order, self.order.hex(), is_priced=False)
            if order.dispute and ledger.sender != order.seller:
                ledger.unmet(ORDER_DISPUTED, self.order.hex(), order.dispute.hex())
        vehicle = require_vehicle(ledger, order.vin)
        check_reading(ledger, order.vin, self.odometer)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        since = min(order.ended_at_ms, ledger.now_ms)
        check_act_time(ledger, order.vin, self.event_at_ms, age_max_ms=limits.HANDOVER_AGE_MAX_MS, since_ms=since)
        self._check_deduction(ledger, order)
        if vehicle is not None:
            check_shown(ledger, order.vin, vehicle, self.material_root)
            check_still_sold(ledger, order, vehicle)
            finance = order.terms.finance
            check_flags(ledger, order.vin, vehicle, "transfer", signed_by=(finance.lender,) if finance else ())
            market = market_of(vehicle, ledger.now_ms)
            if market.status not in ("off", "returning") or market.order not in (b"", self.order):
                ledger.unmet(MARKET_LIVE, order.vin, market.status, "off, or on its way back by this order")
            check_distance(ledger, order, order.vin, vehicle, self.odometer, self.event_at_ms)
        self._check_trade_in(ledger, order)

    def _check_deduction(self, ledger: Ledger, order: Order) -> None:
        driven = distance_shown(ledger, order.vin, self.odometer, self.event_at_ms) - order.handed_over_metres
        steps = max(0, -(-driven // STEP_METRES))
        most = order.price.amount * DEDUCTION_PER_MILLE * steps // 1_000
        if self.deduction > most:
            ledger.unmet(DEDUCTION_HIGH, self.order.hex(), self.deduction, f"at most {most}")

    def _check_trade_in(self, ledger: Ledger, order: Order) -> None:
        trade_in = order.terms.trade_in
        if not self.trade_in_back:
            return
        vehicle = ledger.get(VEHICLE, trade_in.vin) if trade_in is not None else None
        if trade_in is None or vehicle is None:
            ledger.unmet(TRADE_IN_GONE, self.order.hex(), need="a car that was taken in payment")
            return
        if vehicle.holder != trade_in.taker or market_of(vehicle, ledger.now_ms).status != "off":
            ledger.unmet(TRADE_IN_GONE, trade_in.vin, need="a car that its taker still has, off the market")
        check_shown(ledger, trade_in.vin, vehicle, self.trade_material_root or b"")
        check_reading(ledger, trade_in.vin, self.trade_odometer)
        check_distance(ledger, order, trade_in.vin, vehicle, self.trade_odometer, self.event_at_ms)
        check_flags(ledger, trade_in.vin, vehicle, "transfer")

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        finance, trade_in = order.terms.finance, order.terms.trade_in
        vehicle = ledger.the(VEHICLE, order.vin)
        liens = (finance.lender,) if finance is not None and _has_lien(ledger, vehicle, finance.lender) else ()
        self._give_back(ledger, order, order.vin, self.odometer, order.seller, liens)
        was = balances(ledger, order)
        if trade_in is not None:
            creditor = order.buyer
            if self.trade_in_back and self.trade_odometer is not None:
                self._give_back(ledger, order, trade_in.vin, self.trade_odometer, order.buyer, ())
                creditor = trade_in.taker
            if creditor != order.seller:  # which gives the car back itself
                order = posted(order, creditor, traded_in(order.terms))
        order = replace(order, status="returned", kept=self.deduction, ended_at_ms=ledger.now_ms)
        write_money(ledger, self.order, order, was)

    def _give_back(
        self, ledger: Ledger, order: Order, vin: str, odometer: Odometer, receiver: bytes, liens: tuple[bytes, ...]
    ) -> None:
        before = ledger.the(VEHICLE, vin)
        standing = standing_of(ledger, order)
        read = add_reading(ledger, vin, before, odometer, self.event_at_ms, standing, is_acknowledged=True)
        vehicle = with_title(ledger, vin, without_liens(ledger, read, liens), receiver)
        is_turned = is_verdict_worse(before, read)
        outcome = (verdict_outcome(vehicle),)
        append_record(ledger, vin, vehicle, self, self.event_at_ms, outcome, is_material=is_turned)


def _has_lien(ledger: Ledger, vehicle: Vehicle, bank: bytes) -> bool:
    return flag_of(vehicle, "lien", ledger.now_ms, bank) is not None
