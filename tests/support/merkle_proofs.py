"""Inclusion proofs in the Merkle tree of `node.crypto.merkle` (RFC 9162, section 2.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from node.crypto import merkle


def inclusion_path(entries: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings from the leaf upwards (RFC 9162, section 2.1.3.1)."""
    level = [merkle.leaf_hash(entry) for entry in entries]
    path: list[bytes] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level, index = paired, index // 2
    return path


def is_included(entry: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Verification of an inclusion path (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, merkle.leaf_hash(entry)
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = sha256(b"\x01" + sibling + value).digest()
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            value = sha256(b"\x01" + value + sibling).digest()
        node >>= 1
        last >>= 1
    return last == 0 and value == expected_root
