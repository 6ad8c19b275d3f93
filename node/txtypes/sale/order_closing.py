"""How an order ends: cancelled without money, or handed over with both signatures against final money."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec.structs import replace

from node.ledger.body import type_of
from node.ledger.example import Example
from node.ledger.fields import Odometer, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing import TRANSITIONS as LISTING_TRANSITIONS
from node.txtypes.sale.order import ORDER, TRANSITIONS, OrderBody, check_party
from node.txtypes.sale.payments import has_money, settled_amount
from node.txtypes.vehicle.guards import check_event_time, check_flags, check_holder, require_vehicle
from node.txtypes.vehicle.odometer import add_reading, check_reading, verdict_outcome
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.title import with_title
from node.txtypes.vehicle.vehicle import OFF_MARKET, VEHICLE, listed_market, market_of

# fmt: off
ORDER_HAS_MONEY = Guard("order_has_money", "money of this order is under way or settled",
                        "Geld dieses Auftrags ist unterwegs oder eingegangen", "订单已有款项")
PAYMENT_NOT_FINAL = Guard("payment_not_final", "the money is not final for the whole price",
                          "das Geld ist nicht in voller Höhe endgültig", "款项未最终到账")
ORDER_NOT_RESERVING = Guard("order_not_reserving", "the vehicle is not reserved by this order",
                            "das Fahrzeug ist nicht durch diesen Auftrag reserviert", "该订单未预定此车辆")
ACKNOWLEDGEMENT_MISSING = Guard("acknowledgement_missing", "the buyer has not acknowledged what has changed",
                                "der Käufer hat die Änderung nicht bestätigt", "买方未确认变更")
# fmt: on


class OrderCancel(OrderBody, tag="order.cancel", frozen=True):
    """Either party steps back; once accepted, only while no money is under way or settled: it has to go back first."""

    reason: Literal["changed_mind", "financing_failed", "vehicle_changed", "mistake", "other"]
    headline: ClassVar[tuple[str, ...]] = ("reason",)
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "reason": "changed_mind"})

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is None:
            return
        check_party(ledger, self.order, order)
        if has_money(ledger, order.payments):
            ledger.unmet(ORDER_HAS_MONEY, self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order, tag = ledger.the(ORDER, self.order), type_of(self)
        ledger.put(ORDER, self.order, replace(order, status=TRANSITIONS.after(order.status, tag)))
        vehicle = ledger.the(VEHICLE, order.vin)
        if vehicle.market.order != self.order:
            return
        listing = ledger.the(LISTING, order.listing)
        ledger.put(LISTING, order.listing, replace(listing, status=LISTING_TRANSITIONS.after(listing.status, tag)))
        is_listed = ledger.now_ms < listing.expires_at_ms
        market = listed_market(order.listing, listing.expires_at_ms) if is_listed else OFF_MARKET
        append_record(ledger, order.vin, replace(vehicle, market=market), self, ledger.now_ms)


class OrderHandover(OrderBody, tag="order.handover", frozen=True):
    """Seller and buyer sign the handover in one transaction; with final money the same step moves the title."""

    odometer: Odometer | None
    event_at_ms: Time
    weight: ClassVar[int] = 200
    headline: ClassVar[tuple[str, ...]] = ("odometer",)
    EXAMPLE: ClassVar[Example] = Example(
        "dealer-munich",
        {"order": "$order", "odometer": {"value": 160, "unit": "km", "source": "cluster"}, "event_at": "now"},
        ("buyer-1",),
    )

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        return (order.seller, order.buyer) if order is not None else ()

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is None:
            return
        check_party(ledger, self.order, order)
        settled = settled_amount(ledger, order.payments, ledger.rules)
        if settled != order.price.amount:
            ledger.unmet(PAYMENT_NOT_FINAL, self.order.hex(), settled, order.price.amount)
        vehicle = require_vehicle(ledger, order.vin)
        check_reading(ledger, order.vin, self.odometer, vehicle)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        if vehicle is None:
            return
        check_holder(ledger, order.vin, vehicle, order.seller)
        # an odometer that turned illogical after the acceptance blocks until the buyer has acknowledged it
        is_disclosed = order.agreed_verdict == "ILLOGICAL"
        check_flags(ledger, order.vin, vehicle, "handover", is_disclosed=is_disclosed)
        market = market_of(vehicle, ledger.now_ms)
        if market.order != self.order:
            ledger.unmet(ORDER_NOT_RESERVING, order.vin, market.status, "reserved by this order")
        if vehicle.material_changes != order.agreed_changes:
            ledger.unmet(ACKNOWLEDGEMENT_MISSING, self.order.hex(), order.agreed_changes, vehicle.material_changes)

    def apply(self, ledger: Ledger) -> None:
        order, tag = ledger.the(ORDER, self.order), type_of(self)
        listing = ledger.the(LISTING, order.listing)
        assert self.odometer is not None, "guarded"
        vehicle = add_reading(ledger, order.vin, ledger.the(VEHICLE, order.vin), self.odometer, self.event_at_ms)
        outcome = (verdict_outcome(vehicle),)
        existence = "in_service" if vehicle.existence == "born" else vehicle.existence
        vehicle = with_title(ledger, order.vin, replace(vehicle, existence=existence), order.buyer)
        append_record(ledger, order.vin, vehicle, self, self.event_at_ms, outcome)
        status = TRANSITIONS.after(order.status, tag)
        ledger.put(ORDER, self.order, replace(order, status=status, title_record=ledger.txid))
        ledger.put(LISTING, order.listing, replace(listing, status=LISTING_TRANSITIONS.after(listing.status, tag)))
