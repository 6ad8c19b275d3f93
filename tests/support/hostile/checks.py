"""What no transaction does, however hostile: each check says of an accepted step what is wrong, or nothing."""

from __future__ import annotations

import re
from typing import Any, Final

from node.codec import encode
from node.ledger import kinds
from node.ledger.body import type_of
from node.rules.card_numbers import find_card_number
from node.rules.personal_data import find_personal_data
from node.txtypes.sale.deal import Tax
from node.txtypes.sale.disclosure import disclosure_root
from node.txtypes.sale.listing import Listing
from node.txtypes.vehicle.brands import BRAND_OTHERS_MAX, brand_state
from node.txtypes.vehicle.regions import flags_at
from node.txtypes.vehicle.vehicle import Vehicle, vehicle_at
from support import sale_rules
from support.hostile.planted import MAILS
from support.hostile.walk import CONTACTS, SERIALS, Hostile, Step
from support.life import PRICE
from support.walk_checks import CHECKS, Broken, cars_of, net, traded

KIB: Final = 1_024
SALE_RULES: Final = tuple(name for name, rule in CHECKS.items() if rule.__module__ == sale_rules.__name__)
BYTES_MAX: Final = {
    "vehicle": 12 * KIB, "odometer": 12 * KIB, "life": 15 * KIB, "account": KIB, "quota": KIB, "conduct": KIB,
    "record-status": 200, "recall": KIB, "warranty": KIB, "claim": KIB, "record-dispute": KIB, "battery": 1_200,
    "part": KIB, "software": KIB, "sighting": KIB, "makers": 4 * KIB, "arbiters": 2 * KIB,
    "listing": 14 * KIB,
    "order": 4 * KIB, "payment": 3 * KIB, "order-claims": 4 * KIB, "debtor": 8,
    "delivery": 300, "payment-reference": 60, "uetr": 60,
    "case": 4 * KIB, "live-cases": 400, "order-dispute": 4 * KIB,
}  # fmt: skip
"""Family to the largest value, in bytes, that its lists leave room for."""
RECORDS_READ_MAX: Final = {"inspection.record": 3}
"""Records that a transaction reads, where it is not two: a pass reads the one that flagged the car, the one that failed
it where that is another, and the repair that it names."""
BRANDS_TOLD_MAX: Final = {"accident.report": 4, "vehicle.total_loss": 3, "inspection.record": 2, "repair.record": 1}
"""Brands that a record tells. Where one has no room for one more record, those that tell it are read besides."""
KEYS_READ_MAX: Final = 40
"""State keys that a transaction reads besides those that its own lists name."""
KEYS_PER_NAMED: Final = 4


# --- personal data ------------------------------------------------------------------------------------------
def misplaced(step: Step) -> str:
    """Planted data that was accepted where it must not be."""
    for plant in step.plants:
        found = find_personal_data((plant.text,))
        is_open = isinstance(plant.kind, kinds.Code)
        if plant.name in (*SERIALS, *CONTACTS) or isinstance(plant.kind, kinds.Bytes):
            continue
        if not is_open or found is not None or "@" in plant.text or " " in plant.text:
            return f"{type_of(step.tx.payload.body)}: {plant.text!r} in {plant.name}"
    return ""


_DIGITS, _IBAN = re.compile(rb"[0-9]{13,}"), re.compile(rb"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_HEX = re.compile(rb"[0-9a-f]{40,}")
"""Addresses and hashes, as ids within keys: one has a long run of digits now and then."""
_PHONE = re.compile(rb"0[0-9]{2,}[._/-][0-9._/-]{5,}|00[0-9]{9,}")


def stored(walk: Hostile) -> str:
    """Planted data in any stored byte: of state, records and blocks. Each stored value is searched as bytes."""
    planted = {number for number in walk.numbers if find_personal_data((number,)) is not None} - walk.serials
    for key, stored in walk.chain.store.kv.scan(b"", b"\xff"):
        raw = _HEX.sub(b"", stored)
        for form in (_DIGITS, _IBAN, _PHONE):
            for run in form.findall(raw):
                text = run.decode()
                if text in planted:
                    return f"{key!r} holds {text}"
                if form is _DIGITS and find_card_number(text) >= 0 and not any(text in known for known in walk.serials):
                    return f"{key!r} holds a card number in {text}"
        if not key.startswith((b"B", b"Smember/")):
            for mail in MAILS:
                if mail.encode() in raw:
                    return f"{key!r} holds {mail}"
    return ""


# --- bounds -------------------------------------------------------------------------------------------------
def oversized(walk: Hostile) -> str:
    """A value of the newest block that is larger than its family's bound."""
    for key, value in walk.changes.items():
        name = key.partition(b"/")[0].decode()
        walk.largest[name] = max(walk.largest[name], len(value))
        if len(value) > BYTES_MAX.get(name, 64 * KIB):
            return f"{key!r} has {len(value)} bytes"
    return ""


def overworked(step: Step) -> str:
    """A transaction that reads more than it may."""
    body = step.tx.payload.body
    most = KEYS_READ_MAX + KEYS_PER_NAMED * named_in(body)
    read = len(step.ledger.records_read)
    of_brands = BRANDS_TOLD_MAX.get(type_of(body), 0) * (1 + BRAND_OTHERS_MAX)
    if read > RECORDS_READ_MAX.get(type_of(body), 2) + of_brands:
        return f"{type_of(body)} reads {read} records"
    if len(step.ledger.keys) > most:
        return f"{type_of(body)} reads {len(step.ledger.keys)} state keys, at most {most}"
    return ""


def named_in(value: Any) -> int:
    """The number of entries of all lists within a body."""
    if isinstance(value, tuple):
        return len(value) + sum(map(named_in, value))
    return sum(named_in(getattr(value, name)) for name in getattr(value, "__struct_fields__", ()))


# --- material or not ------------------------------------------------------------------------------------------
def root_of(vin: str, car: Vehicle) -> bytes:
    """The disclosure root of the car in a listing that stays as it is."""
    tax = Tax("standard", 0, 0)
    listing = Listing(
        vin, "", (), 0, 0, car.holder, None, None, PRICE, tax, "DE", (), (), (), 0, 0, 1, "open", (), ()
    )  # fmt: skip
    return disclosure_root(bytes(32), listing, car)


def told(car: Vehicle, now_ms: int) -> dict[str, set[object]]:
    """What of a car a buyer has to know once it is so (docs/VEHICLE_LIFE.md), as it counts now."""
    car = vehicle_at(car, now_ms)
    loss, claim = car.loss, car.registration.claim
    ended = car.existence if car.existence in ("rebuilt", "scrapped", "voided") else ""
    return {
        "brands": {(b.code, state) for b in car.brands if (state := brand_state(b, now_ms)) != "annulled"},
        "flags": {(flag.name, flag.setter, flag.is_firm) for flag in flags_at(car.flags, now_ms)},
        "alerts": {alert.code for alert in car.alerts if alert.state == "confirmed"},
        "loss": {(x.category, x.sequence, s) for x in (loss,) if x and (s := brand_state(x, now_ms)) != "annulled"},
        "ended or rebuilt": {ended} - {""},
        "claim": {claim.country} if claim is not None else set(),
        "accidents": set(range(car.accident_count)),
        "title": {(car.holder, car.transfer_count)},
        "duties": {(duty.code, duty.sequence) for duty in car.duties},
    }


def _named(car: Vehicle) -> set[object]:
    return {(recall.maker, recall.campaign) for recall in car.recalls if recall.recall_class != "quality"}


WORSE: Final = {("LOGICAL", "CONTESTED"), ("NO_VERDICT", "CONTESTED"), ("LOGICAL", "ILLOGICAL"),
                ("NO_VERDICT", "ILLOGICAL"), ("CONTESTED", "ILLOGICAL")}  # fmt: skip
"""Verdicts before and after a record that a buyer has to know."""


ALWAYS: Final = (
    "accident.report", "vehicle.total_loss", "vehicle.rebuild", "vehicle.scrap", "registration.end", "odometer.replace",
)  # fmt: skip


DISPUTING: Final = ("record.dispute", "record.respond", "record.withdraw")
"""Disputing changes nothing but what is shown."""


def _registered(car: Vehicle) -> object:
    return car.registration.status, car.registration.country, car.registration.claim


def why_material(step: Step, vin: str, before: Vehicle, after: Vehicle) -> list[str]:
    """The reasons why the step is material for a car."""
    body, now_ms = step.tx.payload.body, step.now_ms
    old, new = told(before, now_ms), told(after, now_ms)
    if type_of(body) in DISPUTING:  # what then counts is what time has done: it is in no root
        old["brands"], new["brands"] = ({brand.code for brand in car.brands} for car in (before, after))
        old["loss"], new["loss"] = ({car.loss and car.loss.sequence} for car in (before, after))
    reasons = [name for name in old if not new[name] <= old[name]]
    if (before.verdict, after.verdict) in WORSE:
        reasons.append("verdict")
    if type_of(body).startswith("record.") and _registered(before) != _registered(after):
        reasons.append("registration given back")
    if vin in step.lowered:
        reasons.append("lowered")
    if not _named(after) <= _named(before):
        reasons.append("recall")
    if getattr(body, "is_damaged", False):
        reasons.append("damaged on the way")
    if type_of(body) in ALWAYS and getattr(body, "vin", "") == vin:
        reasons.append(type_of(body))
    return reasons


def root_differs(step: Step) -> str:
    """A step that is not material and changes a root, or is and changes none."""
    body = step.tx.payload.body
    for vin, after in step.after.items():
        before = step.before.get(vin)
        if before is None or encode(before) == encode(after):
            continue
        reasons = why_material(step, vin, before, after)
        is_changed = root_of(vin, before) != root_of(vin, after)
        if is_changed != bool(reasons):
            how = "changes the root without reason" if is_changed else f"leaves the root, though {reasons} changed"
            return f"{type_of(body)} {how}: {body}"
    return ""


# --- sales ------------------------------------------------------------------------------------------------------
def sold_unpaid(step: Step) -> str:
    """A handover whose final money and car in payment do not make up the price, or that moves other titles."""
    if step.sold is None:
        return ""
    order, payments = step.sold
    final = sum(net(payment) for payment in payments if payment.final_from_ms <= step.now_ms)
    place = next((n for n, leg in enumerate(order.terms.legs) if leg.rail == "finance"), None)
    if step.tx.payload.body.promises and place is not None:  # type: ignore[union-attr]
        came = sum(net(payment) for payment in payments if payment.leg == place)
        final += max(0, order.terms.legs[place].amount - came)
    if final + traded(order) < order.price.amount:
        return f"title moved for {final} and a car for {traded(order)}, of {order.price}"
    moved = {vin for vin, car in step.after.items() if car.transfer_count != step.before[vin].transfer_count}
    return "" if moved == set(cars_of(order)) & set(step.after) else f"titles of {moved} moved, of {cars_of(order)}"


def unsound(walk: Hostile) -> str:
    """What orders and payments of the newest block must not be (`support.sale_rules`)."""
    for name in SALE_RULES:
        try:
            CHECKS[name](walk.block, walk.past, walk.chain.store)
        except Broken as error:
            return f"{name}: {error}"
    return ""


# --- all of them --------------------------------------------------------------------------------------------
PER_STEP: Final = (misplaced, overworked, root_differs, sold_unpaid)
PER_BLOCK: Final = (oversized, unsound)


def first_broken(walk: Hostile, count: int) -> str:
    """Name and text of the first check that a step of a walk breaks, and which step; empty for none."""
    height = walk.block.height
    for step in walk.steps(count):
        if walk.block.height != height:
            height = walk.block.height
            if wrong := _of_block(walk):
                return wrong
        for check in PER_STEP:
            if wrong := check(step):
                return f"{check.__name__}: seed {walk.seed}, step {walk.tried}: {wrong}"
    if wrong := _of_block(walk):
        return wrong
    return f"stored: seed {walk.seed}: {wrong}" if (wrong := stored(walk)) else ""


def _of_block(walk: Hostile) -> str:
    """The first check that the newest block breaks."""
    for check in PER_BLOCK:
        if wrong := check(walk):
            return f"{check.__name__}: seed {walk.seed}, step {walk.tried}: {wrong}"
    return ""
