"""The signed envelope: `bytes -> SignedTx -> CheckedTx` (docs/PROTOCOL.md, Transactions).

    payload = [sender, salt, expires_at_ms, body]
    signed  = [payload_bytes, [[address, public_key, signature], ...]]

`txid` names the signed payload, for people; `wire_id` names the bytes with the signatures.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Any, NamedTuple, NewType

import msgspec
from msgspec import Meta

from node import limits
from node.codec import Decoder, Value, encode
from node.crypto.signing import is_signature
from node.errors import BadSignature, Malformed
from node.ledger.body import TAG, UnknownBody, open_codes, vins_of
from node.ledger.fields import U64, Address, PublicKey, Signature, Time
from node.ledger.kinds import StructOf
from node.ledger.places import code_places, placed
from node.rules.personal_data import find_personal_data, has_card_in_vin
from node.txtypes.registry import TYPES, AnyBody


class Payload(Value, frozen=True):
    """What the signers of a transaction agree to. `salt`: random; it makes two equal transactions differ."""

    sender: Address
    salt: U64
    expires_at_ms: Time
    body: AnyBody


class TxSignature(Value, frozen=True):
    """The signature of one key of an account, over the sign bytes."""

    address: Address
    public_key: PublicKey
    signature: Signature


class Signed(Value, frozen=True):
    """A signed transaction: the encoded payload, and signatures ascending by address, then public key."""

    payload: bytes
    signatures: Annotated[tuple[TxSignature, ...], Meta(max_length=limits.SIGNATURES_MAX)]


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

_decode_signed: Decoder[Signed] = Decoder(
    Signed,
    limits.TX_BYTES_MAX,
    "transaction",
    lambda error, raw: placed(error, StructOf(Signed), raw, whole="transaction"),
)
_decode_payload: Decoder[Payload] = Decoder(
    Payload, limits.TX_BYTES_MAX, "payload", lambda error, raw: placed(error, StructOf(Payload), raw, whole="payload")
)


def txid_of(genesis_hash: bytes, payload_bytes: bytes) -> bytes:
    return sha256(b"bmw/tx\x00" + genesis_hash + payload_bytes).digest()


def wire_id_of(genesis_hash: bytes, raw: bytes) -> bytes:
    return sha256(b"bmw/wire\x00" + genesis_hash + raw).digest()


def sign_bytes(genesis_hash: bytes, payload_bytes: bytes) -> bytes:
    """The message that every signer of a transaction signs."""
    return b"bmw/tx\x00" + genesis_hash + payload_bytes


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
    envelope = _decode_signed(raw)
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


def verify_raw(raw: bytes, genesis_hash: bytes) -> bool:
    """Whether all signatures of canonical signed bytes verify: the work of a verifier process, without the body."""
    envelope = _decode_signed(raw)
    message = sign_bytes(genesis_hash, envelope.payload)
    return all(is_signature(s.public_key, message, s.signature) for s in envelope.signatures)


def assemble(payload_bytes: bytes, signatures: list[TxSignature]) -> bytes:
    """Signed bytes with the signatures in canonical order."""
    ordered = tuple(sorted(signatures, key=lambda s: (s.address, s.public_key)))
    return encode(Signed(payload_bytes, ordered))
