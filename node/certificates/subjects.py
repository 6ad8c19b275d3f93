"""What a certificate is about: the history of a car, that there is no car with a VIN, or an order with its payments.

Like the verifier itself it needs nothing of this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from node.certificates.canonical import InvalidCertificateFile, decode, malformed, shaped, tagged

ZERO32: Final = bytes(32)
DAY_MS: Final = 86_400_000
FORMS: Final = ("hidden", "redacted", "whole")
"""How a record is given: its digest, its face with the digest of its content, or all of it."""
VEHICLE: Final = {
    "model": 2, "existence": 11, "origin": 12, "grade": 13, "holder": 17, "flags": 20, "brands": 21,
    "recalls": 22, "alerts": 24, "loss": 26, "verdict": 29, "record_count": 30, "history_head": 32,
    "accident_count": 34, "transfer_count": 35,
}  # fmt: skip
"""Places of the fields of `vehicle/<vin>` that a verdict is made of; its version is at 0."""
VEHICLE_SHAPE: Final = "ssssbllllLsibii"
VEHICLE_ELEMENTS: Final = 39
ORDER: Final = {
    "vin": 3, "seller": 5, "buyer": 8, "status": 17, "cause": 18, "payments": 29,
}  # fmt: skip
"""Places of the fields of `order/<id>` that a verdict is made of; its version is at 0."""
ORDER_SHAPE: Final = "sbbssl"
ORDER_ELEMENTS: Final = 53
CONFIRMED_MS: Final = 30 * DAY_MS
UNDECIDED_MS: Final = 60 * DAY_MS


VIN_LETTERS: Final = frozenset("ABCDEFGHJKLMNPRSTUVWXYZ0123456789")


class Mark(NamedTuple):
    """An author that was revoked for fraud; its records from `since_ms` on are marked."""

    author: bytes
    role: str
    since_ms: int


def vin_of(text: str) -> str:
    """The VIN, 17 capital letters without I, O and Q, and digits. Raises `certificate_malformed`."""
    if len(text) != 17 or not set(text) <= VIN_LETTERS:
        raise malformed(f"{text!r} is no VIN")
    return text


def _given(state: Mapping[str, bytes | None], key: str) -> bytes:
    raw = state.get(key)
    if raw is None:
        raise InvalidCertificateFile("history_incomplete", f"{key} is not given, or is absent")
    return raw


def car_of(raw: bytes, key: str) -> dict[str, Any]:
    """The fields of `vehicle/<vin>` that a verdict is made of."""
    return _fields(_value(raw, key, VEHICLE_ELEMENTS), VEHICLE, VEHICLE_SHAPE, key)


def _fields(value: list[Any], places: Mapping[str, int], shape: str, key: str) -> dict[str, Any]:
    return dict(zip(places, shaped([value[place] for place in places.values()], shape, key), strict=True))


def _value(raw: bytes, key: str, elements: int) -> list[Any]:
    found = decode(raw, key)
    if not isinstance(found, list) or len(found) != elements or found[0] != 1:
        raise malformed(f"{key} is of a version that this verifier does not know")
    return found


def _marks(state: Mapping[str, bytes | None]) -> list[Mark]:
    if "frauds/all" not in state:
        raise InvalidCertificateFile("history_incomplete", "the list of authors revoked for fraud is not given")
    raw = state["frauds/all"]
    entries = [] if raw is None else shaped(_value(raw, "frauds/all", 2), "il", "frauds/all")[1]
    return [Mark(*shaped(entry, "bsi", "a revoked author")) for entry in entries]


def _record(record: Any, sequence: int, marks: Sequence[Mark]) -> tuple[bytes, dict[str, Any]]:
    """The digest of a record, and what of it is given."""
    what = f"record {sequence}"
    form = record[0] if isinstance(record, list) and record else None
    if form == 0:
        digest = shaped(record, "ib", what)[1]
        return digest, {"sequence": sequence, "form": "hidden"}
    if form not in (1, 2):
        raise malformed(f"{what}: it is given in no known form")
    _, face_bytes, rest = shaped(record, "ibb", what)
    face = shaped(decode(face_bytes, what), "iibiibssi", what)
    _, number, txid, height, time_ms, author, author_name, kind, event_at_ms = face
    if face[0] != 1 or number != sequence:
        raise InvalidCertificateFile("history_incomplete", f"{what} is missing, or another is given in its place")
    entry = {
        "sequence": sequence, "form": FORMS[form], "kind": kind, "txid": txid.hex(), "height": height,
        "time_ms": time_ms, "event_at_ms": event_at_ms, "author": author.hex(), "author_name": author_name,
        "is_marked": any(mark.author == author and max(event_at_ms, time_ms) >= mark.since_ms for mark in marks),
    }  # fmt: skip
    if form == 2:
        version, salt, body, outcome = shaped(decode(rest, what), "ibbl", what)
        if version != 1 or len(salt) != 16:
            raise malformed(f"{what}: its content is of a version that this verifier does not know")
        entry |= {"body": body.hex(), "outcome": outcome}
        rest = tagged("bmw/record-content", rest)
    return tagged("bmw/record-body", face_bytes + rest), entry


def _state_of(reported: Sequence[Any], now_ms: int) -> str:
    """The state of a brand or a total loss at a time, from its stored state, since when, and until when it is
    disputed."""
    state, since_ms, disputed_until_ms = reported
    if state != "pending":
        return str(state)
    if disputed_until_ms:
        return "undecided" if now_ms >= min(disputed_until_ms, since_ms + UNDECIDED_MS) else "pending"
    return "confirmed" if now_ms >= since_ms + CONFIRMED_MS else "pending"


def summary_of(car: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """What somebody who buys the car should know first, as it counts at a time."""
    flags = [shaped(flag, "sbsbii?i", "a flag") for flag in car["flags"]]
    brands = [shaped(brand, "ssiiil", "a brand") for brand in car["brands"]]
    alerts = [shaped(alert, "ssiiiibi", "an alert") for alert in car["alerts"]]
    recalls = [shaped(recall, "bssi", "a recall") for recall in car["recalls"]]
    loss = None if car["loss"] is None else shaped(car["loss"], "ssiiibl?", "a loss")
    existence = car["existence"]
    is_lost = loss is not None and _state_of((loss[1], loss[2], loss[4]), now_ms) == "confirmed"
    return {
        "model": car["model"], "holder": car["holder"].hex(), "origin": car["origin"], "grade": car["grade"],
        "existence": "total_loss" if is_lost and existence not in ("scrapped", "voided") else existence,
        "verdict": car["verdict"],
        "flags": sorted({flag[0] for flag in flags if flag[5] == 0 or now_ms < flag[5]}),
        "brands": [[brand[0], _state_of((brand[1], brand[2], brand[4]), now_ms)] for brand in brands],
        "alerts": sorted({alert[0] for alert in alerts if alert[1] != "closed"}),
        "recalls": [f"{recall[1]} {recall[2]}" for recall in recalls],
        "accidents": car["accident_count"], "transfers": car["transfer_count"],
    }  # fmt: skip


# --- what it is about ---------------------------------------------------------------------------------------------
def _history(state: Mapping[str, bytes | None], history: Any, now_ms: int) -> dict[str, Any]:
    vin, records = shaped(history, "sl", "the history")
    vin_of(vin)
    key, marks = f"vehicle/{vin}", _marks(state)
    car = car_of(_given(state, key), key)
    shown, head = [], ZERO32
    for sequence, record in enumerate(records):
        digest, entry = _record(record, sequence, marks)
        head = tagged("bmw/record", head + sequence.to_bytes(8, "big") + digest)
        shown.append(entry)
    if len(records) != car["record_count"]:
        raise InvalidCertificateFile(
            "history_incomplete", f"{len(records)} records are given, the car has {car['record_count']}"
        )
    if head != car["history_head"]:
        raise InvalidCertificateFile("history_changed", "the records are not those of the car's proven state")
    counts = {form: sum(entry["form"] == form for entry in shown) for form in FORMS}
    withheld = counts["redacted"] + counts["hidden"]
    return {
        "vin": vin, "vehicle": summary_of(car, now_ms), "records": shown, "counts": counts,
        "sentence": f"The history of {vin} is complete for what was submitted to this chain: {len(shown)} records"
                    + (f", {withheld} of them not shown in full." if withheld else "."),
    }  # fmt: skip


def _absence(state: Mapping[str, bytes | None], history: Any, now_ms: int) -> dict[str, Any]:
    key = next(iter(state), "")
    if list(state.values()) != [None] or not key.startswith("vehicle/") or history is not None:
        raise malformed("a certificate of absence proves one VIN, and nothing of it")
    vin = vin_of(key.removeprefix("vehicle/"))
    return {"vin": vin, "sentence": f"No car with the VIN {vin} was born on this chain."}


def _order(state: Mapping[str, bytes | None], history: Any, now_ms: int) -> dict[str, Any]:
    ids = [key.removeprefix("order/") for key in state if key.startswith("order/")]
    if len(ids) != 1 or history is not None:
        raise malformed("a certificate of an order proves one order")
    key = f"order/{ids[0]}"
    order = _fields(_value(_given(state, key), key, ORDER_ELEMENTS), ORDER, ORDER_SHAPE, key)
    if not all(isinstance(payment, bytes) for payment in order["payments"]):
        raise malformed(f"{key}: a payment is named by bytes")
    lacking = [p for p in order["payments"] if state.get(f"payment/{p.hex()}") is None]
    if lacking:
        raise InvalidCertificateFile("history_incomplete", f"the payment {lacking[0].hex()} is not given")
    return {
        "order": ids[0], "vin": order["vin"], "seller": order["seller"].hex(), "buyer": order["buyer"].hex(),
        "order_status": order["status"], "cause": order["cause"], "payments": [p.hex() for p in order["payments"]],
        "sentence": f"The order {ids[0]} is {order['status']}, with {len(order['payments'])} payments.",
    }  # fmt: skip


SUBJECTS: Final = {"history": _history, "absence": _absence, "order": _order}
