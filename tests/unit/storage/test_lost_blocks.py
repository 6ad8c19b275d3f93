"""A store whose head is below what its validator has signed on has lost blocks, unless it replaces another."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.chain import Chain
from support.stores import entries

from node.chain.vote import Vote
from node.codec import encode
from node.consensus.safety import HardState, NeverSigned, SignedVote
from node.daemon.admin import write_checkpoint
from node.errors import Corrupted
from node.storage import schema
from node.storage.kv import KeyValue
from node.storage.leveldb import LevelStore
from node.storage.lost_blocks import check_not_lost, lost_blocks
from node.storage.safety_store import NO_RUN, SafetyFile

RUN, OTHER = b"r" * 16, b"o" * 16


def signed(height: int) -> HardState:
    vote = Vote("prevote", height, 0, b"", bytes(20), bytes(64))
    return HardState(height, 0, (SignedVote(vote),), None, None, (), ())


def store_at(height: int, run: bytes | None) -> KeyValue:
    chain = Chain()
    for _ in range(height):
        chain.produce()
    if run is not None:
        chain.store.kv.write({schema.META_RUN: run}, [])
    return chain.store.kv


@pytest.mark.parametrize(
    ("store_run", "state_run", "state", "lost"),
    [
        (RUN, RUN, signed(9), range(4, 9)),
        (RUN, RUN, signed(5), range(4, 5)),
        (RUN, RUN, signed(4), range(0)),  # it votes on the next block
        (RUN, RUN, signed(2), range(0)),  # it has not signed for a while
        (RUN, RUN, HardState(9, 0, (), None, None, (), ()), range(0)),  # reset-signing --height 9
        (RUN, RUN, NeverSigned(bytes(32)), range(0)),
        (None, RUN, signed(9), range(0)),  # a checkpoint, a snapshot, a rebuilt or a new store
        (OTHER, RUN, signed(9), range(0)),  # another node's store, or this one not caught up since
        (NO_RUN, NO_RUN, signed(9), range(0)),  # signed by 'bmw-node signer'
    ],
)
def test_blocks_are_lost_if_the_signing_state_was_written_with_this_store(
    store_run: bytes | None, state_run: bytes, state: HardState | NeverSigned, lost: range, tmp_path: Path
) -> None:
    SafetyFile(tmp_path / "signing.state", state_run).save(encode(state))
    found = lost_blocks(store_at(3, store_run), tmp_path / "signing.state")
    assert list(lost) == list(found)


def test_without_a_readable_signing_state_nothing_is_known(tmp_path: Path) -> None:
    path, kv = tmp_path / "signing.state", store_at(3, RUN)
    assert not lost_blocks(kv, path)
    for content in (b"", b"garbage"):
        path.write_bytes(content)
        assert not lost_blocks(kv, path)
    SafetyFile(path, RUN).save(b"no hard state")
    assert not lost_blocks(kv, path)
    path.unlink()
    path.mkdir()
    assert not lost_blocks(kv, path)


def test_the_error_says_what_is_lost_and_what_to_do(tmp_path: Path) -> None:
    SafetyFile(tmp_path / "signing.state", RUN).save(encode(signed(9)))
    check_not_lost(store_at(8, RUN), tmp_path / "store", tmp_path / "signing.state")
    with pytest.raises(Corrupted) as caught:
        check_not_lost(store_at(3, RUN), tmp_path / "store", tmp_path / "signing.state")
    assert (
        f"the store in {tmp_path / 'store'} is damaged (block 4 is missing, though this validator had all blocks to 8 "
        "in this store when it signed at height 9: the disk has lost synced writes): restore a checkpoint, or wipe "
        "the store and sync again; keep the signing state"
    ) == str(caught.value)


def test_a_checkpoint_is_another_store(tmp_path: Path) -> None:
    chain = Chain(kv=LevelStore(tmp_path / "store"))
    chain.produce()
    chain.store.kv.write({schema.META_RUN: RUN}, [])
    before = dict(chain.store.kv.scan(b"", b"\xff"))
    write_checkpoint(chain.store.kv.snapshot(), chain.genesis, tmp_path / "copy")
    chain.store.kv.close()
    del before[schema.META_RUN]
    assert before == entries(tmp_path / "copy" / "store", tmp_path / "scratch")
