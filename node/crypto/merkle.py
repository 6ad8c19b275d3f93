"""Merkle tree of RFC 9162, section 2.1: leaf = SHA-256(0x00 || entry), node = SHA-256(0x01 || left || right).

It splits at the largest power of two, so no leaf is duplicated.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def root(entries: Sequence[bytes]) -> bytes:
    """The root (32 bytes) of `entries`; without entries the hash of the empty string."""
    if not entries:
        return EMPTY_ROOT
    level = [leaf_hash(entry) for entry in entries]
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: list[bytes]) -> list[bytes]:
    """The nodes above those of a level. A last one without a neighbour moves up as it is."""
    paired = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
    return [*paired, level[-1]] if len(level) % 2 else paired


def root_and_paths(entries: Sequence[bytes]) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """The root of at least one entry, and what `inclusion_path` gives for each: O(n log n) for all."""
    level = [leaf_hash(entry) for entry in entries]
    paths = [list[bytes]() for _ in entries]
    height = 0
    while len(level) > 1:
        for index, path in enumerate(paths):
            beside = (index >> height) ^ 1
            if beside < len(level):
                path.append(level[beside])
        level, height = _above(level), height + 1
    return level[0], [tuple(path) for path in paths]


def inclusion_path(entries: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes beside the way from `entries[index]` to the root, the lowest first (RFC 9162, 2.1.3.1)."""
    if len(entries) == 1:
        return ()
    split = 1 << ((len(entries) - 1).bit_length() - 1)
    if index < split:
        return (*inclusion_path(entries[:split], index), root(entries[split:]))
    return (*inclusion_path(entries[split:], index - split), root(entries[:split]))


def root_of_path(entry: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to; None if a list of `count` has no such index, or its paths another length."""
    if not 0 <= index < count:
        return None
    node, first, last = leaf_hash(entry), index, count - 1
    for sibling in path:
        if last == 0:
            return None
        if first & 1 or first == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while first & 1 == 0 and first:
                first, last = first >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        first, last = first >> 1, last >> 1
    return node if last == 0 else None
