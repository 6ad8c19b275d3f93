"""The tree file: the hashes of all buckets of the state tree, so that a start need not read every bucket.

    root || hash of bucket 0 || hash of bucket 1 || ...        32 bytes each

A node writes it when it stops. The next start computes the tree from it and uses it where its root is that of the head:
a file that is damaged, or older than the store, leads to another root, and the tree is computed from the buckets.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from node.crypto.state_tree import StateTree


def write_tree(file: Path, tree: StateTree) -> None:
    """Write the file anew, whole or not at all; without one where so few buckets have entries that reading them takes
    less time. Raises `OSError`."""
    if not tree.is_dense():
        file.unlink(missing_ok=True)
        return
    partial = file.with_name(file.name + ".partial")
    try:
        partial.write_bytes(tree.root + tree.leaves())
        os.replace(partial, file)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def read_tree(file: Path, depth: int, root: bytes) -> StateTree | None:
    """The tree of the file, None unless it has this depth and root."""
    try:
        with file.open("rb") as opened:
            leaves = opened.read() if opened.read(len(root)) == root else b""
    except OSError:
        return None
    if len(leaves) != 32 << depth:
        return None
    tree = StateTree.of_leaves(depth, leaves)
    return tree if tree.root == root else None
