"""Typed values of the chain as plain JSON values. Rule: every field of the stored value under its own name
(`schema.to_json`), with what is derived from it beside it. Deadlines that have passed are evaluated here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from node.chain.block import Block, Commit, block_id_of
from node.crypto.addresses import to_text
from node.errors import Corrupted
from node.rules.flags import FLAGS
from node.rules.rails import FINAL_FOR_TITLE
from node.storage.chain_store import ChainReader
from node.txtypes.body import Body
from node.txtypes.envelope import SignedTx
from node.txtypes.ledger import Family
from node.txtypes.listing import LISTING, Listing, disclosure_root, status_now
from node.txtypes.members import MEMBER, Member
from node.txtypes.odometer import NO_READINGS, ODOMETER
from node.txtypes.order import ORDER, Order, is_live
from node.txtypes.payment import PAYMENT, Payment
from node.txtypes.registry import AnyBody, type_of
from node.txtypes.schema import time_to_text, to_json
from node.txtypes.vehicle import (
    VEHICLE,
    RecordBody,
    Vehicle,
    has_lasting_reservation,
    market_of,
    record_digest,
    summary,
)

Json = dict[str, Any]
LATE_MS = 24 * 3_600_000
"""A record is shown as late where its event lies more than a day before the block that took it."""

_decode_record = msgspec.msgpack.Decoder(RecordBody)
_decode_content: msgspec.msgpack.Decoder[Body] = msgspec.msgpack.Decoder(AnyBody)


def value_of(reader: ChainReader, family: Family[Any], ident: str | bytes) -> Any:
    """The family's value for an id, or None."""
    raw = reader.state.get(family.key(ident))
    return None if raw is None else family.decode(raw)


def name_of(reader: ChainReader, address: bytes) -> str:
    """The member's business name, empty for anybody else."""
    member: Member | None = value_of(reader, MEMBER, address)
    return member.name if member else ""


# --- blocks and transactions -----------------------------------------------------------------------------
def transaction_json(tx: SignedTx) -> Json:
    payload = tx.payload
    return {
        "txid": tx.txid.hex(),
        "wire_id": tx.wire_id.hex(),
        "type": type_of(payload.body),
        "sender": to_text(payload.sender),
        "salt": str(payload.salt),
        "expires_at": time_to_text(payload.expires_at_ms),
        "body": to_json(payload.body),
        "signatures": [to_json(signature) for signature in tx.signatures],
        "size": len(tx.raw),
    }


def block_json(block: Block, commit: Commit, genesis_hash: bytes, transactions: list[Json]) -> Json:
    """`transactions` are the block's, rendered by the caller, who can pause between them."""
    header = block.header
    return {
        "height": header.height,
        "id": block_id_of(header, genesis_hash).hex(),
        "time": time_to_text(header.time_ms),
        "header": to_json(header),
        "transactions": transactions,
        "evidence": [to_json(piece) for piece in block.evidence],
        "last_commit": to_json(block.last_commit),
        "commit": to_json(commit),
    }


# --- vehicles --------------------------------------------------------------------------------------------
def vehicle_json(reader: ChainReader, vin: str, vehicle: Vehicle, now_ms: int) -> Json:
    """All regions as they count now, the summary, the odometer's verdict with its reasons."""
    market = market_of(vehicle, now_ms)
    return {
        "vin": vin,
        "summary": summary(vehicle, now_ms),
        **to_json(vehicle),
        "maker_name": name_of(reader, vehicle.maker),
        "title": {
            "holder": to_text(vehicle.holder),
            "holder_name": name_of(reader, vehicle.holder),
            "since": time_to_text(vehicle.title_since_ms),
        },
        "market": to_json(market),
        "flags": [{**to_json(flag), "blocks": list(FLAGS[flag.name].blocks)} for flag in vehicle.flags],
        "odometer": odometer_json(reader, vin, vehicle),
    }


def odometer_json(reader: ChainReader, vin: str, vehicle: Vehicle) -> Json:
    """The verdict, why, and the newest reading that counts."""
    known = value_of(reader, ODOMETER, vin) or NO_READINGS
    counted = [reading for reading in known.readings if not reading.is_declared]
    newest = max(counted, key=lambda reading: (reading.event_at_ms, reading.sequence), default=None)
    return {
        "verdict": known.verdict,
        "reasons": list(known.reasons),
        "likely_error": known.likely_error,
        "outliers": list(known.outliers),
        "readings": len(known.readings),
        "unit": vehicle.odometer_unit,
        "newest": None
        if newest is None
        else {
            "metres": newest.metres,
            "event_at": time_to_text(newest.event_at_ms),
            "sequence": newest.sequence,
        },
    }


def decode_record(raw: bytes) -> tuple[RecordBody, Body]:
    """A stored record and the body of the transaction that made it."""
    try:
        record = _decode_record.decode(raw)
        return record, _decode_content.decode(record.content)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Corrupted(f"a stored vehicle record does not decode: {error}") from None


def record_json(reader: ChainReader, vin: str, raw: bytes) -> Json:
    record, body = decode_record(raw)
    author: Member | None = value_of(reader, MEMBER, record.author)
    return {
        "id": f"{vin}/{record.sequence}",
        "sequence": record.sequence,
        "txid": record.txid.hex(),
        "height": record.height,
        "time": time_to_text(record.time_ms),
        "author": to_text(record.author),
        "author_name": author.name if author else "",
        "author_is_fraudulent": bool(author and author.is_fraudulent),
        "kind": record.kind,
        "event_at": time_to_text(record.event_at_ms),
        "late": record.time_ms - record.event_at_ms > LATE_MS,
        "content": to_json(body),
        "outcome": list(record.outcome),
        "digest": record_digest(raw).hex(),
        "salt": record.salt.hex(),
    }


# --- sale ------------------------------------------------------------------------------------------------
def listing_json(reader: ChainReader, ident: str, listing: Listing, now_ms: int) -> Json:
    vehicle = _vehicle_of(reader, listing.vin)
    return {
        "id": ident,
        **to_json(listing),
        "status": status_now(bytes.fromhex(ident), listing, vehicle, now_ms),
        "seller_name": name_of(reader, listing.seller),
        "model": vehicle.model,
    }


def _vehicle_of(reader: ChainReader, vin: str) -> Vehicle:
    vehicle: Vehicle | None = value_of(reader, VEHICLE, vin)
    assert vehicle is not None, "a listing has a vehicle"
    return vehicle


def disclosure_json(reader: ChainReader, ident: bytes, listing: Listing) -> Json:
    """What a buyer is shown now, and the root over it that an offer has to name."""
    vehicle = _vehicle_of(reader, listing.vin)
    return {
        "vin": listing.vin,
        "listing": ident.hex(),
        "listing_version": listing.version,
        "record_count": vehicle.record_count,
        "history_head": vehicle.history_head.hex(),
        "flags": [flag.name for flag in vehicle.flags],
        "recalls": list(vehicle.recalls),
        "verdict": vehicle.verdict,
        "brands": list(vehicle.brands),
        "warranty": vehicle.warranty.hex(),
        "price": to_json(listing.price) | {"amount": str(listing.price.amount)},
        "disclosure_root": disclosure_root(ident, listing, vehicle).hex(),
    }


def order_status(reader: ChainReader, ident: str, order: Order, now_ms: int) -> str:
    """As it counts now: `expired` past its deadline, unless the reservation holds money; `fallen` where the listing has
    moved on without the offer."""
    if order.status not in ("offered", "countered", "accepted"):
        return order.status
    vehicle = _vehicle_of(reader, order.vin)
    if not is_live(order, now_ms, is_lasting=has_lasting_reservation(vehicle, bytes.fromhex(ident))):
        return "expired"
    if order.status == "accepted":
        return order.status
    listing: Listing | None = value_of(reader, LISTING, order.listing)
    if listing is None or listing.version != order.listing_version:
        return "fallen"
    return order.status if status_now(order.listing, listing, vehicle, now_ms) == "open" else "fallen"


def order_json(reader: ChainReader, ident: str, order: Order, now_ms: int) -> Json:
    """With its payments, each as `payment_json`, and the sum that is final for the title."""
    payments = [(payment, value_of(reader, PAYMENT, payment)) for payment in order.payments]
    settled = sum(p.amount.amount for _, p in payments if p is not None and p.status in FINAL_FOR_TITLE[p.rail])
    return {
        "id": ident,
        **to_json(order),
        "status": order_status(reader, ident, order, now_ms),
        "seller_name": name_of(reader, order.seller),
        "buyer_name": name_of(reader, order.buyer),
        "payments": [payment_json(payment.hex(), value) for payment, value in payments if value is not None],
        "settled": {"amount": str(settled), "currency": order.price.currency},
        "is_paid": settled == order.price.amount,
    }


def payment_json(ident: str, payment: Payment) -> Json:
    """All its amounts are of one currency."""
    currency = payment.amount.currency
    return {
        "id": ident,
        **to_json(payment),
        "settled": {"amount": str(payment.settled), "currency": currency},
        "refunded": {"amount": str(payment.refunded), "currency": currency},
        "is_final_for_title": payment.status in FINAL_FOR_TITLE[payment.rail],
    }


def order_of(reader: ChainReader, ident: bytes) -> Order | None:
    found: Order | None = value_of(reader, ORDER, ident)
    return found


# --- members -------------------------------------------------------------------------------------------
def member_json(address: bytes, member: Member, now_ms: int) -> Json:
    """`roles` are those the member holds now; `grants` all it ever had."""
    roles = sorted({grant.role for grant in member.grants if grant.is_active(now_ms)})
    return {
        "address": to_text(address),
        **to_json(member),
        "roles": roles if member.status == "active" else [],
    }
