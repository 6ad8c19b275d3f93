"""Building and signing of transactions. The salt is an argument, so that the results are reproducible."""

from __future__ import annotations

from node.codec import encode
from node.crypto.signing import PrivateKey
from node.ledger.body import TransactionBody
from node.txtypes.envelope import Payload, TxSignature, assemble, decode_payload, sign_bytes


def build_payload(sender: bytes, body: TransactionBody, *, salt: int, expires_at_ms: int) -> bytes:
    """Canonical payload bytes, checked by the type's static rule. Raises `Malformed`."""
    raw = encode(Payload(sender, salt, expires_at_ms, body))
    decode_payload(raw)
    return raw


def sign_payload(payload_bytes: bytes, genesis_hash: bytes, address: bytes, key: PrivateKey) -> TxSignature:
    """The signature of `key` on behalf of the account `address`."""
    return TxSignature(address, key.public, key.sign(sign_bytes(genesis_hash, payload_bytes)))


def sign_transaction(
    sender: bytes,
    body: TransactionBody,
    signers: list[tuple[bytes, PrivateKey]],
    genesis_hash: bytes,
    *,
    salt: int,
    expires_at_ms: int,
) -> bytes:
    """The transaction's signed bytes, with a signature of each of `signers`: (address, key)."""
    payload = build_payload(sender, body, salt=salt, expires_at_ms=expires_at_ms)
    return assemble(payload, [sign_payload(payload, genesis_hash, address, key) for address, key in signers])
