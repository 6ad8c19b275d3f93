"""Where each type's specimen is valid: the stage of a car's life, and what happens just before."""

from __future__ import annotations

from collections.abc import Callable

from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.txtypes.chain.actions import ParameterSet
from node.txtypes.chain.governance import GovernancePropose
from node.txtypes.chain.validator_set import ValidatorPause
from node.txtypes.disputes.types import RecordRespond
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import LISTING
from support import registering
from support.chain import DAY_MS, address
from support.disputing import dispute, name_of, newest
from support.foreign import TWO, part
from support.life import VIN, Life, accept, attest, handover, initiate, km, maintenance, offer, register, terms, where
from support.ordering import BUYER, SELLER, cancel
from support.specimens import specimen
from support.stages import at

ALICE = (address("alice"), dev_key("account", "alice"))


def opened(life: Life) -> None:
    body = specimen("account.open", life.chain)
    life.chain.do("dealer-munich", body, extra=(ALICE,))


def proposed(life: Life) -> None:
    life.proposal = life.chain.do("bmw", GovernancePropose(ParameterSet("block_txs_max", 1_000)))  # type: ignore[attr-defined]


def entrusted(life: Life) -> None:
    life.mandate = life.chain.do("dealer-munich", specimen("mandate.grant", life.chain))  # type: ignore[attr-defined]


def damaged(life: Life) -> None:
    life.chain.do("workshop-berlin", specimen("accident.report", life.chain, odometer=km(120), where=where()))


def recalled(life: Life) -> None:
    life.chain.do("bmw", specimen("recall.open"))


def named(life: Life) -> None:
    recalled(life)
    life.chain.do("bmw", specimen("recall.extend"))


def flagged(life: Life) -> None:
    life.chain.do("inspector-1", specimen("flag.set", life.chain))


def alerted(life: Life) -> None:
    """Two cars have one gearbox."""
    life.chain.do("bmw", register(TWO))
    for vin in (TWO, VIN):
        life.chain.do("workshop-berlin", part(life.chain, vin))


def brought_in(life: Life) -> None:
    life.chain.do("dealer-munich", specimen("vehicle.import", life.chain), "inspector-1")


def charged(life: Life) -> None:
    brought_in(life)
    life.chain.do("workshop-berlin", specimen("battery.bind", life.chain))


def wrecked(life: Life) -> None:
    """Written off, and inspected by the list for rebuilt cars."""
    life.chain.do("insurer-1", specimen("vehicle.total_loss", life.chain), "buyer-1")
    plain = dict(checklist="REBUILD", kind="rebuild", defects=(), valid_until_day=None, odometer=km(13_000))
    life.chain.do("inspector-1", specimen("inspection.record", life.chain, **plain), "buyer-1")
    life.inspection = name_of(life.chain, newest(life.chain)).digest  # type: ignore[attr-defined]


def nothing(life: Life) -> None:
    """The stage is enough."""


def serviced(life: Life) -> None:
    """The record of a service is the ninth one, as in the examples."""
    while newest(life.chain) < 7:
        life.chain.do("inspector-1", specimen("odometer.read", life.chain, odometer=km(180)))
    life.chain.do("workshop-berlin", maintenance(life.chain, 200))
    life.record = name_of(life.chain, newest(life.chain)).digest  # type: ignore[attr-defined]


def disputed(life: Life) -> None:
    serviced(life)
    life.dispute = life.chain.do("dealer-munich", dispute(life.chain, newest(life.chain)))  # type: ignore[attr-defined]


def answered(life: Life) -> None:
    disputed(life)
    life.chain.do("workshop-berlin", RecordRespond(life.dispute, "stands", ()))  # type: ignore[attr-defined]


def voted(life: Life) -> None:
    answered(life)
    life.chain.now += 14 * DAY_MS


def cancelled(life: Life) -> None:
    life.chain.do(BUYER, cancel(life))


def owing(life: Life) -> None:
    """The money of a cancelled order should have gone back."""
    cancelled(life)
    life.chain.now += 14 * DAY_MS


def scheduled(life: Life) -> None:
    life.chain.do(SELLER, specimen("delivery.schedule", life.chain, {"order": life.order}))


def sold_at_a_distance(life: Life) -> None:
    """The buyer has the car by a distance contract."""
    agreed = terms(contract="distance", text=bytes(32))
    life.order = life.chain.do("buyer-1", offer(life.chain, life.listing, terms=agreed))
    life.chain.do("dealer-munich", accept(life.chain, life.order))
    life.payment = life.chain.do("buyer-1", initiate(life.order))
    life.chain.do("payment-provider-1", attest(life.chain, life.payment))
    life.chain.do("dealer-munich", handover(life.chain, life.order), "buyer-1")


def recalled_money(life: Life) -> None:
    """The buyer's bank has taken the money back after the handover."""
    life.chain.do("payment-provider-1", attest(life.chain, life.payment, "returned", b"recall"))


def order_disputed(life: Life) -> None:
    life.order_dispute = life.chain.do("buyer-1", specimen("order.dispute", life.chain, {"order": life.order}))  # type: ignore[attr-defined]


def order_answered(life: Life) -> None:
    order_disputed(life)
    body = specimen("order.respond", life.chain, {"order_dispute": life.order_dispute})  # type: ignore[attr-defined]
    life.chain.do("dealer-munich", body)


def order_due(life: Life) -> None:
    order_disputed(life)
    life.chain.now += 28 * DAY_MS


def case_opened(life: Life) -> None:
    life.case = life.chain.do("buyer-1", specimen("case.open", life.chain))  # type: ignore[attr-defined]


def case_written_down(life: Life) -> None:
    body = specimen("case.open", life.chain, on_behalf=address("buyer-1"), channel="phone")
    life.case = life.chain.do("dealer-munich", body)  # type: ignore[attr-defined]


def built_to_order(life: Life) -> None:
    """A car was ordered without a VIN, and one was built."""
    life.listing = life.chain.do("bmw", specimen("listing.build", life.chain))
    root = disclosure_root(life.listing, life.chain.state(LISTING, life.listing), None)
    life.order = life.chain.do("buyer-1", offer(life.chain, life.listing, disclosure_root=root))
    life.chain.do("bmw", accept(life.chain, life.order, material_root=bytes(32)), "buyer-1")
    life.chain.do("bmw", register())


def covered(life: Life) -> None:
    life.chain.do("bmw", specimen("warranty.start", life.chain))


def claimed(life: Life) -> None:
    covered(life)
    claim = specimen("warranty.claim", life.chain)
    life.claim = life.chain.do("workshop-berlin", claim, "dealer-munich")  # type: ignore[attr-defined]


STAGES: dict[str, tuple[str, Callable[[Life], object]]] = {
    "account.update_keys": ("", opened),
    "governance.vote": ("", proposed),
    "mandate.end": ("", entrusted),
    "validator.resume": ("", lambda life: life.chain.do("workshop-berlin", ValidatorPause())),
    "title.transfer": ("born", nothing),
    "odometer.read": ("born", nothing),
    "odometer.replace": ("born", nothing),
    "maintenance.record": ("born", nothing),
    "accident.report": ("born", nothing),
    "repair.record": ("born", nothing),
    "vehicle.total_loss": ("handed_over", nothing),
    "vehicle.rebuild": ("handed_over", wrecked),
    "vehicle.scrap": ("handed_over", nothing),
    "recall.extend": ("born", recalled),
    "recall.done": ("born", named),
    "inspection.record": ("born", nothing),
    "flag.set": ("born", nothing),
    "flag.clear": ("born", flagged),
    "alert.close": ("born", alerted),
    "registration.set": ("born", nothing),
    "registration.suspend": ("born", registering.registered),
    "registration.export": ("born", registering.registered),
    "registration.accept": ("born", registering.leaving),
    "registration.end": ("born", registering.accepted),
    "title.assign": ("handed_over", nothing),
    "part.bind": ("born", nothing),
    "battery.bind": ("", brought_in),
    "battery.health": ("", charged),
    "software.update": ("born", nothing),
    "listing.create": ("wholesale", nothing),
    "listing.update": ("listed", nothing),
    "listing.withdraw": ("listed", nothing),
    "order.offer": ("listed", nothing),
    "order.counter": ("offered", nothing),
    "order.accept": ("offered", nothing),
    "order.reject": ("offered", nothing),
    "order.cancel": ("offered", nothing),
    "order.acknowledge": ("accepted", damaged),
    "order.claim_refund": ("paid", owing),
    "order.amend": ("accepted", nothing),
    "order.reinstate": ("accepted", cancelled),
    "order.handover": ("paid", nothing),
    "order.assign_vin": ("", built_to_order),
    "order.withdraw": ("listed", sold_at_a_distance),
    "order.return": ("handed_over", nothing),
    "order.dispute": ("paid", nothing),
    "order.respond": ("paid", order_disputed),
    "order.resolve": ("paid", order_answered),
    "order.close": ("paid", order_due),
    "claim.release": ("handed_over", recalled_money),
    "case.open": ("wholesale", nothing),
    "case.confirm": ("wholesale", case_written_down),
    "case.reply": ("wholesale", case_opened),
    "case.close": ("wholesale", case_opened),
    "payment.initiate": ("accepted", nothing),
    "payment.declare": ("paying", nothing),
    "payment.attest": ("paying", nothing),
    "payment.refund": ("paid", nothing),
    "payment.confirm_refund": ("paid", nothing),
    "payment.reassign": ("paying", nothing),
    "delivery.schedule": ("accepted", nothing),
    "delivery.confirm": ("accepted", scheduled),
    "delivery.event": ("accepted", scheduled),
    "delivery.refuse": ("delivered", nothing),
    "record.amend": ("wholesale", serviced),
    "record.dispute": ("wholesale", serviced),
    "record.respond": ("wholesale", disputed),
    "record.withdraw": ("wholesale", disputed),
    "record.resolve": ("wholesale", answered),
    "record.close": ("wholesale", voted),
    "warranty.start": ("wholesale", nothing),
    "warranty.extend": ("wholesale", covered),
    "warranty.claim": ("wholesale", covered),
    "warranty.decide": ("wholesale", claimed),
}
"""Where a type's specimen is valid, and what happens just before it; a type that is not here, at the genesis."""


NAMED = ("listing", "order", "payment", "proposal", "mandate", "record", "dispute", "claim", "inspection",
         "order_dispute", "case")  # fmt: skip
"""What symbols of the examples stand for."""


def placed(tag: str) -> tuple[Life, TransactionBody]:
    stage, before = STAGES.get(tag, ("", nothing))
    life = at(stage)
    before(life)
    ids = {name: getattr(life, name, b"") for name in NAMED}
    return life, specimen(tag, life.chain, ids)
