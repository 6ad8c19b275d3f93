"""Acceptance receipts: a node's signed statement that a transaction is in its journal (docs/CERTIFICATES.md).

Whoever holds one can prove later that a transaction was handed in, to which node and before which block, although no
block has it. One signature covers all transactions that a node has answered at once, by the root over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta

from node.codec import encode
from node.crypto import merkle
from node.crypto.signing import is_signature
from node.ledger.family import View
from node.ledger.fields import Hash32, Height, PublicKey, Signature, Time

PATH_MAX = 32


class Acceptance(View, frozen=True):
    """An acceptance receipt. `index` and `count`: the place among the transactions that were answered at once, and
    their number; `path`: the hashes beside the way from there to the root over them. `height`, `block_id`: the head of
    the node when it answered; `time`: its clock then; `signature`: by the node key."""

    txid: Hash32
    expires_at_ms: Time
    index: Annotated[int, Meta(ge=0)]
    count: Annotated[int, Meta(ge=1)]
    path: Annotated[tuple[Hash32, ...], Meta(max_length=PATH_MAX)]
    height: Height
    block_id: Hash32
    time_ms: Time
    node_key: PublicKey
    signature: Signature

    def is_signed(self, genesis_hash: bytes) -> bool:
        """Whether the node key has signed it for the chain."""
        root = merkle.root_of_path(_entry(self.txid, self.expires_at_ms), self.index, self.count, self.path)
        if root is None:
            return False
        message = acceptance_bytes(genesis_hash, root, self.height, self.block_id, self.time_ms)
        return is_signature(self.node_key, message, self.signature)


def _entry(txid: bytes, expires_at_ms: int) -> bytes:
    return encode([txid, expires_at_ms])


def acceptance_bytes(genesis_hash: bytes, root: bytes, height: int, block_id: bytes, time_ms: int) -> bytes:
    """What a node signs: `"bmw/acceptance" || 0x00 || genesis_hash || encode([root, height, block_id, time_ms])`, where
    `root` is the Merkle root (RFC 9162) over `encode([txid, expires_at_ms])` of each transaction."""
    return b"bmw/acceptance\x00" + genesis_hash + encode([root, height, block_id, time_ms])


def acceptances(
    genesis_hash: bytes, accepted: Sequence[tuple[bytes, int]], height: int, block_id: bytes, time_ms: int,
    node_key: bytes, sign: Callable[[bytes], bytes],
) -> list[Acceptance]:  # fmt: skip
    """The receipts for transactions, each a txid and when it expires, that are answered at once; there is at least
    one."""
    entries = [_entry(txid, expires_at_ms) for txid, expires_at_ms in accepted]
    root, paths = merkle.root_and_paths(entries)
    signature = sign(acceptance_bytes(genesis_hash, root, height, block_id, time_ms))
    return [
        Acceptance(txid, expires_at_ms, index, len(entries), path, height, block_id, time_ms, node_key, signature)
        for index, ((txid, expires_at_ms), path) in enumerate(zip(accepted, paths, strict=True))
    ]
