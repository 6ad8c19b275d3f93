"""Cars that are built to order: `listing.build` offers them, `order.assign_vin` names the car that was built.

Before a car has a VIN, only deposits are paid. The buyer then agrees to the car that was built; from that on the other
parts of the price are due.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta
from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.fields import Amount, Code, Country, Id, Money, Time, Vin
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule, Unique
from node.txtypes.members.accepted_rail import Rails
from node.txtypes.members.mandate import MANDATE
from node.txtypes.members.member import ROLE_MISSING, has_role
from node.txtypes.sale.acting import check_acting, check_standing
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.listing import LISTING, BuildOption, Listing, PricePoint, check_expiry
from node.txtypes.sale.listing_types import Contracts, check_rails
from node.txtypes.sale.negotiation import NO_ROOT
from node.txtypes.sale.order import Order
from node.txtypes.sale.order_body import OrderBody, check_reservable, freed, reserving
from node.txtypes.sale.order_family import ORDER
from node.txtypes.vehicle.guards import check_holder, check_off_market, require_vehicle
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE

BUILD_DIFFERS = Guard(
    "build_differs",
    "the car is not the one that was ordered: its model or equipment differs, or it was sold before",
    "das Fahrzeug ist nicht das bestellte: Modell oder Ausstattung weichen ab, oder es war schon verkauft",
    "该车并非所订车辆：车型或配置不符，或已售出过",
)


class ListingBuild(TransactionBody, tag="listing.build", frozen=True):
    """A manufacturer, or its agent under a mandate, offers cars of a model that it builds to order. What `options` cost
    is added to the price."""

    model: Code
    price: Money
    tax: Tax
    country: Country
    options: Annotated[tuple[BuildOption, ...], Meta(max_length=16)]
    capacity: Annotated[int, Meta(ge=1, le=10_000)]
    rails: Rails
    contracts: Contracts
    expires_at_ms: Time
    offer_floor: Amount = 0
    mandate: Id | None = None
    static_rules: ClassVar[tuple[StaticRule, ...]] = (
        AmountAboveZero("price"), Unique("rails", by="rail"), Unique("contracts"), Unique("options", by="code"),
    )  # fmt: skip
    weight: ClassVar[int] = 150
    headline: ClassVar[tuple[str, ...]] = ("model", "price", "country", "capacity")
    EXAMPLE: ClassVar[Example] = Example("bmw", {
        "model": "330I", "price": {"amount": "5290000", "currency": "EUR"},
        "tax": {"scheme": "standard", "rate_permille": 190, "amount": 844_622}, "country": "DE",
        "options": [{"code": "S205A", "price": 220_000, "is_individual": False}], "capacity": 100,
        "rails": [{"rail": "bank_transfer", "providers": ["payment-provider-1"]}],
        "contracts": ["on_premises", "distance", "business"], "expires_at": "+90d",
    })  # fmt: skip

    def _listing(self, ledger: Ledger) -> Listing:
        mandate = ledger.get(MANDATE, self.mandate) if self.mandate is not None else None
        seller = mandate.principal if mandate is not None else ledger.sender
        agent = ledger.sender if self.mandate is not None else None
        return Listing(
            "", self.model, self.options, self.capacity, 0, seller, agent, self.mandate, self.price, self.tax,
            self.country, (), self.rails, self.contracts, self.offer_floor, self.expires_at_ms, 1, "open",
            (PricePoint(1, self.price, ledger.now_ms),), (),
        )  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        listing = self._listing(ledger)
        check_acting(ledger, "list", listing, self.model, rails=self.rails)
        if not has_role(ledger, listing.seller, "manufacturer"):
            ledger.unmet(ROLE_MISSING, self.model, need="manufacturer")
        check_rails(ledger, listing)
        check_expiry(ledger, self.model, self.expires_at_ms, ledger.params.listing_lifetime_max_ms)
        check_standing(ledger, listing.seller, "")

    def apply(self, ledger: Ledger) -> None:
        ledger.put(LISTING, ledger.txid, self._listing(ledger))


class OrderAssignVin(OrderBody, tag="order.assign_vin", frozen=True):
    """The seller, or its agent, names the car that was built for an order, and may name another one until the handover.
    The car is reserved. The buyer has to agree to it with `order.acknowledge`."""

    vin: Vin
    weight: ClassVar[int] = 150
    EXAMPLE: ClassVar[Example] = Example("bmw", {"order": "$order", "vin": "WBA8E9G50GNU12345"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        check_acting(ledger, "list", order, self.order.hex(), is_priced=False)
        listing, vehicle = ledger.the(LISTING, order.listing), require_vehicle(ledger, self.vin)
        if listing.vin:
            ledger.unmet(BUILD_DIFFERS, self.vin, need="an order of a car that is built to order")
        if vehicle is None:
            return
        check_holder(ledger, self.vin, vehicle, order.seller)
        check_off_market(ledger, self.vin, vehicle)
        check_reservable(ledger, self.vin, vehicle)
        missing = sorted(set(order.options) - set(vehicle.configuration))
        is_new = vehicle.existence == "born" and not vehicle.transfer_count
        if vehicle.model != listing.model or missing or not is_new:
            have = " ".join((vehicle.model, *vehicle.configuration))
            ledger.unmet(BUILD_DIFFERS, self.vin, have, " ".join((listing.model, *order.options)))

    def apply(self, ledger: Ledger) -> None:
        before = ledger.the(ORDER, self.order)
        if before.vin:
            append_record(ledger, before.vin, freed(ledger, self.order, before, before.vin), self, ledger.now_ms)
        order = self.follow(
            ledger,
            before,
            vin=self.vin,
            agreed_root=NO_ROOT,
            agreed_verdict="NO_VERDICT",
            agreed_metres=0,
            due_from_ms=0,
            is_window_confirmed=False,
        )
        vehicle = replace(ledger.the(VEHICLE, self.vin), market=reserving(ledger, self.order, order, self.vin))
        append_record(ledger, self.vin, vehicle, self, ledger.now_ms)
