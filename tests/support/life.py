"""The life of one car, step by step: what the story plays, as bodies for tests."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from node.ledger.fields import Money, Odometer, Where
from node.rules.payment_codes import REASONS_OF_RAIL
from node.rules.rails import NEEDS_CODE, NEEDS_REFERENCE
from node.txtypes.members.member import StatusChange
from node.txtypes.sale.deal import Terms
from node.txtypes.sale.listing import LISTING
from node.txtypes.sale.order_family import ORDER
from node.txtypes.sale.payments import PAYMENT
from node.txtypes.service.damage import Damage
from node.txtypes.service.records import Due, OdometerRead
from node.txtypes.vehicle.activity import Activity
from node.txtypes.vehicle.readings import NO_READINGS, Author, Readings
from node.txtypes.vehicle.regions import Flag
from support.chain import DAY_MS, Chain, address, dev_test_genesis
from support.specimens import Readable, specimen

VIN = "WBA8E9G50GNU12345"
PRICE = Money(5_290_000, "EUR")


def register(vin: str = VIN, **changes):
    return specimen("vehicle.register", vin=vin, **changes)


def km(value: int, unit: str = "km") -> Odometer:
    return Odometer(value, unit, "cluster")


def where(site: str = "", model: str = "330I") -> Where:
    return Where(site, "obd", model)


def read(vin: str, odometer: Odometer, event_at_ms: int, context: str = "reading", **changes) -> OdometerRead:
    tail = dict(event_at_ms=event_at_ms, where=where(), odometer=odometer) | changes
    return OdometerRead(vin, context, **tail)


def flag(name: str, setter: str = "police-1", at_ms: int = 0, *, until_ms: int = 0, is_firm: bool = True) -> Flag:
    return Flag(name, address(setter), "DE", b"", at_ms, until_ms, is_firm, 0)


def read_today(author: bytes, count: int, day: int) -> Readings:
    """The readings of a car without any, of which an author added `count` on a block day."""
    return replace(NO_READINGS, authors=(Author(author, b""),), day=day, activity=(Activity(0, count, 0, 0, 0),))


def changed(status: str, reason: str, at_ms: int = 0) -> tuple[StatusChange, ...]:
    """The history of a grant or a member with one change."""
    return (StatusChange(status, reason, at_ms),) if status != "active" else ()


def maintenance(chain: Readable, value: int = 100, vin: str = VIN, **changes):
    plain = dict(parts=(), next_due=Due(30_000, 0), where=where())
    return specimen("maintenance.record", chain, **dict(vin=vin, odometer=km(value)) | plain | changes)


def accident(chain: Readable, value: int = 120, vin: str = VIN, extent: str = "bolt_on", **changes):
    hit = dict(damages=(Damage("front", extent),), case=None, where=where())
    return specimen("accident.report", chain, **dict(vin=vin, odometer=km(value)) | hit | changes)


def transfer(chain: Readable, receiver: str = "dealer-munich", value: int = 150, vin: str = VIN, **changes):
    moved = dict(vin=vin, receiver=address(receiver), odometer=km(value))
    return specimen("title.transfer", chain, **moved | changes)


def listing(chain: Readable, vin: str = VIN, **changes):
    return specimen("listing.create", chain, vin=vin, **changes)


def offer(chain: Readable, listing_id: bytes, **changes):
    found = chain.state(LISTING, listing_id)
    shown = dict(listing_version=found.version if found else 1)
    return specimen("order.offer", chain, {"listing": listing_id}, **shown | changes)


def terms(price: Money = PRICE, **changes) -> Terms:
    """Terms of one part, paid by transfer."""
    plain = specimen("order.offer").terms
    named = {name: changes.pop(name) for name in ("rail", "provider") if name in changes}
    leg = replace(plain.legs[0], amount=price.amount, **named)
    return replace(plain, price=price, **dict(legs=(leg,)) | changes)


def accept(chain: Readable, order: bytes, **changes):
    found = chain.state(ORDER, order)
    return specimen("order.accept", chain, {"order": order}, **dict(round=found.round if found else 0) | changes)


def acknowledge(chain: Readable, order: bytes, **changes):
    return specimen("order.acknowledge", chain, {"order": order}, **changes)


def initiate(order: bytes, amount: Money = PRICE, **changes):
    return specimen("payment.initiate", None, {"order": order}, amount=amount, **changes)


def attest(chain: Readable, payment: bytes, kind: str = "settled", reference: bytes = b"entry-1", **changes):
    """The next attestation of a payment. `reference` names the entry where the step needs one."""
    found = chain.state(PAYMENT, payment)
    told = dict(kind=kind, sequence=found.sequence if found else 0)
    if kind not in NEEDS_REFERENCE:
        told |= dict(reference=None)
    if kind in NEEDS_CODE:
        told |= dict(code=REASONS_OF_RAIL[found.rail][0] if found else "CUST")
    if kind == "authorised":
        told |= dict(until_ms=chain.now + 7 * DAY_MS, card_check="challenge" if found and found.rail == "card" else "")
    return specimen("payment.attest", chain, {"payment": payment, "reference": reference}, **told | changes)


def handover(chain: Readable, order: bytes, value: int = 160, **changes):
    return specimen("order.handover", chain, {"order": order}, **dict(odometer=km(value)) | changes)


@dataclass
class Life:
    """A chain on which a car has been brought as far as asked; ids are filled in on the way."""

    chain: Chain
    listing: bytes = b""
    order: bytes = b""
    payment: bytes = b""

    STAGES = ("born", "wholesale", "listed", "offered", "accepted", "paying", "paid", "delivered", "handed_over")

    def to(self, stage: str) -> Life:
        for step in self.STAGES[: self.STAGES.index(stage) + 1]:
            getattr(self, step)()
        return self

    def born(self) -> None:
        self.chain.do("bmw", register())

    def wholesale(self) -> None:
        self.chain.do("bmw", transfer(self.chain), "dealer-munich")

    def listed(self) -> None:
        self.listing = self.chain.do("dealer-munich", listing(self.chain))

    def offered(self) -> None:
        self.order = self.chain.do("buyer-1", offer(self.chain, self.listing))

    def accepted(self) -> None:
        self.chain.do("dealer-munich", accept(self.chain, self.order), "buyer-1")

    def paying(self) -> None:
        self.payment = self.chain.do("buyer-1", initiate(self.order))

    def paid(self) -> None:
        self.chain.do("payment-provider-1", attest(self.chain, self.payment))

    def delivered(self) -> None:
        arrived = dict(stage="arrived", odometer=km(155))
        body = specimen("delivery.event", self.chain, {"order": self.order}, **arrived)
        self.chain.do("dealer-munich", body)

    def handed_over(self) -> None:
        self.chain.do("dealer-munich", handover(self.chain, self.order), "buyer-1")


def many_cars(count: int, depth: int) -> Chain:
    """A chain with a state tree of `depth`, on which `count` cars were born."""
    chain = Chain(dev_test_genesis(depth))
    for first in range(0, count, 300):
        numbers = range(first, min(first + 300, count))
        chain.produce(*(chain.sign("bmw", register(f"WBA8E9G50GNU{number:05}")) for number in numbers))
    return chain
