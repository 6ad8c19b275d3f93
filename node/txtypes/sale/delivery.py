"""Delivery of a sold car: the agreed window and the legs on the way."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.ledger.example import Example
from node.ledger.family import AsOf, Family, Ident, Reader, View, extended
from node.ledger.fields import Id, Odometer, OptionalSite, OptionalTime, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.member import active_member, has_role, site_of
from node.txtypes.sale.listing import NOT_A_PARTY
from node.txtypes.sale.order import ORDER, Order, OrderBody, Stage
from node.txtypes.vehicle.guards import SITE_UNKNOWN, check_event_time, require_vehicle
from node.txtypes.vehicle.odometer import (
    ACCREDITED,
    Standing,
    add_reading,
    check_reading,
    is_verdict_worse,
    verdict_outcome,
)
from node.txtypes.vehicle.readings import NO_READINGS, ODOMETER, activity_of
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.report import check_number
from node.txtypes.vehicle.vehicle import VEHICLE

NEXT_STAGES: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"scheduled", "picked_up", "arrived"}),
    "scheduled": frozenset({"scheduled", "picked_up", "arrived"}),
    "picked_up": frozenset({"in_transit", "arrived"}),
    "in_transit": frozenset({"in_transit", "arrived"}),
    "arrived": frozenset(),
}
"""Stage of an order's delivery to the stages that may follow."""

DELIVERIES_FULL = Guard("deliveries_full", "the order has too many delivery events",
                        "der Auftrag hat zu viele Lieferereignisse", "交付记录过多")  # fmt: skip
DELIVERY_ORDER = Guard("delivery_order", "the delivery steps are out of order",
                       "die Lieferschritte sind nicht in Reihenfolge", "交付步骤次序错误")  # fmt: skip
DELIVERY_WINDOW = Guard("delivery_window", "the delivery window is empty or has passed",
                        "das Lieferfenster ist leer oder vorbei", "交付时间窗无效")  # fmt: skip


class DeliveryEntry(Value, tag=1, frozen=True):
    """One event of an order's delivery, under `delivery/<order>-<number>`."""

    order: Id
    stage: Stage
    site: OptionalSite
    event_at_ms: OptionalTime
    window_from_ms: OptionalTime
    window_to_ms: OptionalTime
    odometer: Odometer | None


DELIVERY = Family(
    "delivery", DeliveryEntry, ident=Ident("a delivery's id: <order>-<number>", "[0-9a-f]{64}-[0-9]{1,3}"),
    concerns=lambda ident, entry: (f"order/{entry.order.hex()}",), event="delivery", status=lambda entry: entry.stage,
)  # fmt: skip


class DeliveryView(DeliveryEntry, frozen=True):
    """A delivery event with its number within the order, from 0."""

    number: int


class Deliveries(View, frozen=True):
    """The delivery events of an order, in the order in which they were reported."""

    order: Id
    vin: Vin
    stage: Literal[""] | Stage
    deliveries: tuple[DeliveryView, ...]

    @staticmethod
    def of(ident: str, order: Order, reader: Reader, as_of: AsOf) -> Deliveries:
        entries = [reader.get(DELIVERY, f"{ident}-{number}") for number in range(order.deliveries)]
        views = [extended(DeliveryView, entry, number=n) for n, entry in enumerate(entries) if entry is not None]
        return Deliveries(bytes.fromhex(ident), order.vin, order.delivery_stage, tuple(views))


class DeliveryBody(OrderBody, frozen=True):
    """A step of the delivery, by the seller or a carrier."""

    def check_step(self, ledger: Ledger, order: Order, stage: str, site: str) -> None:
        ident = self.order.hex()
        directories = [active_member(ledger, account) for account in (ledger.sender, order.seller, order.buyer)]
        if site and all(site_of(member, site) is None for member in directories):
            ledger.unmet(SITE_UNKNOWN, site)
        if ledger.sender != order.seller and not has_role(ledger, ledger.sender, "carrier"):
            ledger.unmet(NOT_A_PARTY, ident, need="the seller or a carrier")
        if order.deliveries >= limits.DELIVERIES_PER_ORDER_MAX:
            ledger.unmet(DELIVERIES_FULL, ident, order.deliveries, f"below {limits.DELIVERIES_PER_ORDER_MAX}")
        following = NEXT_STAGES[order.delivery_stage]
        if stage not in following:
            need = ", ".join(sorted(following)) or "nothing"
            ledger.unmet(DELIVERY_ORDER, ident, f"{order.delivery_stage} to {stage}", need)

    def _add(self, ledger: Ledger, entry: DeliveryEntry) -> None:
        order = ledger.the(ORDER, self.order)
        ledger.put(DELIVERY, f"{self.order.hex()}-{order.deliveries}", entry)
        ledger.put(ORDER, self.order, replace(order, deliveries=order.deliveries + 1, delivery_stage=entry.stage))


class DeliverySchedule(DeliveryBody, tag="delivery.schedule", frozen=True):
    """Schedule the delivery: the site and the time window of the handover."""

    site: OptionalSite
    window_from_ms: Time
    window_to_ms: Time
    EXAMPLE: ClassVar[Example] = Example(
        "dealer-munich", {"order": "$order", "site": "MUC-1", "window_from": "+7d", "window_to": "+14d"}
    )

    def guards(self, ledger: Ledger) -> None:
        order = self.require_order(ledger)
        if order is not None:
            self.check_step(ledger, order, "scheduled", self.site)
        if max(ledger.now_ms, self.window_from_ms) >= self.window_to_ms:
            ledger.unmet(DELIVERY_WINDOW, self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        window = (self.window_from_ms, self.window_to_ms)
        self._add(ledger, DeliveryEntry(self.order, "scheduled", self.site, ledger.now_ms, *window, None))


class DeliveryEvent(DeliveryBody, tag="delivery.event", frozen=True):
    """One leg: picked up, in transit, arrived."""

    stage: Annotated[Literal["picked_up", "in_transit", "arrived"], Meta(description="the leg")]
    site: OptionalSite
    event_at_ms: Time
    odometer: Odometer | None
    weight: ClassVar[int] = 110
    EXAMPLE: ClassVar[Example] = Example("carrier-1", {
        "order": "$order", "stage": "picked_up", "site": "MUC-1", "event_at": "now", "odometer": None,
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_step(ledger, order, self.stage, self.site)
        vehicle = require_vehicle(ledger, order.vin)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        check_reading(ledger, order.vin, self.odometer, is_optional=True)
        if ledger.sender != order.seller:
            check_not_on_hold(ledger, ledger.sender)
            if self.odometer is not None:
                leaf = ledger.get(ODOMETER, order.vin) or NO_READINGS
                _, unsigned = activity_of(leaf, ledger.sender, ledger.now_ms)
                check_number(ledger, order.vin, leaf, unsigned)

    def apply(self, ledger: Ledger) -> None:
        if self.odometer is not None:
            vin = ledger.the(ORDER, self.order).vin
            before = ledger.the(VEHICLE, vin)
            standing: Standing = "interested" if has_role(ledger, ledger.sender, *ACCREDITED) else "declared"
            vehicle = add_reading(ledger, vin, before, self.odometer, self.event_at_ms, standing)
            is_turned = is_verdict_worse(before, vehicle)
            outcome = (verdict_outcome(vehicle),)
            append_record(ledger, vin, vehicle, self, self.event_at_ms, outcome, is_material=is_turned)
        self._add(ledger, DeliveryEntry(self.order, self.stage, self.site, self.event_at_ms, 0, 0, self.odometer))
