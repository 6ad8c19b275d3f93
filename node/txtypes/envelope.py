"""The signed envelope: `bytes -> SignedTx -> CheckedTx` (docs/PROTOCOL.md, Transactions).

    payload = [sender, salt, expires_at_ms, body]

`txid` names the signed payload, for people; `wire_id` names the bytes with the signatures.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, NewType

import msgspec

from node import limits
from node.codec import Decoder, Value, encode
from node.crypto.signing import is_signature
from node.errors import BadSignature, Malformed
from node.ledger.body import TAG, UnknownBody, open_codes, vins_of
from node.ledger.fields import U64, Address, Time
from node.ledger.kinds import StructOf
from node.ledger.places import code_places, placed
from node.ledger.signed import TxSignature, decode_signed, sign_bytes, txid_of, wire_id_of
from node.rules.personal_data import find_personal_data, has_card_in_vin
from node.txtypes.registry import TYPES, AnyBody


class Payload(Value, frozen=True):
    """What the signers of a transaction agree to. `salt`: random; it makes two equal transactions differ."""

    sender: Address
    salt: U64
    expires_at_ms: Time
    body: AnyBody


class SignedTx(NamedTuple):
    """Decoded and of the right form; signatures not yet verified."""

    raw: bytes
    payload_bytes: bytes
    payload: Payload
    signatures: tuple[TxSignature, ...]
    txid: bytes
    wire_id: bytes


CheckedTx = NewType("CheckedTx", SignedTx)
"""A transaction all of whose signatures verify. Only `check_signatures` and the verifier pool make one."""

_decode_payload: Decoder[Payload] = Decoder(
    Payload, limits.TX_BYTES_MAX, "payload", lambda error, raw: placed(error, StructOf(Payload), raw, whole="payload")
)


def decode_payload(raw: bytes) -> Payload:
    """Canonical form and the type's static rule. Raises `Malformed` or `TooLarge`. A type that this software has no
    class for is decoded as `UnknownBody`: whether it is active, the ruleset decides."""
    try:
        payload = _decode_payload(raw)
    except Malformed:
        if (unknown := _of_unknown_type(raw)) is None:
            raise
        return unknown
    body = payload.body
    try:
        body.check_static()
    except Malformed as error:
        raise Malformed(f"body.{error}") from None
    if (found := find_personal_data(open_codes(body))) is not None:
        place, code = next((place, code) for place, code in code_places(body) if code.upper() == found.code)
        raise Malformed(f"body{place}: {code[:4]}... looks like {found.what}, which must never be on a chain")
    if vin := next(filter(has_card_in_vin, vins_of(body)), ""):
        raise Malformed(f"body: the VIN {vin[:4]}... holds a payment card number, which must never be on a chain")
    return payload


class _AnyPayload(Payload, frozen=True):
    body: list[Any]  # type: ignore[assignment]


_any_payload = msgspec.msgpack.Decoder(_AnyPayload)


def _of_unknown_type(raw: bytes) -> Payload | None:
    """The payload where nothing but its type is unknown."""
    try:
        payload = _any_payload.decode(raw)
        tag = payload.body[0]
        if not isinstance(tag, str) or TAG.fullmatch(tag) is None or tag in TYPES or encode(payload) != raw:
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, IndexError, ValueError, RecursionError):
        return None
    return Payload(payload.sender, payload.salt, payload.expires_at_ms, UnknownBody(tag))


def decode_signed_tx(raw: bytes, genesis_hash: bytes) -> SignedTx:
    """Everything about a transaction that needs neither keys nor state. Raises `Malformed` or `TooLarge`."""
    envelope = decode_signed(raw)
    payload = decode_payload(envelope.payload)
    if len(envelope.signatures) > 1:
        order = [(s.address, s.public_key) for s in envelope.signatures]
        if any(a >= b for a, b in pairwise(order)):
            raise Malformed("signatures: not strictly ascending by address and public key")
    txid, wire_id = txid_of(genesis_hash, envelope.payload), wire_id_of(genesis_hash, raw)
    return SignedTx(raw, envelope.payload, payload, envelope.signatures, txid, wire_id)


def check_signatures(signed: SignedTx, genesis_hash: bytes) -> CheckedTx:
    """The transaction with verified signatures. Raises `BadSignature`. Execution judges whose keys they are."""
    message = sign_bytes(genesis_hash, signed.payload_bytes)
    for entry in signed.signatures:
        if not is_signature(entry.public_key, message, entry.signature):
            raise BadSignature(f"the signature by key {entry.public_key.hex()} does not verify")
    return CheckedTx(signed)
