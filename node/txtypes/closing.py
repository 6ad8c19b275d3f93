"""How an order ends: cancelled without money, or handed over with both signatures against final money."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec.structs import replace

from node.txtypes.fields import Odometer, Time
from node.txtypes.ledger import Ledger
from node.txtypes.listing import LISTING
from node.txtypes.odometer import add_reading, check_reading
from node.txtypes.order import ORDER, OrderBody, check_party, require_order
from node.txtypes.payment import has_money, settled_amount
from node.txtypes.vehicle import (
    OFF_MARKET,
    VEHICLE,
    append_record,
    check_event_time,
    check_flags,
    check_holder,
    listed_market,
    market_of,
    require_vehicle,
)


class OrderCancel(OrderBody, tag="order.cancel", frozen=True):
    """Either party steps back; once accepted, only while no money is under way or settled: it has to go back first."""

    reason: Literal["changed_mind", "financing_failed", "vehicle_changed", "mistake", "other"]

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "offered", "countered", "accepted")
        if order is None:
            return
        check_party(ledger, self.order, order)
        if has_money(ledger, order):
            ledger.unmet("order_has_money", self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None, "guarded"
        ledger.put(ORDER, self.order, replace(order, status="cancelled"))
        vehicle = ledger.get(VEHICLE, order.vin)
        if vehicle is not None and vehicle.market.order == self.order:
            listing = ledger.get(LISTING, order.listing)
            assert listing is not None, "an order has a listing"
            listing = replace(listing, status="open")
            ledger.put(LISTING, order.listing, listing)
            is_listed = ledger.now_ms < listing.expires_at_ms
            market = listed_market(order.listing, listing.expires_at_ms) if is_listed else OFF_MARKET
            vehicle = replace(vehicle, market=market)
            ledger.put(VEHICLE, order.vin, append_record(ledger, order.vin, vehicle, self, ledger.now_ms))


class OrderHandover(OrderBody, tag="order.handover", frozen=True):
    """Seller and buyer sign the handover in one transaction; with final money the same step moves the title."""

    odometer: Odometer | None
    event_at_ms: Time
    weight: ClassVar[int] = 200

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        return (order.seller, order.buyer) if order is not None else ()

    def guards(self, ledger: Ledger) -> None:
        order = require_order(ledger, self.order, "accepted")
        if order is None:
            return
        check_party(ledger, self.order, order)
        settled = settled_amount(ledger, order)
        if settled != order.price.amount:
            ledger.unmet("payment_not_final", self.order.hex(), settled, order.price.amount)
        vehicle = require_vehicle(ledger, order.vin)
        check_reading(ledger, order.vin, vehicle, self.odometer)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        if vehicle is None:
            return
        check_holder(ledger, order.vin, vehicle, order.seller)
        # an odometer that turned illogical after the acceptance blocks until the buyer has acknowledged it
        is_disclosed = order.agreed_verdict == "ILLOGICAL"
        check_flags(ledger, order.vin, vehicle, "handover", is_disclosed=is_disclosed)
        market = market_of(vehicle, ledger.now_ms)
        if market.order != self.order:
            ledger.unmet("order_not_reserving", order.vin, market.status, "reserved by this order")
        if vehicle.material_changes != order.agreed_changes:
            ledger.unmet("acknowledgement_missing", self.order.hex(), order.agreed_changes, vehicle.material_changes)

    def apply(self, ledger: Ledger) -> None:
        order = ledger.get(ORDER, self.order)
        assert order is not None and self.odometer is not None, "guarded"
        vehicle = ledger.get(VEHICLE, order.vin)
        assert vehicle is not None, "guarded"
        vehicle = add_reading(ledger, order.vin, vehicle, self.odometer, self.event_at_ms)
        vehicle = replace(
            vehicle,
            existence="in_service" if vehicle.existence == "born" else vehicle.existence,
            holder=order.buyer,
            title_since_ms=ledger.now_ms,
            transfer_count=vehicle.transfer_count + 1,
            market=OFF_MARKET,
        )
        outcome = (f"verdict:{vehicle.verdict}",)
        ledger.put(VEHICLE, order.vin, append_record(ledger, order.vin, vehicle, self, self.event_at_ms, outcome))
        ledger.put(ORDER, self.order, replace(order, status="completed", title_record=ledger.txid))
        listing = ledger.get(LISTING, order.listing)
        assert listing is not None, "an order has a listing"
        ledger.put(LISTING, order.listing, replace(listing, status="sold"))
