"""What the parties of sales do next: the steps of a walk about mandates, listings, orders and deliveries."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from node.ledger.body import TransactionBody
from node.ledger.fields import Money, Odometer
from node.limits import MONEY_MAX
from node.rules.deals import CANCEL_REASONS, CancelReason
from node.rules.rails import RAIL_RULES
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.mandate import Mandate, MandateEnd, MandateGrant, SaleTerms, is_running
from node.txtypes.payment.initiating import PaymentInitiate
from node.txtypes.sale.accounts import debts_of, final_amount
from node.txtypes.sale.changes import OrderAmend
from node.txtypes.sale.claim_types import ClaimRelease
from node.txtypes.sale.deal import CLAIM_LEG, Leg, Tax, Terms, in_money
from node.txtypes.sale.delivery import DeliveryConfirm, DeliveryEvent, DeliveryRefuse, DeliverySchedule
from node.txtypes.sale.ending import OrderCancel, OrderClaimRefund
from node.txtypes.sale.listing import Listing
from node.txtypes.sale.listing_types import ListingUpdate, ListingWithdraw
from node.txtypes.sale.negotiation import OrderCounter, OrderReject
from node.txtypes.sale.order import Order, is_live
from node.txtypes.sale.payments import Payment, net_of, occupied
from node.txtypes.sale.terms import PRICE_MAX
from node.txtypes.vehicle.stop_flags import FlagSet
from node.txtypes.vehicle.vehicle import Vehicle
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address
from support.deals import accepting, acknowledging, handing, leg, material, reinstating, with_car, with_credit
from support.life import accident, km, listing, offer, terms
from support.paying import NAMES, PROVIDERS, REFUND_MS, State, Step, payments_of

VINS = tuple(f"WBA8E9G50GNU1234{n}" for n in range(6))
PRICES = (Money(5_290_000, "EUR"), Money(5_290_001, "EUR"), Money(100, "EUR"), Money(5_290_000, "USD"))
LIMITS = (Money(1, "EUR"), Money(PRICE_MAX, "EUR"), Money(MONEY_MAX, "EUR"))
"""The lowest price, the highest one, and an amount that no price has."""
MONEY_RAILS = ("bank_transfer", "card", "instant_transfer")
BUYERS = ("buyer-1", "dealer-shanghai", "inspector-1")
TRADERS = ("bmw", "dealer-munich", "dealer-shanghai")
AGENT = "workshop-hamburg"
SALE = ("list", "negotiate", "accept", "handover", "return")


def accepted_rail(rail: str, **changes: Any) -> AcceptedRail:
    who = () if rail == "trade_in" else ("bank-1",) if rail == "finance" else PROVIDERS
    return AcceptedRail(rail, tuple(map(address, who)), **changes)  # type: ignore[arg-type]


def tax_of(price: Money, seller: str) -> Tax:
    if seller not in TRADERS:
        return Tax("private", 0, 0)
    return Tax("standard", 190, price.amount * 19 // 119)


class Dealing:
    """`state` is what the parties see."""

    def __init__(self, chance: Random, chain: Chain) -> None:
        self.chance, self.chain = chance, chain
        self.state: State = {}

    # --- cars, mandates, listings ----------------------------------------------------------------------------
    def of_vehicle(self, vin: str, vehicle: Vehicle) -> list[Step]:
        holder = NAMES[vehicle.holder]
        if holder == "bmw" or (holder not in TRADERS and self.chance.random() < 0.7):
            return []
        made: list[Step] = [(holder, self._listing(vin, holder), ())] * 3
        running = [
            bytes.fromhex(ident) for ident, mandate in self.state["mandate"].items()
            if mandate.principal == vehicle.holder and mandate.sale and is_running(mandate, self.chain.now)
        ]  # fmt: skip
        if running:
            ident = self.chance.choice(running)
            rails = self.state["mandate"][ident.hex()].sale.rails
            made.append((AGENT, self._listing(vin, holder, mandate=ident, rails=rails), ()))
        elif self.chance.random() < 0.3:
            made.append((holder, self._mandate(), (AGENT,)))
        return made

    def _mandate(self) -> MandateGrant:
        sale = SaleTerms(
            Money(self.chance.choice((100, 5_000_000)), "EUR"),
            tuple(map(accepted_rail, (*MONEY_RAILS, "finance", "trade_in"))),
            self.chance.choice((0, 2_000_000)), 20, 0, self.chance.random() < 0.5,
        )  # fmt: skip
        return MandateGrant(address(AGENT), (), (), SALE, self.chain.now + 90 * DAY_MS, sale)

    def of_mandate(self, ident: bytes, mandate: Mandate) -> list[Step]:
        return [(NAMES[self.chance.choice((mandate.principal, mandate.agent))], MandateEnd(ident), ())]

    def _rails(self) -> tuple[AcceptedRail, ...]:
        chance = self.chance
        card = dict(share_max_permille=chance.choice((200, 1_000, 1_000)))
        hold = dict(hold_ms=chance.choice((0, 0, 0, DAY_MS)), allow_sponsored=chance.random() < 0.5)
        found = [accepted_rail(rail, **hold | (card if rail == "card" else {})) for rail in MONEY_RAILS]
        chance.shuffle(found)
        others = [accepted_rail(rail) for rail in ("finance", "trade_in") if chance.random() < 0.85]
        if chance.random() < 0.05:
            others.append(accepted_rail(chance.choice(("bitcoin", "ether"))))
        return (*found[: chance.choice((1, 2, 3))], *others)

    def _listing(self, vin: str, holder: str, **changes: Any) -> TransactionBody:
        chance = self.chance
        price = chance.choice(LIMITS if chance.random() < 0.08 else (*PRICES, *PRICES[:2]))
        contracts = ("on_premises", "distance", "business") if holder in TRADERS else ("private",)
        fields = dict(
            price=price, tax=tax_of(price, holder), country=chance.choice(("DE", "DE", "CN")), contracts=contracts,
            rails=self._rails(), offer_floor=chance.choice((0, 0, price.amount)),
            discloses=chance.choice(((), ("odometer",), ("odometer",))),
        )  # fmt: skip
        found: TransactionBody = listing(self.chain, vin, **fields | changes)
        return found

    def of_listing(self, ident: bytes, found: Listing) -> list[Step]:
        chain, seller = self.chain, NAMES[found.agent or found.seller]
        buyers = [*BUYERS, *([AGENT] if found.agent and self.chance.random() < 0.1 else [])]
        buyer = self.chance.choice([*buyers, *(who for who in BUYERS if self._own(who, found.vin))])
        made = offer(chain, ident, terms=self._terms(found, buyer))
        price = self.chance.choice(PRICES)
        changed = ListingUpdate(
            ident, price, tax_of(price, NAMES[found.seller]), found.rails, found.contracts, chain.now + 20 * DAY_MS,
            0, found.discloses,
        )  # fmt: skip
        return [(buyer, made, ())] * 6 + [(seller, changed, ()), (seller, ListingWithdraw(ident), ())]

    # --- terms -----------------------------------------------------------------------------------------------
    def _own(self, buyer: str, sold: str) -> list[str]:
        """Cars that the buyer could give in payment."""
        cars = self.state["vehicle"].items()
        return [v for v, car in cars if car.holder == address(buyer) and car.market.status == "off" and v != sold]

    def _terms(self, found: Listing, buyer: str) -> Terms:
        chance, seller = self.chance, NAMES[found.seller]
        price = found.price
        if price.amount > 1_000 and chance.random() < 0.3:
            price = replace(price, amount=price.amount * chance.randrange(90, 101) // 100)
        contract = "private" if seller not in TRADERS else "business"
        if buyer == "buyer-1" and seller in TRADERS:
            contract = chance.choice(("on_premises", "distance"))
        agreed = terms(
            price, legs=self._legs(found, price.amount), tax=tax_of(price, seller), contract=contract,
            cancel_fee=price.amount * chance.choice((0, 50, 150)) // 1_000,
            reserve_ms=chance.choice((10, 20, 60)) * DAY_MS,
            deliver_by_ms=chance.choice((0, 0, self.chain.now + 9 * DAY_MS)),
        )  # fmt: skip
        rails = {accepted.rail for accepted in found.rails}
        if "finance" in rails and chance.random() < 0.4:
            to = chance.choice(("buyer", "buyer", "lender"))
            share = max(1, agreed.legs[-1].amount // 3)
            agreed = with_credit(agreed, share, takes_lien=chance.random() < 0.5, title_to=to)
        own = self._own(buyer, found.vin)
        if "trade_in" in rails and own and chance.random() < 0.8:
            taker = found.agent if found.agent and chance.random() < 0.5 else found.seller
            value = max(1, agreed.legs[0].amount // 3)
            agreed = with_car(agreed, self.chain, chance.choice(own), value, taker)
        return agreed

    def _legs(self, found: Listing, price: int) -> tuple[Leg, ...]:
        chance = self.chance
        money = [a for a in found.rails if a.rail in MONEY_RAILS]
        if not money:
            return (leg(price),)
        count = min(price, chance.choice((1, 1, 2, 3)))
        shares = [price // count] * (count - 1)
        legs = []
        for place, amount in enumerate((*shares, price - sum(shares))):
            accepted = chance.choice(money)
            kind = "balance" if place == count - 1 else "deposit" if not place else "part"
            provider = NAMES[chance.choice(accepted.providers)]
            legs.append(leg(amount, accepted.rail, provider, days=1 + 2 * place, kind=kind))
        return tuple(legs)

    # --- orders ----------------------------------------------------------------------------------------------
    def of_order(self, ident: bytes, order: Order) -> list[Step]:
        now = self.chain.now
        if order.status in ("offered", "countered"):
            return self._negotiating(ident, order)
        if order.status == "accepted" and is_live(order, now):
            return self._accepted(ident, order)
        return self._ended(ident, order) if order.accepted_at_ms else []

    def _sides(self, order: Order) -> tuple[str, str]:
        """Who acts for the seller, and the buyer."""
        ours = order.agent if order.agent is not None and self.chance.random() < 0.8 else order.seller
        return NAMES[ours], NAMES[order.buyer]

    def _negotiating(self, ident: bytes, order: Order) -> list[Step]:
        chain, (seller, buyer) = self.chain, self._sides(order)
        ours, theirs = (seller, buyer) if order.turn == "seller" else (buyer, seller)
        if order.turn == "buyer" and order.agent is not None:
            theirs = NAMES[order.agent]
        both = (theirs,) if order.terms.contract == "on_premises" else ()
        listed = self.state["listing"][order.listing.hex()]
        asked = self._terms(listed, buyer)
        counter = OrderCounter(ident, order.round, asked, chain.now + 2 * DAY_MS)
        accept: Step = (ours, accepting(chain, ident), both)
        return [accept] * 6 + [
            (ours, counter, ()), (ours, counter, ()), (ours, OrderReject(ident, order.round), ()),
            (self.chance.choice((buyer, seller)), OrderCancel(ident, "changed_mind"), ()),
        ]  # fmt: skip

    def _accepted(self, ident: bytes, order: Order) -> list[Step]:
        chain, chance = self.chain, self.chance
        seller, buyer = self._sides(order)
        payments, vehicle = payments_of(self.state, order), self.state["vehicle"][order.vin]
        hand = self._handover(ident, order, payments, seller, buyer)
        ending = [self._cancels(ident, order)]
        if chance.random() < (0.25 if self._borne_out(order) else 0.02):
            return ending
        if chance.random() < 0.015:
            value = self._driven()
            hit = accident(chain, value, order.vin, "structural")
            return [("insurer-1", hit, ()), ("police-1", FlagSet(order.vin, "stolen", None), ())]
        if final_amount(order, payments, chain.now) >= in_money(order.terms) and chance.random() < 0.85:
            is_known = material(chain, order.vin) == order.agreed_root and vehicle.verdict == order.agreed_verdict
            return [hand] if is_known else [(buyer, acknowledging(chain, ident), ()), hand]
        pays = self._pays(ident, order, payments, buyer)
        return (
            pays * 8 + [hand] + self._deliveries(ident, order, seller, buyer)
            + ([self._amend(ident, order, seller, buyer)] if chance.random() < 0.5 else [])
            + ending * (chance.random() < 0.3)
        )  # fmt: skip

    def _handover(self, ident: bytes, order: Order, payments: list[Payment], seller: str, buyer: str) -> Step:
        chance, finance, driven = self.chance, order.terms.finance, self._driven()
        promises = finance is not None and chance.random() < 0.3
        body = handing(
            self.chain, ident, driven, driven, promises=promises,
            confirms_shared=any(payment.shared for payment in payments) and chance.random() < 0.8,
            paid_off=self._banks(order.vin),
            trade_paid_off=self._banks(order.terms.trade_in.vin) if order.terms.trade_in is not None else (),
        )  # fmt: skip
        others = [seller, *(NAMES[bank] for bank in (*body.paid_off, *body.trade_paid_off))]
        if order.terms.trade_in is not None:
            others.append(NAMES[order.terms.trade_in.taker])
        if finance is not None and (promises or finance.title_to == "lender"):
            others.append(NAMES[finance.lender])
        return seller, body, tuple(dict.fromkeys((*others[1:], buyer)))

    def _banks(self, vin: str) -> tuple[bytes, ...]:
        """The banks that have a lien on the car."""
        return tuple(sorted({flag.setter for flag in self.state["vehicle"][vin].flags if flag.name == "lien"}))

    def _driven(self) -> int:
        return (self.chain.now - START_MS) // HOUR_MS

    def _pays(self, ident: bytes, order: Order, payments: list[Payment], buyer: str) -> list[Step]:
        found = []
        for place, part in enumerate(order.terms.legs):
            left = part.amount - sum(occupied(payment) for payment in payments if payment.leg == place)
            if left > 0 and part.provider is not None:
                half = max(1, left // 2)
                amount = left if self.chance.random() < 0.8 else self.chance.choice((1, half, half, part.amount))
                found.append(self._initiate(ident, place, part, replace(order.price, amount=amount), buyer))
        return found

    def _initiate(self, ident: bytes, place: int, part: Leg, amount: Money, buyer: str) -> Step:
        scheme = self.chance.choice(sorted(RAIL_RULES[part.rail].schemes) or ["sct"])
        return buyer, PaymentInitiate(ident, place, scheme, amount), ()

    def _amend(self, ident: bytes, order: Order, seller: str, buyer: str) -> Step:
        agreed, last = order.terms, len(order.terms.legs) - 1
        match self.chance.randrange(5):
            case 0 if last < 7 and agreed.legs[last].amount > 1 and agreed.legs[last].kind != "trade_in":
                part = agreed.legs[last]
                half = part.amount // 2
                rest = replace(part, amount=part.amount - half, kind="balance" if part.kind != "finance" else "finance")
                agreed = replace(agreed, legs=(*agreed.legs[:last], replace(part, amount=half), rest))
            case 1 if agreed.trade_in is not None:
                trade_in = agreed.trade_in
                agreed = replace(agreed, trade_in=replace(trade_in, material_root=material(self.chain, trade_in.vin)))
            case 2:
                agreed = self._terms(self.state["listing"][order.listing.hex()], buyer)
            case 3 if last and agreed.finance is None and agreed.trade_in is None:  # two parts become one
                *others, former, part = agreed.legs
                agreed = replace(agreed, legs=(*others, replace(former, amount=former.amount + part.amount)))
            case _:
                agreed = replace(agreed, cancel_fee=agreed.price.amount // 100)
        lenders = [f.lender for f in (order.terms.finance, agreed.finance) if f is not None]
        others = [NAMES[who] for who in lenders] if order.terms.finance != agreed.finance else []
        return seller, OrderAmend(ident, agreed), tuple(dict.fromkeys((buyer, *others)))

    def _cancels(self, ident: bytes, order: Order) -> Step:
        """Most of them for a reason that there is."""
        chance = self.chance
        seller, buyer = NAMES[order.seller], NAMES[order.buyer]
        if chance.random() < 0.2:
            return chance.choice((buyer, seller)), OrderCancel(ident, chance.choice(CANCEL_REASONS[1:])), ()
        kept = chance.choice((0, max(0, order.net) // 10))
        found: list[Step] = [
            (seller, OrderCancel(ident, "mutual", kept), (buyer,)), (buyer, OrderCancel(ident, "changed_mind"), ()),
            (seller, OrderCancel(ident, "seller_default"), ()),
        ]  # fmt: skip
        found += [(buyer, OrderCancel(ident, reason), ()) for reason in self._borne_out(order)] * 6
        overdue = [
            place for place, part in enumerate(order.terms.legs) if part.rail != "trade_in"
            and self.chain.now > order.accepted_at_ms + part.due_ms + 3 * DAY_MS
            and sum(net_of(p) for p in payments_of(self.state, order) if p.leg == place) < part.amount
        ]  # fmt: skip
        found += [(seller, OrderCancel(ident, "buyer_default"), ())] * (3 if overdue else 0)
        return chance.choice(found)

    def _borne_out(self, order: Order) -> list[CancelReason]:
        """Reasons of a buyer that there are now."""
        now, vehicle = self.chain.now, self.state["vehicle"][order.vin]
        credit = [p for p in payments_of(self.state, order) if p.rail == "finance" and p.is_closed and not net_of(p)]
        holds: dict[CancelReason, bool] = dict(
            late_delivery=0 < order.terms.deliver_by_ms < now, refused=order.refused_at_ms > 0,
            vehicle_changed=material(self.chain, order.vin) != order.agreed_root, financing_failed=bool(credit),
            vehicle_lost=any(flag.name == "stolen" for flag in vehicle.flags), time_over=now >= order.until_ms,
        )  # fmt: skip
        return [reason for reason, is_so in holds.items() if is_so]

    def _deliveries(self, ident: bytes, order: Order, seller: str, buyer: str) -> list[Step]:
        chance, now, stage = self.chance, self.chain.now, order.delivery_stage
        site, carrier = ("MUC-1", "carrier-1") if seller == "dealer-munich" else ("", "carrier-1")
        window = (now + chance.choice((HOUR_MS, DAY_MS)), now + 2 * DAY_MS)
        plan: Step = (seller, DeliverySchedule(ident, site, *window, address(carrier)), ())
        if not stage:
            return [plan]
        if order.refused_at_ms and chance.random() < 0.6:  # most wait instead of letting it be brought again
            return [(buyer, OrderCancel(ident, "refused"), ())]
        if stage == "scheduled" and not order.is_window_confirmed:
            return [(buyer, DeliveryConfirm(ident, order.deliveries - 1), ())]
        following = dict(scheduled="no_show" if now > order.window_to_ms else "picked_up",
                         picked_up="in_transit", in_transit="arrived").get(stage)  # fmt: skip
        if following is None:
            reason = chance.choice(("damage", "documents_missing"))
            return [(buyer, DeliveryRefuse(ident, reason), ())] if stage == "arrived" else [plan]
        read: Odometer | None = chance.choice((None, km(self._driven())))
        event = DeliveryEvent(ident, following, "", now, read, chance.random() < 0.1)  # type: ignore[arg-type]
        return [(seller if following == "no_show" else carrier, event, ())]

    def _ended(self, ident: bytes, order: Order) -> list[Step]:
        chain, (seller, buyer) = self.chain, self._sides(order)
        owner, found = NAMES[order.seller], list[Step]()
        payments = payments_of(self.state, order)
        debts = debts_of(order, payments, chain.now, REFUND_MS)
        found += [(NAMES[debt.creditor], OrderClaimRefund(ident), ()) for debt in debts
                  if debt.due_ms <= chain.now or self.chance.random() < 0.1] * 2  # fmt: skip
        found += [(NAMES[debt.creditor], ClaimRelease(ident, order.seller, replace(debt.amount, amount=1)), ())
                  for debt in debts if self.chance.random() < 0.05]  # fmt: skip
        own = [claim for claim in self._claims(ident) if claim.debtor == order.buyer]
        parts = [part for part in order.terms.legs if part.provider is not None and part.kind != "finance"]
        owed = sum(claim.amount.amount for claim in own)
        owed -= sum(p.amount.amount - net_of(p) for p in payments if p.leg == CLAIM_LEG and not p.is_closed)
        if owed > 0 and parts:
            amount = replace(order.price, amount=self.chance.choice((owed, owed, 1)))
            found += [self._initiate(ident, CLAIM_LEG, parts[0], amount, buyer)] * 4
        if order.status in ("completed", "withdrawn", "returned"):
            return found
        both = (buyer,) if self.chance.random() < 0.9 else ()
        return [*found, (owner if order.agent is None else seller, reinstating(chain, ident), both)]

    def _claims(self, ident: bytes) -> tuple[Any, ...]:
        found = self.state["order-claims"].get(ident.hex())
        return found.entries if found is not None else ()
