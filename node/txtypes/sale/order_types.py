"""The types of an order: offer, counter, accept, reject, acknowledge, cancel, handover.

Acceptance reserves the car. The handover requires both signatures and final payments, and moves the title.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody, type_of
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, Family
from node.ledger.fields import Address, Contract, Hash32, Id, Money, Odometer, Rail, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import AmountAboveZero, StaticRule, Unique
from node.rules.odometer import is_worse, tolerance_metres
from node.txtypes.members.member import has_role
from node.txtypes.sale import listing as listings
from node.txtypes.sale.listing import LISTING, LISTING_VERSION, check_expiry, check_open, require_listing
from node.txtypes.sale.order import ORDER, Order, OrderBody, has_money, is_live, settled_amount
from node.txtypes.vehicle.conditions import check_shown, check_step
from node.txtypes.vehicle.guards import check_act_time, check_event_time, check_holder, require_vehicle
from node.txtypes.vehicle.odometer import (
    ACCREDITED,
    Standing,
    add_reading,
    check_reading,
    distance_shown,
    is_verdict_worse,
    newest_distance,
    verdict_outcome,
    verdict_with,
)
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.regions import OFF_MARKET, Market, listed_market
from node.txtypes.vehicle.stop_flags import PaidOff, check_paid_off, without_liens
from node.txtypes.vehicle.title import with_title
from node.txtypes.vehicle.vehicle import VEHICLE, Vehicle, market_of, verdict_now

OFFERS_LIVE = Guard("offers_live", "the account has too many live offers", "das Konto hat zu viele offene Angebote",
                    "有效报价过多")  # fmt: skip
OWN_LISTING = Guard("own_listing", "the buyer is the seller", "der Käufer ist der Verkäufer", "不能购买自己的挂牌")
RAIL_NOT_ACCEPTED = Guard("rail_not_accepted", "the seller does not accept this rail with this provider",
                          "der Verkäufer nimmt diesen Zahlweg mit diesem Dienst nicht an",
                          "卖方不接受该支付方式")  # fmt: skip
ORDER_RESERVED = Guard("order_reserved", "the vehicle is reserved by another order",
                       "das Fahrzeug ist durch einen anderen Auftrag reserviert", "车辆已被其他订单预定")  # fmt: skip
PAYMENT_CURRENCY = Guard("payment_currency", "the payment is in another currency",
                         "die Zahlung hat eine andere Währung", "付款货币不符")  # fmt: skip
NOTHING_TO_ACKNOWLEDGE = Guard("nothing_to_acknowledge", "nothing has changed since the buyer agreed",
                               "seit der Zustimmung hat sich nichts geändert", "没有需要确认的变更")  # fmt: skip
ORDER_HAS_MONEY = Guard("order_has_money", "money of this order is under way or settled",
                        "Geld dieses Auftrags ist unterwegs oder eingegangen", "订单已有款项")  # fmt: skip
PAYMENT_NOT_FINAL = Guard("payment_not_final", "the final payments do not make up the price",
                          "die endgültigen Zahlungen ergeben nicht den Preis", "款项未最终到账")  # fmt: skip
ORDER_NOT_RESERVING = Guard("order_not_reserving", "the vehicle is not reserved by this order",
                            "das Fahrzeug ist nicht durch diesen Auftrag reserviert", "该订单未预定此车辆")  # fmt: skip
HANDOVER_READING = Guard(
    "handover_reading",
    "the reading is below the newest one: an accredited member reads the car first, and the buyer acknowledges the "
    "verdict",
    "der Kilometerstand liegt unter dem neuesten: zuerst liest ein zugelassenes Mitglied das Fahrzeug ab, und der "
    "Käufer bestätigt das Urteil",
    "读数低于最新读数：须先由认可成员读取里程，并由买方确认结论",
)
ACKNOWLEDGEMENT_MISSING = Guard("acknowledgement_missing", "the buyer has not acknowledged the changes",
                                "der Käufer hat die Änderungen nicht bestätigt", "买方未确认变更")  # fmt: skip


class LiveOffer(Value, frozen=True):
    """An order and the deadline it had when it was offered."""

    order: Id
    expires_at_ms: Time


class LiveOffers(Value, tag=1, frozen=True):
    """An account's offers that were live when it last made one."""

    offers: tuple[LiveOffer, ...]


LIVE_OFFERS = Family("live-offers", LiveOffers, ident=ADDRESS_IDENT)


def check_currency(ledger: Ledger, subject: str, given: Money, agreed_on: Money) -> None:
    if given.currency != agreed_on.currency:
        ledger.unmet(PAYMENT_CURRENCY, subject, given.currency, agreed_on.currency)


class OrderOffer(TransactionBody, tag="order.offer", frozen=True):
    """The sender offers to buy the car of a version of a listing, on one of the listing's rails and providers."""

    listing: Id
    listing_version: Annotated[int, Meta(ge=1, le=10_000)]
    price: Money
    rail: Rail
    provider: Address
    contract: Contract
    disclosure_root: Hash32
    expires_at_ms: Time
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("price"),)
    weight: ClassVar[int] = 150
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "listing": "$listing", "listing_version": 1, "price": {"amount": "5290000", "currency": "EUR"},
        "rail": "bank_transfer", "provider": "payment-provider-1", "contract": "on_premises",
        "disclosure_root": "$disclosure_root", "expires_at": "+7d",
    })  # fmt: skip

    def _live(self, ledger: Ledger) -> tuple[LiveOffer, ...]:
        earlier = ledger.get(LIVE_OFFERS, ledger.sender)
        return tuple(
            offer for offer in (earlier.offers if earlier else ()) if (order := ledger.get(ORDER, offer.order))
            and is_live(offer.order, order, ledger.get(VEHICLE, order.vin), ledger.now_ms)
        )  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        subject = self.listing.hex()
        check_open(ledger, self.listing, listing)
        if listing.version != self.listing_version:
            ledger.unmet(LISTING_VERSION, subject, self.listing_version, listing.version)
        if listing.seller == ledger.sender:
            ledger.unmet(OWN_LISTING, subject)
        check_currency(ledger, subject, self.price, listing.price)
        accepted = {a.rail: a.providers for a in listing.rails}
        if self.provider not in accepted.get(self.rail, ()):
            ledger.unmet(RAIL_NOT_ACCEPTED, subject, f"{self.rail} by {to_text(self.provider)}")
        listings.check_rail_allowed(ledger, subject, self.rail, listing.country)
        check_expiry(ledger, subject, self.expires_at_ms, ledger.params.offer_lifetime_max_ms)
        listings.check_disclosure(ledger, self.disclosure_root, self.listing)
        if len(self._live(ledger)) >= limits.OFFERS_LIVE_MAX:
            ledger.unmet(OFFERS_LIVE, to_text(ledger.sender), need=f"at most {limits.OFFERS_LIVE_MAX}")
        vehicle = require_vehicle(ledger, listing.vin)
        if vehicle is not None:
            check_step(ledger, listing.vin, vehicle, "offer", listing.discloses)
            if market_of(vehicle, ledger.now_ms).status == "reserved":
                ledger.unmet(ORDER_RESERVED, listing.vin)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        vehicle = ledger.the(VEHICLE, listing.vin)
        order = Order(
            self.listing, self.listing_version, listing.vin, listing.seller, ledger.sender, self.price, self.rail,
            self.provider, self.contract, self.disclosure_root, self.expires_at_ms, "offered", (), 0, "", 0,
            "NO_VERDICT", 0, 0, b"",
        )  # fmt: skip
        ledger.put(ORDER, ledger.txid, order.agreed_to(ledger, vehicle))
        offers = (*self._live(ledger), LiveOffer(ledger.txid, self.expires_at_ms))
        ledger.put(LIVE_OFFERS, ledger.sender, LiveOffers(offers))


class OrderCounter(OrderBody, tag="order.counter", frozen=True):
    """A counter-offer: the seller names another price, which the buyer accepts or rejects."""

    price: Money
    expires_at_ms: Time
    static_rules: ClassVar[tuple[StaticRule, ...]] = (AmountAboveZero("price"),)
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "price": {"amount": "5340000", "currency": "EUR"}, "expires_at": "+2d",
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.seller)
        check_currency(ledger, self.order.hex(), self.price, order.price)
        check_expiry(ledger, self.order.hex(), self.expires_at_ms, ledger.params.offer_lifetime_max_ms)

    def apply(self, ledger: Ledger) -> None:
        self.follow(ledger, ledger.the(ORDER, self.order), price=self.price, expires_at_ms=self.expires_at_ms)


class OrderAccept(OrderBody, tag="order.accept", frozen=True):
    """The seller accepts an offer, or the buyer a counter-offer. The car is reserved."""

    weight: ClassVar[int] = 150
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"order": "$order"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_turn(ledger, order)
        listing = require_listing(ledger, order.listing)
        if listing is not None:
            check_open(ledger, order.listing, listing)
            if listing.version != order.listing_version:
                ledger.unmet(LISTING_VERSION, order.listing.hex(), order.listing_version, listing.version)
        listings.check_disclosure(ledger, order.disclosure_root, order.listing)
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is not None:
            check_holder(ledger, order.vin, vehicle, order.seller)
            check_step(ledger, order.vin, vehicle, "accept", listing.discloses if listing is not None else ())
            if market_of(vehicle, ledger.now_ms).status == "reserved":
                ledger.unmet(ORDER_RESERVED, order.vin)
        listings.check_provider(ledger, order.provider)

    def apply(self, ledger: Ledger) -> None:
        order, tag = ledger.the(ORDER, self.order), type_of(self)
        vehicle, listing = ledger.the(VEHICLE, order.vin), ledger.the(LISTING, order.listing)
        if ledger.sender == order.buyer:  # the seller's acceptance is no word of the buyer's
            order = order.agreed_to(ledger, vehicle)
        until = ledger.now_ms + ledger.params.reservation_ms
        ledger.put(LISTING, order.listing, replace(listing, status=listings.TRANSITIONS.after("open", tag)))
        self.follow(ledger, order, expires_at_ms=until, accepted_at_ms=ledger.now_ms)
        market = Market("reserved", order.listing, self.order, until, listing.expires_at_ms, False)
        append_record(ledger, order.vin, replace(vehicle, market=market), self, ledger.now_ms)


class OrderReject(OrderBody, tag="order.reject", frozen=True):
    """The seller rejects an offer, or the buyer a counter-offer."""

    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"order": "$order"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_turn(ledger, order)

    def apply(self, ledger: Ledger) -> None:
        self.follow(ledger, ledger.the(ORDER, self.order))


class OrderAcknowledge(OrderBody, tag="order.acknowledge", frozen=True):
    """The buyer agrees to changes since the offer: an accident, a flag, a brand, another verdict, a longer distance.
    `shown`: the car's material root that the buyer has seen."""

    shown: Hash32
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "shown": "$material_root"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.buyer)
        vehicle = require_vehicle(ledger, order.vin)
        if vehicle is None:
            return
        check_shown(ledger, order.vin, vehicle, self.shown)
        if order.is_agreed(ledger, vehicle):
            ledger.unmet(NOTHING_TO_ACKNOWLEDGE, self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        ledger.put(ORDER, self.order, order.agreed_to(ledger, ledger.the(VEHICLE, order.vin)))


class OrderCancel(OrderBody, tag="order.cancel", frozen=True):
    """Either party withdraws from the order. Money under way or settled must be returned first."""

    reason: Literal["changed_mind", "financing_failed", "vehicle_changed", "mistake", "other"]
    headline: ClassVar[tuple[str, ...]] = ("reason",)
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {"order": "$order", "reason": "changed_mind"})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.seller, order.buyer)
        if has_money(ledger, order.payments):
            ledger.unmet(ORDER_HAS_MONEY, self.order.hex())

    def apply(self, ledger: Ledger) -> None:
        order, tag = ledger.the(ORDER, self.order), type_of(self)
        self.follow(ledger, order)
        vehicle = ledger.the(VEHICLE, order.vin)
        if vehicle.market.order != self.order:
            return
        listing = ledger.the(LISTING, order.listing)
        ledger.put(LISTING, order.listing, replace(listing, status=listings.TRANSITIONS.after(listing.status, tag)))
        is_listed = ledger.now_ms < listing.expires_at_ms
        market = listed_market(order.listing, listing.expires_at_ms) if is_listed else OFF_MARKET
        append_record(ledger, order.vin, replace(vehicle, market=market), self, ledger.now_ms)


class OrderHandover(OrderBody, tag="order.handover", frozen=True):
    """Seller and buyer sign the handover in one transaction. It requires final payments and moves the title."""

    odometer: Odometer | None
    event_at_ms: Time
    paid_off: PaidOff = ()
    """Banks whose liens end with the handover: they sign too."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("paid_off"),)
    weight: ClassVar[int] = 200
    headline: ClassVar[tuple[str, ...]] = ("odometer",)
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "odometer": {"value": 160, "unit": "km", "source": "cluster"}, "event_at": "now",
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        order = ledger.get(ORDER, self.order)
        return (order.seller, order.buyer, *self.paid_off) if order is not None else ()

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_party(ledger, order.seller, order.buyer)
        settled = settled_amount(ledger, order.payments, ledger.rules)
        if settled != order.price.amount:
            ledger.unmet(PAYMENT_NOT_FINAL, self.order.hex(), settled, order.price.amount)
        vehicle = require_vehicle(ledger, order.vin)
        check_reading(ledger, order.vin, self.odometer)
        check_event_time(ledger, order.vin, vehicle, self.event_at_ms)
        since = min(order.accepted_at_ms, ledger.now_ms)
        check_act_time(ledger, order.vin, self.event_at_ms, age_max_ms=limits.HANDOVER_AGE_MAX_MS, since_ms=since)
        if vehicle is None:
            return
        check_holder(ledger, order.vin, vehicle, order.seller)
        # a verdict that became worse after the acceptance blocks until the buyer has acknowledged it
        verdict = verdict_now(ledger, order.vin, vehicle, ledger.rules)
        agreed = () if is_worse(verdict, order.agreed_verdict) else ("odometer",)
        check_paid_off(ledger, order.vin, vehicle, self.paid_off)
        check_step(ledger, order.vin, vehicle, "handover", agreed, order.buyer, signed_by=self.paid_off)
        market = market_of(vehicle, ledger.now_ms)
        if market.order != self.order:
            ledger.unmet(ORDER_NOT_RESERVING, order.vin, market.status, "reserved by this order")
        if not order.is_agreed(ledger, vehicle):
            now = order.agreed_to(ledger, vehicle)
            ledger.unmet(ACKNOWLEDGEMENT_MISSING, self.order.hex(), order.agreed_text(), now.agreed_text())
        self._check_distance(ledger, order, vehicle)

    def _check_distance(self, ledger: Ledger, order: Order, vehicle: Vehicle) -> None:
        """Notes a reading below the newest one, or one that would make the verdict worse than the buyer knows. He signs
        this one, whatever it is above: but what contradicts others is to be judged before, so that he knows it."""
        if self.odometer is None:
            return
        distance = distance_shown(ledger, order.vin, self.odometer, self.event_at_ms)
        newest = newest_distance(ledger, order.vin)
        have, need = f"{distance // 1_000} km", f"at least {newest // 1_000} km"
        if distance < newest - tolerance_metres(0):
            ledger.unmet(HANDOVER_READING, order.vin, have, need)
            return
        told, standing = (self.odometer, self.event_at_ms), self._standing(ledger, order)
        verdict = verdict_with(ledger, order.vin, vehicle, *told, standing)
        known = verdict_now(ledger, order.vin, vehicle, ledger.rules)
        if is_worse(verdict, known):
            ledger.unmet(HANDOVER_READING, order.vin, f"{have}, {verdict}", f"{need}, {known}")

    def _standing(self, ledger: Ledger, order: Order) -> Standing:
        """What both parties agree on counts, if one of them is a trader; of two private people nobody else saw it."""
        is_traded = any(has_role(ledger, party, *ACCREDITED) for party in (order.seller, order.buyer))
        return "interested" if is_traded else "declared"

    def apply(self, ledger: Ledger) -> None:
        order, tag = ledger.the(ORDER, self.order), type_of(self)
        listing = ledger.the(LISTING, order.listing)
        assert self.odometer is not None, "guarded"
        before = ledger.the(VEHICLE, order.vin)
        standing = self._standing(ledger, order)
        vehicle = add_reading(
            ledger, order.vin, before, self.odometer, self.event_at_ms, standing, is_acknowledged=True
        )  # fmt: skip
        is_material = is_verdict_worse(before, vehicle)
        vehicle = without_liens(ledger, vehicle, self.paid_off)
        existence = "in_service" if vehicle.existence == "born" else vehicle.existence
        vehicle = with_title(ledger, order.vin, replace(vehicle, existence=existence), order.buyer)
        outcome = (verdict_outcome(vehicle),)
        append_record(ledger, order.vin, vehicle, self, self.event_at_ms, outcome, is_material=is_material)
        self.follow(ledger, order, title_record=ledger.txid)
        ledger.put(LISTING, order.listing, replace(listing, status=listings.TRANSITIONS.after(listing.status, tag)))
