"""Before a node runs: does it want a snapshot, from whom, and what a kill leaves behind while one is put in place."""

from __future__ import annotations

import asyncio
import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.chain import Chain

from node.chain.block import block_id_of
from node.chain.genesis import genesis_to_json
from node.chain.trust import Trust
from node.daemon import beginning, snapshot_sync
from node.daemon.home import Home
from node.daemon.snapshot_sync import Choice, SnapshotSync
from node.errors import OperatorError
from node.p2p.wire import Chunk, GetChunk, GetOffer, GetValidators, OfferMessage, ValidatorsMessage
from node.replica.messages import Blocks, GetBlocks
from node.storage.folders import Rebuilt, finish_rebuilt, rebuilt_folder
from node.storage.leveldb import LevelStore
from node.storage.snapshot import Offer, cut_snapshot

FIRST, SECOND = 1, 2


def cut(chain: Chain) -> tuple[Offer, dict[int, bytes]]:
    chunks: dict[int, bytes] = {}
    return cut_snapshot(chain.store.kv.snapshot(), chain.genesis_hash, chunks.__setitem__), chunks


class Peers:
    """Two peers of one chain. `oldest` and `snapshots`: what each still has."""

    def __init__(self, chain: Chain, sync: SnapshotSync, oldest: dict[int, int], snapshots: dict) -> None:
        self._chain, self._sync, self._oldest, self._snapshots = chain, sync, oldest, snapshots

    def height_of(self, peer: int) -> int:
        return self._chain.store.height()

    def name_of(self, peer: int) -> str:
        return f"peer-{peer}@127.0.0.1:{peer}"

    def oldest_of(self, peer: int) -> int:
        return self._oldest[peer]

    def send(self, peer: int, message: object) -> None:
        offer, chunks = self._snapshots[peer]
        store = self._chain.store
        match message:
            case GetOffer():
                self._sync.snapshot(peer, OfferMessage(offer))
            case GetChunk(ident, index):
                self._sync.snapshot(peer, Chunk(ident, index, chunks[index]))
            case GetBlocks(first, _):
                self._sync.received(peer, Blocks((store.committed(first),)), 0)
            case GetValidators(height):
                self._sync.snapshot(peer, ValidatorsMessage(height, store.validators(height).entries))


@pytest.fixture(scope="module")
def grown() -> tuple[Chain, tuple, tuple, Trust]:
    """A chain of 31 blocks, its snapshots at 1 and at the end, and where somebody stood at 3."""
    chain = Chain()
    chain.produce()
    old = cut(chain)
    chain.produce()
    block = chain.produce()
    head = chain.store.head()
    own = Trust(head.height, head.block_id, head.time_ms, head.validators, block.header)
    for _ in range(28):
        chain.produce()
    return chain, old, cut(chain), own


def sync_of(
    grown: tuple, folder: Path, oldest: dict[int, int], first: tuple, own: Trust | None = None, later: float = 0.0
) -> int:
    """The height that a node gets; the second peer has the newest snapshot and may come a moment later."""
    chain, _, newest, _ = grown

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, own, 2)
        sync.network = Peers(chain, sync, oldest, {FIRST: first, SECOND: newest})
        sync.connected(FIRST, bytes(32))
        asyncio.get_running_loop().call_later(later, sync.connected, SECOND, bytes([2]) * 32)
        return await sync.run(folder)

    return asyncio.run(play())


def test_the_first_peer_that_comes_does_not_decide_alone(grown: tuple, tmp_path: Path) -> None:
    chain, old, _, _ = grown
    assert chain.store.height() == sync_of(grown, tmp_path / "in", {FIRST: 1, SECOND: 1}, old, later=0.05)


def test_a_snapshot_that_nobody_leads_on_from_is_not_used(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Genuine, and so old that every peer has forgotten what came after it: a node would stand there for ever."""
    monkeypatch.setattr(snapshot_sync, "LOOK_S", 0.05)
    _, old, _, _ = grown
    assert 0 == sync_of(grown, tmp_path / "in", {FIRST: 25, SECOND: 25}, old, later=30.0)
    assert 1 == sync_of(grown, tmp_path / "in", {FIRST: 2, SECOND: 25}, old, later=30.0)


def test_who_was_away_until_its_peers_forgot_begins_again_from_its_own_head(grown: tuple, tmp_path: Path) -> None:
    chain, _, newest, own = grown
    assert chain.store.height() == sync_of(grown, tmp_path / "in", {FIRST: 25, SECOND: 5}, newest, own)
    assert 0 == sync_of(grown, tmp_path / "in", {FIRST: 25, SECOND: 4}, newest, own), "block 4 can be had"


def test_a_member_that_stands_low_itself_does_not_speak_for_all(
    grown: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be new as well: a node that is only beginning says that it has nothing."""
    chain, _, newest, _ = grown

    class OneIsLow(Peers):
        def height_of(self, peer: int) -> int:
            return 0 if peer == FIRST else super().height_of(peer)

    async def play() -> int:
        sync = SnapshotSync(chain.genesis, Choice(gap=20, accept_old_root=True), lambda: chain.now, None, 2)
        sync.member_keys = frozenset({bytes(32)})
        sync.network = OneIsLow(chain, sync, {FIRST: 1, SECOND: 25}, {FIRST: (None, {}), SECOND: newest})
        sync.connected(FIRST, bytes(32))
        sync.connected(SECOND, bytes([2]) * 32)
        return await sync.run(tmp_path / "in")

    assert chain.store.height() == asyncio.run(play())


def test_trust_in_a_block_that_the_own_store_has_is_asked_of_nobody(grown: tuple, tmp_path: Path) -> None:
    chain, _, newest, own = grown

    async def play() -> int:
        choice = Choice(gap=20, trust=(2, block_id_of(chain.store.block(2).header, chain.genesis_hash)))
        sync = SnapshotSync(chain.genesis, choice, lambda: chain.now, own, 2)
        sync.network = Peers(chain, sync, {FIRST: 25, SECOND: 25}, {FIRST: newest, SECOND: newest})
        sync.connected(FIRST, bytes(32))
        sync.connected(SECOND, bytes([2]) * 32)
        return await sync.run(tmp_path / "in")

    assert chain.store.height() == asyncio.run(play())


# --- putting it in place ---------------------------------------------------------------------------------
@pytest.fixture
def home(tmp_path: Path) -> Home:
    """With a store that stands at 2, and one at 5 that has just come in."""
    found, chain = Home(tmp_path / "home"), Chain()
    found.make()
    found.genesis.write_text(genesis_to_json(chain.genesis))
    for folder, height in ((found.store, 2), (found.incoming, 5)):
        kv = LevelStore(folder)
        grows = Chain(kv=kv)
        for _ in range(height):
            grows.produce()
        kv.close()
    return found


def test_a_store_that_was_killed_before_its_first_batch_is_a_new_one(home: Home) -> None:
    shutil.rmtree(home.store)
    LevelStore(home.store).close()
    assert beginning.own_standing(home) is None


def test_an_archive_keeps_its_old_store(home: Home) -> None:
    kept = beginning.put_in_place(home, 2, 5, keeps=True)
    assert 5 == height_of(home)
    assert kept is not None and kept.name == "store.before-snapshot" and (kept / "CURRENT").exists()


def height_of(home: Home) -> int:
    head = beginning.own_standing(home)
    return 0 if head is None else head.head.height


def test_the_store_that_came_takes_the_old_ones_place(home: Home) -> None:
    beginning.put_in_place(home, 2, 5)
    assert 5 == height_of(home)
    assert [] == [entry.name for entry in home.store.parent.iterdir() if entry.name.startswith("store.")]
    shutil.rmtree(home.store)
    assert 0 == height_of(home)


def test_room_of_a_repair_that_was_killed_is_given_back_and_a_whole_one_stays(home: Home) -> None:
    rebuilt = rebuilt_folder(home.store)
    LevelStore(rebuilt).close()
    assert 2 == height_of(home) and not rebuilt.exists()

    LevelStore(rebuilt).close()
    finish_rebuilt(rebuilt, Rebuilt("reindex", 2, 2, "store.before-reindex-2"))
    assert 2 == height_of(home) and rebuilt.exists()


@pytest.mark.parametrize("at", ["finish_rebuilt", "exchange", "rmtree"])
def test_broken_off_anywhere_one_of_the_two_is_there(home: Home, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        place = shutil if at == "rmtree" else beginning
        plain: Callable = getattr(place, at)
        calls: list[object] = []

        def die(*args: object, **more: object) -> None:
            calls.append(args)
            if at != "rmtree" or len(calls) == 2:  # the first clears what an earlier attempt has left
                killed()
            plain(*args, **more)

        patch.setattr(place, at, die)
        with pytest.raises(Killed):
            beginning.put_in_place(home, 2, 5)
    assert height_of(home) == (5 if at == "rmtree" else 2)
    with pytest.raises(OperatorError, match="no store"):
        LevelStore(home.incoming, create=False)


def test_on_a_full_disk_the_old_store_stays_and_what_came_next_takes_its_place(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark that a store is whole is the last thing written; half of it is none."""
    again = shutil.copytree(home.incoming, tmp_path / "again")
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            beginning.put_in_place(home, 2, 5)
    assert 2 == height_of(home)

    again.rename(home.incoming)
    beginning.put_in_place(home, 2, 5)
    assert 5 == height_of(home)
