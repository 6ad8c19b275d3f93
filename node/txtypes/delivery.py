"""Delivery of a sold car: the window that was agreed and the legs on the way."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.txtypes.fields import Code, Id, Odometer, Time, Value
from node.txtypes.ledger import Family, Ledger
from node.txtypes.members import has_role
from node.txtypes.order import ORDER, Order, OrderBody, require_order
from node.txtypes.vehicle import check_event_time, require_vehicle

Stage = Literal["scheduled", "picked_up", "in_transit", "arrived"]
NEXT_STAGES: dict[str, frozenset[str]] = {
    "": frozenset({"picked_up", "arrived"}),
    "scheduled": frozenset({"picked_up", "arrived"}),
    "picked_up": frozenset({"in_transit", "arrived"}),
    "in_transit": frozenset({"in_transit", "arrived"}),
    "arrived": frozenset(),
}


class DeliveryEntry(Value, tag=1, frozen=True):
    """One event of an order's delivery, under `delivery/<order>-<number>`."""

    order: Id
    stage: Stage
    site: Code
    event_at_ms: Time
    window_from_ms: Time
    window_to_ms: Time
    odometer: Odometer | None


DELIVERY = Family("delivery", DeliveryEntry)


def _guard(ledger: Ledger, ident: bytes) -> Order | None:
    order = require_order(ledger, ident, "accepted")
    if order is None:
        return None
    if ledger.sender != order.seller and not has_role(ledger, ledger.sender, "carrier"):
        ledger.unmet("not_a_party", ident.hex(), need="the seller or a carrier")
    if order.deliveries >= limits.DELIVERIES_PER_ORDER_MAX:
        ledger.unmet("deliveries_full", ident.hex(), order.deliveries, f"below {limits.DELIVERIES_PER_ORDER_MAX}")
    return order


def _add(ledger: Ledger, ident: bytes, entry: DeliveryEntry) -> None:
    order = ledger.get(ORDER, ident)
    assert order is not None, "guarded"
    ledger.put(DELIVERY, f"{ident.hex()}-{order.deliveries}", entry)
    ledger.put(ORDER, ident, replace(order, deliveries=order.deliveries + 1, delivery_stage=entry.stage))


class DeliverySchedule(OrderBody, tag="delivery.schedule", frozen=True):
    """Where and in which window the car is handed over."""

    site: Code
    window_from_ms: Time
    window_to_ms: Time

    def guards(self, ledger: Ledger) -> None:
        order = _guard(ledger, self.order)
        if not ledger.now_ms < self.window_to_ms or self.window_from_ms >= self.window_to_ms:
            ledger.unmet("delivery_window", self.order.hex())
        if order is not None and order.delivery_stage not in ("", "scheduled"):
            ledger.unmet("delivery_order", self.order.hex(), order.delivery_stage, "before pick-up")

    def apply(self, ledger: Ledger) -> None:
        _add(
            ledger,
            self.order,
            DeliveryEntry(
                self.order, "scheduled", self.site, ledger.now_ms, self.window_from_ms, self.window_to_ms, None
            ),
        )


class DeliveryEvent(OrderBody, tag="delivery.event", frozen=True):
    """One leg: picked up, in transit, arrived."""

    stage: Annotated[Literal["picked_up", "in_transit", "arrived"], Meta(description="the leg")]
    site: Code
    event_at_ms: Time
    odometer: Odometer | None
    weight: ClassVar[int] = 110

    def guards(self, ledger: Ledger) -> None:
        order = _guard(ledger, self.order)
        if order is None:
            return
        vehicle = require_vehicle(ledger, order.vin)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        if self.odometer is not None and vehicle is not None and self.odometer.unit != vehicle.odometer_unit:
            ledger.unmet("unit_differs", order.vin, self.odometer.unit, vehicle.odometer_unit)
        if self.stage not in NEXT_STAGES[order.delivery_stage]:
            allowed = ", ".join(sorted(NEXT_STAGES[order.delivery_stage])) or "nothing"
            ledger.unmet("delivery_order", self.order.hex(), f"{order.delivery_stage} to {self.stage}", allowed)

    def apply(self, ledger: Ledger) -> None:
        _add(
            ledger,
            self.order,
            DeliveryEntry(self.order, self.stage, self.site, self.event_at_ms, 0, 0, self.odometer),
        )
