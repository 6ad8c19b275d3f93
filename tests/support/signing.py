"""Signed transactions of tests and benchmarks. The salt is an argument, so that the results are reproducible."""

from __future__ import annotations

from node.crypto.signing import PrivateKey
from node.ledger.body import TransactionBody
from node.ledger.signed import assemble
from wallet.txfile import build_payload, sign_payload


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
