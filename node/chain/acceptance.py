"""Acceptance receipts: a node's signed statement that a transaction is in its journal (docs/CERTIFICATES.md).

Whoever holds one can prove later that a transaction was handed in, to which node and before which block, although no
block has it. One signature covers all transactions that a node has answered at once, by the root over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import astuple

from node.codec import encode
from node.crypto import merkle
from node.crypto.signing import is_signature
from node.ledger.family import View
from node.ledger.fields import Hash32, Height, PublicKey, Signature, Time
from node.ledger.json_form import from_json

PATH_MAX = 32


class Acceptance(View, frozen=True):
    """The acceptance receipt of one transaction. `index` and `count`: the place among the transactions that were
    answered at once, and their number; `path`: the hashes beside the way from there to the root over them. `height`,
    `block_id`: the head of the node when it answered; `time`: its clock then; `signature`: by the node key."""

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


class _Pending(View, frozen=True):
    """What the receipt of a batch covers of each pending result."""

    txid: Hash32
    until_ms: Time


class BatchAcceptance(View, frozen=True):
    """One signed receipt for all pending transactions of a batch, in the order of the results. `receipts` derives the
    receipt of each transaction from it."""

    height: Height
    block_id: Hash32
    time_ms: Time
    node_key: PublicKey
    signature: Signature

    def receipts(self, accepted: Sequence[tuple[bytes, int]]) -> list[Acceptance]:
        """`accepted`: the txid of each, and when it expires; there is at least one."""
        _, paths = merkle.root_and_paths([_entry(txid, expires_at_ms) for txid, expires_at_ms in accepted])
        return [
            Acceptance(txid, expires_at_ms, index, len(accepted), path, *astuple(self))
            for index, ((txid, expires_at_ms), path) in enumerate(zip(accepted, paths, strict=True))
        ]


def receipts_of(answer: dict[str, Any]) -> list[tuple[dict[str, Any], Acceptance]]:
    """Pair each pending result of the JSON answer to a batch with its receipt. Raises `Malformed`. Signatures are not
    verified here, see `Acceptance.is_signed`."""
    results = answer.get("results")
    listed = results if isinstance(results, list) else []
    pending = [r for r in listed if isinstance(r, dict) and r.get("status") == "pending"]
    if not pending:
        return []
    common: BatchAcceptance = from_json(BatchAcceptance, answer.get("acceptance"), "acceptance")
    named: list[_Pending] = [
        from_json(_Pending, {name: r.get(name) for name in ("txid", "until")}, "results") for r in pending
    ]
    return list(zip(pending, common.receipts([(each.txid, each.until_ms) for each in named]), strict=True))


def accept(
    genesis_hash: bytes, accepted: Sequence[tuple[bytes, int]], height: int, block_id: bytes, time_ms: int,
    node_key: bytes, sign: Callable[[bytes], bytes],
) -> BatchAcceptance:  # fmt: skip
    """Sign for transactions, each a txid and when it expires, that are answered at once; there is at least one."""
    root = merkle.root([_entry(txid, expires_at_ms) for txid, expires_at_ms in accepted])
    signature = sign(acceptance_bytes(genesis_hash, root, height, block_id, time_ms))
    return BatchAcceptance(height, block_id, time_ms, node_key, signature)
