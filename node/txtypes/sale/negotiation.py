"""The types that lead to a contract: offer, counter-offer, acceptance, rejection. Acceptance binds and reserves the
cars."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from msgspec import Meta
from msgspec.structs import replace

from node import limits
from node.codec import Value
from node.crypto.addresses import to_text
from node.ledger.body import TransactionBody
from node.ledger.example import Example
from node.ledger.family import ADDRESS_IDENT, Family
from node.ledger.fields import Code, Hash32, Id, Time
from node.ledger.guards import Guard
from node.ledger.overlay import Ledger
from node.ledger.static_rules import StaticRule, Unique
from node.txtypes.members.mandate import MANDATE, Right
from node.txtypes.sale.acting import check_acting, check_standing, may_act
from node.txtypes.sale.deal import Terms, vins_of_deal
from node.txtypes.sale.disclosure import check_disclosure
from node.txtypes.sale.listing import (
    LISTING,
    LISTING_VERSION,
    NOT_A_PARTY,
    Listing,
    check_expiry,
    check_open,
    require_listing,
)
from node.txtypes.sale.order import OPTIONS_MAX, Order, is_live
from node.txtypes.sale.order_body import OrderBody, check_reservable, count_ordered, reserving, step_listing
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.terms import check_terms
from node.txtypes.sale.trade_in import check_trade_in
from node.txtypes.vehicle.claims import CLAIMS_OPEN, is_debtor
from node.txtypes.vehicle.conditions import DISCLOSURE_STALE, check_shown, check_step
from node.txtypes.vehicle.guards import check_holder, require_vehicle
from node.txtypes.vehicle.record import append_record
from node.txtypes.vehicle.vehicle import VEHICLE

ROUNDS_MAX: Final = 10
NO_ROOT: Final = bytes(32)
"""In place of the material root of a car that is still to be built."""

OPTION_UNKNOWN = Guard("option_unknown", "the listing does not offer this equipment",
                       "das Inserat bietet diese Ausstattung nicht an", "挂牌未提供此选装")  # fmt: skip
OFFERS_LIVE = Guard("offers_live", "the account has too many live offers", "das Konto hat zu viele laufende Angebote",
                    "有效报价过多")  # fmt: skip
OWN_LISTING = Guard("own_listing", "the listing is the sender's own", "das Inserat ist das eigene", "不能购买自己的车",
                    is_permission=True)  # fmt: skip
OFFER_FLOOR = Guard(
    "offer_floor",
    "the listing takes no offer that low",
    "das Inserat nimmt kein so niedriges Angebot an",
    "报价低于挂牌底价",
)
NOT_YOUR_TURN = Guard("not_your_turn", "the other party must answer", "die andere Partei muss antworten",
                      "应由另一方答复", is_permission=True)  # fmt: skip
ROUND_DIFFERS = Guard("round_differs", "the terms were changed since", "die Bedingungen wurden seither geändert",
                      "条款已变更")  # fmt: skip
ROUNDS_FULL = Guard(
    "rounds_full", "there were too many counter-offers", "es gab zu viele Gegenangebote", "还价次数过多"
)
SELF_DEALING = Guard(
    "self_dealing",
    "the agent may not buy the car itself",
    "der Agent darf das Fahrzeug nicht selbst kaufen",
    "代理人不得自行购买该车",
    is_permission=True,
)


class LiveOffer(Value, frozen=True):
    """An order and the deadline it had when it was offered."""

    order: Id
    expires_at_ms: Time


class LiveOffers(Value, tag=1, frozen=True):
    """An account's offers that were live when it last made one."""

    offers: Annotated[tuple[LiveOffer, ...], Meta(max_length=limits.OFFERS_LIVE_MAX)]


LIVE_OFFERS = Family("live-offers", LiveOffers, ident=ADDRESS_IDENT)

EXAMPLE_TERMS: Final = {
    "price": {"amount": "5290000", "currency": "EUR"},
    "tax": {"scheme": "standard", "rate_permille": 190, "amount": 844_622}, "fees": [],
    "legs": [{
        "kind": "balance", "rail": "bank_transfer", "provider": "payment-provider-1", "custody": "direct",
        "amount": 5_290_000, "due_ms": 604_800_000,
    }],
    "trade_in": None, "finance": None, "contract": "on_premises", "cancel_fee": 0, "reserve_ms": 5_184_000_000,
    "deliver_by": "", "text": None,
}  # fmt: skip


def _live_offers(ledger: Ledger) -> tuple[LiveOffer, ...]:
    """The sender's offers that wait for an answer. An accepted one is none."""
    earlier = ledger.get(LIVE_OFFERS, ledger.sender)
    return tuple(
        offer for offer in (earlier.offers if earlier else ()) if (order := ledger.get(ORDER, offer.order))
        and order.status in ("offered", "countered") and is_live(order, ledger.now_ms)
    )  # fmt: skip


class OrderOffer(TransactionBody, tag="order.offer", frozen=True):
    """The sender offers to buy the car of a version of a listing, on terms that the listing takes."""

    listing: Id
    listing_version: Annotated[int, Meta(ge=1, le=10_000)]
    terms: Terms
    disclosure_root: Hash32
    expires_at_ms: Time
    options: Annotated[tuple[Code, ...], Meta(max_length=OPTIONS_MAX)] = ()
    """Of a listing of cars that are built to order: what the car is built with."""
    static_rules: ClassVar[tuple[StaticRule, ...]] = (Unique("options"),)
    weight: ClassVar[int] = 200
    EXAMPLE: ClassVar[Example] = Example("buyer-1", {
        "listing": "$listing", "listing_version": 1, "terms": EXAMPLE_TERMS, "disclosure_root": "$disclosure_root",
        "expires_at": "+7d",
    })  # fmt: skip

    def guards(self, ledger: Ledger) -> None:
        listing = require_listing(ledger, self.listing)
        if listing is None:
            return
        subject = self.listing.hex()
        check_open(ledger, self.listing, listing)
        if listing.version != self.listing_version:
            ledger.unmet(LISTING_VERSION, subject, self.listing_version, listing.version)
        if ledger.sender == listing.seller:
            ledger.unmet(OWN_LISTING, subject)
        if ledger.sender == listing.agent:
            _check_self_dealing(ledger, listing)
        if self.terms.price.amount < listing.offer_floor:
            ledger.unmet(OFFER_FLOOR, subject, self.terms.price.amount, f"at least {listing.offer_floor}")
        check_terms(ledger, subject, self.terms, listing, ledger.sender)
        check_expiry(ledger, subject, self.expires_at_ms, ledger.params.offer_lifetime_max_ms)
        check_disclosure(ledger, self.disclosure_root, self.listing)
        check_standing(ledger, listing.seller, listing.vin)
        if is_debtor(ledger, ledger.sender, listing.vin):
            ledger.unmet(CLAIMS_OPEN, listing.vin)
        if len(_live_offers(ledger)) >= limits.OFFERS_LIVE_MAX:
            ledger.unmet(OFFERS_LIVE, to_text(ledger.sender), need=f"at most {limits.OFFERS_LIVE_MAX}")
        if unknown := sorted(set(self.options) - {option.code for option in listing.options}):
            ledger.unmet(OPTION_UNKNOWN, subject, " ".join(unknown))
        vehicle = require_vehicle(ledger, listing.vin) if listing.vin else None
        if vehicle is not None:
            check_step(ledger, listing.vin, vehicle, "offer", listing.discloses)
            check_reservable(ledger, listing.vin, vehicle)

    def apply(self, ledger: Ledger) -> None:
        listing = ledger.the(LISTING, self.listing)
        order = Order(
            self.listing, self.listing_version, listing.vin, self.options, listing.seller, listing.agent,
            listing.mandate, ledger.sender, self.terms, 0, "seller", self.disclosure_root, NO_ROOT, "NO_VERDICT", 0,
            self.expires_at_ms, "offered",
        )  # fmt: skip
        if listing.vin:
            order = order.agreed_to(ledger, ledger.the(VEHICLE, listing.vin))
        ledger.put(ORDER, ledger.txid, order)
        offers = (*_live_offers(ledger), LiveOffer(ledger.txid, self.expires_at_ms))
        ledger.put(LIVE_OFFERS, ledger.sender, LiveOffers(offers))


def _check_self_dealing(ledger: Ledger, listing: Listing) -> None:
    mandate = ledger.get(MANDATE, listing.mandate) if listing.mandate is not None else None
    if mandate is None or mandate.sale is None or not mandate.sale.allow_self:
        ledger.unmet(SELF_DEALING, listing.vin)


class NegotiationBody(OrderBody, frozen=True):
    """An answer to the newest terms of an order that is not accepted yet. `round`: that of these terms."""

    round: Annotated[int, Meta(ge=0, le=ROUNDS_MAX)]

    def check_answer(self, ledger: Ledger, order: Order, *, right: Right, is_priced: bool = True) -> None:
        """Notes a sender whose turn it is not, or who answers other terms than the newest. `is_priced`: the answer
        agrees on the price."""
        if self.round != order.round:
            ledger.unmet(ROUND_DIFFERS, self.order.hex(), self.round, order.round)
        if ledger.sender not in (order.seller, order.buyer, order.agent):
            ledger.unmet(NOT_A_PARTY, self.order.hex())
            return
        is_buyer = ledger.sender == order.buyer
        if order.turn and is_buyer != (order.turn == "buyer"):
            ledger.unmet(NOT_YOUR_TURN, self.order.hex())
        elif not is_buyer:
            check_acting(ledger, right, order, self.order.hex(), is_priced=is_priced)


class OrderCounter(NegotiationBody, tag="order.counter", frozen=True):
    """A counter-offer: whose turn it is names other terms."""

    terms: Terms
    expires_at_ms: Time
    weight: ClassVar[int] = 200
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "round": 0, "terms": EXAMPLE_TERMS | {
            "price": {"amount": "5340000", "currency": "EUR"},
            "legs": [EXAMPLE_TERMS["legs"][0] | {"amount": 5_340_000}],  # type: ignore[index]
        }, "expires_at": "+2d",
    })  # fmt: skip

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_answer(ledger, replace(order, terms=self.terms), right="negotiate")
        if order.round >= ROUNDS_MAX:
            ledger.unmet(ROUNDS_FULL, self.order.hex(), order.round, f"below {ROUNDS_MAX}")
        check_expiry(ledger, self.order.hex(), self.expires_at_ms, ledger.params.offer_lifetime_max_ms)
        listing = require_listing(ledger, order.listing)
        if listing is not None:
            check_terms(ledger, self.order.hex(), self.terms, listing, order.buyer)

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        turn = "seller" if order.turn == "buyer" else "buyer"
        self.follow(
            ledger, order, terms=self.terms, round=order.round + 1, turn=turn, expires_at_ms=self.expires_at_ms
        )  # fmt: skip


class OrderAccept(NegotiationBody, tag="order.accept", frozen=True):
    """Accept the newest terms: whose turn it is, and for a contract on the premises both in one transaction. The cars
    are reserved. Whoever accepts names the car's material root."""

    material_root: Hash32
    weight: ClassVar[int] = 250
    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {
        "order": "$order", "round": 0, "material_root": "$material_root",
    }, ("buyer-1",))  # fmt: skip

    def signers(self, ledger: Ledger) -> tuple[bytes, ...]:
        """A contract on the premises is one only if the consumer signs beside the trader. A counter-offer binds the
        seller without its signature only if its agent may accept, too."""
        order = ledger.get(ORDER, self.order)
        if order is None:
            return ()
        is_on_premises = order.terms.contract == "on_premises"
        if ledger.sender != order.buyer:
            return (order.buyer,) if is_on_premises else ()
        if order.agent is not None and not may_act(ledger, "accept", order):
            return (order.seller,)
        return (order.agent or order.seller,) if is_on_premises else ()

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        subject = self.order.hex()
        self.check_answer(ledger, order, right="accept")
        listing = require_listing(ledger, order.listing)
        if listing is None:
            return
        check_open(ledger, order.listing, listing)
        if listing.version != order.listing_version:
            ledger.unmet(LISTING_VERSION, order.listing.hex(), order.listing_version, listing.version)
        check_disclosure(ledger, order.disclosure_root, order.listing)
        check_terms(ledger, subject, order.terms, listing, order.buyer)
        check_standing(ledger, order.seller, order.vin)
        if is_debtor(ledger, order.buyer, order.vin):
            ledger.unmet(CLAIMS_OPEN, order.vin)
        if not order.vin and self.material_root != NO_ROOT:
            ledger.unmet(DISCLOSURE_STALE, subject, self.material_root.hex(), NO_ROOT.hex())
        vehicle = require_vehicle(ledger, order.vin) if order.vin else None
        if vehicle is not None:
            check_shown(ledger, order.vin, vehicle, self.material_root)
            check_holder(ledger, order.vin, vehicle, order.seller)
            check_step(ledger, order.vin, vehicle, "accept", listing.discloses)
            check_reservable(ledger, order.vin, vehicle)
        check_trade_in(ledger, order, is_sellers=order.seller in (ledger.sender, *self.signers(ledger)))

    def apply(self, ledger: Ledger) -> None:
        order = ledger.the(ORDER, self.order)
        is_buyers_word = order.buyer in (ledger.sender, *self.signers(ledger))  # the seller's is none of the buyer's
        if order.vin and is_buyers_word:
            order = order.agreed_to(ledger, ledger.the(VEHICLE, order.vin))
        until = ledger.now_ms + order.terms.reserve_ms
        step_listing(ledger, order, "order.accept")
        count_ordered(ledger, order, 1)
        order = self.follow(
            ledger, order, turn="", accepted_at_ms=ledger.now_ms, until_ms=until,
            due_from_ms=ledger.now_ms if order.vin else 0,
            hold_until_ms=until + ledger.params.hold_max_ms,
        )  # fmt: skip
        for vin in vins_of_deal(order.vin, order.terms):
            vehicle = replace(ledger.the(VEHICLE, vin), market=reserving(ledger, self.order, order, vin))
            append_record(ledger, vin, vehicle, self, ledger.now_ms)


class OrderReject(NegotiationBody, tag="order.reject", frozen=True):
    """Whose turn it is rejects the newest terms."""

    EXAMPLE: ClassVar[Example] = Example("dealer-munich", {"order": "$order", "round": 0})

    def order_guards(self, ledger: Ledger, order: Order) -> None:
        self.check_answer(ledger, order, right="negotiate", is_priced=False)

    def apply(self, ledger: Ledger) -> None:
        self.follow(ledger, ledger.the(ORDER, self.order))
