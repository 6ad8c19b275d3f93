"""Delivery of a sold car: the agreed window, the legs on the way, and the refusal at the door."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.example import Example
from node.ledger.family import AsOf, Family, Ident, Reader, View, extended
from node.ledger.fields import Address, Attachment, Id, Odometer, OptionalSite, OptionalTime, Time, Vin
from node.ledger.guards import Guard
from node.ledger.json_form import time_to_text
from node.ledger.overlay import Ledger
from node.limits import DAY_MS
from node.txtypes.members.conduct import check_not_on_hold
from node.txtypes.members.member import ROLE_MISSING, Site, active_member, has_role, site_of
from node.txtypes.sale.acting import check_acting, check_mandate
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order import Order, Stage
from node.txtypes.sale.order_body import ORDER_DISPUTED, VIN_MISSING, OrderBody
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.terms import check_rail, countries_of
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
    "scheduled": frozenset({"scheduled", "picked_up", "arrived", "no_show"}),
    "picked_up": frozenset({"in_transit", "arrived", "scheduled"}),
    "in_transit": frozenset({"in_transit", "arrived", "scheduled"}),
    "arrived": frozenset({"scheduled", "no_show"}),
    "no_show": frozenset({"scheduled"}),
}
"""Stage of an order's delivery to the stages that may follow."""
Evidence = Annotated[tuple[Attachment, ...], Meta(max_length=4)]
WINDOW_MAX_MS: Final = 7 * DAY_MS
WINDOW_AHEAD_MAX_MS: Final = 180 * DAY_MS

DELIVERIES_FULL = Guard("deliveries_full", "the order has too many delivery events",
                        "der Auftrag hat zu viele Lieferereignisse", "交付记录过多")  # fmt: skip
DELIVERY_ORDER = Guard("delivery_order", "the delivery steps are out of order",
                       "die Lieferschritte sind nicht in Reihenfolge", "交付步骤次序错误")  # fmt: skip
DELIVERY_WINDOW = Guard("delivery_window", "the delivery window is empty, too long, has passed or was not confirmed",
                        "das Lieferfenster ist leer, zu lang, vorbei oder nicht bestätigt",
                        "交付时间窗无效、过长、已过或未确认")  # fmt: skip


class DeliveryEntry(Value, tag=1, frozen=True):
    """One event of an order's delivery, under `delivery/<order>-<number>`."""

    order: Id
    stage: Stage
    site: OptionalSite
    event_at_ms: OptionalTime
    window_from_ms: OptionalTime
    window_to_ms: OptionalTime
    odometer: Odometer | None
    is_damaged: bool


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
    """A step of the delivery, by seller, agent or the carrier that they have named."""

    def check_step(self, ledger: Ledger, order: Order, stage: str, site: str, carrier: bytes | None) -> None:
        ident = self.order.hex()
        if site and _site(ledger, order, site, carrier) is None:
            ledger.unmet(SITE_UNKNOWN, site)
        if order.deliveries >= limits.DELIVERIES_PER_ORDER_MAX:
            ledger.unmet(DELIVERIES_FULL, ident, order.deliveries, f"below {limits.DELIVERIES_PER_ORDER_MAX}")
        following = NEXT_STAGES[order.delivery_stage]
        if stage not in following:
            need = ", ".join(sorted(following)) or "nothing"
            ledger.unmet(DELIVERY_ORDER, ident, f"{order.delivery_stage} to {stage}", need)

    def add(self, ledger: Ledger, entry: DeliveryEntry, **changed: object) -> None:
        order = ledger.the(ORDER, self.order)
        ledger.put(DELIVERY, f"{self.order.hex()}-{order.deliveries}", entry)
        ledger.put(ORDER, self.order, replace(
            order, deliveries=order.deliveries + 1, delivery_stage=entry.stage, **changed
        ))  # fmt: skip


def _site(ledger: Ledger, order: Order, code: str, carrier: bytes | None) -> Site | None:
    """The place of business of seller, agent or carrier."""
    accounts = (account for account in (order.seller, order.agent, carrier) if account is not None)
    found = (site_of(active_member(ledger, account), code) for account in accounts)
    return next((site for site in found if site is not None), None)


class DeliverySchedule(DeliveryBody, tag="delivery.schedule", frozen=True):
    """Seller or agent names the window of the handover, its site, and the carrier that brings the car. A new schedule
    has to be confirmed anew."""

    site: OptionalSite
    window_from_ms: Time
    window_to_ms: Time
    carrier: Address | None
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "site": "MUC-1", "window_from": "+7d", "window_to": "+14d", "carrier": "carrier-1",
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        check_acting(ledger, "handover", order, self.order.hex(), is_priced=False)
        self.check_step(ledger, order, "scheduled", self.site, self.carrier)
        if order.dispute and self.carrier not in (None, order.carrier):  # who may judge it depends on the carrier
            ledger.unmet(ORDER_DISPUTED, self.order.hex(), order.dispute.hex())
        if self.carrier is not None and not has_role(ledger, self.carrier, "carrier"):
            ledger.unmet(ROLE_MISSING, to_text(self.carrier), need="carrier")
        is_short = ledger.now_ms < self.window_from_ms < self.window_to_ms <= self.window_from_ms + WINDOW_MAX_MS
        if not is_short or self.window_to_ms > ledger.now_ms + WINDOW_AHEAD_MAX_MS:
            ledger.unmet(DELIVERY_WINDOW, self.order.hex())
        site = _site(ledger, order, self.site, self.carrier) if self.site else None
        if site is not None:
            listing = ledger.the(LISTING, order.listing)
            for leg in order.terms.legs:
                countries = (site.country, *countries_of(ledger, listing, leg.provider))
                check_rail(ledger, self.order.hex(), leg.rail, order.price.currency, countries)

    def apply(self, ledger: Ledger) -> None:
        window = (self.window_from_ms, self.window_to_ms)
        entry = DeliveryEntry(self.order, "scheduled", self.site, ledger.now_ms, *window, None, False)
        self.add(ledger, entry, carrier=self.carrier, window_to_ms=self.window_to_ms, is_window_confirmed=False)


class DeliveryConfirm(OrderBody, tag="delivery.confirm", frozen=True):
    """The buyer confirms the window that was scheduled last, by the schedule's number. Only a confirmed window can be
    missed. One who had refused the car agrees that it is brought again."""

    number: Annotated[int, Meta(ge=0, le=limits.DELIVERIES_PER_ORDER_MAX)]
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "number": 0})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.buyer)
        if order.dispute:
            ledger.unmet(ORDER_DISPUTED, self.order.hex(), order.dispute.hex())
        if order.delivery_stage != "scheduled" or self.number != order.deliveries - 1:
            ledger.unmet(DELIVERY_ORDER, self.order.hex(), f"number {order.deliveries - 1}, {order.delivery_stage}")
        if ledger.now_ms >= order.window_to_ms:
            ledger.unmet(DELIVERY_WINDOW, self.order.hex(), time_to_text(order.window_to_ms))

    def apply(self, ledger: Ledger) -> None:
        self.follow(ledger, ledger.the(ORDER, self.order), is_window_confirmed=True, refused_at_ms=0)


class DeliveryEvent(DeliveryBody, tag="delivery.event", frozen=True):
    """One leg of the way: picked up, in transit, arrived; or the buyer missed the window that it had confirmed.
    `is_damaged`: the car has a damage that it did not have before, which the buyer has to know of."""

    stage: Annotated[Literal["picked_up", "in_transit", "arrived", "no_show"], Meta(description="the leg")]
    site: OptionalSite
    event_at_ms: Time
    odometer: Odometer | None
    is_damaged: bool = False
    evidence: Evidence = ()
    weight: ClassVar[int] = 110
    EXAMPLE: ClassVar[Example] = Example("carrier-1", {
        "order": "$order", "stage": "picked_up", "site": "MUC-1", "event_at": "now", "odometer": None,
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.seller, order.agent, order.carrier)
        if ledger.sender == order.agent != order.carrier:
            check_mandate(ledger, "handover", order, is_priced=False)
        self.check_step(ledger, order, self.stage, self.site, order.carrier)
        if not order.vin:
            ledger.unmet(VIN_MISSING, self.order.hex())
            return
        vehicle = require_vehicle(ledger, order.vin)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        earliest = max(order.accepted_at_ms, order.delivery_at_ms)
        if self.event_at_ms < earliest:
            ledger.unmet(
                DELIVERY_ORDER, self.order.hex(), time_to_text(self.event_at_ms), f"at least {time_to_text(earliest)}"
            )
        is_missed = order.is_window_confirmed and ledger.now_ms > order.window_to_ms and not order.refused_at_ms
        if self.stage == "no_show" and not is_missed:  # who refuses the car is there
            ledger.unmet(DELIVERY_WINDOW, self.order.hex(), need="a confirmed window that has passed")
        check_reading(ledger, order.vin, self.odometer, is_optional=True)
        if ledger.sender not in (order.seller, order.agent):
            check_not_on_hold(ledger, ledger.sender)
            if self.odometer is not None:
                leaf = ledger.get(ODOMETER, order.vin) or NO_READINGS
                _, unsigned = activity_of(leaf, ledger.sender, ledger.now_ms)
                check_number(ledger, order.vin, leaf, unsigned)

    def apply(self, ledger: Ledger) -> None:
        vin = ledger.the(ORDER, self.order).vin
        before = vehicle = ledger.the(VEHICLE, vin)
        outcome: tuple[str, ...] = ()
        if self.odometer is not None:
            standing: Standing = "interested" if has_role(ledger, ledger.sender, *ACCREDITED) else "declared"
            vehicle = add_reading(ledger, vin, before, self.odometer, self.event_at_ms, standing)
            outcome = (verdict_outcome(vehicle),)
        is_material = self.is_damaged or is_verdict_worse(before, vehicle)
        append_record(ledger, vin, vehicle, self, self.event_at_ms, outcome, is_material=is_material)
        entry = DeliveryEntry(
            self.order, self.stage, self.site, self.event_at_ms, 0, 0, self.odometer, self.is_damaged
        )  # fmt: skip
        missed = {"missed_at_ms": ledger.now_ms} if self.stage == "no_show" else {}
        self.add(ledger, entry, delivery_at_ms=self.event_at_ms, **missed)


class DeliveryRefuse(OrderBody, tag="delivery.refuse", frozen=True):
    """The buyer refuses the car that has arrived. The seller has 14 days to mend it; then the buyer may end the
    order."""

    reason: Literal["damage", "not_as_described", "documents_missing", "wrong_vehicle"]
    evidence: Evidence = ()
    headline: ClassVar[tuple[str, ...]] = ("reason",)
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "reason": "documents_missing"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.buyer)
        if order.delivery_stage != "arrived" or order.refused_at_ms:
            have = "refused already" if order.refused_at_ms else order.delivery_stage
            ledger.unmet(DELIVERY_ORDER, self.order.hex(), have, "arrived")

    def apply(self, ledger: Ledger) -> None:
        order = self.follow(ledger, ledger.the(ORDER, self.order), refused_at_ms=ledger.now_ms)
        append_record(ledger, order.vin, ledger.the(VEHICLE, order.vin), self, ledger.now_ms)
