"""State tree: commits to the state with a Merkle tree of fixed depth over 2^depth buckets (docs/PROTOCOL.md, State).

    slot    = H("bmw/slot", key)                      the first `depth` bits choose the bucket
    bucket  = SHA-256(0x00 || slot || SHA-256(value) || ...)   up to 256 entries of 64 bytes, ascending by slot
              SHA-256(0x02 || count4 || Merkle root)           more: the root of RFC 9162 over the entries
    inner   = SHA-256(left || right)
    empty   = 32 zero bytes, for a bucket without entries and a node above two empty ones

An undecided block works on a `TreeChange`, never on the tree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from node.crypto import merkle
from node.crypto.hashing import ZERO32
from node.errors import InvalidProof

ENTRY = 64
WHOLE_MAX = 256
"""Entries of a bucket that a proof gives whole. Anybody can grind keys into one bucket; beyond this a proof gives one
or two entries of it, so that no answer and no proof can be blown up."""
_SLOT_PREFIX = b"bmw/slot\x00"
EMPTY_PAIR = bytes(64)
DENSE_SHIFT = 3
"""Where more than an eighth of the buckets have entries, all nodes are computed in order, which takes half as long for
each as to look for those that are not empty."""
SAMPLE = 4_096
"""Buckets that are looked at to judge how many have entries."""
PIECE_BYTES = 32 * 1024
KEPT_STRIDE = 4
"""Of past trees only the nodes of every fourth level are kept, from the buckets upwards, about a quarter of the nodes
that a transaction changes. Of a path the levels between are computed from 16 nodes each."""


def slot_of(key: bytes) -> bytes:
    """The slot of a state key: `H("bmw/slot", key)`, 32 bytes."""
    return sha256(_SLOT_PREFIX + key).digest()


def bucket_of(slot: bytes, depth: int) -> int:
    """The number of a slot's bucket: its first `depth` bits, at most 32."""
    return int.from_bytes(slot[:4], "big") >> (32 - depth)


def bucket_hash(entries: bytes) -> bytes:
    """32 bytes; of an empty bucket zeros."""
    if len(entries) > ENTRY * WHOLE_MAX:
        return large_bucket_hash(len(entries) // ENTRY, merkle.root(entries_of(entries)))
    return sha256(b"\x00" + entries).digest() if entries else ZERO32


def large_bucket_hash(count: int, root: bytes) -> bytes:
    return sha256(b"\x02" + count.to_bytes(4, "big") + root).digest()


def entries_of(bucket: bytes) -> list[bytes]:
    """The entries of a bucket, each 64 bytes."""
    return [bucket[at : at + ENTRY] for at in range(0, len(bucket), ENTRY)]


def inner_hash(pair: bytes | bytearray) -> bytes:
    """The node above two nodes, given as 64 bytes."""
    return sha256(pair).digest() if pair != bytes(64) else ZERO32


def is_kept(index: int, depth: int) -> bool:
    """Whether the node at a heap index is on one of the levels of `KEPT_STRIDE`; the root never is."""
    return index > 1 and (depth + 1 - index.bit_length()) % KEPT_STRIDE == 0


def siblings_from(number: int, depth: int, node_at: Callable[[int], bytes]) -> tuple[bytes, ...]:
    """The siblings on the path from bucket `number` to the root. `node_at`: a node by its heap index, called only for
    those that `is_kept`."""
    index, siblings = (1 << depth) + number, list[bytes]()
    while index > 1:
        levels = min(KEPT_STRIDE, index.bit_length() - 1)
        first = index >> levels << levels
        nodes = [node_at(each) for each in range(first, first + (1 << levels))]
        for _ in range(levels):
            siblings.append(nodes[(index ^ 1) - first])
            nodes = [inner_hash(left + right) for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
            index, first = index >> 1, first >> 1
    return tuple(siblings)


def changed_bucket(entries: bytes, slot: bytes, value_hash: bytes | None) -> bytes:
    """The bucket with the slot's value hash set, or with the slot removed if it is None."""
    at = 0
    while at < len(entries) and entries[at : at + 32] < slot:
        at += ENTRY
    end = at + ENTRY if entries[at : at + 32] == slot else at
    return entries[:at] + (slot + value_hash if value_hash is not None else b"") + entries[end:]


@dataclass(frozen=True, slots=True)
class TreeChange:
    """A block's change of the tree: new buckets by number, new nodes by heap index, and the new root."""

    buckets: Mapping[int, bytes]
    nodes: Mapping[int, bytes]
    root: bytes


@dataclass(frozen=True, slots=True)
class LargeBucket:
    """Where the entries of a proof are in a bucket of more than `WHOLE_MAX`: the number of all entries, the index of
    the first one given, and the path of each to the Merkle root."""

    count: int
    index: int
    paths: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True, slots=True)
class StateProof:
    """A proof of membership or absence: the bucket, and the siblings from the bucket to the root.

    `entries` are all of the bucket, or of a large one the key's own entry, or the two between which it would be.
    """

    entries: bytes
    siblings: tuple[bytes, ...]
    large: LargeBucket | None = None


def prove(key: bytes, bucket: bytes, siblings: tuple[bytes, ...]) -> StateProof:
    """The proof of a key's value or absence, given its bucket."""
    if len(bucket) <= ENTRY * WHOLE_MAX:
        return StateProof(bucket, siblings)
    entries, slot = entries_of(bucket), slot_of(key)
    at = bisect_left(entries, slot, key=lambda entry: entry[:32])
    first, end = (at, at + 1) if at < len(entries) and entries[at][:32] == slot else (max(at - 1, 0), at + 1)
    given = entries[first:end]
    paths = tuple(merkle.inclusion_path(entries, first + place) for place in range(len(given)))
    return StateProof(b"".join(given), siblings, LargeBucket(len(entries), first, paths))


def _hash_above(nodes: memoryview, level: set[int]) -> None:
    """Compute the nodes at the heap indexes of `level`, and all above them."""
    while level:
        for index in level:
            nodes[32 * index : 32 * index + 32] = sha256(nodes[64 * index : 64 * index + 64]).digest()
        level = {index >> 1 for index in level if index > 1}


def _hash_all(nodes: memoryview, depth: int) -> None:
    """Compute all nodes above the buckets, level by level and in pieces of `PIECE_BYTES`."""
    for level in range(depth - 1, -1, -1):
        first = 32 << level
        for start in range(first, 2 * first, PIECE_BYTES):
            end = min(start + PIECE_BYTES, 2 * first)
            children = bytes(nodes[2 * start : 2 * end])
            pairs = [children[at : at + 64] for at in range(0, len(children), 64)]
            nodes[start:end] = b"".join([sha256(pair).digest() if pair != EMPTY_PAIR else ZERO32 for pair in pairs])


class StateTree:
    """The tree as one flat bytearray in heap order: root at 1, children of i at 2i and 2i+1, buckets from 2^depth."""

    def __init__(self, depth: int, buckets: Iterable[tuple[int, bytes]] = ()) -> None:
        """`buckets`: (number, entries) of every non-empty bucket. Costs O(2^depth)."""
        assert 1 <= depth <= 28, "the tree's depth is between 1 and 28"
        self.depth = depth
        self._nodes = bytearray(32 << (depth + 1))
        first, numbers = 1 << depth, []
        with memoryview(self._nodes) as nodes:
            for number, entries in buckets:
                at = 32 * (first + number)
                nodes[at : at + 32] = bucket_hash(entries)
                numbers.append(number)
            if len(numbers) > first >> DENSE_SHIFT:
                _hash_all(nodes, depth)
            else:
                _hash_above(nodes, {(first + number) >> 1 for number in numbers})

    @classmethod
    def of_leaves(cls, depth: int, leaves: bytes) -> StateTree:
        """The tree above the hashes of all buckets, in order. Costs O(2^depth)."""
        assert len(leaves) == 32 << depth, "one hash for each bucket"
        tree = cls(depth)
        with memoryview(tree._nodes) as nodes:
            nodes[32 << depth :] = leaves
            _hash_all(nodes, depth)
        return tree

    def leaves(self) -> bytes:
        """The hashes of all buckets, in order: 32 bytes each, zeros for an empty one."""
        return bytes(self._nodes[32 << self.depth :])

    def is_dense(self) -> bool:
        """Whether about an eighth of the buckets or more have entries, judged by a sample."""
        numbers = range(0, 1 << self.depth, max(1, (1 << self.depth) // SAMPLE))
        return sum(map(self.has_entries, numbers)) > len(numbers) >> DENSE_SHIFT

    @property
    def root(self) -> bytes:
        return bytes(self._nodes[32:64])

    def node(self, index: int) -> bytes:
        """The node at a heap index: 32 bytes, zeros above empty buckets."""
        return bytes(self._nodes[32 * index : 32 * index + 32])

    def has_entries(self, number: int) -> bool:
        """Whether bucket `number` has any: an empty one need not be read."""
        at = 32 * ((1 << self.depth) + number)
        return self._nodes[at : at + 32] != ZERO32

    def change(self, buckets: Mapping[int, bytes]) -> TreeChange:
        """The change that `buckets` (number to new entries) make; the tree itself stays the same."""
        first = 1 << self.depth
        level = {first + number: bucket_hash(entries) for number, entries in buckets.items()}
        nodes, stored = dict(level), self._nodes
        empty_pair = bytes(64)
        for _ in range(self.depth):
            parents = {}
            for index, node in level.items():
                other = index ^ 1
                sibling: bytes | bytearray | None = level.get(other)
                if sibling is None:
                    sibling = stored[32 * other : 32 * other + 32]
                elif index & 1:
                    continue  # its sibling has changed too, and makes the parent
                pair = sibling + node if index & 1 else node + sibling
                parents[index >> 1] = sha256(pair).digest() if pair != empty_pair else ZERO32
            nodes |= parents
            level = parents
        return TreeChange(buckets, nodes, nodes.get(1, self.root))

    def apply(self, change: TreeChange) -> None:
        """Apply a change that was computed from the current tree."""
        with memoryview(self._nodes) as stored:  # takes half the time to write to that a bytearray takes
            for index, value in change.nodes.items():
                stored[32 * index : 32 * index + 32] = value

    def differing(self, other: StateTree) -> list[int]:
        """The numbers of the buckets that differ from those of a tree of the same depth, ascending: from the roots down
        only where the nodes differ."""
        assert self.depth == other.depth, "trees of one chain have one depth"
        level = [1]
        for _ in range(self.depth + 1):
            at = [(index, slice(32 * index, 32 * index + 32)) for index in level]
            changed = [index for index, node in at if self._nodes[node] != other._nodes[node]]
            level = [child for index in changed for child in (2 * index, 2 * index + 1)]
        return [index - (1 << self.depth) for index in changed]

    def siblings(self, number: int) -> tuple[bytes, ...]:
        """The `depth` siblings on the path from bucket `number` to the root."""
        index, siblings = (1 << self.depth) + number, []
        while index > 1:
            siblings.append(self.node(index ^ 1))
            index >>= 1
        return tuple(siblings)


def verify_state_proof(key: bytes, value: bytes | None, proof: StateProof, root: bytes, depth: int) -> None:
    """Raises `InvalidProof` unless `proof` proves that under `root` the key has `value`, or is absent (None).

    `depth` is the chain's, from genesis; the proof must have exactly that many siblings.
    """
    if len(proof.siblings) != depth or any(len(sibling) != 32 for sibling in proof.siblings):
        raise InvalidProof(f"the proof has {len(proof.siblings)} siblings, this chain's tree has depth {depth}")
    slot = slot_of(key)
    number = bucket_of(slot, depth)
    _check_entries(proof.entries, number, depth)
    node = _bucket_hash_of(proof, slot)
    proved = next((entry[32:] for entry in entries_of(proof.entries) if entry[:32] == slot), None)
    expected = sha256(value).digest() if value is not None else None
    if proved != expected:
        raise InvalidProof(
            "the proof shows another value"
            if proved and expected
            else ("the proof shows that the key is absent" if expected else "the proof shows that the key has a value")
        )
    for sibling in proof.siblings:
        node = inner_hash(sibling + node if number & 1 else node + sibling)
        number >>= 1
    if node != root:
        raise InvalidProof("the proof does not lead to the state root")


def _bucket_hash_of(proof: StateProof, slot: bytes) -> bytes:
    """The hash of the proof's bucket; of a large one only where its entries decide about the slot."""
    entries, large = entries_of(proof.entries), proof.large
    if large is None:
        if len(entries) > WHOLE_MAX:
            raise InvalidProof(
                f"the proof gives {len(entries)} entries of a bucket, at most {WHOLE_MAX} are given whole"
            )
        return bucket_hash(proof.entries)
    if not WHOLE_MAX < large.count < 2**32 or not 0 <= large.index <= large.count - len(entries):
        raise InvalidProof("the proof's entries are not in a large bucket")
    if len(entries) != len(large.paths) or len(entries) not in (1, 2):
        raise InvalidProof("a proof gives one or two entries of a large bucket, each with its path")
    roots = {
        merkle.root_of_path(entry, large.index + place, large.count, path)
        for place, (entry, path) in enumerate(zip(entries, large.paths, strict=True))
    }
    root = roots.pop()
    if roots or root is None:
        raise InvalidProof("the entries of the bucket do not lead to one root")
    slots = [entry[:32] for entry in entries]
    is_before_all = large.index == 0 and slot < slots[0]
    is_after_all = large.index + len(entries) == large.count and slot > slots[-1]
    if slot not in slots and not is_before_all and not is_after_all and not slots[0] < slot < slots[-1]:
        raise InvalidProof("the entries of the bucket say nothing about the key")
    return large_bucket_hash(large.count, root)


def _check_entries(entries: bytes, number: int, depth: int) -> None:
    if len(entries) % ENTRY:
        raise InvalidProof("the bucket is not a whole number of entries")
    slots: Sequence[bytes] = [entries[at : at + 32] for at in range(0, len(entries), ENTRY)]
    if any(a >= b for a, b in zip(slots, slots[1:], strict=False)):
        raise InvalidProof("the bucket's slots are not ascending")
    if any(bucket_of(slot, depth) != number for slot in slots):
        raise InvalidProof("a slot is in the wrong bucket")
