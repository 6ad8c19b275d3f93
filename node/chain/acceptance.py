"""Acceptance receipts: a node's signed statement that a transaction is in its journal (docs/CERTIFICATES.md).

Whoever holds one can prove later that a transaction was handed in, to which node and before which block, although no
block has it.
"""

from __future__ import annotations

from node.codec import encode
from node.crypto.signing import is_signature
from node.ledger.family import View
from node.ledger.fields import Hash32, Height, PublicKey, Signature, Time


class Acceptance(View, frozen=True):
    """An acceptance receipt. `height`, `block_id`: the head of the node when it answered; `time`: its clock then;
    `signature`: by the node key."""

    txid: Hash32
    expires_at_ms: Time
    height: Height
    block_id: Hash32
    time_ms: Time
    node_key: PublicKey
    signature: Signature

    def is_signed(self, genesis_hash: bytes) -> bool:
        """Whether the node key has signed it for the chain."""
        message = acceptance_bytes(
            genesis_hash, self.txid, self.expires_at_ms, self.height, self.block_id, self.time_ms
        )
        return is_signature(self.node_key, message, self.signature)


def acceptance_bytes(
    genesis_hash: bytes, txid: bytes, expires_at_ms: int, height: int, block_id: bytes, time_ms: int
) -> bytes:
    """What a node signs: `"bmw/acceptance" || 0x00 || genesis_hash || encode([txid, expires_at_ms, height, block_id,
    time_ms])`."""
    return b"bmw/acceptance\x00" + genesis_hash + encode([txid, expires_at_ms, height, block_id, time_ms])
