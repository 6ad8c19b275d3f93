"""Steps that a sale hardly ever takes: each leads to a refusal that chance alone would seldom meet.

A walk takes one now and then, for a refusal that it has not met yet. Some refusals need many steps of one kind, such as
32 events of one delivery; a walk of a seed climbs towards one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any

from msgspec.structs import replace

from node.ledger.fields import Money
from node.txtypes.disputes.order_dispute import Decision
from node.txtypes.disputes.order_dispute_types import OrderDisputeClose, OrderResolve, OrderRespond
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.payment.attesting import PaymentAttest
from node.txtypes.sale.deal import Fee
from node.txtypes.sale.delivery import DeliveryEvent, DeliverySchedule
from node.txtypes.sale.listing import Listing, status_now
from node.txtypes.sale.listing_types import ListingUpdate
from node.txtypes.sale.negotiation import OrderCounter
from node.txtypes.sale.order import Order, is_live
from node.txtypes.sale.payments import Reference
from node.txtypes.sale.returning import OrderReturn
from support.chain import DAY_MS, HOUR_MS, START_MS, Chain, address
from support.dealing import AGENT, BUYERS, TRADERS, VINS, Dealing, accepted_rail, tax_of
from support.deals import acknowledging, handing, leg, material
from support.disputing import ARBITERS
from support.life import PRICE, km, listing, offer, register, terms
from support.paying import NAMES, State, Step
from support.specimens import specimen

OPTION = "S205A"
BUILT_VINS = tuple(f"WBA8E9G50GNU1235{n}" for n in range(3))
"""Cars that are built to order."""
Found = list[Step]


class Rarely:
    """`state` is what the parties see; `dealing` makes the terms that others would agree on."""

    def __init__(self, seed: int, chance: Random, chain: Chain, dealing: Dealing) -> None:
        self.chance, self.chain, self.dealing = chance, chain, dealing
        self.climb = list(CLIMBS)[seed % len(CLIMBS)]
        self.state: State = {}

    def step(self, met: Collection[str]) -> Found:
        """Towards a refusal that is none of `met`."""
        is_over = self.climb in met and self.climb != "build_differs"
        if self.chance.random() < 0.75 and not is_over:
            return CLIMBS[self.climb](self)
        code = self.chance.choice([code for code in TRIES if code not in met] or list(TRIES))
        return TRIES[code](self)

    # --- what there is --------------------------------------------------------------------------------------------
    def _orders(self, *statuses: str) -> list[tuple[bytes, Order]]:
        now = self.chain.now
        known = [(bytes.fromhex(i), o) for i, o in self.state["order"].items() if o.status in statuses and o.vin]
        return [(ident, order) for ident, order in known if order.status == "completed" or is_live(order, now)]

    def _order(self, *statuses: str) -> Iterator[tuple[bytes, Order]]:
        """One at random; none where there is none."""
        found = self._orders(*statuses)
        if found:
            yield self.chance.choice(found)

    def _open(self) -> Iterator[tuple[bytes, Listing]]:
        """An open listing of a car."""
        cars, now = self.state["vehicle"], self.chain.now
        known = [
            (bytes.fromhex(i), one) for i, one in self.state["listing"].items() if one.vin and one.status == "open"
        ]
        found = [(i, one) for i, one in known if status_now(i, one, cars.get(one.vin), now) == "open"]
        if found:
            yield self.chance.choice(found)

    def _free(self, *holders: str) -> Iterator[tuple[str, str]]:
        """A car off the market and its holder."""
        cars = [(vin, NAMES[car.holder]) for vin, car in self.state["vehicle"].items() if car.market.status == "off"]
        found = [(vin, holder) for vin, holder in cars if not holders or holder in holders]
        if found:
            yield self.chance.choice(found)

    def _disputes(self) -> Iterator[tuple[bytes, Any, Order]]:
        for ident, dispute in self.state["order-dispute"].items():
            if not dispute.closed_at_ms:
                yield bytes.fromhex(ident), dispute, self.state["order"][dispute.order.hex()]

    def _offered(self, ident: bytes, found: Listing, buyer: str = "", **changes: Any) -> Step:
        buyer = buyer or self.chance.choice(BUYERS)
        body = offer(self.chain, ident, terms=self.dealing._terms(found, buyer))
        return buyer, replace(body, **changes), ()

    # --- listings and offers ----------------------------------------------------------------------------------------
    def equipment(self) -> Found:
        return [
            (who, self.dealing._listing(vin, who, configuration=("S999Z",)), ()) for vin, who in self._free(*TRADERS)
        ]

    def providers(self) -> Found:
        rails = (AcceptedRail("bank_transfer", ()),)
        return [(who, self.dealing._listing(vin, who, rails=rails), ()) for vin, who in self._free(*TRADERS)]

    def mandate(self) -> Found:
        """An agent whose rails are less strict than its principal has allowed, and one without a mandate."""
        rails = (accepted_rail("bank_transfer", allow_sponsored=True), accepted_rail("card"))
        idents = [bytes.fromhex(ident) for ident in self.state["mandate"]] + [bytes(32)]
        made = [(vin, who, self.chance.choice(idents)) for vin, who in self._free(*TRADERS)]
        return [(AGENT, self.dealing._listing(vin, who, mandate=ident, rails=rails), ()) for vin, who, ident in made]

    def options(self) -> Found:
        return [self._offered(ident, found, options=("S999Z",)) for ident, found in self._open()]

    def unknown(self) -> Found:
        """Of things that there are not."""
        nothing, found = self.chance.randbytes(32), dict(listing=bytes(32), order=bytes(32))
        tags = ("listing.withdraw", "order.reject", "payment.declare", "order.close", "order.offer", "order.dispute")
        ids = dict.fromkeys((*found, "payment", "order_dispute"), nothing)
        tag = self.chance.choice(tags)
        return [("buyer-1", specimen(tag, self.chain, ids), ()), ("bmw", listing(self.chain, "WBA8E9G50GNU99999"), ())]

    def unfit_terms(self) -> Found:
        found: Found = []
        for ident, one in self._open():
            buyer = self.chance.choice(BUYERS)
            good = self.dealing._terms(one, buyer)
            price, first = good.price.amount, good.legs[0]
            half = replace(first, amount=first.amount // 2, due_ms=9 * DAY_MS)
            bad: list[dict[str, Any]] = [
                dict(fees=(Fee("TRANSPORT", price + 1),)), dict(cancel_fee=price // 2), dict(reserve_ms=200 * DAY_MS),
                dict(legs=(half, replace(first, amount=first.amount - half.amount, due_ms=DAY_MS), *good.legs[1:])),
                dict(tax=replace(good.tax, amount=price + 1)), dict(price=Money(0, good.price.currency)),
                dict(legs=(replace(first, amount=first.amount + 1), *good.legs[1:])),
                dict(legs=(replace(first, kind="finance"), *good.legs[1:])),
                dict(legs=(*good.legs[:-1], replace(good.legs[-1], due_ms=good.reserve_ms + 1))),
            ]  # fmt: skip
            found += [(buyer, offer(self.chain, ident, terms=replace(good, **changes)), ()) for changes in bad]
        return found

    def related(self) -> Found:
        """An arbiter who buys a car himself."""
        return [self._offered(*one, "arbiter-1") for one in self._open()]

    def self_dealing(self) -> Found:
        return [(AGENT, offer(self.chain, ident, terms=self.dealing._terms(found, AGENT)), ())
                for ident, found in self._open() if found.agent is not None]  # fmt: skip

    # --- cars that cannot be sold ---------------------------------------------------------------------------------
    def of_car(self) -> Found:
        """Something that blocks a sale. Only the last cars are lost or fail an inspection, so that the others go on."""
        chance, found = self.chance, list[Step]()
        driven = km((self.chain.now - START_MS) // HOUR_MS)
        for vin, who in self._free():
            on = dict(vin=vin, odometer=driven, event_at_ms=self.chain.now, holder_signs=False)
            defects = specimen("inspection.record").defects  # type: ignore[attr-defined]
            failed = tuple(replace(defect, severity="major") for defect in defects)
            if vin not in VINS[-3:]:
                continue
            found += [
                (
                    "inspector-1",
                    specimen("inspection.record", self.chain, **on | dict(defects=failed, holder_signs=True)),
                    (who,),
                )
            ]
            welded = replace(specimen("repair.record").operations[0], method="weld")  # type: ignore[attr-defined]
            repaired = on | dict(operations=(welded,), holder_signs=True)
            found += [("workshop-berlin", specimen("repair.record", self.chain, **repaired), (who,))]
            if vin in VINS[-2:] and who in TRADERS:
                gone = chance.choice(("vehicle.total_loss", "vehicle.scrap"))
                sender = "insurer-1" if gone == "vehicle.total_loss" else "dismantler-1"
                found += [(sender, specimen(gone, self.chain, **on | dict(holder_signs=True)), (who,))] * 3
        return found

    def stopped(self) -> Found:
        """A car that must not be driven, or may be lost, while it is sold."""
        found: Found = []
        for ident, order in self._order("accepted"):
            opened = specimen("recall.open", self.chain, recall_class="stop_drive")
            found += [("bmw", opened, ()), ("bmw", specimen("recall.extend", self.chain, vins=(order.vin,)), ())]
            if order.vin in VINS[-3:]:
                on = dict(vin=order.vin, event_at_ms=self.chain.now, holder_signs=False)
                found += [("insurer-1", specimen("vehicle.total_loss", self.chain, **on), ())]
            driven = (self.chain.now - START_MS) // HOUR_MS
            found += [(NAMES[order.seller], handing(self.chain, ident, driven, driven), (NAMES[order.buyer],))] * 3
        return found

    def sells(self) -> Found:
        """The sale of a car that something may block."""
        return [(who, self.dealing._listing(vin, who, discloses=()), ()) for vin, who in self._free(*TRADERS)]

    # --- accepted orders --------------------------------------------------------------------------------------------
    def acknowledged(self) -> Found:
        return [(NAMES[o.buyer], acknowledging(self.chain, ident), ()) for ident, o in self._order("accepted")]

    def handed(self) -> Found:
        """With a bank that has no lien, with a promise of nobody, without a reading, with another car."""
        driven, found = (self.chain.now - START_MS) // HOUR_MS, list[Step]()
        for ident, order in self._order("accepted"):
            hand, names = handing(self.chain, ident, driven, driven), (NAMES[order.buyer],)
            changes: list[tuple[dict[str, Any], tuple[str, ...]]] = [
                (dict(paid_off=(address("bank-1"),)), (*names, "bank-1")), (dict(promises=True), names),
                (dict(odometer=None), names),
                (dict(trade_odometer=km(driven, "mi")), names),
                (dict(event_at_ms=self.chain.now - 90 * HOUR_MS), names),
                (dict(trade_odometer=km(1), trade_material_root=bytes(32)), names),
            ]  # fmt: skip
            found += [(NAMES[order.seller], replace(hand, **change), signers) for change, signers in changes]
        return found

    def delivered(self) -> Found:
        now, found = self.chain.now, list[Step]()
        for ident, order in self._order("accepted"):
            window = (now + HOUR_MS, now + DAY_MS)
            found += [(NAMES[order.seller], DeliverySchedule(ident, "X-9", *window, address("carrier-1")), ())]
        return found

    def returned(self) -> Found:
        found: Found = []
        for ident, order in self._order("completed"):
            driven = km((self.chain.now - START_MS) // HOUR_MS)
            others = [NAMES[order.seller], *([NAMES[order.terms.finance.lender]] if order.terms.finance else [])]
            body = OrderReturn(ident, "goodwill", driven, self.chain.now, material(self.chain, order.vin), 10**9)
            found.append((NAMES[order.buyer], body, tuple(others)))
            if order.terms.trade_in is None:
                back = replace(body, deduction=0, trade_in_back=True, trade_odometer=driven)
                found.append((NAMES[order.buyer], back, tuple(others)))
        return found

    def attested(self) -> Found:
        """Without a reference, or with a UETR of no form."""
        found: Found = []
        waiting = [(i, one) for i, one in self.state["payment"].items() if not one.is_closed]
        for ident, one in [self.chance.choice(waiting)] if waiting else []:
            kind = "settled" if one.rail != "card" else "captured"
            references = (None, Reference(self.chance.randbytes(32), bytes(16)))
            amount = replace(one.amount, amount=self.chance.choice((1, 3 * one.amount.amount)))
            found += [
                (
                    NAMES[one.provider],
                    PaymentAttest(bytes.fromhex(ident), one.sequence, kind, amount, "", reference, self.chain.now),
                    (),
                )
                for reference in references
            ]  # type: ignore[arg-type]
        return found

    def disputed(self) -> Found:
        """Too early, too late, and what cannot be decided."""
        found: Found = []
        for ident, dispute, order in self._disputes():
            other = order.seller if dispute.opener == order.buyer else order.buyer
            unfit = self.chance.choice((Decision("claim", 0, "seller"), Decision("resume", 1, "")))
            arbiter = self.chance.choice(ARBITERS)
            found += [
                (NAMES[other], OrderRespond(ident, ()), ()), ("bmw", OrderDisputeClose(ident), ()),
                (arbiter, OrderResolve(ident, unfit), ()),
                (arbiter, OrderResolve(ident, Decision("resume", 0, "")), ()),
            ]  # fmt: skip
        return found

    # --- cars that are built to order ---------------------------------------------------------------------------------
    def built(self) -> Found:
        """The whole course of such a sale, and what does not fit it."""
        chain, chance, found = self.chain, self.chance, list[Step]()
        orders = [(bytes.fromhex(i), o) for i, o in self.state["order"].items() if o.status == "accepted" and o.options]
        live = [(ident, order) for ident, order in orders if is_live(order, chain.now)]
        for ident, order in live[-2:]:
            if not order.vin:
                cars = [*(vin for vin in BUILT_VINS if vin in self.state["vehicle"]), VINS[0]]
                found += [("bmw", register(vin, configuration=(OPTION,)), ()) for vin in BUILT_VINS[: len(cars)]]
                found += [("bmw", specimen("order.assign_vin", chain, dict(order=ident), vin=vin), ()) for vin in cars]
                found += [(NAMES[order.buyer], acknowledging(chain, ident), ())]
            place = chance.randrange(len(order.terms.legs))
            amount = replace(order.price, amount=order.terms.legs[place].amount)
            pay = specimen("payment.initiate", chain, dict(order=ident), leg=place, amount=amount)
            found += [(NAMES[order.buyer], pay, ()), (NAMES[order.buyer], acknowledging(chain, ident), ())]
        offered = [(i, o) for i, o in self.state["order"].items() if o.status == "offered" and o.options]
        for ident, order in offered[-2:]:
            body = specimen("order.accept", chain, dict(order=bytes.fromhex(ident)), material_root=bytes(32))
            found += [("bmw", body, (NAMES[order.buyer],))] * 2
        if (known := self._to_be_built()) is not None:
            ident, one = known
            price = replace(PRICE, amount=PRICE.amount + 220_000)
            legs = (leg(price.amount // 10, kind="deposit", days=1), leg(price.amount - price.amount // 10, days=20))
            agreed = terms(price, legs=legs, tax=tax_of(price, "bmw"), contract="on_premises")
            options = chance.choice(((OPTION,), (OPTION,), ("S999Z",)))
            buyer = specimen("order.offer", chain, dict(listing=ident), terms=agreed, options=options)
            found += [("buyer-1", replace(buyer, listing_version=one.version), ())] * 2
        return found or [("bmw", specimen("listing.build", chain), ())]

    # --- climbing ------------------------------------------------------------------------------------------------
    def _to_be_built(self) -> tuple[bytes, Listing] | None:
        """A listing of cars that are built to order: no order closes it."""
        found = [(i, one) for i, one in self.state["listing"].items() if not one.vin and one.status == "open"]
        found = [(i, one) for i, one in found if self.chain.now < one.expires_at_ms]
        return (bytes.fromhex(found[-1][0]), found[-1][1]) if found else None

    def many_versions(self) -> Found:
        if (known := self._to_be_built()) is None:
            return [("bmw", specimen("listing.build", self.chain), ())]
        ident, one = known
        until = self.chain.now + 80 * DAY_MS
        return [("bmw", ListingUpdate(ident, one.price, one.tax, one.rails, one.contracts, until), ())]

    def many_rounds(self) -> Found:
        orders = self._orders("offered", "countered")
        found: Found = []
        for ident, order in sorted(orders, key=lambda entry: -entry[1].round)[:1]:
            who = order.buyer if order.turn == "buyer" else order.agent or order.seller
            found.append((NAMES[who], OrderCounter(ident, order.round, order.terms, self.chain.now + 7 * DAY_MS), ()))
        return found or [self._offered(*one) for one in self._open()]

    def many_offers(self) -> Found:
        if (known := self._to_be_built()) is None:
            return [("bmw", specimen("listing.build", self.chain), ())]
        ident, one = known
        made = offer(self.chain, ident, expires_at_ms=self.chain.now + 14 * DAY_MS)
        agreed = terms(one.price, tax=one.tax, contract="business", legs=(leg(one.price.amount),))
        return [("inspector-1", replace(made, terms=agreed), ())]

    def many_deliveries(self) -> Found:
        now, found = self.chain.now, list[Step]()
        for ident, order in sorted(self._orders("accepted"), key=lambda entry: -entry[1].deliveries)[:1]:
            window = (now + HOUR_MS, now + DAY_MS)
            found.append((NAMES[order.seller], DeliverySchedule(ident, "", *window, address("carrier-1")), ()))
        return found

    def many_readings(self) -> Found:
        """A carrier that reads the car on each leg."""
        driven, found = km((self.chain.now - START_MS) // HOUR_MS), list[Step]()
        for ident, order in sorted(self._orders("accepted"), key=lambda entry: -entry[1].deliveries)[:1]:
            stage = "picked_up" if order.delivery_stage == "scheduled" else "in_transit"
            event = DeliveryEvent(ident, stage, "", self.chain.now, driven)  # type: ignore[arg-type]
            found.append((NAMES[order.carrier or order.seller], event, ()))
            if order.delivery_stage not in ("scheduled", "picked_up", "in_transit"):
                return self.many_deliveries()
        return found


TRIES: dict[str, Callable[[Rarely], Found]] = {
    "configuration_differs": Rarely.equipment, "providers_missing": Rarely.providers, "mandate_rails": Rarely.mandate,
    "mandate_unknown": Rarely.mandate, "option_unknown": Rarely.options, "listing_unknown": Rarely.unknown,
    "order_unknown": Rarely.unknown, "payment_unknown": Rarely.unknown, "order_dispute_unknown": Rarely.unknown,
    "vehicle_unknown": Rarely.unknown, "fees_exceed": Rarely.unfit_terms, "cancel_fee_high": Rarely.unfit_terms,
    "hold_exceeds_reserve": Rarely.unfit_terms, "legs_order": Rarely.unfit_terms, "tax_scheme": Rarely.unfit_terms,
    "price_zero": Rarely.unfit_terms, "legs_sum": Rarely.unfit_terms, "legs_kind": Rarely.unfit_terms,
    "self_dealing": Rarely.self_dealing, "unroadworthy": Rarely.of_car, "total_loss": Rarely.of_car,
    "vehicle_ended": Rarely.sells, "arbiter_related": Rarely.related, "trade_in_value": Rarely.handed,
    "recall_stop_drive": Rarely.stopped, "total_loss_provisional": Rarely.stopped, "duty_open": Rarely.of_car,
    "nothing_to_acknowledge": Rarely.acknowledged, "flag_absent": Rarely.handed,
    "promise_unfit": Rarely.handed, "odometer_missing": Rarely.handed, "event_not_now": Rarely.handed,
    "trade_in_unready": Rarely.handed, "site_unknown": Rarely.delivered, "deduction_high": Rarely.returned,
    "trade_in_gone": Rarely.returned, "reference_missing": Rarely.attested, "payment_reference_form": Rarely.attested,
    "payment_amount": Rarely.attested, "answer_past": Rarely.disputed, "votes_not_open": Rarely.disputed,
    "votes_open": Rarely.disputed, "decision_unfit": Rarely.disputed, "vin_missing": Rarely.built,
    "build_differs": Rarely.built,
}  # fmt: skip
"""Refusal to the steps that lead to it."""
CLIMBS: dict[str, Callable[[Rarely], Found]] = {
    "listing_versions_full": Rarely.many_versions, "rounds_full": Rarely.many_rounds,
    "offers_live": Rarely.many_offers, "deliveries_full": Rarely.many_deliveries,
    "reports_on_vehicle": Rarely.many_readings, "readings_today": Rarely.many_readings, "build_differs": Rarely.built,
}  # fmt: skip
"""Refusal to a step of which many lead to it."""
