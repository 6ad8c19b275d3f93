"""The list tree of RFC 9162, section 2.1: leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right).
Splits at the largest power of two, so no leaf is ever duplicated."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def root(entries: Sequence[bytes]) -> bytes:
    """Root over `entries`, 32 bytes; of none: SHA-256 of nothing."""
    if not entries:
        return EMPTY_ROOT
    level = [leaf_hash(entry) for entry in entries]
    while len(level) > 1:
        paired = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def inclusion_path(entries: Sequence[bytes], index: int) -> list[bytes]:
    """Siblings from the leaf upwards (RFC 9162, section 2.1.3.1)."""
    level = [leaf_hash(entry) for entry in entries]
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
    node, last, value = index, size - 1, leaf_hash(entry)
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
