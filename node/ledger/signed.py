"""The signed bytes of a transaction (docs/PROTOCOL.md, Transactions): an encoded payload with its signatures.

    signed = [payload_bytes, [[address, public_key, signature], ...]]

Nothing here knows a transaction type, so a process that only verifies signatures loads none.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from node import limits
from node.codec import Decoder, Value, encode
from node.crypto.signing import is_signature
from node.ledger.fields import Address, PublicKey, Signature
from node.ledger.kinds import StructOf
from node.ledger.places import placed


class TxSignature(Value, frozen=True):
    """The signature of one key of an account, over the sign bytes."""

    address: Address
    public_key: PublicKey
    signature: Signature


class Signed(Value, frozen=True):
    """A signed transaction: the encoded payload, and signatures ascending by address, then public key."""

    payload: bytes
    signatures: Annotated[tuple[TxSignature, ...], Meta(max_length=limits.SIGNATURES_MAX)]


decode_signed: Decoder[Signed] = Decoder(
    Signed,
    limits.TX_BYTES_MAX,
    "transaction",
    lambda error, raw: placed(error, StructOf(Signed), raw, whole="transaction"),
)


def txid_of(genesis_hash: bytes, payload_bytes: bytes) -> bytes:
    return sha256(b"bmw/tx\x00" + genesis_hash + payload_bytes).digest()


def wire_id_of(genesis_hash: bytes, raw: bytes) -> bytes:
    return sha256(b"bmw/wire\x00" + genesis_hash + raw).digest()


def sign_bytes(genesis_hash: bytes, payload_bytes: bytes) -> bytes:
    """The message that every signer of a transaction signs."""
    return b"bmw/tx\x00" + genesis_hash + payload_bytes


def verify_raw(raw: bytes, genesis_hash: bytes) -> bool:
    """Whether all signatures of canonical signed bytes verify: the work of a verifier process, without the body."""
    envelope = decode_signed(raw)
    message = sign_bytes(genesis_hash, envelope.payload)
    return all(is_signature(s.public_key, message, s.signature) for s in envelope.signatures)


def assemble(payload_bytes: bytes, signatures: list[TxSignature]) -> bytes:
    """Signed bytes with the signatures in canonical order."""
    ordered = tuple(sorted(signatures, key=lambda s: (s.address, s.public_key)))
    return encode(Signed(payload_bytes, ordered))
