"""Transactions whose signatures nobody has computed: what judges them sees the keys, and all else is as on the wire.

A walk judges tens of thousands of transactions. Signing and verifying took a third of that time and showed nothing,
since no rule of the ledger depends on the arithmetic of a signature.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from node.codec import encode
from node.crypto.dev_keys import dev_key
from node.ledger.body import TransactionBody
from node.ledger.signed import TxSignature, assemble
from node.txtypes.envelope import CheckedTx, Payload, decode_signed_tx
from support.chain import HOUR_MS, address


class Signing(Protocol):
    """A chain as its clients see it."""

    now: int
    _salt: int
    genesis_hash: bytes


@cache
def _signature(name: str) -> TxSignature:
    return TxSignature(address(name), dev_key("account", name).public, bytes(64))


def unsigned(chain: Signing, sender: str, body: TransactionBody, *cosigners: str) -> CheckedTx:
    """The transaction as if all of them had signed it. Raises `Malformed` as a decoder of the bytes does."""
    chain._salt += 1
    payload = encode(Payload(address(sender), chain._salt, chain.now + HOUR_MS, body))
    raw = assemble(payload, [_signature(name) for name in dict.fromkeys((sender, *cosigners))])
    return CheckedTx(decode_signed_tx(raw, chain.genesis_hash))
