"""What the story's sale does not have: a car built to order by a distance contract, disputes about it, a charge-back,
its return, and cases of customers."""

from __future__ import annotations

from hashlib import sha256

from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from node.txtypes.vehicle.vehicle import VEHICLE, material_root
from support.chain import address
from support.life import PRICE, accept, acknowledge, attest, handover, initiate, km, offer, register, terms
from support.played import Story
from support.specimens import specimen

BUILT = "WBA8E9G50GNU54321"


def _root(story: Story) -> bytes:
    return material_root(BUILT, story.chain.state(VEHICLE, BUILT))


def built(story: Story) -> None:
    """A car is ordered without a VIN, built, disputed about twice, handed over, and comes back."""
    chain = story.chain
    listed = story.specimen("listing.build")
    agreed = terms(contract="distance", text=sha256(b"contract-2026-2").digest())
    root = disclosure_root(listed, chain.state(LISTING, listed), None)
    body = offer(chain, listed, terms=agreed, disclosure_root=root, options=("S205A",))
    order = story.do("buyer-1", body, name="order.offer of a car to be built")
    story.do("bmw", accept(chain, order, material_root=bytes(32)), name="order.accept of a car to be built")
    story.do("bmw", register(BUILT), name="vehicle.register of the built car")
    story.specimen("order.assign_vin", {"order": order}, vin=BUILT)
    agreeing = acknowledge(chain, order, material_root=_root(story))
    story.do("buyer-1", agreeing, name="order.acknowledge of the built car")
    _disputed(story, order)
    payment = story.do("buyer-1", initiate(order), name="payment.initiate of the built car")
    settled = attest(chain, payment, reference=b"built")
    story.do("payment-provider-1", settled, name="payment.attest of the built car")
    handed = handover(chain, order, 20, material_root=_root(story))
    story.do("bmw", handed, "buyer-1", name="order.handover of the built car")
    returned = attest(chain, payment, "returned", b"recall")
    story.do("payment-provider-1", returned, name="payment.attest returned")
    story.do("bmw", specimen("claim.release", chain, {"order": order}, amount=PRICE))
    story.specimen("order.withdraw", {"order": order})
    back = dict(reason="withdrawal", odometer=km(25), material_root=_root(story))
    story.do("buyer-1", specimen("order.return", chain, {"order": order}, **back), "bmw")


def _disputed(story: Story, order: bytes) -> None:
    """The first dispute is settled by three votes, the second is counted when its time is over."""
    chain = story.chain
    first = story.specimen("order.dispute", {"order": order})
    story.do("bmw", specimen("order.respond", chain, {"order_dispute": first}))
    for number in (1, 2, 3):
        vote = specimen("order.resolve", chain, {"order_dispute": first})
        story.do(
            f"arbiter-{number}", vote, name="order.resolve" if number == 1 else f"order.resolve by arbiter-{number}"
        )
    second = story.do("buyer-1", specimen("order.dispute", chain, {"order": order}), name="order.dispute again")
    story.wait(28)
    story.specimen("order.close", {"order_dispute": second})


def complained(story: Story) -> None:
    """A customer writes, the dealer answers; and the dealer writes down a call, which the customer confirms."""
    chain = story.chain
    case = story.specimen("case.open")
    story.specimen("case.reply", {"case": case})
    story.specimen("case.close", {"case": case})
    written = specimen("case.open", chain, on_behalf=address("buyer-1"), channel="phone")
    called = story.do("dealer-munich", written, name="case.open for a caller")
    story.specimen("case.confirm", {"case": called})
