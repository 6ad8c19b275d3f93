"""An ordinary record writes no leaf of the car but the vehicle's and the odometer's, the payer's quota and the window;
and which leaves each other type writes, so that none becomes dearer unnoticed."""

from __future__ import annotations

import pytest
from support.chain import DAY_MS, HOUR_MS, address
from support.example_stages import placed
from support.life import VIN, Life, km, maintenance, read, where
from support.specimens import specimen
from support.stages import at, signed

from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.ledger.fields import Odometer, OtherSource
from node.rules.odometer import CONTEXTS
from node.rules.services import SERVICE_CODES
from node.txtypes.members import conduct
from node.txtypes.registry import TYPES
from node.txtypes.vehicle import report

ORDINARY = {"vehicle", "odometer", "quota", "window"}
OF_TYPE = {
    "account.open": "account", "account.update_keys": "account", "member.update": "member",
    "mandate.grant": "mandate", "mandate.end": "mandate",
    "vehicle.register": "vehicle", "vehicle.import": "vehicle odometer", "vehicle.sighting": "sighting",
    "odometer.read": "vehicle odometer", "odometer.replace": "vehicle odometer",
    "maintenance.record": "vehicle odometer", "inspection.record": "vehicle odometer",
    "title.transfer": "vehicle odometer life", "title.assign": "vehicle odometer life",
    "accident.report": "vehicle odometer life", "repair.record": "vehicle odometer life",
    "vehicle.total_loss": "vehicle", "vehicle.rebuild": "vehicle odometer", "vehicle.scrap": "vehicle odometer",
    "registration.set": "vehicle odometer", "registration.suspend": "vehicle odometer",
    "registration.end": "vehicle odometer", "registration.export": "vehicle odometer",
    "registration.accept": "vehicle odometer",
    "recall.open": "recall", "recall.extend": "vehicle recall", "recall.done": "vehicle odometer recall",
    "flag.set": "vehicle life conduct", "flag.clear": "vehicle conduct", "alert.close": "vehicle",
    "part.bind": "vehicle odometer part", "battery.bind": "vehicle odometer battery",
    "battery.health": "vehicle odometer battery", "software.update": "vehicle odometer software",
    "listing.create": "vehicle listing", "listing.update": "vehicle listing", "listing.withdraw": "vehicle listing",
    "order.offer": "order live-offers", "order.counter": "order", "order.accept": "vehicle listing order",
    "order.reject": "order", "order.cancel": "order", "order.acknowledge": "order",
    "order.handover": "vehicle odometer life listing order",
    "order.claim_refund": "order conduct", "order.amend": "vehicle order", "order.reinstate": "vehicle listing order",
    "payment.initiate": "order payment", "payment.declare": "vehicle order payment",
    "payment.attest": "vehicle order payment payment-reference", "payment.refund": "payment",
    "payment.confirm_refund": "order payment", "payment.reassign": "order payment",
    "delivery.schedule": "order delivery", "delivery.confirm": "order", "delivery.event": "vehicle order delivery",
    "delivery.refuse": "vehicle order",
    "listing.build": "listing", "order.assign_vin": "vehicle order", "order.withdraw": "vehicle order",
    "order.return": "vehicle odometer life order", "claim.release": "order order-claims debtor",
    "order.dispute": "vehicle order order-dispute", "order.respond": "order-dispute", "order.resolve": "order-dispute",
    "order.close": "vehicle order order-dispute",
    "case.open": "case live-cases", "case.confirm": "case live-cases", "case.reply": "case", "case.close": "case",
    "record.amend": "vehicle odometer record-status",
    "record.dispute": "vehicle life conduct record-dispute record-status open-disputes",
    "record.respond": "vehicle life conduct record-dispute open-disputes",
    "record.withdraw": "vehicle life conduct record-dispute open-disputes",
    "record.resolve": "vehicle record-dispute",
    "record.close": "vehicle life record-dispute record-status open-disputes",
    "warranty.start": "vehicle warranty", "warranty.extend": "vehicle warranty",
    "warranty.claim": "vehicle odometer warranty claim", "warranty.decide": "vehicle claim",
}  # fmt: skip
"""Of a type's example. All write the payer's quota and the window as well."""
UNPAID = {
    "governance.propose": "proposal open-proposals", "governance.vote": "proposal",
    "validator.pause": "validator validators", "validator.resume": "validator validators",
}  # fmt: skip


def touched(life: Life, raw: bytes) -> set[str]:
    """The families of the values that a transaction writes."""
    assert [] == life.chain.unmet(raw)
    life.chain.produce(raw)
    assert life.chain.last_result is not None
    return {key.split(b"/")[0].decode() for key in life.chain.last_result.changes}


@pytest.mark.parametrize("tag", TYPES)
def test_each_type_writes_these_leaves(tag: str) -> None:
    life, body = placed(tag)
    example = TYPES[tag].EXAMPLE
    signers = [(address(name), dev_key("account", name)) for name in (example.sender, *example.cosigners)]
    found = touched(life, signed(life.chain, address(example.sender), body, *signers))
    expected = {*OF_TYPE[tag].split(), "quota"} if tag in OF_TYPE else set(UNPAID[tag].split())
    assert expected | {"window"} == found


# --- ordinary records in all their forms --------------------------------------------------------------------------
def _inspected(life: Life, **changes: object) -> TransactionBody:
    plain = dict(checklist="DE-HU", kind="periodic", defects=(), valid_until_day=None, odometer=km(90_000))
    tail = dict(where=where("INS-1"), holder_signs=True)
    return specimen("inspection.record", life.chain, **plain | tail | changes)


FORMS: dict[str, tuple[str, object]] = {
    **{f"reading: {context}": ("carrier-1", lambda life, c=context: read(VIN, km(90_000), life.chain.now, c))
       for context in CONTEXTS},
    "many services": ("workshop-berlin", lambda life: maintenance(life.chain, services=SERVICE_CODES[:64])),
    "lower": ("workshop-berlin", lambda life: maintenance(life.chain, 1)),
    "in miles": ("workshop-berlin", lambda life: read(VIN, km(56_000, "mi"), life.chain.now)),
    "from an hour ago": ("workshop-berlin", lambda life: maintenance(life.chain, event_at_ms=life.chain.now - HOUR_MS)),
    "from before the last trade": (
        "workshop-berlin", lambda life: maintenance(life.chain, event_at_ms=life.chain.now - 30 * DAY_MS)
    ),
    "with the holder": ("workshop-berlin", lambda life: maintenance(life.chain, holder_signs=True)),
    "signs of tampering, sources that differ": ("workshop-berlin", lambda life: read(
        VIN, Odometer(90_000, "km", "cluster", (OtherSource("body_computer", 150_000),), True), life.chain.now
    )),
    "a passed inspection": ("inspector-1", _inspected),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stage", ["born", "handed_over"])
def test_an_ordinary_record_writes_the_vehicle_and_the_odometer_alone(stage: str, form: str) -> None:
    sender, make = FORMS[form]
    life = at(stage)
    holder = "bmw" if stage == "born" else "buyer-1"
    life.chain.now += 200 * DAY_MS
    body = make(life)  # type: ignore[operator]
    cosigners = (holder,) if body.holder_signs else ()
    assert ORDINARY == touched(life, life.chain.sign(sender, body, *cosigners))


def test_one_more_leaf_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a report counts in its author's conduct."""
    monkeypatch.setattr(
        report, "check_not_on_hold", lambda ledger, author: ledger.put(conduct.CONDUCT, author, conduct.NO_CONDUCT)
    )
    with pytest.raises(AssertionError):
        test_an_ordinary_record_writes_the_vehicle_and_the_odometer_alone("born", "lower")
