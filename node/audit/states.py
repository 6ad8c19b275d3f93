"""Whole states of a chain, stored or recomputed, and the keys in which two of them differ.

A state is what its values hash to: its tree is built from the values alone, so a state whose tree has the certified
root is the certified one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from node.crypto.state_tree import StateTree, bucket_of, entries_of, slot_of
from node.errors import OperatorError
from node.storage.kv import KeyValue
from node.storage.snapshot import Offer, chunk_hash, entries_in
from node.storage.snapshot_files import read_chunk

Pairs = Iterator[tuple[bytes, bytes]]
"""(state key, value)."""


class State:
    """Read twice at most: for the tree, and for the values that differ. About 150 bytes of memory for each value."""

    def __init__(self, depth: int, pairs: Callable[[], Pairs]) -> None:
        self._depth = depth
        self._pairs = pairs

    @classmethod
    def of_store(cls, depth: int, kv: KeyValue) -> State:
        return cls(depth, lambda: ((key[1:], value) for key, value in kv.scan(b"S", b"T")))

    @classmethod
    def of_snapshot(cls, depth: int, path: Path, offer: Offer) -> State:
        def pairs() -> Pairs:
            for index, expected in enumerate(offer.manifest.chunks):
                chunk = read_chunk(path, index)
                if chunk_hash(chunk) != expected:
                    raise OperatorError(f"the snapshot {path} is damaged in chunk {index}: leave it out")
                for key, value in entries_in(chunk):
                    if key.startswith(b"S"):
                        yield key[1:], value

        return cls(depth, pairs)

    @cached_property
    def _buckets(self) -> dict[int, bytes]:
        entries: dict[int, list[bytes]] = {}
        for key, value in self._pairs():
            slot = slot_of(key)
            entries.setdefault(bucket_of(slot, self._depth), []).append(slot + sha256(value).digest())
        return {number: b"".join(sorted(found)) for number, found in entries.items()}

    @cached_property
    def tree(self) -> StateTree:
        return StateTree(self._depth, self._buckets.items())

    def bucket(self, number: int) -> frozenset[bytes]:
        return frozenset(entries_of(self._buckets.get(number, b"")))

    def values(self, slots: set[bytes]) -> dict[bytes, bytes]:
        """Key to value, of the keys with these slots."""
        return {key: value for key, value in self._pairs() if slot_of(key) in slots} if slots else {}


def differing_values(one: State, other: State) -> dict[bytes, tuple[bytes | None, bytes | None]]:
    """The keys in which two states differ, ascending, with the value in each: from the roots down to the buckets."""
    slots: set[bytes] = set()
    for number in one.tree.differing(other.tree):
        slots.update(entry[:32] for entry in one.bucket(number) ^ other.bucket(number))
    ours, theirs = one.values(slots), other.values(slots)
    return {key: (ours.get(key), theirs.get(key)) for key in sorted(ours.keys() | theirs.keys())}
