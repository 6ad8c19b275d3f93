"""Merkle tree against RFC 9162: published roots, the RFC's inclusion paths, and no path for other entries."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.second_codec import list_root

from node.crypto import merkle
from node.crypto.merkle import inclusion_path, root_of_path

# The eight entries and roots that the certificate transparency log implementations share.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def is_included(entry: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    return root_of_path(entry, index, size, path) == root


LISTS = st.lists(st.binary(max_size=40), max_size=40)


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    assert ROOTS[size] == merkle.root(ENTRIES[:size]).hex()


def test_the_paths_of_the_rfcs_example() -> None:
    """RFC 9162, section 2.1.5: the tree over d0 to d6, with the RFC's letters."""
    d = ENTRIES[:7]
    a, b, c, e, f, h = (merkle.leaf_hash(d[i]) for i in (0, 1, 2, 3, 4, 5))
    j = merkle.leaf_hash(d[6])

    def node(left: bytes, right: bytes) -> bytes:
        return sha256(b"\x01" + left + right).digest()

    g, i, k = node(a, b), node(c, e), node(f, h)
    left, right = node(g, i), node(k, j)
    assert node(left, right) == merkle.root(d)
    assert (b, i, right) == inclusion_path(d, 0)
    assert (c, g, right) == inclusion_path(d, 3)
    assert (h, j, left) == inclusion_path(d, 4)
    assert (k, left) == inclusion_path(d, 6)


@given(LISTS)
def test_the_root_is_the_recursive_definitions(entries: list[bytes]) -> None:
    assert list_root(entries) == merkle.root(entries)


@given(LISTS.filter(bool))
def test_all_paths_at_once_are_those_of_each(entries: list[bytes]) -> None:
    root, paths = merkle.root_and_paths(entries)
    assert merkle.root(entries) == root
    assert [inclusion_path(entries, index) for index in range(len(entries))] == paths


@given(LISTS.filter(bool), st.data())
def test_a_path_proves_its_entry_at_its_place_only(entries: list[bytes], data) -> None:
    size, root = len(entries), merkle.root(entries)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(entries, index)
    assert is_included(entries[index], index, size, path, root)
    for other in range(-1, size + 1):
        is_there = 0 <= other < size and inclusion_path(entries, other) == path and entries[other] == entries[index]
        if other != index and not is_there:
            assert not is_included(entries[index], other, size, path, root)
    assert not is_included(entries[index] + b"\x00", index, size, path, root)
    assert not is_included(entries[index], index, size, [*path, bytes(32)], root)
    assert not path or not is_included(entries[index], index, size, path[:-1], root)
    assert not is_included(entries[index], index, size, path, bytes(32))
    for place in range(len(path)):
        bent = [*path[:place], sha256(path[place]).digest(), *path[place + 1 :]]
        assert not is_included(entries[index], index, size, bent, root)


def test_a_last_entry_that_stands_twice_is_another_list() -> None:
    """A weakness of trees that duplicate an odd leaf (CVE-2012-2459)."""
    for size in range(1, 9):
        assert merkle.root(ENTRIES[:size]) != merkle.root([*ENTRIES[:size], ENTRIES[size - 1]])


def test_an_inner_node_is_no_entry() -> None:
    """RFC 9162's 0x00 and 0x01: without them the two leaves' hashes, as one entry, would have the same root."""
    left, right = merkle.leaf_hash(ENTRIES[0]), merkle.leaf_hash(ENTRIES[1])
    for forged in (left + right, b"\x01" + left + right):
        assert merkle.root([forged]) != merkle.root(ENTRIES[:2])


def test_a_path_is_for_a_list_of_its_size() -> None:
    """Otherwise the second of two entries would pass for a single one."""
    path, root = inclusion_path(ENTRIES[:2], 1), merkle.root(ENTRIES[:2])
    assert is_included(ENTRIES[1], 1, 2, path, root)
    assert not is_included(ENTRIES[1], 0, 1, path, root)
