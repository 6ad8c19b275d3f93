"""State tree: comparison with a naive implementation, changes, proofs and forged proofs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.second_codec import state_root

from node.crypto import merkle
from node.crypto.hashing import ZERO32
from node.crypto.state_tree import (
    ENTRY,
    WHOLE_MAX,
    LargeBucket,
    StateProof,
    StateTree,
    bucket_hash,
    bucket_of,
    changed_bucket,
    entries_of,
    is_kept,
    prove,
    siblings_from,
    slot_of,
    verify_state_proof,
)
from node.errors import InvalidProof

KEYS = [b"family/%d" % n for n in range(24)]
VALUES = st.binary(min_size=1, max_size=8)
CHANGES = st.dictionaries(st.sampled_from(KEYS), st.none() | VALUES, max_size=8)


class Tree:
    """A tree with the buckets that the store would have."""

    def __init__(self, depth: int, state: dict[bytes, bytes]) -> None:
        self.tree = StateTree(depth)
        self.buckets: dict[int, bytes] = {}
        self.put(dict(state))

    def changed(self, changes: dict[bytes, bytes | None]) -> dict[int, bytes]:
        new: dict[int, bytes] = {}
        for key, value in changes.items():
            slot = slot_of(key)
            number = bucket_of(slot, self.tree.depth)
            digest = None if value is None else sha256(value).digest()
            new[number] = changed_bucket(new.get(number, self.buckets.get(number, b"")), slot, digest)
        return new

    def put(self, changes: dict[bytes, bytes | None]) -> None:
        change = self.tree.change(self.changed(changes))
        self.tree.apply(change)
        self.buckets.update(change.buckets)
        assert self.tree.root == change.root

    def proof(self, key: bytes) -> StateProof:
        number = bucket_of(slot_of(key), self.tree.depth)
        return StateProof(self.buckets.get(number, b""), self.tree.siblings(number))


class RandomChanges(RuleBasedStateMachine):
    """Blocks of puts and deletes, some of them not applied; each must give the naive root."""

    @initialize(depth=st.integers(1, 6))
    def start(self, depth: int) -> None:
        self.depth = depth
        self.state: dict[bytes, bytes] = {}
        self.tree = Tree(depth, {})

    @rule(changes=CHANGES)
    def commit(self, changes: dict[bytes, bytes | None]) -> None:
        self.tree.put(changes)
        self.state = {k: v for k, v in (self.state | changes).items() if v is not None}

    @rule(changes=CHANGES)
    def try_and_drop(self, changes: dict[bytes, bytes | None]) -> None:
        """An undecided block: its root is right, and the tree stays the same."""
        before = self.tree.tree.root
        wanted = {k: v for k, v in (self.state | changes).items() if v is not None}
        assert state_root(wanted, self.depth) == self.tree.tree.change(self.tree.changed(changes)).root
        assert before == self.tree.tree.root

    @rule(key=st.sampled_from(KEYS))
    def prove(self, key: bytes) -> None:
        value, proof, root = self.state.get(key), self.tree.proof(key), self.tree.tree.root
        verify_state_proof(key, value, proof, root, self.depth)
        for wrong in (None if value is not None else b"x", b"other"):
            with pytest.raises(InvalidProof):
                verify_state_proof(key, wrong, proof, root, self.depth)

    @invariant()
    def root_is_the_naive_one(self) -> None:
        if hasattr(self, "state"):
            assert state_root(self.state, self.depth) == self.tree.tree.root

    @invariant()
    def a_restart_finds_the_same_root(self) -> None:
        if hasattr(self, "state"):
            kept = [(number, entries) for number, entries in self.tree.buckets.items() if entries]
            assert self.tree.tree.root == StateTree(self.depth, kept).root


RandomChanges.TestCase.settings = settings(max_examples=40, stateful_step_count=20)
TestRandomChanges = RandomChanges.TestCase


def test_an_empty_tree_and_a_tree_emptied_have_the_zero_root() -> None:
    for depth in (1, 5, 18):
        assert StateTree(depth).root == ZERO32
    tree = Tree(5, dict.fromkeys(KEYS, b"v"))
    assert tree.tree.root != ZERO32
    tree.put(dict.fromkeys(KEYS))
    assert tree.tree.root == ZERO32
    assert set(tree.buckets.values()) == {b""}


def test_the_order_of_puts_does_not_matter() -> None:
    forwards, backwards = Tree(2, {}), Tree(2, {})
    for key in KEYS:
        forwards.put({key: key})
    for key in reversed(KEYS):
        backwards.put({key: b"first"})
        backwards.put({key: key})
    assert forwards.buckets == backwards.buckets
    assert forwards.tree.root == backwards.tree.root


@given(st.binary(min_size=32, max_size=32), st.integers(1, 24))
def test_a_bucket_is_named_by_the_slots_first_bits(slot: bytes, depth: int) -> None:
    assert int.from_bytes(slot, "big") >> (256 - depth) == bucket_of(slot, depth)


@given(st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), max_size=8), st.data())
def test_a_bucket_stays_sorted_whatever_is_put_and_removed(entries: dict[bytes, bytes], data) -> None:
    bucket = b""
    for slot in data.draw(st.permutations(sorted(entries))):
        bucket = changed_bucket(bucket, slot, bytes(32))
        bucket = changed_bucket(bucket, slot, entries[slot])
    assert b"".join(slot + entries[slot] for slot in sorted(entries)) == bucket
    for slot in data.draw(st.permutations(sorted(entries))):
        assert changed_bucket(bucket, slot, entries[slot]) == bucket
        bucket = changed_bucket(bucket, slot, None)
        assert changed_bucket(bucket, slot, None) == bucket
    assert bucket == b""
    assert bucket_hash(bucket) == ZERO32


# --- forged proofs ---------------------------------------------------------------------------------------------
DEPTH = 3
STATE = {key: b"value of " + key for key in KEYS}
TREE = Tree(DEPTH, STATE)
ROOT = TREE.tree.root
NUMBERS = {key: bucket_of(slot_of(key), DEPTH) for key in KEYS}
KEY = next(key for key in KEYS if sum(n == NUMBERS[key] for n in NUMBERS.values()) >= 3)
ABSENT = next(key for key in (b"absent/%d" % n for n in range(99)) if bucket_of(slot_of(key), DEPTH) == NUMBERS[KEY])
GOOD = TREE.proof(KEY)


def slots(entries: bytes) -> list[bytes]:
    return [entries[at : at + ENTRY] for at in range(0, len(entries), ENTRY)]


def forged(change: Callable[[list[bytes]], list[bytes]]) -> StateProof:
    """A proof with another bucket, and the root that it leads to."""
    return StateProof(b"".join(change(slots(GOOD.entries))), GOOD.siblings)


def root_of(proof: StateProof) -> bytes:
    """The root that a proof leads to."""
    buckets = dict(TREE.buckets) | {NUMBERS[KEY]: proof.entries}
    return StateTree(DEPTH, [(n, e) for n, e in buckets.items() if e]).root


def foreign(entries: list[bytes]) -> bytes:
    other = next(key for key in KEYS if NUMBERS[key] != NUMBERS[KEY])
    return slot_of(other) + sha256(b"forged").digest()


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("unsorted", lambda e: [e[1], e[0], *e[2:]], "not ascending"),
        ("twice", lambda e: [e[0], *e], "not ascending"),
        ("twice with another value", lambda e: [e[0][:32] + bytes(32), *e], "not ascending"),
        ("foreign slot", lambda e: sorted([*e, foreign(e)]), "wrong bucket"),
        ("foreign slot alone", lambda e: [foreign(e)], "wrong bucket"),
        ("half an entry", lambda e: [*e[:-1], e[-1][:32]], "whole number"),
        ("one byte more", lambda e: [*e, b"\x00"], "whole number"),
    ],
)
def test_a_malformed_bucket_is_refused_even_under_its_own_root(name: str, change, told: str) -> None:
    proof = forged(change)
    for key, value in ((KEY, STATE[KEY]), (KEY, None), (ABSENT, None)):
        with pytest.raises(InvalidProof, match=told):
            verify_state_proof(key, value, proof, root_of(proof), DEPTH)


def test_the_good_proof_is_good() -> None:
    verify_state_proof(KEY, STATE[KEY], GOOD, ROOT, DEPTH)
    verify_state_proof(ABSENT, None, GOOD, ROOT, DEPTH)
    assert root_of(GOOD) == ROOT


def test_an_entry_left_out_or_changed_leads_elsewhere() -> None:
    mine = slot_of(KEY)
    without = forged(lambda entries: [e for e in entries if e[:32] != mine])
    other = forged(lambda entries: [e if e[:32] != mine else mine + sha256(b"x").digest() for e in entries])
    empty = StateProof(b"", GOOD.siblings)
    for value, proof in ((None, without), (b"x", other), (None, empty)):
        verify_state_proof(KEY, value, proof, root_of(proof), DEPTH)
        with pytest.raises(InvalidProof, match="does not lead"):
            verify_state_proof(KEY, value, proof, ROOT, DEPTH)


def test_siblings_of_another_depth_order_or_length_are_refused() -> None:
    siblings = GOOD.siblings
    for wrong in ((), siblings[:-1], (*siblings, ZERO32), (siblings[0][:31], *siblings[1:]), (b"", *siblings[1:])):
        with pytest.raises(InvalidProof, match="siblings"):
            verify_state_proof(KEY, STATE[KEY], StateProof(GOOD.entries, wrong), ROOT, DEPTH)
    for wrong in ((siblings[1], siblings[0], siblings[2]), siblings[::-1], (ZERO32, *siblings[1:])):
        with pytest.raises(InvalidProof, match="does not lead"):
            verify_state_proof(KEY, STATE[KEY], StateProof(GOOD.entries, wrong), ROOT, DEPTH)


def test_another_depth_than_genesis_says_is_refused() -> None:
    """A tree of half the depth over the same state has proofs too; a verifier accepts only its own chain's depth."""
    shallow = Tree(DEPTH - 1, STATE)
    verify_state_proof(KEY, STATE[KEY], shallow.proof(KEY), shallow.tree.root, DEPTH - 1)
    with pytest.raises(InvalidProof, match=f"depth {DEPTH}"):
        verify_state_proof(KEY, STATE[KEY], shallow.proof(KEY), shallow.tree.root, DEPTH)


def test_a_proof_for_one_key_proves_nothing_of_another_bucket() -> None:
    other = next(key for key in KEYS if NUMBERS[key] != NUMBERS[KEY])
    for value in (STATE[other], None):
        with pytest.raises(InvalidProof, match="wrong bucket"):
            verify_state_proof(other, value, GOOD, ROOT, DEPTH)


def test_no_flipped_bit_goes_unseen() -> None:
    for at in range(8 * len(GOOD.entries)):
        entries = bytearray(GOOD.entries)
        entries[at // 8] ^= 1 << at % 8
        with pytest.raises(InvalidProof):
            verify_state_proof(KEY, STATE[KEY], StateProof(bytes(entries), GOOD.siblings), ROOT, DEPTH)
    for number, sibling in enumerate(GOOD.siblings):
        for at in range(256):
            bent = bytearray(sibling)
            bent[at // 8] ^= 1 << at % 8
            siblings = (*GOOD.siblings[:number], bytes(bent), *GOOD.siblings[number + 1 :])
            with pytest.raises(InvalidProof):
                verify_state_proof(KEY, STATE[KEY], StateProof(GOOD.entries, siblings), ROOT, DEPTH)


# --- large buckets ------------------------------------------------------------------------------------------
LARGE = Tree(1, {b"family/%d" % n: b"value %d" % n for n in range(700)})
ENTRIES = {number: entries_of(bucket) for number, bucket in LARGE.buckets.items()}


def large_proof(key: bytes) -> StateProof:
    number = bucket_of(slot_of(key), 1)
    return prove(key, LARGE.buckets[number], LARGE.tree.siblings(number))


def checked(key: bytes, value: bytes | None, proof: StateProof) -> None:
    verify_state_proof(key, value, proof, LARGE.tree.root, 1)


def test_a_tree_with_large_buckets_has_the_documents_root() -> None:
    assert min(map(len, ENTRIES.values())) > WHOLE_MAX
    state = {b"family/%d" % n: b"value %d" % n for n in range(700)}
    assert state_root(state, 1) == LARGE.tree.root


@pytest.mark.parametrize("count", [WHOLE_MAX, WHOLE_MAX + 1])
def test_a_bucket_becomes_large_with_its_257th_entry(count: int) -> None:
    entries = ENTRIES[0][:count]
    proof = prove(b"family/7", b"".join(entries), ())
    assert (proof.large is None) == (count == WHOLE_MAX)
    assert len(proof.entries) <= ENTRY * WHOLE_MAX


@given(st.integers(0, 2_000))
def test_present_and_absent_keys_of_a_large_bucket_are_proven_by_at_most_two_entries(number: int) -> None:
    key, value = b"family/%d" % number, b"value %d" % number
    proof = large_proof(key)
    assert len(proof.entries) in (ENTRY, 2 * ENTRY)
    checked(key, value if number < 700 else None, proof)
    for other in (b"another", None if number < 700 else value):
        with pytest.raises(InvalidProof):
            checked(key, other, proof)


@pytest.mark.parametrize("bucket", [0, 1])
def test_keys_before_the_first_and_after_the_last_entry_are_absent(bucket: int) -> None:
    first, last = ENTRIES[bucket][0][:32], ENTRIES[bucket][-1][:32]
    ground = (b"ground/%d" % n for n in range(10**6))
    outside = [next(key for key in ground if bucket_of(slot_of(key), 1) == bucket and is_beyond(slot_of(key)))
               for is_beyond in (lambda slot: slot < first, lambda slot: slot > last)]  # fmt: skip
    for key in outside:
        proof = large_proof(key)
        assert ENTRY == len(proof.entries)
        checked(key, None, proof)


def with_large(proof: StateProof, **changes: object) -> StateProof:
    assert proof.large is not None
    return replace(proof, large=replace(proof.large, **changes))  # type: ignore[arg-type]


def forgeries(key: bytes, proof: StateProof) -> Iterator[StateProof]:
    large = proof.large
    assert large is not None
    entries, number = ENTRIES[bucket_of(slot_of(key), 1)], len(proof.entries) // ENTRY
    yield replace(proof, large=None)
    yield replace(proof, entries=b"".join(entries), large=None)
    yield with_large(proof, count=large.count + 1)
    yield with_large(proof, count=WHOLE_MAX)
    yield with_large(proof, index=large.index + 1)
    yield with_large(proof, index=-1)
    yield with_large(proof, paths=large.paths[:-1])
    yield with_large(proof, paths=(*large.paths, large.paths[0]))
    yield with_large(proof, paths=tuple(path[:-1] for path in large.paths))
    yield with_large(proof, paths=tuple((bytes(32), *path[1:]) for path in large.paths))
    for first in (0, large.index + number, len(entries) - number):  # entries that are there, and say nothing of the key
        if first != large.index:
            paths = tuple(merkle.inclusion_path(entries, first + place) for place in range(number))
            yield StateProof(
                b"".join(entries[first : first + number]), proof.siblings, LargeBucket(large.count, first, paths)
            )
    if number == 2:  # two that are no neighbours
        wide = (large.index - 1, large.index + 1)
        paths = tuple(merkle.inclusion_path(entries, place) for place in wide)
        yield StateProof(
            b"".join(entries[place] for place in wide), proof.siblings, LargeBucket(large.count, wide[0], paths)
        )


@pytest.mark.parametrize("key", [b"family/7", b"family/350", b"family/701", b"family/1500"])
def test_no_forged_proof_of_a_large_bucket_proves_presence_or_absence(key: bytes) -> None:
    checked(key, b"value %d" % int(key[7:]) if int(key[7:]) < 700 else None, large_proof(key))
    forged = list(forgeries(key, large_proof(key)))
    assert len(forged) > 10
    for proof in forged:
        for value in (None, b"value %d" % int(key[7:])):
            with pytest.raises(InvalidProof):
                checked(key, value, proof)


@pytest.mark.parametrize("depth", range(1, 10))
def test_siblings_follow_from_the_nodes_of_every_fourth_level(depth: int) -> None:
    chance = Random(depth)
    filled = {chance.randrange(1 << depth): chance.randbytes(64) for _ in range(1 << depth >> 1)}
    tree = StateTree(depth, filled.items())

    def node_at(index: int) -> bytes:
        assert is_kept(index, depth)
        return tree.node(index)

    assert sum(is_kept(index, depth) for index in range(1, 2 << depth)) <= (1 << depth) * 16 // 15
    for number in range(1 << depth):
        assert tree.siblings(number) == siblings_from(number, depth, node_at)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_the_buckets_in_which_two_trees_differ(one: dict[bytes, bytes], other: dict[bytes, bytes]) -> None:
    def buckets(values: dict[bytes, bytes]) -> dict[int, bytes]:
        found: dict[int, list[bytes]] = {}
        for key, value in values.items():
            found.setdefault(bucket_of(slot_of(key), 4), []).append(slot_of(key) + sha256(value).digest())
        return {number: b"".join(sorted(entries)) for number, entries in found.items()}

    ours, theirs = buckets(one), buckets(other)
    expected = [number for number in range(16) if ours.get(number) != theirs.get(number)]
    assert expected == StateTree(4, ours.items()).differing(StateTree(4, theirs.items()))
