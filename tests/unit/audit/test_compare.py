"""Two sources side by side: the first difference is named, another quorum for the same block is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.chain import Chain
from support.life import register
from support.stores import archive_of, copied, entries, life_store, tampered, with_signatures

from node.audit.compare import compare
from node.audit.sources import ArchiveSource, StoreSource
from node.chain.block import decode_commit
from node.codec import encode
from node.storage import schema
from node.storage.leveldb import LevelStore


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return life_store(tmp_path_factory.mktemp("life"))


@pytest.fixture
def chain(folder: Path, tmp_path: Path) -> Iterator[Chain]:
    """A copy that may go on."""
    made = Chain(kv=LevelStore(copied(folder, tmp_path / "going-on")))
    yield made
    made.store.kv.close()


def test_compare_finds_the_fork_and_lets_certificates_differ(folder: Path, tmp_path: Path, chain: Chain) -> None:
    stored = entries(folder, tmp_path / "scratch")
    commit = with_signatures(decode_commit(stored[schema.commit_key(4)]), s2=b"")
    quorum = tampered(folder, tmp_path / "quorum", {schema.commit_key(4): encode(commit)})
    chain.do("bmw", register("WBA8E9G50GNU12346"))
    chain.store.kv.close()
    fork = Chain(kv=LevelStore(copied(folder, tmp_path / "fork")))
    fork.do("bmw", register("WBA8E9G50GNU12347"))
    fork.store.kv.close()
    one, two, three = (StoreSource(p) for p in (tmp_path / "going-on", quorum, tmp_path / "fork"))
    try:
        same, differ = compare(one, two), compare(one, three)
    finally:
        for source in (one, two, three):
            source.close()
    assert ("", 11, 1, (12, 11)) == (same.difference, same.same_to, same.certificates_differing, same.heights)
    assert 11 == differ.same_to
    assert differ.difference.startswith("height 12: block id ")
    assert "transactions (1 against 1), first at index 0" in differ.difference


def test_two_chains_or_two_ranges_have_nothing_to_compare(folder: Path, tmp_path: Path) -> None:
    low, high = (
        ArchiveSource(archive_of(folder, tmp_path / f"{first}.archive", tmp_path / "scratch", first, last))
        for first, last in ((1, 4), (5, 11))
    )
    apart = compare(low, high)
    assert ("no height in common: 1 to 4 against 5 to 11", 0) == (apart.difference, apart.same_to)
    touching = ArchiveSource(archive_of(folder, tmp_path / "touching", tmp_path / "scratch", 4, 11))
    assert ("", 4, 4) == ((same := compare(low, touching)).difference, same.from_height, same.same_to)
    touching.genesis_hash = bytes(32)
    other = compare(low, touching)
    assert "two different chains" in other.difference
    assert 0 == other.same_to
