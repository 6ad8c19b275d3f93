"""State tree: commits to the state with a Merkle tree of fixed depth over 2^depth buckets (docs/PROTOCOL.md, State).

    slot    = H("bmw/slot", key)                      the first `depth` bits choose the bucket
    bucket  = SHA-256(0x00 || slot || SHA-256(value) || ...)   entries ascending by slot, 64 bytes each
    inner   = SHA-256(left || right)
    empty   = 32 zero bytes, for a bucket without entries and a node above two empty ones

An undecided block works on a `TreeChange`, never on the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from node.crypto.hashing import ZERO32
from node.errors import InvalidProof

ENTRY = 64
_SLOT_PREFIX = b"bmw/slot\x00"


def slot_of(key: bytes) -> bytes:
    """The slot of a state key: `H("bmw/slot", key)`, 32 bytes."""
    return sha256(_SLOT_PREFIX + key).digest()


def bucket_of(slot: bytes, depth: int) -> int:
    """The number of a slot's bucket: its first `depth` bits, at most 32."""
    return int.from_bytes(slot[:4], "big") >> (32 - depth)


def bucket_hash(entries: bytes) -> bytes:
    return sha256(b"\x00" + entries).digest() if entries else ZERO32


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
class StateProof:
    """A proof of membership or absence: the whole bucket, and the siblings from the bucket to the root."""

    entries: bytes
    siblings: tuple[bytes, ...]


class StateTree:
    """The tree as one flat bytearray in heap order: root at 1, children of i at 2i and 2i+1, buckets from 2^depth."""

    def __init__(self, depth: int, buckets: Iterable[tuple[int, bytes]] = ()) -> None:
        """`buckets`: (number, entries) of every non-empty bucket. Costs O(2^depth)."""
        assert 1 <= depth <= 28, "the tree's depth is between 1 and 28"
        self.depth = depth
        self._nodes = bytearray(32 << (depth + 1))
        first = 1 << depth
        level = set()
        for number, entries in buckets:
            index = first + number
            self._nodes[32 * index : 32 * index + 32] = bucket_hash(entries)
            level.add(index >> 1)
        while level:
            for index in level:
                self._nodes[32 * index : 32 * index + 32] = sha256(self._nodes[64 * index : 64 * index + 64]).digest()
            level = {index >> 1 for index in level if index > 1}

    @property
    def root(self) -> bytes:
        return bytes(self._nodes[32:64])

    def change(self, buckets: Mapping[int, bytes]) -> TreeChange:
        """The change that `buckets` (number to new entries) make; the tree itself stays the same."""
        first = 1 << self.depth
        new = {first + number: bucket_hash(entries) for number, entries in buckets.items()}
        nodes, stored = dict(new), self._nodes
        level = set(new)
        empty_pair = bytes(64)
        for _ in range(self.depth):
            level = {index >> 1 for index in level}
            for index in level:
                pair = stored[64 * index : 64 * index + 64]
                left, right = nodes.get(2 * index), nodes.get(2 * index + 1)
                if left is not None:
                    pair[:32] = left
                if right is not None:
                    pair[32:] = right
                nodes[index] = sha256(pair).digest() if pair != empty_pair else ZERO32
        return TreeChange(buckets, nodes, nodes.get(1, self.root))

    def apply(self, change: TreeChange) -> None:
        """Apply a change that was computed from the current tree."""
        stored = self._nodes
        for index, value in change.nodes.items():
            stored[32 * index : 32 * index + 32] = value

    def siblings(self, number: int) -> tuple[bytes, ...]:
        """The `depth` siblings on the path from bucket `number` to the root."""
        index, siblings = (1 << self.depth) + number, []
        while index > 1:
            other = index ^ 1
            siblings.append(bytes(self._nodes[32 * other : 32 * other + 32]))
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
    _check_bucket(proof.entries, number, depth)
    proved = _lookup(proof.entries, slot)
    expected = sha256(value).digest() if value is not None else None
    if proved != expected:
        raise InvalidProof(
            "the proof shows another value"
            if proved and expected
            else ("the proof shows that the key is absent" if expected else "the proof shows that the key has a value")
        )
    node = bucket_hash(proof.entries)
    for sibling in proof.siblings:
        pair = sibling + node if number & 1 else node + sibling
        node = sha256(pair).digest() if pair != bytes(64) else ZERO32
        number >>= 1
    if node != root:
        raise InvalidProof("the proof does not lead to the state root")


def _lookup(entries: bytes, slot: bytes) -> bytes | None:
    for at in range(0, len(entries), ENTRY):
        if entries[at : at + 32] == slot:
            return entries[at + 32 : at + ENTRY]
    return None


def _check_bucket(entries: bytes, number: int, depth: int) -> None:
    if len(entries) % ENTRY:
        raise InvalidProof("the bucket is not a whole number of entries")
    slots: Sequence[bytes] = [entries[at : at + 32] for at in range(0, len(entries), ENTRY)]
    if any(a >= b for a, b in zip(slots, slots[1:], strict=False)):
        raise InvalidProof("the bucket's slots are not ascending")
    if any(bucket_of(slot, depth) != number for slot in slots):
        raise InvalidProof("a slot is in the wrong bucket")
