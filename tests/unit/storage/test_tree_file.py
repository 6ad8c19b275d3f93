"""A tree that was written down is used where it is that of the head, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chain import Chain
from support.life import register
from support.memory_store import MemoryStore

from node.crypto.state_tree import DENSE_SHIFT, StateTree
from node.storage.chain_store import ChainStore
from node.storage.tree_file import read_tree, write_tree

DEPTH = 5


def a_tree(buckets: int) -> StateTree:
    return StateTree(DEPTH, [(number, bytes([number]) * 64) for number in range(buckets)])


@pytest.mark.parametrize("buckets", [5, 17, 1 << DEPTH])
def test_a_tree_is_read_as_it_was_written(tmp_path: Path, buckets: int) -> None:
    tree = a_tree(buckets)
    write_tree(tmp_path / "tree", tree)
    found = read_tree(tmp_path / "tree", DEPTH, tree.root)
    assert found is not None
    assert found.differing(tree) == []
    assert [found.node(index) for index in range(1, 2 << DEPTH)] == [tree.node(index) for index in range(1, 2 << DEPTH)]
    assert {entry.name for entry in tmp_path.iterdir()} == {"tree"}


def test_a_tree_with_few_entries_is_not_kept(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", a_tree(1 << DEPTH))
    write_tree(tmp_path / "tree", a_tree((1 << DEPTH) >> DENSE_SHIFT))
    assert not (tmp_path / "tree").exists(), "nor an earlier one"


def test_another_root_depth_or_file_is_not_used(tmp_path: Path) -> None:
    file, tree = tmp_path / "tree", a_tree(20)
    assert read_tree(file, DEPTH, tree.root) is None, "there is none"
    write_tree(file, tree)
    assert read_tree(file, DEPTH, a_tree(21).root) is None
    assert read_tree(file, DEPTH + 1, tree.root) is None
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole + b"\0", whole[:100], b"", whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
        file.write_bytes(damaged)
        assert read_tree(file, DEPTH, tree.root) is None


def test_a_store_opens_with_the_tree_that_was_kept_for_its_head() -> None:
    chain = Chain(kv=MemoryStore())
    chain.produce(chain.sign("bmw", register()))
    kept, asked = chain.store.tree, []

    def read(depth: int, root: bytes) -> StateTree | None:
        asked.append((depth, root))
        return kept

    assert ChainStore(chain.store.kv, chain.genesis, read_tree=read).tree is kept
    assert asked == [(chain.genesis.tree_depth, kept.root)]
    assert ChainStore(chain.store.kv, chain.genesis).tree.differing(kept) == []
