"""The sale of the story's car: offers that come to nothing, then an order that is cancelled, revived and completed."""

from __future__ import annotations

from hashlib import sha256

from msgspec.structs import replace

from node.ledger.fields import Money
from node.txtypes.payment.giving_back import PaymentConfirmRefund, PaymentReassign, PaymentRefund
from node.txtypes.payment.initiating import PaymentDeclare
from node.txtypes.sale.changes import OrderAmend, OrderReinstate
from node.txtypes.sale.deal import Fee, Finance, Leg, Terms, TradeIn
from node.txtypes.sale.delivery import DeliveryConfirm, DeliveryEvent, DeliveryRefuse, DeliverySchedule
from node.txtypes.sale.ending import OrderCancel, OrderClaimRefund
from node.txtypes.sale.listing_types import ListingUpdate, ListingWithdraw
from node.txtypes.sale.negotiation import OrderCounter, OrderReject
from node.txtypes.sale.payments import Reference
from node.txtypes.service.damage import Damage
from node.txtypes.vehicle.vehicle import VEHICLE, material_root
from support.chain import DAY_MS, HOUR_MS, address
from support.life import (
    PRICE,
    VIN,
    accept,
    accident,
    acknowledge,
    attest,
    handover,
    initiate,
    km,
    listing,
    offer,
    terms,
)
from support.played import Story
from support.specimens import specimen

LISTED = Money(5_390_000, "EUR")
COUNTERED = Money(5_340_000, "EUR")
DEPOSIT, FEE, REFUNDED = 529_000, 100_000, 300_000
TRADED = VIN[:-1] + "6"
UETR = bytes.fromhex("eb6305c91f7f49deaed016487c27b42d")


def _legs() -> tuple[Leg, ...]:
    """A deposit, and the balance a week later."""
    [balance] = terms().legs
    deposit = replace(balance, kind="deposit", amount=DEPOSIT, due_ms=DAY_MS)
    return deposit, replace(balance, amount=PRICE.amount - DEPOSIT)


def financed() -> Terms:
    """Terms with every part: a fee, a deposit by transfer, a car in payment, a credit whose lender gets a lien."""
    deposit, _ = _legs()
    bank = address("bank-1")
    car = Leg("trade_in", "trade_in", None, "direct", 1_200_000, 0)
    credit = Leg("finance", "finance", bank, "direct", PRICE.amount - DEPOSIT - car.amount, 14 * DAY_MS)
    return terms(
        fees=(Fee("REGISTRATION", 12_000),), legs=(car, deposit, credit), text=sha256(b"contract-2026-1").digest(),
        trade_in=TradeIn(TRADED, address("dealer-munich"), 60_000, sha256(b"shown").digest(), None),
        finance=Finance(bank, "buyer", True),
    )  # fmt: skip


def market(story: Story) -> None:
    """A listing with a lower price; a counter-offer that is rejected, an offer that is taken back."""
    chain = story.chain
    first = story.do("dealer-munich", listing(chain, price=LISTED))
    lowered = specimen("listing.update", chain, {"listing": first}, price=PRICE, expires_at_ms=chain.now + 20 * DAY_MS)
    assert isinstance(lowered, ListingUpdate)
    story.do("dealer-munich", lowered)
    rejected = story.do(
        "buyer-2", offer(chain, first, terms=terms(contract="distance")), name="order.offer that is countered"
    )  # fmt: skip
    counter = terms(COUNTERED, contract="distance", cancel_fee=10_000)
    story.do("dealer-munich", OrderCounter(rejected, 0, counter, chain.now + 2 * DAY_MS))
    story.do("buyer-2", OrderReject(rejected, 1))
    cancelled = story.do("buyer-1", offer(chain, first, terms=financed()), name="order.offer that is cancelled")
    story.do("buyer-1", OrderCancel(cancelled, "changed_mind"), name="order.cancel of an offer")
    story.do("dealer-munich", ListingWithdraw(first))


def purchase(story: Story) -> None:
    """An order with a deposit. The buyer changes its mind, claims what is overdue, and buys the car in the end."""
    chain = story.chain
    listed = story.do("dealer-munich", listing(chain), name="listing.create again")
    agreed = terms(legs=_legs())
    order = story.do("buyer-1", offer(chain, listed, terms=agreed))
    story.do("dealer-munich", accept(chain, order), "buyer-1")
    story.do("dealer-munich", OrderAmend(order, replace(agreed, cancel_fee=FEE)), "buyer-1")
    hit = accident(
        chain,
        156,
        damages=(Damage("front", "cosmetic"), Damage("bonnet", "bolt_on")),
        case=sha256(b"CASE-2026-1").digest(),
    )
    story.do("workshop-berlin", hit)
    story.do("buyer-1", acknowledge(chain, order))
    _given_up(story, order)
    _revived(story, order)
    _delivered(story, order)
    story.do("dealer-munich", handover(chain, order), "buyer-1")


def _given_up(story: Story, order: bytes) -> None:
    chain, deposit = story.chain, Money(DEPOSIT, "EUR")
    payment = story.do("buyer-1", initiate(order, deposit))
    story.do("buyer-1", PaymentDeclare(payment, UETR))
    reference = Reference(sha256(b"deposit").digest(), UETR)
    for kind in ("pending", "settled"):
        attested = replace(attest(chain, payment, kind, amount=deposit), reference=reference)
        story.do("payment-provider-1", attested, name=f"payment.attest {kind}")
    story.do("buyer-1", OrderCancel(order, "changed_mind"))
    story.do("dealer-munich", PaymentRefund(payment, Money(REFUNDED, "EUR")))
    refunded = attest(chain, payment, "refunded", b"refund-1", amount=Money(REFUNDED, "EUR"))
    story.do("payment-provider-1", refunded, name="payment.attest refunded")
    story.wait(15)
    story.do("buyer-1", OrderClaimRefund(order))
    story.do("buyer-1", PaymentConfirmRefund(payment, Money(DEPOSIT - FEE - REFUNDED, "EUR")))


def _revived(story: Story, order: bytes) -> None:
    chain = story.chain
    shown = material_root(VIN, chain.state(VEHICLE, VIN))
    story.do("dealer-munich", OrderReinstate(order, chain.now + 20 * DAY_MS, shown), "buyer-1")
    rest = Money(DEPOSIT - FEE, "EUR")
    first = story.do("buyer-1", initiate(order, rest), name="payment.initiate of the rest of the deposit")
    settled = attest(chain, first, reference=b"rest", amount=rest)
    story.do("payment-provider-1", settled, name="payment.attest of the rest of the deposit")
    balance = Money(PRICE.amount - DEPOSIT, "EUR")
    payment = story.do("buyer-1", initiate(order, balance, leg=1), name="payment.initiate of the balance")
    story.do("buyer-1", PaymentReassign(payment, address("bank-1")), "dealer-munich")
    story.do("bank-1", attest(chain, payment, reference=b"balance", amount=balance))


def _delivered(story: Story, order: bytes) -> None:
    chain = story.chain
    window = (chain.now + HOUR_MS, chain.now + 5 * HOUR_MS)
    story.do("dealer-munich", DeliverySchedule(order, "MUC-1", *window, address("carrier-1")))
    story.do("buyer-1", DeliveryConfirm(order, 0))
    story.do("carrier-1", DeliveryEvent(order, "picked_up", "MUC-1", chain.now, None), name="delivery.event pick-up")
    story.do("dealer-munich", DeliveryEvent(order, "arrived", "MUC-1", chain.now, km(158)))
    story.do("buyer-1", DeliveryRefuse(order, "documents_missing"))
