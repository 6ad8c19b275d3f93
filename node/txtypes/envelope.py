"""The signed envelope: `bytes -> SignedTx -> CheckedTx` (docs/PROTOCOL.md, Transactions).

    payload = [sender, salt, expires_at_ms, body]
    signed  = [payload_bytes, [[address, public_key, signature], ...]]

`txid` names what was signed and is what people see; `wire_id` names these very bytes, signatures included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from node import limits
from node.codec import U64, Address, Decoder, Millis, PublicKey, Signature, Value, encode
from node.crypto.signing import is_signature
from node.errors import BadSignature, Malformed
from node.rules.card_numbers import find_card_number
from node.txtypes.body import Body
from node.txtypes.registry import AnyBody
from node.txtypes.schema import code_strings

if TYPE_CHECKING:
    AnyBody = Body


class Payload(Value, frozen=True):
    sender: Address
    salt: U64
    expires_at_ms: Millis
    body: AnyBody


class TxSignature(Value, frozen=True):
    address: Address
    public_key: PublicKey
    signature: Signature


class Signed(Value, frozen=True):
    payload: bytes
    signatures: Annotated[tuple[TxSignature, ...], Meta(max_length=limits.SIGNATURES_MAX)]


@dataclass(frozen=True, slots=True)
class SignedTx:
    """Decoded and of the right form; signatures not yet verified."""

    raw: bytes
    payload_bytes: bytes
    payload: Payload
    signatures: tuple[TxSignature, ...]
    txid: bytes
    wire_id: bytes


@dataclass(frozen=True, slots=True)
class CheckedTx:
    """A transaction all of whose signatures verify. Only `check_signatures` and the verifier pool make one."""

    signed: SignedTx

    @property
    def txid(self) -> bytes:
        return self.signed.txid

    @property
    def wire_id(self) -> bytes:
        return self.signed.wire_id

    @property
    def raw(self) -> bytes:
        return self.signed.raw

    @property
    def payload(self) -> Payload:
        return self.signed.payload


_decode_signed: Decoder[Signed] = Decoder(Signed, limits.TX_BYTES_MAX, "transaction")
_decode_payload: Decoder[Payload] = Decoder(Payload, limits.TX_BYTES_MAX, "payload")

Verify = Callable[[bytes, bytes, bytes], bool]


def txid_of(genesis_hash: bytes, payload_bytes: bytes) -> bytes:
    return sha256(b"bmw/tx\x00" + genesis_hash + payload_bytes).digest()


def wire_id_of(genesis_hash: bytes, raw: bytes) -> bytes:
    return sha256(b"bmw/wire\x00" + genesis_hash + raw).digest()


def sign_bytes(genesis_hash: bytes, payload_bytes: bytes) -> bytes:
    """What every signer of a transaction signs."""
    return b"bmw/tx\x00" + genesis_hash + payload_bytes


def decode_payload(raw: bytes) -> Payload:
    """Canonical form and the type's static rule. Raises `Malformed` or `TooLarge`."""
    payload = _decode_payload(raw)
    body = payload.body
    body.check_static()
    codes = " ".join(code_strings(body))
    if (at := find_card_number(codes)) >= 0:
        raise Malformed(f"{codes[at : at + 4]}... looks like a payment card number, which must never be on a chain")
    return payload


def decode_signed_tx(raw: bytes, genesis_hash: bytes) -> SignedTx:
    """Everything about a transaction that needs neither keys nor state. Raises `Malformed` or `TooLarge`."""
    envelope = _decode_signed(raw)
    payload = decode_payload(envelope.payload)
    order = [(s.address, s.public_key) for s in envelope.signatures]
    if any(a >= b for a, b in zip(order, order[1:], strict=False)):
        raise Malformed("signatures: not strictly ascending by address and public key")
    return SignedTx(
        raw,
        envelope.payload,
        payload,
        envelope.signatures,
        txid_of(genesis_hash, envelope.payload),
        wire_id_of(genesis_hash, raw),
    )


def check_signatures(signed: SignedTx, genesis_hash: bytes, verify: Verify = is_signature) -> CheckedTx:
    """Every signature verifies for its key. Raises `BadSignature`. Whose key it is, execution judges."""
    message = sign_bytes(genesis_hash, signed.payload_bytes)
    for entry in signed.signatures:
        if not verify(entry.public_key, message, entry.signature):
            raise BadSignature(f"the signature by key {entry.public_key.hex()} does not verify")
    return CheckedTx(signed)


def verify_raw(raw: bytes, genesis_hash: bytes) -> bool:
    """Whether all signatures of canonical signed bytes verify: what a verifier process does, without the body."""
    envelope = _decode_signed(raw)
    message = sign_bytes(genesis_hash, envelope.payload)
    return all(is_signature(s.public_key, message, s.signature) for s in envelope.signatures)


def assemble(payload_bytes: bytes, signatures: list[TxSignature]) -> bytes:
    """Signed bytes with the signatures in canonical order."""
    ordered = tuple(sorted(signatures, key=lambda s: (s.address, s.public_key)))
    return encode(Signed(payload_bytes, ordered))
