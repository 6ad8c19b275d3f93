"""Frauds of a sale: a car sold twice, a payment that never was, a title that nobody paid for."""

from __future__ import annotations

from typing import Final

from support.life import attest

from fleet_simulation.cars import Case
from fleet_simulation.genesis import TRADE
from fleet_simulation.selling import Deal
from fleet_simulation.world import World, body_of, happens
from node.ledger.body import TransactionBody
from node.limits import DAY_MS

SHARE: Final = 0.01
"""Of the resales, each. Our assumption."""
DOUBLE: Final = "double sale"
FAKE_PAYMENT: Final = "fake payment"


def attempt(world: World, deal: Deal, at_ms: int) -> None:
    """What a dishonest party tries once the car is reserved and before it is paid."""
    chance = world.chance(f"{deal.car.number}/sale fraud/{at_ms}")
    if not deal.sale.is_resale:
        return
    if happens(chance, SHARE):
        _tried(world, deal, DOUBLE, [
            (deal.seller, body_of("listing.create", vin=deal.car.vin, price=deal.price, tax=deal.tax(),
                                  contracts=deal.contracts(), expires_at_ms=world.now + 90 * DAY_MS,
                                  rails=deal.rails(), discloses=()), ()),
            (chance.choice(TRADE.dealers[deal.car.city]), deal.offer_of(world), ()),
            (deal.seller, deal.accept_of(), ()),
        ])  # fmt: skip
    if happens(chance, SHARE):
        payment = body_of("payment.initiate", order=deal.order, amount=deal.price)
        settled = attest(world.chain, deal.order, reference=deal.order, amount=deal.price)
        _tried(world, deal, FAKE_PAYMENT, [
            (deal.seller, deal.handover_of(), (deal.buyer,)), (deal.seller, payment, ()), (deal.buyer, settled, ()),
        ])  # fmt: skip


def _tried(world: World, deal: Deal, kind: str, steps: list[tuple[str, TransactionBody, tuple[str, ...]]]) -> None:
    """Every step must be refused; the case counts as found if all are."""
    case = world.add_case(Case(kind, deal.car.vin, world.now))
    case.visible_ms = world.now
    refused = [world.send(sender, body, *cosigners, side="fraud").refused for sender, body, cosigners in steps]
    case.facts["attempts"], case.facts["accepted"] = len(refused), sum(not codes for codes in refused)
    if all(refused):
        case.found_ms, case.found_by = world.now, "refused"
