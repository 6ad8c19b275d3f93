"""What fits a sale that is under way: a hostile walk that only guessed would never get as far as a handover."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from msgspec.structs import replace

from node.chain.dev_genesis import DEV_PARTIES
from node.ledger.body import TransactionBody
from node.txtypes.cases.case import CASE
from node.txtypes.cases.types import CaseOpen, CaseReply
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.disputes.order_dispute_types import OrderResolve
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.deal import Tax, Terms
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.listing_types import ListingCreate
from node.txtypes.sale.negotiation import OrderOffer
from node.txtypes.sale.order import HANDED_OVER, Order, is_live
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT, Payment, Reference
from support.chain import DAY_MS, Chain, address
from support.dealing import TRADERS
from support.deals import material, with_car, with_credit
from support.life import VIN
from support.paying import State

NAMES: Final = {address(party.name): party.name for party in DEV_PARTIES}
VINS: Final = (VIN, *(f"WBA8E9G50GNU1234{n}" for n in "6789012"))
OF_SALE: Final = ("listing", "order", "payment", "delivery")
AFTERWARDS: Final = ("order.withdraw", "order.return", "order.dispute")
"""Types about a sale that is over. A dispute may begin before, but blocks the handover."""
ANSWERS: Final = ("order.counter", "order.accept", "order.reject")
BUYERS: Final = (
    "order.acknowledge", "order.claim_refund", "payment.initiate", "payment.declare", "payment.confirm_refund",
    "delivery.confirm", "delivery.refuse", "order.withdraw", "order.return", "order.dispute",
)  # fmt: skip
"""Types that the buyer sends."""


class Selling:
    """The part of a walk that knows orders and payments. `state`: after the newest block."""

    chance: Random
    chain: Chain
    state: State

    def live(self, tag: str) -> dict[str, bytes]:
        """Mostly an order, its listing and its payment that a sale could go on with."""
        chance, now, found = self.chance, self.chain.now, dict[str, bytes]()
        wanted = ("offered", "countered") if tag in ANSWERS else HANDED_OVER if tag in AFTERWARDS else ("accepted",)
        disputes = [i for i, one in self.state["order-dispute"].items() if not one.closed_at_ms]
        if disputes:
            found |= dict(order_dispute=bytes.fromhex(chance.choice(disputes)))
        if tag == "order.offer":
            listings = [
                i for i, one in self.state["listing"].items() if one.status == "open" and now < one.expires_at_ms
            ]
            found |= dict(listing=bytes.fromhex(chance.choice(listings))) if listings else {}
        known = [(i, o) for i, o in self.state["order"].items() if o.status in wanted]
        orders = [(i, o) for i, o in known if is_live(o, now) or o.status in HANDED_OVER]
        with_car = [(i, o) for i, o in orders if o.vin and not o.dispute]  # most of them go on
        orders = with_car if with_car and tag != "order.assign_vin" and chance.random() < 0.8 else orders
        if orders and tag.partition(".")[0] in OF_SALE and chance.random() < 0.8:
            ident, order = chance.choice(orders)
            found |= dict(order=bytes.fromhex(ident), listing=order.listing)
            found |= dict(payment=chance.choice(order.payments)) if order.payments else {}
        if tag == "payment.attest" and chance.random() < 0.8:
            waiting = [i for i, one in self.state["payment"].items() if not one.is_closed and not one.settled]
            found |= dict(payment=bytes.fromhex(chance.choice(waiting))) if waiting else {}
        return found

    def whose(self, tag: str, order: Order) -> str:
        """Mostly whose step it is."""
        if self.chance.random() < 0.3:
            return NAMES[self.chance.choice((order.seller, order.buyer, order.carrier or order.buyer))]
        if tag in ANSWERS:
            return NAMES[order.buyer if order.turn == "buyer" else order.seller]
        if tag == "delivery.event":
            return NAMES[order.carrier or order.seller]
        return NAMES[order.buyer if tag in BUYERS else order.seller]

    def of_sale(self, sender: str, body: TransactionBody, ids: dict[str, bytes], vin: str) -> dict[str, Any]:
        """What fits the order and the payment that the body is about."""
        chance, chain, found = self.chance, self.chain, dict[str, Any]()
        names = body.__struct_fields__
        payment: Payment | None = (
            chain.state(PAYMENT, ids["payment"]) if "payment" in names and "payment" in ids else None
        )
        ident = ids.get("order", b"")
        order: Order | None = chain.state(ORDER, ident) if ident else None
        if payment is not None:
            most = payment.amount.amount
            found |= dict(amount=replace(payment.amount, amount=max(1, most // chance.choice((1, 1, 2)))))
            found |= dict(sequence=payment.sequence, reference=Reference(chance.randbytes(32), None))
        elif order is not None:
            found |= dict(amount=replace(order.price, amount=order.terms.legs[0].amount))
            found |= dict(price=order.price, round=order.round, number=max(0, order.deliveries - 1))
        if order is not None and "order" in names and chance.random() < 0.8:
            found |= dict(terms=self.terms_of(order))
        found |= dict(material_root=material(chain, order.vin if order is not None and "order" in names else vin))
        listing = self.chain.state(LISTING, ids["listing"]) if "listing_version" in names and "listing" in ids else None
        if listing is not None and isinstance(body, OrderOffer):
            kind = "business" if sender != "buyer-1" and "business" in listing.contracts else listing.contracts[0]
            found |= dict(listing_version=listing.version, terms=replace(body.terms, contract=kind, tax=listing.tax))
        if isinstance(body, ListingCreate) and sender not in TRADERS:
            found |= dict(contracts=("private",), tax=Tax("private", 0, 0))
        return {name: value for name, value in found.items() if name in names and getattr(body, name) is not None}

    def after_sale(self, body: TransactionBody) -> dict[str, Any]:
        """What fits the case, the claim or the dispute that the body is about."""
        chance, state = self.chance, self.state
        match body:
            case CaseReply() if (case := self.chain.state(CASE, body.case)) is not None:
                return dict(sequence=len(case.replies))
            case CaseOpen() if state["order"] and chance.random() < 0.5:
                return dict(order=bytes.fromhex(chance.choice(list(state["order"]))))
            case ClaimRelease() if state["order-claims"]:
                ident = chance.choice(list(state["order-claims"]))
                claim = chance.choice(state["order-claims"][ident].entries)
                return dict(order=bytes.fromhex(ident), debtor=claim.debtor, amount=claim.amount)
            case OrderResolve():
                action = chance.choice(("resume", "unwind", "dismiss", "claim"))
                debtor = chance.choice(("seller", "buyer")) if action == "claim" else ""
                amount = 100_000 if action in ("claim", "unwind") else 0
                return dict(decision=Decision(action, amount, debtor))
        return {}

    def creditor(self, body: ClaimRelease, sender: str) -> str:
        """Who could release the claim."""
        found = self.state["order-claims"].get(body.order.hex())
        own = [c.creditor for c in found.entries if c.debtor == body.debtor] if found else []
        return NAMES[self.chance.choice(own)] if own and self.chance.random() < 0.8 else sender

    def terms_of(self, order: Order) -> Terms:
        """The order's, sometimes with a credit or a car in payment."""
        chance, terms = self.chance, order.terms
        rails = {leg.rail for leg in terms.legs}
        if chance.random() < 0.3 and "finance" not in rails and terms.legs[-1].rail != "trade_in":
            return with_credit(terms, terms.legs[-1].amount // 3, takes_lien=chance.random() < 0.5)
        if chance.random() < 0.3 and "trade_in" not in rails and terms.legs[0].rail != "finance":
            return with_car(terms, self.chain, chance.choice(VINS), terms.legs[0].amount // 3, order.seller)
        return replace(terms, reserve_ms=chance.choice((20, 40, 60)) * DAY_MS)
