"""Selling a car: wholesale, retail, resale between private people and through dealers, step by step on the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from support.life import attest

from fleet_simulation.cars import Car
from fleet_simulation.genesis import PROVIDER, TRADE
from fleet_simulation.producing import Outcome
from fleet_simulation.registering import move_abroad, register
from fleet_simulation.world import (
    YEAR_MS,
    Behaviour,
    Sale,
    Tamper,
    World,
    after,
    body_of,
    happens,
    reading,
    where,
    workshop_of,
)
from node.ledger.body import TransactionBody
from node.ledger.fields import Money
from node.limits import DAY_MS
from node.txtypes.members.accepted_rail import AcceptedRail
from node.txtypes.members.member import MEMBER
from node.txtypes.sale.deal import Leg, Tax, Terms
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.vehicle import VEHICLE, material_root

RESALES_A_YEAR: Final = 0.15
"""A car changes hands about every seven years. Our assumption."""
THROUGH_A_DEALER: Final = 0.5
DEALERS_DRIVE: Final = 20
"""A car in stock is driven a twentieth."""
ATTEMPTS: Final = 45
"""Days that a step of a sale is tried before it is given up."""
DISCLOSED: Final = {
    "verdict_contested": "odometer", "verdict_illogical": "odometer", "unroadworthy": "unroadworthy",
    "duty_open": "duty", "total_loss": "total_loss",
}  # fmt: skip
"""What a seller says of the car after a refusal."""
RESERVED_MS: Final = 60 * DAY_MS
PAID_WITHIN_MS: Final = 7 * DAY_MS
VAT_PER_MILLE: Final = 190


def ownership(world: World, car: Car) -> Behaviour:
    """From the maker to a dealer, from him to the first owner, and on, as long as there is a car."""
    chance = world.chance(f"{car.number}/ownership")
    at_ms = car.at_ms + chance.randrange(2 * DAY_MS, 20 * DAY_MS)
    yield at_ms
    dealer = chance.choice(TRADE.dealers[car.city])
    car.advance(at_ms)
    body = body_of("title.transfer", vin=car.vin, receiver=world.chain.address(dealer), odometer=reading(car.shown),
                   event_at_ms=at_ms)  # fmt: skip
    note = world.tell(car, "bmw", at_ms, reading(car.shown))
    if not world.send("bmw", body, dealer, on_record=note).is_accepted:
        return
    car.owner = dealer
    daily, car.metres_a_day = car.metres_a_day, car.metres_a_day // DEALERS_DRIVE
    at_ms = yield from sold(world, car, chance, at_ms + after(chance, 20 * DAY_MS), world.new_owner(), is_resale=False)
    car.metres_a_day = daily
    register(world, car)
    while not car.is_gone:
        wait = after(chance, YEAR_MS / RESALES_A_YEAR) + 60 * DAY_MS
        drawn = [draw(world, car, chance, at_ms, at_ms + wait) for draw in world.draw_tampering]
        tamper = next(filter(None, drawn), None)
        at_ms += wait
        yield at_ms
        if happens(chance, THROUGH_A_DEALER):
            dealer = chance.choice(TRADE.dealers[car.city])
            is_dealers = happens(chance, 0.7)
            at_ms = yield from sold(world, car, chance, at_ms, dealer, tamper=None if is_dealers else tamper)
            if car.owner != dealer:
                continue
            car.metres_a_day = daily // DEALERS_DRIVE
            at_ms += chance.randrange(5 * DAY_MS, 40 * DAY_MS)
            yield at_ms
            tamper = tamper if is_dealers else None
        seller = car.owner
        at_ms = yield from sold(world, car, chance, at_ms, world.new_owner(), tamper=tamper)
        car.metres_a_day = daily
        if world.plan.regime == "cross_border" and car.owner != seller and not car.is_gone:
            move_abroad(world, car)


def sold(
    world: World, car: Car, chance: Random, at_ms: int, buyer: str, *, is_resale: bool = True,
    tamper: Tamper | None = None,
) -> Iterator[int]:  # fmt: skip
    """A sale from the reading before the listing to the handover; returns when it ended. The owner of the car is
    another then, unless it was given up."""
    yield at_ms
    if car.is_gone and not car.is_wreck:
        return at_ms
    car.advance(at_ms)
    seller, is_wreck = car.owner, car.is_wreck
    if tamper is not None:
        tamper(world, car, seller, at_ms)
    deal = Deal(world, car, chance, seller, buyer, Sale(car.vin, is_resale, at_ms))
    if is_resale:
        deal.read(at_ms)
        for attack in world.before_listing:
            attack(world, car, seller, at_ms)
    at_ms += chance.randrange(DAY_MS, 4 * DAY_MS)
    steps: tuple[tuple[Callable[[int], Outcome], int], ...] = (
        (deal.listed, 25), (deal.offered, 2), (deal.accepted, 2), (deal.paid, 1), (deal.settled, 3),
        (deal.handed_over, 1),
    )  # fmt: skip
    world.sales.append(deal.sale)
    for step, wait_days in steps:
        for _ in range(ATTEMPTS):
            yield at_ms
            if car.is_gone != is_wreck:
                return at_ms
            car.advance(at_ms)
            found = step(at_ms)
            if found.is_accepted:
                if step == deal.accepted:
                    for attempt in world.once_reserved:
                        attempt(world, deal, at_ms)
                break
            deal.sale.refused.update(found.refused)
            deal.respond(at_ms, found.refused)
            at_ms += DAY_MS
        else:
            deal.give_up()
            return at_ms
        at_ms += chance.randrange(DAY_MS // 2, (wait_days + 1) * DAY_MS)
    return at_ms


class Deal:
    """The steps of one sale; each sends its transaction at a time and tells what became of it."""

    def __init__(self, world: World, car: Car, chance: Random, seller: str, buyer: str, sale: Sale) -> None:
        self.world, self.car, self.chance, self.seller, self.buyer, self.sale = world, car, chance, seller, buyer, sale
        self.price = Money(chance.randrange(5_000, 60_000) * 100, "EUR")
        self.discloses: set[str] = set()
        self.listing = self.order = self.payment = b""
        self.is_reserved = self.is_settled = False

    def _send(self, sender: str, body: object, *cosigners: str, on_record: object = None) -> Outcome:
        return self.world.send(sender, body, *cosigners, side="sale", on_record=on_record)  # type: ignore[arg-type]

    def read(self, at_ms: int) -> None:
        """A fresh reading, which a listing needs."""
        car, author = self.car, workshop_of(self.chance, self.car)
        body = body_of("odometer.read", vin=car.vin, context="sale", odometer=reading(car.shown), event_at_ms=at_ms,
                       where=where(car, author))  # fmt: skip
        self._send(author, body, on_record=self.world.tell(car, author, at_ms, reading(car.shown)))

    def listed(self, at_ms: int) -> Outcome:
        body = body_of(
            "listing.create", vin=self.car.vin, price=self.price, tax=self.tax(), contracts=self.contracts(),
            expires_at_ms=self.world.now + 150 * DAY_MS, discloses=tuple(sorted(self.discloses)),
            rails=rails_of(self.world),
        )  # fmt: skip
        found = self._send(self.seller, body)
        self.listing = found.txid if found.is_accepted else self.listing
        return found

    def rails(self) -> tuple[AcceptedRail, ...]:
        return rails_of(self.world)

    def _is_trade(self) -> bool:
        member = self.world.chain.state(MEMBER, self.world.chain.address(self.seller))
        return member is not None and any(grant.role in ("dealer", "manufacturer") for grant in member.grants)

    def tax(self) -> Tax:
        if not self._is_trade():
            return Tax("private", 0, 0)
        return Tax("standard", VAT_PER_MILLE, self.price.amount * VAT_PER_MILLE // (1_000 + VAT_PER_MILLE))

    def contracts(self) -> tuple[str, ...]:
        return ("on_premises", "business") if self._is_trade() else ("private",)

    def terms(self) -> Terms:
        """Paid by transfer, in one part, within a week."""
        chain = self.world.chain
        is_member = chain.state(MEMBER, chain.address(self.buyer)) is not None
        contract = "private" if not self._is_trade() else "business" if is_member else "on_premises"
        leg = Leg(
            "balance", "bank_transfer", chain.address(PROVIDER), "direct", self.price.amount, PAID_WITHIN_MS
        )  # fmt: skip
        return Terms(self.price, self.tax(), (), (leg,), None, None, contract, 0, RESERVED_MS, 0, None)

    def shown(self) -> bytes:
        """The material root of the car as it is."""
        return material_root(self.car.vin, self.world.chain.state(VEHICLE, self.car.vin))

    def offer_of(self, world: World) -> TransactionBody:
        """An offer as the listing is now."""
        listing = world.chain.state(LISTING, self.listing)
        root = disclosure_root(self.listing, listing, world.chain.state(VEHICLE, self.car.vin))
        return body_of(
            "order.offer", listing=self.listing, listing_version=listing.version, terms=self.terms(),
            disclosure_root=root, expires_at_ms=world.now + 20 * DAY_MS,
        )  # fmt: skip

    def offered(self, at_ms: int) -> Outcome:
        found = self._send(self.buyer, self.offer_of(self.world))
        self.order = found.txid if found.is_accepted else self.order
        return found

    def accepted(self, at_ms: int) -> Outcome:
        both = (self.buyer,) if self.terms().contract == "on_premises" else ()
        found = self._send(self.seller, self.accept_of(), *both)
        self.is_reserved = found.is_accepted
        return found

    def accept_of(self) -> TransactionBody:
        return body_of("order.accept", order=self.order, round=0, material_root=self.shown())

    def paid(self, at_ms: int) -> Outcome:
        body = body_of("payment.initiate", order=self.order, amount=self.price)
        found = self._send(self.buyer, body)
        self.payment = found.txid if found.is_accepted else self.payment
        return found

    def settled(self, at_ms: int) -> Outcome:
        body = attest(self.world.chain, self.payment, reference=self.payment, amount=self.price)
        found = self._send(PROVIDER, body)
        self.is_settled = found.is_accepted
        return found

    def handover_of(self) -> TransactionBody:
        return body_of(
            "order.handover", order=self.order, odometer=reading(self.car.shown), event_at_ms=self.world.now,
            material_root=self.shown(),
        )  # fmt: skip

    def handed_over(self, at_ms: int) -> Outcome:
        world, car = self.world, self.car
        is_traded = not (self.seller.startswith("owner") and self.buyer.startswith("owner"))
        note = world.tell(car, self.seller, world.now, reading(car.shown), is_judged=is_traded)
        found = self._send(self.seller, self.handover_of(), self.buyer, on_record=note)
        if found.is_accepted:
            car.owner, self.sale.handed_over_ms = self.buyer, world.now
            for case in car.cases:
                case.sold_ms = case.sold_ms or world.now
        return found

    def respond(self, at_ms: int, refused: tuple[str, ...]) -> None:
        """What honest parties do about a refusal: disclose, read anew, offer anew, acknowledge."""
        said = {DISCLOSED[code] for code in refused if code in DISCLOSED}
        is_new = bool(said - self.discloses)
        self.discloses |= said
        if "odometer_stale" in refused:
            self.read(at_ms)
        if self.listing and not self.is_reserved:
            if is_new:
                self._relist()
            if self.order and (is_new or "disclosure_stale" in refused):
                self._send(self.seller, body_of("order.reject", order=self.order, round=0))
                self.offered(at_ms)
        if any("recall" in code or code == "stop_flag" for code in refused):
            self._recalls_done(at_ms)
        if "handover_reading" in refused:  # what contradicts others is judged before the handover
            self.sale.read_again += 1
            self.read(at_ms)
        if self.payment and (said or "acknowledgement_missing" in refused):
            body = body_of("order.acknowledge", order=self.order, material_root=self.shown())
            found = self._send(self.buyer, body)
            self.sale.acknowledged += found.is_accepted

    def _recalls_done(self, at_ms: int) -> None:
        """What a recall keeps from being handed over is repaired."""
        car, world, author = self.car, self.world, workshop_of(self.chance, self.car)
        for recall in world.chain.state(VEHICLE, car.vin).recalls:
            if recall.recall_class in ("stop_drive", "park_outside"):
                body = body_of(
                    "recall.done", vin=car.vin, manufacturer=recall.maker, campaign=recall.campaign, software=None,
                    odometer=reading(car.shown), where=where(car, author), event_at_ms=at_ms,
                )  # fmt: skip
                self._send(author, body, on_record=world.tell(car, author, at_ms, reading(car.shown)))

    def give_up(self) -> None:
        """Take the car off the market as far as the chain lets one; what was paid goes back."""
        self.sale.is_given_up = True
        if self.order:
            self._send(self.buyer, body_of("order.cancel", order=self.order, reason="changed_mind"))
        if self.is_settled:
            back = attest(self.world.chain, self.payment, "refunded", self.order, amount=self.price)
            self._send(PROVIDER, back)
        if self.listing:
            self._send(self.seller, body_of("listing.withdraw", listing=self.listing))

    def _relist(self) -> None:
        body = body_of(
            "listing.update", listing=self.listing, price=self.price, tax=self.tax(), contracts=self.contracts(),
            rails=rails_of(self.world), expires_at_ms=self.world.now + 150 * DAY_MS,
            discloses=tuple(sorted(self.discloses)),
        )  # fmt: skip
        self._send(self.seller, body)


def rails_of(world: World) -> tuple[AcceptedRail, ...]:
    return (AcceptedRail("bank_transfer", (world.chain.address(PROVIDER),)),)
